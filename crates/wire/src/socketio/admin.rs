//! What the admin UI of Socket.IO asks and is told, in its production mode: how many clients there are and what passes,
//! and nothing of any single one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use deskbell_core::limits::{self, Millis};

/// The namespace in which it is.
pub const NAMESPACE: &str = "/admin";

/// The words of a refusal. The UI asks for the password again when it hears exactly these.
pub const WRONG: &str = "invalid credentials";

/// How a UI shows that it is an operator's.
#[derive(Debug, PartialEq, Eq)]
pub enum Login<'a> {
    /// By name and password.
    Password {
        /// The name.
        name: Cow<'a, str>,
        /// The password.
        password: Cow<'a, str>,
    },
    /// By what it was given after the password.
    Session(Cow<'a, str>),
    /// Not at all.
    None,
}

/// Reads what a UI shows with its CONNECT. What is too long is none of it.
///
/// ```
/// use deskbell_wire::socketio::admin::{Login, login};
/// assert_eq!(login(Some(r#"{"sessionId":"s"}"#)), Login::Session("s".into()));
/// assert_eq!(login(Some(r#"{"username":"ann"}"#)), Login::None);
/// ```
pub fn login(data: Option<&str>) -> Login<'_> {
    #[derive(Deserialize)]
    struct Shown<'a> {
        #[serde(borrow, default, rename = "sessionId")]
        session: Option<Text<'a>>,
        #[serde(borrow, default)]
        username: Option<Text<'a>>,
        #[serde(borrow, default)]
        password: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let fits = |text: &Text<'_>| text.0.len() <= limits::TOKEN;
    let Some(Ok(shown)) = data.map(serde_json::from_str::<Shown<'_>>) else { return Login::None };
    match (shown.session.filter(fits), shown.username.filter(fits), shown.password.filter(fits)) {
        (Some(Text(session)), _, _) => Login::Session(session),
        (None, Some(Text(name)), Some(Text(password))) => Login::Password { name, password },
        _ => Login::None,
    }
}

/// The data of `config`: what the UI may show. Without lists of sockets it hides the pages that need them.
pub const CONFIG: &str = r#"{"supportedFeatures":["AGGREGATED_EVENTS"]}"#;

/// One number of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The second, in milliseconds.
    pub timestamp: Millis,
    /// What is counted.
    #[serde(rename = "type")]
    pub what: &'static str,
    /// How many.
    pub count: u64,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Space<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many are in it.
    #[serde(rename = "socketsCount")]
    pub sockets: u64,
}

/// The data of `server_stats`, which the UI waits for every two seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats<'a> {
    /// The process, as long as it runs.
    pub server_id: &'a str,
    /// The machine.
    pub hostname: &'a str,
    /// The process's number.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime: u64,
    /// Connections.
    pub clients_count: u64,
    /// Those among them that poll.
    pub polling_clients_count: u64,
    /// What has happened since the last telling.
    pub aggregated_events: Vec<Count>,
    /// The namespaces.
    pub namespaces: Vec<Space<'a>>,
}

impl Stats<'_> {
    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_and_everything_else_is_none() {
        let password = login(Some(r#"{"username":"ann","password":"p\u0061ss","other":1}"#));
        assert_eq!(password, Login::Password { name: "ann".into(), password: "pass".into() });
        let both = login(Some(r#"{"username":"ann","password":"x","sessionId":"s"}"#));
        assert_eq!(both, Login::Session("s".into()));
        let long = format!(r#"{{"sessionId":"{}"}}"#, "x".repeat(limits::TOKEN + 1));
        for none in [None, Some(""), Some("{}"), Some("[]"), Some(r#"{"sessionId":7}"#), Some(&long)] {
            assert_eq!(login(none), Login::None, "{none:?}");
        }
    }

    #[test]
    fn the_numbers_have_the_names_that_the_ui_knows() {
        let stats = Stats {
            server_id: "s",
            hostname: "h",
            pid: 7,
            uptime: 8,
            clients_count: 2,
            polling_clients_count: 1,
            aggregated_events: vec![Count { timestamp: 1_000, what: "packetsIn", count: 3 }],
            namespaces: vec![Space { name: "/", sockets: 2 }],
        };
        let expected = r#"{"serverId":"s","hostname":"h","pid":7,"uptime":8,"clientsCount":2,"pollingClientsCount":1,"aggregatedEvents":[{"timestamp":1000,"type":"packetsIn","count":3}],"namespaces":[{"name":"/","socketsCount":2}]}"#;
        assert_eq!(stats.json(), expected);
    }
}

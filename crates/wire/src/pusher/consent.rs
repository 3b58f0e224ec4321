//! The authorisation endpoint: what a client's library asks there, what it is answered, and what an app's own
//! endpoint says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::proof::App;
use crate::http_head;
use deskbell_core::access::Identity;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// What is asked: a signature for this socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Wanted {
    /// The socket.
    #[serde(default)]
    pub socket_id: String,
    /// The channel; none where somebody wants to be a user.
    #[serde(default)]
    pub channel_name: String,
}

/// What an app's own endpoint says to such a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It has signed by itself: its answer is passed on.
    Signed,
    /// It agrees, and leaves the signature to whoever asked.
    Agreed {
        /// As whom the client is there, as a JSON text.
        member: Option<String>,
    },
}

impl Wanted {
    /// Reads a body: a form, as libraries send it, or JSON.
    ///
    /// ```
    /// use deskbell_wire::pusher::consent::Wanted;
    /// let wanted = Wanted::read(b"socket_id=1.2&channel_name=private-a%3Bb").unwrap();
    /// assert_eq!((&*wanted.socket_id, &*wanted.channel_name), ("1.2", "private-a;b"));
    /// ```
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let wrong = || {
            Refusal::new(
                Code::BadMessage,
                "the body is a form with socket_id and channel_name; send it as pusher-js does",
            )
        };
        let text = std::str::from_utf8(body).map_err(|_| wrong())?;
        let wanted = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|_| wrong())?
        } else {
            let mut wanted = Self::default();
            for (name, value) in http_head::query_pairs(text) {
                match &*name {
                    "socket_id" => wanted.socket_id = value.into_owned(),
                    "channel_name" => wanted.channel_name = value.into_owned(),
                    // Pages add what they like.
                    _ => {}
                }
            }
            wanted
        };
        super::trigger::socket(&wanted.socket_id)?;
        Ok(wanted)
    }
}

impl Said {
    /// Reads what an app's endpoint answered: a signature, Laravel's `true`, or who the client is there.
    pub fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Written<'a> {
            #[serde(default)]
            auth: Option<String>,
            #[serde(default, borrow)]
            channel_data: Option<&'a RawValue>,
        }
        if body.trim_ascii() == b"true" {
            return Some(Self::Agreed { member: None });
        }
        let written: Written<'_> = serde_json::from_slice(body).ok()?;
        if written.auth.is_some() {
            return Some(Self::Signed);
        }
        // An object, or the text of one.
        let data = written.channel_data?.get();
        let member = serde_json::from_str::<String>(data).unwrap_or_else(|_| data.to_owned());
        Some(Self::Agreed { member: Some(member) })
    }
}

/// The answer for a channel.
pub fn for_channel(app: App<'_>, socket: &str, channel: &str, data: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<'a> {
        auth: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        channel_data: Option<&'a str>,
    }
    written(&Answer { auth: app.sign_channel(socket, channel, data), channel_data: data })
}

/// The answer for a user.
pub fn for_user(app: App<'_>, socket: &str, data: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<'a> {
        auth: String,
        user_data: &'a str,
    }
    written(&Answer { auth: app.sign_user(socket, data), user_data: data })
}

/// What a user shows of itself on a presence channel: the members' names are what pages read.
///
/// ```
/// use deskbell_core::{access::Identity, ids::UserId};
/// let ann = Identity { name: Some("Ann".into()), ..Identity::user(UserId::parse("5").unwrap()) };
/// let shown = deskbell_wire::pusher::consent::as_member(&ann).unwrap();
/// assert_eq!(shown, r#"{"user_id":"5","user_info":{"id":"5","name":"Ann"}}"#);
/// ```
pub fn as_member(identity: &Identity) -> Result<String, Refusal> {
    shown(identity, "user_id")
}

/// The same for whoever signs in.
pub fn as_user(identity: &Identity) -> Result<String, Refusal> {
    shown(identity, "id")
}

fn shown(identity: &Identity, field: &str) -> Result<String, Refusal> {
    let id = identity.user_id().ok_or_else(|| {
        Refusal::new(Code::Denied, "only a user can be seen by others; send the user's token")
    })?;
    super::name::user(id)?;
    let mut info = serde_json::Map::new();
    info.insert("id".to_owned(), id.into());
    if let Some(name) = &identity.name {
        info.insert("name".to_owned(), name.as_str().into());
    }
    let mut data = serde_json::Map::new();
    data.insert(field.to_owned(), id.into());
    data.insert("user_info".to_owned(), Value::Object(info));
    Ok(Value::Object(data).to_string())
}

/// What an app says a user is, as a JSON text to sign.
pub fn user_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let fits = text.len() <= limits::PUSHER_SIGNED && super::User::read(text).is_ok();
    fits.then(|| text.to_owned())
}

fn written<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts always serialise into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_what_apps_answer() {
        let agreed = |member: Option<&str>| Some(Said::Agreed { member: member.map(str::to_owned) });
        for (body, expected) in [
            ("true", agreed(None)),
            (" true\n", agreed(None)),
            (r#"{"auth":"k:s","channel_data":"{}"}"#, Some(Said::Signed)),
            (
                r#"{"channel_data":{"user_id":5,"user_info":true}}"#,
                agreed(Some(r#"{"user_id":5,"user_info":true}"#)),
            ),
            (r#"{"channel_data":"{\"user_id\":5}"}"#, agreed(Some(r#"{"user_id":5}"#))),
            ("false", None),
            ("", None),
            ("{}", None),
            ("[]", None),
            ("<!doctype html>", None),
        ] {
            assert_eq!(Said::read(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_question_needs_a_socket() {
        for bad in
            ["", "socket_id=", "socket_id=x&channel_name=private-a", "{\"socket_id\":1}", "{", "\u{fffd}"]
        {
            assert!(Wanted::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Wanted::read(br#"{"socket_id":"1.2","channel_name":"private-a"}"#).is_ok());
    }
}

//! What the site's own backend is asked: whether a client may have a channel of Laravel Echo's, and what it says to
//! an event that nobody here knows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::webhook::{self, Secret};
use http::{Method, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::clock;
use crate::outbound::Address;

/// Headers of a client that are passed on to the question for a channel: what a Laravel site knows its users by.
const PASSED_ON: [&str; 3] = ["authorization", "x-csrf-token", "x-xsrf-token"];

/// The backend of a site.
#[derive(Clone)]
pub struct Backend {
    /// Where it is asked for channels.
    pub channels: Option<Address>,
    /// Where it is told of events.
    pub events: Option<Address>,
    /// Time for an answer.
    pub timeout: Duration,
    /// How many requests may be under way.
    room: Arc<Semaphore>,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend(..)")
    }
}

/// Why a client does not get a channel, and the status that its library is given for it.
#[derive(Debug)]
pub struct NotApproved {
    /// The status.
    pub status: u16,
    /// The reason.
    pub refusal: Refusal,
}

impl Backend {
    /// A backend at these addresses.
    pub fn new(channels: Option<Address>, events: Option<Address>, timeout: Duration) -> Self {
        Self { channels, events, timeout, room: Arc::new(Semaphore::new(limits::BACKEND_REQUESTS)) }
    }

    /// Asks whether a client may have a channel. The answer of a presence channel says who it is there.
    pub async fn approves(
        &self,
        channel: &str,
        headers: Option<&str>,
        cookie: Option<&str>,
    ) -> Result<Option<String>, NotApproved> {
        let unavailable = |refusal| NotApproved { status: 503, refusal };
        let Some(address) = &self.channels else { return Err(unavailable(no_answer())) };
        let form = form_urlencoded(channel);
        let mut request = address
            .request(Method::POST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header("x-requested-with", "XMLHttpRequest");
        for (name, value) in passed_on(headers) {
            request = request.header(name, value);
        }
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Full::new(Bytes::from(form))).map_err(|_| unavailable(no_answer()))?;
        let (status, body) = self.exchange(address, request).await.map_err(unavailable)?;
        if !status.is_success() {
            let sentence = "the site does not give this channel to this client; sign in there, and ask again";
            return Err(NotApproved {
                status: status.as_u16(),
                refusal: Refusal::new(Code::Denied, sentence),
            });
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(match &said["channel_data"] {
            // Some sites write it as a text with JSON in it.
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        })
    }

    /// Tells of an event, and gives what is to be answered: JSON values with commas between them.
    pub async fn answers(&self, app_secret: &str, id: &str, body: Vec<u8>) -> Result<String, Refusal> {
        let address = self.events.as_ref().ok_or_else(no_answer)?;
        let timestamp = webhook::timestamp(clock::now_ms());
        let secret = Secret::derived(app_secret, "socketio");
        let signature = webhook::signatures(&[secret], id, timestamp, &body);
        let request = address
            .request(Method::POST)
            .header(header::CONTENT_TYPE, "application/json")
            .header(webhook::ID, id)
            .header(webhook::TIMESTAMP, timestamp.to_string())
            .header(webhook::SIGNATURE, signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| no_answer())?;
        let (status, body) = self.exchange(address, request).await?;
        if status.is_client_error() {
            return Err(Refusal::new(Code::Denied, "the site refused this event; it knows why"));
        }
        if !status.is_success() {
            return Err(no_answer());
        }
        let text = str::from_utf8(&body).unwrap_or_default().trim();
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(list)) => Ok(list.iter().map(Value::to_string).collect::<Vec<_>>().join(",")),
            Ok(_) => Ok(text.to_owned()),
            // A backend that has nothing to say has taken the event all the same.
            Err(_) => Ok(String::new()),
        }
    }

    async fn exchange(
        &self,
        address: &Address,
        request: http::Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Refusal> {
        let Ok(_place) = self.room.try_acquire() else { return Err(no_answer()) };
        match tokio::time::timeout(self.timeout, address.whole(request, limits::EVENT_DATA)).await {
            Ok(Ok((head, body))) => Ok((head.status, body)),
            Ok(Err(broken)) => {
                tracing::warn!(at = address.name(), %broken, "the site's backend could not be asked");
                Err(no_answer())
            }
            Err(_) => {
                tracing::warn!(at = address.name(), "the site's backend did not answer in time");
                Err(no_answer())
            }
        }
    }
}

fn no_answer() -> Refusal {
    Refusal::new(Code::Unavailable, "the site's backend does not answer; try again in a moment")
}

fn form_urlencoded(channel: &str) -> String {
    // The characters of a channel's name that mean something else in a form.
    let mut out = String::from("channel_name=");
    for byte in channel.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn passed_on(headers: Option<&str>) -> Vec<(String, String)> {
    let Some(Ok(Value::Object(headers))) = headers.map(serde_json::from_str) else { return Vec::new() };
    let known = |name: &str| PASSED_ON.iter().any(|own| own.eq_ignore_ascii_case(name));
    let pair = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    headers.into_iter().filter(|(name, _)| known(name)).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_user_is_passed_on() {
        let headers =
            r#"{"Authorization":"Bearer x","X-CSRF-TOKEN":"y","Host":"evil","X-Forwarded-For":"z","N":1}"#;
        let names: Vec<String> = passed_on(Some(headers)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Authorization", "X-CSRF-TOKEN"]);
        assert!(passed_on(Some("[]")).is_empty() && passed_on(None).is_empty());
    }

    #[test]
    fn a_form_says_what_the_channel_is_called() {
        assert_eq!(form_urlencoded("private-a=b;c"), "channel_name=private-a%3Db%3Bc");
    }
}

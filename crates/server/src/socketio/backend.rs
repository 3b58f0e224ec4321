//! What the site's own backend is asked: whether a client may have a channel of Laravel Echo's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use http::{Method, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::outbound::Address;

/// Headers of a client that are passed on to the question for a channel: what a Laravel site knows its users by.
const PASSED_ON: [&str; 3] = ["authorization", "x-csrf-token", "x-xsrf-token"];

/// Questions to a site's backend that may be under way: each holds a connection of ours and one of its workers.
const BACKEND_REQUESTS: usize = 256;

/// The backend of a site.
#[derive(Clone)]
pub struct Backend {
    /// Where it is asked for channels.
    channels: Address,
    /// Time for an answer.
    timeout: Duration,
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
    /// A backend at this address.
    pub fn new(channels: Address, timeout: Duration) -> Self {
        Self { channels, timeout, room: Arc::new(Semaphore::new(BACKEND_REQUESTS)) }
    }

    /// Asks whether a client may have a channel. The answer of a presence channel says who it is there.
    pub async fn approves(
        &self,
        channel: &str,
        headers: Option<&str>,
        cookie: Option<&str>,
    ) -> Result<Option<String>, NotApproved> {
        let unavailable = |refusal| NotApproved { status: 503, refusal };
        let address = &self.channels;
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

    async fn exchange(
        &self,
        address: &Address,
        request: http::Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Refusal> {
        let Ok(_place) = self.room.try_acquire() else { return Err(no_answer()) };
        match tokio::time::timeout(self.timeout, address.whole(request, limits::PRESENCE_DATA * 2)).await {
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

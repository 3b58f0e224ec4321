//! What an endpoint is sent: a body, and three headers that sign it.
//!
//! The signature is `v1,` and the base64 of `HMAC-SHA256(key, id "." timestamp "." body)`, as the Standard
//! Webhooks convention has it, so that its libraries verify it unchanged. A secret is written `whsec_` and the
//! base64 of the key; any other text is the key itself. Several signatures are set apart by a blank: that is how
//! a secret is changed without losing anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use deskbell_core::event::Event;
use deskbell_core::ids::AppId;
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::mac;

use crate::native::event_data;

/// The header with the event's id: the same for every attempt, so that a receiver drops doubles by it.
pub const ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

const PREFIX: &str = "whsec_";

/// A key that signs. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads a secret as it is configured.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let key = match text.strip_prefix(PREFIX) {
            None => text.as_bytes().to_vec(),
            Some(rest) => STANDARD.decode(rest).map_err(
                |_| "behind whsec_ stands no base64; copy the secret whole, or leave the prefix out",
            )?,
        };
        if key.is_empty() { Err("is empty; leave it out to have one made") } else { Ok(Self(key)) }
    }

    /// The secret of an endpoint that has none of its own: it follows from the app's and the endpoint's name.
    ///
    /// ```
    /// use deskbell_wire::webhook::Secret;
    /// assert_eq!(Secret::derived("app secret", "crm"), Secret::derived("app secret", "crm"));
    /// assert_ne!(Secret::derived("app secret", "crm"), Secret::derived("app secret", "shop"));
    /// ```
    pub fn derived(app_secret: &str, endpoint: &str) -> Self {
        Self(mac::tag(app_secret.as_bytes(), &[b"deskbell webhook v1\0", endpoint.as_bytes()]).to_vec())
    }

    /// The text that a receiver is given.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The value of the header with the signatures: one for each secret, in their order.
///
/// ```
/// use deskbell_wire::webhook::{Secret, signatures};
/// let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
/// let body = br#"{"test": 2432232314}"#;
/// let signed = signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
/// assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// ```
pub fn signatures(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let one = |secret: &Secret| format!("v1,{}", STANDARD.encode(mac::tag(&secret.0, &parts)));
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The time of an attempt as its header has it.
pub const fn timestamp(now: Millis) -> u64 {
    now / SECOND
}

/// The body that tells of an event of the ledger's row.
pub fn body(app: AppId, event: &Event, row: u64) -> Vec<u8> {
    let mut out = head(event.id.as_str(), event.name.as_str(), event.at, app);
    let (channel, row) = (event.channel.as_str(), row.to_string());
    out.extend_from_slice(format!(r#","channel":"{channel}","position":{row},"data":"#).as_bytes());
    event_data(&event.data, &mut out);
    out.push(b'}');
    out
}

/// The body that tells of a gap: rows up to this one were deleted before the endpoint had all of them.
pub fn gap(app: AppId, id: &str, at: Millis, until: u64) -> Vec<u8> {
    let mut out = head(id, "webhook.gap", at, app);
    out.extend_from_slice(format!(r#","data":{{"until":{until}}}}}"#).as_bytes());
    out
}

fn head(id: &str, name: &str, at: Millis, app: AppId) -> Vec<u8> {
    let text = |text: &str| serde_json::to_string(text).expect("a text always serialises into memory");
    format!(r#"{{"id":{},"type":{},"at":{at},"app":{app}"#, text(id), text(name)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskbell_core::event::{Data, Form};
    use deskbell_core::ids::{ChannelName, EventId, EventName};

    fn event(form: Form, data: &'static str) -> Event {
        Event {
            id: EventId::parse("c.1.\"0").unwrap(),
            channel: ChannelName::parse("staff:1001").unwrap(),
            name: EventName::parse("it \"rang\"").unwrap(),
            data: Data { form, bytes: data.into() },
            at: 1_795_683_600_000,
        }
    }

    #[test]
    fn a_body_is_json_whatever_form_the_data_has() {
        for (form, data, shown) in [
            (Form::Json, r#"{"a":1.50}"#, r#"{"a":1.50}"#),
            (Form::Text, "a \"text\"", r#""a \"text\"""#),
            (Form::Args, "[1,2]", "[1,2]"),
        ] {
            let body = String::from_utf8(body(AppId(1001), &event(form, data), 7)).unwrap();
            let head = r#"{"id":"c.1.\"0","type":"it \"rang\"","at":1795683600000,"app":1001"#;
            assert_eq!(body, format!(r#"{head},"channel":"staff:1001","position":7,"data":{shown}}}"#));
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
        let gap = String::from_utf8(gap(AppId(1), "gap.1.9", 5, 9)).unwrap();
        let expected = r#"{"id":"gap.1.9","type":"webhook.gap","at":5,"app":1,"data":{"until":9}}"#;
        assert_eq!(gap, expected);
    }

    #[test]
    fn a_secret_is_base64_behind_its_prefix_and_itself_without() {
        assert_eq!(Secret::parse("whsec_c2VjcmV0"), Secret::parse("secret"));
        assert_eq!(Secret::parse("secret").unwrap().expose(), "whsec_c2VjcmV0");
        for bad in ["whsec_?", "whsec_", ""] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{:?}", Secret::parse("secret").unwrap()), "Secret(..)");
    }

    #[test]
    fn two_secrets_make_two_signatures_and_another_time_makes_others() {
        let secrets = [Secret::parse("new").unwrap(), Secret::parse("old").unwrap()];
        let both = signatures(&secrets, "id", 1, b"{}");
        let single: Vec<_> =
            secrets.iter().map(|one| signatures(std::slice::from_ref(one), "id", 1, b"{}")).collect();
        assert_eq!(both, single.join(" "));
        assert_ne!(both, signatures(&secrets, "id", 2, b"{}"));
        assert_ne!(both, signatures(&secrets, "i", 1, b"{}"));
    }
}

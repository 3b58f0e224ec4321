//! Webhooks of Pusher's kinds: their names, and the signed body.

use deskbell_core::limits::Millis;
use deskbell_core::mac;
use deskbell_core::news::News;
use serde_json::{Value, json};

use crate::signature::hex;

/// The header with the app's key.
pub const KEY: &str = "x-pusher-key";
/// The header with the signature.
pub const SIGNATURE: &str = "x-pusher-signature";

/// Every kind.
pub const KINDS: [&str; 7] = [
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
];

/// The kind of a piece of news.
pub const fn kind(news: &News) -> &'static str {
    match news {
        News::Occupied(_) => KINDS[0],
        News::Vacated(_) => KINDS[1],
        News::Came(..) => KINDS[2],
        News::Went(..) => KINDS[3],
        News::Said(_) => KINDS[4],
        News::Missed(_) => KINDS[5],
        News::Count(..) => KINDS[6],
    }
}

/// The body of a request. Receivers look at the time, so each attempt has a body of its own.
pub fn body(news: &[News], now: Millis) -> Vec<u8> {
    let events: Vec<Value> = news.iter().map(event).collect();
    json!({ "time_ms": now, "events": events }).to_string().into_bytes()
}

/// The signature of exactly these bytes.
///
/// ```
/// let signature = deskbell_wire::pusher::hook::signature(b"secret", b"{}");
/// assert_eq!(signature, "77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13");
/// ```
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    hex(&mac::tag(secret, &[body]))
}

fn event(news: &News) -> Value {
    let (name, channel) = (kind(news), news.channel().as_str());
    match news {
        News::Occupied(_) | News::Vacated(_) | News::Missed(_) => json!({ "name": name, "channel": channel }),
        News::Came(_, user) | News::Went(_, user) => {
            json!({ "name": name, "channel": channel, "user_id": &**user })
        }
        News::Count(_, count) => json!({ "name": name, "channel": channel, "subscription_count": count }),
        News::Said(said) => {
            let mut event = json!({
                "name": name,
                "channel": channel,
                "event": said.event.as_str(),
                "data": String::from_utf8_lossy(&said.data.bytes),
                "socket_id": said.socket.to_string(),
            });
            if let Some(user) = &said.user {
                event["user_id"] = (**user).into();
            }
            event
        }
    }
}

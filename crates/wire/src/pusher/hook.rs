//! Webhooks of Pusher's kinds: their names, the signed body, and the form in which one waits in the store.

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName, PublicId};
use deskbell_core::limits::Millis;
use deskbell_core::mac;
use deskbell_core::news::{Kind, Kinds, News, Said};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::signature::hex;

/// The header with the app's key.
pub const KEY: &str = "x-pusher-key";
/// The header with the signature.
pub const SIGNATURE: &str = "x-pusher-signature";

/// The kinds in the order of their names.
const ALL: [Kind; 7] =
    [Kind::Occupied, Kind::Vacated, Kind::Came, Kind::Went, Kind::Said, Kind::Missed, Kind::Count];

/// Their names.
pub const KINDS: [&str; 7] = [
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
];

/// The name of a kind.
pub const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Occupied => KINDS[0],
        Kind::Vacated => KINDS[1],
        Kind::Came => KINDS[2],
        Kind::Went => KINDS[3],
        Kind::Said => KINDS[4],
        Kind::Missed => KINDS[5],
        Kind::Count => KINDS[6],
    }
}

/// The kinds with these names; names that are none are passed over.
pub fn kinds(names: &[String]) -> Kinds {
    ALL.into_iter().filter(|kind| names.iter().any(|wanted| wanted == name(*kind))).collect()
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

/// One piece of news as it waits in the store.
pub fn text(news: &News) -> String {
    event(news).to_string()
}

/// Reads it back; `None` for what this program did not write.
///
/// ```
/// use deskbell_core::{ids::ChannelName, news::News};
/// use deskbell_wire::pusher::hook;
/// let news = News::Came(ChannelName::parse("presence-room").unwrap(), "7".into());
/// assert_eq!(hook::read(&hook::text(&news)), Some(news));
/// assert_eq!(hook::read(r#"{"name":"told_by_nobody","channel":"a"}"#), None);
/// ```
pub fn read(text: &str) -> Option<News> {
    let kept: Kept = serde_json::from_str(text).ok()?;
    let channel = ChannelName::parse(&kept.channel).ok()?;
    let kind = ALL.into_iter().find(|kind| name(*kind) == kept.name)?;
    Some(match kind {
        Kind::Occupied => News::Occupied(channel),
        Kind::Vacated => News::Vacated(channel),
        Kind::Missed => News::Missed(channel),
        Kind::Came => News::Came(channel, kept.user_id?),
        Kind::Went => News::Went(channel, kept.user_id?),
        Kind::Count => News::Count(channel, kept.subscription_count?),
        Kind::Said => News::Said(Said {
            channel,
            event: EventName::parse(&kept.event?).ok()?,
            // Whoever is told of it sees its bytes, whatever form they came in.
            data: Data::json(Bytes::from(kept.data?)),
            socket: PublicId::parse(&kept.socket_id?).ok()?,
            user: kept.user_id,
        }),
    })
}

#[derive(Deserialize)]
struct Kept {
    name: String,
    channel: String,
    user_id: Option<Arc<str>>,
    event: Option<String>,
    data: Option<String>,
    socket_id: Option<String>,
    subscription_count: Option<usize>,
}

fn event(news: &News) -> Value {
    let (name, channel) = (name(news.kind()), news.channel().as_str());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_back_and_told_as_it_would_have_been() {
        let channel = ChannelName::parse("private-a").unwrap();
        let user: Arc<str> = "7".into();
        let said = Said {
            channel: channel.clone(),
            event: EventName::parse("client-hi").unwrap(),
            data: Data::json(r#"{"n":"\u00e4 \"quoted\""}"#),
            socket: PublicId(0x0000_0007_0000_0009),
            user: Some(user.clone()),
        };
        let nobody = Said { user: None, ..said.clone() };
        let all = [
            News::Occupied(channel.clone()),
            News::Vacated(channel.clone()),
            News::Came(channel.clone(), user.clone()),
            News::Went(channel.clone(), user),
            News::Missed(channel.clone()),
            News::Count(channel, 12),
            News::Said(said),
            News::Said(nobody),
        ];
        for news in all {
            assert_eq!(read(&text(&news)), Some(news));
        }
        for text in [
            "",
            "{}",
            r#"{"name":"member_added","channel":"a"}"#,
            r#"{"name":"channel_occupied","channel":""}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

//! The server's frames. `data` is always there and always a JSON text inside of a string, because some
//! clients read nothing else; only what a client said to others keeps the form in which it came.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{code, name};
use deskbell_core::event::{Entry, Form, Kind};
use deskbell_core::ids::ChannelName;
use deskbell_core::presence::Presence;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::Notice;

/// Where the frames of one entry or notice go, one call for each.
pub type Emit<'a> = &'a mut dyn FnMut(&[u8]);

/// Writes the frame of a notice, where this dialect has one.
pub fn notice(notice: &Notice<'_>, emit: Emit<'_>) {
    match notice {
        Notice::Welcome { session, heartbeat_ms, .. } => {
            let seconds = (heartbeat_ms / 1_000).max(1);
            let data = format!(r#"{{"socket_id":"{session}","activity_timeout":{seconds}}}"#);
            emit(&frame("pusher:connection_established", None, &data));
        }
        Notice::Subscribed { channel, .. } => emit(&succeeded(channel.as_str(), "{}")),
        Notice::Error(refusal) => emit(&error(code::of_refusal(refusal.code), &refusal.message, None)),
        Notice::Refused(refused) => {
            let no = &refused.refusal;
            emit(&error(code::of_refusal(no.code), &no.message, None));
        }
        Notice::Pong => emit(&pong()),
        Notice::Event { entry: shown, .. } => event(shown, emit),
        Notice::Reset { channel, reason, reload_in_ms, .. } => {
            let wait = reload_in_ms.unwrap_or_default();
            let data = format!(r#"{{"reason":"{}","reload_in_ms":{wait}}}"#, reason.as_str());
            emit(&frame("deskbell:reset", channel.map(ChannelName::as_str), &data));
        }
        // Nothing of this has a frame here: what a client must know of it, it learns by a close code.
        Notice::Unsubscribed { .. }
        | Notice::Members { .. }
        | Notice::Ok
        | Notice::Published { .. }
        | Notice::Ledger { .. }
        | Notice::Closing { .. } => {}
    }
}

/// Writes the frames of an entry: one, or one for each member that came or went.
pub fn event(entry: &Entry, emit: Emit<'_>) {
    let event = &entry.event;
    let channel = event.channel.as_str();
    match entry.kind {
        Kind::Message => emit(&shown(event.name.as_str(), channel, &event.data.bytes)),
        Kind::Whisper => emit(&whisper(entry)),
        Kind::Count => {
            emit(&frame("pusher_internal:subscription_count", Some(channel), &text(&event.data.bytes)));
        }
        Kind::Joined | Kind::Left => match channel.strip_prefix(name::WATCH) {
            Some(user) => {
                let word = if entry.kind == Kind::Joined { "online" } else { "offline" };
                emit(&watchlist(&[(word, &[user])]));
            }
            None => changes(entry, channel, emit),
        },
        // What a member shows stands fast while it is there.
        Kind::Updated => {}
    }
}

/// An event under a name and in a channel of this dialect.
pub fn shown(event: &str, channel: &str, data: &[u8]) -> Vec<u8> {
    frame(event, Some(channel), &text(data))
}

/// A frame with its reader's place behind it, for clients that carry a cursor.
///
/// ```
/// let frame = deskbell_wire::pusher::encode::standing(br#"{"event":"pusher:pong","data":"{}"}"#, "C-1");
/// assert_eq!(&frame[..], br#"{"event":"pusher:pong","data":"{}","cursor":"C-1"}"#);
/// ```
pub fn standing(frame: &[u8], cursor: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + cursor.len() + 12);
    out.extend_from_slice(frame.strip_suffix(b"}").unwrap_or(frame));
    out.extend_from_slice(br#","cursor":"#);
    json(cursor, &mut out);
    out.push(b'}');
    out
}

/// A frame behind which others of the same entry come. A client that carries a cursor is to take them together,
/// because its place stands behind the last one.
///
/// ```
/// let frame = deskbell_wire::pusher::encode::unfinished(br#"{"event":"n","channel":"c","data":"1"}"#);
/// assert_eq!(&frame[..], br#"{"event":"n","channel":"c","data":"1","more":true}"#);
/// ```
pub fn unfinished(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + 12);
    out.extend_from_slice(frame.strip_suffix(b"}").unwrap_or(frame));
    out.extend_from_slice(br#","more":true}"#);
    out
}

/// Are you there? Yes.
pub fn pong() -> Vec<u8> {
    frame("pusher:pong", None, "{}")
}

/// You receive this channel.
pub fn succeeded(channel: &str, data: &str) -> Vec<u8> {
    frame("pusher_internal:subscription_succeeded", Some(channel), data)
}

/// Everybody who is in a presence channel, with whoever has just come.
pub fn roster(members: &Presence, own: (&str, &[u8])) -> String {
    let mut all: Vec<(&str, &[u8])> =
        members.members().map(|(id, member)| (&**id, &member.data[..])).collect();
    if members.get(own.0).is_none() {
        all.push(own);
    }
    let mut ids = Vec::with_capacity(all.len() * 8);
    let mut hash = Vec::with_capacity(all.len() * 64);
    for (place, (id, info)) in all.iter().enumerate() {
        if place > 0 {
            ids.push(b',');
            hash.push(b',');
        }
        json(id, &mut ids);
        json(id, &mut hash);
        hash.push(b':');
        hash.extend_from_slice(if info.is_empty() { b"null" } else { info });
    }
    format!(r#"{{"presence":{{"count":{},"ids":[{}],"hash":{{{}}}}}}}"#, all.len(), text(&ids), text(&hash))
}

/// An error; the connection stays, or its close follows.
pub fn error(code: u16, message: &str, channel: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a> {
        code: u16,
        message: &'a str,
    }
    let mut data = Vec::with_capacity(128);
    json(&Error { code, message }, &mut data);
    frame("pusher:error", channel, &text(&data))
}

/// A subscription was refused: for the channel's own listeners.
pub fn subscription_error(channel: &str, refusal: &Refusal) -> Vec<u8> {
    #[derive(Serialize)]
    struct Refused<'a> {
        r#type: &'a str,
        error: &'a str,
        status: u16,
    }
    let status = code::status_of(refusal.code);
    let kind = if matches!(status, 401 | 403) { "AuthError" } else { "SubscriptionError" };
    let mut data = Vec::with_capacity(128);
    json(&Refused { r#type: kind, error: &refusal.message, status }, &mut data);
    frame("pusher:subscription_error", Some(channel), &text(&data))
}

/// A cached channel has nothing to give.
pub fn cache_miss(channel: &str) -> Vec<u8> {
    frame("pusher:cache_miss", Some(channel), "{}")
}

/// You are this user.
pub fn signed_in(user_data: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct SignedIn<'a> {
        user_data: &'a str,
    }
    let mut data = Vec::with_capacity(user_data.len() + 32);
    json(&SignedIn { user_data }, &mut data);
    frame("pusher:signin_success", None, &text(&data))
}

/// Who of those that a user watches came or went.
pub fn watchlist(events: &[(&str, &[&str])]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Change<'a> {
        name: &'a str,
        user_ids: &'a [&'a str],
    }
    #[derive(Serialize)]
    struct Changes<'a> {
        events: Vec<Change<'a>>,
    }
    let events = events.iter().map(|(name, user_ids)| Change { name, user_ids }).collect();
    let mut data = Vec::with_capacity(128);
    json(&Changes { events }, &mut data);
    frame("pusher_internal:watchlist_events", None, &text(&data))
}

/// Are you there?
pub fn ping() -> Vec<u8> {
    frame("pusher:ping", None, "{}")
}

/// What a client said: its data as it came, and who said it where that is known.
fn whisper(entry: &Entry) -> Vec<u8> {
    let event = &entry.event;
    let mut out = open(event.name.as_str(), Some(event.channel.as_str()));
    match event.data.form {
        Form::Json | Form::Args => out.extend_from_slice(&event.data.bytes),
        Form::Text => json(&text(&event.data.bytes), &mut out),
    }
    if let Some(by) = &entry.by {
        out.extend_from_slice(br#","user_id":"#);
        json(&**by, &mut out);
    }
    out.push(b'}');
    out
}

/// One frame for each member of an entry.
fn changes(entry: &Entry, channel: &str, emit: Emit<'_>) {
    #[derive(Deserialize)]
    struct Told<'a> {
        id: String,
        #[serde(default, borrow)]
        data: Option<&'a RawValue>,
    }
    let Ok(members) = serde_json::from_slice::<Vec<Told<'_>>>(&entry.event.data.bytes) else { return };
    for member in members {
        let mut data = Vec::with_capacity(128);
        data.extend_from_slice(br#"{"user_id":"#);
        json(&member.id, &mut data);
        let name = if entry.kind == Kind::Joined {
            data.extend_from_slice(br#","user_info":"#);
            data.extend_from_slice(member.data.map_or("null", RawValue::get).as_bytes());
            "pusher_internal:member_added"
        } else {
            "pusher_internal:member_removed"
        };
        data.push(b'}');
        emit(&frame(name, Some(channel), &text(&data)));
    }
}

fn frame(event: &str, channel: Option<&str>, data: &str) -> Vec<u8> {
    let mut out = open(event, channel);
    out.reserve(data.len() + data.len() / 8 + 4);
    json(data, &mut out);
    out.push(b'}');
    out
}

fn open(event: &str, channel: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + event.len());
    out.extend_from_slice(br#"{"event":"#);
    json(event, &mut out);
    if let Some(channel) = channel {
        // A channel of a refusal may be anything, so it is escaped like all other texts.
        out.extend_from_slice(br#","channel":"#);
        json(channel, &mut out);
    }
    out.extend_from_slice(br#","data":"#);
    out
}

/// Data is text: the decoders that took it in have checked that.
fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

fn json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts and numbers always serialise into memory");
}

//! A notice becomes the JSON text of a frame.
//!
//! `cursor` is the last field of every frame that has one: all readers of an event share the bytes before
//! it ([`event_body`]), and each reader's own end follows ([`finish`]). A reply carries the `ref` of the
//! frame that it answers as its second field.
//!
//! The forms of data are rendered so: JSON as its very bytes, a text as one JSON string, several arguments
//! as one JSON array.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::reference::Reference;
use crate::ledger::members_of_refusal;
use deskbell_core::event::{Data, Entry, Form, Kind};
use deskbell_core::ids::ChannelName;
use deskbell_core::presence::Presence;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::Notice;

/// Writes the frame of a notice. An event is the same for everybody and carries no `ref`.
pub fn encode(notice: &Notice<'_>, reference: &Reference, out: &mut Vec<u8>) {
    match *notice {
        Notice::Welcome { session, resume, cursor, heartbeat_ms, resumed } => {
            open("welcome", reference, out);
            field("session", &session.to_string(), out);
            field("resume", resume, out);
            field("heartbeat_ms", &heartbeat_ms, out);
            field("resumed", &resumed, out);
            finish(cursor, out);
        }
        Notice::Subscribed { channel, recovered, cursor } => {
            open("subscribed", reference, out);
            name("channel", channel, out);
            field("recovered", &recovered, out);
            finish(cursor, out);
        }
        Notice::Event { entry, cursor } => {
            event_body(entry, out);
            finish(cursor, out);
        }
        Notice::Members { channel, members, cursor } => {
            open("presence", reference, out);
            name("channel", channel, out);
            roster(members, out);
            finish(cursor, out);
        }
        Notice::Reset { channel, reason, reload_in_ms, cursor } => {
            open("reset", reference, out);
            if let Some(channel) = channel {
                name("channel", channel, out);
            }
            field("reason", reason.as_str(), out);
            if let Some(ms) = reload_in_ms {
                field("reload_in_ms", &ms, out);
            }
            finish(cursor, out);
        }
        Notice::Published { id, cursor } => {
            open("ok", reference, out);
            field("id", id.as_str(), out);
            finish(cursor, out);
        }
        Notice::Ledger { members, cursor } => {
            open("ok", reference, out);
            splice(members, out);
            finish(cursor, out);
        }
        Notice::Error(refusal) => error(refusal, &Map::new(), reference, out),
        Notice::Refused(refused) => error(&refused.refusal, &members_of_refusal(refused), reference, out),
        Notice::Unsubscribed { .. } | Notice::Ok => bare("ok", reference, out),
        Notice::Pong => bare("pong", reference, out),
        Notice::Closing { reconnect_in_ms } => {
            open("closing", reference, out);
            field("reconnect_in_ms", &reconnect_in_ms, out);
            out.push(b'}');
        }
    }
}

/// Writes everything of an entry's frame that is the same for all readers; [`finish`] completes it.
///
/// How many subscriptions a channel has is nothing that this dialect shows, so such an entry has no frame.
pub fn event_body(entry: &Entry, out: &mut Vec<u8>) {
    let event = &entry.event;
    // Names and ids are short; one allocation holds the frame.
    out.reserve(event.data.bytes.len() + 512);
    let kind = match entry.kind {
        Kind::Message | Kind::Whisper => "event",
        Kind::Count => return,
        Kind::Joined => "joined",
        Kind::Updated => "updated",
        Kind::Left => "left",
    };
    open(kind, &Reference::none(), out);
    name("channel", &event.channel, out);
    if kind == "event" {
        field("name", event.name.as_str(), out);
        field("id", event.id.as_str(), out);
        if let Some(key) = &entry.key {
            field("key", key.as_str(), out);
        }
        out.extend_from_slice(br#","data":"#);
    } else {
        out.extend_from_slice(br#","members":"#);
    }
    event_data(&event.data, out);
}

/// Writes the end of a frame: where its reader stands now.
pub fn finish(cursor: &str, out: &mut Vec<u8>) {
    field("cursor", cursor, out);
    out.push(b'}');
}

fn error(refusal: &Refusal, members: &Map<String, Value>, reference: &Reference, out: &mut Vec<u8>) {
    open("error", reference, out);
    field("code", refusal.code.as_str(), out);
    field("message", &*refusal.message, out);
    for (label, value) in members {
        field(label, value, out);
    }
    out.push(b'}');
}

/// Puts the members of an object behind those of the frame.
fn splice(object: &str, out: &mut Vec<u8>) {
    let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    if !members.is_empty() {
        out.push(b',');
        out.extend_from_slice(members.as_bytes());
    }
}

fn bare(kind: &str, reference: &Reference, out: &mut Vec<u8>) {
    open(kind, reference, out);
    out.push(b'}');
}

fn roster(members: &Presence, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","members":["#);
    for (place, (id, member)) in members.members().enumerate() {
        out.extend_from_slice(if place == 0 { br#"{"id":"# } else { br#",{"id":"# });
        json(&**id, out);
        // A member who shows nothing has no `data`, here as in `joined`.
        if !member.data.is_empty() {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(&member.data);
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Writes an event's data as one JSON value.
pub fn event_data(data: &Data, out: &mut Vec<u8>) {
    match data.form {
        Form::Json | Form::Args => out.extend_from_slice(&data.bytes),
        Form::Text => json(&String::from_utf8_lossy(&data.bytes), out),
    }
}

fn open(kind: &str, reference: &Reference, out: &mut Vec<u8>) {
    write(out, format_args!(r#"{{"type":"{kind}""#));
    if let Some(reference) = reference.as_json() {
        write(out, format_args!(r#","ref":{reference}"#));
    }
}

/// A field whose value must be escaped; `label` is one of our own words.
fn field<T: Serialize + ?Sized>(label: &str, value: &T, out: &mut Vec<u8>) {
    write(out, format_args!(r#","{label}":"#));
    json(value, out);
}

/// The grammar of channel names has no character that JSON escapes.
fn name(label: &str, channel: &ChannelName, out: &mut Vec<u8>) {
    write(out, format_args!(r#","{label}":"{channel}""#));
}

fn json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts, numbers and truths always serialise into memory");
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into memory cannot fail");
}

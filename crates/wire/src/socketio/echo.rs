//! Laravel Echo's connector for Socket.IO: channels are asked for by events, and what happens in one is an event
//! with the channel as its first argument.
//!
//! Whoever subscribes again to what it has gets the same answer: older connectors do so after each reconnect, and
//! some of them do not do it when they should.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encode;
use super::packet::Args;
use super::prepared::Prepared;
use crate::native::fields::bad_field;
use deskbell_core::event::{Data, Entry, Form, Kind};
use deskbell_core::refusal::{Code, Refusal};

/// What a connector asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// To hear what happens in a channel.
    Subscribe {
        /// Its name, with `private-` or `presence-` before it.
        channel: Cow<'a, str>,
        /// The headers for the application's own check, as JSON.
        headers: Option<&'a str>,
    },
    /// To hear it no more.
    Unsubscribe {
        /// Its name.
        channel: Cow<'a, str>,
    },
    /// That others in the channel hear something of a client.
    Whisper {
        /// The channel's name.
        channel: Cow<'a, str>,
        /// What it is called; it begins with `client-`.
        event: Cow<'a, str>,
        /// What is said, as JSON.
        data: &'a str,
    },
}

/// Reads an event; `None` where it is none of a connector.
///
/// ```
/// use deskbell_wire::socketio::echo::{Asked, read};
/// use deskbell_wire::socketio::{Said, read as packet};
/// let message = r#"2["subscribe",{"channel":"orders","auth":{"headers":{}}}]"#;
/// let Said::Event { name, args, .. } = packet(message).unwrap().said else { panic!() };
/// assert_eq!(read(&name, args), Some(Ok(Asked::Subscribe { channel: "orders".into(), headers: Some("{}") })));
/// ```
pub fn read<'a>(name: &str, args: Args<'a>) -> Option<Result<Asked<'a>, Refusal>> {
    match name {
        "subscribe" => Some(Fields::of(args).and_then(subscribe)),
        "unsubscribe" => Some(Fields::of(args).and_then(unsubscribe)),
        "client event" => Some(Fields::of(args).and_then(whisper)),
        _ => None,
    }
}

fn subscribe(fields: Fields<'_>) -> Result<Asked<'_>, Refusal> {
    Ok(Asked::Subscribe { channel: fields.channel()?, headers: fields.headers() })
}

fn unsubscribe(fields: Fields<'_>) -> Result<Asked<'_>, Refusal> {
    Ok(Asked::Unsubscribe { channel: fields.channel()? })
}

fn whisper(fields: Fields<'_>) -> Result<Asked<'_>, Refusal> {
    let channel = fields.channel()?;
    let event = fields.event.ok_or_else(|| bad_field("event", "is missing; say what happened"))?;
    if !event.starts_with("client-") {
        // Otherwise a client could say what only the backend says.
        let sentence = "what a client says to others has a name that begins with client-";
        return Err(Refusal::new(Code::BadName, sentence));
    }
    Ok(Asked::Whisper { channel, event, data: fields.data.unwrap_or("null") })
}

/// What of the one argument is read. The rest of it is nothing to us.
#[derive(Default)]
struct Fields<'a> {
    channel: Option<Cow<'a, str>>,
    event: Option<Cow<'a, str>>,
    data: Option<&'a str>,
    auth: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(args: Args<'a>) -> Result<Self, Refusal> {
        let wrong = || bad_field("argument", "is one object with a `channel`");
        let mut fields = Self::default();
        let mut reader = serde_json::Deserializer::from_str(args.one().ok_or_else(wrong)?);
        reader.deserialize_map(&mut fields).map_err(|_| wrong())?;
        Ok(fields)
    }

    fn channel(&self) -> Result<Cow<'a, str>, Refusal> {
        self.channel.clone().ok_or_else(|| bad_field("channel", "is missing; name the channel"))
    }

    fn headers(&self) -> Option<&'a str> {
        #[derive(serde::Deserialize)]
        struct Auth<'a> {
            #[serde(borrow, default)]
            headers: Option<&'a RawValue>,
        }
        serde_json::from_str::<Auth<'a>>(self.auth?).ok()?.headers.map(RawValue::get)
    }
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = items.next_key()? {
            match &*key {
                "channel" => self.channel = Some(items.next_value::<Text<'de>>()?.0),
                "event" => self.event = Some(items.next_value::<Text<'de>>()?.0),
                "data" => self.data = Some(items.next_value::<&RawValue>()?.get()),
                "auth" => self.auth = Some(items.next_value::<&RawValue>()?.get()),
                _ => drop(items.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// An event of a channel for every connector that has subscribed to it; `None` where its name cannot be said.
/// With an `offset` it is for those that come back by it: a connector takes no notice of one argument more.
pub fn event(channel: &str, name: &str, data: &Data, offset: Option<&str>) -> Option<Prepared> {
    let mut args = format!("[{},", text(channel));
    match data.form {
        Form::Json | Form::Args => args.push_str(&String::from_utf8_lossy(&data.bytes)),
        Form::Text => args.push_str(&text(&String::from_utf8_lossy(&data.bytes))),
    }
    args.push(']');
    Prepared::event(super::packet::ROOT, name, &Data { form: Form::Args, bytes: args.into() }, offset)
}

/// Who came to a presence channel, or went: a frame for each member of the entry.
pub fn changes(entry: &Entry) -> Vec<Prepared> {
    #[derive(serde::Deserialize)]
    struct Told<'a> {
        id: String,
        #[serde(default, borrow)]
        data: Option<&'a RawValue>,
    }
    let channel = entry.event.channel.as_str();
    let members = serde_json::from_slice::<Vec<Told<'_>>>(&entry.event.data.bytes).unwrap_or_default();
    let frame = |told: Told<'_>| {
        let member = member(&told.id, told.data.map_or("null", RawValue::get));
        match entry.kind {
            Kind::Joined => Some(Prepared::write(128, |out| joining(channel, &member, out))),
            Kind::Left => Some(Prepared::write(128, |out| leaving(channel, &member, out))),
            _ => None,
        }
    };
    members.into_iter().filter_map(frame).collect()
}

/// Somebody as a connector knows it; `info` is JSON.
pub fn member(id: &str, info: &str) -> String {
    let info = if info.is_empty() { "null" } else { info };
    format!(r#"{{"user_id":{},"user_info":{info}}}"#, text(id))
}

/// Who is in a presence channel; `members` is a JSON array.
pub fn here(channel: &str, members: &str, out: &mut Vec<u8>) {
    said("presence:subscribed", channel, members, out);
}

/// Somebody has come; `member` is a JSON object.
pub fn joining(channel: &str, member: &str, out: &mut Vec<u8>) {
    said("presence:joining", channel, member, out);
}

/// Somebody has gone; `member` is a JSON object.
pub fn leaving(channel: &str, member: &str, out: &mut Vec<u8>) {
    said("presence:leaving", channel, member, out);
}

/// A channel that a client does not get, with the status that HTTP has for the reason.
pub fn refused(channel: &str, status: u16, out: &mut Vec<u8>) {
    said("subscription_error", channel, &status.to_string(), out);
}

fn said(name: &str, channel: &str, value: &str, out: &mut Vec<u8>) {
    let args = format!("[{},{value}]", text(channel));
    let data = Data { form: Form::Args, bytes: args.into() };
    let event = encode::Event { namespace: super::packet::ROOT, id: None, name, offset: None };
    encode::event(&event, &data, out);
}

fn text(value: &str) -> String {
    serde_json::to_string(value).expect("a text always serialises")
}

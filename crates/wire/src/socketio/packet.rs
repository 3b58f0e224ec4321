//! One message becomes a packet: `<type>[<attachments>-][<namespace>,][<ack id>][<json>]`.
//!
//! It is walked through byte by byte from the front; nothing is looked up, and nothing is kept but slices of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::Fault;
use crate::native::json;
use deskbell_core::limits;

/// The namespace that is never written.
pub const ROOT: &str = "/";

/// Names of events by which clients tell themselves something. From the other side they would be a lie.
pub const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest number that every client counts to.
pub const MOST_ID: u64 = (1 << 53) - 1;

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Of which namespace, without a query.
    pub namespace: &'a str,
    /// How many messages of bytes belong to it and follow.
    pub attachments: usize,
    /// What it says.
    pub said: Said<'a>,
}

/// What a packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<'a> {
    /// A client wants to come in, or a server lets it in.
    Connect {
        /// A JSON object.
        data: Option<&'a str>,
    },
    /// Somebody leaves the namespace.
    Disconnect,
    /// Something happened.
    Event {
        /// The number under which an answer is expected.
        id: Option<u64>,
        /// The event's name; a number as it is written.
        name: Cow<'a, str>,
        /// What is said of it.
        args: Args<'a>,
    },
    /// The answer to an event.
    Ack {
        /// Which one.
        id: u64,
        /// A JSON array.
        args: Args<'a>,
    },
    /// A server does not let the client in.
    ConnectError {
        /// A JSON object, or a text of old servers.
        data: &'a str,
    },
}

/// Arguments: JSON values with commas between them, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args<'a> {
    text: &'a str,
    count: usize,
}

impl<'a> Args<'a> {
    /// The values with commas between them.
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.count
    }

    /// The value, where there is exactly one.
    pub fn one(self) -> Option<&'a str> {
        (self.count == 1).then_some(self.text)
    }
}

/// Reads a message, without the type that Engine.IO puts before it. What a client may not say is still read: a
/// client of ours hears it.
///
/// ```
/// use deskbell_wire::socketio::{Said, read};
/// let packet = read(r#"2/desk,0["ring",{"room":7}]"#).unwrap();
/// assert_eq!(packet.namespace, "/desk");
/// let Said::Event { id, name, args } = packet.said else { panic!() };
/// assert_eq!((id, &*name, args.one()), (Some(0), "ring", Some(r#"{"room":7}"#)));
/// ```
pub fn read(message: &str) -> Result<Packet<'_>, Fault> {
    let mut rest = Rest(message);
    let kind = rest.kind()?;
    let attachments = if matches!(kind, b'5' | b'6') { rest.attachments()? } else { 0 };
    let namespace = rest.namespace()?;
    let id = rest.id()?;
    let Rest(data) = rest;
    if id.is_some() && matches!(kind, b'0' | b'1' | b'4') {
        return Err(Fault::Id);
    }
    let said = match kind {
        b'0' if data.is_empty() => Said::Connect { data: None },
        b'0' => Said::Connect { data: Some(object(data)?) },
        b'1' if data.is_empty() => Said::Disconnect,
        b'2' | b'5' => event(id, data)?,
        b'3' | b'6' => {
            let whole = list(data)?;
            let args = Args { text: whole.text, count: whole.count };
            Said::Ack { id: id.ok_or(Fault::NoId)?, args }
        }
        b'4' => Said::ConnectError { data: checked(data)? },
        _ => return Err(Fault::Data),
    };
    Ok(Packet { namespace, attachments, said })
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn kind(&mut self) -> Result<u8, Fault> {
        let kind = self.0.bytes().next().filter(|byte| (b'0'..=b'6').contains(byte)).ok_or(Fault::Type)?;
        self.0 = &self.0[1..];
        Ok(kind)
    }

    /// The digits that come next, as a number. One that is too large for any use reads as the largest.
    fn number(&mut self) -> Option<u64> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        (end > 0).then(|| digits.parse().unwrap_or(u64::MAX))
    }

    fn attachments(&mut self) -> Result<usize, Fault> {
        let count = self.number().ok_or(Fault::AttachmentCount)?;
        self.0 = self.0.strip_prefix('-').ok_or(Fault::AttachmentCount)?;
        let most = limits::ATTACHMENTS;
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or(Fault::TooManyAttachments)
    }

    /// The comma behind a namespace may be missing where the packet ends. Old clients put a query behind it.
    fn namespace(&mut self) -> Result<&'a str, Fault> {
        if !self.0.starts_with('/') {
            return Ok(ROOT);
        }
        let (written, rest) = self.0.split_once(',').unwrap_or((self.0, ""));
        self.0 = rest;
        let name = written.split_once('?').map_or(written, |(name, _)| name);
        if name.len() <= limits::NAMESPACE { Ok(name) } else { Err(Fault::Namespace) }
    }

    fn id(&mut self) -> Result<Option<u64>, Fault> {
        let id = self.number();
        if id.is_some_and(|id| id > MOST_ID) { Err(Fault::Id) } else { Ok(id) }
    }
}

fn checked(data: &str) -> Result<&str, Fault> {
    json::check("data", data).map(|()| data).map_err(|_| Fault::Data)
}

fn object(data: &str) -> Result<&str, Fault> {
    let data = checked(data)?.trim_matches(BLANK);
    if data.starts_with('{') { Ok(data) } else { Err(Fault::Data) }
}

fn event(id: Option<u64>, data: &str) -> Result<Said<'_>, Fault> {
    let whole = list(data)?;
    let first = whole.first.ok_or(Fault::Data)?;
    let name = match first.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Name<'_>>(first).map_err(|_| Fault::Data)?.0,
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(first),
        _ => return Err(Fault::Data),
    };
    if RESERVED.contains(&&*name) {
        return Err(Fault::ReservedName);
    }
    // Behind the name stands a comma, or nothing.
    let behind = whole.text[first.len()..].trim_start_matches(BLANK);
    let text = behind.strip_prefix(',').unwrap_or(behind).trim_matches(BLANK);
    Ok(Said::Event { id, name, args: Args { text, count: whole.count - 1 } })
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// What JSON knows as blanks.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// An array: what stands between its brackets, its first value, and how many it has.
struct List<'a> {
    text: &'a str,
    first: Option<&'a str>,
    count: usize,
}

fn list(data: &str) -> Result<List<'_>, Fault> {
    let data = checked(data)?.trim_matches(BLANK);
    let text = data.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(Fault::Data)?;
    let mut reader = serde_json::Deserializer::from_str(data);
    let (first, count) = reader.deserialize_seq(Count).map_err(|_| Fault::Data)?;
    Ok(List { text: text.trim_matches(BLANK), first: first.map(RawValue::get), count })
}

/// Counts the values of an array and keeps the first, without keeping the others.
struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = (Option<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let first: Option<&RawValue> = items.next_element()?;
        let mut count = usize::from(first.is_some());
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((first, count))
    }
}

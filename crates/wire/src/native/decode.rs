//! A client's frame becomes a command, or a refusal that says what was wrong with it.
//!
//! Unknown input is an error: an unknown type, an unknown field, a field that stands there twice. Opaque
//! data is kept byte for byte after [`json::check`] has found that everybody can read it.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::fields::{Fields, bad_field, shown};
use super::json;
use super::reference::Reference;
use crate::ledger::{self, Kind};
use crate::post::frames;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId, ReservationId, WaitId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Step;
use deskbell_core::vocabulary::{Command, Hello, Publish};

/// Bytes of a text that claims to be a cursor or a resume key. One that cannot be opened is answered by a
/// reset or a new session, not by an error, so that a client of another version or installation comes in;
/// beyond this it is no such text at all.
pub const SEALED_TEXT: usize = 4 * 1024;

/// A frame that is no command: why, and the `ref` to echo where it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub refusal: Refusal,
    /// What to echo.
    pub reference: Reference,
}

/// Reads one frame.
///
/// ```
/// use deskbell_core::vocabulary::Command;
/// let (command, reference) = deskbell_wire::native::decode(r#"{"type":"ping","ref":7}"#).unwrap();
/// assert_eq!(command, Command::Ping);
/// assert_eq!(reference.as_json(), Some("7"));
/// ```
pub fn decode(text: &str) -> Result<(Command, Reference), Rejected> {
    decode_within(text, limits::FRAME_IN)
}

/// Reads one frame of at most so many bytes.
pub fn decode_within(text: &str, most: usize) -> Result<(Command, Reference), Rejected> {
    if text.len() > most {
        let message = format!("a frame has at most {most} bytes; send less, or over HTTP");
        let refusal = Refusal::new(Code::TooLarge, message);
        return Err(Rejected { refusal, reference: Reference::none() });
    }
    let mut fields = Fields::of_frame();
    let read = fields.read(text);
    let reference = fields.take("ref").map_or_else(|| Ok(Reference::none()), Reference::read);
    let (reference, understood) = match reference {
        Ok(reference) => (reference, Ok(())),
        Err(refusal) => (Reference::none(), Err(refusal)),
    };
    match read.and(understood).and_then(|()| command(&mut fields)) {
        Ok(command) => Ok((command, reference)),
        Err(refusal) => Err(Rejected { refusal, reference }),
    }
}

type Read = fn(&mut Fields<'_>) -> Result<Command, Refusal>;

/// The types with their fields beside `type` and `ref`; those of inboxes and conversations stand with them.
const TYPES: [(&str, &[&str], Read); 20] = [
    ("hello", &["token", "resume", "cursor", "channels"], hello),
    ("authenticate", &["token"], authenticate),
    ("subscribe", &["channel", "since"], subscribe),
    ("unsubscribe", &["channel"], |fields| Ok(Command::Unsubscribe { channel: channel(fields)? })),
    ("publish", &["channel", "name", "data", "id", "key", "except"], publish),
    ("presence", &["channel"], |fields| Ok(Command::Members { channel: channel(fields)? })),
    ("enter", &["channel", "data"], enter),
    ("leave", &["channel"], |fields| Ok(Command::Leave { channel: channel(fields)? })),
    ("ping", &[], |_| Ok(Command::Ping)),
    ("hold", &["id", "claims", "any_of", "ttl_ms", "holder", "email", "meta", "replace"], |fields| {
        ledger(fields, |_| Ok(Kind::Hold))
    }),
    ("extend", &["id", "reservation", "fence", "ttl_ms"], |fields| {
        ledger(fields, |fields| reservation(fields).map(Kind::Extend))
    }),
    ("release", &["id", "reservation", "fence"], |fields| {
        ledger(fields, |fields| reservation(fields).map(Kind::Release))
    }),
    (
        "confirm",
        &["id", "reservation", "fence", "if_still_free", "external_ref", "email", "meta"],
        |fields| ledger(fields, |fields| reservation(fields).map(Kind::Confirm)),
    ),
    ("cancel", &["id", "reservation", "version"], |fields| {
        ledger(fields, |fields| reservation(fields).map(|id| Kind::Step(id, Step::Cancel)))
    }),
    ("join_waitlist", &["id", "claims", "any_of", "holder"], |fields| ledger(fields, |_| Ok(Kind::Join))),
    ("leave_waitlist", &["id", "wait"], |fields| ledger(fields, |fields| wait(fields).map(Kind::Leave))),
    ("accept_offer", &["id", "wait"], |fields| ledger(fields, |fields| wait(fields).map(Kind::Accept))),
    ("availability", &["resource", "from", "to", "duration", "step", "units"], |fields| {
        ledger::availability(fields).map(Command::Availability)
    }),
    ("select", &["resource", "start", "end"], |fields| ledger::slot(fields).map(Command::Select)),
    ("deselect", &["resource", "start", "end"], |fields| ledger::slot(fields).map(Command::Deselect)),
];

/// A frame that asks something of the ledger. `id` is its idempotency key, as it is a publish's.
fn ledger(
    fields: &mut Fields<'_>,
    kind: impl FnOnce(&mut Fields<'_>) -> Result<Kind, Refusal>,
) -> Result<Command, Refusal> {
    // The type has been taken out already; what is left is what was asked for.
    let key = parsed(fields, "id", EventId::parse)?;
    let kind = kind(fields)?;
    Ok(Command::Ledger(Box::new(ledger::plea(kind, fields, key)?)))
}

fn reservation(fields: &mut Fields<'_>) -> Result<ReservationId, Refusal> {
    need("reservation", parsed(fields, "reservation", ReservationId::parse)?)
}

fn wait(fields: &mut Fields<'_>) -> Result<WaitId, Refusal> {
    need("wait", parsed(fields, "wait", WaitId::parse)?)
}

fn command(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    let kind = need("type", fields.text("type")?)?;
    let mut all = TYPES.iter().chain(&frames::TYPES);
    let Some((kind, known, read)) = all.find(|(name, ..)| *name == kind) else {
        let names = TYPES.iter().chain(&frames::TYPES).map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
        let message = format!("there is no type `{}`; the types are {names}", shown(&kind));
        return Err(Refusal::new(Code::UnknownType, message));
    };
    fields.only(kind, known)?;
    read(fields)
}

fn hello(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    let mut channels: Vec<ChannelName> = Vec::new();
    for name in fields.texts("channels", limits::CHANNELS_PER_REQUEST)? {
        let channel = ChannelName::parse(&name)?;
        // A channel that is named twice is wanted once.
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    let token = token(fields)?;
    let resume = sealed(fields, "resume")?;
    let cursor = sealed(fields, "cursor")?;
    Ok(Command::Hello(Hello { token, resume, cursor, channels }))
}

fn authenticate(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    Ok(Command::Authenticate { token: need("token", token(fields)?)? })
}

fn subscribe(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    Ok(Command::Subscribe { channel: channel(fields)?, since: sealed(fields, "since")? })
}

fn publish(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    Ok(Command::Publish(Publish {
        channel: channel(fields)?,
        name: EventName::parse(&need("name", fields.text("name")?)?)?,
        data: Data::json(opaque("data", need("data", fields.take("data"))?)?),
        id: parsed(fields, "id", EventId::parse)?,
        key: parsed(fields, "key", Key::parse)?,
        except: parsed(fields, "except", PublicId::parse)?,
    }))
}

/// Without `data` the member shows nothing, which is not the same as showing `null`.
fn enter(fields: &mut Fields<'_>) -> Result<Command, Refusal> {
    let channel = channel(fields)?;
    let data = fields.take("data").map_or_else(|| Ok(Bytes::new()), |raw| opaque("data", raw))?;
    if data.len() > limits::PRESENCE_DATA {
        let message = format!(
            "a member's `data` has at most {} bytes; show less and publish the rest",
            limits::PRESENCE_DATA
        );
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok(Command::Enter { channel, data })
}

fn channel(fields: &mut Fields<'_>) -> Result<ChannelName, Refusal> {
    ChannelName::parse(&need("channel", fields.text("channel")?)?)
}

fn token(fields: &mut Fields<'_>) -> Result<Option<String>, Refusal> {
    let token = fields.text("token")?;
    if token.as_ref().is_some_and(|token| token.len() > limits::TOKEN) {
        let message = format!("`token` has at most {} bytes; put fewer claims into it", limits::TOKEN);
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok(token.map(Cow::into_owned))
}

fn sealed(fields: &mut Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let text = fields.text(name)?;
    if text.as_ref().is_some_and(|text| text.len() > SEALED_TEXT) {
        return Err(bad_field(name, "is far too long; send it as the server gave it, or leave it out"));
    }
    Ok(text.map(Cow::into_owned))
}

fn opaque(name: &str, raw: &RawValue) -> Result<Bytes, Refusal> {
    json::check(name, raw.get())?;
    Ok(Bytes::copy_from_slice(raw.get().as_bytes()))
}

fn parsed<T>(
    fields: &mut Fields<'_>,
    name: &str,
    parse: fn(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    // The grammar's sentence speaks of an id or key as such; the field must be named too.
    parse(&text).map(Some).map_err(|no| ledger::named(name, no))
}

fn need<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| bad_field(name, "is missing; the frame needs it"))
}

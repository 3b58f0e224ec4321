//! A page's message becomes what it asks.

use deskbell_core::ids::ChannelName;
use deskbell_core::refusal::{Code, Refusal};
use serde_json::value::RawValue;

use super::message::Message;
use super::session::SessionId;
use crate::loose::{self, Loose};
use crate::native::fields::bad_field;

/// Bytes of a value that is only echoed.
const ECHO: usize = 256;

/// Something that has a room: a building, a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its room.
    pub room: ChannelName,
    /// Its type, as JSON.
    pub kind: Box<str>,
    /// Its id as it was written, as JSON.
    pub id: Box<str>,
}

/// What a page asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// To tell everybody else something: a chat, or a message of a type that nobody knows here.
    TellOthers(Message),
    /// To tell everybody something, itself too.
    TellAll(Message),
    /// To be known as a user.
    UserInfo {
        /// The number that PHP makes of what it names.
        user: i64,
    },
    /// Its applications that are not finished.
    PartialApplications,
    /// To hear what becomes of an entity.
    Subscribe(Entity),
    /// To hear it no more.
    Unsubscribe(Entity),
    /// To tell a room something.
    TellRoom {
        /// Which.
        room: String,
        /// What.
        message: Message,
    },
    /// To tell the other tabs of its session something.
    TellTabs(Message),
    /// To tell an entity's room something.
    TellEntity {
        /// Which.
        entity: Entity,
        /// What.
        message: Message,
    },
    /// To be in a session.
    UpdateSession(SessionId),
    /// Are you there?
    Ping {
        /// What it calls its question, as JSON.
        id: Option<Box<str>>,
        /// Of which heartbeat it is, as JSON.
        heartbeat: Option<Box<str>>,
    },
    /// I am here.
    Pong,
}

const MEMBERS: &[&str] =
    &["type", "userId", "entityType", "entityId", "roomId", "sessionId", "id", "heartbeat_id"];

/// Reads a message. `None` where it is no JSON object: that harms nothing, and nobody is told.
///
/// ```
/// use deskbell_wire::portico::{Asked, decode};
/// assert_eq!(decode(r#"{"type":"get_partial_applications"}"#), Some(Ok(Asked::PartialApplications)));
/// assert_eq!(decode("hello"), None);
/// assert_eq!(decode("[1]"), None);
/// ```
pub fn decode(text: &str) -> Option<Result<Asked, Refusal>> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let fields = Loose::of(raw, MEMBERS).filter(|_| raw.get().starts_with('{'))?;
    Some(understand(&fields, raw.get()))
}

fn understand(fields: &Loose<'_>, text: &str) -> Result<Asked, Refusal> {
    let kind = fields.text("type").unwrap_or_default();
    Ok(match &*kind {
        "notification" => Asked::TellAll(Message::read(text)?),
        "update_user_info" if fields.raw("userId").is_some() => {
            Asked::UserInfo { user: fields.raw("userId").map_or(0, php_int) }
        }
        "get_partial_applications" => Asked::PartialApplications,
        "subscribe" => Asked::Subscribe(entity(fields)?),
        "unsubscribe" => Asked::Unsubscribe(entity(fields)?),
        "room_message" => {
            let room =
                fields.text("roomId").ok_or_else(|| bad_field("roomId", "is missing; name the room"))?;
            Asked::TellRoom { room: room.into_owned(), message: Message::read(text)? }
        }
        "session_message" => Asked::TellTabs(Message::read(text)?),
        "entity_event" => Asked::TellEntity { entity: entity(fields)?, message: Message::read(text)? },
        "update_session" => {
            Asked::UpdateSession(SessionId::parse(&fields.text("sessionId").unwrap_or_default())?)
        }
        "ping" => Asked::Ping { id: echo(fields.raw("id"))?, heartbeat: echo(fields.raw("heartbeat_id"))? },
        "pong" | "room_ping_response" => Asked::Pong,
        _ => Asked::TellOthers(Message::read(text)?),
    })
}

/// The room of an entity: `entity_building_10`.
pub fn entity_room(kind: &str, id: &str) -> Option<ChannelName> {
    let fits = !kind.is_empty() && !id.is_empty() && !kind.contains('_');
    fits.then(|| ChannelName::parse(&format!("entity_{kind}_{id}")).ok()).flatten()
}

fn entity(fields: &Loose<'_>) -> Result<Entity, Refusal> {
    let (kind, id) = (fields.raw("entityType"), fields.raw("entityId"));
    let room = kind.zip(id).and_then(|(kind, id)| entity_room(&scalar(kind)?, &scalar(id)?));
    let missing = || {
        let sentence = "an entity is named by `entityType`, a word without an underscore, and `entityId`, a number \
                        or a text out of A-Z a-z 0-9 _ - = @ , . ; : #";
        Refusal::new(Code::BadField, sentence)
    };
    let json = |raw: Option<&RawValue>| raw.map_or("null", RawValue::get).into();
    Ok(Entity { room: room.ok_or_else(missing)?, kind: json(kind), id: json(id) })
}

/// A text, or a whole number as one.
pub(super) fn scalar(raw: &RawValue) -> Option<String> {
    if raw.get().bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(raw.get().to_owned());
    }
    loose::text(raw).map(std::borrow::Cow::into_owned)
}

fn echo(raw: Option<&RawValue>) -> Result<Option<Box<str>>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.get().len() > ECHO {
        return Err(bad_field("id", "has at most 256 bytes; it is only echoed"));
    }
    crate::native::json::check("id", raw.get())?;
    Ok(Some(raw.get().into()))
}

/// The whole number that PHP makes of a value: that of its first digits, and 0 of what has none.
fn php_int(raw: &RawValue) -> i64 {
    if let Some(text) = loose::text(raw) {
        let text = text.trim_start();
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let digits: String = digits.chars().take_while(char::is_ascii_digit).take(18).collect();
        return sign * digits.parse::<i64>().unwrap_or(0);
    }
    match raw.get() {
        "true" => 1,
        // A list or an object that is not empty is 1 in PHP, which is nobody's number.
        other => other.parse::<f64>().map_or(0, |number| number as i64),
    }
}

//! What the site's PHP publishes on the three channels of Redis.
//!
//! | channel | who is told |
//! |---|---|
//! | `notifications` | everybody, or by `target` the room of an entity, of a session or of a user |
//! | `session_messages` | the room of a session |
//! | `room_messages` | the room that is named |
//!
//! What is for one user goes to that user's room. The first server told it to everybody.

use deskbell_core::ids::ChannelName;
use deskbell_core::refusal::{Code, Refusal};

use super::EVERYONE;
use super::asked::{entity_room, scalar};
use super::message::{Added, Message};
use super::session::SessionId;
use super::stamp::Stamp;
use crate::native::fields::bad_field;

/// A channel of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// `notifications`
    Notifications,
    /// `session_messages`
    Sessions,
    /// `room_messages`
    Rooms,
}

impl Topic {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Notifications, Self::Sessions, Self::Rooms];

    /// Its name in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Sessions => "session_messages",
            Self::Rooms => "room_messages",
        }
    }

    /// The one with this name.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str().as_bytes() == name)
    }
}

/// What was published.
#[derive(Debug, Clone, PartialEq)]
pub enum Published {
    /// Tell a channel this.
    Tell {
        /// Which.
        channel: ChannelName,
        /// What, whole.
        message: Message,
    },
    /// Look a session's applications up anew, and tell its room.
    LookUpApplications(SessionId),
}

/// Understands what was published.
pub fn read(topic: Topic, payload: &[u8], stamp: Stamp<'_>) -> Result<Published, Refusal> {
    let text = std::str::from_utf8(payload)
        .map_err(|_| Refusal::new(Code::BadMessage, "it is no text; publish one JSON object"))?;
    let message = Message::read(text)?;
    match topic {
        Topic::Notifications => notification(&message, stamp),
        Topic::Sessions => of_session(&message, stamp),
        Topic::Rooms => of_room(&message, stamp),
    }
}

fn notification(message: &Message, stamp: Stamp<'_>) -> Result<Published, Refusal> {
    match message.member("target").as_deref() {
        Some("entity") => {
            let room = named_entity(message)?;
            tell(&room, message, Added::default().text("roomId", &room).at(stamp))
        }
        Some("session") => {
            let room = session(message)?.room();
            let added = Added::default().at(stamp);
            // Pages take these as news of the whole site, and would look for a room's.
            let is_news = message.member("type").as_deref() == Some("server_message");
            let added = if is_news { added } else { added.text("roomId", &room) };
            tell(&room, message, added)
        }
        Some("user") => {
            let (kind, id) = (message.member("userType"), message.raw("identifier").and_then(scalar));
            let missing = || bad_field("identifier", "and `userType` name the user; publish both");
            let (kind, id) = kind.zip(id).ok_or_else(missing)?;
            let room = format!("user_{kind}_{id}");
            tell(&room, message, Added::default().text("roomId", &room).at(stamp))
        }
        _ => {
            let added = Added::default().text("source", "redis").text("received_at", &stamp.text());
            tell(EVERYONE, message, added.at(stamp))
        }
    }
}

fn of_session(message: &Message, stamp: Stamp<'_>) -> Result<Published, Refusal> {
    let id = session(message)?;
    let room = id.room();
    match message.member("type").as_deref() {
        Some("update_partial_applications") => Ok(Published::LookUpApplications(id)),
        Some("refresh_bookinguser") => {
            let word = |name, usual: &str| message.member(name).unwrap_or_else(|| usual.to_owned());
            let news = Message::read(r#"{"type":"refresh_bookinguser"}"#)?;
            let added = Added::default()
                .text("message", &word("message", "User data has been updated"))
                .text("action", &word("action", "refresh"));
            tell(&room, &news, added.at(stamp))
        }
        Some("session_targeted") => {
            let data = message.raw("data").map(|raw| Message::read(raw.get())).transpose()?;
            let missing =
                || bad_field("data", "is an object with `type` and `action`; publish what is to be told");
            let data = data.filter(|data| data.member("type").is_some()).ok_or_else(missing)?;
            tell(&room, &data, Added::default().text("roomId", &room).at(stamp))
        }
        _ => {
            let rule = "is `session_targeted`, `update_partial_applications` or `refresh_bookinguser`";
            Err(bad_field("type", rule))
        }
    }
}

fn of_room(message: &Message, stamp: Stamp<'_>) -> Result<Published, Refusal> {
    let room = message.member("roomId").map_or_else(|| named_entity(message), Ok)?;
    tell(&room, message, Added::default().at(stamp))
}

fn tell(room: &str, message: &Message, added: Added<'_>) -> Result<Published, Refusal> {
    let message = Message::read(&message.with(&added))?;
    Ok(Published::Tell { channel: ChannelName::parse(room)?, message })
}

fn session(message: &Message) -> Result<SessionId, Refusal> {
    let missing = || bad_field("sessionId", "is missing; publish whose session is told");
    SessionId::parse(&message.member("sessionId").ok_or_else(missing)?)
}

fn named_entity(message: &Message) -> Result<String, Refusal> {
    let room = message.member("entityType").zip(message.raw("entityId").and_then(scalar));
    let room = room.and_then(|(kind, id)| entity_room(&kind, &id));
    let missing = || bad_field("entityId", "and `entityType` name the entity; publish both");
    room.map(|room| room.to_string()).ok_or_else(missing)
}

/// What a spooled file for everybody says: its message, and no word of where it came from.
pub(super) fn spooled_for_all(message: &Message, stamp: Stamp<'_>) -> Result<Published, Refusal> {
    tell(EVERYONE, message, Added::default().at(stamp))
}

/// What a spooled file for a session says.
pub(super) fn spooled_for(id: &SessionId, message: &Message, stamp: Stamp<'_>) -> Result<Published, Refusal> {
    let room = id.room();
    tell(&room, message, Added::default().text("roomId", &room).at(stamp))
}

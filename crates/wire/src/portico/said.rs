//! What is said to a page.

use deskbell_core::refusal::{Code, Refusal};

use super::asked::Entity;
use super::session::{Change, SessionId};
use super::stamp::Stamp;
use crate::object::Object;

/// Host names, which are nobody's business: every client accepts that there are none.
const ENVIRONMENT: &str = r#"{"NEXTJS_HOST":null,"SLIM_HOST":null,"REDIS_HOST":null,"websocket_host":null}"#;

/// A room as its members see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub id: String,
    /// How many are in it.
    pub size: usize,
}

impl Room {
    fn kind(&self) -> &'static str {
        if self.id.starts_with("session_") { "session" } else { "entity" }
    }

    fn json(&self) -> String {
        Object::new().text("id", &self.id).number("size", self.size).text("type", self.kind()).end()
    }
}

fn rooms(rooms: &[Room]) -> String {
    format!("[{}]", rooms.iter().map(Room::json).collect::<Vec<_>>().join(","))
}

fn end(object: Object, stamp: Stamp<'_>) -> String {
    object.text("timestamp", &stamp.text()).end()
}

/// Say which session you are in: to a client with cookies among which none is a session's.
pub fn session_id_required(stamp: Stamp<'_>) -> String {
    let object = Object::of_type("session_id_required")
        .text("message", "Please provide your session ID via an update_session message")
        .text("code", "NO_SESSION");
    end(object, stamp)
}

/// You are in your session's room.
pub fn session_room_joined(room: &Room, stamp: Stamp<'_>) -> String {
    let object = Object::of_type("room_joined")
        .text("roomId", &room.id)
        .text("roomType", "session")
        .text("message", "You have been added to a session room")
        .number("roomSize", room.size);
    end(object, stamp)
}

/// You are connected, with a session.
pub fn connection_success(room: &Room, all: &[Room], stamp: Stamp<'_>) -> String {
    Object::of_type("connection_success")
        .text("message", "Successfully connected to WebSocket server")
        .text("roomId", &room.id)
        .text("timestamp", &stamp.text())
        .raw("rooms", &rooms(all))
        .raw("environment", ENVIRONMENT)
        .end()
}

/// You are known as this user, or you are not.
pub fn user_info(user: i64, outcome: Result<(), &Refusal>, stamp: Stamp<'_>) -> String {
    let message = match outcome {
        Ok(()) => "User information updated successfully",
        Err(refusal) => &refusal.message,
    };
    let object = Object::of_type("user_info_update_confirmation")
        .flag("success", outcome.is_ok())
        .text("message", message)
        .number("userId", user);
    end(object, stamp)
}

/// You are in an entity's room.
pub fn entity_room_joined(entity: &Entity, size: usize, stamp: Stamp<'_>) -> String {
    let object = Object::of_type("room_joined")
        .text("roomId", entity.room.as_str())
        .text("roomType", "entity")
        .raw("entityType", &entity.kind)
        .raw("entityId", &entity.id)
        .text("message", "You have been added to an entity room")
        .number("roomSize", size);
    end(object, stamp)
}

/// You hear of the entity now.
pub fn subscribed(entity: &Entity, stamp: Stamp<'_>) -> String {
    subscription(entity, "subscribed", stamp)
}

/// You hear of it no more.
pub fn unsubscribed(entity: &Entity, stamp: Stamp<'_>) -> String {
    subscription(entity, "unsubscribed", stamp)
}

fn subscription(entity: &Entity, status: &str, stamp: Stamp<'_>) -> String {
    let object = Object::of_type("subscription_confirmation")
        .raw("entityType", &entity.kind)
        .raw("entityId", &entity.id)
        .text("status", status);
    end(object, stamp)
}

/// What became of a session's id that a page named, and whether it was asked for one before.
pub fn session_updated(
    id: &SessionId,
    change: Change,
    was_required: bool,
    all: &[Room],
    stamp: Stamp<'_>,
) -> String {
    Object::of_type("session_update_confirmation")
        .flag("success", true)
        .text("message", change.message())
        .text("action", change.action())
        .flag("wasRequired", was_required)
        .text("sessionId", &id.short())
        .text("timestamp", &stamp.text())
        .raw("rooms", &rooms(all))
        .raw("environment", ENVIRONMENT)
        .end()
}

/// I am here. `random` makes an id that is not used again soon.
pub fn pong(id: Option<&str>, heartbeat: Option<&str>, random: u64, stamp: Stamp<'_>) -> String {
    Object::of_type("pong")
        .text("timestamp", &stamp.text())
        .text("id", &unique("pong", random))
        .raw("reply_to", id.unwrap_or("null"))
        .raw("heartbeat_id", heartbeat.unwrap_or("null"))
        .end()
}

/// Are you there?
pub fn server_ping(random: u64, stamp: Stamp<'_>) -> String {
    let object = Object::of_type("server_ping").text("timestamp", &stamp.text());
    object.text("id", &unique("ping", random)).end()
}

/// Are you still in this room?
pub fn room_ping(room: &str, stamp: Stamp<'_>) -> String {
    end(Object::of_type("room_ping").text("roomId", room), stamp)
}

/// Come back on another connection: this one ends.
pub fn reconnect_required(stamp: Stamp<'_>) -> String {
    end(Object::of_type("reconnect_required").text("message", "The server restarts; please reconnect"), stamp)
}

/// Why a message is not passed on, in the words that this dialect has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Whoever says something in a room is in it.
    NotInRoom,
    /// Pages do not tell each other anything here.
    NoRelays,
    /// No id of a session.
    BadSession,
}

impl Why {
    const fn code(self) -> &'static str {
        match self {
            Self::NotInRoom => "ROOM_ACCESS_DENIED",
            Self::NoRelays => "RELAY_DISABLED",
            Self::BadSession => "INVALID_SESSION_ID",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::NotInRoom => "Not authorized to send to this room",
            Self::NoRelays => "Messages from browsers are not passed on here; send from the backend",
            Self::BadSession => "Invalid session ID provided",
        }
    }
}

/// No.
pub fn no(why: Why, stamp: Stamp<'_>) -> String {
    end(Object::of_type("error").text("message", why.message()).text("code", why.code()), stamp)
}

/// No, for a reason that only we have.
pub fn error(refusal: &Refusal, stamp: Stamp<'_>) -> String {
    let code = match refusal.code {
        Code::Denied | Code::NotSubscribed => Why::NotInRoom.code().to_owned(),
        Code::BadField if refusal.message == Why::BadSession.message() => Why::BadSession.code().to_owned(),
        code => code.as_str().to_ascii_uppercase(),
    };
    end(Object::of_type("error").text("message", &refusal.message).text("code", &code), stamp)
}

/// An id as PHP's `uniqid` makes one.
fn unique(what: &str, random: u64) -> String {
    format!("{what}_{:013x}", random & 0xf_ffff_ffff_ffff)
}

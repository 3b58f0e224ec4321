//! Bodies of the few routes: `/health`, `/wss/health`, `/wss-publish`.

use super::message::{Added, Message};
use super::stamp::Stamp;
use crate::object::Object;

/// The answer to `/health` and `/wss/health`.
pub fn health(clients: usize, stamp: Stamp<'_>) -> String {
    let object = Object::new().text("status", "ok").number("clients", clients);
    object.text("timestamp", &stamp.text()).end()
}

/// Reads the body of `/wss-publish`: a message for everybody. `None` where it is none.
pub fn publish(body: &str, stamp: Stamp<'_>) -> Option<Message> {
    let message = Message::read(body).ok()?;
    Message::read(&message.with(&Added::default().at(stamp))).ok()
}

/// It was taken.
pub fn published() -> String {
    Object::new().flag("success", true).text("message", "Message broadcasted successfully").end()
}

/// It is none.
pub fn invalid() -> String {
    failed("Invalid JSON")
}

/// It was not taken.
pub fn failed(why: &str) -> String {
    Object::new().flag("success", false).text("error", why).end()
}

/// The answer to everything else, as text.
pub const NOT_FOUND: &str = "Not found";

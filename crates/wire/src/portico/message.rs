//! Messages that are passed on: an object's members as they came, without what a sender may not say of itself, and
//! with what the server adds.

use deskbell_core::event::{Entry, Form, Kind};
use deskbell_core::ids::{EventId, EventName};
use deskbell_core::refusal::{Code, Refusal};
use serde_json::value::RawValue;

use super::session::Session;
use super::stamp::Stamp;
use crate::loose;
use crate::native::json;
use crate::object::Object;

/// A message: one JSON object.
#[derive(Debug, Clone)]
pub struct Message {
    text: Box<RawValue>,
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.text.get() == other.text.get()
    }
}

/// What is added to a message. A member that is added takes the place of one of its name.
#[derive(Debug, Clone, Default)]
pub struct Added<'a> {
    members: Vec<(&'static str, String)>,
    dropped: Vec<&'static str>,
    stamp: Option<Stamp<'a>>,
}

impl<'a> Added<'a> {
    /// A text.
    #[must_use]
    pub fn text(self, name: &'static str, value: &str) -> Self {
        self.raw(name, crate::object::quoted(value))
    }

    /// JSON.
    #[must_use]
    pub fn raw(mut self, name: &'static str, json: String) -> Self {
        self.members.push((name, json));
        self
    }

    /// The time, where the message has none.
    #[must_use]
    pub fn at(mut self, stamp: Stamp<'a>) -> Self {
        self.stamp = Some(stamp);
        self
    }

    /// Who sent it: its session's kind, and nothing that it says of that itself.
    #[must_use]
    pub fn from(mut self, session: Option<&Session>) -> Self {
        self.dropped.push("sessionContext");
        match session {
            Some(session) => self.raw("sessionContext", session.context()),
            None => self,
        }
    }
}

impl Message {
    /// Reads a message that others may be shown.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let no_object =
            || Refusal::new(Code::BadMessage, "a message is one JSON object with a `type`; send that");
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(|_| no_object())?;
        if !raw.get().starts_with('{') {
            return Err(no_object());
        }
        json::check("message", raw.get())?;
        Ok(Self { text: raw })
    }

    /// As it came.
    pub fn text(&self) -> &str {
        self.text.get()
    }

    /// A member as it came.
    pub fn raw(&self, name: &str) -> Option<&RawValue> {
        let mut found = None;
        loose::members(&self.text, &mut |own, value| {
            if own == name {
                found = Some(value);
            }
        });
        found.filter(|raw| raw.get() != "null")
    }

    /// A member that is a text.
    pub fn member(&self, name: &str) -> Option<String> {
        self.raw(name).and_then(loose::text).map(std::borrow::Cow::into_owned)
    }

    /// The id that the PHP helper of `integrations/portico` gives a message, the same by each of its ways. Another `id`
    /// may be that of a booking, and comes again with other words.
    pub fn sent_as(&self) -> Option<EventId> {
        let id = self.member("id")?;
        let digits = id.strip_prefix("php_")?;
        let fits = digits.len() == 24 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| EventId::parse(&id).ok()).flatten()
    }

    /// What an event of it is called in the log: its type, where that is a name.
    pub fn name(&self) -> EventName {
        let of_type = self.member("type").and_then(|kind| EventName::parse(&kind).ok());
        of_type.unwrap_or_else(|| EventName::parse("message").expect("it is a name"))
    }

    /// The message with what is added.
    pub fn with(&self, added: &Added<'_>) -> String {
        let mut object = Some(Object::new());
        let mut has_time = false;
        loose::members(&self.text, &mut |name, value| {
            has_time |= name == "timestamp" && value.get() != "null";
            let replaced = added.members.iter().any(|(own, _)| *own == name);
            let gone = added.dropped.contains(&name) || (name == "timestamp" && value.get() == "null");
            if !replaced && !gone {
                object = object.take().map(|object| object.raw(name, value.get()));
            }
        });
        for (name, json) in &added.members {
            object = object.take().map(|object| object.raw(name, json));
        }
        if let Some(stamp) = added.stamp.filter(|_| !has_time) {
            object = object.take().map(|object| object.text("timestamp", &stamp.text()));
        }
        object.unwrap_or_else(Object::new).end()
    }
}

/// The frame of an event: a message of this dialect as it is, anything else as one. Its `id` is there in case that it
/// comes twice.
pub fn event(entry: &Entry, stamp: Stamp<'_>) -> Option<String> {
    if entry.kind != Kind::Message {
        return None;
    }
    let event = &entry.event;
    let data = String::from_utf8_lossy(&event.data.bytes);
    if event.data.form == Form::Json
        && let Ok(message) = Message::read(&data)
        && message.member("type").is_some()
    {
        let added = Added::default().at(stamp);
        let added = if message.raw("id").is_none() { added.text("id", event.id.as_str()) } else { added };
        return Some(message.with(&added));
    }
    let channel = event.channel.as_str();
    let frame = Object::of_type(event.name.as_str());
    let frame = if channel == super::EVERYONE { frame } else { frame.text("roomId", channel) };
    let frame = match event.data.form {
        Form::Json | Form::Args => frame.raw("data", &data),
        Form::Text => frame.text("data", &data),
    };
    Some(frame.text("timestamp", &stamp.text()).text("id", event.id.as_str()).end())
}

/// What a room shows of a log channel behind it: an object of the projection's name and members, in that room.
pub fn projected(name: &str, room: &str, data: &[u8], entry: &Entry, stamp: Stamp<'_>) -> Option<String> {
    let message = Message::read(std::str::from_utf8(data).ok()?).ok()?;
    let added = Added::default().text("type", name).text("roomId", room).at(stamp);
    Some(message.with(&added.text("id", entry.event.id.as_str())))
}

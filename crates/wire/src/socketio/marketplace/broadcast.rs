//! `POST /api/socket`: what a backend wants clients to hear.
//!
//! The body has had two forms. In both an event is told to some users, to everybody with a role, or, where nobody
//! is named, to everybody; whether that last is allowed is decided elsewhere.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::native::fields::{Fields, bad_field};
use crate::native::json;
use deskbell_core::ids::UserId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::projection::iso;
use deskbell_core::refusal::{Code, Refusal};

/// Whom a backend wants to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// Everybody who is connected, known or not.
    Everyone,
    /// These users. An id is that of exactly one user.
    Users(Vec<UserId>),
    /// Everybody with this role.
    Role(String),
}

/// What happened, in the application's kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something about a booking.
    Booking,
    /// Something about a payment.
    Payment,
    /// Something about a payout.
    Payout,
    /// A notification.
    Notification,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Booking, Self::Payment, Self::Payout, Self::Notification];

    /// The word for it in the data.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::Payout => "payout",
            Self::Notification => "notification",
        }
    }

    /// The event under which clients hear of it.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Booking => "booking_update",
            Self::Payment => "payment_update",
            Self::Payout => "payout_update",
            Self::Notification => "notification",
        }
    }
}

/// A body that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// Whom to tell.
    pub to: To,
    /// What it is. `None` is a kind that no client knows: the backend hears that all is well, and nobody else
    /// hears anything.
    pub kind: Option<Kind>,
    /// What is told, without its end: the time at which the server took it in.
    data: String,
    /// The older form's word for what happened, which its answer repeats.
    word: Option<String>,
}

impl Broadcast {
    /// The data of the event, taken in at this moment.
    pub fn data(&self, at: Millis) -> String {
        format!(r#"{}"timestamp":"{}"}}"#, self.data, iso(at).unwrap_or_default())
    }

    /// The answer to the backend. The older form also counts the users that are connected.
    pub fn answer(&self, users: usize) -> String {
        match &self.word {
            None => r#"{"success":true,"message":"Event broadcasted successfully"}"#.to_owned(),
            Some(word) => {
                let message = text(&format!("Broadcasted {word} event"));
                format!(r#"{{"success":true,"message":{message},"connectedUsers":{users}}}"#)
            }
        }
    }
}

/// The answer to a body that was refused: what this application's clients look for, and why.
pub fn failed(refusal: &Refusal) -> String {
    let (code, message) = (refusal.code.as_str(), text(&refusal.message));
    format!(r#"{{"success":false,"error":"Broadcast failed","code":"{code}","message":{message}}}"#)
}

/// The answer to `GET /api/socket`. Users are counted once, however many tabs they have.
pub fn status(users: usize, connections: usize, at: Millis) -> String {
    format!(
        r#"{{"success":true,"status":"active","connectedUsers":{users},"connections":{connections},"message":"Socket.IO server is running","timestamp":"{}"}}"#,
        iso(at).unwrap_or_default()
    )
}

/// Reads a body.
pub fn read(body: &str) -> Result<Broadcast, Refusal> {
    let mut fields = Fields::of_body();
    fields.read(body)?;
    match (fields.present("event"), fields.text("action")?) {
        (Some(event), _) => current(event, fields),
        (None, Some(action)) => older(&action, &mut fields),
        (None, None) => Err(bad_field("event", "is missing; send an object with `type` and `action`")),
    }
}

/// `{"event":{"type","action"},"data":{…},"targetUsers":[…]}`
fn current(event: &RawValue, mut fields: Fields<'_>) -> Result<Broadcast, Refusal> {
    let mut parts = Fields::of_object(event, "event", &["type", "action"])?;
    let (word, action) = (parts.text("type")?, parts.text("action")?);
    let word = word.ok_or_else(|| bad_field("event", "says in `type` what it is about; add it"))?;
    let action = action.unwrap_or_default();
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    let to = to(&mut fields)?;
    let data = fields.take("data").map_or(Ok("{}"), |raw| opaque(raw.get()))?;
    let data = match kind {
        Some(Kind::Notification) => notification(&text(&action), data)?,
        _ => opening(&word, &action, data),
    };
    Ok(Broadcast { to, kind, data, word: None })
}

/// `{"action":"booking_created","data":{…,"targetUsers":[…]}}`
fn older(action: &str, fields: &mut Fields<'_>) -> Result<Broadcast, Refusal> {
    let (kind, what) = match action {
        "booking_created" => (Some(Kind::Booking), "created"),
        "booking_accepted" => (Some(Kind::Booking), "accepted"),
        "booking_rejected" => (Some(Kind::Booking), "rejected"),
        "payment_status_changed" => (Some(Kind::Payment), "status_changed"),
        "payout_status_changed" => (Some(Kind::Payout), "status_changed"),
        "notification" => (Some(Kind::Notification), "new_notification"),
        _ => (None, action),
    };
    let data = fields.take("data").map_or(Ok("{}"), |raw| opaque(raw.get()))?;
    let Members { rest, targets, kind_of } = Members::of(data)?;
    // Whom to tell stands in the data; those who are told do not see who else is.
    let to = match targets {
        Some(targets) => users(targets)?,
        None => to(fields)?,
    };
    let data = match kind {
        Some(Kind::Notification) => notification(kind_of.map_or(r#""info""#, RawValue::get), &rest)?,
        Some(kind) => opening(kind.as_str(), what, &rest),
        None => opening(what, what, &rest),
    };
    Ok(Broadcast { to, kind, data, word: Some(action.chars().take(100).collect()) })
}

fn to(fields: &mut Fields<'_>) -> Result<To, Refusal> {
    if let Some(role) = fields.text("targetRole")?.or(fields.text("broadcastToRole")?) {
        return Ok(To::Role(role.into_owned()));
    }
    fields.present("targetUsers").map_or(Ok(To::Everyone), users)
}

fn users(list: &RawValue) -> Result<To, Refusal> {
    let ids: Vec<UserId> = serde_json::from_str(list.get())
        .map_err(|_| bad_field("targetUsers", "is a list of user ids as texts"))?;
    if ids.len() > limits::NOTIFIED {
        let sentence = "`targetUsers` has at most 1000 ids; tell the others in another request";
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    Ok(if ids.is_empty() { To::Everyone } else { To::Users(ids) })
}

fn opaque(text: &str) -> Result<&str, Refusal> {
    json::check("data", text).map(|()| text)
}

fn opening(kind: &str, action: &str, data: &str) -> String {
    format!(r#"{{"type":{},"action":{},"data":{data},"#, text(kind), text(action))
}

/// Of a notification's data clients get the title and the message, and what kind it is; `kind` is JSON.
fn notification(kind: &str, data: &str) -> Result<String, Refusal> {
    #[derive(serde::Deserialize)]
    struct Shown<'a> {
        #[serde(borrow, default)]
        title: Option<&'a RawValue>,
        #[serde(borrow, default)]
        message: Option<&'a RawValue>,
    }
    let wrong = || bad_field("data", "is an object with `title` and `message`");
    if !data.starts_with('{') {
        return Err(wrong());
    }
    let shown: Shown<'_> = serde_json::from_str(data).map_err(|_| wrong())?;
    let mut out = format!(r#"{{"type":"notification","action":"new_notification","data":{{"type":{kind}"#);
    for (name, value) in [("title", shown.title), ("message", shown.message)] {
        if let Some(value) = value {
            out.push_str(&format!(r#","{name}":{}"#, value.get()));
        }
    }
    out.push_str("},");
    Ok(out)
}

/// The members of the older form's data: those of ours, and the others as they came.
struct Members<'a> {
    rest: String,
    targets: Option<&'a RawValue>,
    kind_of: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn of(data: &'a str) -> Result<Self, Refusal> {
        let mut members = Self { rest: "{".to_owned(), targets: None, kind_of: None };
        let mut reader = serde_json::Deserializer::from_str(data);
        reader
            .deserialize_map(&mut members)
            .map_err(|_| bad_field("data", "is an object; put what happened into it"))?;
        members.rest.push('}');
        Ok(members)
    }
}

impl<'de> Visitor<'de> for &mut Members<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(key) = items.next_key::<std::borrow::Cow<'de, str>>()? {
            let value: &RawValue = items.next_value()?;
            if key == "targetUsers" {
                self.targets = Some(value);
                continue;
            }
            if key == "type" {
                self.kind_of = Some(value);
            }
            let comma = if self.rest.len() > 1 { "," } else { "" };
            self.rest.push_str(&format!("{comma}{}:{}", text(&key), value.get()));
        }
        Ok(())
    }
}

fn text(value: &str) -> String {
    serde_json::to_string(value).expect("a text always serialises")
}

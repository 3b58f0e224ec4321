//! A page's message becomes what it asks.

use std::borrow::Cow;

use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::Refusal;
use deskbell_core::slotted::Then;
use serde_json::value::RawValue;

use super::slot::{Day, Slot};
use crate::loose::{self, Loose};
use crate::native::fields::{bad_field, shown};

/// Bytes of a value that is only echoed: a step, an appointment's id.
const ECHO: usize = 256;

/// What a page asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// To be told of a person's appointments: of whoever the connection is, or of somebody it names.
    Subscribe {
        /// Whom it names.
        email: Option<String>,
    },
    /// Where the customer is in the form.
    Session {
        /// The step, as JSON.
        step: Option<Box<str>>,
    },
    /// To have a slot for a while.
    Lock(Slot),
    /// To have it no more.
    Unlock {
        /// Which.
        slot: Slot,
        /// Whether the booking is on its way.
        then: Then,
    },
    /// To be seen as looking at a slot.
    Select(Slot),
    /// To be seen so no more.
    Deselect(Slot),
    /// To be told what becomes of a slot. It gets no answer.
    Watch(Slot),
    /// To be told no more.
    Unwatch(Slot),
    /// Which times of a date cannot be had.
    Availability(Day),
    /// Are you there?
    Ping {
        /// The page's own time.
        sent: Option<f64>,
    },
    /// Who is there and what do they look at?
    Debug,
    /// A person's appointments, and to be told of changes.
    WatchAppointments {
        /// Whom it names.
        email: Option<String>,
    },
    /// To be told no more.
    UnwatchAppointments,
    /// Something became of an appointment, says the page. Only a backend's word counts.
    Told {
        /// The message's type.
        event: &'static str,
        /// The appointment's id, as JSON.
        appointment: Option<Box<str>>,
    },
    /// Nothing that is known under this name.
    Unknown(String),
}

/// Every member that some message has.
const MEMBERS: &[&str] = &[
    "type",
    "email",
    "step",
    "date",
    "time",
    "employeeId",
    "employee_id",
    "completed",
    "timestamp",
    "appointmentId",
    "appointment_id",
];

/// Reads a message. `None` where it is no JSON, which gets no answer; a refusal is answered once.
///
/// ```
/// use deskbell_wire::appointease::{Asked, decode};
/// assert_eq!(decode(r#"{"type":"get_debug"}"#), Some(Ok(Asked::Debug)));
/// assert_eq!(decode("{}"), Some(Ok(Asked::Unknown("undefined".to_owned()))));
/// assert_eq!(decode("invalid json"), None);
/// ```
pub fn decode(text: &str) -> Option<Result<Asked, Refusal>> {
    let fields = Loose::read(text, MEMBERS)?;
    Some(understand(&fields))
}

fn understand(fields: &Loose<'_>) -> Result<Asked, Refusal> {
    let Some(kind) = fields.text("type") else { return Ok(unknown(fields)) };
    Ok(match &*kind {
        "subscribe" => Asked::Subscribe { email: email(fields)? },
        "booking_session" => Asked::Session { step: echo(fields.raw("step"), "step")? },
        "lock_slot" => Asked::Lock(Slot::read(fields)?),
        "unlock_slot" => {
            let then = if fields.is_truthy("completed") { Then::Completed } else { Then::LetGo };
            Asked::Unlock { slot: Slot::read(fields)?, then }
        }
        "selecting_slot" => Asked::Select(Slot::read(fields)?),
        "deselect_slot" => Asked::Deselect(Slot::read(fields)?),
        // A page begins to watch before a time is chosen. That was an unknown message, and is answered as one.
        "watch_slot" | "unwatch_slot" if !is_whole(fields) => unknown(fields),
        "watch_slot" => Asked::Watch(Slot::read(fields)?),
        "unwatch_slot" => Asked::Unwatch(Slot::read(fields)?),
        "check_availability" => Asked::Availability(Day::read(fields)?),
        "ping" => Asked::Ping { sent: fields.raw("timestamp").and_then(number) },
        "get_debug" => Asked::Debug,
        "watch_appointments" => Asked::WatchAppointments { email: email(fields)? },
        "unwatch_appointments" => Asked::UnwatchAppointments,
        "appointment_updated" => told("appointment_updated", fields)?,
        "appointment_cancelled" => told("appointment_cancelled", fields)?,
        _ => unknown(fields),
    })
}

fn is_whole(fields: &Loose<'_>) -> bool {
    let employee = fields.either("employeeId", "employee_id");
    fields.is_truthy("date") && fields.is_truthy("time") && employee.is_some_and(loose::is_truthy)
}

fn unknown(fields: &Loose<'_>) -> Asked {
    let kind = match fields.raw("type") {
        None => Cow::Borrowed("undefined"),
        Some(raw) => loose::text(raw).unwrap_or(Cow::Borrowed(raw.get())),
    };
    Asked::Unknown(shown(&kind))
}

fn told(event: &'static str, fields: &Loose<'_>) -> Result<Asked, Refusal> {
    let appointment = echo(fields.either("appointmentId", "appointment_id"), "appointmentId")?;
    Ok(Asked::Told { event, appointment })
}

fn email(fields: &Loose<'_>) -> Result<Option<String>, Refusal> {
    match fields.text("email") {
        Some(email) if email.len() > limits::USER_ID => Err(bad_field("email", "has at most 256 bytes")),
        Some(email) if !email.is_empty() => Ok(Some(email.into_owned())),
        _ => Ok(None),
    }
}

/// A value that is only echoed: a number, a text or a truth.
fn echo(raw: Option<&RawValue>, name: &'static str) -> Result<Option<Box<str>>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.get().len() > ECHO || raw.get().starts_with(['{', '[']) {
        return Err(bad_field(name, "is a number or a text of at most 256 bytes"));
    }
    // Text that not every reader reads is nothing to be echoed.
    crate::native::json::check(name, raw.get())?;
    Ok(Some(raw.get().into()))
}

fn number(raw: &RawValue) -> Option<f64> {
    serde_json::from_str::<f64>(raw.get()).ok()
}

/// Milliseconds from the page's own time until now: 0 where it sent none. It is below 0 where the page's clock is
/// ahead.
///
/// ```
/// use deskbell_wire::appointease::asked::latency;
/// assert_eq!([latency(None, 50), latency(Some(48.0), 50), latency(Some(60.0), 50)], [0, 2, -10]);
/// ```
pub fn latency(sent: Option<f64>, now: Millis) -> i64 {
    // A cast of what is no number, or beyond every one, gives the nearest.
    sent.map_or(0, |sent| (now as f64 - sent) as i64)
}

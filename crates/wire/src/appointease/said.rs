//! What is said to a page: the one answer to each of its messages, and news. All times are milliseconds.

use deskbell_core::event::{Entry, Form, Kind};
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::refusal::Refusal;
use deskbell_core::slotted::Locked;

use super::slot::{Day, Employee, Slot};
use crate::object::Object;

/// The greeting. Its `mode` and `status` are what a page shows of its connection.
///
/// ```
/// use deskbell_wire::appointease::{hail::Who, said};
/// assert_eq!(
///     said::connection(&Who::email("a@b.c"), 7),
///     r#"{"type":"connection","mode":"websocket","status":"connected","clientId":"a@b.c","isAnonymous":false,"timestamp":7}"#
/// );
/// ```
pub fn connection(who: &super::hail::Who, at: Millis) -> String {
    Object::of_type("connection")
        .text("mode", "websocket")
        .text("status", "connected")
        .text("clientId", who.client_id())
        .flag("isAnonymous", who.is_anonymous())
        .number("timestamp", at)
        .end()
}

/// A person will be told, as the plugin's first server confirmed it.
pub fn subscribed(email: &str) -> String {
    Object::of_type("subscribed").text("email", email).end()
}

/// A person's appointments: an answer to `subscribe`, and said again when they change.
pub fn update(appointments: &str, at: Millis) -> String {
    let data = Object::new().raw("appointments", appointments).end();
    Object::of_type("update").raw("data", &data).number("timestamp", at).end()
}

/// The step was noted.
pub fn session_tracked(step: Option<&str>, at: Millis) -> String {
    Object::of_type("session_tracked").maybe("step", step).number("timestamp", at).end()
}

/// What became of a wish to lock a slot.
pub fn lock(slot: &Slot, locked: Locked, at: Millis) -> String {
    let expires_in = match locked {
        Locked::Yours { expires_in } => {
            let answer = of_slot("slot_locked", slot).number("expiresIn", expires_in);
            return answer.number("timestamp", at).end();
        }
        Locked::Taken { expires_in, .. } | Locked::Overlaps { expires_in } => expires_in,
    };
    let answer = taken(slot).text("reason", locked.reason());
    let answer = answer.maybe("expiresIn", expires_in.map(|seconds| seconds.to_string()).as_deref());
    answer.raw("data", &inner(slot)).number("timestamp", at).end()
}

/// The slot is free again, or waits for the backend's word.
pub fn slot_unlocked(slot: &Slot, at: Millis) -> String {
    of_slot("slot_unlocked", slot).number("timestamp", at).end()
}

/// The slot shows as looked at.
pub fn selection_confirmed(slot: &Slot, at: Millis) -> String {
    of_slot("selection_confirmed", slot).number("timestamp", at).end()
}

/// It does no more.
pub fn deselection_confirmed(slot: &Slot, at: Millis) -> String {
    of_slot("deselection_confirmed", slot).number("timestamp", at).end()
}

/// Which times of a date cannot be had, as an answer and as news; `times` are `HH:MM`.
pub fn availability(day: &Day, times: &[String], at: Millis) -> String {
    Object::of_type("availability_update")
        .text("date", &day.date)
        .raw("employeeId", day.employee.json())
        .value("unavailable", times)
        .number("timestamp", at)
        .end()
}

/// I am here.
pub fn pong(latency: i64, at: Millis) -> String {
    Object::of_type("pong").number("timestamp", at).number("latency", latency).end()
}

/// A person's appointments, as an answer to `watch_appointments`.
pub fn appointments_data(email: &str, appointments: &str, count: usize, at: Millis) -> String {
    Object::of_type("appointments_data")
        .text("email", email)
        .raw("appointments", appointments)
        .number("count", count)
        .number("timestamp", at)
        .end()
}

/// Watched no more: a slot, or a person's appointments.
pub fn unwatch_confirmed(slot: Option<&Slot>, at: Millis) -> String {
    let answer = match slot {
        Some(slot) => of_slot("unwatch_confirmed", slot),
        None => Object::of_type("unwatch_confirmed"),
    };
    answer.number("timestamp", at).end()
}

/// The page's word about an appointment was heard. It changes nothing.
pub fn event_received(event: &str, appointment: Option<&str>, at: Millis) -> String {
    let answer = Object::of_type("event_received").text("eventType", event);
    answer.maybe("appointmentId", appointment).number("timestamp", at).end()
}

/// No such message.
pub fn unknown(kind: &str, at: Millis) -> String {
    let message = format!("Unknown message type: {kind}");
    Object::of_type("error")
        .text("message", &message)
        .text("code", "unknown_type")
        .number("timestamp", at)
        .end()
}

/// No.
pub fn error(refusal: &Refusal, at: Millis) -> String {
    Object::of_type("error")
        .text("message", &refusal.message)
        .text("code", refusal.code.as_str())
        .number("timestamp", at)
        .end()
}

/// What others look at on a date, in the order of its times.
pub fn active_selections(day: &Day, slots: &[String], at: Millis) -> String {
    Object::of_type("active_selections")
        .text("date", &day.date)
        .raw("employeeId", day.employee.json())
        .value("slots", slots)
        .number("timestamp", at)
        .end()
}

/// Somebody else has the slot now: to those who watch it. One page reads the fields and the other `data`, so both
/// are there.
pub fn slot_taken(slot: &Slot, at: Millis) -> String {
    taken(slot).raw("data", &inner(slot)).number("timestamp", at).end()
}

/// An event as it was published, for pages that listen to it by its name.
pub fn event(entry: &Entry) -> Option<String> {
    let event = &entry.event;
    if entry.kind != Kind::Message {
        return None;
    }
    // Decoders take in text alone.
    let data = String::from_utf8_lossy(&event.data.bytes);
    let frame = Object::of_type(event.name.as_str());
    let frame = match event.data.form {
        Form::Json | Form::Args => frame.raw("data", &data),
        Form::Text => frame.text("data", &data),
    };
    Some(frame.number("timestamp", event.at).end())
}

/// What a page is shown of an event under another name, by a row of the table of projections.
pub fn shown(name: &str, data: &[u8], at: Millis) -> String {
    Object::of_type(name).raw("data", &String::from_utf8_lossy(data)).number("timestamp", at).end()
}

/// How long a lock lasts, in seconds.
pub const LOCK_SECONDS: u64 = limits::HOLD_TTL / SECOND;

fn of_slot(kind: &str, slot: &Slot) -> Object {
    members(Object::of_type(kind), slot)
}

fn members(object: Object, slot: &Slot) -> Object {
    let employee: &Employee = &slot.day.employee;
    object.text("date", &slot.day.date).text("time", &slot.time).raw("employeeId", employee.json())
}

fn taken(slot: &Slot) -> Object {
    members(Object::of_type("slot_taken").text("slot", &slot.name()), slot)
}

fn inner(slot: &Slot) -> String {
    Object::new()
        .text("slot", &slot.name())
        .text("date", &slot.day.date)
        .text("time", &slot.time)
        .raw("employee_id", slot.day.employee.json())
        .end()
}

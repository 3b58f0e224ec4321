//! The long poll of those who have no WebSocket: `GET /wp-json/appointease/v1/realtime/poll`.
//!
//! Its pages differ. One sends the time that the last answer named, one its own clock in milliseconds, one seconds;
//! one reads `data` as a list, one reads appointments beside it. So the answer has everything, and its times are in
//! the unit of the question. A time in seconds has the milliseconds behind a point, so that it is exact when it
//! comes back.

use deskbell_core::limits::{Millis, SECOND};

use super::slot::Slot;
use crate::http_head::query_pairs;
use crate::object::Object;

/// Seconds of today have ten digits, milliseconds thirteen.
const LAST_SECOND: f64 = 1e11;

/// In which unit somebody counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As the plugin's PHP does.
    Seconds,
    /// As its pages do.
    Millis,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The time up to which the asker has everything, or its own; nothing, where it says none that is one.
    pub last_update: Option<Millis>,
    /// Its unit.
    pub unit: Unit,
    /// Who it says it is.
    pub email: Option<String>,
    /// What it calls itself.
    pub client_id: Option<String>,
}

/// Bytes of what a page calls itself.
const CLIENT_ID: usize = 200;

/// Reads a query.
///
/// ```
/// use deskbell_wire::appointease::poll::{Unit, question};
/// let asked = question("email=ann%40example.org&last_update=1761527416.882");
/// assert_eq!((asked.last_update, asked.unit), (Some(1_761_527_416_882), Unit::Seconds));
/// let asked = question("last_update=1761527416882&client_id=client_7");
/// assert_eq!((asked.last_update, asked.unit), (Some(1_761_527_416_882), Unit::Millis));
/// ```
pub fn question(query: &str) -> Question {
    let first = |wanted: &str, longest: usize| {
        let mut values = query_pairs(query).filter(|(name, _)| name == wanted);
        let value = values.next().map(|(_, value)| value.into_owned());
        value.filter(|value| !value.is_empty() && value.len() <= longest)
    };
    let time = first("last_update", 40).and_then(|text| text.parse::<f64>().ok());
    let time = time.filter(|time| time.is_finite() && *time >= 0.0);
    let unit = if time.is_some_and(|time| time > LAST_SECOND) { Unit::Millis } else { Unit::Seconds };
    let millis = |time: f64| if unit == Unit::Millis { time } else { time * SECOND as f64 };
    Question {
        // A double is exact far beyond every millisecond that a clock shows.
        last_update: time.map(|time| millis(time).round() as Millis),
        unit,
        email: first("email", 256),
        client_id: first("client_id", CLIENT_ID),
    }
}

/// A time in a unit.
pub fn written(at: Millis, unit: Unit) -> String {
    match (unit, at % SECOND) {
        (Unit::Millis, _) => at.to_string(),
        (Unit::Seconds, 0) => (at / SECOND).to_string(),
        (Unit::Seconds, rest) => format!("{}.{rest:03}", at / SECOND),
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its id, by which whoever is told twice notices.
    pub id: String,
    /// Its stamp.
    pub at: Millis,
    /// What it is.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody is about to book the slot.
    Processing(Slot),
    /// It can be had again.
    Available(Slot),
    /// It is booked.
    Taken(Slot),
    /// The backend found it booked when somebody wanted it.
    Conflict(Slot),
    /// Something about a person's appointment: the event, and its data as JSON. Only that person is told.
    Appointment(String, String),
}

impl Update {
    /// May everybody be told?
    pub const fn is_public(&self) -> bool {
        !matches!(self.what, What::Appointment(..))
    }

    /// As it stands in the list.
    pub fn json(&self, unit: Unit) -> String {
        let at = written(self.at, unit);
        let (object, data) = match &self.what {
            What::Processing(slot) => {
                (of_slot("slot_update", slot).text("status", "processing"), inner(slot))
            }
            What::Available(slot) => (of_slot("slot_update", slot).text("status", "available"), inner(slot)),
            What::Taken(slot) => (of_slot("slot_taken", slot), inner(slot)),
            What::Conflict(slot) => {
                let data = of_slot("slot_taken", slot).text("slot", &slot.name());
                (Object::of_type("slot_conflict"), data.raw("timestamp", &at).end())
            }
            What::Appointment(event, data) => (Object::of_type(event), data.clone()),
        };
        object.raw("data", &data).raw("timestamp", &at).text("id", &self.id).end()
    }
}

/// The answer: what happened, in its order, and a person's appointments where they may be shown. `upto` is the stamp
/// to come back with.
pub fn answer(updates: &[Update], appointments: Option<&str>, upto: Millis, unit: Unit) -> String {
    let at = written(upto, unit);
    if updates.is_empty() && appointments.is_none() {
        return Object::of_type("no_update").raw("timestamp", &at).end();
    }
    let list: Vec<String> = updates.iter().map(|update| update.json(unit)).collect();
    Object::of_type("update")
        .raw("data", &format!("[{}]", list.join(",")))
        .maybe("appointments", appointments)
        .raw("timestamp", &at)
        .end()
}

fn of_slot(kind: &str, slot: &Slot) -> Object {
    members(Object::of_type(kind), slot)
}

fn members(object: Object, slot: &Slot) -> Object {
    let day = &slot.day;
    object.text("date", &day.date).text("time", &slot.time).raw("employee_id", day.employee.json())
}

fn inner(slot: &Slot) -> String {
    members(Object::new().text("slot", &slot.name()), slot).end()
}

//! What the plugin posts to `/broadcast` and `realtime/broadcast` when something happens in WordPress.
//!
//! The body has had three forms: JSON with the event under `type`, sent as if it were a form; JSON with the event
//! under `event`; and a real form with PHP's brackets. The content type therefore says nothing.

use std::collections::BTreeMap;

use deskbell_core::calendar::Wall;
use deskbell_core::ids::{EventName, ExternalRef};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::slotted::{Appointment, Grid, Notice};
use serde_json::value::RawValue;

use super::slot::{Employee, Slot};
use crate::http_head::query_pairs;
use crate::loose::{self, Loose};
use crate::native::fields::bad_field;
use crate::native::json;
use crate::object::{Object, quoted};

/// Members of a form, and how deep their brackets go: a booking has about fifteen, two deep.
const FORM_MEMBERS: usize = 200;
const FORM_DEPTH: usize = 4;

/// Something happened in WordPress.
#[derive(Debug)]
pub struct Broadcast {
    /// What it is called.
    pub event: EventName,
    /// Its data as JSON: what pages that listen to the event are shown.
    pub data: Box<RawValue>,
    /// What it means here.
    pub what: What,
}

/// What an event means here.
#[derive(Debug)]
pub enum What {
    /// Something became of an appointment.
    Appointment(Box<Notice>),
    /// A slot was found booked when somebody wanted it. It changes nothing, and those who watch it are told.
    SlotTaken(Slot),
    /// Nothing that changes a booking.
    Told,
}

/// Reads a body. Dates and times in it are meant on the site's grid.
pub fn read(body: &str, grid: &Grid) -> Result<Broadcast, Refusal> {
    let form;
    let text = if serde_json::from_str::<&RawValue>(body).is_ok() {
        body
    } else {
        form = of_form(body)?;
        &form
    };
    let fields = Loose::read(text, &["event", "type", "data"]).ok_or_else(no_body)?;
    let event = fields.either("event", "type").and_then(loose::text).ok_or_else(|| {
        bad_field("event", "is missing; name in it what happened, as in `appointment.created`")
    })?;
    let data = fields.raw("data").map_or("{}", RawValue::get);
    json::check("data", data)?;
    let data = RawValue::from_string(data.to_owned()).map_err(|_| no_body())?;
    Ok(Broadcast { event: EventName::parse(&event)?, what: meaning(&event, &data, grid)?, data })
}

fn no_body() -> Refusal {
    Refusal::new(
        Code::BadMessage,
        "the body is neither JSON nor a form; send an object with `event` and `data`",
    )
}

fn meaning(event: &str, data: &RawValue, grid: &Grid) -> Result<What, Refusal> {
    let appointment = |read: fn(&RawValue, &Grid) -> Result<Notice, Refusal>| {
        read(data, grid).map(|notice| What::Appointment(Box::new(notice)))
    };
    match event {
        "appointment.created"
        | "appointment.updated"
        | "appointment.rescheduled"
        | "appointment.confirmed" => appointment(is),
        "appointment.cancelled" | "appointment.canceled" | "appointment.deleted" => appointment(cancelled),
        "slot_conflict" | "slot_taken" => {
            let fields =
                Loose::of(data, &["date", "time", "employeeId", "employee_id"]).ok_or_else(no_body)?;
            Slot::read(&fields).map(What::SlotTaken)
        }
        _ => Ok(What::Told),
    }
}

/// Members of an appointment, at whichever of the three levels they stand.
const MEMBERS: &[&str] = &[
    "appointment_id",
    "strong_id",
    "id",
    "customer",
    "appointment",
    "email",
    "name",
    "phone",
    "date",
    "appointment_date",
    "time",
    "service",
    "service_id",
    "employeeId",
    "employee_id",
    "status",
    "notes",
    "payment_status",
    "total_amount",
    "customer_id",
    "idempotency_key",
    "rescheduled_at",
    "original_date",
];

/// The data taken apart: the members of the whole, of its `customer` and of its `appointment`.
struct Parts<'a>([Option<Loose<'a>>; 3]);

impl<'a> Parts<'a> {
    fn of(data: &'a RawValue) -> Result<Self, Refusal> {
        let whole = Loose::of(data, MEMBERS).ok_or_else(no_body)?;
        let part = |name: &str| whole.raw(name).and_then(|raw| Loose::of(raw, MEMBERS));
        let (appointment, customer) = (part("appointment"), part("customer"));
        Ok(Self([appointment, customer, Some(whole)]))
    }

    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().flatten().find_map(|part| part.raw(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).and_then(loose::text).map(std::borrow::Cow::into_owned)
    }

    /// What the site calls the appointment: its strong id, in the versions that have one.
    fn name(&self) -> Result<ExternalRef, Refusal> {
        let whole = self.0[2].as_ref();
        let found = ["appointment_id", "strong_id", "id"].iter().find_map(|name| {
            let raw = whole.and_then(|whole| whole.raw(name)).or_else(|| self.raw(name))?;
            let number = raw.get().bytes().all(|byte| byte.is_ascii_digit());
            if number {
                Some(raw.get().to_owned())
            } else {
                loose::text(raw).map(std::borrow::Cow::into_owned)
            }
        });
        let missing =
            || bad_field("appointment_id", "is missing; send what your table calls the appointment");
        ExternalRef::parse(&found.ok_or_else(missing)?)
    }

    /// When: one text with both, or a date and a time.
    fn wall(&self) -> Result<Wall, Refusal> {
        let wrong = || bad_field("date", "is written YYYY-MM-DD HH:MM:SS; send when the appointment begins");
        let date = self.text("appointment_date").or_else(|| self.text("date")).ok_or_else(wrong)?;
        let (date, time) = match date.split_once([' ', 'T']) {
            Some((date, time)) => (date.to_owned(), time.to_owned()),
            None => (date, self.text("time").ok_or_else(wrong)?),
        };
        Wall::parse(&date, &time).ok_or_else(wrong)
    }

    /// The rest, under the names of the plugin's table.
    fn meta(&self) -> Result<Option<Box<RawValue>>, Refusal> {
        const KEPT: [&str; 12] = [
            "id",
            "name",
            "phone",
            "service",
            "service_id",
            "customer_id",
            "notes",
            "payment_status",
            "total_amount",
            "idempotency_key",
            "rescheduled_at",
            "original_date",
        ];
        let mut meta = Object::new();
        for name in KEPT {
            meta = meta.maybe(name, self.raw(name).map(RawValue::get));
        }
        let text = meta.end();
        if text.len() > limits::META {
            let sentence = "what is said of an appointment has at most 4,096 bytes; send less of it";
            return Err(Refusal::new(Code::TooLarge, sentence));
        }
        Ok(RawValue::from_string(text).ok().filter(|meta| meta.get() != "{}"))
    }
}

fn is(data: &RawValue, grid: &Grid) -> Result<Notice, Refusal> {
    let parts = Parts::of(data)?;
    if parts.text("status").is_some_and(|status| matches!(&*status, "cancelled" | "canceled")) {
        return cancelled(data, grid);
    }
    let employee = parts.raw("employee_id").or_else(|| parts.raw("employeeId"));
    let missing = || bad_field("employee_id", "is missing; say with whom the appointment is");
    let employee = Employee::read(employee.ok_or_else(missing)?)?;
    let email = parts.text("email").filter(|email| !email.is_empty() && email.len() <= limits::USER_ID);
    Ok(Notice::Is(Appointment {
        external_ref: parts.name()?,
        claim: grid.claim(employee.resource()?, parts.wall()?)?,
        email: email.map(Into::into),
        meta: parts.meta()?,
    }))
}

fn cancelled(data: &RawValue, _: &Grid) -> Result<Notice, Refusal> {
    Ok(Notice::Cancelled(Parts::of(data)?.name()?))
}

/// The answer. Its `id` is the time at which it was taken in, in seconds.
pub fn answer(id: u64) -> String {
    let id = format!("appointease_broadcast_{id}");
    Object::new().flag("success", true).text("broadcast_id", &id).text("recipients", "all").end()
}

/// A form as the JSON that it means: `data[customer][name]=Ann` is a member of a member.
fn of_form(body: &str) -> Result<String, Refusal> {
    let mut whole = Branch::default();
    for (count, (name, value)) in query_pairs(body).enumerate() {
        if count == FORM_MEMBERS {
            return Err(Refusal::new(
                Code::LimitReached,
                "a form has at most 200 members; send JSON instead",
            ));
        }
        whole.put(&path(&name).ok_or_else(no_body)?, &value);
    }
    if whole.0.is_empty() {
        return Err(no_body());
    }
    Ok(whole.json())
}

/// `a[b][c]` as its parts.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let rest = rest.strip_suffix(']')?;
    let parts: Vec<&str> = std::iter::once(first).chain(rest.split("][")).collect();
    (parts.len() <= FORM_DEPTH && parts.iter().all(|part| !part.is_empty() && !part.contains(['[', ']'])))
        .then_some(parts)
}

/// Members of a form by their names.
#[derive(Default)]
struct Branch(BTreeMap<String, Leaf>);

enum Leaf {
    Text(String),
    Branch(Branch),
}

impl Branch {
    /// Of two values of one name the last counts, as in PHP.
    fn put(&mut self, path: &[&str], value: &str) {
        match path {
            [] => {}
            [name] => drop(self.0.insert((*name).to_owned(), Leaf::Text(value.to_owned()))),
            [name, rest @ ..] => {
                let leaf = self.0.entry((*name).to_owned()).or_insert_with(|| Leaf::Branch(Self::default()));
                if let Leaf::Text(_) = leaf {
                    *leaf = Leaf::Branch(Self::default());
                }
                if let Leaf::Branch(branch) = leaf {
                    branch.put(rest, value);
                }
            }
        }
    }

    fn json(&self) -> String {
        self.0
            .iter()
            .fold(Object::new(), |object, (name, leaf)| match leaf {
                Leaf::Text(text) => object.raw(name, &quoted(text)),
                Leaf::Branch(branch) => object.raw(name, &branch.json()),
            })
            .end()
    }
}

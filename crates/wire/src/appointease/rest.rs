//! The other routes below `/wp-json/appointease/v1`, and errors as WordPress writes them.

use deskbell_core::calendar::{TimeZone, Wall};
use deskbell_core::ids::ReservationId;
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::By;
use deskbell_core::slotted::{Standing, Unavailable};
use serde_json::value::RawValue;

use super::asked::{Asked, decode};
use super::slot::{Day, Slot};
use crate::http_head::query_pairs;
use crate::loose::{self, Loose};
use crate::native::fields::bad_field;
use crate::object::{Object, quoted};

/// What a lock is called towards whoever locked it without a WebSocket. Whoever shows it may unlock.
const HANDLE: &str = "CLIENT_";

/// Names of events of one subscription.
const EVENTS: usize = 20;

/// What a page posts to `realtime/subscribe`.
#[derive(Debug, Clone, PartialEq)]
pub enum Subscribe {
    /// A person's events.
    Events {
        /// Whose.
        email: Option<String>,
        /// Which; all, where none is named.
        events: Vec<String>,
    },
    /// What a page says over its WebSocket, if it has one.
    Message(Asked),
}

/// Reads the body of `realtime/subscribe`.
pub fn subscribe(body: &str) -> Result<Subscribe, Refusal> {
    let fields = object(body, &["type", "email", "events"])?;
    if fields.raw("type").is_some() {
        return decode(body).unwrap_or_else(|| Err(no_object())).map(Subscribe::Message);
    }
    let events = match fields.raw("events") {
        None => Vec::new(),
        Some(raw) => serde_json::from_str::<Vec<String>>(raw.get())
            .ok()
            .filter(|events| {
                events.len() <= EVENTS && events.iter().all(|name| name.len() <= limits::EVENT_NAME)
            })
            .ok_or_else(|| bad_field("events", "is a list of at most 20 names of events"))?,
    };
    let email = fields.text("email").map(std::borrow::Cow::into_owned);
    Ok(Subscribe::Events { email: email.filter(|email| email.len() <= limits::USER_ID), events })
}

/// The answer to that. The poll and the WebSocket need no subscription, so the id is only a name.
pub fn subscription(id: &str, events: &[String]) -> String {
    let id = format!("appointease_subscription_{id}");
    Object::new().flag("success", true).text("subscription_id", &id).value("events", events).end()
}

/// Reads the body of `lock-slot` or `check-slot`.
pub fn slot(body: &str) -> Result<Slot, Refusal> {
    Slot::read(&object(body, &["date", "time", "employeeId", "employee_id"])?)
}

/// The slot is locked: by this handle, until then on the site's clock.
pub fn locked(hold: &ReservationId, until: Millis, now: Millis, zone: &TimeZone) -> String {
    Object::new()
        .flag("success", true)
        .text("client_id", &format!("{HANDLE}{hold}"))
        .text("expires_at", &date_time(until, zone))
        .number("expires_in", until.saturating_sub(now).div_ceil(SECOND))
        .end()
}

/// A time as WordPress's database writes it: `2025-11-03 10:00:00`, on the site's clock.
pub fn date_time(at: Millis, zone: &TimeZone) -> String {
    let wall = Wall::at(zone, at);
    format!("{} {}:{:02}", wall.date(), wall.time(), at / SECOND % 60)
}

/// Reads the body of `unlock-slot`: the lock's handle, as JSON of any content type or as a form, because a page that
/// is left can send nothing but a beacon.
pub fn unlock(body: &str) -> Result<ReservationId, Refusal> {
    let handle = match Loose::read(body, &["client_id"]) {
        Some(fields) => fields.text("client_id").map(std::borrow::Cow::into_owned),
        None => query_pairs(body).find(|(name, _)| name == "client_id").map(|(_, value)| value.into_owned()),
    };
    let wrong = || bad_field("client_id", "is the one that `lock-slot` answered; send it as you got it");
    let handle = handle.ok_or_else(wrong)?;
    handle.strip_prefix(HANDLE).and_then(|id| ReservationId::parse(id).ok()).ok_or_else(wrong)
}

/// Done.
pub fn unlocked() -> String {
    Object::new().flag("success", true).end()
}

/// What a booking shows of itself to whoever may see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// The customer's name.
    pub name: String,
    /// The customer's address.
    pub email: String,
    /// What the site calls the booking.
    pub reference: String,
}

/// The answer to `check-slot`. `person` is for backends alone.
pub fn checked(standing: Option<&Standing>, person: Option<&Person>, now: Millis) -> String {
    let Some(standing) = standing else {
        let free = Object::new().flag("is_booked", false).flag("available", true);
        return free.text("message", "Slot is available").end();
    };
    let held = standing.by == By::Held;
    let nobody = Person::default();
    let person = person.unwrap_or(&nobody);
    let details = Object::new()
        .text("id", &person.reference)
        .text("customer", if held { "Processing" } else { &person.name })
        .text("email", &person.email)
        .text("status", status(standing.by))
        .text("booked_at", &standing.time)
        .maybe("lock_remaining", remaining(standing, now).as_deref());
    Object::new()
        .flag("is_booked", true)
        .flag("available", false)
        .flag("conflict_detected", held)
        .raw("booking_details", &details.end())
        .end()
}

/// Reads the body of `availability` or `reschedule-availability`, and of the latter which appointment does not
/// count: its name as text or number.
pub fn availability(body: &str) -> Result<(Day, Option<String>), Refusal> {
    let fields = object(body, &["date", "employeeId", "employee_id", "exclude_appointment_id"])?;
    let but = fields.raw("exclude_appointment_id").map(name).transpose()?;
    Ok((Day::read(&fields)?, but))
}

fn name(raw: &RawValue) -> Result<String, Refusal> {
    let number = raw.get().bytes().all(|byte| byte.is_ascii_digit());
    let text = if number { Some(raw.get().into()) } else { loose::text(raw) };
    let fits = text.filter(|text| text.len() <= limits::EXTERNAL_REF);
    fits.map(std::borrow::Cow::into_owned)
        .ok_or_else(|| bad_field("exclude_appointment_id", "is an appointment's id of at most 200 bytes"))
}

/// The answer to both: the times that cannot be had, and what stands there. Who stands there is for backends alone;
/// everybody else sees that something does.
pub fn available(
    unavailable: &Unavailable,
    standing: &[Standing],
    person: impl Fn(&Standing) -> Option<Person>,
    now: Millis,
) -> String {
    let times = match unavailable {
        Unavailable::All => quoted("all"),
        Unavailable::Times(times) => serde_json::to_string(times).expect("texts always serialise"),
    };
    let mut details = Object::new();
    let mut last = "";
    // Of several at one time the first is shown: a member has its name once.
    for one in standing.iter().filter(|one| one.by != By::Closed) {
        if one.time != last {
            details = details.raw(&one.time, &detail(one, person(one), now));
        }
        last = &one.time;
    }
    Object::new().raw("unavailable", &times).raw("booking_details", &details.end()).end()
}

fn detail(standing: &Standing, person: Option<Person>, now: Millis) -> String {
    let held = standing.by == By::Held;
    let person = person.unwrap_or_default();
    // An id begins with the time at which it was made. What follows is nobody's business: it unlocks.
    let made = standing.reservation.as_str().trim_start_matches("r_").chars().take(8);
    let label: String =
        made.map(|letter| if letter.is_ascii_alphanumeric() { letter } else { 'x' }).collect();
    let label = if held { format!("LOCK-{label}") } else { person.reference };
    Object::new()
        .text("customer_name", if held { "Processing" } else { &person.name })
        .text("customer_email", &person.email)
        .text("status", status(standing.by))
        .text("booking_id", &label)
        .text("booked_at", &standing.time)
        .flag("is_locked", held)
        .maybe("lock_remaining", remaining(standing, now).as_deref())
        .end()
}

fn status(by: By) -> &'static str {
    match by {
        By::Held => "processing",
        By::Pending => "pending",
        By::Booked => "confirmed",
        By::Block | By::Closed => "closed",
    }
}

fn remaining(standing: &Standing, now: Millis) -> Option<String> {
    standing.until.map(|until| until.saturating_sub(now).div_ceil(SECOND).to_string())
}

/// A refusal as WordPress writes errors, with the plugin's own code where it has one.
pub fn failed(refusal: &Refusal) -> String {
    let (code, message, status) = match refusal.code {
        Code::Conflict | Code::NotHolder => ("slot_taken", "Time slot is no longer available", 409),
        Code::RateLimited | Code::LimitReached | Code::Quota => ("rate_limited", &*refusal.message, 429),
        code => (code.as_str(), &*refusal.message, code.http_status()),
    };
    error(code, message, status)
}

/// An error as WordPress writes it.
pub fn error(code: &str, message: &str, status: u16) -> String {
    let data = Object::new().number("status", status).end();
    Object::new().text("code", code).text("message", message).raw("data", &data).end()
}

fn object<'a>(body: &'a str, known: &'static [&'static str]) -> Result<Loose<'a>, Refusal> {
    Loose::read(body, known).ok_or_else(no_object)
}

fn no_object() -> Refusal {
    Refusal::new(Code::BadMessage, "the body is no JSON; send one object")
}

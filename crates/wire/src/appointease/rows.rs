//! Appointments in the shape of the plugin's table: every column, because its pages read them by name.

use deskbell_core::ids::ExternalRef;
use deskbell_core::limits::Millis;
use deskbell_core::projection::iso;
use deskbell_core::reservation::{Reservation, State};
use deskbell_core::slotted::employee_of;
use serde_json::value::RawValue;

use super::slot::Employee;
use crate::loose::Loose;
use crate::object::Object;

/// Columns that the ledger does not know and the site's own words may have, with their usual value as JSON.
const OTHERS: [(&str, &str); 8] = [
    ("name", r#""""#),
    ("phone", r#""""#),
    ("service_id", "null"),
    ("service", "null"),
    ("customer_id", "null"),
    ("notes", "null"),
    ("payment_status", r#""pending""#),
    ("total_amount", "null"),
];

const MEMBERS: &[&str] = &[
    "name",
    "phone",
    "service_id",
    "service",
    "customer_id",
    "notes",
    "payment_status",
    "total_amount",
    "id",
    "idempotency_key",
    "rescheduled_at",
    "original_date",
];

/// A row: a booking of an employee with what the site said of it. `None` for what is none.
///
/// Its `id` is the one that the site's table has, where the site said it; otherwise the booking's own.
pub fn row(reservation: &Reservation) -> Option<String> {
    let [only] = &reservation.claims[..] else { return None };
    let employee = Employee::of_id(employee_of(&only.claim.resource)?);
    let status = status(reservation.state)?;
    let said = reservation.meta.as_deref().and_then(|meta| Loose::of(meta, MEMBERS));
    let of_site = |name: &str| said.as_ref().and_then(|said| said.raw(name)).map(RawValue::get);
    let reference = reservation.external_ref.as_ref().map(ExternalRef::as_str);
    let mut row = match of_site("id") {
        Some(id) => Object::new().raw("id", id),
        None => Object::new().text("id", reservation.id.as_str()),
    };
    for (name, usual) in OTHERS {
        row = row.raw(name, of_site(name).unwrap_or(usual));
    }
    Some(
        row.text("email", reservation.email.as_deref().unwrap_or_default())
            .value("appointment_date", &iso(only.claim.start))
            .text("status", status)
            .raw("employee_id", employee.json())
            .value("strong_id", &reference)
            .raw("idempotency_key", of_site("idempotency_key").unwrap_or("null"))
            .value("created_at", &iso(reservation.granted_at))
            .raw("rescheduled_at", of_site("rescheduled_at").unwrap_or("null"))
            .raw("original_date", of_site("original_date").unwrap_or("null"))
            .end(),
    )
}

/// A person's appointments as one list, the latest first, without those that were called off.
pub fn list<'a>(reservations: impl IntoIterator<Item = &'a Reservation>) -> (String, usize) {
    let shown = |one: &'a Reservation| Some((one.claims.first()?.claim.start, row(one)?));
    let mut rows: Vec<(Millis, String)> = reservations.into_iter().filter_map(shown).collect();
    rows.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
    let rows: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
    (format!("[{}]", rows.join(",")), rows.len())
}

/// The plugin's word for where a booking stands; nothing for what its lists do not show.
const fn status(state: State) -> Option<&'static str> {
    match state {
        State::Pending => Some("pending"),
        State::Booked | State::Active => Some("confirmed"),
        State::Completed => Some("completed"),
        State::NoShow => Some("no_show"),
        State::Held | State::Released | State::Expired | State::Declined | State::Cancelled => None,
    }
}

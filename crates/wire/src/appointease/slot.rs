//! Date, time and employee as somebody wrote them.
//!
//! Pages compare an answer's fields with their own by `===`, so a number stays a number and `9:00` stays `9:00`.

use std::sync::Arc;

use deskbell_core::calendar::{Date, Wall};
use deskbell_core::ids::ResourceId;
use deskbell_core::limits;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::Claim;
use deskbell_core::slotted::{Grid, employee};
use serde_json::value::RawValue;

use crate::loose::{self, Loose};
use crate::native::fields::{bad_field, shown};

/// An employee's id: a number or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Employee {
    json: Arc<str>,
}

/// A date of an employee.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Day {
    /// The date as it was written.
    pub date: Arc<str>,
    /// Whose.
    pub employee: Employee,
}

/// A time of a date of an employee.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The date and whose.
    pub day: Day,
    /// The time as it was written.
    pub time: Arc<str>,
}

impl Employee {
    /// Reads an id.
    pub fn read(raw: &RawValue) -> Result<Self, Refusal> {
        let text = raw.get();
        let wrong =
            || bad_field("employeeId", "is a whole number or a short text; send it as the page got it");
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() > limits::SLOT_EMPLOYEE + 2 || !(number || text.starts_with('"')) {
            return Err(wrong());
        }
        let read = Self { json: text.into() };
        // A number with zeros before it is no JSON, so each has one spelling.
        employee(&read.id()).map_err(|_| wrong())?;
        Ok(read)
    }

    /// An id that is not written by anybody yet, as a number where it is one.
    pub fn of_id(id: &str) -> Self {
        let number = id == "0" || (id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0'));
        let json = if number && id.len() <= 15 { id.to_owned() } else { crate::object::quoted(id) };
        Self { json: json.into() }
    }

    /// As it was written.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The id alone: `1` and `"1"` are the same employee.
    pub fn id(&self) -> String {
        serde_json::from_str(&self.json).unwrap_or_else(|_| self.json.to_string())
    }

    /// What of it is booked.
    pub fn resource(&self) -> Result<ResourceId, Refusal> {
        employee(&self.id())
    }
}

impl Day {
    /// Reads the date and the employee of a message.
    pub(super) fn read(fields: &Loose<'_>) -> Result<Self, Refusal> {
        let employee = fields.either("employeeId", "employee_id");
        let missing = || bad_field("employeeId", "is missing; say of which employee");
        Ok(Self { date: text(fields, "date")?, employee: Employee::read(employee.ok_or_else(missing)?)? })
    }

    /// The date.
    pub fn date(&self) -> Result<Date, Refusal> {
        Date::parse(&self.date).ok_or_else(|| {
            bad_field(
                "date",
                &format!("is written YYYY-MM-DD, and \"{}\" is no such date", shown(&self.date)),
            )
        })
    }
}

impl Slot {
    /// Reads the slot of a message.
    pub(super) fn read(fields: &Loose<'_>) -> Result<Self, Refusal> {
        Ok(Self { day: Day::read(fields)?, time: text(fields, "time")? })
    }

    /// The date and the time.
    pub fn wall(&self) -> Result<Wall, Refusal> {
        let date = self.day.date()?;
        Wall::parse(&date.to_string(), &self.time).ok_or_else(|| {
            bad_field("time", &format!("is written HH:MM, and \"{}\" is no time", shown(&self.time)))
        })
    }

    /// What it claims.
    pub fn claim(&self, grid: &Grid) -> Result<Claim, Refusal> {
        grid.claim(self.day.employee.resource()?, self.wall()?)
    }

    /// The slot under one name, as pages show it.
    pub fn name(&self) -> String {
        format!("{} {}", self.day.date, self.time)
    }
}

/// A text that is short enough to be echoed.
fn text(fields: &Loose<'_>, name: &'static str) -> Result<Arc<str>, Refusal> {
    let raw = fields.raw(name).ok_or_else(|| bad_field(name, "is missing; send it as a text"))?;
    let text = loose::text(raw).ok_or_else(|| bad_field(name, "is a text"))?;
    if text.len() > limits::SLOT_TEXT {
        return Err(bad_field(name, "has at most 64 bytes"));
    }
    Ok(text.into())
}

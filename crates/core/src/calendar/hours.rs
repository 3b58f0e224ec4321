//! The opening hours of a resource: what is said in local dates and times.

use serde_json::Value;

use super::json;
use super::local::{Day, Stretch, Weekday};
use super::recurrence::Recurrence;
use crate::limits;
use crate::refusal::{Code, Refusal};

/// What a stretch does to the time that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Opens,
    Blocks,
}

/// Dates from the first to the last, both of them inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dates {
    pub first: Day,
    pub last: Day,
}

impl Dates {
    pub const ALL: Self = Self { first: Day(i32::MIN), last: Day(i32::MAX) };

    pub fn contain(self, day: Day) -> bool {
        self.first <= day && day <= self.last
    }
}

/// Other hours on some dates. Without hours they are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    pub dates: Dates,
    pub hours: Vec<Stretch>,
}

/// An opening or a block that comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recurring {
    pub rule: Recurrence,
    pub stretch: Stretch,
    pub effect: Effect,
}

/// Opening hours, parsed once. The default is always open.
///
/// Their JSON form, of which every member may be left out:
///
/// ```
/// use deskbell_core::calendar::Hours;
/// let hours = Hours::from_json(r#"{
///     "valid": {"from": "2026-09-01", "to": "2027-06-30"},
///     "weekly": [{"day": "mon", "from": "09:00", "to": "17:00"},
///                {"day": "fri", "from": "22:00", "to": "02:00"}],
///     "exceptions": [{"date": "2026-12-24", "closed": true},
///                    {"from": "2026-12-27", "to": "2026-12-31",
///                     "hours": [{"from": "10:00", "to": "14:00"}]}],
///     "recurring": [{"rrule": "FREQ=WEEKLY;BYDAY=WE;UNTIL=20270101",
///                    "from": "12:00", "to": "13:00", "open": false},
///                   {"rrule": "FREQ=WEEKLY;INTERVAL=2", "start": "2026-09-05",
///                    "from": "10:00", "to": "14:00", "open": true}]
/// }"#)?;
/// let text = serde_json::to_string(&hours).expect("hours have a JSON form");
/// assert_eq!(Hours::from_json(&text)?, hours);
///
/// let refusal = Hours::from_json(r#"{"weekly": [{"day": "monday", "from": "09:00", "to": "17:00"}]}"#);
/// assert_eq!(refusal.unwrap_err().message, "weekly[0].day must be one of mon, tue, wed, thu, fri, sat, sun");
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
///
/// `valid` and the dates of an exception include both ends. `24:00` is the midnight that ends a date; a `to`
/// before its `from` belongs to the next date. `rrule` is the part of an iCalendar `RRULE` with `FREQ`,
/// `INTERVAL`, `COUNT`, `UNTIL` (a local date), `BYDAY`, `BYMONTHDAY`, `BYMONTH` and `WKST`; `start` is its first
/// possible date. Written back, a rule names the days that it took from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    pub(super) valid: Dates,
    pub(super) weekly: Vec<(Weekday, Stretch)>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) recurring: Vec<Recurring>,
}

impl Default for Hours {
    fn default() -> Self {
        Self { valid: Dates::ALL, weekly: Vec::new(), exceptions: Vec::new(), recurring: Vec::new() }
    }
}

impl Hours {
    /// Reads the JSON form.
    pub fn from_json(text: &str) -> Result<Self, Refusal> {
        if text.len() > limits::HOURS_TEXT {
            let sentence =
                format!("opening hours have at most {} bytes; use fewer rules", limits::HOURS_TEXT);
            return Err(Refusal::new(Code::TooLarge, sentence));
        }
        let value = serde_json::from_str(text).map_err(|error| {
            Refusal::new(Code::BadField, format!("opening hours are no JSON ({error}); mend the text"))
        })?;
        Self::from_value(&value)
    }

    /// Reads the JSON form out of a value.
    ///
    /// ```
    /// use deskbell_core::calendar::Hours;
    /// assert_eq!(Hours::from_value(&serde_json::json!({}))?, Hours::default());
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        json::read(value)
    }

    /// Is it open whenever anybody asks?
    pub fn is_always(&self) -> bool {
        self.valid == Dates::ALL
            && self.weekly.is_empty()
            && self.exceptions.is_empty()
            && self.recurring.is_empty()
    }

    /// Is every day open all day, as far as exceptions and blocks do not say otherwise?
    fn open_by_default(&self) -> bool {
        self.weekly.is_empty() && self.recurring.iter().all(|rule| rule.effect == Effect::Blocks)
    }

    /// Tells every stretch that begins on this date.
    pub(super) fn each_on(&self, day: Day, mut tell: impl FnMut(Effect, Stretch)) {
        if !self.valid.contain(day) {
            return;
        }
        if let Some(exception) = self.exceptions.iter().rev().find(|found| found.dates.contain(day)) {
            exception.hours.iter().for_each(|stretch| tell(Effect::Opens, *stretch));
            return;
        }
        if self.open_by_default() {
            tell(Effect::Opens, Stretch::DATE);
        }
        let weekday = day.weekday();
        for (_, stretch) in self.weekly.iter().filter(|(on, _)| *on == weekday) {
            tell(Effect::Opens, *stretch);
        }
        for found in self.recurring.iter().filter(|found| found.rule.names(day)) {
            tell(found.effect, found.stretch);
        }
    }
}

//! Dates that come again: the useful part of RFC 5545, asked date by date.
//!
//! Whether a rule names a date is a question about that date alone, so a window far from a rule's start
//! costs no more than one beside it. Only `COUNT` has to count; that is done once, when it is read.

use jiff::civil::Date;

use super::local::{Day, Weekday};
use crate::limits;

/// How long one period is, before it is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// What ends a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Never,
    /// After so many dates, of which the last is this one.
    After(u32, Day),
    /// With this date.
    On(Day),
}

/// A day of the week, every one or the n-th of a month; negative from the month's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NthWeekday {
    pub weekday: Weekday,
    pub nth: Option<i8>,
}

/// A rule: a date that fits every part of it is named by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recurrence {
    pub frequency: Frequency,
    pub interval: i32,
    pub ends: Ends,
    /// Empty: every month.
    pub months: Vec<i8>,
    /// Empty: every day of the month. Negative from the month's end.
    pub month_days: Vec<i8>,
    /// Empty: every day of the week.
    pub weekdays: Vec<NthWeekday>,
    pub week_start: Weekday,
    pub start: Option<Day>,
}

impl Recurrence {
    /// Does the rule name this date?
    pub fn names(&self, day: Day) -> bool {
        let ended = match self.ends {
            Ends::Never => false,
            Ends::After(_, last) | Ends::On(last) => last < day,
        };
        !ended && self.goes_on_to(day)
    }

    /// Does the rule name this date, if nothing ended it?
    fn goes_on_to(&self, day: Day) -> bool {
        if self.start.is_some_and(|start| day < start) {
            return false;
        }
        // The cheap questions first: a week's dates mostly fail here.
        let weekday = day.weekday();
        if !self.weekdays.is_empty() && !self.weekdays.iter().any(|found| found.weekday == weekday) {
            return false;
        }
        let in_days = matches!(self.frequency, Frequency::Daily | Frequency::Weekly);
        if in_days && self.months.is_empty() && self.month_days.is_empty() {
            return self.in_period(day, Date::ZERO);
        }
        let date = day.civil();
        let (before, after) = (date.day() - 1, date.days_in_month() - date.day());
        let either = |nth: i8| nth == before + 1 || nth == -(after + 1);
        let of_month = |nth: i8| nth == before / 7 + 1 || nth == -(after / 7 + 1);
        let named = |found: &NthWeekday| found.weekday == weekday && found.nth.is_none_or(of_month);
        (self.months.is_empty() || self.months.contains(&date.month()))
            && (self.month_days.is_empty() || self.month_days.iter().any(|&nth| either(nth)))
            && (self.weekdays.is_empty() || self.weekdays.iter().any(named))
            && self.in_period(day, date)
    }

    /// Is the date in a period that counts? Only a rule with a start skips periods.
    fn in_period(&self, day: Day, date: Date) -> bool {
        let Some(start) = self.start.filter(|_| self.interval > 1) else { return true };
        let apart = match self.frequency {
            Frequency::Daily => day.0 - start.0,
            Frequency::Weekly => (self.week(day) - self.week(start)) / 7,
            Frequency::Monthly => months(date) - months(start.civil()),
            Frequency::Yearly => i32::from(date.year() - start.civil().year()),
        };
        apart % self.interval == 0
    }

    /// The day on which this date's week begins.
    fn week(&self, day: Day) -> i32 {
        day.0 - (i32::from(day.weekday().0) - i32::from(self.week_start.0)).rem_euclid(7)
    }

    /// The date that the rule names as its n-th, if it comes early enough to be counted.
    pub fn nth(&self, count: u32) -> Option<Day> {
        let start = self.start?;
        let days = (start.0..start.0 + limits::RECURRENCE_COUNTED_DAYS).map(Day);
        let mut named = days.filter(|day| self.goes_on_to(*day));
        named.nth(usize::try_from(count).ok()?.checked_sub(1)?)
    }
}

/// Months since the year 0.
fn months(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month())
}

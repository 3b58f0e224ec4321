//! The text of a recurrence: the part of an iCalendar `RRULE` that opening hours need.
//!
//! Read are `FREQ` (daily, weekly, monthly, yearly), `INTERVAL`, `COUNT`, `UNTIL` (a date), `BYDAY` (with
//! numbers where the months are known), `BYMONTHDAY`, `BYMONTH` and `WKST`. Everything else is refused and
//! never passed over: a part that nobody obeys would open a place at the wrong time.

use std::fmt;

use super::local::{Day, Weekday};
use super::recurrence::{Ends, Frequency, NthWeekday, Recurrence};
use crate::limits;

const PARTS: &str = "FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH and WKST";

/// What the text says, before its parts are held against each other.
#[derive(Default)]
struct Parts {
    frequency: Option<Frequency>,
    interval: Option<i32>,
    count: Option<u32>,
    until: Option<Day>,
    week_start: Option<Weekday>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    weekdays: Vec<NthWeekday>,
}

impl Recurrence {
    /// Reads a rule that begins with the date `start`. The error is the sentence of a refusal.
    pub fn parse(text: &str, start: Option<Day>) -> Result<Self, String> {
        if text.len() > limits::RECURRENCE_TEXT {
            return Err(format!("is longer than {} bytes; shorten it", limits::RECURRENCE_TEXT));
        }
        let text = text.to_ascii_uppercase();
        let mut parts = Parts::default();
        let mut seen = Vec::new();
        for part in text.strip_prefix("RRULE:").unwrap_or(&text).split(';') {
            let Some((name, value)) = part.split_once('=') else {
                return Err("has a part without \"=\"; write it like FREQ=WEEKLY;BYDAY=MO,TH".to_owned());
            };
            if seen.contains(&name) {
                return Err(format!("names {name:?} twice; name each part once"));
            }
            seen.push(name);
            parts.read(name, value)?;
        }
        parts.check(start)?;
        parts.finish(start)
    }
}

impl Parts {
    fn read(&mut self, name: &str, value: &str) -> Result<(), String> {
        let advice = match name {
            "FREQ" => {
                self.frequency = frequency(value);
                self.frequency.is_none().then_some("DAILY, WEEKLY, MONTHLY or YEARLY".to_owned())
            }
            "INTERVAL" => {
                self.interval = number(value).filter(|n| (1..=limits::RECURRENCE_INTERVAL).contains(n));
                self.interval.is_none().then(|| format!("a number from 1 to {}", limits::RECURRENCE_INTERVAL))
            }
            "COUNT" => {
                let count = number(value).and_then(|n| u32::try_from(n).ok());
                self.count = count.filter(|n| (1..=limits::RECURRENCE_COUNT).contains(n));
                self.count.is_none().then(|| format!("a number from 1 to {}", limits::RECURRENCE_COUNT))
            }
            "UNTIL" => {
                self.until = Day::parse_basic(value);
                self.until.is_none().then_some("the last local date, such as 20270131".to_owned())
            }
            "WKST" => {
                self.week_start = Weekday::parse_basic(value);
                self.week_start.is_none().then_some("one of MO to SU".to_owned())
            }
            "BYDAY" => {
                let read = list(value, nth_weekday).map(|days| self.weekdays = days);
                read.is_none().then_some("days such as MO,TH, or 1MO and -1FR within months".to_owned())
            }
            "BYMONTHDAY" => {
                let read = list(value, |n| signed(n, 31)).map(|days| self.month_days = days);
                read.is_none().then_some("days from 1 to 31, or from -1 to -31".to_owned())
            }
            "BYMONTH" => {
                let month = |n: &str| signed(n, 12).filter(|month| *month > 0);
                let read = list(value, month).map(|months| self.months = months);
                read.is_none().then_some("months from 1 to 12".to_owned())
            }
            _ => return Err(format!("has the part {name:?}, which is not read here; use {PARTS}")),
        };
        advice.map_or(Ok(()), |advice| Err(format!("has a wrong {name}; give {advice}")))
    }

    /// Do the parts fit each other?
    fn check(&self, start: Option<Day>) -> Result<(), String> {
        let frequency = self.frequency.ok_or("has no FREQ; give FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")?;
        let numbered = self.weekdays.iter().any(|day| day.nth.is_some());
        let within_months = match frequency {
            Frequency::Daily | Frequency::Weekly => false,
            Frequency::Monthly => true,
            Frequency::Yearly => !self.months.is_empty(),
        };
        let no_dates = self.weekdays.is_empty() && self.month_days.is_empty();
        let takes_start = no_dates && frequency != Frequency::Daily;
        let wrong = if numbered && !within_months {
            "numbers its BYDAY; use FREQ=MONTHLY, or name the months with BYMONTH"
        } else if frequency == Frequency::Weekly && !self.month_days.is_empty() {
            "has BYMONTHDAY in weeks; use FREQ=MONTHLY or FREQ=DAILY"
        } else if self.count.is_some() && self.until.is_some() {
            "has COUNT and UNTIL; give one of them"
        } else if start.is_none() && (self.interval.is_some_and(|n| n > 1) || self.count.is_some()) {
            "has INTERVAL or COUNT, which need a first date; give \"start\" beside it"
        } else if start.is_none() && takes_start {
            "does not say on which days; give BYDAY or BYMONTHDAY, or \"start\" beside it"
        } else if self.until.is_some_and(|until| start.is_some_and(|start| until < start)) {
            "ends before its \"start\"; give a later UNTIL"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }

    /// Takes from the start what the text leaves out, and counts.
    fn finish(mut self, start: Option<Day>) -> Result<Recurrence, String> {
        let frequency = self.frequency.unwrap_or(Frequency::Daily);
        if let Some(start) = start.filter(|_| self.weekdays.is_empty() && self.month_days.is_empty()) {
            let date = start.civil();
            match frequency {
                Frequency::Daily => {}
                Frequency::Weekly => self.weekdays = vec![NthWeekday { weekday: start.weekday(), nth: None }],
                Frequency::Monthly => self.month_days = vec![date.day()],
                Frequency::Yearly => {
                    self.month_days = vec![date.day()];
                    if self.months.is_empty() {
                        self.months = vec![date.month()];
                    }
                }
            }
        }
        let mut rule = Recurrence {
            frequency,
            interval: self.interval.unwrap_or(1),
            ends: self.until.map_or(Ends::Never, Ends::On),
            months: self.months,
            month_days: self.month_days,
            weekdays: self.weekdays,
            week_start: self.week_start.unwrap_or(Weekday::MONDAY),
            start,
        };
        if let Some(count) = self.count {
            let years = limits::RECURRENCE_COUNTED_DAYS / 365;
            let late = format!("does not reach its COUNT within {years} years; give UNTIL");
            rule.ends = Ends::After(count, rule.nth(count).ok_or(late)?);
        }
        Ok(rule)
    }
}

fn frequency(value: &str) -> Option<Frequency> {
    Some(match value {
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return None,
    })
}

/// A list with commas, sorted, each value once.
fn list<T: Ord>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut all = value.split(',').map(read).collect::<Option<Vec<T>>>()?;
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// A number without a sign.
fn number(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number with or without a sign, not 0 and not beyond the bound.
fn signed(text: &str, bound: i32) -> Option<i8> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    number(text).filter(|n| (1..=bound).contains(n)).map(|n| (sign * n) as i8)
}

/// `MO`, `1MO` or `-1FR`. No month has a sixth of any day.
fn nth_weekday(text: &str) -> Option<NthWeekday> {
    let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = Weekday::parse_basic(name)?;
    let nth = if nth.is_empty() { None } else { Some(signed(nth, 5)?) };
    Some(NthWeekday { weekday, nth })
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.frequency {
            Frequency::Daily => "FREQ=DAILY",
            Frequency::Weekly => "FREQ=WEEKLY",
            Frequency::Monthly => "FREQ=MONTHLY",
            Frequency::Yearly => "FREQ=YEARLY",
        })?;
        if self.interval > 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        let numbers = |numbers: &[i8]| numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        if !self.months.is_empty() {
            write!(f, ";BYMONTH={}", numbers(&self.months))?;
        }
        if !self.month_days.is_empty() {
            write!(f, ";BYMONTHDAY={}", numbers(&self.month_days))?;
        }
        if !self.weekdays.is_empty() {
            let days = self
                .weekdays
                .iter()
                .map(|day| day.nth.map_or_else(String::new, |nth| nth.to_string()) + day.weekday.basic());
            write!(f, ";BYDAY={}", days.collect::<Vec<_>>().join(","))?;
        }
        if self.week_start != Weekday::MONDAY {
            write!(f, ";WKST={}", self.week_start.basic())?;
        }
        match self.ends {
            Ends::Never => Ok(()),
            Ends::After(count, _) => write!(f, ";COUNT={count}"),
            Ends::On(last) => write!(f, ";UNTIL={}", last.to_string().replace('-', "")),
        }
    }
}

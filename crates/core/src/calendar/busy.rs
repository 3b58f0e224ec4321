//! When somebody is busy, from the events of a calendar: instants out of dates, zones and recurring rules.
//!
//! An event belongs to the zone that it names; a time without one, and a whole day, to the zone of whoever asks.
//! A local time that comes twice is the first of both, and one that a clock leaves out is read with the offset
//! before the gap, as RFC 5545 has it. What is not understood is refused: a rule that nobody obeys would leave
//! somebody free who is not.

use std::collections::{BTreeMap, BTreeSet};

use super::local::Day;
use super::recurrence::Recurrence;
use super::window::{Span, merge};
use super::zone::TimeZone;
use crate::limits::{DAY, Millis};

/// A moment as a calendar writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// An instant.
    Utc(Millis),
    /// A time on the wall, in milliseconds since 1970-01-01 00:00 there: in this zone, or in that of whoever asks.
    Local(i64, Option<TimeZone>),
    /// A whole day, in days since 1970.
    Day(i32),
}

/// How long an event lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// Until then.
    Until(Moment),
    /// So long: whole days as the wall has them, then real time.
    For {
        /// Days.
        days: u32,
        /// Milliseconds.
        ms: Millis,
    },
    /// As its start is written: a whole day, or no time at all.
    Unsaid,
}

/// One event of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyEvent {
    /// Its id: a series and what differs from it have the same.
    pub uid: String,
    /// When it begins, for the first time.
    pub start: Moment,
    /// How long it lasts.
    pub length: Length,
    /// The rule by which it comes again.
    pub rule: Option<String>,
    /// When it does not come although the rule says so.
    pub except: Vec<Moment>,
    /// The time of the series in whose place it stands.
    pub instead_of: Option<Moment>,
    /// Does it take time at all? What is called off or free does not, but may stand in a series' place.
    pub busy: bool,
}

/// When somebody with these events is busy within a window, sorted and without overlap.
///
/// ```
/// use deskbell_core::calendar::{BusyEvent, Length, Moment, Span, TimeZone, busy};
/// let hour = 3_600_000;
/// let event = BusyEvent {
///     uid: "1".to_owned(),
///     start: Moment::Utc(9 * hour),
///     length: Length::For { days: 0, ms: hour },
///     rule: Some("FREQ=DAILY;COUNT=2".to_owned()),
///     except: Vec::new(),
///     instead_of: None,
///     busy: true,
/// };
/// let utc = TimeZone::parse("UTC")?;
/// let spans = busy(&[event], &utc, Span { start: 0, end: 100 * hour }).unwrap();
/// assert_eq!(spans, [Span { start: 9 * hour, end: 10 * hour }, Span { start: 33 * hour, end: 34 * hour }]);
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
pub fn busy(events: &[BusyEvent], zone: &TimeZone, window: Span) -> Result<Vec<Span>, String> {
    let mut replaced: BTreeMap<&str, Exceptions> = BTreeMap::new();
    for event in events {
        if let Some(moment) = &event.instead_of {
            replaced.entry(&event.uid).or_default().add(moment, zone);
        }
    }
    let none = Exceptions::default();
    let mut spans = Vec::new();
    for event in events.iter().filter(|event| event.busy) {
        let own = if event.instead_of.is_some() { &none } else { replaced.get(&*event.uid).unwrap_or(&none) };
        let series =
            Series::of(event, zone).map_err(|why| format!("the event {:?} {why}", short(&event.uid)))?;
        series.add(own, window, &mut spans);
    }
    Ok(merge(spans).into_iter().map(|(start, end)| Span { start: start as u64, end: end as u64 }).collect())
}

fn short(uid: &str) -> String {
    uid.chars().take(60).collect()
}

/// Times at which a series does not come: instants, and whole days on its own wall.
#[derive(Debug, Default)]
struct Exceptions {
    instants: BTreeSet<i64>,
    days: BTreeSet<i32>,
}

impl Exceptions {
    fn add(&mut self, moment: &Moment, zone: &TimeZone) {
        match moment {
            Moment::Day(day) => {
                self.days.insert(*day);
            }
            other => {
                self.instants.insert(instant(other, zone));
            }
        }
    }

    fn has(&self, at: i64, local: i64) -> bool {
        self.instants.contains(&at) || self.days.contains(&Day::at(local).0)
    }
}

/// The instant of a moment; of a whole day its beginning.
fn instant(moment: &Moment, zone: &TimeZone) -> i64 {
    match moment {
        Moment::Utc(at) => *at as i64,
        Moment::Local(local, own) => own.as_ref().unwrap_or(zone).instant(*local),
        Moment::Day(day) => zone.instant(Day(*day).midnight()),
    }
}

/// An event in the zone on whose wall it comes again.
struct Series {
    /// `None`: the wall shows UTC.
    zone: Option<TimeZone>,
    /// The first start, on the wall.
    local: i64,
    days: i64,
    ms: i64,
    rule: Option<Recurrence>,
    except: Exceptions,
}

impl Series {
    fn of(event: &BusyEvent, zone: &TimeZone) -> Result<Self, String> {
        let (own, local) = match &event.start {
            Moment::Utc(at) => (None, *at as i64),
            Moment::Local(local, own) => (Some(own.as_ref().unwrap_or(zone).clone()), *local),
            Moment::Day(day) => (Some(zone.clone()), Day(*day).midnight()),
        };
        let (days, ms) = match (&event.length, &event.start) {
            (Length::For { days, ms }, _) => (i64::from(*days), *ms as i64),
            (Length::Unsaid, Moment::Day(_)) => (1, 0),
            (Length::Unsaid, _) => (0, 0),
            (Length::Until(Moment::Day(end)), Moment::Day(start)) => (i64::from(end - start), 0),
            (Length::Until(end), start) => (0, instant(end, zone) - instant(start, zone)),
        };
        if days < 0 || ms < 0 {
            return Err("ends before it begins; mend it in its calendar".to_owned());
        }
        let mut except = Exceptions::default();
        event.except.iter().for_each(|moment| except.add(moment, zone));
        let rule = match &event.rule {
            None => None,
            Some(text) => rule(text, local, own.as_ref())?,
        };
        Ok(Self { zone: own, local, days, ms, rule, except })
    }

    fn instant(&self, local: i64) -> i64 {
        self.zone.as_ref().map_or(local, |zone| zone.instant(local))
    }

    /// Adds every time at which it comes within the window.
    fn add(&self, replaced: &Exceptions, window: Span, spans: &mut Vec<(i64, i64)>) {
        let (from, until) = (window.start as i64, window.end as i64);
        let mut put = |local: i64| {
            let at = self.instant(local);
            let end = self.instant(local + self.days * DAY as i64) + self.ms;
            if at < until && from < end && !self.except.has(at, local) && !replaced.has(at, local) {
                spans.push((at.max(0), end));
            }
        };
        put(self.local);
        let Some(rule) = &self.rule else { return };
        // An offset moves a time by less than a day, and what is going on began up to its length before.
        let before = self.days + self.ms / DAY as i64 + 2;
        let first = Day::at(self.local);
        let begin = (i64::from(Day::at(from).0) - before).max(i64::from(first.0) + 1) as i32;
        let time = self.local - first.midnight();
        for day in (begin..=Day::at(until).0 + 1).map(Day).filter(|day| rule.names(*day)) {
            put(day.midnight() + time);
        }
    }
}

/// Reads a rule. Calendars end one at an instant, which is here the last date on the series' own wall. A rule
/// that ended before it began leaves the first time alone.
fn rule(text: &str, local: i64, own: Option<&TimeZone>) -> Result<Option<Recurrence>, String> {
    let start = Day::at(local);
    let mut parts = Vec::new();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let Some(value) = part.to_ascii_uppercase().strip_prefix("UNTIL=").map(str::to_owned) else {
            parts.push(part.to_owned());
            continue;
        };
        let last = last_day(&value, local - start.midnight(), own).ok_or_else(|| {
            format!("has an UNTIL that is no date and no time ({}); mend it in its calendar", short(&value))
        })?;
        if last < start {
            return Ok(None);
        }
        parts.push(format!("UNTIL={}", last.to_string().replace('-', "")));
    }
    let rule = Recurrence::parse(&parts.join(";"), Some(start));
    rule.map(Some).map_err(|why| format!("comes again by a rule that {why}"))
}

fn last_day(value: &str, time: i64, own: Option<&TimeZone>) -> Option<Day> {
    let Some((date, clock)) = value.split_once('T') else { return Day::parse_basic(value) };
    let day = Day::parse_basic(date)?;
    let (clock, is_utc) = clock.strip_suffix('Z').map_or((clock, false), |clock| (clock, true));
    let until = day.midnight() + time_of_day(clock)?;
    let offset = |zone: &TimeZone| i64::from(zone.offset(until.max(0) as u64)) * 1_000;
    let until = if is_utc { until + own.map_or(0, offset) } else { until };
    let last = Day::at(until);
    Some(if until - last.midnight() >= time { last } else { Day(last.0 - 1) })
}

/// Milliseconds of a day's time that is written as six digits. A leap second is the one before it.
pub fn time_of_day(text: &str) -> Option<i64> {
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| text[at..at + 2].parse::<i64>().ok();
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?.min(59));
    (hour < 24 && minute < 60).then_some(((hour * 60 + minute) * 60 + second) * 1_000)
}

/// Days since 1970 of a date that is written as eight digits.
pub fn day_of(text: &str) -> Option<i32> {
    Day::parse_basic(text).map(|day| day.0)
}

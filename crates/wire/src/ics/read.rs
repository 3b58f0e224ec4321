//! A calendar's text becomes events.

use std::collections::BTreeMap;

use deskbell_core::calendar::{BusyEvent, Length, Moment, TimeZone, day_of, time_of_day};
use deskbell_core::limits::{self, DAY, HOUR, MINUTE, SECOND};
use deskbell_core::refusal::{Code, Refusal};

use super::line::{Line, lines};
use super::names;

/// Components within each other: a calendar, an event, its alarm, and some to spare.
const DEPTH: usize = 8;

/// The lines of an event that say something about time.
const READ: [&str; 11] = [
    "UID",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "RECURRENCE-ID",
    "STATUS",
    "TRANSP",
];

/// Reads the events of a calendar. What it does not understand of them is refused, and never passed over.
///
/// ```
/// let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260601T080000Z\r\nDURATION:PT1H\r\n\
///             END:VEVENT\r\nEND:VCALENDAR\r\n";
/// assert_eq!(deskbell_wire::ics::read(text.as_bytes()).unwrap().len(), 1);
/// assert!(deskbell_wire::ics::read(b"<html>").is_err());
/// ```
pub fn read(bytes: &[u8]) -> Result<Vec<BusyEvent>, Refusal> {
    if bytes.len() > limits::CALENDAR_TEXT {
        let most = limits::CALENDAR_TEXT / (1024 * 1024);
        return Err(Refusal::new(
            Code::TooLarge,
            format!("a calendar has at most {most} MiB; send less of its past"),
        ));
    }
    // Only texts that nobody reads here may hold what is no UTF-8.
    let text = String::from_utf8_lossy(bytes);
    let mut calendar = Calendar::default();
    for line in lines(&text) {
        let line = line.ok_or_else(|| wrong("has a line without a name and a colon; is it an iCalendar?"))?;
        calendar.take(line)?;
    }
    if !calendar.open.is_empty() || !calendar.ended {
        return Err(wrong("breaks off before END:VCALENDAR; send all of it"));
    }
    let Calendar { events, zones, .. } = calendar;
    events.into_iter().map(|event| event.finish(&zones)).collect()
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("the calendar {what}"))
}

#[derive(Default)]
struct Calendar {
    open: Vec<String>,
    ended: bool,
    events: Vec<Raw>,
    /// Names of zones that the calendar defines itself, with the zone that it says they are.
    zones: BTreeMap<String, TimeZone>,
    zone: (Option<String>, Option<String>),
}

/// The lines of an event that matter.
#[derive(Default)]
struct Raw(Vec<Line>);

impl Calendar {
    fn take(&mut self, line: Line) -> Result<(), Refusal> {
        match line.name.as_str() {
            "BEGIN" => self.begin(&line.value),
            "END" => self.end(&line.value),
            _ if self.open.is_empty() => {
                Err(wrong("has lines outside of BEGIN:VCALENDAR; is it an iCalendar?"))
            }
            _ => {
                self.line(line);
                Ok(())
            }
        }
    }

    fn begin(&mut self, name: &str) -> Result<(), Refusal> {
        let name = name.trim().to_ascii_uppercase();
        if self.open.is_empty() != (name == "VCALENDAR") {
            return Err(wrong("does not begin with BEGIN:VCALENDAR; is it an iCalendar?"));
        }
        if self.open.len() == DEPTH {
            return Err(wrong("has components within components within components; send a simpler one"));
        }
        match name.as_str() {
            "VEVENT" if self.events.len() == limits::CALENDAR_EVENTS => {
                let most = limits::CALENDAR_EVENTS;
                let sentence = format!("a calendar has at most {most} events; send less of its past");
                return Err(Refusal::new(Code::LimitReached, sentence));
            }
            "VEVENT" if self.open.len() != 1 => {
                return Err(wrong("has an event within something else; send events alone"));
            }
            "VEVENT" => self.events.push(Raw::default()),
            "VFREEBUSY" => {
                return Err(wrong(
                    "has VFREEBUSY, which is not read here; send events, or a list of times as JSON",
                ));
            }
            "VTIMEZONE" => self.zone = (None, None),
            _ => {}
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Refusal> {
        let name = name.trim().to_ascii_uppercase();
        if self.open.pop().as_deref() != Some(name.as_str()) {
            return Err(wrong("ends a component that did not begin; send all of it"));
        }
        if name == "VTIMEZONE"
            && let (Some(id), Some(place)) = std::mem::take(&mut self.zone)
            && let Some(zone) = names::zone(&place)
        {
            self.zones.insert(id, zone);
        }
        self.ended |= name == "VCALENDAR";
        Ok(())
    }

    /// Lines of an event itself, and of a zone; those of alarms and of everything else are nobody's.
    fn line(&mut self, line: Line) {
        match (self.open.last().map(String::as_str), line.name.as_str()) {
            (Some("VEVENT"), name) if READ.contains(&name) => {
                if let Some(Raw(lines)) = self.events.last_mut() {
                    lines.push(line);
                }
            }
            (Some("VTIMEZONE"), "TZID") => self.zone.0 = Some(line.value),
            (Some("VTIMEZONE"), "X-LIC-LOCATION") => self.zone.1 = Some(line.value),
            _ => {}
        }
    }
}

impl Raw {
    fn finish(self, zones: &BTreeMap<String, TimeZone>) -> Result<BusyEvent, Refusal> {
        let uid = self.one("UID").ok().flatten().map_or(String::new(), |line| line.value.trim().to_owned());
        let named: String = uid.chars().take(60).collect();
        self.event(uid, zones).map_err(|why| wrong(&format!("has the event {named:?}, which {why}")))
    }

    fn event(&self, uid: String, zones: &BTreeMap<String, TimeZone>) -> Result<BusyEvent, String> {
        if self.0.iter().any(|line| line.cut) {
            return Err("has a line that is far too long; mend it in its calendar".to_owned());
        }
        for unread in ["RDATE", "EXRULE"] {
            if self.0.iter().any(|line| line.name == unread) {
                return Err(format!(
                    "has {unread}, which is not read here; make single events of those dates"
                ));
            }
        }
        let start = self.one("DTSTART")?.ok_or("has no DTSTART; mend it in its calendar")?;
        let start = moment(start, &start.value, zones)?;
        let length = match (self.one("DTEND")?, self.one("DURATION")?) {
            (Some(_), Some(_)) => return Err("has DTEND and DURATION; mend it in its calendar".to_owned()),
            (Some(end), None) => Length::Until(moment(end, &end.value, zones)?),
            (None, Some(text)) => duration(text.value.trim()).ok_or_else(|| {
                format!("lasts {:?}, which is no duration; mend it in its calendar", cut(&text.value))
            })?,
            (None, None) => Length::Unsaid,
        };
        if let Length::Until(end) = &length
            && matches!(end, Moment::Day(_)) != matches!(start, Moment::Day(_))
        {
            return Err("begins with a date and ends with a time, or the other way round; mend it".to_owned());
        }
        let instead_of = self.one("RECURRENCE-ID")?;
        if instead_of.is_some_and(|line| line.parameter("RANGE").is_some()) {
            return Err(
                "changes the rest of its series (RANGE), which is not read here; split the series".to_owned()
            );
        }
        let mut except = Vec::new();
        for line in self.0.iter().filter(|line| line.name == "EXDATE") {
            for value in line.value.split(',') {
                except.push(moment(line, value, zones)?);
            }
        }
        if except.len() > limits::CALENDAR_EXCEPTIONS {
            return Err(format!("has more than {} EXDATE; split the series", limits::CALENDAR_EXCEPTIONS));
        }
        let word =
            |name| self.one(name).map(|line| line.map_or("", |line| line.value.trim()).to_ascii_uppercase());
        Ok(BusyEvent {
            uid,
            start,
            length,
            rule: self.one("RRULE")?.map(|line| line.value.trim().to_owned()),
            except,
            instead_of: instead_of.map(|line| moment(line, &line.value, zones)).transpose()?,
            busy: word("TRANSP")? != "TRANSPARENT" && word("STATUS")? != "CANCELLED",
        })
    }

    fn one(&self, name: &str) -> Result<Option<&Line>, String> {
        let mut found = self.0.iter().filter(|line| line.name == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(format!("has {name} twice; mend it in its calendar")),
            (line, None) => Ok(line),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A date, a time in UTC, a time in a zone, or a time on any wall.
fn moment(line: &Line, value: &str, zones: &BTreeMap<String, TimeZone>) -> Result<Moment, String> {
    let value = value.trim();
    let bad = || {
        format!("has the {} {:?}, which is no date and no time from 1970 on; mend it", line.name, cut(value))
    };
    if line.parameter("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE")) || value.len() == 8 {
        return day_of(value).map(Moment::Day).ok_or_else(bad);
    }
    let (date, time) = value.split_once(['T', 't']).ok_or_else(bad)?;
    let (time, is_utc) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, true),
        None => (time, false),
    };
    let day = i64::from(day_of(date).ok_or_else(bad)?);
    let local = day * DAY as i64 + time_of_day(time).ok_or_else(bad)?;
    if is_utc {
        return Ok(Moment::Utc(local as u64));
    }
    let Some(name) = line.parameter("TZID") else { return Ok(Moment::Local(local, None)) };
    let zone = names::zone(name).or_else(|| zones.get(name).cloned());
    let zone = zone.ok_or_else(|| {
        format!(
            "is in the time zone {:?}, which is not known; name an IANA zone such as Europe/Oslo",
            cut(name)
        )
    })?;
    Ok(Moment::Local(local, Some(zone)))
}

/// `P1W`, `P1DT2H3M4S` and their parts.
fn duration(text: &str) -> Option<Length> {
    let rest = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (dates, times) = rest.split_once('T').map_or((rest, None), |(dates, times)| (dates, Some(times)));
    let mut days = 0_u64;
    for (number, unit) in parts(dates)? {
        days += number.checked_mul(match unit {
            'W' => 7,
            'D' => 1,
            _ => return None,
        })?;
    }
    let mut ms = 0_u64;
    for (number, unit) in parts(times.unwrap_or_default())? {
        ms += number.checked_mul(match unit {
            'H' => HOUR,
            'M' => MINUTE,
            'S' => SECOND,
            _ => return None,
        })?;
    }
    let is_empty = dates.is_empty() && times.is_none_or(str::is_empty);
    (!is_empty).then_some(Length::For { days: u32::try_from(days).ok()?, ms })
}

/// Numbers of at most six digits, each with the letter behind it.
fn parts(text: &str) -> Option<Vec<(u64, char)>> {
    let (mut found, mut digits) = (Vec::new(), String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if digits.len() > 6 {
            return None;
        }
        found.push((digits.parse().ok()?, c));
        digits.clear();
    }
    digits.is_empty().then_some(found)
}

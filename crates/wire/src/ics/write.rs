//! Bookings become a calendar's text. All times are in UTC, so no zone has to be told with them.

use deskbell_core::limits::Millis;

use super::line::{escape, push};
use crate::ledger::time;

/// A calendar of bookings.
#[derive(Debug)]
pub struct Feed<'a> {
    /// What programs show as its name.
    pub name: &'a str,
    /// Its events.
    pub events: Vec<FeedEvent<'a>>,
}

/// One event.
#[derive(Debug)]
pub struct FeedEvent<'a> {
    /// Its id, the same in every text.
    pub uid: String,
    /// When it begins.
    pub start: Millis,
    /// When it ends.
    pub end: Millis,
    /// How certain it is.
    pub status: Status,
    /// One line for people.
    pub summary: &'a str,
    /// Where it is.
    pub location: &'a str,
    /// Rises with each change.
    pub sequence: u64,
    /// When it was made.
    pub created: Millis,
    /// When it was changed last.
    pub modified: Millis,
}

/// How certain an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is held or asked for.
    Tentative,
    /// It is booked.
    Confirmed,
    /// It was called off.
    Cancelled,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Tentative => "TENTATIVE",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Feed<'_> {
    /// The text. The same bookings make the same text, whenever it is made.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(512 * (self.events.len() + 1));
        push("BEGIN", "VCALENDAR", &mut out);
        push("VERSION", "2.0", &mut out);
        push("PRODID", "-//Deskbell//Deskbell//EN", &mut out);
        push("CALSCALE", "GREGORIAN", &mut out);
        push("METHOD", "PUBLISH", &mut out);
        push("NAME", &escape(self.name), &mut out);
        push("X-WR-CALNAME", &escape(self.name), &mut out);
        push("REFRESH-INTERVAL;VALUE=DURATION", "PT15M", &mut out);
        push("X-PUBLISHED-TTL", "PT15M", &mut out);
        self.events.iter().for_each(|event| event.write(&mut out));
        push("END", "VCALENDAR", &mut out);
        out
    }
}

impl FeedEvent<'_> {
    fn write(&self, out: &mut String) {
        push("BEGIN", "VEVENT", out);
        push("UID", &escape(&self.uid), out);
        // In a published calendar this is the time of the last change, and so the same in every text.
        push("DTSTAMP", &instant(self.modified), out);
        push("CREATED", &instant(self.created), out);
        push("LAST-MODIFIED", &instant(self.modified), out);
        push("DTSTART", &instant(self.start), out);
        push("DTEND", &instant(self.end), out);
        // An integer of a calendar has 31 bits.
        push("SEQUENCE", &self.sequence.min(i32::MAX as u64).to_string(), out);
        push("STATUS", self.status.word(), out);
        let transparent = self.status == Status::Cancelled;
        push("TRANSP", if transparent { "TRANSPARENT" } else { "OPAQUE" }, out);
        push("SUMMARY", &escape(self.summary), out);
        push("LOCATION", &escape(self.location), out);
        push("END", "VEVENT", out);
    }
}

/// `20260601T080000Z`.
fn instant(at: Millis) -> String {
    time::to_text(at).replace(['-', ':'], "")
}

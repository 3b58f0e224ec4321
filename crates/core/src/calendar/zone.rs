//! Time zones of the built-in database, and the wall clock of one zone around a window.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::window::Window;
use crate::limits::{self, DAY, Millis};
use crate::refusal::{Code, Refusal};

/// How far around a window the wall clock is known. Rules begin up to three dates before it, and an
/// offset moves a date by up to one more.
const MARGIN: i64 = 6 * DAY as i64;

/// A zone of the IANA database that is built into the program: the same on every machine.
///
/// ```
/// use deskbell_core::calendar::TimeZone;
/// assert_eq!(TimeZone::parse("europe/oslo")?.id(), "Europe/Oslo");
/// assert!(TimeZone::parse("Oslo").is_err());
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    /// Finds a zone by its id; upper and lower case do not matter.
    pub fn parse(id: &str) -> Result<Self, Refusal> {
        let refuse = |found: &str| {
            let sentence =
                format!("the time zone {found} is not known; give an IANA id such as \"Europe/Oslo\"");
            Err(Refusal::new(Code::BadField, sentence))
        };
        if id.len() > limits::ZONE_ID {
            return refuse(&format!("with an id of {} bytes", id.len()));
        }
        match TimeZoneDatabase::bundled().get(id) {
            // jiff answers its own "Etc/Unknown" with UTC, which nobody meant.
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some() => Ok(Self(zone)),
            _ => refuse(&format!("{id:?}")),
        }
    }

    /// The zone's id, as the database spells it.
    pub fn id(&self) -> &str {
        self.0.iana_name().expect("a zone without a name was refused when it was parsed")
    }

    /// The id of every zone that [`TimeZone::parse`] knows.
    ///
    /// ```
    /// use deskbell_core::calendar::TimeZone;
    /// assert!(TimeZone::ids().any(|id| id == "Pacific/Apia"));
    /// ```
    pub fn ids() -> impl Iterator<Item = String> {
        let all = TimeZoneDatabase::bundled();
        let ids: Vec<String> = all.available().map(|name| name.as_str().to_owned()).collect();
        ids.into_iter().filter(|id| Self::parse(id).is_ok())
    }

    /// Seconds that a wall clock is ahead of UTC at an instant; negative where it is behind.
    ///
    /// ```
    /// use deskbell_core::calendar::TimeZone;
    /// assert_eq!(TimeZone::parse("Asia/Kathmandu")?.offset(1_774_738_800_000), 5 * 3_600 + 45 * 60);
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn offset(&self, at: Millis) -> i32 {
        self.0.to_offset(timestamp(i64::try_from(at).unwrap_or(i64::MAX))).seconds()
    }

    /// The instant of a local time, in milliseconds since 1970 on the wall. Of two it is the first; in a gap the
    /// offset before it counts.
    pub(super) fn instant(&self, local: i64) -> i64 {
        let wall = Offset::UTC.to_datetime(timestamp(local));
        let at = self.0.to_ambiguous_timestamp(wall).compatible();
        // Only beyond the years that the database can name is there no instant.
        at.map_or(local, Timestamp::as_millisecond)
    }

    /// The same where the clock shows that time at all: nothing in a gap.
    pub(super) fn shown(&self, local: i64) -> Option<i64> {
        let wall = self.0.to_ambiguous_timestamp(Offset::UTC.to_datetime(timestamp(local)));
        let jumps = matches!(wall.offset(), AmbiguousOffset::Gap { .. });
        (!jumps).then(|| self.instant(local))
    }

    /// The wall clock around a window.
    pub(super) fn wall_clock(&self, window: Window) -> WallClock {
        let span = window.span();
        let begin = timestamp(span.start as i64 - MARGIN);
        let end = timestamp(span.end as i64 + MARGIN);
        let millis = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1_000;
        let first = Run { start: i64::MIN, end: i64::MAX, offset: millis(self.0.to_offset(begin)) };
        let mut runs = vec![first];
        for transition in self.0.following(begin) {
            if transition.timestamp() >= end {
                break;
            }
            // Some transitions only change the zone's abbreviation.
            let offset = millis(transition.offset());
            let last = runs.last_mut().expect("the first run is there");
            if offset != last.offset {
                let start = transition.timestamp().as_millisecond();
                last.end = start;
                runs.push(Run { start, end: i64::MAX, offset });
            }
        }
        WallClock { runs }
    }
}

/// An instant, kept inside what the database can name.
fn timestamp(at: i64) -> Timestamp {
    let (earliest, latest) = (Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
    Timestamp::from_millisecond(at.clamp(earliest, latest)).expect("it was clamped to what can be named")
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::parse(&id).map_err(|refusal| de::Error::custom(refusal.message))
    }
}

/// A time in which the offset does not change. All in milliseconds.
#[derive(Debug)]
struct Run {
    start: i64,
    end: i64,
    offset: i64,
}

/// What a zone's wall clock shows around a window: runs of one offset each, without holes.
///
/// Local times are milliseconds since 1970-01-01 00:00 on the wall.
#[derive(Debug)]
pub(super) struct WallClock {
    runs: Vec<Run>,
}

impl WallClock {
    /// The local time at an instant.
    pub fn local(&self, at: i64) -> i64 {
        let run = self.runs.iter().find(|run| at < run.end).expect("the last run does not end");
        at + run.offset
    }

    /// The first instant at which the clock shows this local time or a later one.
    pub fn reaches(&self, local: i64) -> i64 {
        let firsts = self.runs.iter().map(|run| (run.start.max(local - run.offset), run.end));
        let mut inside = firsts.filter(|(first, end)| first < end);
        inside.next().expect("the last run does not end").0
    }

    /// The instant from which on the clock never again shows an earlier local time.
    pub fn leaves(&self, local: i64) -> i64 {
        let lasts = self.runs.iter().rev().map(|run| (run.start, run.end, local - run.offset));
        let mut inside = lasts.filter(|(start, _, last)| start < last);
        let (_, end, last) = inside.next().expect("the first run has no beginning");
        last.min(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60;

    /// Clocks in minutes: an hour missing at 100, an hour twice at 1000.
    fn clock() -> WallClock {
        WallClock {
            runs: vec![
                Run { start: i64::MIN, end: 100, offset: 0 },
                Run { start: 100, end: 1_000, offset: HOUR },
                Run { start: 1_000, end: i64::MAX, offset: 0 },
            ],
        }
    }

    #[test]
    fn in_a_gap_both_ends_move_behind_it() {
        for local in [100, 101, 159, 160] {
            assert_eq!((clock().reaches(local), clock().leaves(local)), (100, 100), "{local}");
        }
        assert_eq!((clock().reaches(99), clock().leaves(99)), (99, 99));
        assert_eq!((clock().reaches(161), clock().leaves(161)), (101, 101));
    }

    #[test]
    fn in_a_fold_the_first_occurrence_begins_and_the_last_ends() {
        assert_eq!((clock().reaches(1_000), clock().leaves(1_000)), (940, 940), "its edge ends before it");
        assert_eq!((clock().reaches(1_001), clock().leaves(1_001)), (941, 1_001));
        assert_eq!((clock().reaches(1_059), clock().leaves(1_059)), (999, 1_059));
        assert_eq!((clock().reaches(1_060), clock().leaves(1_060)), (1_060, 1_060));
    }

    #[test]
    fn the_clock_shows_the_offset_of_its_run() {
        assert_eq!([99, 100, 999, 1_000].map(|at| clock().local(at)), [99, 160, 1_059, 1_000]);
    }

    #[test]
    fn an_unknown_zone_is_refused_with_what_to_give() {
        for id in ["", "Oslo", "Etc/Unknown", "+02:00", "CET-1CEST", "../etc/passwd", &"x".repeat(100)] {
            let refusal = TimeZone::parse(id).unwrap_err();
            assert_eq!(refusal.code, Code::BadField, "{id}");
            assert!(refusal.message.contains("give an IANA id"), "{refusal}");
        }
    }

    #[test]
    fn a_zone_is_its_id_in_json() {
        let zone: TimeZone = serde_json::from_str(r#""america/st_johns""#).unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), r#""America/St_Johns""#);
        assert!(serde_json::from_str::<TimeZone>(r#""Mars/Base""#).unwrap_err().to_string().contains("IANA"));
    }
}

//! A date and a time of the day, as a site writes an appointment: what a wall clock shows, to the minute.

use std::fmt;

use super::local::Day;
use super::window::Span;
use super::zone::TimeZone;
use crate::limits::{DAY, MINUTE, Millis};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A date of the years 1970 to 9998.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(Day);

impl Date {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        Day::parse(text).map(Self)
    }

    /// The date that a zone's wall clock shows at an instant.
    pub fn at(zone: &TimeZone, at: Millis) -> Self {
        Self(Day::at(local(zone, at)))
    }

    /// From its first instant to the first one of the next date: 23 to 25 hours, mostly 24.
    ///
    /// ```
    /// use deskbell_core::calendar::{Date, TimeZone};
    /// let oslo = TimeZone::parse("Europe/Oslo")?;
    /// let hours = |date| Date::parse(date).unwrap().span(&oslo).length() / 3_600_000;
    /// assert_eq!([hours("2026-03-28"), hours("2026-03-29"), hours("2026-10-25")], [24, 23, 25]);
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn span(self, zone: &TimeZone) -> Span {
        let begin = |local: i64| Millis::try_from(zone.instant(local)).unwrap_or(0);
        let midnight = self.0.midnight();
        Span { start: begin(midnight), end: begin(midnight + DAY as i64) }
    }

    /// A time of this date.
    ///
    /// # Panics
    /// Where the date has no such minute.
    pub fn minute(self, minute: u16) -> Wall {
        assert!(minute < DAY_MINUTES, "a date has no minute {minute}");
        Wall { date: self, minute }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A minute of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall {
    date: Date,
    minute: u16,
}

impl Wall {
    /// Reads a date and a time of the day: `9:30`, `09:30` or `09:30:00`, as forms and databases write them.
    ///
    /// ```
    /// use deskbell_core::calendar::Wall;
    /// let wall = Wall::parse("2025-11-03", "9:30").unwrap();
    /// assert_eq!((wall.date().to_string(), wall.time()), ("2025-11-03".to_owned(), "09:30".to_owned()));
    /// assert_eq!(Wall::parse("2025-11-03", "9:300"), None);
    /// ```
    pub fn parse(date: &str, time: &str) -> Option<Self> {
        let date = Date::parse(date)?;
        let (hour, rest) = time.split_once(':')?;
        let minute = rest.strip_suffix(":00").unwrap_or(rest);
        let digits = |text: &str, least: usize| {
            let fits = (least..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let (hour, minute) = (digits(hour, 1)?, digits(minute, 2)?);
        (hour < 24 && minute < 60).then_some(Self { date, minute: hour * 60 + minute })
    }

    /// What a zone's wall clock shows at an instant.
    pub fn at(zone: &TimeZone, at: Millis) -> Self {
        let minute = local(zone, at).rem_euclid(DAY as i64) / MINUTE as i64;
        Self { date: Date::at(zone, at), minute: minute as u16 }
    }

    /// The first instant at which a zone's clock shows this; nothing, where the clock jumps over it.
    pub fn instant(self, zone: &TimeZone) -> Option<Millis> {
        let local = self.date.0.midnight() + i64::from(self.minute) * MINUTE as i64;
        zone.shown(local).and_then(|at| Millis::try_from(at).ok())
    }

    /// The date.
    pub const fn date(self) -> Date {
        self.date
    }

    /// The time of the day as `HH:MM`.
    pub fn time(self) -> String {
        format!("{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

/// What a zone's wall clock shows, in milliseconds since 1970 on the wall.
fn local(zone: &TimeZone, at: Millis) -> i64 {
    at as i64 + i64::from(zone.offset(at)) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_has_the_forms_of_pages_and_databases() {
        let time = |text| Wall::parse("2025-11-03", text).map(Wall::time);
        for (text, read) in [("9:00", "09:00"), ("09:00", "09:00"), ("23:59", "23:59"), ("10:00:00", "10:00")]
        {
            assert_eq!(time(text).as_deref(), Some(read), "{text}");
        }
        for wrong in [
            "",
            "9",
            "9:0",
            "9:300",
            "9:60",
            "24:00",
            "009:00",
            "-1:00",
            "10:00:01",
            "10:00:00:00",
            " 9:00",
            "9.00",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        assert_eq!(Wall::parse("2025-02-29", "10:00"), None);
    }

    #[test]
    fn a_clock_that_jumps_shows_some_times_never_and_others_twice() {
        let oslo = TimeZone::parse("Europe/Oslo").unwrap();
        let at = |date, time| Wall::parse(date, time).unwrap().instant(&oslo);
        // 29 March 2026: from 02:00 to 03:00.
        assert_eq!(at("2026-03-29", "01:30"), Some(1_774_744_200_000));
        assert_eq!(at("2026-03-29", "02:30"), None);
        assert_eq!(at("2026-03-29", "03:00"), Some(1_774_746_000_000));
        // 25 October 2026: from 03:00 back to 02:00. The first of the two counts, and both are shown as one.
        let first = at("2026-10-25", "02:30").unwrap();
        assert_eq!(first, 1_792_888_200_000);
        let second = Wall::at(&oslo, first + 60 * MINUTE);
        assert_eq!((second.date().to_string().as_str(), second.time().as_str()), ("2026-10-25", "02:30"));
    }

    proptest! {
        /// Whatever the zone: a time that a clock shows is read back from its instant.
        #[test]
        fn an_instant_and_its_time_belong_together(at in 0..253_000_000_000_000_u64, nth in any::<prop::sample::Index>()) {
            let ids: Vec<String> = TimeZone::ids().collect();
            let zone = TimeZone::parse(&ids[nth.index(ids.len())]).unwrap();
            let wall = Wall::at(&zone, at);
            let again = Wall::parse(&wall.date().to_string(), &wall.time());
            prop_assert_eq!(again, Some(wall));
            if let Some(first) = wall.instant(&zone) {
                prop_assert_eq!(Wall::at(&zone, first), wall);
                prop_assert!(first <= at);
            }
        }
    }
}

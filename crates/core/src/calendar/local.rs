//! Local dates, days of the week and times of the day, each with its text form.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::limits::DAY;

const DAY_MINUTES: u16 = 24 * 60;

/// A date as the number of days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub i32);

impl Day {
    /// Reads `YYYY-MM-DD` of the years 1970 to 9998.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        Self::of(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?)
    }

    /// Reads `YYYYMMDD`, as iCalendar writes dates.
    pub fn parse_basic(text: &str) -> Option<Self> {
        let part = |from, to| text.get(from..to);
        Self::of(digits(part(0, 4)?, 4)?, digits(part(4, 6)?, 2)?, digits(text.get(6..)?, 2)?)
    }

    fn of(year: u16, month: u16, day: u16) -> Option<Self> {
        let years = 1970..=9998;
        let date = Date::new(i16::try_from(year).ok()?, month as i8, day as i8).ok()?;
        years.contains(&year).then(|| {
            let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).expect("the year is at most 9998");
            Self((midnight.as_second() / 86_400) as i32)
        })
    }

    /// The date on the wall at a local time.
    pub fn at(local: i64) -> Self {
        Self(local.div_euclid(DAY as i64) as i32)
    }

    /// Local midnight at its beginning.
    pub fn midnight(self) -> i64 {
        i64::from(self.0) * DAY as i64
    }

    /// Year, month and day.
    pub fn civil(self) -> Date {
        let midnight = Timestamp::from_second(i64::from(self.0) * 86_400);
        Offset::UTC.to_datetime(midnight.expect("a window ends before the year 9999")).date()
    }

    /// The day of the week. 1970-01-01 was a Thursday.
    pub fn weekday(self) -> Weekday {
        Weekday((self.0 + 3).rem_euclid(7) as u8)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.civil();
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

/// A number of exactly so many digits: neither sign nor space.
fn digits(text: &str, count: usize) -> Option<u16> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A day of the week; Monday is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weekday(pub u8);

impl Weekday {
    pub const MONDAY: Self = Self(0);
    const NAMES: [(&str, &str); 7] = [
        ("mon", "MO"),
        ("tue", "TU"),
        ("wed", "WE"),
        ("thu", "TH"),
        ("fri", "FR"),
        ("sat", "SA"),
        ("sun", "SU"),
    ];

    /// Reads `mon` to `sun`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|(long, _)| *long == name).map(|index| Self(index as u8))
    }

    /// Reads `MO` to `SU`.
    pub fn parse_basic(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|(_, short)| *short == name).map(|index| Self(index as u8))
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[usize::from(self.0)].0
    }

    pub fn basic(self) -> &'static str {
        Self::NAMES[usize::from(self.0)].1
    }
}

/// A time of the day, or the midnight that ends it, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayTime(u16);

impl DayTime {
    /// Reads `00:00` to `24:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
        let minutes = hour * 60 + minute;
        (minute < 60 && minutes <= DAY_MINUTES).then_some(Self(minutes))
    }
}

/// Open or closed from a time of one date to a time of the same or the next date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    from: u16,
    /// More than a day where it ends on the next date.
    to: u16,
}

impl Stretch {
    /// The whole date.
    pub const DATE: Self = Self { from: 0, to: DAY_MINUTES };

    /// An end that is not after the beginning belongs to the next date. Equal ends have no meaning.
    pub fn new(from: DayTime, to: DayTime) -> Option<Self> {
        let over_midnight = if to.0 < from.0 { DAY_MINUTES } else { 0 };
        let stretch = Self { from: from.0, to: to.0 + over_midnight };
        (from.0 < DAY_MINUTES && stretch.from < stretch.to).then_some(stretch)
    }

    /// Beginning and end as local times, if it begins on this date.
    pub fn on(self, day: Day) -> (i64, i64) {
        let at = |minutes: u16| day.midnight() + i64::from(minutes) * 60_000;
        (at(self.from), at(self.to))
    }

    /// The two ends as text.
    pub fn texts(self) -> (String, String) {
        let to = if self.to > DAY_MINUTES { self.to - DAY_MINUTES } else { self.to };
        let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        (text(self.from), text(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_one_form_and_exist() {
        let day = Day::parse("2024-02-29").unwrap();
        assert_eq!(day.to_string(), "2024-02-29");
        assert_eq!(Day::parse_basic("20240229"), Some(day));
        assert_eq!(day.weekday().name(), "thu");
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        for wrong in [
            "2023-02-29",
            "2024-2-29",
            "2024-13-01",
            "24-02-29",
            "1969-12-31",
            "9999-01-01",
            "20240229",
            "2024-02-29 ",
            "+024-02-29",
            "",
        ] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
        for wrong in ["2024022", "202402290", "20240229T000000Z", "2024-02-29", "", "2024é229"] {
            assert_eq!(Day::parse_basic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_have_one_form() {
        for right in ["00:00", "09:30", "23:59", "24:00"] {
            assert!(DayTime::parse(right).is_some(), "{right}");
        }
        for wrong in ["9:30", "09:60", "24:01", "0930", "09:30:00", "-1:00", "99:00", ""] {
            assert_eq!(DayTime::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_stretch_ends_on_the_next_date_where_it_must() {
        let stretch = |from, to| Stretch::new(DayTime::parse(from).unwrap(), DayTime::parse(to).unwrap());
        assert_eq!(stretch("22:00", "02:00").unwrap().on(Day(0)), (79_200_000, 93_600_000));
        assert_eq!(stretch("22:00", "00:00").unwrap().texts(), ("22:00".to_owned(), "24:00".to_owned()));
        assert_eq!(stretch("22:00", "02:00").unwrap().texts(), ("22:00".to_owned(), "02:00".to_owned()));
        assert_eq!(stretch("00:00", "24:00"), Some(Stretch::DATE));
        for (from, to) in [("09:00", "09:00"), ("00:00", "00:00"), ("24:00", "02:00"), ("24:00", "24:00")] {
            assert_eq!(stretch(from, to), None, "{from} {to}");
        }
    }
}

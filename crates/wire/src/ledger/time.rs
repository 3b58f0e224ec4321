//! Instants: RFC 3339 with an offset, or milliseconds since 1970 in UTC.
//!
//! A time without an offset is refused, because nobody can tell which instant it means: the browser's zone,
//! the server's and the resource's may all differ.

use deskbell_core::limits::{DAY, HOUR, MINUTE, Millis, SECOND};
use deskbell_core::refusal::Refusal;

use crate::native::fields::bad_field;

/// The last instant of the year 9999, the last one that RFC 3339 can write.
pub const LATEST: Millis = 253_402_300_799_999;
/// Bytes of a time as text: with nine digits of a second and an offset it has 35.
const LONGEST: usize = 40;

const RULE: &str = "is an instant: RFC 3339 with an offset such as \"2026-11-26T10:00:00+01:00\" or \
                    \"…Z\", or milliseconds since 1970 (UTC)";
const NO_OFFSET: &str = "has no offset, so nobody knows which instant it means; end it with `Z` or with an \
                         offset such as `+01:00`";

/// Reads an instant that is written as text.
///
/// ```
/// use deskbell_wire::ledger::time::of_text;
/// assert_eq!(of_text("start", "2026-11-26T10:00:00+01:00"), Ok(1_795_683_600_000));
/// assert!(of_text("start", "2026-11-26T10:00:00").is_err());
/// ```
pub fn of_text(field: &str, text: &str) -> Result<Millis, Refusal> {
    match read(text) {
        Ok(at) => Ok(at),
        Err(Wrong::NoOffset) => Err(bad_field(field, NO_OFFSET)),
        Err(Wrong::Form) => Err(bad_field(field, RULE)),
        Err(Wrong::Range) => Err(bad_field(field, "lies before 1970 or behind 9999; give a nearer time")),
    }
}

/// Reads an instant out of a query, where a number is text too and `+` may have become a blank.
pub fn of_query(field: &str, text: &str) -> Result<Millis, Refusal> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return of_number(field, text.parse().ok());
    }
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(['T', 't']) && !offset.contains(['+', '-']) => {
            of_text(field, &format!("{time}+{offset}"))
        }
        _ => of_text(field, text),
    }
}

/// Takes a number of milliseconds; one that did not fit is out of range.
pub fn of_number(field: &str, number: Option<u64>) -> Result<Millis, Refusal> {
    number.filter(|at| *at <= LATEST).ok_or_else(|| {
        bad_field(field, "lies behind the year 9999; give milliseconds since 1970, not micro- or nanoseconds")
    })
}

/// Writes an instant in UTC, to the second.
///
/// ```
/// use deskbell_wire::ledger::time::to_text;
/// assert_eq!(to_text(1_795_683_600_500), "2026-11-26T09:00:00Z");
/// ```
pub fn to_text(at: Millis) -> String {
    let (year, month, day) = civil(at / DAY);
    let rest = at % DAY;
    let (hour, minute, second) = (rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970. Years are counted from March, so that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

enum Wrong {
    Form,
    NoOffset,
    Range,
}

fn read(text: &str) -> Result<Millis, Wrong> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes.len() > LONGEST || !bytes.is_ascii() {
        return Err(Wrong::Form);
    }
    let separators = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
    let fits = separators.iter().all(|(at, mark)| bytes[*at] == mark[0]);
    if !fits || !matches!(bytes[10], b'T' | b't' | b' ') {
        return Err(Wrong::Form);
    }
    let part = |from: usize, to: usize| digits(&bytes[from..to]).ok_or(Wrong::Form);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return Err(Wrong::Form);
    }
    // A leap second is the instant behind it, as on every clock that does not know of it.
    if hour > 23 || minute > 59 || second > 60 {
        return Err(Wrong::Form);
    }
    let (fraction, rest) = fraction(&text[19..])?;
    let offset = offset(rest)?;
    let local = days_since_1970(year, month, day) * DAY as i64
        + (hour * HOUR + minute * MINUTE + second * SECOND + fraction) as i64;
    let at = local - offset;
    u64::try_from(at).ok().filter(|at| *at <= LATEST).ok_or(Wrong::Range)
}

/// Milliseconds of a fraction of a second; what is finer is cut off.
fn fraction(text: &str) -> Result<(u64, &str), Wrong> {
    let Some(rest) = text.strip_prefix('.') else { return Ok((0, text)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&length) {
        return Err(Wrong::Form);
    }
    let mut millis = 0;
    for place in 0..3 {
        millis = millis * 10 + rest.as_bytes()[..length].get(place).map_or(0, |b| u64::from(b - b'0'));
    }
    Ok((millis, &rest[length..]))
}

/// Milliseconds by which the local time is ahead of UTC.
fn offset(text: &str) -> Result<i64, Wrong> {
    let bytes = text.as_bytes();
    match bytes {
        [] => Err(Wrong::NoOffset),
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', _, _] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours), digits(&bytes[4..]));
            let (hours, minutes) = hours.zip(minutes).ok_or(Wrong::Form)?;
            if hours > 23 || minutes > 59 {
                return Err(Wrong::Form);
            }
            let ahead = (hours * HOUR + minutes * MINUTE) as i64;
            Ok(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => Err(Wrong::Form),
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let all = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    all.then(|| bytes.iter().fold(0, |number, b| number * 10 + u64::from(b - b'0')))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01, by counting years of 365 days and the leap days between.
fn days_since_1970(year: u64, month: u64, day: u64) -> i64 {
    let leaps = |until: u64| (until / 4 - until / 100 + until / 400) as i64;
    let before = year.saturating_sub(1);
    let years = (year as i64 - 1970) * 365 + leaps(before) - leaps(1969);
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    years + (months + day) as i64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_of_times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001z", 1),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-26T10:00:00+01:00", 1_795_683_600_000),
            ("2026-11-26T09:00:00.999999999Z", 1_795_683_600_999),
            ("2026-11-26 09:00:00.5-00:00", 1_795_683_600_500),
            ("2026-11-26t03:30:00-05:30", 1_795_683_600_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", LATEST),
        ] {
            assert_eq!(of_text("t", text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_with_its_reason() {
        for (text, word) in [
            ("2026-11-26T10:00:00", "no offset"),
            ("2026-11-26T10:00:00.5", "no offset"),
            ("", "RFC 3339"),
            ("2026-11-26", "RFC 3339"),
            ("2026-11-26T10:00Z", "RFC 3339"),
            ("2026-02-29T10:00:00Z", "RFC 3339"),
            ("2026-13-01T10:00:00Z", "RFC 3339"),
            ("2026-11-26T24:00:00Z", "RFC 3339"),
            ("2026-11-26T10:60:00Z", "RFC 3339"),
            ("2026-11-26T10:00:00+24:00", "RFC 3339"),
            ("2026-11-26T10:00:00+0100", "RFC 3339"),
            ("2026-11-26T10:00:00.Z", "RFC 3339"),
            ("2026-11-26T10:00:00.0000000001Z", "RFC 3339"),
            ("2026-11-26T10:00:00ZZ", "RFC 3339"),
            ("+026-11-26T10:00:00Z", "RFC 3339"),
            ("２026-11-26T10:00:0Z", "RFC 3339"),
            ("1969-12-31T23:59:59Z", "1970"),
            ("9999-12-31T23:59:59-00:01", "9999"),
            ("tomorrow at ten o'clock in the morning", "RFC 3339"),
        ] {
            let no = of_text("t", text).unwrap_err();
            assert!(no.message.starts_with("`t` ") && no.message.contains(word), "{text}: {no}");
        }
    }

    #[test]
    fn a_query_may_have_lost_its_plus() {
        for text in ["1795683600000", "2026-11-26T10:00:00 01:00", "2026-11-26T09:00:00Z"] {
            assert_eq!(of_query("from", text), Ok(1_795_683_600_000), "{text}");
        }
        for text in ["", "99999999999999999999999", "253402300800000", "-1", "2026-11-26T10:00:00 +01:00"] {
            assert!(of_query("from", text).is_err(), "{text}");
        }
    }

    proptest! {
        /// Another way to the same instant: back to the calendar, day by day of 400-year eras.
        #[test]
        fn reading_is_the_opposite_of_writing(at in 0..=LATEST, ahead in -1_439i64..=1_439) {
            let local = at as i64 + ahead * MINUTE as i64;
            prop_assume!((0..=LATEST as i64).contains(&local));
            let (year, month, day) = civil(local as u64 / DAY);
            let rest = local % DAY as i64;
            let sign = if ahead < 0 { '-' } else { '+' };
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}{sign}{:02}:{:02}",
                rest / HOUR as i64, rest / MINUTE as i64 % 60, rest / 1_000 % 60, rest % 1_000,
                ahead.abs() / 60, ahead.abs() % 60
            );
            prop_assert_eq!(of_text("t", &text), Ok(at), "{}", text);
            prop_assert_eq!(of_text("t", &to_text(at)), Ok(at / SECOND * SECOND));
        }

        #[test]
        fn no_text_panics(text: String, shaped in "[0-9TtZz:+. -]{0,40}") {
            let _ = (of_text("t", &text), of_text("t", &shaped), of_query("t", &text), of_query("t", &shaped));
        }
    }
}

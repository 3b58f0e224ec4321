//! A little reader of DER, the binary form in which keys and certificates are written.

use deskbell_core::limits::Millis;

/// A sequence of elements.
pub const SEQUENCE: u8 = 0x30;
/// An object identifier.
pub const OBJECT_ID: u8 = 0x06;
/// Bits, with the count of unused ones in front.
pub const BIT_STRING: u8 = 0x03;
/// A signed whole number.
pub const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the start of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Is everything read?
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element's tag and content.
    pub fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            // Three bytes of length are 16 MiB, far beyond any key or certificate.
            if !(1..=3).contains(&count) {
                return None;
            }
            let (digits, tail) = rest.split_at_checked(count)?;
            length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            let shortest = length >= 0x80 && digits[0] != 0;
            if !shortest {
                return None;
            }
            rest = tail;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, if it has this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = *self;
        match self.element() {
            Some((found, content)) if found == tag => Some(content),
            _ => {
                *self = before;
                None
            }
        }
    }
}

/// A positive number without its leading zeros.
pub fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => Some(rest),
        [first, ..] if *first < 0x80 && *first > 0 => Some(integer),
        _ => None,
    }
}

/// The times between which an X.509 certificate holds.
pub fn validity(certificate: &[u8]) -> Option<(Millis, Millis)> {
    let mut outer = Reader::new(Reader::new(certificate).take(SEQUENCE)?);
    let mut body = Reader::new(outer.take(SEQUENCE)?);
    body.take(VERSION);
    body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    body.take(SEQUENCE)?;
    let mut times = Reader::new(body.take(SEQUENCE)?);
    Some((time(times.element()?)?, time(times.element()?)?))
}

fn time((tag, text): (u8, &[u8])) -> Option<Millis> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let short: u64 = text[..2].parse().ok()?;
            // RFC 5280 §4.1.2.5.1: two digits from 50 on belong to the last century.
            (if short < 50 { 2_000 + short } else { 1_900 + short }, &text[2..])
        }
        (GENERALIZED_TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let two = |place: usize| rest[place..place + 2].parse::<u64>().ok();
    let days = days_since_1970(year, two(0)?, two(2)?)?;
    Some((days * 86_400 + two(4)? * 3_600 + two(6)? * 60 + two(8)?) * 1_000)
}

/// Days from 1970-01-01. Counting years from March puts the leap day at their end.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1_900 {
        return None;
    }
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = years / 4 - years / 100 + years / 400;
    let days = years * 365 + leaps + (153 * months + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01; an older certificate counts as 1970.
    Some(days.saturating_sub(719_468))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_milliseconds_since_1970() {
        let table: [(u8, &[u8], u64); 4] = [
            (UTC_TIME, b"700101000000Z", 0),
            (UTC_TIME, b"261120181500Z", 1_795_198_500_000),
            (GENERALIZED_TIME, b"20240229235959Z", 1_709_251_199_000),
            (GENERALIZED_TIME, b"99991231235959Z", 253_402_300_799_000),
        ];
        for (tag, text, expected) in table {
            assert_eq!(time((tag, text)), Some(expected), "{}", String::from_utf8_lossy(text));
        }
        for bad in [&b"700101000000"[..], b"7001010000Z", b"701301000000Z", b"70-101000000Z"] {
            assert_eq!(time((UTC_TIME, bad)), None);
        }
    }

    #[test]
    fn lengths_must_be_the_shortest_and_within_the_bytes() {
        assert_eq!(Reader::new(&[4, 2, 7, 8]).element(), Some((4, &[7, 8][..])));
        for bad in [&[4][..], &[4, 2, 7], &[4, 0x81, 1, 7], &[4, 0x80, 0, 0], &[4, 0x82, 0, 0x80], &[4, 0x84]]
        {
            assert_eq!(Reader::new(bad).element(), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = validity(&bytes);
        }
    }
}

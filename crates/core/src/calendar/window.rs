//! Stretches of UTC time: a span is any, a window was checked at the door.

use serde::{Deserialize, Serialize};

use crate::limits::{self, DAY, Millis};
use crate::refusal::{Code, Refusal};

/// A half-open stretch of time: `start` belongs to it, `end` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first instant.
    pub start: Millis,
    /// The first instant behind it.
    pub end: Millis,
}

impl Span {
    /// Does any instant belong to both?
    ///
    /// ```
    /// use deskbell_core::calendar::Span;
    /// let morning = Span { start: 0, end: 10 };
    /// assert!(morning.overlaps(Span { start: 9, end: 20 }));
    /// assert!(!morning.overlaps(Span { start: 10, end: 20 }), "back to back is no overlap");
    /// ```
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Is the other one wholly within this one?
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The least span that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// How long it is.
    pub const fn length(self) -> Millis {
        self.end.saturating_sub(self.start)
    }

    /// The UTC days that it touches.
    pub fn days(self) -> std::ops::RangeInclusive<u64> {
        self.start / DAY..=self.end.saturating_sub(1).max(self.start) / DAY
    }

    /// Its part within each UTC day.
    pub fn by_day(self) -> impl Iterator<Item = (u64, Self)> {
        self.days().map(move |day| {
            let (start, end) = (self.start.max(day * DAY), self.end.min((day + 1) * DAY));
            (day, Self { start, end })
        })
    }
}

/// A span that can be asked about: not empty, not too long, and inside the calendar.
///
/// ```
/// use deskbell_core::calendar::Window;
/// assert!(Window::new(1_000, 2_000).is_ok());
/// assert!(Window::new(2_000, 2_000).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(Span);

impl Window {
    /// Checks a window.
    pub fn new(start: Millis, end: Millis) -> Result<Self, Refusal> {
        let refuse = |sentence: String| Err(Refusal::new(Code::BadField, sentence));
        if end <= start {
            return refuse("the end is not after the start; give a later end".to_owned());
        }
        if end > limits::CALENDAR_END {
            return refuse(
                "the end is behind the year 9998; give times in milliseconds since 1970".to_owned(),
            );
        }
        if end - start > limits::CALENDAR_WINDOW {
            let days = limits::CALENDAR_WINDOW / DAY;
            return refuse(format!("the time asked for is longer than {days} days; ask for less at once"));
        }
        Ok(Self(Span { start, end }))
    }

    /// The stretch itself.
    pub const fn span(self) -> Span {
        self.0
    }
}

/// Sorts spans and joins those that touch.
pub(super) fn merge(mut spans: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    spans.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for (start, end) in spans.into_iter().filter(|(start, end)| start < end) {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// What of the first remains without the second. Both are sorted and merged.
pub(super) fn subtract(open: &[(i64, i64)], closed: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut left = Vec::with_capacity(open.len() + closed.len());
    let mut next = 0;
    for &(mut start, end) in open {
        while next < closed.len() && closed[next].1 <= start {
            next += 1;
        }
        let mut at = next;
        while at < closed.len() && closed[at].0 < end {
            if start < closed[at].0 {
                left.push((start, closed[at].0));
            }
            start = closed[at].1;
            at += 1;
        }
        if start < end {
            left.push((start, end));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_an_end_after_its_start_and_a_bound() {
        let year = limits::CALENDAR_WINDOW;
        assert!(Window::new(0, year).is_ok());
        for (start, end, word) in [
            (5, 5, "later end"),
            (6, 5, "later end"),
            (0, year + 1, "ask for less"),
            (limits::CALENDAR_END, limits::CALENDAR_END + 1, "year 9998"),
            (0, u64::MAX, "year 9998"),
        ] {
            let refusal = Window::new(start, end).unwrap_err();
            assert_eq!(refusal.code, Code::BadField);
            assert!(refusal.message.contains(word), "{refusal}");
        }
    }

    #[test]
    fn merging_joins_what_touches_and_drops_what_is_empty() {
        assert_eq!(merge(vec![(5, 7), (1, 3), (3, 4), (6, 9), (20, 20)]), [(1, 4), (5, 9)]);
    }

    #[test]
    fn subtracting_leaves_what_no_block_touches() {
        let open = [(0, 10), (20, 30), (40, 50)];
        assert_eq!(subtract(&open, &[]), open);
        assert_eq!(
            subtract(&open, &[(-5, 2), (4, 5), (8, 22), (25, 60)]),
            [(2, 4), (5, 8), (22, 25)],
            "blocks before, inside, across and behind"
        );
        assert_eq!(subtract(&open, &[(10, 20), (30, 40)]), open, "blocks that only touch take nothing");
    }
}

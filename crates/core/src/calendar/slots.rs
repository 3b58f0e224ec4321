//! The starts to show: a grid over open time that begins anew with every local opening.

use super::window::Span;
use crate::limits::Millis;

/// Starts in order, each once. Made by [`Openings::slots`](super::Openings::slots).
#[derive(Debug, Clone)]
pub struct Slots<'a> {
    anchors: &'a [i64],
    free: &'a [Span],
    duration: i64,
    step: i64,
    /// No start before this one is given any more.
    next: i64,
}

impl<'a> Slots<'a> {
    pub(super) fn new(anchors: &'a [i64], free: &'a [Span], duration: Millis, step: Millis) -> Self {
        let signed = |value: Millis| i64::try_from(value).unwrap_or(i64::MAX);
        let free = if duration == 0 || step == 0 { &[] } else { free };
        Self { anchors, free, duration: signed(duration), step: signed(step), next: i64::MIN }
    }

    /// The first point of the grid at or after an instant. Every open instant has an anchor before it.
    fn point(&self, at: i64) -> Option<i64> {
        let behind = self.anchors.partition_point(|anchor| *anchor <= at);
        let anchor = *self.anchors.get(behind.checked_sub(1)?)?;
        let past = (at - anchor) % self.step;
        let point = if past == 0 { at } else { at.saturating_add(self.step - past) };
        // The next anchor comes first if it stands before the next point.
        Some(self.anchors.get(behind).map_or(point, |anchor| point.min(*anchor)))
    }
}

impl Iterator for Slots<'_> {
    type Item = Millis;

    fn next(&mut self) -> Option<Millis> {
        while let Some((span, rest)) = self.free.split_first() {
            let (start, end) = (span.start as i64, span.end as i64);
            let last = end.saturating_sub(self.duration);
            match self.point(start.max(self.next)) {
                Some(point) if start <= point && point <= last => {
                    self.next = point + 1;
                    return Some(point as Millis);
                }
                _ => self.free = rest,
            }
        }
        None
    }
}

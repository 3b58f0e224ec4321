//! When a claim could begin: the shown times of a resource, from the segments that admit them.

use super::steps::Segment;
use crate::calendar::{Openings, Span};
use crate::limits::Millis;

/// A claim for which a beginning is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How long it lasts.
    pub duration: Millis,
    /// How many units.
    pub units: u32,
    /// The buffer before it.
    pub before: Millis,
    /// The buffer behind it.
    pub after: Millis,
    /// The time from one beginning to the next.
    pub step: Millis,
}

/// The beginnings at which the claim would be admitted, lying wholly in open time and wholly in the
/// openings' window. They stand on the grid of the openings: the local opening time, and steps from it.
///
/// The segments must reach over the window by the buffers, which need not lie in open time: what the
/// segments do not tell of counts as taken.
///
/// ```
/// use deskbell_core::calendar::{Hours, TimeZone, Window, expand};
/// use deskbell_core::reservation::{Asked, Segment, Span, starts};
/// let free = |start, end, free| Segment { span: Span { start, end }, free, held_until: None };
/// let segments = [free(0, 10, 1), free(10, 20, 0), free(20, 40, 1)];
/// let openings = expand(&Hours::default(), &TimeZone::parse("UTC")?, Window::new(0, 35)?);
/// let asked = Asked { duration: 5, units: 1, before: 0, after: 5, step: 5 };
/// assert_eq!(starts(&segments, &openings, asked, 0), [0, 20, 25, 30]);
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
pub fn starts(segments: &[Segment], openings: &Openings, asked: Asked, now: Millis) -> Vec<Millis> {
    // Beginnings rise, so a segment that ends before one of them is never looked at again.
    let mut first = 0;
    let mut is_free = |start: Millis| {
        let end = start + asked.duration;
        let padded = Span { start: start.saturating_sub(asked.before), end: end.saturating_add(asked.after) };
        while segments.get(first).is_some_and(|segment| segment.span.end <= padded.start) {
            first += 1;
        }
        end > now && fits(&segments[first..], padded, asked.units)
    };
    openings.slots(openings.spans(), asked.duration, asked.step).filter(|start| is_free(*start)).collect()
}

/// Is so much free all through a span?
fn fits(segments: &[Segment], span: Span, units: u32) -> bool {
    let mut known = span.start;
    for segment in segments.iter().take_while(|segment| segment.span.start < span.end) {
        if segment.span.start > known || segment.free < units {
            return false;
        }
        known = segment.span.end;
    }
    known >= span.end
}

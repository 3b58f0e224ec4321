//! How much of a resource is used when: the one function behind what is admitted and what is shown.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::Serialize;

use super::model::{By, Piece};
use crate::calendar::Span;
use crate::limits::Millis;

/// A time in which a resource's usage does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// Units that are free.
    pub free: u32,
    /// When the first of the holds in it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Millis>,
}

/// Does this piece count at this time? What nobody has ended yet counts no longer once its time is over.
pub fn counts(piece: &Piece, now: Millis) -> bool {
    piece.until.is_none_or(|until| now < until)
}

/// The usage within a span: from each time on, so many units. Pieces may come in any order.
///
/// ```
/// # use deskbell_core::ids::ReservationId;
/// use deskbell_core::reservation::{By, Piece, Span, usage};
/// let id = ReservationId::parse("r_1").unwrap();
/// let piece = |start, end| Piece { span: Span { start, end }, reservation: id.clone(), nth: 0, units: 1, by: By::Booked, until: None };
/// let pieces = [piece(0, 10), piece(5, 20)];
/// assert_eq!(usage(pieces.iter(), Span { start: 2, end: 30 }), [(2, 1), (5, 2), (10, 1), (20, 0)]);
/// ```
pub fn usage<'a>(pieces: impl Iterator<Item = &'a Piece>, span: Span) -> Vec<(Millis, u64)> {
    let mut edges: Vec<(Millis, i64)> = vec![(span.start, 0)];
    for piece in pieces.filter(|piece| piece.span.overlaps(span)) {
        edges.push((piece.span.start.max(span.start), i64::from(piece.units)));
        if piece.span.end < span.end {
            edges.push((piece.span.end, -i64::from(piece.units)));
        }
    }
    edges.sort_unstable_by_key(|(at, _)| *at);
    let mut steps: Vec<(Millis, u64)> = Vec::with_capacity(edges.len());
    let mut used = 0_i64;
    for (at, by) in edges {
        used += by;
        let now_used = used.max(0).cast_unsigned();
        match steps.last_mut() {
            Some((last, value)) if *last == at => *value = now_used,
            _ => steps.push((at, now_used)),
        }
    }
    steps
}

/// The most units that are used at any instant of a span.
pub fn peak<'a>(pieces: impl Iterator<Item = &'a Piece>, span: Span) -> u64 {
    usage(pieces, span).into_iter().map(|(_, used)| used).max().unwrap_or(0)
}

/// When within a span more than so many units are used.
pub(super) fn beyond<'a>(pieces: impl Iterator<Item = &'a Piece>, span: Span, capacity: u32) -> Vec<Span> {
    let steps = usage(pieces, span);
    let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([span.end]);
    let spans = steps.iter().zip(ends).filter(|((_, used), _)| *used > u64::from(capacity));
    spans.map(|((start, _), end)| Span { start: *start, end }).collect()
}

/// What is free within a span, in segments that lie side by side and differ from their neighbours.
pub fn segments(pieces: &[Piece], span: Span, capacity: u32, now: Millis) -> Vec<Segment> {
    let live: Vec<&Piece> =
        pieces.iter().filter(|piece| counts(piece, now) && piece.span.overlaps(span)).collect();
    let steps = usage(live.iter().copied(), span);
    let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([span.end]);
    let mut held: Vec<&Piece> = live.into_iter().filter(|piece| piece.by == By::Held).collect();
    held.sort_unstable_by_key(|piece| Reverse(piece.span.start));
    // Of the holds that have begun, the one that ends by itself first is on top. Those whose span is
    // over lie there until they come to the top.
    let mut begun = BinaryHeap::new();
    let mut out: Vec<Segment> = Vec::with_capacity(steps.len());
    for ((start, used), end) in steps.iter().copied().zip(ends) {
        let here = Span { start, end };
        while let Some(piece) = held.pop_if(|piece| piece.span.start < end) {
            begun.extend(piece.until.map(|until| Reverse((until, piece.span.end))));
        }
        while begun.peek().is_some_and(|Reverse((_, over))| *over <= start) {
            begun.pop();
        }
        let held_until = begun.peek().map(|Reverse((until, _))| *until);
        let free = u64::from(capacity).saturating_sub(used) as u32;
        match out.last_mut() {
            Some(last) if last.free == free && last.held_until == held_until => last.span.end = end,
            _ => out.push(Segment { span: here, free, held_until }),
        }
    }
    out
}

/// The same segments, with nothing free outside open time. For showing; a claim's buffers may lie there.
///
/// ```
/// use deskbell_core::reservation::{Segment, Span, within_hours};
/// let all = [Segment { span: Span { start: 0, end: 30 }, free: 2, held_until: None }];
/// let shown = within_hours(&all, &[Span { start: 10, end: 20 }]);
/// assert_eq!(shown.iter().map(|segment| segment.free).collect::<Vec<_>>(), [0, 2, 0]);
/// ```
pub fn within_hours(segments: &[Segment], open: &[Span]) -> Vec<Segment> {
    let mut shown: Vec<Segment> = Vec::with_capacity(segments.len() + open.len() * 2);
    let mut push = |segment: Segment| match shown.last_mut() {
        Some(last) if last.free == segment.free && last.held_until == segment.held_until => {
            last.span.end = segment.span.end;
        }
        _ => shown.push(segment),
    };
    let mut first = 0;
    for segment in segments {
        let mut at = segment.span.start;
        while open.get(first).is_some_and(|span| span.end <= at) {
            first += 1;
        }
        for span in open[first..].iter().take_while(|span| span.start < segment.span.end) {
            let (start, end) = (span.start.max(at), span.end.min(segment.span.end));
            if at < start {
                push(Segment { span: Span { start: at, end: start }, free: 0, held_until: None });
            }
            push(Segment { span: Span { start, end }, ..*segment });
            at = end;
        }
        if at < segment.span.end {
            push(Segment { span: Span { start: at, end: segment.span.end }, free: 0, held_until: None });
        }
    }
    shown
}

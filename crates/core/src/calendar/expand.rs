//! The one function that turns local rules into UTC instants.

use super::hours::{Effect, Hours};
use super::local::Day;
use super::slots::Slots;
use super::window::{Span, Window, merge, subtract};
use super::zone::TimeZone;
use crate::limits::Millis;

/// Dates before the window on which a rule that matters may begin: one that runs over midnight begins a
/// date earlier, a block before it that moved the grid of slots another, and a clock that jumps back over
/// midnight shows a date too late.
const DATES_BEFORE: i32 = 3;
/// Dates behind the window: a clock that jumps back over midnight had shown one before.
const DATES_BEHIND: i32 = 1;

/// When a resource is open inside a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Openings {
    spans: Vec<Span>,
    /// Where the grid of slots begins anew, in order; also before the window.
    anchors: Vec<i64>,
}

impl Openings {
    /// The open time: sorted, apart from each other, inside the window.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The starts to show to somebody who wants `duration`, in steps of `step`.
    ///
    /// The grid begins anew wherever a rule opens and wherever a block ends, so it is the local opening
    /// time plus a multiple of the step, and the same for every window. `free` is what is left of
    /// [`Openings::spans`]: a slot lies wholly inside one of its spans, which are in order and apart.
    /// Nothing comes if the duration or the step is 0.
    ///
    /// ```
    /// use deskbell_core::calendar::{Hours, TimeZone, Window, expand};
    /// let hours = Hours::from_json(r#"{"weekly":[{"day":"thu","from":"09:00","to":"10:00"}]}"#)?;
    /// let minute = 60_000;
    /// let window = Window::new(9 * 60 * minute + 1, 24 * 60 * minute)?;
    /// let openings = expand(&hours, &TimeZone::parse("UTC")?, window);
    /// let starts: Vec<_> = openings.slots(openings.spans(), 20 * minute, 15 * minute).collect();
    /// assert_eq!(starts, [555 * minute, 570 * minute], "not 09:00, which has begun, and not 09:45");
    /// # Ok::<(), deskbell_core::refusal::Refusal>(())
    /// ```
    pub fn slots<'a>(&'a self, free: &'a [Span], duration: Millis, step: Millis) -> Slots<'a> {
        Slots::new(&self.anchors, free, duration, step)
    }
}

/// Expands opening hours over a window. It looks at nothing but its arguments and the zone's data.
///
/// Each date gives at most as many spans as there are rules, and a window has a longest length, so the
/// work and the answer are bounded.
///
/// ```
/// use deskbell_core::calendar::{Hours, Span, TimeZone, Window, expand};
/// let hours = Hours::from_json(r#"{"weekly":[{"day":"thu","from":"09:00","to":"17:00"}]}"#)?;
/// let openings = expand(&hours, &TimeZone::parse("UTC")?, Window::new(0, 86_400_000)?);
/// assert_eq!(openings.spans(), [Span { start: 9 * 3_600_000, end: 17 * 3_600_000 }]);
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
pub fn expand(hours: &Hours, zone: &TimeZone, window: Window) -> Openings {
    let clock = zone.wall_clock(window);
    let (from, to) = (window.span().start as i64, window.span().end as i64);
    let first = Day::at(clock.local(from)).0 - DATES_BEFORE;
    let last = Day::at(clock.local(to)).0 + DATES_BEHIND;
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for day in (first..=last).map(Day) {
        hours.each_on(day, |effect, stretch| {
            let (begins, ends) = stretch.on(day);
            let span = (clock.reaches(begins), clock.leaves(ends));
            match effect {
                Effect::Opens => open.push(span),
                Effect::Blocks => closed.push(span),
            }
        });
    }
    let opened = open.iter().map(|span| span.0);
    let mut anchors: Vec<i64> = opened.chain(closed.iter().map(|span| span.1)).collect();
    anchors.sort_unstable();
    anchors.dedup();
    let left = subtract(&merge(open), &merge(closed));
    let inside = left.into_iter().map(|(start, end)| (start.max(from), end.min(to)));
    let inside = inside.filter(|(start, end)| start < end);
    let spans = inside.map(|(start, end)| Span { start: start as Millis, end: end as Millis }).collect();
    Openings { spans, anchors }
}

/// The open time inside a window: sorted, apart from each other.
///
/// ```
/// use deskbell_core::calendar::{Hours, TimeZone, Window, open};
/// let day = Window::new(0, 86_400_000)?;
/// let always = open(&Hours::default(), &TimeZone::parse("Asia/Tokyo")?, day);
/// assert_eq!(always, [day.span()]);
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
pub fn open(hours: &Hours, zone: &TimeZone, window: Window) -> Vec<Span> {
    expand(hours, zone, window).spans
}

/// Is all of this time open? A claim must be.
///
/// ```
/// use deskbell_core::calendar::{Hours, TimeZone, Window, covers};
/// let hours = Hours::from_json(r#"{"weekly":[{"day":"thu","from":"09:00","to":"17:00"}]}"#)?;
/// let utc = TimeZone::parse("UTC")?;
/// let hour = 3_600_000;
/// assert!(covers(&hours, &utc, Window::new(9 * hour, 17 * hour)?));
/// assert!(!covers(&hours, &utc, Window::new(16 * hour, 17 * hour + 1)?));
/// # Ok::<(), deskbell_core::refusal::Refusal>(())
/// ```
pub fn covers(hours: &Hours, zone: &TimeZone, claim: Window) -> bool {
    open(hours, zone, claim) == [claim.span()]
}

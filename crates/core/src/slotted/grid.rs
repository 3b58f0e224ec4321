//! The site's zone and the length of its slots.

use std::collections::BTreeSet;

use crate::calendar::{Date, Span, TimeZone, Wall};
use crate::ids::{ReservationId, ResourceId};
use crate::limits::{self, MINUTE, Millis};
use crate::refusal::{Code, Refusal};
use crate::reservation::{By, Claim, Piece, Segment, counts};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// How a site cuts its days into slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    zone: TimeZone,
    slot: Millis,
}

/// Which times of a date cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// None of them can.
    All,
    /// These, as `HH:MM` and in order.
    Times(Vec<String>),
}

/// What stands at a time of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When it begins, as `HH:MM`.
    pub time: String,
    /// What it is.
    pub by: By,
    /// When it ends by itself.
    pub until: Option<Millis>,
    /// Which it is.
    pub reservation: ReservationId,
}

impl Grid {
    /// A grid of slots of whole minutes.
    ///
    /// ```
    /// use deskbell_core::calendar::TimeZone;
    /// use deskbell_core::slotted::Grid;
    /// let zone = || TimeZone::parse("Europe/Oslo").unwrap();
    /// assert!(Grid::new(zone(), 30 * 60_000).is_ok());
    /// assert!(Grid::new(zone(), 1_000).is_err());
    /// ```
    pub fn new(zone: TimeZone, slot: Millis) -> Result<Self, Refusal> {
        let length = limits::SLOT_LENGTH_LEAST..=limits::SLOT_LENGTH_MOST;
        if !length.contains(&slot) || !slot.is_multiple_of(MINUTE) {
            let sentence = "a slot lasts 5 minutes to a day, in whole minutes; give such a length";
            return Err(Refusal::new(Code::BadField, sentence));
        }
        Ok(Self { zone, slot })
    }

    /// The zone in which dates and times are meant.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How long a slot is.
    pub const fn slot(&self) -> Millis {
        self.slot
    }

    /// What a slot of a resource claims.
    pub fn claim(&self, resource: ResourceId, wall: Wall) -> Result<Claim, Refusal> {
        let Some(start) = wall.instant(&self.zone) else {
            let (date, time) = (wall.date(), wall.time());
            let sentence = format!("on {date} the clocks jump over {time}; choose another time");
            return Err(Refusal::new(Code::BadField, sentence));
        };
        Ok(Claim { resource, start, end: start + self.slot, units: 1 })
    }

    /// The date and time at which something begins.
    pub fn wall(&self, at: Millis) -> Wall {
        Wall::at(&self.zone, at)
    }

    /// What must be known of a resource to say what is unavailable on a date: the date, and so much behind it as its
    /// last slot takes.
    pub fn window(&self, date: Date) -> Span {
        let day = date.span(&self.zone);
        Span { end: day.end + self.slot, ..day }
    }

    /// Which times of a date cannot be had, given what is free within its [window](Self::window).
    ///
    /// They are the slots that are counted from midnight, and those that are counted from where something begins.
    pub fn unavailable(&self, date: Date, segments: &[Segment]) -> Unavailable {
        let day = date.span(&self.zone);
        let full = merged(segments);
        if full.iter().any(|span| span.covers(day)) {
            return Unavailable::All;
        }
        let mut times = BTreeSet::new();
        let slot = u16::try_from(self.slot / MINUTE).unwrap_or(DAY_MINUTES);
        for wall in (0..DAY_MINUTES).step_by(usize::from(slot)).map(|minute| date.minute(minute)) {
            let start = wall.instant(&self.zone);
            let slot = start.map(|start| Span { start, end: start + self.slot });
            if slot.is_some_and(|slot| full.iter().any(|span| span.overlaps(slot))) {
                times.insert(wall);
            }
        }
        for segment in segments.iter().filter(|segment| segment.free == 0) {
            let starts = (segment.span.start..segment.span.end.min(day.end)).step_by(self.slot as usize);
            times.extend(starts.map(|at| self.wall(at)).filter(|wall| wall.date() == date));
        }
        Unavailable::Times(times.into_iter().map(Wall::time).collect())
    }

    /// What begins on a date and is there now, in order.
    pub fn standing(&self, date: Date, pieces: &[Piece], now: Millis) -> Vec<Standing> {
        let live = pieces.iter().filter(|piece| counts(piece, now));
        let mut here: Vec<(Wall, &Piece)> = live.map(|piece| (self.wall(piece.span.start), piece)).collect();
        here.retain(|(wall, _)| wall.date() == date);
        here.sort_by_key(|(wall, piece)| (*wall, piece.span.start));
        let standing = |(wall, piece): (Wall, &Piece)| Standing {
            time: wall.time(),
            by: piece.by,
            until: piece.until,
            reservation: piece.reservation.clone(),
        };
        here.into_iter().map(standing).collect()
    }
}

/// Where nothing is free, as spans that do not touch.
fn merged(segments: &[Segment]) -> Vec<Span> {
    let mut full: Vec<Span> = Vec::new();
    for segment in segments.iter().filter(|segment| segment.free == 0) {
        match full.last_mut() {
            Some(last) if last.end >= segment.span.start => *last = last.hull(segment.span),
            _ => full.push(segment.span),
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HOUR;
    use crate::slotted::employee;
    use proptest::prelude::*;

    fn oslo() -> Grid {
        Grid::new(TimeZone::parse("Europe/Oslo").unwrap(), limits::SLOT_LENGTH).unwrap()
    }

    fn wall(date: &str, time: &str) -> Wall {
        Wall::parse(date, time).unwrap()
    }

    fn claimed(date: &str, time: &str) -> Result<Claim, Refusal> {
        oslo().claim(employee("1").unwrap(), wall(date, time))
    }

    /// What is free on a date around some claims, side by side as a resource shows it.
    fn segments(window: Span, taken: &[Span]) -> Vec<Segment> {
        let mut at = window.start;
        let mut all = Vec::new();
        let mut add = |start, end, free| {
            if start < end {
                all.push(Segment { span: Span { start, end }, free, held_until: None });
            }
        };
        for span in taken {
            add(at, span.start, 1);
            add(span.start.max(window.start), span.end.min(window.end), 0);
            at = span.end;
        }
        add(at, window.end, 1);
        all
    }

    fn unavailable(date: &str, taken: &[(&str, u64)]) -> Vec<String> {
        let date = Date::parse(date).unwrap();
        let start = |time| wall(&date.to_string(), time).instant(oslo().zone()).unwrap();
        let taken: Vec<Span> = taken
            .iter()
            .map(|(time, minutes)| Span { start: start(time), end: start(time) + minutes * MINUTE })
            .collect();
        match oslo().unavailable(date, &segments(oslo().window(date), &taken)) {
            Unavailable::All => vec!["all".to_owned()],
            Unavailable::Times(times) => times,
        }
    }

    #[test]
    fn a_slot_is_half_an_hour_of_the_employee_and_leads_back_to_its_time() {
        let claim = claimed("2025-11-03", "10:00").unwrap();
        assert_eq!(claim.resource.as_str(), "employee:1");
        assert_eq!((claim.start, claim.end, claim.units), (1_762_160_400_000, 1_762_162_200_000, 1));
        assert_eq!(oslo().wall(claim.start), wall("2025-11-03", "10:00"));
    }

    #[test]
    fn the_day_on_which_clocks_jump_has_no_slot_where_no_time_is() {
        let no = claimed("2026-03-29", "02:30").unwrap_err();
        assert!(no.message.contains("2026-03-29") && no.message.contains("02:30"), "{no}");
        // Before the jump two slots lie side by side although an hour lies between them on the wall.
        let (before, after) =
            (claimed("2026-03-29", "01:30").unwrap(), claimed("2026-03-29", "03:00").unwrap());
        assert_eq!(before.end, after.start);
        // The second 02:30 of the day on which they jump back is nobody's slot, and shown as taken if it is.
        let first = claimed("2026-10-25", "02:30").unwrap();
        assert_eq!(oslo().wall(first.start + HOUR), wall("2026-10-25", "02:30"));
        assert_eq!(unavailable("2026-10-25", &[("02:30", 30)]), ["02:30"]);
        let date = Date::parse("2026-10-25").unwrap();
        let second = [Span { start: first.start + HOUR, end: first.end + HOUR }];
        let found = oslo().unavailable(date, &segments(oslo().window(date), &second));
        assert_eq!(found, Unavailable::Times(vec!["02:30".to_owned()]));
    }

    #[test]
    fn what_is_taken_is_listed_by_the_slots_that_it_touches() {
        assert_eq!(unavailable("2025-11-03", &[]), Vec::<String>::new());
        assert_eq!(unavailable("2025-11-03", &[("10:00", 30)]), ["10:00"]);
        assert_eq!(unavailable("2025-11-03", &[("10:00", 30), ("10:30", 30)]), ["10:00", "10:30"]);
        assert_eq!(unavailable("2025-11-03", &[("10:00", 90)]), ["10:00", "10:30", "11:00"]);
        assert_eq!(unavailable("2025-11-03", &[("10:15", 30)]), ["10:00", "10:15", "10:30"]);
        // The last slot of the date ends on the next one.
        let date = Date::parse("2025-11-03").unwrap();
        let next = date.span(oslo().zone()).end;
        let early = [Span { start: next, end: next + MINUTE }];
        let late = Grid::new(oslo().zone().clone(), 50 * MINUTE).unwrap();
        let found = late.unavailable(date, &segments(late.window(date), &early));
        assert_eq!(found, Unavailable::Times(vec!["23:20".to_owned()]));
    }

    #[test]
    fn a_date_on_which_nothing_is_free_is_all_taken() {
        assert_eq!(unavailable("2025-11-03", &[("00:00", 24 * 60)]), ["all"]);
        assert_eq!(unavailable("2025-11-03", &[("00:00", 600), ("10:00", 14 * 60)]), ["all"]);
        assert_ne!(unavailable("2026-10-25", &[("00:00", 24 * 60)]), ["all"], "that date has 25 hours");
    }

    #[test]
    fn what_stands_on_a_date_is_told_by_its_time() {
        let piece = |time, by, until| Piece {
            span: claimed("2025-11-03", time).unwrap().span(),
            reservation: ReservationId::parse("r_1").unwrap(),
            nth: 0,
            units: 1,
            by,
            until,
        };
        let pieces = [
            piece("11:00", By::Held, Some(9)),
            piece("10:00", By::Booked, None),
            piece("12:00", By::Held, Some(5)),
        ];
        let standing = oslo().standing(Date::parse("2025-11-03").unwrap(), &pieces, 5);
        let shown: Vec<_> = standing.iter().map(|one| (one.time.as_str(), one.by, one.until)).collect();
        assert_eq!(shown, [("10:00", By::Booked, None), ("11:00", By::Held, Some(9))]);
        assert_eq!(oslo().standing(Date::parse("2025-11-04").unwrap(), &pieces, 0), []);
    }

    /// Some spans, one behind the other, from an instant on.
    fn spans(from: Millis, taken: &[(u64, u64)]) -> Vec<Span> {
        let mut all: Vec<Span> = Vec::new();
        for (after, minutes) in taken {
            let start = all.last().map_or(from, |last| last.end) + after * MINUTE;
            all.push(Span { start, end: start + minutes * MINUTE });
        }
        all
    }

    proptest! {
        /// Whatever is taken: a slot of the grid is listed where locking it would be refused, and nowhere else.
        #[test]
        fn listed_is_what_cannot_be_locked(
            day in 0..700_u64, taken in prop::collection::vec((0..1_500_u64, 1..200_u64), 0..6), slot in 5..90_u64,
            utc in any::<bool>(),
        ) {
            let zone = if utc { TimeZone::parse("UTC").unwrap() } else { oslo().zone };
            let grid = Grid::new(zone, slot * MINUTE).unwrap();
            let date = grid.wall(1_762_160_400_000 + day * limits::DAY).date();
            let window = grid.window(date);
            let mut spans = spans(window.start, &taken);
            spans.retain(|span| span.start < window.end);
            let found = grid.unavailable(date, &segments(window, &spans));
            for wall in (0..1_440).step_by(slot as usize).map(|minute| date.minute(minute)) {
                let Ok(claim) = grid.claim(employee("1").unwrap(), wall) else { continue };
                let refused = spans.iter().any(|span| span.overlaps(claim.span()));
                let listed = match &found {
                    Unavailable::All => true,
                    Unavailable::Times(times) => times.contains(&wall.time()),
                };
                prop_assert!(listed || !refused, "{} can be seen and not be had: {found:?}", wall.time());
                // Where a time comes twice, its second occurrence may be what is taken.
                prop_assert!(!utc || refused || !listed, "{} can be had and not be seen: {found:?}", wall.time());
            }
        }
    }
}

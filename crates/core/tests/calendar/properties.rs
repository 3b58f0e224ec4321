//! The one expansion against the slow reference: every zone, around its jumps and anywhere else.

use deskbell_core::calendar::{Hours, Span, TimeZone, Window, covers, open};
use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;
use proptest::sample::Index;

use super::plan::{self, Plan};
use super::{cases, reference};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Windows lie before 2045: past the last transition that any zone has by itself, into those of its rules.
const LATEST: u64 = 27_394 * DAY;

/// Every instant from 1970 to 2045 at which the zone's offset changes.
fn jumps(zone: &jiff::tz::TimeZone) -> Vec<u64> {
    let mut before = zone.to_offset(Timestamp::UNIX_EPOCH);
    let mut jumps = Vec::new();
    for transition in zone.following(Timestamp::UNIX_EPOCH) {
        let at = transition.timestamp().as_millisecond() as u64;
        if at > LATEST {
            break;
        }
        if transition.offset() != before {
            jumps.push(at);
        }
        before = transition.offset();
    }
    jumps
}

/// A zone and a window of it: mostly around a jump, in whole minutes.
fn place() -> impl Strategy<Value = (String, Window)> {
    let ids: Vec<String> = TimeZone::ids().collect();
    let lengths = prop_oneof![3 => 1..3_000u64, 1 => 3_000..12_000u64];
    (prop::sample::select(ids), any::<Index>(), 0..2_880u64, lengths, 0u8..4).prop_map(
        |(id, which, before, minutes, anywhere)| {
            let jumps = jumps(&reference::zone(&id));
            let at = if jumps.is_empty() || anywhere == 0 {
                which.index(LATEST as usize) as u64
            } else {
                jumps[which.index(jumps.len())]
            };
            let start = at.saturating_sub(before * MINUTE) / MINUTE * MINUTE;
            (id, Window::new(start, start + minutes * MINUTE).unwrap())
        },
    )
}

fn date_at(at: u64) -> Date {
    let at = Timestamp::from_millisecond(at as i64).unwrap();
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// A place and opening hours for it.
fn scene() -> impl Strategy<Value = (String, Window, Plan)> {
    place().prop_flat_map(|(id, window)| {
        plan::plan(date_at(window.span().start)).prop_map(move |plan| (id.clone(), window, plan))
    })
}

fn parse(plan: &Plan) -> Hours {
    super::hours(&plan.json())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn the_function_gives_what_the_reference_gives((id, window, plan) in scene()) {
        let found = reference::walk(&plan, &reference::zone(&id), window);
        let (hours, zone) = (parse(&plan), super::zone(&id));
        prop_assert_eq!(&open(&hours, &zone, window), &found.open, "{} {}", id, plan.json());
        prop_assert_eq!(covers(&hours, &zone, window), found.open == [window.span()]);
    }

    #[test]
    fn a_part_of_a_window_is_a_part_of_its_answer((id, window, plan) in scene(), cut in any::<(Index, Index)>()) {
        let (hours, zone) = (parse(&plan), super::zone(&id));
        let Span { start, end } = window.span();
        let one = start + cut.0.index((end - start) as usize) as u64;
        let other = start + cut.1.index((end - start) as usize) as u64;
        let part = Span { start: one.min(other), end: one.max(other) + 1 };
        let whole = open(&hours, &zone, window);
        let clipped: Vec<Span> = whole.iter().map(|span| Span {
            start: span.start.max(part.start),
            end: span.end.min(part.end),
        }).filter(|span| span.start < span.end).collect();
        let part = Window::new(part.start, part.end).unwrap();
        prop_assert_eq!(open(&hours, &zone, part), clipped);
        let inside = whole.iter().any(|span| span.start <= part.span().start && part.span().end <= span.end);
        prop_assert_eq!(covers(&hours, &zone, part), inside);
    }

    #[test]
    fn hours_read_back_what_they_wrote((id, window, plan) in scene()) {
        let hours = parse(&plan);
        let text = serde_json::to_string(&hours).unwrap();
        let again = super::hours(&text);
        prop_assert_eq!(&again, &hours, "{}", text);
        prop_assert_eq!(serde_json::from_str::<Hours>(&text).unwrap(), again);
        prop_assert_eq!(serde_json::to_string(&hours).unwrap(), text);
        let zone = super::zone(&id);
        prop_assert_eq!(open(&parse(&plan), &zone, window), open(&hours, &zone, window));
    }

    #[test]
    fn where_no_clock_jumps_an_hour_on_the_wall_is_an_hour((id, window) in place(), times in plan::times()) {
        let zone = reference::zone(&id);
        let at = window.span().start;
        let calm = !jumps(&zone).iter().any(|jump| jump.abs_diff(at) <= 4 * DAY);
        let date = date_at(at + DAY);
        let plan = Plan { valid: (Some(date), Some(date)), exceptions: vec![(date, date, vec![times])], ..Plan::default() };
        let around = Window::new(at.saturating_sub(2 * DAY), at + 4 * DAY).unwrap();
        if calm && at > 4 * DAY {
            let over = if times.1 < times.0 { 1_440 } else { 0 };
            let nominal = u64::from(times.1 + over - times.0) * MINUTE;
            let spans = open(&parse(&plan), &super::zone(&id), around);
            prop_assert_eq!(spans.iter().map(|span| span.end - span.start).collect::<Vec<_>>(), [nominal]);
        }
    }
}

/// Many rules at the places where clocks jump.
fn dense() -> Plan {
    let times =
        [(0, 15), (50, 95), (100, 110), (125, 130), (135, 165), (170, 400), (1_370, 1_390), (1_400, 20)];
    let weekly = (0..7).flat_map(|day| times.map(|times| (day, times))).collect();
    Plan { weekly, ..Plan::default() }
}

#[test]
fn every_zone_is_right_at_jumps_of_its_own() {
    let (dense, whole) = (
        dense(),
        Plan { weekly: (0..7).step_by(2).map(|day| (day, (0, 1_440))).collect(), ..Plan::default() },
    );
    let each = cases(1) as usize;
    let mut walked = 0;
    for (index, id) in TimeZone::ids().enumerate() {
        let (slow, zone) = (reference::zone(&id), super::zone(&id));
        let mut jumps = jumps(&slow);
        if jumps.is_empty() {
            jumps.push(LATEST / 2);
        }
        // Not the same part of every zone's list: many zones share their history.
        let apart = (jumps.len() / each).max(1);
        let chosen = jumps.iter().skip(index % apart).step_by(apart);
        for jump in chosen {
            let start = jump.saturating_sub(4 * HOUR) / MINUTE * MINUTE;
            let window = Window::new(start, start + 8 * HOUR).unwrap();
            for plan in [[&dense, &whole], [&whole, &dense]][index % 2].into_iter().take(each) {
                let found = reference::walk(plan, &slow, window);
                assert_eq!(open(&parse(plan), &zone, window), found.open, "{id} {window:?}");
                walked += 1;
            }
        }
    }
    assert!(walked >= TimeZone::ids().count() && walked > 500, "only {walked} walks were made");
}

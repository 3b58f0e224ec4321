//! Starts to show: a grid from the local opening time, whatever the window and whatever is taken.

use deskbell_core::calendar::{Openings, Span, expand};
use proptest::prelude::*;

use super::plan::{Plan, times};
use super::{cases, hours, reference, utc, window, zone};

const MINUTE: u64 = 60_000;

fn starts(openings: &Openings, free: &[Span], duration: u64, step: u64) -> Vec<String> {
    let text =
        |at: u64| jiff::Timestamp::from_millisecond(at as i64).unwrap().strftime("%d %H:%M").to_string();
    openings.slots(free, duration * MINUTE, step * MINUTE).map(text).collect()
}

#[test]
fn the_grid_begins_anew_after_a_block_and_not_after_a_booking() {
    let hours = hours(
        r#"{"weekly":[{"day":"mon","from":"09:10","to":"13:00"}],
            "recurring":[{"rrule":"FREQ=DAILY","from":"11:00","to":"11:25","open":false}]}"#,
    );
    let openings = expand(&hours, &zone("UTC"), window("2026-06-01T00:00Z", "2026-06-02T00:00Z"));
    let all = starts(&openings, openings.spans(), 45, 30);
    assert_eq!(all, ["01 09:10", "01 09:40", "01 10:10", "01 11:25", "01 11:55"]);
    let free = [
        Span { start: utc("2026-06-01T09:35Z"), end: utc("2026-06-01T11:00Z") },
        Span { start: utc("2026-06-01T12:00Z"), end: utc("2026-06-01T13:00Z") },
    ];
    assert_eq!(starts(&openings, &free, 45, 30), ["01 09:40", "01 10:10"]);
    assert_eq!(starts(&openings, &free, 30, 30), ["01 09:40", "01 10:10", "01 12:25"]);
}

#[test]
fn the_grid_is_the_same_for_every_window() {
    let hours = hours(r#"{"weekly":[{"day":"mon","from":"09:10","to":"12:00"}]}"#);
    for from in ["2026-06-01T00:00Z", "2026-06-01T09:10Z", "2026-06-01T09:37Z", "2026-06-01T10:09Z"] {
        let openings = expand(&hours, &zone("UTC"), window(from, "2026-06-01T11:00Z"));
        let late: Vec<_> = starts(&openings, openings.spans(), 15, 30);
        assert_eq!(late[late.len() - 2..], ["01 10:10", "01 10:40"], "{from}");
    }
}

#[test]
fn an_always_open_place_begins_its_grid_at_local_midnight() {
    let openings =
        expand(&hours("{}"), &zone("Asia/Kathmandu"), window("2026-06-01T00:00Z", "2026-06-02T00:00Z"));
    let starts = starts(&openings, openings.spans(), 600, 540);
    assert_eq!(
        starts,
        ["01 03:15", "01 12:15"],
        "09:00 and 18:00 in Nepal; midnight does not leave ten hours"
    );
}

#[test]
fn no_duration_or_step_gives_no_slots() {
    let openings = expand(&hours("{}"), &zone("UTC"), window("2026-06-01T00:00Z", "2026-06-02T00:00Z"));
    let count = |duration, step| openings.slots(openings.spans(), duration, step).count();
    assert_eq!((count(0, 1), count(1, 0), count(u64::MAX, 1)), (0, 0, 0));
    assert_eq!(count(MINUTE, u64::MAX), 1, "only the opening itself");
    assert_eq!(count(24 * 60 * MINUTE, MINUTE), 1, "exactly the whole");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(60)))]

    #[test]
    fn slots_are_the_points_of_the_grid_that_fit(
        id in prop::sample::select(vec!["Europe/Oslo", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
        opens in prop::collection::vec(times(), 1..4),
        (hour, duration, step) in (0u64..9_000, 1u64..200, 1u64..200),
    ) {
        let start = utc("2010-11-01T00:00Z") + hour * 60 * MINUTE / 7 / MINUTE * MINUTE;
        let window = deskbell_core::calendar::Window::new(start, start + 30 * 60 * MINUTE).unwrap();
        let weekly = (0..7).flat_map(|day| opens.iter().map(move |times| (day, *times))).collect();
        let plan = Plan { weekly, ..Plan::default() };
        let found = reference::walk(&plan, &reference::zone(id), window);
        let fits = |at: u64| found.open.iter().any(|span| span.start <= at && at + duration * MINUTE <= span.end);
        let on_grid = |at: u64| {
            let anchor = found.hulls.iter().map(|hull| hull.0).filter(|first| *first <= at as i64).max();
            (at as i64 - anchor.unwrap()) % (step * MINUTE) as i64 == 0
        };
        let minutes = (window.span().start..window.span().end).step_by(MINUTE as usize);
        let expected: Vec<u64> = minutes.filter(|at| fits(*at) && on_grid(*at)).collect();
        let openings = expand(&hours(&plan.json()), &zone(id), window);
        let slots: Vec<u64> = openings.slots(openings.spans(), duration * MINUTE, step * MINUTE).collect();
        prop_assert_eq!(slots, expected, "{} {}", id, plan.json());
    }
}

//! Busy times: the change of the clocks in both directions, rules, exceptions, and what is refused.

use deskbell_core::calendar::{BusyEvent, Length, Moment, Span, TimeZone, busy, day_of, time_of_day};
use deskbell_core::limits::{DAY, HOUR};

fn zone(id: &str) -> TimeZone {
    TimeZone::parse(id).unwrap()
}

fn wall(text: &str) -> i64 {
    let (date, time) = text.split_once('T').unwrap();
    i64::from(day_of(date).unwrap()) * DAY as i64 + time_of_day(time).unwrap()
}

fn local(text: &str) -> Moment {
    Moment::Local(wall(text), None)
}

fn hours(hours: u64) -> Length {
    Length::For { days: 0, ms: hours * HOUR }
}

fn event(start: Moment, length: Length, rule: &str) -> BusyEvent {
    BusyEvent {
        uid: "1".to_owned(),
        start,
        length,
        rule: Some(rule.to_owned()).filter(|rule| !rule.is_empty()),
        except: Vec::new(),
        instead_of: None,
        busy: true,
    }
}

fn utc(text: &str) -> u64 {
    wall(text) as u64
}

fn within(events: &[BusyEvent], id: &str, from: &str, until: &str) -> Vec<(u64, u64)> {
    let window = Span { start: utc(from), end: utc(until) };
    let found = busy(events, &zone(id), window).unwrap();
    found.into_iter().map(|span| (span.start, span.end)).collect()
}

fn spans(texts: &[(&str, &str)]) -> Vec<(u64, u64)> {
    texts.iter().map(|(start, end)| (utc(start), utc(end))).collect()
}

#[test]
fn a_weekly_hour_keeps_its_place_on_the_wall_when_the_clocks_change() {
    // Europe/Oslo: forward on 29 March 2026, back on 25 October 2026.
    let event = event(local("20260101T090000"), hours(1), "FREQ=WEEKLY;BYDAY=SU,MO");
    let spring = within(std::slice::from_ref(&event), "Europe/Oslo", "20260322T000000", "20260331T000000");
    assert_eq!(
        spring,
        spans(&[
            ("20260322T080000", "20260322T090000"),
            ("20260323T080000", "20260323T090000"),
            ("20260329T070000", "20260329T080000"),
            ("20260330T070000", "20260330T080000"),
        ])
    );
    let autumn = within(&[event], "Europe/Oslo", "20261024T000000", "20261027T000000");
    assert_eq!(
        autumn,
        spans(&[("20261025T080000", "20261025T090000"), ("20261026T080000", "20261026T090000")])
    );
}

#[test]
fn in_a_gap_the_offset_before_counts_and_in_a_fold_the_first_time() {
    let gap = event(local("20260329T023000"), hours(1), "");
    let found = within(&[gap], "Europe/Oslo", "20260328T000000", "20260331T000000");
    assert_eq!(found, spans(&[("20260329T013000", "20260329T023000")]), "02:30 is not there: it is 03:30");
    let fold = event(local("20261025T023000"), hours(1), "");
    let found = within(&[fold], "Europe/Oslo", "20261024T000000", "20261027T000000");
    assert_eq!(found, spans(&[("20261025T003000", "20261025T013000")]), "the first of both");
}

#[test]
fn whole_days_are_as_long_as_the_wall_has_them() {
    for (day, start, end) in [
        ("20260329", "20260328T230000", "20260329T220000"),
        ("20261025", "20261024T220000", "20261025T230000"),
    ] {
        let day = day_of(day).unwrap();
        for length in [Length::Unsaid, Length::Until(Moment::Day(day + 1)), Length::For { days: 1, ms: 0 }] {
            let found = within(
                &[event(Moment::Day(day), length, "")],
                "Europe/Oslo",
                "20260101T000000",
                "20261231T000000",
            );
            assert_eq!(found, spans(&[(start, end)]));
        }
    }
}

#[test]
fn an_own_zone_an_utc_time_and_an_end_in_another_zone_are_what_they_say() {
    let new_york = Moment::Local(wall("20260601T100000"), Some(zone("America/New_York")));
    let end = Moment::Local(wall("20260601T170000"), Some(zone("Europe/Oslo")));
    let found = within(
        &[event(new_york, Length::Until(end), "")],
        "Asia/Tokyo",
        "20260601T000000",
        "20260602T000000",
    );
    assert_eq!(found, spans(&[("20260601T140000", "20260601T150000")]));
    // In UTC it comes at the same instant all year, whatever the wall shows.
    let daily = event(Moment::Utc(utc("20260328T080000")), hours(1), "FREQ=DAILY;COUNT=3");
    let found = within(&[daily], "Europe/Oslo", "20260101T000000", "20261231T000000");
    assert_eq!(found.iter().map(|(start, _)| start % DAY / HOUR).collect::<Vec<_>>(), [8, 8, 8]);
}

#[test]
fn a_series_ends_leaves_out_and_moves_what_it_says() {
    let mut series = event(local("20260601T090000"), hours(1), "FREQ=DAILY;UNTIL=20260605T070000Z");
    series.except = vec![local("20260602T090000"), Moment::Day(day_of("20260603").unwrap())];
    let mut moved = event(local("20260604T150000"), hours(2), "");
    moved.instead_of = Some(local("20260604T090000"));
    let mut called_off = event(local("20260605T090000"), hours(1), "");
    called_off.instead_of = Some(Moment::Utc(utc("20260605T070000")));
    called_off.busy = false;
    let found = within(
        &[moved.clone(), series.clone(), called_off],
        "Europe/Oslo",
        "20260101T000000",
        "20270101T000000",
    );
    assert_eq!(
        found,
        spans(&[("20260601T070000", "20260601T080000"), ("20260604T130000", "20260604T150000")])
    );
    // A moved one belongs to its own series alone.
    moved.uid = "2".to_owned();
    let found = within(&[moved, series], "Europe/Oslo", "20260101T000000", "20270101T000000");
    assert_eq!(found.len(), 4, "the third and the fifth came back: {found:?}");
}

#[test]
fn the_last_date_of_a_rule_is_the_one_on_the_wall() {
    let count = |until: &str| {
        let series = event(local("20260601T233000"), hours(1), &format!("FREQ=DAILY;UNTIL={until}"));
        within(&[series], "America/New_York", "20260101T000000", "20270101T000000").len()
    };
    // 23:30 in New York is 03:30 UTC of the next day.
    assert_eq!(count("20260603T033000Z"), 2, "the second of June, to the second");
    assert_eq!(count("20260603T032959Z"), 1);
    assert_eq!(count("20260603"), 3, "a date is the last one");
    assert_eq!(count("20260603T233000"), 3, "a floating time is meant on the wall");
    assert_eq!(count("20260603T232959"), 2);
    assert_eq!(count("20250101T000000Z"), 1, "what ended before it began comes once");
}

#[test]
fn only_what_touches_the_window_comes_and_what_overlaps_is_joined() {
    let long =
        event(Moment::Day(day_of("20260101").unwrap()), Length::For { days: 30, ms: 0 }, "FREQ=MONTHLY");
    let found = within(&[long], "UTC", "20260410T000000", "20260411T000000");
    assert_eq!(found, spans(&[("20260401T000000", "20260501T000000")]), "it began long before");
    let both = [event(local("20260601T090000"), hours(2), ""), event(local("20260601T100000"), hours(2), "")];
    let found = within(&both, "UTC", "20260101T000000", "20270101T000000");
    assert_eq!(found, spans(&[("20260601T090000", "20260601T120000")]));
    let mut free = event(local("20260601T090000"), hours(1), "");
    free.busy = false;
    let nothing = event(local("20260601T090000"), Length::Unsaid, "");
    assert!(within(&[free, nothing], "UTC", "20260101T000000", "20270101T000000").is_empty());
}

#[test]
fn what_is_not_understood_is_refused_in_words() {
    let window = Span { start: 0, end: DAY };
    for (rule, word) in [
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=HOURLY", "FREQ"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("every day", "="),
    ] {
        let why = busy(&[event(local("20260601T090000"), hours(1), rule)], &zone("UTC"), window).unwrap_err();
        assert!(why.contains(word) && why.contains("\"1\""), "{rule}: {why}");
    }
    let backwards = event(local("20260601T090000"), Length::Until(local("20260601T080000")), "");
    assert!(busy(&[backwards], &zone("UTC"), window).unwrap_err().contains("ends before it begins"));
    let mut free = event(local("20260601T090000"), hours(1), "FREQ=HOURLY");
    free.busy = false;
    assert!(busy(&[free], &zone("UTC"), window).unwrap().is_empty(), "what takes no time is not looked into");
}

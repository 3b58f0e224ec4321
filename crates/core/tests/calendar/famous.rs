//! Dates on which clocks did something that others got wrong, each worked out by hand.

use deskbell_core::calendar::{Span, expand, open};
use serde_json::json;

use super::{hours, utc, window, zone};

/// Zone, date, hours on it, and the instants that they are; none where the hours did not exist.
type Row = (&'static str, &'static str, (&'static str, &'static str), Option<(&'static str, &'static str)>);

fn check(rows: &[Row]) {
    for (id, date, (from, to), expected) in rows {
        let only = json!({
            "valid": { "from": date, "to": date },
            "exceptions": [{ "date": date, "hours": [{ "from": from, "to": to }] }],
        });
        let date: jiff::civil::Date = date.parse().unwrap();
        let [begin, end] = [-3, 3].map(|days| format!("{}T00:00Z", super::plan::shifted(date, days)));
        let found = open(&hours(&only.to_string()), &zone(id), window(&begin, &end));
        let expected: Vec<Span> =
            expected.iter().map(|(start, end)| Span { start: utc(start), end: utc(end) }).collect();
        assert_eq!(found, expected, "{id} {date} {from}-{to}");
    }
}

#[test]
fn oslo_loses_an_hour_in_march() {
    let day = |times, found| ("Europe/Oslo", "2026-03-29", times, found);
    check(&[
        day(("00:00", "24:00"), Some(("2026-03-28T23:00Z", "2026-03-29T22:00Z"))),
        day(("09:00", "17:00"), Some(("2026-03-29T07:00Z", "2026-03-29T15:00Z"))),
        day(("01:00", "02:30"), Some(("2026-03-29T00:00Z", "2026-03-29T01:00Z"))),
        day(("02:30", "05:00"), Some(("2026-03-29T01:00Z", "2026-03-29T03:00Z"))),
        day(("02:00", "03:00"), None),
        day(("02:15", "02:45"), None),
        ("Europe/Oslo", "2026-03-28", ("22:00", "02:30"), Some(("2026-03-28T21:00Z", "2026-03-29T01:00Z"))),
    ]);
}

#[test]
fn oslo_has_an_hour_twice_in_october() {
    let day = |times, found| ("Europe/Oslo", "2026-10-25", times, found);
    check(&[
        day(("00:00", "24:00"), Some(("2026-10-24T22:00Z", "2026-10-25T23:00Z"))),
        day(("09:00", "17:00"), Some(("2026-10-25T08:00Z", "2026-10-25T16:00Z"))),
        day(("01:00", "02:30"), Some(("2026-10-24T23:00Z", "2026-10-25T01:30Z"))),
        day(("02:30", "05:00"), Some(("2026-10-25T00:30Z", "2026-10-25T04:00Z"))),
        day(("02:15", "02:45"), Some(("2026-10-25T00:15Z", "2026-10-25T01:45Z"))),
        day(("02:00", "03:00"), Some(("2026-10-25T00:00Z", "2026-10-25T02:00Z"))),
        day(("01:00", "02:00"), Some(("2026-10-24T23:00Z", "2026-10-25T00:00Z"))),
        day(("03:00", "04:00"), Some(("2026-10-25T02:00Z", "2026-10-25T03:00Z"))),
        ("Europe/Oslo", "2026-10-24", ("22:00", "02:30"), Some(("2026-10-24T20:00Z", "2026-10-25T01:30Z"))),
    ]);
}

#[test]
fn lord_howe_jumps_by_half_an_hour() {
    let id = "Australia/Lord_Howe";
    check(&[
        (id, "2026-04-05", ("00:00", "24:00"), Some(("2026-04-04T13:00Z", "2026-04-05T13:30Z"))),
        (id, "2026-04-05", ("01:45", "03:00"), Some(("2026-04-04T14:45Z", "2026-04-04T16:30Z"))),
        (id, "2026-10-04", ("00:00", "24:00"), Some(("2026-10-03T13:30Z", "2026-10-04T13:00Z"))),
        (id, "2026-10-04", ("02:10", "04:00"), Some(("2026-10-03T15:30Z", "2026-10-03T17:00Z"))),
    ]);
}

#[test]
fn whole_dates_were_skipped_in_the_pacific() {
    check(&[
        ("Pacific/Apia", "2011-12-29", ("22:00", "02:00"), Some(("2011-12-30T08:00Z", "2011-12-30T10:00Z"))),
        ("Pacific/Apia", "2011-12-30", ("00:00", "24:00"), None),
        ("Pacific/Apia", "2011-12-30", ("22:00", "02:00"), Some(("2011-12-30T10:00Z", "2011-12-30T12:00Z"))),
        ("Pacific/Apia", "2011-12-31", ("00:00", "24:00"), Some(("2011-12-30T10:00Z", "2011-12-31T10:00Z"))),
        ("Pacific/Kwajalein", "1993-08-21", ("00:00", "24:00"), None),
        ("Pacific/Kiritimati", "1994-12-31", ("00:00", "24:00"), None),
    ]);
}

#[test]
fn clocks_jump_at_midnight_too() {
    let sao_paulo = "America/Sao_Paulo";
    check(&[
        (sao_paulo, "2018-11-04", ("00:00", "24:00"), Some(("2018-11-04T03:00Z", "2018-11-05T02:00Z"))),
        (sao_paulo, "2018-11-03", ("20:00", "00:30"), Some(("2018-11-03T23:00Z", "2018-11-04T03:00Z"))),
        (sao_paulo, "2018-02-17", ("00:00", "24:00"), Some(("2018-02-17T02:00Z", "2018-02-18T03:00Z"))),
        (sao_paulo, "2018-02-17", ("22:00", "23:00"), Some(("2018-02-18T00:00Z", "2018-02-18T01:00Z"))),
        (sao_paulo, "2018-02-17", ("23:30", "23:45"), Some(("2018-02-18T01:30Z", "2018-02-18T02:45Z"))),
        ("Africa/Cairo", "2023-04-28", ("00:30", "08:00"), Some(("2023-04-27T22:00Z", "2023-04-28T05:00Z"))),
        // The fold begins at midnight: what ends at midnight ends before it.
        (
            "America/Havana",
            "2023-11-04",
            ("18:00", "24:00"),
            Some(("2023-11-04T22:00Z", "2023-11-05T04:00Z")),
        ),
        (
            "America/Havana",
            "2023-11-05",
            ("00:00", "24:00"),
            Some(("2023-11-05T04:00Z", "2023-11-06T05:00Z")),
        ),
        // The clock went back over midnight, from 00:01 to 23:01 of the date before.
        (
            "America/St_Johns",
            "2010-11-06",
            ("00:00", "24:00"),
            Some(("2010-11-06T02:30Z", "2010-11-07T03:30Z")),
        ),
        (
            "America/St_Johns",
            "2010-11-07",
            ("00:00", "24:00"),
            Some(("2010-11-07T02:30Z", "2010-11-08T03:30Z")),
        ),
    ]);
}

#[test]
fn a_window_inside_a_repeated_midnight_sees_rules_of_dates_far_from_it() {
    // At 02:31 UTC the clock in St. John's went back from 00:01 of the 7th to 23:01 of the 6th.
    let zone = zone("America/St_Johns");
    let dated = |date: &str, from: &str, to: &str| {
        json!({
            "valid": { "from": date, "to": date },
            "exceptions": [{ "date": date, "hours": [{ "from": from, "to": to }] }],
        })
    };
    let late = window("2010-11-07T02:45Z", "2010-11-07T03:00Z");
    let found = open(&hours(&dated("2010-11-07", "00:00", "00:01").to_string()), &zone, late);
    assert_eq!(found, [late.span()], "the 6th on the wall, but the first minute of the 7th is not over");
    let early = window("2010-11-07T02:30:30Z", "2010-11-07T02:31Z");
    let found = open(&hours(&dated("2010-11-05", "23:58", "23:50").to_string()), &zone, early);
    assert_eq!(found, [early.span()], "the 7th on the wall, but the night of the 5th is not over");

    // A block of the 4th ends inside the opening of the 5th and so moves its slots.
    let mut blocked = dated("2010-11-05", "23:30", "23:10");
    blocked["valid"]["from"] = json!("2010-11-04");
    blocked["recurring"] =
        json!([{ "rrule": "FREQ=DAILY;UNTIL=20101104", "from": "23:59", "to": "23:58", "open": false }]);
    let openings =
        expand(&hours(&blocked.to_string()), &zone, window("2010-11-07T02:30:30Z", "2010-11-07T02:40Z"));
    let slots: Vec<_> = openings.slots(openings.spans(), 60_000, 8 * 60_000).collect();
    assert_eq!(slots, [utc("2010-11-07T02:36Z")]);
}

#[test]
fn offsets_need_not_be_whole_hours() {
    check(&[
        (
            "Africa/Monrovia",
            "1972-01-06",
            ("09:00", "17:00"),
            Some(("1972-01-06T09:44:30Z", "1972-01-06T17:44:30Z")),
        ),
        (
            "Africa/Monrovia",
            "1972-01-07",
            ("00:00", "24:00"),
            Some(("1972-01-07T00:44:30Z", "1972-01-08T00:00Z")),
        ),
        (
            "Asia/Kathmandu",
            "1986-01-01",
            ("00:05", "10:00"),
            Some(("1985-12-31T18:30Z", "1986-01-01T04:15Z")),
        ),
        (
            "Asia/Kathmandu",
            "2026-06-01",
            ("09:00", "10:00"),
            Some(("2026-06-01T03:15Z", "2026-06-01T04:15Z")),
        ),
        (
            "Pacific/Chatham",
            "2026-06-01",
            ("09:00", "10:00"),
            Some(("2026-05-31T20:15Z", "2026-05-31T21:15Z")),
        ),
    ]);
}

#[test]
fn morocco_goes_back_for_ramadan() {
    let id = "Africa/Casablanca";
    check(&[
        (id, "2026-02-15", ("00:00", "24:00"), Some(("2026-02-14T23:00Z", "2026-02-16T00:00Z"))),
        (id, "2026-03-22", ("00:00", "24:00"), Some(("2026-03-22T00:00Z", "2026-03-22T23:00Z"))),
    ]);
}

#[test]
fn what_is_always_open_has_no_seam_at_a_jump() {
    for id in ["Europe/Oslo", "Pacific/Apia", "America/St_Johns", "America/Havana", "Africa/Monrovia"] {
        for (from, to) in
            [("2010-06-01T00:00Z", "2011-06-01T00:00Z"), ("2011-12-01T00:00Z", "2012-02-01T00:00Z")]
        {
            let window = window(from, to);
            assert_eq!(open(&hours("{}"), &zone(id), window), [window.span()], "{id}");
        }
    }
}

#[test]
fn the_calendar_reaches_from_its_first_to_its_last_instant() {
    let end = deskbell_core::limits::CALENDAR_END;
    let weekly =
        r#"{"weekly":[{"day":"thu","from":"00:00","to":"24:00"},{"day":"wed","from":"20:00","to":"08:00"}]}"#;
    for id in ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"] {
        let first = deskbell_core::calendar::Window::new(0, 1_000).unwrap();
        assert_eq!(open(&hours("{}"), &zone(id), first), [first.span()]);
        let last = deskbell_core::calendar::Window::new(end - 1_000, end).unwrap();
        assert_eq!(open(&hours("{}"), &zone(id), last), [last.span()]);
    }
    let first = deskbell_core::calendar::Window::new(0, 30 * 3_600_000).unwrap();
    assert_eq!(open(&hours(weekly), &zone("UTC"), first), [Span { start: 0, end: 24 * 3_600_000 }]);
}

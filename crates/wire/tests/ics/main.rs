//! Calendars as other programs write them, and what must be refused.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

use deskbell_core::calendar::{Span, TimeZone, busy};
use deskbell_core::refusal::Code;
use deskbell_wire::ics::{Feed, FeedEvent, Status, read};
use deskbell_wire::ledger::time;
use proptest::prelude::*;

/// A calendar with these lines within one event for each text.
fn calendar(events: &[&str]) -> String {
    let events: String =
        events.iter().map(|lines| format!("BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\n")).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

/// When somebody with this calendar is busy in 2026, on a wall in Oslo.
fn spans(text: &str) -> Vec<(String, String)> {
    let window = Span { start: 1_767_225_600_000, end: 1_798_761_600_000 };
    let events = read(text.as_bytes()).unwrap();
    let found = busy(&events, &TimeZone::parse("Europe/Oslo").unwrap(), window).unwrap();
    found.into_iter().map(|span| (time::to_text(span.start), time::to_text(span.end))).collect()
}

fn one(start: &str, end: &str) -> Vec<(String, String)> {
    vec![(start.to_owned(), end.to_owned())]
}

#[test]
fn times_are_read_in_every_form() {
    let hour = one("2026-06-01T07:00:00Z", "2026-06-01T08:00:00Z");
    for lines in [
        "DTSTART:20260601T070000Z\r\nDTEND:20260601T080000Z",
        "DTSTART:20260601T090000\r\nDTEND:20260601T100000",
        "DTSTART;TZID=Europe/Berlin:20260601T090000\r\nDURATION:PT1H",
        "DTSTART;TZID=\"W. Europe Standard Time\":20260601T090000\r\nDURATION:PT60M",
        "DTSTART;TZID=/vendor/x/Europe/Paris:20260601T090000\r\nDURATION:PT3600S",
        "dtstart;tzid=America/New_York:20260601T030000\r\ndtend:20260601T080000Z",
        "DTSTART;VALUE=DATE-TIME:20260601T070000Z\r\nDURATION:+PT1H",
    ] {
        assert_eq!(spans(&calendar(&[lines])), hour, "{lines}");
    }
    let day = one("2026-05-31T22:00:00Z", "2026-06-01T22:00:00Z");
    for lines in
        ["DTSTART;VALUE=DATE:20260601", "DTSTART:20260601", "DTSTART;VALUE=DATE:20260601\r\nDURATION:P1D"]
    {
        assert_eq!(spans(&calendar(&[lines])), day, "{lines}");
    }
    let week = "DTSTART;VALUE=DATE:20260601\r\nDTEND;VALUE=DATE:20260608";
    assert_eq!(spans(&calendar(&[week])), spans(&calendar(&["DTSTART;VALUE=DATE:20260601\r\nDURATION:P1W"])));
}

#[test]
fn a_zone_that_the_calendar_defines_is_the_place_that_it_names() {
    let zone = "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nX-LIC-LOCATION:Europe/Oslo\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n\
                RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let event = calendar(&["UID:1\r\nDTSTART;TZID=Ours:20260601T090000\r\nDURATION:PT1H"]);
    // Behind the event it counts as well.
    let behind = event.replace("END:VCALENDAR", &format!("{zone}END:VCALENDAR"));
    let before = event.replace("VERSION:2.0\r\n", &format!("VERSION:2.0\r\n{zone}"));
    for text in [before, behind] {
        assert_eq!(spans(&text), one("2026-06-01T07:00:00Z", "2026-06-01T08:00:00Z"));
    }
    let no = read(event.as_bytes()).unwrap_err();
    assert!(no.message.contains("\"Ours\"") && no.message.contains("IANA"), "{no}");
}

#[test]
fn what_takes_no_time_is_not_busy_and_alarms_are_nobodys() {
    let hour = "DTSTART:20260601T070000Z\r\nDURATION:PT1H";
    for free in ["TRANSP:TRANSPARENT", "STATUS:CANCELLED", "status:cancelled"] {
        assert_eq!(spans(&calendar(&[&format!("{hour}\r\n{free}")])), [], "{free}");
    }
    let alarm =
        format!("{hour}\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nDURATION:PT15M\r\nEND:VALARM\r\nTRANSP:OPAQUE");
    assert_eq!(spans(&calendar(&[&alarm])).len(), 1);
    let journal = calendar(&[hour]).replace("VEVENT", "VJOURNAL");
    assert_eq!(spans(&journal), [], "a note is no event");
}

#[test]
fn a_series_with_exceptions_is_what_it_says_over_the_change_of_the_clocks() {
    let series = "UID:s\r\nDTSTART;TZID=Europe/Oslo:20260323T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=10\r\n\
                  EXDATE;TZID=Europe/Oslo:20260324T090000,20260325T090000\r\nEXDATE:20260326T080000Z\r\nEXDATE;VALUE=DATE:20260327";
    let moved = "UID:s\r\nRECURRENCE-ID;TZID=Europe/Oslo:20260330T090000\r\nDTSTART;TZID=Europe/Oslo:20260330T200000\r\nDURATION:PT2H";
    let found = spans(&calendar(&[series, moved]));
    let starts: Vec<&str> = found.iter().map(|(start, _)| start.as_str()).collect();
    assert_eq!(
        starts,
        [
            "2026-03-23T08:00:00Z",
            "2026-03-28T08:00:00Z",
            "2026-03-29T07:00:00Z",
            "2026-03-30T18:00:00Z",
            "2026-03-31T07:00:00Z",
            "2026-04-01T07:00:00Z"
        ]
    );
}

#[test]
fn what_is_no_calendar_or_not_understood_is_refused_in_words() {
    let long = format!("DTSTART:20260601T070000Z\r\nRRULE:{}", "x".repeat(70_000));
    let many = format!("DTSTART:20260601T070000Z\r\nEXDATE:{}", ["20260601T070000Z"; 521].join(","));
    for (text, word) in [
        (String::new(), "breaks off"),
        ("<html></html>".to_owned(), "is it an iCalendar"),
        ("BEGIN:VEVENT\nEND:VEVENT".to_owned(), "BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR".to_owned(), "did not begin"),
        (calendar(&["DTSTART:20260601T070000Z"]).replace("END:VCALENDAR", ""), "breaks off"),
        (calendar(&["SUMMARY:x"]), "no DTSTART"),
        (calendar(&["DTSTART:20260601T070000Z\r\nDTSTART:20260601T070000Z"]), "twice"),
        (calendar(&["DTSTART:2026-06-01"]), "no date"),
        (calendar(&["DTSTART:20260631T070000Z"]), "no date"),
        (calendar(&["DTSTART:19000101T070000Z"]), "1970"),
        (calendar(&["DTSTART:20260601T250000Z"]), "no date"),
        (calendar(&["DTSTART:20260601T070000Z\r\nDURATION:-PT1H"]), "no duration"),
        (calendar(&["DTSTART:20260601T070000Z\r\nDURATION:P1H"]), "no duration"),
        (calendar(&["DTSTART:20260601T070000Z\r\nDURATION:P"]), "no duration"),
        (calendar(&["DTSTART:20260601T070000Z\r\nDTEND;VALUE=DATE:20260602"]), "begins with a date"),
        (calendar(&["DTSTART:20260601T070000Z\r\nRDATE:20260602T070000Z"]), "RDATE"),
        (
            calendar(&["DTSTART:20260601T070000Z\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260602T070000Z"]),
            "RANGE",
        ),
        (calendar(&[&long]), "too long"),
        (calendar(&[&many]), "EXDATE"),
        (calendar(&["DTSTART:20260601T070000Z"]).replace("VEVENT", "VFREEBUSY"), "VFREEBUSY"),
        ("BEGIN:VCALENDAR\n".repeat(2), "BEGIN:VCALENDAR"),
        (format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(9)), "within components"),
        ("BEGIN:VCALENDAR\nBEGIN:X\nBEGIN:VEVENT\n".to_owned(), "within something else"),
    ] {
        let no = read(text.as_bytes()).unwrap_err();
        assert_eq!(no.code, Code::BadField, "{no}");
        assert!(no.message.contains(word), "{word}: {no}");
    }
    assert_eq!(read(&vec![b' '; 4 * 1024 * 1024 + 1]).unwrap_err().code, Code::TooLarge);
    let many = vec!["DTSTART:20260601T070000Z"; 10_001];
    assert_eq!(read(calendar(&many).as_bytes()).unwrap_err().code, Code::LimitReached);
}

#[test]
fn a_calendar_is_written_as_it_is_read() {
    let summary = "Consultation, room 7; ask \\ for Ann ".to_owned() + &"é".repeat(60);
    let event = |uid: &str, status| FeedEvent {
        uid: uid.to_owned(),
        start: 1_780_297_200_000,
        end: 1_780_300_800_000,
        status,
        summary: &summary,
        location: "dr-7",
        sequence: u64::MAX,
        created: 1_767_225_600_000,
        modified: 1_767_225_600_500,
    };
    let events = vec![
        event("r_1", Status::Confirmed),
        event("r_2", Status::Tentative),
        event("r_3", Status::Cancelled),
    ];
    let text = Feed { name: "dr-7", events }.write();
    assert!(text.split_terminator("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    for line in [
        "UID:r_1",
        "DTSTART:20260601T070000Z",
        "DTEND:20260601T080000Z",
        "DTSTAMP:20260101T000000Z",
        "SEQUENCE:2147483647",
        "STATUS:TENTATIVE",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
    let read = read(text.as_bytes()).unwrap();
    assert_eq!(read.iter().map(|event| event.busy).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(spans(&text), one("2026-06-01T07:00:00Z", "2026-06-01T08:00:00Z"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_brings_it_down(lines in proptest::collection::vec("(BEGIN|END|DTSTART|DTEND|DURATION|RRULE|EXDATE|UID|TZID)(;[A-Z]{1,5}=[A-Z/\"]{0,9})?:[-A-Z0-9;=,+]{0,24}", 0..12)) {
        let inner: Vec<String> = lines;
        let _ = read(calendar(&[&inner.join("\r\n")]).as_bytes());
        let _ = read(inner.join("\n").as_bytes());
    }

    #[test]
    fn whatever_is_written_keeps_its_lines_and_comes_back(summary in "\\PC{0,200}", name in "[^\\p{Cc}]{0,90}") {
        let event = FeedEvent {
            uid: "r_1".to_owned(), start: 1_780_297_200_000, end: 1_780_300_800_000, status: Status::Confirmed,
            summary: &summary, location: &name, sequence: 1, created: 0, modified: 0,
        };
        let text = Feed { name: &name, events: vec![event] }.write();
        prop_assert!(text.split_terminator("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')));
        prop_assert_eq!(spans(&text).len(), 1);
    }
}

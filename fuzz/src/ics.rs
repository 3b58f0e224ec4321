//! Calendars: read within bounds, expanded within a window, and what is written reads back.

use deskbell_core::calendar::{Span, TimeZone, busy};
use deskbell_core::limits::DAY;
use deskbell_wire::ics::{Feed, FeedEvent, Status, list, read};

/// Any bytes as a calendar, as a list, and as the words of a booking.
pub fn check(data: &[u8]) {
    let zone = TimeZone::parse("Europe/Oslo").expect("it is built in");
    let window = Span { start: 20_000 * DAY, end: 20_400 * DAY };
    if let Ok(events) = read(data)
        && let Ok(spans) = busy(&events, &zone, window)
    {
        assert!(spans.iter().all(|span| span.start < span.end && span.overlaps(window)), "{spans:?}");
        assert!(spans.windows(2).all(|two| two[0].end < two[1].start), "sorted and apart: {spans:?}");
    }
    if let Ok(said) = list(data) {
        assert!(said.spans.iter().all(|span| span.start < span.end));
    }
    let words = String::from_utf8_lossy(data);
    let (start, end) = (window.start, window.start + DAY);
    let event = FeedEvent {
        uid: words.chars().take(40).collect(),
        start,
        end,
        status: Status::Confirmed,
        summary: &words,
        location: &words,
        sequence: data.len() as u64,
        created: 0,
        modified: start,
    };
    let text = Feed { name: &words, events: vec![event] }.write();
    assert!(text.split_terminator("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    let events = read(text.as_bytes()).expect("what we write we read");
    let spans = busy(&events, &zone, window).expect("it has no rule");
    assert_eq!(spans, [Span { start, end }]);
}

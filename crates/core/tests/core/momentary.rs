//! What is said for a moment, and what is kept of a cached channel.

use deskbell_core::class::{Class, Classes, Shape};
use deskbell_core::event::{Data, Draft, Event, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::limits;
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;

fn draft(channel: &str, id: &str, kind: Kind, at: u64) -> Draft {
    let event = Event {
        id: EventId::parse(id).unwrap(),
        channel: ChannelName::parse(channel).unwrap(),
        name: EventName::parse("e").unwrap(),
        data: Data::json("{}"),
        at,
    };
    Draft { kind, ..Draft::message(event) }
}

fn log(age: u64) -> Log {
    let mut class = Class::of_shape(Shape::Stream);
    class.retention.age = age;
    Log::new(Epoch(1), 0, 0, Classes::new(Vec::new(), class))
}

#[test]
fn what_is_said_for_a_moment_takes_no_place_and_passes_all_the_same() {
    let mut log = log(limits::HISTORY_AGE);
    log.append(draft("private-a", "1", Kind::Message, 1), None, 1).unwrap();
    let head = log.head();
    for (id, kind) in [("2", Kind::Whisper), ("3", Kind::Count)] {
        log.append(draft("private-a", id, kind, 2), None, 2).unwrap();
    }
    assert_eq!(log.head(), head);
    assert_eq!(log.kept("private-a"), 1);
    let mut entries = Vec::new();
    log.pull(0, 10, &mut entries);
    let passed: Vec<(Kind, u64)> = entries.iter().map(|entry| (entry.kind, entry.seq)).collect();
    assert_eq!(passed, [(Kind::Message, 1), (Kind::Whisper, 0), (Kind::Count, 0)]);
}

#[test]
fn a_cached_channel_keeps_its_newest_event_longer_than_its_history_and_nothing_that_clients_say() {
    let mut log = log(1_000);
    for (channel, id, kind) in [
        ("cache-a", "1", Kind::Message),
        ("cache-a", "2", Kind::Message),
        ("cache-a", "3", Kind::Whisper),
        ("a-cache-a", "4", Kind::Message),
        ("private-cache-b", "5", Kind::Whisper),
    ] {
        log.append(draft(channel, id, kind, 5), None, 5).unwrap();
    }
    let cached =
        |log: &Log, channel: &str, now| log.cached(channel, now).map(|entry| entry.event.id.to_string());
    let end = 5 + limits::CACHED_AGE;
    log.sweep(10, end - 1);
    assert_eq!(log.kept("cache-a"), 0, "the history is over");
    assert_eq!(cached(&log, "cache-a", end - 1).as_deref(), Some("2"));
    assert_eq!(cached(&log, "cache-a", end), None);
    assert_eq!(cached(&log, "a-cache-a", 6), None);
    assert_eq!(cached(&log, "private-cache-b", 6), None);
    log.sweep(10, end);
    log.sweep(10, end + 1_001);
    assert_eq!(log.channels().count(), 0, "nothing is left of it");
}

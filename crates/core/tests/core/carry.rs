//! What a clean stop keeps, beyond what the random lives show.

use deskbell_core::class::{Class, Classes, Shape};
use deskbell_core::event::{Data, Draft, Event, Form};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::log::{Bounds, Carry, Log, Once, ResetReason, Want};
use deskbell_core::pattern::Pattern;
use deskbell_core::position::{Epoch, Position};
use deskbell_core::refusal::Code;

const WIDE: Bounds = Bounds { events: 100, bytes: 1 << 20 };

fn classes(shape: Shape, durable: bool) -> Classes {
    let class = Class { durable, ..Class::of_shape(shape) };
    Classes::new(vec![(Pattern::parse("room").unwrap(), class)], Class::of_shape(Shape::Stream))
}

fn room() -> ChannelName {
    ChannelName::parse("room").unwrap()
}

fn draft(id: &str, form: Form, data: &str) -> Draft {
    let event = Event {
        id: EventId::parse(id).unwrap(),
        channel: room(),
        name: EventName::parse("said ✓").unwrap(),
        data: Data { form, bytes: data.to_owned().into() },
        at: 5,
    };
    Draft {
        key: Some(Key::parse("k").unwrap()),
        except: Some(PublicId(7 << 32 | 9)),
        ..Draft::message(event)
    }
}

fn stopped(classes: Classes) -> (Position, Carry) {
    let mut log = Log::new(Epoch(u64::MAX), 3, 4, classes);
    let start = log.head();
    log.append(draft("a", Form::Json, "{\"x\":\"\\u0000\"}"), None, 5).unwrap();
    log.append(draft("b", Form::Text, "kein JSON: ä"), None, 5).unwrap();
    log.append(draft("c", Form::Args, "[1,2]"), None, 5).unwrap();
    (start, serde_json::from_str(&serde_json::to_string(&log.carry()).unwrap()).unwrap())
}

fn read(log: &Log, at: Position) -> (Vec<ResetReason>, usize) {
    let page = log.read(&at, &[Want::plain(room())], None, WIDE);
    (page.resets.iter().map(|reset| reset.reason).collect(), page.entries.len())
}

#[test]
fn every_field_of_an_event_comes_back() {
    let classes = || classes(Shape::Stream, false);
    let (start, carry) = stopped(classes());
    let before = Log::resume(carry.clone(), 3, 4, classes(), 5);
    let again = Log::resume(before.carry(), 3, 4, classes(), 5);
    assert_eq!(again.carry(), carry, "a second stop writes the same");
    let page = again.read(&start, &[Want::plain(room())], None, WIDE);
    assert_eq!((page.at, page.entries.len()), (again.head(), 3));
    for (entry, (id, form, data)) in page.entries.iter().zip([
        ("a", Form::Json, "{\"x\":\"\\u0000\"}"),
        ("b", Form::Text, "kein JSON: ä"),
        ("c", Form::Args, "[1,2]"),
    ]) {
        let expected = draft(id, form, data);
        assert_eq!(entry.event, expected.event);
        assert_eq!((&entry.key, entry.except), (&expected.key, expected.except));
    }
}

#[test]
fn what_is_too_old_at_the_start_is_told() {
    let classes = || classes(Shape::Stream, false);
    let (start, carry) = stopped(classes());
    let late = Log::resume(carry, 3, 4, classes(), 10_000_000);
    assert_eq!(read(&late, start), (vec![ResetReason::Expired], 0));
    assert_eq!(read(&late, late.head()), (vec![], 0));
}

#[test]
fn a_channel_that_is_kept_in_another_way_now_resets_whom_it_could_fail() {
    let (start, stream) = stopped(classes(Shape::Stream, false));
    let (_, latest) = stopped(classes(Shape::Latest, false));
    for (carry, now, expected) in [
        (&stream, classes(Shape::Stream, false), (vec![], 3)),
        (&latest, classes(Shape::Latest, false), (vec![], 1)),
        (&latest, classes(Shape::Stream, false), (vec![ResetReason::Expired], 0)),
        (&stream, classes(Shape::Latest, false), (vec![ResetReason::Expired], 0)),
        (&stream, classes(Shape::Stream, true), (vec![], 0)),
    ] {
        let log = Log::resume((*carry).clone(), 3, 4, now, 5);
        assert_eq!(read(&log, start), expected);
    }
}

#[test]
fn a_durable_channel_that_becomes_one_of_memory_hides_nothing() {
    let mut log = Log::new(Epoch(1), 0, 0, classes(Shape::Stream, true));
    let start = log.head();
    let row = deskbell_core::log::Row { row: 1, check: 9, drafts: vec![draft("a", Form::Json, "1")] };
    log.append_if(vec![row], 5).unwrap();
    let again = Log::resume(log.carry(), 1, 9, classes(Shape::Stream, false), 5);
    assert_eq!(read(&again, start), (vec![ResetReason::Expired], 0));
    // Nor if nothing is known of it any more.
    log.sweep(10, u64::MAX);
    assert_eq!(log.channels().count(), 0);
    let again = Log::resume(log.carry(), 1, 9, classes(Shape::Stream, false), 5);
    assert_eq!(read(&again, start), (vec![ResetReason::Expired], 0));
}

#[test]
fn a_name_that_is_refused_now_takes_its_history_with_it_but_not_in_silence() {
    let (start, mut carry) = stopped(classes(Shape::Stream, false));
    carry.channels[0].name = "no longer a name".into();
    let log = Log::resume(carry, 3, 4, classes(Shape::Stream, false), 5);
    assert_eq!(read(&log, start), (vec![ResetReason::Expired], 0));
}

#[test]
fn an_event_that_is_refused_now_raises_the_floor_above_it() {
    let (start, mut carry) = stopped(classes(Shape::Stream, false));
    carry.channels[0].entries[0].event = String::new();
    let log = Log::resume(carry, 3, 4, classes(Shape::Stream, false), 5);
    assert_eq!(read(&log, start), (vec![ResetReason::Expired], 0));
    let first = Position { seq: 1, ..log.head() };
    assert_eq!(read(&log, Position { check: 0, ..first }), (vec![], 2));
}

#[test]
fn rows_are_taken_in_whole_or_not_at_all() {
    let mut log = Log::new(Epoch(1), 4, 0, classes(Shape::Stream, true));
    let row = |row| deskbell_core::log::Row { row, check: 9, drafts: vec![draft("a", Form::Json, "1")] };
    for wrong in [vec![row(4)], vec![row(6)], vec![row(5), row(7)], vec![row(5), row(5)]] {
        assert_eq!(log.append_if(wrong, 5).unwrap_err().taken, 4);
        assert_eq!(log.head().seq, 0);
    }
    log.append_if(vec![], 5).unwrap();
    log.append_if(vec![row(5), row(6)], 5).unwrap();
    assert_eq!(log.head().seq, 2);
}

#[test]
fn a_closed_log_takes_nothing_that_it_would_not_carry() {
    let mut log = Log::new(Epoch(1), 3, 4, classes(Shape::Stream, false));
    let once = Once { key: 1, body: 2 };
    let first = log.append(draft("a", Form::Json, "1"), Some(once), 5).unwrap();
    log.close();
    let refused = log.append(draft("b", Form::Json, "2"), Some(Once { key: 3, body: 4 }), 6).unwrap_err();
    assert_eq!(refused.code, Code::Draining);
    let again = log.append(draft("a", Form::Json, "1"), Some(once), 6).unwrap();
    assert_eq!((again.id, again.at, again.repeated), (first.id, first.at, true), "an answer is still given");
    assert_eq!(log.carry().head, first.at);
}

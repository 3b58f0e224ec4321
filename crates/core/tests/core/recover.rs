//! The decision of a read as a table: for every kind of channel and every way to be behind.

use deskbell_core::log::{Bounds, Page, ResetReason, Want};
use deskbell_core::position::{Epoch, Position, ledger};

use crate::world::{CHANNELS, World, name};

pub const FEW: usize = 0;
pub const LIGHT: usize = 1;
pub const LATEST: usize = 2;
const ROWS: usize = 3;
const ROWS_LATEST: usize = 5;
pub const WIDE: Bounds = Bounds { events: 100, bytes: 1 << 20 };

pub fn read(world: &World, channel: usize, at: Position) -> Page {
    world.log.read(&at, &[Want::plain(name(channel))], None, WIDE)
}

pub fn ids(page: &Page) -> Vec<String> {
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

pub fn reason(page: &Page) -> Option<ResetReason> {
    page.resets.first().map(|reset| reset.reason)
}

/// Reads on until the page is complete, taking over what each page says.
fn read_on(world: &World, channel: usize, mut at: Position) -> (Vec<ResetReason>, Vec<String>) {
    let (mut wants, mut reasons, mut got) = ([Want::plain(name(channel))], Vec::new(), Vec::new());
    for _ in 0..100 {
        let page = world.log.read(&at, &wants, None, Bounds { events: 2, bytes: 1 << 20 });
        for reset in &page.resets {
            reasons.push(reset.reason);
            wants[0].after = Some(reset.after);
        }
        got.extend(ids(&page));
        at = page.at;
        if page.complete {
            return (reasons, got);
        }
    }
    panic!("the reader never comes to an end");
}

#[test]
fn a_stream_reader_at_the_floor_goes_on_and_one_below_is_told() {
    let mut world = World::new();
    let start = world.log.head();
    let mut places = vec![start];
    for _ in 0..7 {
        world.append(FEW, 0, 0);
        places.push(world.log.head());
    }
    // Four are kept, so 3 is the highest that was dropped.
    assert_eq!(ids(&read(&world, FEW, places[3])), ["e4", "e5", "e6", "e7"]);
    let page = read(&world, FEW, places[2]);
    assert_eq!(reason(&page), Some(ResetReason::Expired));
    assert!(page.entries.is_empty() && !page.complete);
    assert_eq!((page.at, page.resets[0].after.seq), (places[2], 7));
    assert_eq!(read_on(&world, FEW, places[2]), (vec![ResetReason::Expired], vec![]));
}

#[test]
fn whoever_stands_before_an_event_gets_it_and_before_a_dropped_one_is_told_so() {
    let mut world = World::new();
    for _ in 0..5 {
        world.append(FEW, 0, 0);
    }
    // The first has been dropped.
    let before = |seq: u64| Position { seq: seq - 1, check: 0, ..world.log.head() };
    assert_eq!(ids(&read(&world, FEW, before(2))), ["e2", "e3", "e4", "e5"]);
    assert_eq!(reason(&read(&world, FEW, before(1))), Some(ResetReason::Expired));
}

#[test]
fn every_way_to_be_beyond_the_log_is_told_apart() {
    let mut world = World::new();
    for _ in 0..3 {
        world.append(FEW, 0, 0);
        world.append(LATEST, 0, 0);
        world.commit(&[(ROWS, 0)]);
        world.take_in(1);
    }
    let head = world.log.head();
    let memory = [
        (head, None),
        (Position { epoch: Epoch(9), ..head }, Some(ResetReason::Epoch)),
        (Position { seq: head.seq + 1, ..head }, Some(ResetReason::Ahead)),
        (Position { check: head.check ^ 1, ..head }, Some(ResetReason::Diverged)),
        (Position { seq: 8, check: 77, ..head }, Some(ResetReason::Diverged)),
        (Position { check: 0, ..head }, None),
    ];
    for (at, expected) in memory {
        for channel in [FEW, LATEST] {
            assert_eq!(reason(&read(&world, channel, at)), expected, "{channel} {at:?}");
        }
        assert_eq!(reason(&read(&world, ROWS, at)), None, "memory's fate is none of a durable channel");
    }
    let durable = [
        (head, None),
        (Position { ledger: head.ledger + 1, ..head }, Some(ResetReason::Ahead)),
        (Position { ledger_check: head.ledger_check ^ 1, ..head }, Some(ResetReason::Diverged)),
        (Position { ledger: ledger::event(2, 0), ledger_check: 77, ..head }, Some(ResetReason::Diverged)),
        (Position { ledger: ledger::event(2, 0), ledger_check: world.check(2), ..head }, None),
        (Position { ledger_check: 0, ..head }, None),
    ];
    for (at, expected) in durable {
        assert_eq!(reason(&read(&world, ROWS, at)), expected, "{at:?}");
        assert_eq!(reason(&read(&world, FEW, at)), None, "{at:?}");
    }
}

#[test]
fn a_reset_in_one_coordinate_is_told_once_and_settles() {
    let mut world = World::new();
    world.append(FEW, 0, 0);
    world.commit(&[(ROWS, 0)]);
    world.take_in(1);
    let head = world.log.head();
    for (channel, wrong) in [
        (ROWS, Position { ledger: head.ledger + 9, ..head }),
        (ROWS, Position { ledger_check: 77, ..head }),
        (FEW, Position { seq: 100, ..head }),
        (FEW, Position { check: 77, ..head }),
        (FEW, Position { epoch: Epoch(9), seq: 100, ..head }),
    ] {
        let page = read(&world, channel, wrong);
        assert_eq!(page.resets.len(), 1);
        // Only the cursor comes back, and it is good again.
        assert_eq!(reason(&read(&world, channel, page.at)), None, "{wrong:?}");
    }
}

#[test]
fn a_latest_reader_is_given_all_values_after_its_reset() {
    let mut world = World::new();
    let start = world.log.head();
    for key in 0..5 {
        world.append(LATEST, key, 0);
    }
    // Three keys are kept.
    let kept = vec!["e3".to_owned(), "e4".into(), "e5".into()];
    assert_eq!(read_on(&world, LATEST, start), (vec![ResetReason::Expired], kept.clone()));
    let elsewhere = Position { epoch: Epoch(9), ..start };
    assert_eq!(read_on(&world, LATEST, elsewhere), (vec![ResetReason::Epoch], kept.clone()));
    let beyond = Position { seq: 99, ..start };
    assert_eq!(read_on(&world, LATEST, beyond), (vec![ResetReason::Ahead], kept.clone()));
    // Whoever is new is owed the same, without being told to load anything anew.
    let new = world.log.start_of("latest");
    assert_eq!(read_on(&world, LATEST, new), (vec![], kept));
    assert_eq!(world.log.start_of("few").seq, 5);
    assert_eq!(world.log.start_of("rows-latest").ledger, 0);
}

#[test]
fn the_beginnings_of_a_channel_reach_everything_that_is_kept() {
    let mut world = World::new();
    for _ in 0..6 {
        world.append(FEW, 0, 0);
        world.commit(&[(ROWS, 0)]);
        world.take_in(1);
    }
    for (channel, kept) in [(FEW, 4), (ROWS, 3)] {
        let (all, memory) = world.log.beginnings(CHANNELS[channel]);
        let page = read(&world, channel, memory);
        assert_eq!((page.entries.len(), world.log.kept(CHANNELS[channel])), (kept, kept));
        assert!(page.complete && page.at == world.log.head());
        assert_eq!(read(&world, channel, all).older.len(), usize::from(channel == ROWS));
    }
}

#[test]
fn a_cut_after_a_reset_leaves_no_value_behind() {
    let mut world = World::new();
    world.append(LATEST, 0, 0);
    world.append(FEW, 0, 0);
    world.crash(false);
    for key in 0..3 {
        world.append(LATEST, key, 0);
    }
    let wants = [Want::plain(name(LATEST)), Want::plain(name(FEW))];
    let old = Position::start(Epoch(1), 0, 0);
    let page = world.log.read(&old, &wants, None, WIDE);
    assert_eq!(page.resets.len(), 2);
    assert_eq!(ids(&read(&world, LATEST, page.at)), ["e3", "e4", "e5"]);
    // Without values to give, the reader settles at the head.
    assert_eq!(read(&world, FEW, old).at.seq, world.log.head().seq);
}

#[test]
fn durable_channels_ask_the_ledger_together_and_survive_a_crash() {
    let mut world = World::new();
    let start = world.log.head();
    for _ in 0..5 {
        world.commit(&[(ROWS, 0), (ROWS_LATEST, 1)]);
    }
    world.take_in(2);
    let second = world.log.head();
    world.take_in(3);
    // Memory holds rows 3 to 5 of the stream and the newest value.
    assert_eq!(ids(&read(&world, ROWS, second)), ["e7", "e10", "e13"]);
    let inside = Position { ledger: ledger::event(2, 0), ..second };
    assert_eq!(ids(&read(&world, ROWS, inside)), ["e7", "e10", "e13"]);
    let wants = [Want::plain(name(ROWS)), Want::plain(name(ROWS_LATEST)), Want::plain(name(FEW))];
    let below = Position { ledger: ledger::end(1), ledger_check: world.check(1), ..second };
    let page = world.log.read(&below, &wants, None, WIDE);
    let asked: Vec<_> = page.older.iter().map(|older| (older.channel.as_str(), older.after)).collect();
    assert_eq!(asked, [("rows", below.ledger), ("rows-latest", below.ledger)]);
    assert!(page.resets.is_empty() && page.entries.is_empty() && !page.complete);
    world.crash(false);
    let page = world.log.read(&start, &wants, None, WIDE);
    assert_eq!((page.older.len(), page.resets.len()), (2, 1), "only the memory stream is reset");
    let head = world.log.head();
    assert!(read(&world, ROWS, Position { epoch: Epoch(1), ..head }).older.is_empty());
}

#[test]
fn what_the_ledger_cannot_give_is_a_reset_of_the_durable_channels() {
    let mut world = World::new();
    world.commit(&[(ROWS, 0)]);
    world.take_in(1);
    world.crash(false);
    let wants = [Want::plain(name(ROWS)), Want::plain(name(FEW))];
    let at = Position { ledger: 0, ..world.log.head() };
    let page = world.log.read_without_ledger(&at, &wants, ResetReason::Expired);
    assert_eq!(page.resets.len(), 1);
    assert_eq!((page.resets[0].channel.as_str(), reason(&page)), ("rows", Some(ResetReason::Expired)));
    assert_eq!(page.at, world.log.head());
    let page = world.log.read_nowhere(&wants, ResetReason::Foreign);
    let reasons: Vec<_> = page.resets.iter().map(|reset| reset.reason).collect();
    assert_eq!(reasons, [ResetReason::Foreign; 2]);
    assert_eq!(page.at, world.log.head());
}

#[test]
fn a_durable_latest_channel_is_given_all_values_after_its_reset() {
    let mut world = World::new();
    world.commit(&[(ROWS_LATEST, 0)]);
    world.take_in(1);
    let wrong = Position { ledger_check: 77, ..world.log.head() };
    let page = read(&world, ROWS_LATEST, wrong);
    assert_eq!((reason(&page), page.at.ledger), (Some(ResetReason::Diverged), 0));
    assert_eq!(read(&world, ROWS_LATEST, page.at).older[0].after, 0);
}

#[test]
fn a_start_of_its_own_counts_where_it_is_later_and_only_there() {
    let mut world = World::new();
    let mut places = vec![world.log.head()];
    for _ in 0..4 {
        world.append(FEW, 0, 0);
        world.commit(&[(ROWS, 0)]);
        world.take_in(1);
        places.push(world.log.head());
    }
    let from = |channel, at: usize, own: Position| {
        let want = Want { after: Some(own), ..Want::plain(name(channel)) };
        let page = world.log.read(&places[at], &[want], None, WIDE);
        (page.at, page.resets.len(), page.entries.len())
    };
    assert_eq!(from(FEW, 1, places[3]), (world.log.head(), 0, 1));
    assert_eq!(from(FEW, 3, places[1]), (world.log.head(), 0, 1));
    assert_eq!(from(ROWS, 1, places[3]), (world.log.head(), 0, 1));
    // A start that was rolled back resets its channel and moves nobody else.
    let wrong = Position { check: 77, ..places[3] };
    let want = Want { after: Some(wrong), ..Want::plain(name(FEW)) };
    let page = world.log.read(&places[1], &[want, Want::plain(name(LIGHT))], None, WIDE);
    assert_eq!((reason(&page), page.at), (Some(ResetReason::Diverged), places[1]));
}

#[test]
fn a_reader_of_another_life_skips_nothing_of_a_channel_with_a_start_in_this_one() {
    let mut world = World::new();
    world.append(FEW, 0, 0);
    let old = world.log.head();
    world.crash(false);
    world.append(LIGHT, 0, 0);
    let own = world.log.head();
    world.append(LIGHT, 0, 0);
    world.append(FEW, 0, 0);
    let light = Want { after: Some(own), ..Want::plain(name(LIGHT)) };
    let page = world.log.read(&old, &[light.clone(), Want::plain(name(FEW))], None, WIDE);
    assert_eq!(page.resets.len(), 1);
    let page = world.log.read(&page.at, &[light, Want::plain(name(FEW))], None, WIDE);
    assert_eq!(ids(&page)[0], "e3");
}

#[test]
fn a_reader_at_the_head_is_complete_at_once() {
    let mut world = World::new();
    world.append(FEW, 0, 0);
    world.append(6, 0, 0);
    let wants: Vec<_> = (0..7).map(|channel| Want::plain(name(channel))).collect();
    let page = world.log.read(&world.log.head(), &wants, None, Bounds { events: 0, bytes: 0 });
    assert!(page.complete && page.entries.is_empty() && page.at == world.log.head());
}

//! The ring that shards follow: bounded, in order, and honest about what it no longer has.

use std::sync::Weak;

use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Entry, Event};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::limits;
use deskbell_core::log::{Log, Pull, Row};
use deskbell_core::position::Epoch;
use proptest::prelude::*;

use crate::world::World;

fn pull(world: &World, from: u64, most: usize) -> (Pull, Vec<u64>) {
    let mut entries = Vec::new();
    let pull = world.log.pull(from, most, &mut entries);
    (pull, entries.iter().map(|entry| entry.seq).collect())
}

#[test]
fn a_pull_takes_at_most_what_it_asks_and_never_what_is_not_there() {
    let mut world = World::new();
    for _ in 0..5 {
        world.append(0, 0, 0);
    }
    assert_eq!(pull(&world, 0, 2), (Pull::Next(2), vec![1, 2]));
    assert_eq!(pull(&world, 2, usize::MAX), (Pull::Next(5), vec![3, 4, 5]));
    assert_eq!(pull(&world, 5, 10), (Pull::Next(5), vec![]));
    assert_eq!(pull(&world, 3, 0), (Pull::Next(3), vec![]));
    assert_eq!(pull(&world, 6, 10).0, Pull::FellOff, "a place that no ring gave out");
    assert_eq!(world.log.ring_end(), (5, world.log.head()));
}

#[test]
fn who_is_further_behind_than_the_ring_is_long_falls_off() {
    let mut world = World::new();
    for _ in 0..=limits::RING_EVENTS {
        world.append(1, 0, 0);
    }
    assert_eq!(pull(&world, 0, 1).0, Pull::FellOff);
    assert_eq!(pull(&world, 1, 1), (Pull::Next(2), vec![2]));
}

#[test]
fn the_ring_is_bounded_in_bytes_too() {
    let mut world = World::new();
    let size = limits::RING_BYTES / 4;
    let mut first: Weak<Entry> = Weak::new();
    for place in 0..5u64 {
        world.append(1, 0, size);
        if place == 0 {
            let mut entries = Vec::new();
            world.log.pull(0, 1, &mut entries);
            first = std::sync::Arc::downgrade(&entries[0]);
        }
    }
    // The light channel keeps none of these either, so nobody holds the first any more.
    assert!(first.upgrade().is_none());
    assert_eq!(pull(&world, 1, 9).0, Pull::FellOff);
    assert_eq!(pull(&world, 2, 9), (Pull::Next(5), vec![3, 4, 5]));
}

proptest! {
    /// However the pulls are cut, together they are everything once and in order.
    #[test]
    fn pulls_join_up(takes in proptest::collection::vec((0usize..4, 0usize..5), 1..40)) {
        let (mut world, mut place, mut got) = (World::new(), 0, Vec::new());
        for (appends, most) in takes {
            for _ in 0..appends {
                world.append(0, 0, 0);
            }
            let (pull, seqs) = pull(&world, place, most);
            prop_assert!(seqs.len() <= most);
            got.extend(seqs);
            let Pull::Next(next) = pull else { panic!("nobody falls off a ring of this size") };
            place = next;
        }
        got.extend(pull(&world, place, usize::MAX).1);
        prop_assert_eq!(got, (1..=world.log.head().seq).collect::<Vec<_>>());
    }
}

/// The ledger writes to a channel of its own for each booking, so a bound for each channel is none.
#[test]
fn of_durable_channels_memory_keeps_what_the_ring_keeps() {
    let mut log = Log::new(Epoch(1), 0, 0, Classes::default());
    let rows = limits::RING_EVENTS as u64 + 1_000;
    for row in 1..=rows {
        let event = Event {
            id: EventId::parse(&format!("e{row}")).unwrap(),
            channel: ChannelName::parse(&format!("booking:{row}")).unwrap(),
            name: EventName::parse("hold.granted").unwrap(),
            data: Data::json("1"),
            at: row,
        };
        log.append_if(vec![Row { row, check: 1, drafts: vec![Draft::message(event)] }], row).unwrap();
    }
    let kept: usize = log.channels().map(|(_, kept)| kept).sum();
    assert_eq!(kept, limits::RING_EVENTS);
    // Records of channels that keep nothing are swept by those that come new.
    assert!(log.channels().count() <= limits::RING_EVENTS + 2_000);
    assert_eq!((log.kept("booking:1000"), log.kept("booking:1001")), (0, 1));
}

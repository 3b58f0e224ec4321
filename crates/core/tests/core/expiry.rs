//! What a log has forgotten, for whom that counts, and for whom it does not.

use deskbell_core::class::{Class, Classes, Shape};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{ResetReason, Want};
use deskbell_core::pattern::Pattern;
use deskbell_core::position::{Epoch, Position};

use crate::recover::{FEW, LATEST, LIGHT, WIDE, ids, read, reason};
use crate::world::{World, class_of, classes};

#[test]
fn an_idle_channel_whose_record_was_dropped_resets_only_whom_it_must() {
    let mut world = World::new();
    world.append(FEW, 0, 0);
    let first = world.log.head();
    world.append(FEW, 0, 0);
    let second = world.log.head();
    world.now += 10_000;
    world.append(LIGHT, 0, 0);
    // Both events of `few` are too old, but `light` is not, and keeps a minute.
    world.now += 45_000;
    world.log.sweep(10, world.now);
    assert_eq!(reason(&read(&world, FEW, first)), Some(ResetReason::Expired));
    assert_eq!(ids(&read(&world, LIGHT, first)), ["e3"], "another channel's silence is none of its own");
    world.now += 6_000;
    world.log.sweep(10, world.now);
    assert!(world.log.channels().all(|(channel, _)| channel.as_str() != "few"), "the record is dropped");
    assert_eq!(reason(&read(&world, FEW, first)), Some(ResetReason::Expired));
    assert_eq!(reason(&read(&world, FEW, second)), None, "the floor itself is recoverable");
    assert_eq!(ids(&read(&world, LIGHT, second)), ["e3"]);
}

#[test]
fn a_short_memory_of_one_channel_is_no_floor_for_others_that_remember_longer() {
    let mut world = World::new();
    let start = world.log.head();
    world.append(FEW, 0, 0);
    let quiet = |world: &World| {
        let want = Want::plain(ChannelName::parse("quiet").unwrap());
        reason(&world.log.read(&start, &[want], None, WIDE))
    };
    let (brief, longest) = (class_of(FEW).retention.age, class_of(LIGHT).retention.age);
    world.now += brief;
    world.log.sweep(10, world.now);
    assert_eq!(ids(&read(&world, FEW, start)), ["e1"], "its age is kept to the millisecond");
    world.now += 1;
    world.log.sweep(10, world.now);
    assert_eq!(reason(&read(&world, FEW, start)), Some(ResetReason::Expired));
    assert_eq!(quiet(&world), None);
    // A stop in between changes nothing of that.
    world.deploy();
    world.log.sweep(10, world.now);
    assert_eq!(quiet(&world), None);
    world.now += longest;
    world.log.sweep(10, world.now);
    assert_eq!(world.log.channels().count(), 0);
    assert_eq!(quiet(&world), Some(ResetReason::Expired));
    assert_eq!(reason(&read(&world, FEW, start)), Some(ResetReason::Expired));
}

#[test]
fn a_stop_lends_no_channel_the_floor_of_another() {
    let mut world = World::new();
    world.append(LIGHT, 0, 0);
    let first = world.log.head();
    world.append(FEW, 0, 0);
    world.now += class_of(LIGHT).retention.age + 1;
    world.append(LIGHT, 0, 0);
    world.log.sweep(10, world.now);
    for _ in 0..2 {
        assert_eq!(ids(&read(&world, LIGHT, first)), ["e3"]);
        assert_eq!(reason(&read(&world, FEW, first)), Some(ResetReason::Expired));
        world.deploy();
    }
}

#[test]
fn presence_and_durable_silence_expire_no_memory_channel() {
    let mut world = World::new();
    let start = world.log.head();
    world.seat(FEW, 1, 0, true);
    world.seat(FEW, 1, 0, false);
    world.commit(&[(4, 0)]);
    world.take_in(1);
    world.now += 10_000_000;
    world.log.sweep(10, world.now);
    assert_eq!(world.log.channels().count(), 0);
    assert_eq!(reason(&read(&world, FEW, start)), None);
    assert_eq!(reason(&read(&world, LATEST, start)), None);
    assert_eq!(read(&world, 4, start).older.len(), 1);
}

#[test]
fn changed_classes_do_not_hide_what_a_channel_once_held() {
    let mut world = World::new();
    world.append(FEW, 0, 0);
    let first = world.log.head();
    world.append(LIGHT, 0, 0);
    let keeps_more = Classes::new(
        vec![(Pattern::parse("few").unwrap(), Class { presence: false, ..class_of(FEW) })],
        Class::of_shape(Shape::Stream),
    );
    world.log.set_classes(classes());
    let quiet = |world: &World| read(world, 1, Position::start(Epoch(1), 4095, 0));
    assert_eq!(reason(&quiet(&world)), None);
    world.log.set_classes(keeps_more);
    // What has a record keeps its floor; of the rest nobody knows.
    assert_eq!(reason(&read(&world, FEW, first)), None);
    assert_eq!(reason(&read(&world, LATEST, first)), Some(ResetReason::Expired));
}

#[test]
fn a_floor_that_nobody_could_verify_later_is_no_place_to_stand() {
    let mut world = World::new();
    for key in 0..5 {
        world.append(LATEST, key, 0);
    }
    for _ in 0..limits::CHECKS {
        world.append(LIGHT, 0, 0);
    }
    let old = Position { epoch: Epoch(9), ..world.log.head() };
    assert_eq!(read(&world, LATEST, old).at.seq, 0);
}

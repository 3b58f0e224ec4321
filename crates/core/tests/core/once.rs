//! A retry finds its first answer, as long as that is promised.

use deskbell_core::limits;
use deskbell_core::log::{Log, Once};
use deskbell_core::refusal::Code;

use crate::world::{World, classes};

const FIRST: Once = Once { key: 7 << 64 | 1, body: 100 };

fn publish(world: &mut World, once: Once) -> Result<(String, bool, u64), Code> {
    let draft = world.draft(0, 0, 0);
    let answer = world.log.append(draft, Some(once), world.now);
    answer.map(|a| (a.id.to_string(), a.repeated, a.at.seq)).map_err(|no| no.code)
}

fn other(key: u64) -> Once {
    Once { key: u128::from(key) << 64, body: 0 }
}

#[test]
fn a_retry_has_the_first_answer_and_acts_once() {
    let mut world = World::new();
    assert_eq!(publish(&mut world, FIRST), Ok(("e1".into(), false, 1)));
    assert_eq!(publish(&mut world, other(9)), Ok(("e2".into(), false, 2)));
    assert_eq!(publish(&mut world, FIRST), Ok(("e1".into(), true, 1)));
    assert_eq!(world.log.head().seq, 2);
}

#[test]
fn the_same_id_with_another_body_is_refused() {
    let mut world = World::new();
    publish(&mut world, FIRST).unwrap();
    assert_eq!(publish(&mut world, Once { body: 101, ..FIRST }), Err(Code::KeyReused));
    assert_eq!(world.log.head().seq, 1);
    assert_eq!(publish(&mut world, FIRST), Ok(("e1".into(), true, 1)), "the refusal changes nothing");
}

#[test]
fn ten_minutes_are_promised_to_the_millisecond() {
    let mut world = World::new();
    publish(&mut world, FIRST).unwrap();
    world.now += limits::MEMORY_ID_AGE;
    assert!(publish(&mut world, FIRST).unwrap().1);
    world.now += 1;
    assert!(!publish(&mut world, FIRST).unwrap().1);
}

#[test]
fn a_hundred_thousand_ids_are_promised_and_not_one_more() {
    let mut world = World::new();
    publish(&mut world, FIRST).unwrap();
    for key in 1..limits::MEMORY_IDS as u64 {
        publish(&mut world, other(key)).unwrap();
    }
    assert!(publish(&mut world, FIRST).unwrap().1);
    publish(&mut world, other(0)).unwrap();
    assert!(publish(&mut world, other(1)).unwrap().1);
    assert!(!publish(&mut world, FIRST).unwrap().1);
}

#[test]
fn a_clean_stop_keeps_the_promise_and_a_crash_ends_it() {
    let mut world = World::new();
    publish(&mut world, FIRST).unwrap();
    world.now += limits::MEMORY_ID_AGE;
    world.deploy();
    assert_eq!(publish(&mut world, FIRST), Ok(("e1".into(), true, 1)));
    assert_eq!(publish(&mut world, Once { body: 1, ..FIRST }), Err(Code::KeyReused));
    let carry = world.log.carry();
    let later = Log::resume(carry, 0, 0, classes(), world.now + 1);
    assert!(later.carry().answers.is_empty(), "what is too old by then is not taken over");
    world.crash(false);
    assert!(!publish(&mut world, FIRST).unwrap().1);
}

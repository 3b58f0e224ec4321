//! Events that come while a walk over the clients is under way.

use std::sync::Arc;
use std::task::{Wake, Waker};

use deskbell_core::ids::PublicId;
use deskbell_core::limits;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Ask, CHANNELS, KIB_8, Reader, Stage, Way, ask, publish};
use crate::hub::Hub;

const BOTH: [&str; 2] = ["large", "second"];

/// Clients of three cohorts: in each, four readers of both channels in front of others who read
/// neither.
fn three_cohorts(stage: &mut Stage) -> (Vec<Reader>, Vec<Reader>) {
    let (mut readers, mut others) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        readers.extend((0..4).map(|_| stage.reader(&BOTH)));
        while !stage.shard.clients.slots().is_multiple_of(limits::COHORT) {
            others.push(stage.reader(&["idle"]));
        }
    }
    readers.iter_mut().for_each(|reader| _ = reader.read());
    (readers, others)
}

/// Publishes when the shard wakes the reader whose waker it is: in the middle of a walk.
struct Meanwhile {
    hub: Arc<Hub>,
    n: u64,
}

impl Meanwhile {
    fn waker(stage: &Stage, n: u64) -> Waker {
        Waker::from(Arc::new(Self { hub: stage.hub.clone(), n }))
    }
}

impl Wake for Meanwhile {
    fn wake(self: Arc<Self>) {
        publish(&self.hub, "second", self.n, KIB_8, None);
    }
}

#[test]
fn what_comes_in_the_middle_of_a_walk_reaches_each_client_once_and_in_order() {
    let mut stage = Stage::new("walk", CHANNELS);
    let (mut readers, _others) = three_cohorts(&mut stage);
    // The third of each cohort does not read. It blocks in some walk, and goes on from its own place.
    let quick = |place: &usize| place % 4 != 2;
    for n in (0..160).step_by(2) {
        readers[5].read_until(&Meanwhile::waker(&stage, n + 1));
        stage.publish("large", n, KIB_8);
        stage.turn();
        for place in (0..12).filter(quick) {
            readers[place].read();
            // It came while the walk was in the second cohort; only the third was still to be reached.
            let newest = if place < 8 { n } else { n + 1 };
            assert_eq!(readers[place].all_numbers().last(), Some(&newest), "reader {place}");
        }
        stage.turn();
        (0..12).filter(quick).for_each(|place| _ = readers[place].read());
    }
    assert_eq!(stage.hub.metrics.caught_up.get(), 0, "nobody has read from history so far");
    stage.settle(&mut readers.iter_mut().collect::<Vec<_>>());
    assert!(stage.hub.metrics.caught_up.get() > 0, "those that did not read had to");
    for (place, reader) in readers.iter().enumerate() {
        assert_eq!(reader.all_numbers(), (0..160).collect::<Vec<u64>>(), "reader {place}");
    }
}

#[test]
fn a_client_that_is_cut_off_in_the_middle_of_a_walk_resumes_where_it_stood() {
    let mut stage = Stage::new("walk-cut", CHANNELS);
    let (mut readers, _others) = three_cohorts(&mut stage);
    readers[5].read_until(&Meanwhile::waker(&stage, 1));
    stage.publish("large", 0, 10);
    stage.turn();
    readers.iter_mut().for_each(|reader| _ = reader.read());
    // The first has not heard of the second event yet, the last has.
    let cursors = [readers[0].cursor(), readers[11].cursor()];
    stage.publish("large", 2, 10);
    for (cursor, rest) in cursors.into_iter().zip([vec![1, 2], vec![2]]) {
        let mut again = stage.coming_reader(&BOTH, cursor);
        stage.settle(&mut [&mut again]);
        assert_eq!(again.all_numbers(), rest);
    }
}

#[test]
fn an_event_is_kept_from_one_client_and_from_nobody_else_of_any_cohort() {
    let mut stage = Stage::new("walk-except", CHANNELS);
    let (mut readers, _others) = three_cohorts(&mut stage);
    let own = PublicId::parse(readers[6].frames[0]["session"].as_str().unwrap()).unwrap();
    publish(&stage.hub, "large", 0, 10, Some(own));
    stage.publish("large", 1, 10);
    stage.settle(&mut readers.iter_mut().collect::<Vec<_>>());
    for (place, reader) in readers.iter().enumerate() {
        let heard: &[u64] = if place == 6 { &[1] } else { &[0, 1] };
        assert_eq!(reader.all_numbers(), heard, "reader {place}");
    }
}

#[test]
fn whoever_reads_from_history_turns_live_where_its_own_cohort_stands() {
    let mut stage = Stage::new("walk-history", CHANNELS);
    let (mut readers, _others) = three_cohorts(&mut stage);
    let mut late = stage.coming_reader(&BOTH, readers[0].cursor());
    readers[5].read_until(&Meanwhile::waker(&stage, 1));
    stage.publish("large", 0, 10);
    // It is of the fourth cohort, which stands behind the second event when it is served.
    stage.turn();
    stage.publish("large", 2, 10);
    stage.settle(&mut [&mut late]);
    assert_eq!(late.all_numbers(), [0, 1, 2]);
}

#[test]
fn the_answer_of_a_poll_tells_where_its_own_cohort_stands() {
    let mut stage = Stage::new("walk-poll", CHANNELS);
    let (mut readers, _others) = three_cohorts(&mut stage);
    let (answer, mut answered) = oneshot::channel();
    let ask = Ask { wait: limits::MINUTE, ..ask(&BOTH, readers[0].cursor()) };
    stage.arrive(Way::Poll { answer, ask });
    stage.turn();
    readers[5].read_until(&Meanwhile::waker(&stage, 1));
    stage.publish("large", 0, 10);
    stage.turn();
    let answer: Value = serde_json::from_slice(&answered.try_recv().unwrap()).unwrap();
    assert_eq!(answer["events"].as_array().unwrap().len(), 2);
    let mut next = stage.coming_reader(&BOTH, answer["cursor"].as_str().map(str::to_owned));
    stage.publish("large", 2, 10);
    stage.settle(&mut [&mut next]);
    assert_eq!(next.all_numbers(), [2]);
}

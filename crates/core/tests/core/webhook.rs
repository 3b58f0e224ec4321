//! Deliveries to an endpoint: the queue against a naive twin, and the verdicts one by one.

use std::sync::Arc;

use deskbell_core::event::{Data, Event, Form};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::limits::QUIET_AHEAD;
use deskbell_core::pattern::Pattern;
use deskbell_core::webhook::{
    Answer, Lane, Place, Queue, Terms, Tries, Trouble, Verdict, Wants, judge, not_before,
};
use proptest::prelude::*;

const TERMS: Terms =
    Terms { concurrency: 3, window: 8, first_wait: 1_000, longest_wait: 60_000, patience: 600_000 };

fn status(status: u16) -> Answer {
    Answer::Status { status, retry_after: None }
}

fn lane(number: u8) -> Lane {
    Lane(Arc::from(format!("booking:{number}")))
}

fn event(channel: &str, name: &str, form: Form, data: &str) -> Event {
    Event {
        id: EventId::parse("e").unwrap(),
        channel: ChannelName::parse(channel).unwrap(),
        name: EventName::parse(name).unwrap(),
        data: Data { form, bytes: data.to_owned().into() },
        at: 0,
    }
}

#[test]
fn what_an_event_is_about_is_the_same_for_every_audience() {
    let of = |channel, form, data| Lane::of(&event(channel, "n", form, data)).0.to_string();
    let booking = r#"{"reservation":{"id":"r_1","state":"booked"},"why":"x"}"#;
    assert_eq!(of("staff:1", Form::Json, booking), "booking:r_1");
    assert_eq!(of("user:ann", Form::Json, booking), "booking:r_1");
    assert_eq!(of("staff:1", Form::Json, r#"{"wait":{"id":"w_1"}}"#), "booking:w_1");
    for other in [r#"{"reservation":7}"#, r#"{"id":"r_1"}"#, "[1]", "7", "no JSON"] {
        assert_eq!(of("slots:dr-7", Form::Json, other), "slots:dr-7", "{other}");
    }
    assert_eq!(of("chat", Form::Text, booking), "chat", "a text is not looked into");
    let notified = r#"{"user":"ann","id":"n-1","data":{"reservation":{"id":"r_1"}}}"#;
    assert_eq!(of("webhook:1", Form::Json, notified), "inbox:ann");
    assert_eq!(of("user:ann", Form::Json, notified), "user:ann");
    assert_eq!(of("webhook:1", Form::Json, r#"{"user":7}"#), "webhook:1");
}

#[test]
fn only_a_notification_waits_for_its_hour_and_never_for_long() {
    let hour = |channel, form, data: &str| not_before(&event(channel, "n", form, data));
    let held = r#"{"user":"ann","not_before":5000}"#;
    assert_eq!(hour("webhook:1", Form::Json, held), Some(5_000));
    assert_eq!(hour("webhook:1", Form::Text, held), None);
    assert_eq!(hour("staff:1", Form::Json, held), None);
    for at_once in [r#"{"user":"ann"}"#, r#"{"user":"ann","not_before":0}"#, r#"{"not_before":5000}"#, "[]"] {
        assert_eq!(hour("webhook:1", Form::Json, at_once), None, "{at_once}");
    }
    let never = format!(r#"{{"user":"ann","not_before":{}}}"#, u64::MAX);
    assert_eq!(hour("webhook:1", Form::Json, &never), Some(QUIET_AHEAD));
}

#[test]
fn an_endpoint_gets_what_fits_a_channel_and_a_name() {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    let wants =
        Wants { channels: patterns(&["staff:*", "chat"]), events: patterns(&["booking.*", "hold.granted"]) };
    let takes = |channel, name| wants.takes(&event(channel, name, Form::Json, "{}"));
    assert!(takes("staff:1", "booking.confirmed"));
    assert!(takes("chat", "hold.granted"));
    assert!(!takes("staff:1", "hold.expired"));
    assert!(!takes("slots:a", "booking.confirmed"));
}

#[test]
fn every_answer_has_its_verdict() {
    let tries = Tries { count: 1, since: 0 };
    for taken in [200, 201, 204, 299] {
        assert_eq!(judge(status(taken), tries, &TERMS, 10, 0), Verdict::Done, "{taken}");
    }
    assert_eq!(judge(status(410), tries, &TERMS, 10, 0), Verdict::Gone);
    for again in [100, 199, 300, 302, 400, 401, 404, 429, 500, 503, 599] {
        let verdict = judge(status(again), tries, &TERMS, 10, 0);
        assert_eq!(verdict, Verdict::Again { at: 510, pause: None }, "{again}");
    }
    for trouble in [Trouble::NoConnection, Trouble::NoTrust, Trouble::TimedOut, Trouble::BrokeOff] {
        let verdict = judge(Answer::Nothing(trouble), tries, &TERMS, 10, 0);
        assert_eq!(verdict, Verdict::Again { at: 510, pause: None }, "{trouble:?}");
    }
}

#[test]
fn a_wish_to_be_left_alone_is_followed_up_to_the_longest_wait() {
    let tries = Tries { count: 1, since: 0 };
    let asked = |status, wait| Answer::Status { status, retry_after: Some(wait) };
    for busy in [429, 503] {
        let verdict = judge(asked(busy, 20_000), tries, &TERMS, 10, 0);
        assert_eq!(verdict, Verdict::Again { at: 20_010, pause: Some(20_010) });
        let verdict = judge(asked(busy, 9_000_000), tries, &TERMS, 10, 0);
        assert_eq!(verdict, Verdict::Again { at: 60_010, pause: Some(60_010) });
    }
    let verdict = judge(asked(500, 20_000), tries, &TERMS, 10, 0);
    assert_eq!(verdict, Verdict::Again { at: 510, pause: None }, "only these two may ask");
}

#[test]
fn waits_double_up_to_the_bound_and_are_spread_over_their_later_half() {
    let at = |count, dice| match judge(status(500), Tries { count, since: 0 }, &TERMS, 0, dice) {
        Verdict::Again { at, .. } => at,
        other => panic!("{other:?}"),
    };
    for (count, whole) in [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (64, 60_000), (u32::MAX, 60_000)]
    {
        assert_eq!((at(count, 0), at(count, whole / 2)), (whole / 2, whole), "{count}");
        assert_eq!(at(count, whole / 2 + 1), whole / 2, "the dice go round");
    }
}

#[test]
fn the_last_attempt_is_made_at_the_end_of_the_patience_and_then_it_is_dead() {
    let tries = Tries { count: 9, since: 0 };
    let verdict = judge(status(500), tries, &TERMS, 590_000, 0);
    assert_eq!(verdict, Verdict::Again { at: 600_000, pause: None });
    assert_eq!(judge(status(500), tries, &TERMS, 599_999, 0), Verdict::Again { at: 600_000, pause: None });
    assert_eq!(judge(status(500), tries, &TERMS, 600_000, 0), Verdict::Dead);
    assert_eq!(judge(status(200), tries, &TERMS, 600_000, 0), Verdict::Done, "a late yes is a yes");
}

#[test]
fn who_is_gone_is_not_asked_until_switched_on_and_then_goes_on_in_order() {
    let mut queue = Queue::new(TERMS, 0, None);
    queue.take_in(Place::Ledger(1), lane(1), None);
    queue.take_in(Place::Ledger(2), lane(1), None);
    assert_eq!(queue.start(5).map(|start| start.place), Some(Place::Ledger(1)));
    assert_eq!(
        queue.finish(Place::Ledger(1), status(410), 6, 0).map(|(verdict, _)| verdict),
        Some(Verdict::Gone)
    );
    assert_eq!((queue.start(1_000_000), queue.next(), queue.off()), (None, None, Some("it answered 410")));
    assert_eq!(queue.kept().off.as_deref(), Some("it answered 410"));
    queue.switch(None);
    let start = queue.start(7).unwrap();
    assert_eq!((start.place, start.attempt), (Place::Ledger(1), 2));
}

#[test]
fn a_pause_holds_for_everything_that_is_not_under_way() {
    let mut queue = Queue::new(TERMS, 0, None);
    queue.take_in(Place::Ledger(1), lane(1), None);
    queue.take_in(Place::Ledger(2), lane(2), None);
    queue.start(0).unwrap();
    queue.finish(Place::Ledger(1), Answer::Status { status: 503, retry_after: Some(30_000) }, 0, 0);
    assert_eq!((queue.start(29_999), queue.next()), (None, Some(30_000)));
    assert_eq!(queue.start(30_000).map(|start| start.place), Some(Place::Ledger(1)));
    assert_eq!(queue.start(30_000).map(|start| start.place), Some(Place::Ledger(2)));
}

/// What can happen to a queue.
#[derive(Debug, Clone)]
enum Act {
    Come(u8),
    Taken,
    Start(u64),
    Finish(usize, Answer, u64, u64),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let answer = prop_oneof![
        3 => Just(status(200)),
        3 => Just(status(500)),
        1 => Just(Answer::Nothing(Trouble::TimedOut)),
        1 => (0..100_000_u64).prop_map(|wait| Answer::Status { status: 429, retry_after: Some(wait) }),
    ];
    prop_oneof![
        3 => (0..4_u8).prop_map(Act::Come),
        1 => Just(Act::Taken),
        4 => (0..5_000_u64).prop_map(Act::Start),
        4 => (any::<usize>(), answer, 0..5_000_u64, any::<u64>()).prop_map(|(i, a, t, d)| Act::Finish(i, a, t, d)),
        1 => Just(Act::Restart),
    ]
}

/// One event of the twin, which knows everything and looks at all of it every time.
#[derive(Debug, Clone)]
struct Twin {
    at: u64,
    lane: u8,
    due: u64,
    going: bool,
    tries: Option<Tries>,
}

#[derive(Debug, Default)]
struct Naive {
    events: Vec<Twin>,
    paused: u64,
}

impl Naive {
    fn may_start(&self, now: u64) -> Option<usize> {
        let under_way = self.events.iter().filter(|event| event.going).count();
        if now < self.paused || under_way >= TERMS.concurrency {
            return None;
        }
        (0..self.events.len()).find(|index| {
            let event = &self.events[*index];
            let earlier = self.events[..*index].iter().any(|before| before.lane == event.lane);
            !earlier && !event.going && event.due <= now
        })
    }
}

/// Both, side by side, and what was delivered.
struct Pair {
    queue: Queue,
    naive: Naive,
    now: u64,
    head: u64,
    delivered: Vec<(u8, u64)>,
}

impl Pair {
    fn act(&mut self, act: Act) {
        match act {
            Act::Come(number) if self.queue.room() > 0 => {
                self.head += 1;
                self.queue.take_in(Place::Ledger(self.head), lane(number), None);
                self.queue.set_read_to(self.head);
                self.naive.events.push(Twin {
                    at: self.head,
                    lane: number,
                    due: 0,
                    going: false,
                    tries: None,
                });
            }
            Act::Come(_) => assert_eq!(self.naive.events.len(), TERMS.window),
            Act::Taken => {
                self.head += 1;
                self.queue.set_read_to(self.head);
            }
            Act::Start(wait) => self.start(wait),
            Act::Finish(which, answer, wait, dice) => self.finish(which, answer, wait, dice),
            Act::Restart => self.restart(),
        }
        assert_eq!(self.queue.len(), self.naive.events.len());
        let starts = self.queue.next().is_some_and(|at| at <= self.now);
        assert_eq!(starts, self.naive.may_start(self.now).is_some(), "it wakes up when something may start");
    }

    fn start(&mut self, wait: u64) {
        self.now += wait;
        let expected = self.naive.may_start(self.now);
        let started = self.queue.start(self.now);
        let place = expected.map(|index| Place::Ledger(self.naive.events[index].at));
        assert_eq!(started.map(|start| start.place), place);
        if let Some(index) = expected {
            let event = &mut self.naive.events[index];
            event.going = true;
            let count = event.tries.map_or(0, |tries| tries.count) + 1;
            event.tries = Some(Tries { count, since: event.tries.map_or(self.now, |tries| tries.since) });
            assert_eq!(started.map(|start| start.attempt), Some(count));
        }
    }

    fn finish(&mut self, which: usize, answer: Answer, wait: u64, dice: u64) {
        self.now += wait;
        let events = &mut self.naive.events;
        let going: Vec<usize> = (0..events.len()).filter(|index| events[*index].going).collect();
        let Some(index) = going.get(which % going.len().max(1)).copied() else { return };
        let tries = events[index].tries.unwrap();
        let place = Place::Ledger(events[index].at);
        let verdict = judge(answer, tries, &TERMS, self.now, dice);
        assert_eq!(self.queue.finish(place, answer, self.now, dice), Some((verdict, tries)));
        if let Verdict::Again { at, pause } = verdict {
            events[index].due = at;
            events[index].going = false;
            self.naive.paused = self.naive.paused.max(pause.unwrap_or(0));
        } else {
            let gone = events.remove(index);
            self.delivered.push((gone.lane, gone.at));
        }
    }

    /// What is kept is all that is needed to go on.
    fn restart(&mut self) {
        let kept = self.queue.kept();
        assert_eq!(kept.read_to, self.head);
        self.queue = Queue::new(TERMS, kept.read_to, kept.off);
        self.naive.paused = 0;
        for open in kept.open {
            let event = self.naive.events.iter_mut().find(|event| event.at == open.at).unwrap();
            event.due = 0;
            event.going = false;
            let tries = (open.count > 0).then_some(Tries { count: open.count, since: open.since });
            assert_eq!(tries, event.tries);
            self.queue.take_in(Place::Ledger(open.at), lane(event.lane), tries);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The queue starts what its twin would start and when, and of one lane everything arrives in its order,
    /// whatever happened.
    #[test]
    fn the_queue_is_its_naive_twin(acts in proptest::collection::vec(act(), 0..120)) {
        let queue = Queue::new(TERMS, 0, None);
        let mut pair = Pair { queue, naive: Naive::default(), now: 0, head: 0, delivered: Vec::new() };
        acts.into_iter().for_each(|act| pair.act(act));
        for number in 0..4 {
            let of_lane = pair.delivered.iter().filter(|(lane, _)| *lane == number);
            let of_lane: Vec<u64> = of_lane.map(|(_, at)| *at).collect();
            prop_assert!(of_lane.is_sorted(), "{:?}", of_lane);
        }
    }
}

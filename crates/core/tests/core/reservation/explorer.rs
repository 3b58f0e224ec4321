//! Every short history: what two people and a backend can do with two resources and three times, in every order.
//!
//! Each history that leads to a state that was not seen before is gone on with. Every command is decided twice:
//! on a slice that knows nothing, as after a crash, and on the slice that decided the command before it and was
//! not written yet, as within a batch.

use std::collections::HashSet;

use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::reservation::{
    Act, Command, Due, Moment, Policy, Reservation, ResourceWish, Slice, State, Step, Ttl, WaitState,
    next_due,
};

use super::book::{Book, Ended};
use super::invariants::Seen;
use super::naive::Naive;
use super::play::{MIDNIGHT, actor, claim, resource_wish, wish};

/// A hold lasts two ticks and lives three.
const TICK: Millis = 2 * SECOND;

/// How long the histories are of which the last two commands are decided as one batch too.
const BATCHES: usize = 2;

/// Where a history has led to.
#[derive(Clone)]
struct Place {
    now: Millis,
    position: u64,
    book: Book,
    naive: Naive,
}

/// One thing that can be done anywhere; reservations and entries are named by their age.
#[derive(Debug, Clone, Copy)]
enum Move {
    Tick,
    Timers,
    Restart,
    Depart(&'static str),
    Hold(&'static str, usize),
    Extend(usize),
    Release(usize),
    Confirm(usize, bool),
    Cancel(usize),
    Override(usize),
    Join(&'static str),
    Accept,
    Leave,
}

const MOVES: [Move; 24] = [
    Move::Tick,
    Move::Timers,
    Move::Restart,
    Move::Depart("a"),
    Move::Hold("a", 0),
    Move::Hold("a", 1),
    Move::Hold("a", 2),
    Move::Hold("b", 0),
    Move::Hold("b", 1),
    Move::Hold("b", 3),
    Move::Extend(0),
    Move::Extend(1),
    Move::Release(0),
    Move::Release(1),
    Move::Confirm(0, false),
    Move::Confirm(0, true),
    Move::Confirm(1, false),
    Move::Confirm(1, true),
    Move::Cancel(0),
    Move::Override(1),
    Move::Join("a"),
    Move::Join("b"),
    Move::Accept,
    Move::Leave,
];

/// Two times that overlap, the room with the doctor, and the doctor alone later.
fn slots(nth: usize) -> Vec<deskbell_core::reservation::Claim> {
    match nth {
        0 => vec![claim(0, -15, 30, 1)],
        1 => vec![claim(0, 0, 30, 1)],
        2 => vec![claim(0, 15, 30, 1), claim(1, 15, 30, 1)],
        _ => vec![claim(1, 30, 15, 1)],
    }
}

impl Place {
    fn start() -> Self {
        let mut place = Self {
            now: MIDNIGHT - 10 * TICK - 1_000 * SECOND,
            position: 0,
            book: Book::default(),
            naive: Naive::default(),
        };
        let policy = Policy {
            hold_ttl_ms: 2 * TICK,
            max_life_ms: 3 * TICK,
            offer_ttl_ms: 2 * TICK,
            ..Policy::default()
        };
        for nth in 0..2 {
            let resource = ResourceWish { policy: policy.clone(), ..resource_wish(nth, 1) };
            let command = Command::Ask { actor: actor("backend"), act: Act::PutResource(Box::new(resource)) };
            let mut slice = Slice::default();
            place = place.after(&mut slice, &command).expect("the resource is made").0;
            place.book.save(&mut slice);
        }
        place
    }

    fn nth(&self, nth: usize) -> Option<&Reservation> {
        let mut open = self.naive.reservations.iter().rev();
        open.by_ref().filter(|r| !r.state.is_over() || r.state == State::Expired).nth(nth)
    }

    /// The commands of a move as things stand; none, where it makes no sense.
    fn commands(&self, step: Move) -> Vec<Command> {
        let ask = |who, act| vec![Command::Ask { actor: actor(who), act }];
        let held = |nth| self.nth(nth).map(|hold| (hold.id.clone(), hold.fence));
        let whose = |nth| {
            if self.nth(nth).is_some_and(|hold| hold.holder.to_string() == "user:a") { "a" } else { "b" }
        };
        let last = || self.naive.waits.last().filter(|wait| !matches!(wait.state, WaitState::Left));
        match step {
            Move::Tick => Vec::new(),
            Move::Timers => {
                let late = |r: &&Reservation| next_due(r).is_some_and(|at| at <= self.now);
                let late = self.naive.reservations.iter().filter(late);
                late.map(|r| Command::Due(Due::Reservation(r.id.clone()))).collect()
            }
            Move::Restart => {
                let held = self.naive.reservations.iter().filter(|r| r.state == State::Held);
                held.map(|r| Command::Due(Due::Restarted(r.id.clone()))).collect()
            }
            Move::Depart(who) => vec![Command::Due(Due::Departed(super::play::principal(who)))],
            Move::Hold(who, nth) => {
                ask(who, Act::Hold { wish: wish(vec![slots(nth)]), ttl: Ttl::Usual, replace: None })
            }
            Move::Extend(nth) => held(nth).map_or_else(Vec::new, |(id, fence)| {
                ask(whose(nth), Act::Extend { id, fence, ttl: Ttl::Usual })
            }),
            Move::Release(nth) => held(nth).map_or_else(Vec::new, |(id, fence)| {
                ask(whose(nth), Act::Release { id, fence: Some(fence) })
            }),
            Move::Confirm(nth, if_still_free) => held(nth).map_or_else(Vec::new, |(id, fence)| {
                let (external_ref, email, meta) = (None, None, None);
                ask("backend", Act::Confirm { id, fence, if_still_free, external_ref, email, meta })
            }),
            Move::Cancel(nth) => held(nth).map_or_else(Vec::new, |(id, _)| {
                ask("backend", Act::Step { id, step: Step::Cancel, version: None })
            }),
            Move::Override(nth) => {
                let (wish, reason) = (wish(vec![slots(nth)]), "because".into());
                ask("chief", Act::Override { wish, reason, force: false, external_ref: None })
            }
            Move::Join(who) => ask(who, Act::Join { wish: wish(vec![slots(0)]) }),
            Move::Accept => {
                last().map_or_else(Vec::new, |w| ask("backend", Act::Accept { id: w.id.clone() }))
            }
            Move::Leave => last().map_or_else(Vec::new, |w| ask("backend", Act::Leave { id: w.id.clone() })),
        }
    }

    /// What the command leads to, where it changes something. The slice knows it, and the store does not yet.
    fn after(&self, slice: &mut Slice, command: &Command) -> Option<(Self, Ended)> {
        let mut seed = [3; 16];
        seed[..8].copy_from_slice(&(self.position + 1).to_be_bytes());
        let moment = Moment { now: self.now, position: self.position + 1, seed };
        let ended = self.book.decide(slice, moment, command);
        let mut naive = self.naive.clone();
        let expected = naive.run(moment, command);
        super::play::agreed(command, &ended, expected, &naive);
        let Ended::Change(change) = &ended else { return None };
        let mut seen = Seen::default();
        seen.forget(self.position, &self.naive);
        seen.check(&self.naive, &naive, change, moment);
        slice.apply(change);
        let next = Self { now: self.now, position: self.position + 1, book: self.book.clone(), naive };
        Some((next, ended))
    }

    /// Where a move leads to, and with what unwritten slice.
    fn moved(&self, step: Move) -> Option<(Self, Slice)> {
        let mut slice = Slice::default();
        let mut place = self.clone();
        place.now += if let Move::Tick = step { TICK } else { 0 };
        let mut changed = matches!(step, Move::Tick);
        for command in self.commands(step) {
            if let Some((next, _)) = place.after(&mut slice, &command) {
                (place, changed) = (next, true);
            }
        }
        changed.then_some((place, slice))
    }

    /// The same command in the same batch as the one before it comes to the same.
    fn same_in_a_batch(&self, slice: &mut Slice, written: &Self, step: Move) {
        let Some(command) = written.commands(step).into_iter().next() else { return };
        let mut seed = [3; 16];
        seed[..8].copy_from_slice(&(self.position + 1).to_be_bytes());
        let moment = Moment { now: self.now, position: self.position + 1, seed };
        let in_batch = self.book.decide(slice, moment, &command);
        let after_crash = written.book.decide(&mut Slice::default(), moment, &command);
        assert_eq!(format!("{in_batch:?}"), format!("{after_crash:?}"), "{command:?}");
    }

    /// What matters for everything that can still happen: two places with the same face have the same future.
    fn face(&self) -> String {
        let since = |at: Option<Millis>| at.map(|at| at.cast_signed() - self.now.cast_signed());
        let open = self.naive.reservations.iter();
        let open = open.filter(|r| !r.state.is_over() || r.state == State::Expired).map(|r| {
            let at: Vec<_> = r.claims.iter().map(|c| (&c.claim.resource, c.claim.start)).collect();
            let ends = (since(r.expires_at), since(r.life_until));
            format!("{}{:?}{at:?}{ends:?}{}{:?}", r.holder, r.state, r.warned, r.offer.is_some())
        });
        let waits = self.naive.waits.iter().map(|wait| format!("{}{:?}", wait.principal, wait.state));
        let strikes =
            self.naive.strikes.iter().map(|(who, what, at)| format!("{who}{what}{:?}", since(Some(*at))));
        open.chain(waits).chain(strikes).collect::<Vec<_>>().join(";")
    }
}

#[test]
fn every_short_history_ends_as_the_words_say() {
    let depth = if std::env::var_os("DESKBELL_TEST_FULL").is_some() { 7 } else { 5 };
    let mut seen = HashSet::new();
    let mut places = vec![Place::start()];
    for length in 1..=depth {
        let mut next = Vec::new();
        for place in &places {
            for step in MOVES {
                let Some((mut after, mut slice)) = place.moved(step) else { continue };
                let unwritten = after.clone();
                after.book.save(&mut std::mem::take(&mut slice));
                if seen.insert(after.face()) {
                    next.push(after.clone());
                    if length > BATCHES {
                        continue;
                    }
                    let (mut again, mut batch) = place.moved(step).expect("the same again");
                    again.now = unwritten.now;
                    for later in MOVES {
                        again.same_in_a_batch(&mut batch, &after, later);
                    }
                }
            }
        }
        places = next;
    }
    assert!(seen.len() > 100, "only {} places were found: nothing was explored", seen.len());
    println!("{} places", seen.len());
}

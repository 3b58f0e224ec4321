//! A ledger that is played: every command runs on the rules with a slice that is kept, on the rules with a slice
//! that is dropped after each batch, and on the naive reference, and all three must agree.

use std::collections::BTreeSet;
use std::sync::Arc;

use deskbell_core::access::{Action, Audience, Identity, Rule, Rules};
use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::ids::{Principal, ReservationId, ResourceId, UserId};
use deskbell_core::limits::{self, DAY, MINUTE, Millis};
use deskbell_core::pattern::Pattern;
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, Actor, Change, Claim, Command, Conflict, Due, Moment, Policy, Reply, Reservation, ResourceWish,
    Slice, Told, Wait, Wish, next_due,
};

use super::book::{Book, Ended};
use super::invariants;
use super::naive::{self, Answer, InTheWay, Naive, No};

/// Midnight between the two days on which everything happens.
pub const MIDNIGHT: Millis = 20_001 * DAY;

pub fn resource(nth: u8) -> ResourceId {
    ResourceId::parse(&format!("r{nth}")).unwrap()
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A claim of so many minutes, that many minutes after midnight (or before it).
pub fn claim(nth: u8, minute: i64, minutes: u64, units: u32) -> Claim {
    let start = MIDNIGHT.saturating_add_signed(minute * 60_000);
    Claim { resource: resource(nth), start, end: start + minutes * MINUTE, units }
}

pub fn wish(any_of: Vec<Vec<Claim>>) -> Wish {
    Wish { any_of, holder: None, email: None, meta: None }
}

pub fn resource_wish(nth: u8, capacity: u32) -> ResourceWish {
    let (before, after, time_zone) = (0, 0, TimeZone::parse("UTC").unwrap());
    ResourceWish {
        id: resource(nth),
        capacity,
        before,
        after,
        time_zone,
        hours: Hours::default(),
        provider: None,
        policy: Policy::default(),
    }
}

/// Somebody by name: `a` and `b` may hold, `clerk` also confirms, `chief` manages, `stranger` may nothing.
pub fn actor(name: &str) -> Actor {
    if name == "backend" {
        return Actor::backend();
    }
    let identity = Identity { roles: vec![name.to_owned()], ..Identity::user(user(name)) };
    let rule = |allow: &[Action], to: &str| Rule {
        pattern: Pattern::parse("slots:*").unwrap(),
        allow: allow.to_vec(),
        to: Audience::Role(to.to_owned()),
    };
    let mut rules: Vec<_> = ["a", "b", "c", "d", "clerk"].map(|to| rule(&[Action::Hold], to)).into();
    rules.extend([rule(&[Action::Confirm], "clerk"), rule(&[Action::Manage], "chief")]);
    Actor { identity: Arc::new(identity), rules: Rules::new(rules), connected: true }
}

/// What a command came to.
#[derive(Debug, Clone)]
pub enum Heard {
    Changed(Box<Change>),
    Same(Box<Reply>),
    No(Code, Vec<Conflict>),
}

impl Heard {
    pub fn reply(&self) -> &Reply {
        match self {
            Self::Changed(change) => &change.reply,
            Self::Same(reply) => reply,
            Self::No(code, _) => panic!("it was refused: {code:?}"),
        }
    }

    pub fn reservation(&self) -> Arc<Reservation> {
        self.reply().reservation.clone().expect("the reply has a reservation")
    }

    pub fn wait(&self) -> Arc<Wait> {
        self.reply().wait.clone().expect("the reply has an entry of a waitlist")
    }

    pub fn code(&self) -> Option<Code> {
        if let Self::No(code, _) = self { Some(*code) } else { None }
    }

    /// The names of what was told.
    pub fn told(&self) -> Vec<String> {
        let Self::Changed(change) = self else { return Vec::new() };
        told(change).into_iter().map(|(name, _)| name).collect()
    }
}

/// A played ledger.
#[derive(Default)]
pub struct Play {
    pub now: Millis,
    pub position: u64,
    pub book: Book,
    pub naive: Naive,
    /// As it was when the store wrote last.
    written: (u64, Naive),
    kept: Slice,
    fresh: Slice,
    pub checks: invariants::Seen,
}

impl Play {
    /// Three hours before midnight, with these resources.
    pub fn new(resources: &[ResourceWish]) -> Self {
        let mut play = Self { now: MIDNIGHT - 180 * MINUTE, ..Self::default() };
        for wish in resources {
            play.ask("backend", Act::PutResource(Box::new(wish.clone()))).reply();
        }
        play
    }

    pub fn ask(&mut self, who: &str, act: Act) -> Heard {
        self.command(&Command::Ask { actor: actor(who), act })
    }

    pub fn due(&mut self, due: Due) -> Heard {
        self.command(&Command::Due(due))
    }

    /// Time goes by, and every timer comes at its moment.
    pub fn wait(&mut self, time: Millis) {
        let until = self.now + time;
        for rung in 0.. {
            let Some((at, id)) = self.next_timer().filter(|(at, _)| *at <= until) else { break };
            assert!(rung < 1_000, "the timer of {id} comes for ever");
            self.now = self.now.max(at);
            let _ = self.due(Due::Reservation(id));
        }
        self.now = until;
    }

    /// Every timer that is late comes.
    pub fn timers(&mut self) {
        self.wait(0);
    }

    fn next_timer(&self) -> Option<(Millis, ReservationId)> {
        let all = self.naive.reservations.iter();
        all.filter_map(|reservation| Some((next_due(reservation)?, reservation.id.clone()))).min()
    }

    pub fn reservation(&self, id: &ReservationId) -> &Reservation {
        self.naive.reservation(id).expect("it was made")
    }

    /// The store writes the batch. One slice is dropped then, the other is kept.
    pub fn commit(&mut self) {
        let mut book = self.book.clone();
        book.save(&mut self.kept);
        self.book.save(&mut self.fresh);
        invariants::same_book(&self.book, &book, &self.naive);
        self.fresh = Slice::default();
        self.written = (self.position, self.naive.clone());
    }

    /// The machine fails before the batch is written.
    pub fn crash(&mut self) {
        (self.kept, self.fresh) = (Slice::default(), Slice::default());
        (self.position, self.naive) = self.written.clone();
        self.checks.forget(self.position, &self.naive);
    }

    pub fn command(&mut self, command: &Command) -> Heard {
        let position = self.position + 1;
        let mut seed = [7; 16];
        seed[..8].copy_from_slice(&position.to_be_bytes());
        let moment = Moment { now: self.now, position, seed };
        let before = self.naive.clone();
        let kept = self.book.decide(&mut self.kept, moment, command);
        let fresh = self.book.decide(&mut self.fresh, moment, command);
        assert_eq!(format!("{kept:?}"), format!("{fresh:?}"), "a kept slice decides otherwise");
        let expected = self.naive.run(moment, command);
        let heard = agreed(command, &fresh, expected, &self.naive);
        if let Heard::Changed(change) = &heard {
            self.position = position;
            self.kept.apply(change);
            self.fresh.apply(change);
            invariants::conserved(&self.kept, &self.naive);
            invariants::conserved(&self.fresh, &self.naive);
            self.checks.check(&before, &self.naive, change, moment);
        }
        invariants::refusal(command, &heard);
        heard
    }
}

/// The rules and the reference say the same.
pub fn agreed(command: &Command, ended: &Ended, expected: Result<Answer, Box<No>>, naive: &Naive) -> Heard {
    match (ended, expected) {
        (Ended::Change(change), Ok(answer)) => {
            assert!(answer.changed, "{command:?} changes something and should not: {change:?}");
            let told = told(change);
            assert_eq!(told, answer.told, "{command:?} is told otherwise");
            assert_eq!(change.reply.evicted, answer.evicted, "{command:?}");
            same_conflicts(&change.reply.conflicts, &answer.conflicts);
            same_reply(command, &change.reply, &answer);
            for new in &change.reservations {
                let last = change.reservations.iter().rev().find(|last| last.id == new.id);
                assert_eq!(last.map(|last| &**last), naive.reservation(&new.id), "{command:?}");
            }
            for new in &change.waits {
                let last = change.waits.iter().rev().find(|last| last.id == new.id);
                assert_eq!(last.map(|last| &**last), naive.waits.iter().find(|wait| wait.id == new.id));
            }
            Heard::Changed(change.clone())
        }
        (Ended::Same(reply), Ok(answer)) => {
            assert!(!answer.changed, "{command:?} should change something: {:?}", answer.told);
            same_reply(command, reply, &answer);
            Heard::Same(reply.clone())
        }
        (Ended::Refused(refused), Err(no)) => {
            assert_eq!(refused.refusal.code, no.code, "{command:?} is refused for another reason");
            same_conflicts(&refused.conflicts, &no.conflicts);
            let starts: Vec<Millis> = refused.alternatives.iter().map(|other| other.start).collect();
            assert_eq!(starts, no.alternatives, "{command:?}");
            assert_eq!(refused.waiting, no.waiting, "{command:?}");
            Heard::No(no.code, refused.conflicts.clone())
        }
        (ended, expected) => panic!("{command:?}\n came to {ended:?}\n and should to {expected:?}"),
    }
}

fn same_reply(command: &Command, reply: &Reply, answer: &Answer) {
    assert_eq!(naive::shared(reply.reservation.as_ref()), answer.reservation, "{command:?}");
    assert_eq!(naive::shared(reply.wait.as_ref()), answer.wait, "{command:?}");
    assert_eq!(naive::shared(reply.resource.as_ref()), answer.resource, "{command:?}");
}

fn same_conflicts(conflicts: &[Conflict], expected: &InTheWay) {
    let most = expected.len().min(limits::CONFLICTS);
    assert_eq!(conflicts.len(), most, "{conflicts:?} should be {expected:?}");
    let known: BTreeSet<_> = expected.iter().map(|(resource, id)| (resource, id.as_ref())).collect();
    for conflict in conflicts.iter().filter(|conflict| conflict.reservation.is_some()) {
        let found = (&conflict.resource, conflict.reservation.as_ref());
        assert!(known.contains(&found), "{conflict:?} is not in the way: {expected:?}");
    }
}

fn told(change: &Change) -> Vec<(String, String)> {
    let name = |told: &Told| match told {
        Told::Reservation { what, id, .. } => (what.as_str().to_owned(), id.to_string()),
        Told::Wait { wait, free: true } => ("waitlist.free".to_owned(), wait.id.to_string()),
        Told::Wait { wait, .. } if wait.state.as_str() == "waiting" => {
            ("waitlist.joined".to_owned(), wait.id.to_string())
        }
        Told::Wait { wait, .. } => (format!("waitlist.{}", wait.state.as_str()), wait.id.to_string()),
        Told::Resource(id) => ("slots.reset".to_owned(), id.to_string()),
    };
    change.told.iter().map(name).collect()
}

/// The principal of a name.
pub fn principal(name: &str) -> Principal {
    Principal::User(user(name))
}

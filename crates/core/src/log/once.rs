//! Which publishes were taken already, so that a retry never acts twice.

use std::collections::{HashMap, VecDeque};

use super::{Appended, CarriedAnswer};
use crate::ids::EventId;
use crate::limits::{self, Millis};
use crate::position::{Epoch, Position};
use crate::refusal::{Code, Refusal};

/// The identity of one publish: a hash of (app, principal, route, id), and one of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Who sent what to where under which id.
    pub key: u128,
    /// What was sent, so that a reused id with another body is noticed.
    pub body: u64,
}

impl Once {
    /// The refusal for an id that was used with another body.
    pub fn reused() -> Refusal {
        Refusal::new(
            Code::KeyReused,
            "this id was used before with another body; take a new id for a new event",
        )
    }
}

#[derive(Debug, Default)]
pub(super) struct Remembered {
    answers: HashMap<u128, (u64, Appended, Millis)>,
    order: VecDeque<(u128, Millis)>,
}

impl Remembered {
    pub(super) fn find(&mut self, once: Once, now: Millis) -> Result<Option<Appended>, Refusal> {
        self.expire(now);
        match self.answers.get(&once.key) {
            None => Ok(None),
            Some((body, _, _)) if *body != once.body => Err(Once::reused()),
            Some((_, appended, _)) => Ok(Some(appended.clone())),
        }
    }

    pub(super) fn add(&mut self, once: Once, appended: Appended, now: Millis) {
        self.answers.insert(once.key, (once.body, appended, now));
        self.order.push_back((once.key, now));
        self.expire(now);
    }

    /// What is remembered, oldest first, for the next run in the same epoch.
    pub(super) fn carry(&self) -> Vec<CarriedAnswer> {
        let carried = |(key, at): &(u128, Millis)| {
            let (body, appended, _) = self.answers.get(key)?;
            Some(CarriedAnswer {
                key: [(key >> 64) as u64, *key as u64],
                body: *body,
                at: *at,
                id: appended.id.to_string(),
                seq: appended.at.seq,
                check: appended.at.check,
                ledger: appended.at.ledger,
                ledger_check: appended.at.ledger_check,
            })
        };
        self.order.iter().filter_map(carried).collect()
    }

    /// Remembers what the run before did.
    pub(super) fn resume(&mut self, answers: Vec<CarriedAnswer>, epoch: Epoch) {
        for carried in answers {
            // An id that this build does not accept any more cannot be sent again either.
            let Ok(id) = EventId::parse(&carried.id) else { continue };
            let mut at = Position::start(epoch, carried.ledger, carried.ledger_check);
            (at.seq, at.check) = (carried.seq, carried.check);
            let key = u128::from(carried.key[0]) << 64 | u128::from(carried.key[1]);
            self.answers.insert(key, (carried.body, Appended { id, at, repeated: false }, carried.at));
            self.order.push_back((key, carried.at));
        }
    }

    pub(super) fn expire(&mut self, now: Millis) {
        while let Some((key, at)) = self.order.front().copied() {
            if self.order.len() <= limits::MEMORY_IDS && at + limits::MEMORY_ID_AGE >= now {
                break;
            }
            self.order.pop_front();
            self.answers.remove(&key);
        }
    }
}

//! Which publishes were taken already, so that a retry never acts twice.

use std::collections::{HashMap, VecDeque};

use super::Appended;
use crate::limits::{self, Millis};
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

    /// Every answer with its key, its body's hash and its time, oldest first.
    pub(super) fn answers(&self) -> impl Iterator<Item = (Once, &Appended, Millis)> {
        self.order.iter().filter_map(|(key, _)| {
            let (body, appended, at) = self.answers.get(key)?;
            Some((Once { key: *key, body: *body }, appended, *at))
        })
    }

    pub(super) fn expire(&mut self, now: Millis) {
        while let Some((key, at)) = self.order.front().copied() {
            if self.order.len() <= limits::MEMORY_IDS && at.saturating_add(limits::MEMORY_ID_AGE) >= now {
                break;
            }
            self.order.pop_front();
            self.answers.remove(&key);
        }
    }
}

//! A shard's clients in cohorts: all live clients of one cohort stand at the same place of the log.
//!
//! A walk over thousands of sockets takes milliseconds. If all clients of a shard moved together, an
//! event that comes right after a walk has begun would wait for its end and then for the next whole
//! walk. So the shard goes from cohort to cohort, and each takes what the log has by then: those that
//! the walk has not reached yet get the event on the way, the others when their turn comes again.
//! Nobody waits for more than one round, and a round costs the same number of writes.

use std::cell::RefCell;
use std::sync::Arc;

use deskbell_core::cursor::{Cursor, CursorKey};
use deskbell_core::limits;
use deskbell_core::position::Position;

use super::Shard;
use super::channels::Channels;
use super::lens::Lenses;
use crate::bell::Bell;

/// One app as this shard sees it.
#[derive(Debug)]
pub(super) struct View {
    /// Those that have had a client, in the order in which they are walked; never empty.
    pub cohorts: Vec<Cohort>,
    pub channels: Channels,
    pub lenses: Lenses,
}

/// Clients of one app and one shard that move through the log together.
#[derive(Debug)]
pub(super) struct Cohort {
    /// The next place of the ring.
    pub next: u64,
    /// Where every live client of the cohort stands.
    pub at: Position,
    /// The same, sealed: many clients are told it between two events.
    sealed: RefCell<(Position, Arc<str>)>,
    /// Clients that follow every channel.
    pub everything: Vec<u32>,
    /// Clients that stand ahead of the cohort and wait for it.
    pub ahead: Vec<u32>,
}

/// The cohort of a slot. Neighbours stay together, so that a small shard has one cohort only.
pub(super) fn cohort_of(slot: u32) -> usize {
    slot as usize / limits::COHORT % limits::COHORTS
}

impl View {
    /// An app without clients, from the end of its log on.
    pub fn new((next, at): (u64, Position), key: &CursorKey, bell: Arc<Bell>) -> Self {
        Self {
            cohorts: vec![Cohort::new(next, at, key)],
            channels: Channels::new(bell),
            lenses: Lenses::default(),
        }
    }

    /// Has the ring something that a cohort has not been given?
    pub fn is_behind(&self, end: u64) -> bool {
        self.cohorts.iter().any(|cohort| cohort.next != end)
    }

    /// Makes the cohorts for so many slots. A new one has no clients, so it may begin anywhere.
    pub fn grow(&mut self, slots: usize, key: &CursorKey) {
        let cohorts = slots.div_ceil(limits::COHORT).min(limits::COHORTS);
        let (next, at) = (self.cohorts[0].next, self.cohorts[0].at);
        while self.cohorts.len() < cohorts {
            self.cohorts.push(Cohort::new(next, at, key));
        }
    }
}

impl Cohort {
    fn new(next: u64, at: Position, key: &CursorKey) -> Self {
        let sealed = RefCell::new((at, seal(at, key)));
        Self { next, at, sealed, everything: Vec::new(), ahead: Vec::new() }
    }

    /// The cursor of everybody in it who is live.
    pub fn cursor(&self, key: &CursorKey) -> Arc<str> {
        let mut sealed = self.sealed.borrow_mut();
        if sealed.0 != self.at {
            *sealed = (self.at, seal(self.at, key));
        }
        sealed.1.clone()
    }
}

fn seal(at: Position, key: &CursorKey) -> Arc<str> {
    key.seal(&Cursor::from(at)).into()
}

impl Shard {
    /// The cohort that a client belongs to.
    pub(super) fn cohort(&self, app: usize, slot: u32) -> &Cohort {
        &self.views[app].cohorts[cohort_of(slot)]
    }

    /// The same, to change.
    pub(super) fn cohort_mut(&mut self, app: usize, slot: u32) -> &mut Cohort {
        &mut self.views[app].cohorts[cohort_of(slot)]
    }
}

//! An app's log on this node: the pure log behind its one lock, and the bells it rings where somebody listens.
//!
//! With more than one machine the order will come from outside; then this becomes an enum of two
//! and its callers stay as they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::limits;
use deskbell_core::log::Log;

use crate::bell::{Bells, Hearers};

/// The log of one app in memory.
#[derive(Debug)]
pub struct AppLog {
    // Lock order: this lock is the innermost; nothing else is locked or waited for while it is held.
    log: Mutex<Grown>,
    end: AtomicU64,
    bells: Bells,
}

/// The log, and how far it has grown since all shards were woken.
#[derive(Debug)]
struct Grown {
    log: Log,
    /// The weight of what some shards may not have been woken for.
    unheard: usize,
}

impl Grown {
    /// The shards to wake for what came at or after a place.
    fn heard_by(&mut self, before: u64, bells: &Bells) -> Hearers {
        self.unheard += self.log.since(before).map(|entry| entry.weight()).sum::<usize>();
        // Nobody may sleep for so long that the ring goes on without it.
        if self.unheard > limits::UNHEARD_BYTES {
            self.unheard = 0;
            return Hearers::EVERYBODY;
        }
        bells.hearers(self.log.since(before))
    }
}

impl AppLog {
    /// Puts a log behind its lock.
    pub fn new(log: Log, bells: Bells) -> Self {
        let end = AtomicU64::new(log.ring_end().0);
        Self { log: Mutex::new(Grown { log, unheard: 0 }), end, bells }
    }

    /// Acts on the log, and wakes the shards where somebody listens to what came.
    pub fn with<R>(&self, act: impl FnOnce(&mut Log) -> R) -> R {
        let mut grown = self.lock();
        let result = act(&mut grown.log);
        let end = grown.log.ring_end().0;
        // Written under the lock: an older end that came late would hide the newest entries from the shards.
        let before = self.end.swap(end, Ordering::SeqCst);
        if before == end {
            return result;
        }
        let hearers = grown.heard_by(before, &self.bells);
        drop(grown);
        self.bells.ring(hearers);
        result
    }

    /// The place behind the ring's newest entry, without taking the lock.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Grown> {
        // The log's methods leave it whole between their steps, so a panic elsewhere in a caller's
        // closure does not make it unusable for everybody else.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! An app's log on this node: the pure log behind its one lock, and the bells it rings.
//!
//! With more than one machine the order will come from outside; then this becomes an enum of two
//! and its callers stay as they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::log::Log;

use crate::bell::Bells;

/// The log of one app in memory.
#[derive(Debug)]
pub struct AppLog {
    // Lock order: this lock is the innermost; nothing else is locked or waited for while it is held.
    log: Mutex<Log>,
    end: AtomicU64,
    bells: Bells,
}

impl AppLog {
    /// Puts a log behind its lock.
    pub fn new(log: Log, bells: Bells) -> Self {
        let end = AtomicU64::new(log.ring_end().0);
        Self { log: Mutex::new(log), end, bells }
    }

    /// Acts on the log, and wakes the shards if it grew.
    pub fn with<R>(&self, act: impl FnOnce(&mut Log) -> R) -> R {
        let mut log = self.lock();
        let result = act(&mut log);
        let end = log.ring_end().0;
        // Written under the lock: an older end that came late would hide the newest entries from the shards.
        let grew = self.end.swap(end, Ordering::AcqRel) != end;
        drop(log);
        if grew {
            self.bells.ring();
        }
        result
    }

    /// The place behind the ring's newest entry, without taking the lock.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // The log's methods leave it whole between their steps, so a panic elsewhere in a caller's
        // closure does not make it unusable for everybody else.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Wakes a shard: at most one wake-up is under way at a time, however many ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

/// The bell of one shard.
#[derive(Debug)]
pub struct Bell {
    rung: AtomicBool,
    waker: Waker,
}

impl Bell {
    /// A bell over a shard's waker.
    pub fn new(waker: Waker) -> Self {
        Self { rung: AtomicBool::new(false), waker }
    }

    /// Wakes the shard, unless it is being woken already.
    pub fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.waker.wake() {
            // The shard also looks on its own at least every heartbeat, so nothing is lost.
            self.rung.store(false, Ordering::Release);
            tracing::error!(%error, "a shard could not be woken");
        }
    }

    /// The shard is awake and about to look: whatever comes now must ring again.
    pub fn answered(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

/// The bells of all shards, rung together when a log grows.
#[derive(Debug, Default, Clone)]
pub struct Bells(Arc<[Arc<Bell>]>);

impl Bells {
    /// All shards' bells.
    pub fn new(bells: Vec<Arc<Bell>>) -> Self {
        Self(bells.into())
    }

    /// Wakes every shard.
    pub fn ring(&self) {
        self.0.iter().for_each(|bell| bell.ring());
    }
}

//! Wakes a shard: at most one wake-up is under way at a time, however many ask, and for what is new in a log only
//! if somebody there listens.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use deskbell_core::event::SharedEntry;
use deskbell_core::limits;
use deskbell_core::post;
use mio::Waker;

/// The bell of one shard.
#[derive(Debug)]
pub struct Bell {
    rung: AtomicBool,
    waker: Waker,
    ears: Ears,
}

/// What the clients of a shard listen to, as exactly as some thousand counters can say it. Channels that share a
/// counter wake the shard for each other, which costs a wake-up and no more.
#[derive(Debug)]
struct Ears {
    /// Clients that listen to every channel.
    everything: AtomicU32,
    /// Channels in use on the shard, each counted at the place that its name gives.
    channels: Box<[AtomicU32]>,
}

impl Ears {
    fn of(&self, channel: &str) -> &AtomicU32 {
        let place = BuildHasherDefault::<DefaultHasher>::default().hash_one(channel) as usize;
        &self.channels[place % limits::EARS]
    }

    fn hear(&self, entry: &SharedEntry) -> bool {
        // Whoever only sees somebody type in a conversation must notice that it has left it.
        post::departure(&entry.event).is_some()
            || self.everything.load(Ordering::SeqCst) > 0
            || self.of(entry.event.channel.as_str()).load(Ordering::SeqCst) > 0
    }
}

impl Bell {
    /// A bell over a shard's waker.
    pub fn new(waker: Waker) -> Self {
        let channels = (0..limits::EARS).map(|_| AtomicU32::new(0)).collect();
        let ears = Ears { everything: AtomicU32::new(0), channels };
        Self { rung: AtomicBool::new(false), waker, ears }
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

    /// Has it been rung since the shard looked last?
    #[cfg(test)]
    pub fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// The shard is awake and about to look: whatever comes now must ring again.
    pub fn answered(&self) {
        self.rung.store(false, Ordering::Release);
    }

    /// From here on what is new in a channel rings. Whoever says so looks at the logs' ends afterwards, as a shard does
    /// before it sleeps: what came before is seen there, and what comes after finds the counter.
    pub fn listen(&self, channel: &str) {
        self.ears.of(channel).fetch_add(1, Ordering::SeqCst);
    }

    /// One fewer listens to a channel.
    pub fn forget(&self, channel: &str) {
        self.ears.of(channel).fetch_sub(1, Ordering::SeqCst);
    }

    /// From here on everything that is new rings.
    pub fn listen_to_everything(&self) {
        self.ears.everything.fetch_add(1, Ordering::SeqCst);
    }

    /// One fewer listens to everything.
    pub fn forget_everything(&self) {
        self.ears.everything.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The bells of all shards.
#[derive(Debug, Default, Clone)]
pub struct Bells(Arc<[Arc<Bell>]>);

impl Bells {
    /// All shards' bells.
    pub fn new(bells: Vec<Arc<Bell>>) -> Self {
        Self(bells.into())
    }

    /// Finds the shards where somebody hears one of some entries.
    pub fn hearers<'a>(&self, entries: impl Iterator<Item = &'a SharedEntry> + Clone) -> Hearers {
        let bells = self.0.iter().enumerate();
        let hear = bells.filter(|(_, bell)| entries.clone().any(|entry| bell.ears.hear(entry)));
        Hearers(hear.fold(0, |bits, (number, _)| bits | Hearers::bit(number)))
    }

    /// Wakes some shards.
    pub fn ring(&self, hearers: Hearers) {
        let meant = self.0.iter().enumerate().filter(|(number, _)| hearers.0 & Hearers::bit(*number) != 0);
        meant.for_each(|(_, bell)| bell.ring());
    }
}

/// The shards that an entry is for, a bit each. Where there are more shards than bits, some share one and wake together.
#[derive(Debug, Clone, Copy)]
pub struct Hearers(u64);

impl Hearers {
    /// All of them.
    pub const EVERYBODY: Self = Self(u64::MAX);

    fn bit(shard: usize) -> u64 {
        1 << (shard % 64)
    }
}

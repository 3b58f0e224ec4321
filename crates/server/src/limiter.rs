//! Rates and counts of addresses and identities, shared by all shards and the front door.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use deskbell_core::limits::Millis;
use deskbell_core::rate::{Bucket, Rate};

/// Buckets that are kept at most; beyond it the full ones are dropped, which forget nothing.
const BUCKETS: usize = 100_000;

/// Token buckets by hash of who is limited, and open connections by purpose and address.
#[derive(Debug, Default)]
pub struct Limiter {
    hasher: RandomState,
    buckets: Mutex<HashMap<u64, Bucket>>,
    connections: Mutex<HashMap<(Purpose, IpAddr), usize>>,
}

/// What a bucket is for, so that an address and a user of the same name do not share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Messages of an identity.
    Identity,
    /// Messages of an address.
    Address,
    /// Client connections of an address.
    Connect,
    /// Those among them whose clients have not said yet what they came for.
    Unused,
    /// Sockets of an address in the front door.
    Visit,
    /// Attempts of an address to come in as an operator.
    Login,
}

impl Limiter {
    /// Takes one token of whoever it is, or says how long to wait.
    pub fn take(&self, purpose: Purpose, who: impl Hash, rate: Rate, now: Millis) -> Result<(), Millis> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let key = self.hasher.hash_one((purpose, who));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            if buckets.len() >= BUCKETS {
                // So many busy clients at once are an attack; a new one has to wait for its turn.
                return Err(1_000);
            }
        }
        buckets.entry(key).or_default().take(rate, now)
    }

    /// Counts one more connection of an address, unless it has its fill (0 means no limit).
    pub fn connect(&self, purpose: Purpose, address: IpAddr, most: usize) -> bool {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry((purpose, address)).or_default();
        if most != 0 && *count >= most {
            return false;
        }
        *count += 1;
        true
    }

    /// Counts one connection less.
    pub fn disconnect(&self, purpose: Purpose, address: IpAddr) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connections.get_mut(&(purpose, address)) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&(purpose, address));
            }
        }
    }
}

//! How many subscriptions each channel of an app has, over all shards and dialects.
//!
//! The shards keep the lists; this counts, so that a question about one channel needs no shard.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deskbell_core::ids::ChannelName;
use deskbell_core::limits::{self, Millis};

/// The counts of one app.
#[derive(Debug, Default)]
pub struct Occupancy {
    // Lock order: a count may be told to the log while this is held, so that two of them stay in order.
    channels: Mutex<HashMap<ChannelName, Count>>,
}

/// One channel with subscriptions.
#[derive(Debug, Default)]
struct Count {
    subscriptions: usize,
    /// When the count was last told.
    told: Millis,
    /// It has changed since.
    owed: bool,
}

/// What became of a channel with one subscription more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has its first.
    Occupied,
    /// It has lost its last.
    Vacated,
    /// It had some, and has some.
    Changed,
}

impl Occupancy {
    /// One subscription more. `tell` is called where the new number is to be told.
    pub fn add(&self, channel: &ChannelName, now: Millis, tell: impl FnOnce(usize)) -> Turn {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match channels.get_mut(channel.as_str()) {
            Some(count) => count,
            None => channels.entry(channel.clone()).or_default(),
        };
        count.subscriptions += 1;
        count.changed(now, tell);
        if count.subscriptions == 1 { Turn::Occupied } else { Turn::Changed }
    }

    /// One subscription less.
    pub fn remove(&self, channel: &ChannelName, now: Millis, tell: impl FnOnce(usize)) -> Turn {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = channels.get_mut(channel.as_str()) else { return Turn::Vacated };
        count.subscriptions = count.subscriptions.saturating_sub(1);
        if count.subscriptions == 0 {
            channels.remove(channel.as_str());
            return Turn::Vacated;
        }
        count.changed(now, tell);
        Turn::Changed
    }

    /// How many subscriptions a channel has.
    pub fn of(&self, channel: &str) -> usize {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.get(channel).map_or(0, |count| count.subscriptions)
    }

    /// Every channel with subscriptions whose name begins so.
    pub fn list(&self, prefix: &str) -> Vec<(ChannelName, usize)> {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = channels.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        fits.map(|(name, count)| (name.clone(), count.subscriptions)).collect()
    }

    /// Tells the counts that were kept back and whose time has come.
    pub fn tell_owed(&self, now: Millis, mut tell: impl FnMut(&ChannelName, usize)) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in channels.iter_mut().filter(|(_, count)| count.owed) {
            if count.told + limits::COUNT_GAP <= now {
                (count.told, count.owed) = (now, false);
                tell(name, count.subscriptions);
            }
        }
    }
}

impl Count {
    /// Small numbers are told at each change, large ones now and then: of those nobody sees the last digit.
    fn changed(&mut self, now: Millis, tell: impl FnOnce(usize)) {
        if self.subscriptions <= limits::COUNT_ALWAYS || self.told + limits::COUNT_GAP <= now {
            (self.told, self.owed) = (now, false);
            tell(self.subscriptions);
        } else {
            self.owed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_counts_are_told_at_once_and_large_ones_now_and_then() {
        let occupancy = Occupancy::default();
        let channel = ChannelName::parse("a").unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |count| told.borrow_mut().push(count);
        for _ in 0..limits::COUNT_ALWAYS {
            occupancy.add(&channel, 10_000, tell);
        }
        assert_eq!(told.borrow().len(), limits::COUNT_ALWAYS);
        occupancy.add(&channel, 10_001, tell);
        occupancy.add(&channel, 10_002, tell);
        assert_eq!(told.borrow().len(), limits::COUNT_ALWAYS, "too often");
        occupancy.tell_owed(14_999, |_, count| tell(count));
        assert_eq!(told.borrow().len(), limits::COUNT_ALWAYS, "too early");
        occupancy.tell_owed(15_000, |_, count| tell(count));
        assert_eq!(told.borrow().last(), Some(&(limits::COUNT_ALWAYS + 2)));
        occupancy.tell_owed(99_000, |_, _| panic!("nothing has changed"));
    }

    #[test]
    fn a_channel_is_occupied_once_and_vacated_once() {
        let occupancy = Occupancy::default();
        let channel = ChannelName::parse("a").unwrap();
        let quiet = |_| {};
        assert_eq!(occupancy.add(&channel, 0, quiet), Turn::Occupied);
        assert_eq!(occupancy.add(&channel, 0, quiet), Turn::Changed);
        assert_eq!(occupancy.list("").len(), 1);
        assert_eq!(occupancy.remove(&channel, 0, quiet), Turn::Changed);
        assert_eq!(occupancy.remove(&channel, 0, quiet), Turn::Vacated);
        assert!(occupancy.list("").is_empty());
        assert_eq!(occupancy.of("a"), 0);
    }
}

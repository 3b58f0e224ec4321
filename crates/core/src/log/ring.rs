//! The bounded ring of the newest entries that shards follow.

use std::collections::VecDeque;

use crate::event::SharedEntry;
use crate::limits;

/// The newest entries. Places rise by one each and are never reused.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<SharedEntry>,
    first: u64,
    bytes: usize,
}

/// What a pull found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// The next place to pull from; whoever has it has seen everything before.
    Next(u64),
    /// The reader is behind the oldest entry, or its place is of another ring: it must read from
    /// history.
    FellOff,
}

impl Ring {
    pub(super) fn push(&mut self, entry: SharedEntry) {
        self.bytes += entry.weight();
        self.entries.push_back(entry);
    }

    /// Gives the oldest entry up, while there are more than may be.
    pub(super) fn overflow(&mut self) -> Option<SharedEntry> {
        if self.entries.len() <= limits::RING_EVENTS && self.bytes <= limits::RING_BYTES {
            return None;
        }
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.weight();
        self.first += 1;
        Some(oldest)
    }

    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// What came at or after a place, as far as it is still here.
    pub(super) fn since(&self, from: u64) -> impl Iterator<Item = &SharedEntry> + Clone {
        let gone = from.saturating_sub(self.first) as usize;
        self.entries.range(gone.min(self.entries.len())..)
    }

    pub(super) fn pull(&self, from: u64, most: usize, into: &mut Vec<SharedEntry>) -> Pull {
        if from < self.first || from > self.end() {
            return Pull::FellOff;
        }
        let start = (from - self.first) as usize;
        let end = start.saturating_add(most).min(self.entries.len());
        into.extend(self.entries.range(start..end).cloned());
        Pull::Next(self.first + end as u64)
    }
}

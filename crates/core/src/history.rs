//! One channel's recent past, and the floor below which it is gone.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::class::{Class, Shape};
use crate::event::SharedEntry;
use crate::ids::Key;
use crate::limits::Millis;

/// The entries that a channel still has, in log order.
#[derive(Debug)]
pub struct History {
    kept: Kept,
    bytes: usize,
    /// The highest `seq` that was dropped: a reader below it cannot be served.
    pub floor: u64,
    /// The highest ledger position that was dropped: a reader below it is served by the ledger.
    pub ledger_floor: u64,
}

#[derive(Debug)]
enum Kept {
    Stream(VecDeque<SharedEntry>),
    Latest { by_seq: BTreeMap<u64, SharedEntry>, newest: HashMap<Key, u64> },
}

impl History {
    /// An empty past above the given floors.
    pub fn new(shape: Shape, floor: u64, ledger_floor: u64) -> Self {
        let kept = match shape {
            Shape::Latest => Kept::Latest { by_seq: BTreeMap::new(), newest: HashMap::new() },
            Shape::Stream | Shape::Ephemeral => Kept::Stream(VecDeque::new()),
        };
        Self { kept, bytes: 0, floor, ledger_floor }
    }

    /// Remembers an entry and drops what is beyond the class's bounds.
    pub fn push(&mut self, entry: SharedEntry, class: &Class, now: Millis) {
        self.bytes += entry.weight();
        match &mut self.kept {
            Kept::Stream(entries) => entries.push_back(entry),
            Kept::Latest { by_seq, newest } => {
                let key = entry.key.clone().unwrap_or_else(|| Key::from(&entry.event.name));
                // The replaced value is owed to nobody, so the floor does not rise for it.
                if let Some(old) = newest.insert(key, entry.seq).and_then(|seq| by_seq.remove(&seq)) {
                    self.bytes -= old.weight();
                }
                by_seq.insert(entry.seq, entry);
            }
        }
        self.trim(class, now);
    }

    /// Drops what is beyond the bounds now.
    pub fn trim(&mut self, class: &Class, now: Millis) {
        let keep = class.retention;
        while let Some(oldest) = self.oldest() {
            let too_old = oldest.event.at.saturating_add(keep.age) < now;
            if self.len() <= keep.events && self.bytes <= keep.bytes && !too_old {
                break;
            }
            self.drop_oldest();
        }
    }

    fn oldest(&self) -> Option<&SharedEntry> {
        match &self.kept {
            Kept::Stream(entries) => entries.front(),
            Kept::Latest { by_seq, .. } => by_seq.values().next(),
        }
    }

    fn drop_oldest(&mut self) {
        let dropped = match &mut self.kept {
            Kept::Stream(entries) => entries.pop_front(),
            Kept::Latest { by_seq, newest } => by_seq.pop_first().map(|(_, entry)| {
                newest.retain(|_, seq| *seq != entry.seq);
                entry
            }),
        };
        if let Some(entry) = dropped {
            self.bytes -= entry.weight();
            self.floor = self.floor.max(entry.seq);
            self.ledger_floor = self.ledger_floor.max(entry.ledger);
        }
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Stream(entries) => entries.len(),
            Kept::Latest { by_seq, .. } => by_seq.len(),
        }
    }

    /// Is nothing kept?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kept entries after a place, in log order. Durable channels are compared by their ledger
    /// position, memory channels by `seq`; both rise together, so one search serves.
    pub fn after(&self, after: u64, by_ledger: bool) -> Box<dyn Iterator<Item = &SharedEntry> + '_> {
        match &self.kept {
            Kept::Stream(entries) => {
                let place = |e: &SharedEntry| if by_ledger { e.ledger } else { e.seq };
                let first = entries.partition_point(|e| place(e) <= after);
                Box::new(entries.range(first..))
            }
            Kept::Latest { by_seq, .. } if by_ledger => {
                Box::new(by_seq.values().filter(move |e| e.ledger > after))
            }
            Kept::Latest { by_seq, .. } => {
                Box::new(by_seq.range(after.saturating_add(1)..).map(|(_, entry)| entry))
            }
        }
    }
}

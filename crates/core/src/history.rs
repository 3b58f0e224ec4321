//! One channel's recent past, and the floor below which it is gone.

use std::collections::{BTreeMap, HashMap, VecDeque, btree_map, vec_deque};

use crate::class::{Class, Shape};
use crate::event::SharedEntry;
use crate::ids::Key;
use crate::limits::Millis;

/// The entries that a channel still has, in log order.
///
/// Every place here is in the channel's own coordinate: `seq` for a memory channel, the ledger
/// position for a durable one. Both rise with the log, so one order serves.
#[derive(Debug)]
pub struct History {
    kept: Kept,
    durable: bool,
    bytes: usize,
    floor: u64,
}

#[derive(Debug)]
enum Kept {
    Stream(VecDeque<SharedEntry>),
    Latest { by_place: BTreeMap<u64, SharedEntry>, newest: HashMap<Key, u64> },
}

impl History {
    /// An empty past above a floor.
    pub fn new(class: &Class, floor: u64) -> Self {
        let kept = match class.shape {
            Shape::Latest => Kept::Latest { by_place: BTreeMap::new(), newest: HashMap::new() },
            Shape::Stream | Shape::Ephemeral => Kept::Stream(VecDeque::new()),
        };
        Self { kept, durable: class.durable, bytes: 0, floor }
    }

    /// The highest place that was dropped. A reader who stands exactly here has missed nothing; one
    /// below it cannot be served from memory.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Says that everything up to this place is gone.
    pub fn raise_floor(&mut self, place: u64) {
        self.floor = self.floor.max(place);
    }

    /// The place of an entry in the channel's coordinate.
    pub fn place(&self, entry: &SharedEntry) -> u64 {
        if self.durable { entry.ledger } else { entry.seq }
    }

    /// Remembers an entry and drops what is beyond the class's bounds.
    pub fn push(&mut self, entry: SharedEntry, class: &Class, now: Millis) {
        let place = self.place(&entry);
        self.bytes += entry.weight();
        match &mut self.kept {
            Kept::Stream(entries) => entries.push_back(entry),
            Kept::Latest { by_place, newest } => {
                // The replaced value is owed to nobody, so the floor does not rise for it.
                if let Some(old) = newest.insert(key(&entry), place).and_then(|old| by_place.remove(&old)) {
                    self.bytes -= old.weight();
                }
                by_place.insert(place, entry);
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

    /// Drops everything up to a place.
    pub fn drop_through(&mut self, place: u64) {
        while self.oldest().is_some_and(|oldest| self.place(oldest) <= place) {
            self.drop_oldest();
        }
    }

    fn oldest(&self) -> Option<&SharedEntry> {
        match &self.kept {
            Kept::Stream(entries) => entries.front(),
            Kept::Latest { by_place, .. } => by_place.values().next(),
        }
    }

    fn drop_oldest(&mut self) {
        let dropped = match &mut self.kept {
            Kept::Stream(entries) => entries.pop_front(),
            Kept::Latest { by_place, newest } => by_place.pop_first().map(|(_, entry)| {
                newest.remove(&key(&entry));
                entry
            }),
        };
        if let Some(entry) = dropped {
            self.bytes -= entry.weight();
            self.raise_floor(self.place(&entry));
        }
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Stream(entries) => entries.len(),
            Kept::Latest { by_place, .. } => by_place.len(),
        }
    }

    /// Is nothing kept?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kept entries after a place, in log order.
    pub fn after(&self, place: u64) -> Entries<'_> {
        match &self.kept {
            Kept::Stream(entries) => {
                let first = entries.partition_point(|entry| self.place(entry) <= place);
                Entries::Row(entries.range(first..))
            }
            Kept::Latest { by_place, .. } => Entries::Tree(by_place.range(place.saturating_add(1)..)),
        }
    }
}

/// The key under which a value replaces an older one.
fn key(entry: &SharedEntry) -> Key {
    entry.key.clone().unwrap_or_else(|| Key::from(&entry.event.name))
}

/// Entries in log order.
#[derive(Debug, Clone)]
pub enum Entries<'a> {
    /// Of a stream.
    Row(vec_deque::Iter<'a, SharedEntry>),
    /// Of a `latest` channel.
    Tree(btree_map::Range<'a, u64, SharedEntry>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a SharedEntry;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Row(entries) => entries.next(),
            Self::Tree(entries) => entries.next().map(|(_, entry)| entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Retention;
    use crate::event::{Data, Draft, Event};
    use crate::ids::{ChannelName, EventId, EventName};
    use crate::log::Log;
    use crate::position::Epoch;

    /// What is dropped leaves nothing behind, or a channel with ever new keys would grow for ever.
    #[test]
    fn a_dropped_value_takes_its_key_with_it() {
        let retention = Retention { events: 2, bytes: 10_000, age: 10_000 };
        let class = Class { retention, ..Class::of_shape(Shape::Latest) };
        let mut log = Log::new(Epoch(1), 0, 0, crate::class::Classes::default());
        let mut history = History::new(&class, 0);
        for name in ["a", "b", "a", "c", "d"] {
            let event = Event {
                id: EventId::parse(name).unwrap(),
                channel: ChannelName::parse("values").unwrap(),
                name: EventName::parse(name).unwrap(),
                data: Data::json("1"),
                at: 0,
            };
            log.append(Draft::message(event), None, 0).unwrap();
            let mut entries = Vec::new();
            log.pull(log.ring_end().0 - 1, 1, &mut entries);
            history.push(entries.remove(0), &class, 0);
        }
        let Kept::Latest { by_place, newest } = &history.kept else { panic!("the class is `latest`") };
        assert_eq!((by_place.len(), newest.len(), history.floor()), (2, 2, 3));
        assert_eq!(history.bytes, 2 * 257);
    }
}

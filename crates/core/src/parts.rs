//! An event that a reader is told in several parts, and what is left of it for a reader who was cut off between two.
//!
//! A dialect may show one event as several things at once. A place between two of these means something only for as
//! long as the things are the same, so it holds a check value of those that were told. Whose things have become
//! others since is told so, instead of missing some or hearing some twice.

use crate::cursor::Cursor;
use crate::event::Entry;
use crate::position::{Position, fnv, fnv_on, folded};

/// How much of an event was told to a reader who has everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How many things; one at least.
    pub count: u16,
    /// Is the event one of the ledger? Its reader may be told of others in between.
    pub durable: bool,
    /// The check value of the event and of these things.
    pub check: u32,
}

/// What an event was told as is not what it would be told as now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed;

/// The parts of an event that is told as these things, each with its name and its data. The last is all of it.
pub fn parts(entry: &Entry, things: &[(&str, &[u8])]) -> Vec<Part> {
    let mut hash = fnv(entry.event.id.as_str().as_bytes());
    let part = |(place, &(name, data)): (usize, &(&str, &[u8]))| {
        for text in [name.as_bytes(), data] {
            // The length before the text, so that no two lists of things are the same bytes.
            hash = fnv_on(fnv_on(hash, &(text.len() as u64).to_be_bytes()), text);
        }
        let count = u16::try_from(place + 1).unwrap_or(u16::MAX);
        Part { count, durable: entry.ledger > 0, check: folded(hash) }
    };
    things.iter().enumerate().map(part).collect()
}

/// Where a reader stood that reads again what it may have had, from somewhere before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    at: Position,
    part: Option<Part>,
}

impl From<Cursor> for Stood {
    fn from(cursor: Cursor) -> Self {
        Self { at: cursor.at, part: cursor.part() }
    }
}

impl Stood {
    /// How many of the things that an entry is told as the reader has had. Entries come in the order in which it was
    /// told of them.
    pub fn has_had(&mut self, entry: &Entry, things: &[(&str, &[u8])]) -> Result<usize, Changed> {
        if self.is_beyond(entry) {
            return Ok(things.len());
        }
        // Who came or went is told to nobody in parts.
        let is_told = !things.is_empty() && !entry.kind.is_presence();
        let is_it = |part: &mut Part| is_told && part.durable == (entry.ledger > 0);
        let Some(part) = self.part.take_if(is_it) else { return Ok(0) };
        let count = usize::from(part.count);
        let told = things.get(..count).ok_or(Changed)?;
        if parts(entry, told).last() == Some(&part) { Ok(count) } else { Err(Changed) }
    }

    /// Is there an event of which it had a part, and which has not come?
    pub fn is_owed(&self) -> bool {
        self.part.is_some()
    }

    /// How far in the ledger it has been told of anything.
    pub fn ledger(&self) -> u64 {
        self.at.ledger + u64::from(self.part.is_some_and(|part| part.durable))
    }

    /// The place behind which it has had nothing wholly.
    pub fn at(&self) -> &Position {
        &self.at
    }

    fn is_beyond(&self, entry: &Entry) -> bool {
        if entry.ledger > 0 {
            return entry.ledger <= self.at.ledger;
        }
        entry.seq > 0 && entry.epoch == self.at.epoch && entry.seq <= self.at.seq
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Data, Event, Frames, Kind};
    use crate::ids::{ChannelName, EventId, EventName};
    use crate::position::{Epoch, check_of, ledger};

    type Things = Vec<(String, Vec<u8>)>;

    fn of(things: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
        things.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect()
    }

    /// An entry as a log has it: the `nth`, of memory or as the first and only event of a row.
    fn entry(nth: u64, durable: bool, rows: u64) -> Entry {
        let event = Event {
            id: EventId::parse(&format!("e{nth}")).unwrap(),
            channel: ChannelName::parse("a").unwrap(),
            name: EventName::parse("n").unwrap(),
            data: Data::json("1"),
            at: 0,
        };
        let check = check_of(&event.id);
        let ledger = if durable { ledger::event(rows, 0) } else { 0 };
        Entry {
            after: Position { epoch: Epoch(1), seq: nth, ledger: ledger::end(rows), check, ledger_check: 9 },
            kind: Kind::Message,
            key: None,
            except: None,
            by: None,
            epoch: Epoch(1),
            seq: nth,
            ledger,
            frames: Frames::default(),
            event,
        }
    }

    fn log(kinds: &[bool]) -> Vec<Entry> {
        let mut rows = 0;
        let one = |(place, durable): (usize, &bool)| {
            rows += u64::from(*durable);
            entry(place as u64 + 1, *durable, rows)
        };
        kinds.iter().enumerate().map(one).collect()
    }

    /// What a reader at a place is told, with the place behind each thing; or that it must load anew.
    fn told(log: &[Entry], things: &[Things], from: Cursor) -> Result<Vec<(String, Cursor)>, Changed> {
        let (mut stood, mut all) = (Stood::from(from), Vec::new());
        for (entry, own) in log.iter().zip(things) {
            let own = of(own);
            let had = stood.has_had(entry, &own)?;
            let places = parts(entry, &own);
            for (place, (name, _)) in own.iter().enumerate().skip(had) {
                let is_last = place + 1 == own.len();
                let at = if is_last { entry.after.into() } else { entry.within(places[place]) };
                all.push((format!("{} {name}", entry.event.id), at));
            }
        }
        if stood.is_owed() { Err(Changed) } else { Ok(all) }
    }

    fn some_things() -> impl Strategy<Value = Things> {
        let name = prop_oneof![Just("a"), Just("b"), Just("ab")].prop_map(str::to_owned);
        proptest::collection::vec((name, proptest::collection::vec(any::<u8>(), 0..3)), 0..5)
    }

    prop_compose! {
        fn worlds()(worlds in proptest::collection::vec((any::<bool>(), some_things(), some_things()), 1..12))
            -> (Vec<bool>, Vec<Things>, Vec<Things>)
        {
            let kinds = worlds.iter().map(|world| world.0).collect();
            let (old, new) = worlds.into_iter().map(|world| (world.1, world.2)).unzip();
            (kinds, old, new)
        }
    }

    proptest! {
        /// However often and wherever a reader is cut, it is told everything once and in order.
        #[test]
        fn a_reader_who_is_cut_anywhere_hears_everything_once((kinds, things, _) in worlds(), cuts in proptest::collection::vec(0usize..4, 0..40)) {
            let log = log(&kinds);
            let start = Cursor::from(Position::start(Epoch(1), 0, 0));
            let whole = told(&log, &things, start).unwrap();
            let (mut heard, mut at) = (Vec::new(), start);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                for (thing, place) in told(&log, &things, at).unwrap().into_iter().take(cut) {
                    heard.push(thing);
                    at = place;
                }
            }
            prop_assert_eq!(heard, whole.into_iter().map(|(thing, _)| thing).collect::<Vec<_>>());
        }

        /// Where the things have become others, whoever goes on was told the beginning of what there is now.
        #[test]
        fn other_things_are_never_taken_for_those_that_were_told((kinds, old, new) in worlds(), cut in 0usize..40) {
            let log = log(&kinds);
            let before = told(&log, &old, Position::start(Epoch(1), 0, 0).into()).unwrap();
            let Some((_, at)) = before.get(cut) else { return Ok(()) };
            let Ok(rest) = told(&log, &new, *at) else {
                prop_assert!(at.part().is_some(), "a place behind a whole event always holds");
                return Ok(());
            };
            let Some(part) = at.part() else { return Ok(()) };
            let within = log.iter().position(|entry| parts(entry, &of(&old[entry.seq as usize - 1])).contains(&part)).unwrap();
            let count = usize::from(part.count);
            prop_assert_eq!(&old[within][..count], &new[within][..count]);
            let of_it = format!("{} ", log[within].event.id);
            let left = rest.iter().filter(|(thing, _)| thing.starts_with(&of_it)).count();
            prop_assert_eq!(left, new[within].len() - count);
        }
    }

    #[test]
    fn the_order_and_the_borders_of_things_count() {
        let entry = entry(1, false, 0);
        let check = |things: &[(&str, &[u8])]| parts(&entry, things).last().map(|part| part.check);
        assert_ne!(check(&[("a", b"b")]), check(&[("ab", b"")]));
        assert_ne!(check(&[("a", b"1"), ("b", b"2")]), check(&[("b", b"2"), ("a", b"1")]));
        assert_ne!(parts(&entry, &[("a", b"1")]), parts(&self::entry(2, false, 0), &[("a", b"1")]));
    }

    #[test]
    fn what_never_came_is_still_owed() {
        let (first, second) = (entry(1, false, 0), entry(2, true, 1));
        let things: [(&str, &[u8]); 2] = [("a", b"1"), ("b", b"2")];
        let mut stood = Stood::from(first.within(parts(&first, &things)[0]));
        assert_eq!(
            stood.has_had(&second, &things),
            Ok(0),
            "an event of the ledger says nothing of one of memory"
        );
        assert_eq!(stood.has_had(&first, &[]), Ok(0));
        assert!(stood.is_owed());
        assert_eq!(stood.has_had(&entry(2, false, 0), &things), Err(Changed));
    }
}

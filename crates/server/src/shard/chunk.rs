//! Entries of a log that go out together: as many as a mask has bits for, and of a change all or nothing.

use deskbell_core::event::{Entry, Kind, SharedEntry};
use deskbell_core::limits;
use deskbell_core::log::{Log, Pull};

use super::Shard;
use super::channels::{Channel, Listeners};
use super::cohort::cohort_of;

/// Entries that the listeners of a cohort get in one write.
pub(super) struct Chunk {
    /// Whose turn it is.
    pub(super) cohort: usize,
    /// What has listeners here, at most as many as a mask has bits.
    pub(super) dirty: Vec<Dirty>,
    /// For each entry, the bits of its channel: one for those who get it as it is, one for those who see it
    /// through a lens.
    pub(super) bits: Vec<u64>,
    /// The bits of those who look through lenses.
    pub(super) lensed: u64,
    /// Clients that must not get an entry.
    pub(super) excluded: Vec<(u32, usize)>,
}

/// Entries of one channel that go to the same clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dirty {
    /// The channel.
    pub(super) number: u32,
    /// They say who came or went, which only those get who may see it.
    presence: bool,
    /// They are for those who see the channel through a lens.
    pub(super) lensed: bool,
}

impl Chunk {
    /// The bits for an entry, or nothing where they no longer fit a mask.
    fn take(&mut self, wanted: [Option<Dirty>; 2]) -> Option<u64> {
        let mut bits = 0;
        for dirty in wanted.into_iter().flatten() {
            let bit = match self.dirty.iter().position(|other| *other == dirty) {
                Some(bit) => bit,
                None if self.dirty.len() == limits::JOIN_CHANNELS => return None,
                None => {
                    self.dirty.push(dirty);
                    self.dirty.len() - 1
                }
            };
            bits |= 1 << bit;
            self.lensed |= u64::from(dirty.lensed) << bit;
        }
        Some(bits)
    }

    /// Whoever hears of a change by several channels is told of it in one go, so that it is told nothing twice.
    fn end_with_a_change(&mut self, entries: &[SharedEntry]) {
        let taken = self.bits.len();
        let Some(next) = entries.get(taken) else { return };
        let begun = begun(&entries[..taken], next);
        if begun < taken {
            self.bits.truncate(taken - begun);
            self.excluded.retain(|(_, place)| *place < taken - begun);
        }
    }

    /// Do those who listen so get what is dirty so?
    pub(super) fn is_for(&self, dirty: Dirty, kind: Listeners) -> bool {
        kind.cohort() == self.cohort && kind.is_lensed() == dirty.lensed && (kind.watch || !dirty.presence)
    }
}

/// How many of the last entries tell of a change of which the next one tells as well.
fn begun(entries: &[SharedEntry], next: &Entry) -> usize {
    entries.iter().rev().take_while(|entry| entry.is_of_one_change(next)).count()
}

/// Pulls what is new, but of a change all or nothing.
pub(super) fn pull(log: &Log, next: u64, most: usize, into: &mut Vec<SharedEntry>) -> Pull {
    let pull = log.pull(next, most, into);
    let Pull::Next(place) = pull else { return pull };
    let begun = log.since(place).next().map_or(0, |next| begun(into, next));
    if begun == into.len() {
        return pull;
    }
    into.truncate(into.len() - begun);
    Pull::Next(place - begun as u64)
}

/// What an entry is to those of a cohort who listen to its channel.
fn wanted(channel: &Channel, number: u32, cohort: usize, entry: &Entry) -> [Option<Dirty>; 2] {
    let [plain, lensed] = channel.is_heard_by(cohort);
    let presence = entry.kind.is_presence();
    [
        plain.then_some(Dirty { number, presence, lensed: false }),
        // Through a lens only what is said is seen.
        (lensed && entry.kind == Kind::Message).then_some(Dirty { number, presence, lensed: true }),
    ]
}

impl Shard {
    /// Takes entries until the channels that the cohort hears no longer fit a mask.
    pub(super) fn gather(&self, app: usize, cohort: usize, entries: &[SharedEntry]) -> Chunk {
        let channels = &self.views[app].channels;
        let mut chunk =
            Chunk { cohort, dirty: Vec::new(), bits: Vec::new(), lensed: 0, excluded: Vec::new() };
        let mut bytes = 0;
        for (place, entry) in entries.iter().enumerate() {
            // What is joined is also what a slow sink may have to keep at once.
            if bytes >= limits::PAGE_BYTES {
                break;
            }
            bytes += entry.weight();
            let number = channels.find(entry.event.channel.as_str());
            let dirty =
                number.map_or([None; 2], |number| wanted(channels.get(number), number, cohort, entry));
            let Some(bits) = chunk.take(dirty) else { break };
            chunk.bits.push(bits);
            let excluded = entry.except.and_then(|id| self.public.get(&id)).copied();
            let excluded = excluded.filter(|slot| cohort_of(*slot) == cohort);
            chunk.excluded.extend(excluded.map(|slot| (slot, place)));
        }
        chunk.end_with_a_change(entries);
        chunk
    }
}

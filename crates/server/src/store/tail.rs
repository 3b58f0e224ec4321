//! What the index of events does not say yet, found by looking at the rows behind it.

use std::collections::{BTreeMap, HashMap};

use deskbell_core::class::is_ledger_fed;
use deskbell_core::position::ledger;

use super::codec;
use super::database::{Database, Next};
use super::failure::Failure;
use super::index::mark;
use super::page::LedgerRead;

/// The events behind the index of the channels that a reader wants.
#[derive(Debug, Default)]
pub(super) struct Tail {
    channels: HashMap<String, OfChannel>,
}

/// One channel's.
#[derive(Debug, Default)]
struct OfChannel {
    /// All of them.
    all: Vec<u64>,
    /// The newest of every key.
    newest: BTreeMap<String, u64>,
}

impl Tail {
    /// Looks through the rows behind the index, of which there is a bounded number.
    pub(super) fn scan(db: &Database, read: &LedgerRead) -> Result<Self, Failure> {
        let mut tail = Self::default();
        // What lies before every want's place matters to nobody.
        let Some(after) = read.wants.iter().map(|want| want.after).min() else { return Ok(tail) };
        let names = read.wants.iter().map(|want| (want.channel.as_str().to_owned(), OfChannel::default()));
        tail.channels.extend(names);
        let from = mark(db, read.app)?.max(ledger::row(after).saturating_sub(1));
        // Also beyond the page's end: a value there makes an older one stale.
        let question =
            "SELECT position, events FROM changes WHERE app = ?1 AND position > ?2 ORDER BY position";
        db.each(question, &[read.app.into(), from.into()], |row| {
            let position = row.unsigned(0)?;
            for (place, event) in codec::look(row.bytes(1)?)?.iter().enumerate() {
                let Some(of_channel) = tail.channels.get_mut(event.channel) else { continue };
                let coordinate = ledger::event(position, place);
                of_channel.all.push(coordinate);
                if !is_ledger_fed(event.channel) {
                    of_channel.newest.insert(event.key_or_name().to_owned(), coordinate);
                }
            }
            Ok(Next::Go)
        })?;
        Ok(tail)
    }

    /// The events of a channel, in order.
    pub(super) fn all(&self, channel: &str) -> Vec<u64> {
        self.channels.get(channel).map(|of| of.all.clone()).unwrap_or_default()
    }

    /// The newest event of each key of a channel, in order.
    pub(super) fn newest(&self, channel: &str) -> Vec<u64> {
        let newest = self.channels.get(channel).map(|of| of.newest.values().copied());
        let mut newest: Vec<u64> = newest.into_iter().flatten().collect();
        newest.sort_unstable();
        newest
    }

    /// Is there a newer event of this key than any that the index knows?
    pub(super) fn has_newer(&self, channel: &str, key: &str) -> bool {
        self.channels.get(channel).is_some_and(|of| of.newest.contains_key(key))
    }
}

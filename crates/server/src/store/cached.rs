//! The newest events of durable channels that give them to whoever comes, for a log that begins anew.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::class::is_cached;
use deskbell_core::event::{Entry, Kind};
use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::position::{Position, ledger};

use super::codec;
use super::database::{Database, Next};
use super::failure::Failure;
use super::page::entry;

/// Reads back from the newest row, as far as such events last and no further than the ring would reach. `at` is the
/// log's head, which is behind all of them.
pub(super) fn newest(
    db: &Database,
    app: AppId,
    at: &Position,
    since: Millis,
) -> Result<Vec<Arc<Entry>>, Failure> {
    let question = "SELECT at, position, events FROM changes WHERE app = ?1 ORDER BY position DESC LIMIT ?2";
    let mut known: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    db.each(question, &[app.into(), (limits::RING_EVENTS as u64).into()], |row| {
        if row.unsigned(0)? <= since {
            return Ok(Next::Stop);
        }
        let (position, events) = (row.unsigned(1)?, Bytes::copy_from_slice(row.bytes(2)?));
        let seen = codec::look(&events)?;
        for (place, event) in seen.iter().enumerate().rev() {
            if is_cached(event.channel) && !known.contains(event.channel) {
                let entry = entry(&events, &seen, ledger::event(position, place), at)?;
                if entry.kind == Kind::Message {
                    known.insert(event.channel.to_owned());
                    found.push(Arc::new(entry));
                }
            }
        }
        Ok(Next::Go)
    })?;
    Ok(found)
}

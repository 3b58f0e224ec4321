//! The index of events: which channel has which, and which of them is the newest of its key.
//!
//! It says nothing that `changes` does not say, so no commit waits for it. It is brought up to date
//! behind the commits, many rows at once and sorted by channel, so that what lies together is written
//! together. `apps.indexed` is the position up to which it is complete; it moves in the transaction
//! that writes the rows. Whoever reads looks into the index up to there, and at the rows behind it.

use deskbell_core::class::is_ledger_fed;
use deskbell_core::ids::AppId;
use deskbell_core::position::ledger;
use rusqlite::{Connection, OptionalExtension as _};

use super::codec::{self, Seen};
use super::failure::Failure;
use super::tables::{self, Tables};

/// Rows that the index may be behind before a commit waits for a part of it. It bounds what a reader
/// looks through beside the index: some milliseconds.
pub(super) const BEHIND: u64 = 4_096;
/// Rows of one transaction. It takes some milliseconds, for which a commit waits.
pub(super) const CHUNK: u32 = 1_024;
/// Events after which a transaction ends early, because rows may hold many.
const EVENTS: usize = 8_192;

/// An event that is to be found.
struct Filed<'a> {
    coordinate: i64,
    event: Seen<'a>,
}

/// The position up to which the index is complete.
pub(super) fn mark(connection: &Connection, app: AppId) -> Result<u64, Failure> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT indexed FROM apps WHERE app = ?1")?
        .query_row([app.0.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0).cast_unsigned())
}

impl Tables {
    /// Rows that the index is behind. Writes nothing: it is asked outside of any transaction.
    pub(super) fn behind(&mut self, app: AppId) -> Result<u64, Failure> {
        let head = match self.heads.get(&app) {
            Some(head) => head.row,
            None => tables::head(&self.connection, app)?.row,
        };
        Ok(head - self.mark(app)?.min(head))
    }

    fn mark(&mut self, app: AppId) -> Result<u64, Failure> {
        if let Some(mark) = self.marks.get(&app) {
            return Ok(*mark);
        }
        let mark = mark(&self.connection, app)?;
        self.marks.insert(app, mark);
        Ok(mark)
    }

    /// Takes the next rows into the index, at most so many.
    pub(super) fn index(&mut self, app: AppId, most: u32) -> Result<(), Failure> {
        let mark = mark(&self.connection, app)?;
        let rows = next_rows(&self.connection, app, mark, most)?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        let last = *last;
        let mut filed = Vec::new();
        for (position, events) in &rows {
            for (place, event) in codec::look(events)?.into_iter().enumerate() {
                let coordinate = ledger::event(*position, place).cast_signed();
                filed.push(Filed { coordinate, event });
            }
        }
        filed.sort_unstable_by(|one, other| {
            (one.event.channel, one.coordinate).cmp(&(other.event.channel, other.coordinate))
        });
        for of_channel in filed.chunk_by(|one, other| one.event.channel == other.event.channel) {
            file(&self.connection, app.0.cast_signed(), of_channel)?;
        }
        self.connection
            .prepare_cached("UPDATE apps SET indexed = ?2 WHERE app = ?1")?
            .execute((app.0.cast_signed(), last.cast_signed()))?;
        self.marks.insert(app, last);
        Ok(())
    }
}

fn next_rows(
    connection: &Connection,
    app: AppId,
    mark: u64,
    most: u32,
) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT position, events FROM changes WHERE app = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut found = statement.query((app.0.cast_signed(), mark.cast_signed(), most))?;
    let (mut rows, mut events) = (Vec::new(), 0);
    while events < EVENTS
        && let Some(row) = found.next()?
    {
        let bytes: Vec<u8> = row.get(1)?;
        events += codec::look(&bytes)?.len();
        rows.push((row.get::<_, i64>(0)?.cast_unsigned(), bytes));
    }
    Ok(rows)
}

/// Files events of one channel, in order.
fn file(connection: &Connection, app: i64, filed: &[Filed<'_>]) -> Result<(), Failure> {
    let Some(first) = filed.first() else { return Ok(()) };
    let name = first.event.channel;
    let channel = channel(connection, app, name, first.coordinate)?;
    let mut feed =
        connection.prepare_cached("INSERT INTO feed (app, channel, coordinate) VALUES (?1, ?2, ?3)")?;
    let mut feed_many = connection.prepare_cached(
        "INSERT INTO feed (app, channel, coordinate)
         VALUES (?1, ?2, ?3), (?1, ?2, ?4), (?1, ?2, ?5), (?1, ?2, ?6), (?1, ?2, ?7), (?1, ?2, ?8), (?1, ?2, ?9), (?1, ?2, ?10)",
    )?;
    let (many, rest) = filed.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in many.iter().map(|many| many.each_ref().map(|event| event.coordinate)) {
        feed_many.execute((app, channel, a, b, c, d, e, f, g, h))?;
    }
    for event in rest {
        feed.execute((app, channel, event.coordinate))?;
    }
    if is_ledger_fed(name) {
        // A stream has no newest value that would stand for the others.
        return Ok(());
    }
    let mut latest = connection.prepare_cached(
        "INSERT INTO latest (app, channel, key, coordinate) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET coordinate = excluded.coordinate",
    )?;
    for Filed { coordinate, event } in filed {
        latest.execute((app, channel, event.key_or_name(), coordinate))?;
    }
    Ok(())
}

/// The channel's id; `first` becomes it where the channel is new.
fn channel(connection: &Connection, app: i64, name: &str, first: i64) -> Result<i64, Failure> {
    let found = connection
        .prepare_cached("SELECT id FROM channels WHERE app = ?1 AND name = ?2")?
        .query_row((app, name), |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection
        .prepare_cached(
            "INSERT INTO channels (app, name, id, floor) SELECT ?1, ?2, ?3, forgotten FROM apps WHERE app = ?1",
        )?
        .execute((app, name, first))?;
    Ok(first)
}

//! The index of events: which channel has which, and which of them is the newest of its key.
//!
//! It says nothing that `changes` does not say, so no commit waits for it. It is brought up to date
//! behind the commits, many rows at once and sorted by channel, so that what lies together is written
//! together. `apps.indexed` is the position up to which it is complete; it moves in the transaction
//! that writes the rows. Whoever reads looks into the index up to there, and at the rows behind it.

use deskbell_core::class::is_ledger_fed;
use deskbell_core::ids::AppId;
use deskbell_core::position::ledger;

use super::codec::{self, Seen};
use super::database::{Database, Next, Value};
use super::failure::Failure;
use super::postgres;
use super::tables::{self, Tables};

/// Rows that the index may be behind before a commit waits for a part of it. It bounds what a reader
/// looks through beside the index: some milliseconds.
pub(super) const BEHIND: u64 = 4_096;
/// Rows of one transaction. It takes some milliseconds, for which a commit waits.
pub(super) const CHUNK: u32 = 1_024;
/// Events after which a transaction ends early, because rows may hold many.
const EVENTS: usize = 8_192;

/// An event that is to be found.
pub(super) struct Filed<'a> {
    pub(super) coordinate: i64,
    pub(super) event: Seen<'a>,
}

/// The position up to which the index is complete.
pub(super) fn mark(db: &Database, app: AppId) -> Result<u64, Failure> {
    let found = db.first("SELECT indexed FROM apps WHERE app = ?1", &[app.into()], |row| row.unsigned(0))?;
    Ok(found.unwrap_or(0))
}

impl Tables {
    /// Rows that the index is behind. Writes nothing: it is asked outside of any transaction.
    pub(super) fn behind(&mut self, app: AppId) -> Result<u64, Failure> {
        let head = match self.heads.get(&app) {
            Some(head) => head.row,
            None => tables::head(&self.db, app)?.row,
        };
        Ok(head - self.mark(app)?.min(head))
    }

    fn mark(&mut self, app: AppId) -> Result<u64, Failure> {
        if let Some(mark) = self.marks.get(&app) {
            return Ok(*mark);
        }
        let mark = mark(&self.db, app)?;
        self.marks.insert(app, mark);
        Ok(mark)
    }

    /// Takes the next rows into the index, at most so many.
    pub(super) fn index(&mut self, app: AppId, most: u32) -> Result<(), Failure> {
        let mark = mark(&self.db, app)?;
        let rows = next_rows(&self.db, app, mark, most)?;
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
        let of_channels = filed.chunk_by(|one, other| one.event.channel == other.event.channel);
        match &self.db {
            Database::Sqlite(_) => {
                of_channels.into_iter().try_for_each(|filed| file(&self.db, app, filed))?;
            }
            Database::Postgres(session) => {
                postgres::index::file(session, app, &of_channels.collect::<Vec<_>>())?;
            }
        }
        self.db.execute("UPDATE apps SET indexed = ?2 WHERE app = ?1", &[app.into(), last.into()])?;
        self.marks.insert(app, last);
        Ok(())
    }
}

fn next_rows(db: &Database, app: AppId, mark: u64, most: u32) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
    let question =
        "SELECT position, events FROM changes WHERE app = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
    let (mut rows, mut events) = (Vec::new(), 0);
    db.each(question, &[app.into(), mark.into(), most.into()], |row| {
        let bytes = row.bytes(1)?.to_vec();
        events += codec::look(&bytes)?.len();
        rows.push((row.unsigned(0)?, bytes));
        Ok(if events < EVENTS { Next::Go } else { Next::Stop })
    })?;
    Ok(rows)
}

/// Files events of one channel, in order.
fn file(db: &Database, app: AppId, filed: &[Filed<'_>]) -> Result<(), Failure> {
    let Some(first) = filed.first() else { return Ok(()) };
    let name = first.event.channel;
    let channel = channel(db, app, name, first.coordinate)?;
    let (many, rest) = filed.as_chunks::<8>();
    for many in many {
        let values: [Value<'_>; 10] = std::array::from_fn(|nth| match nth {
            0 => app.into(),
            1 => channel.into(),
            nth => many[nth - 2].coordinate.into(),
        });
        db.execute(
            "INSERT INTO feed (app, channel, coordinate) VALUES (?1, ?2, ?3), (?1, ?2, ?4), (?1, ?2, ?5),
             (?1, ?2, ?6), (?1, ?2, ?7), (?1, ?2, ?8), (?1, ?2, ?9), (?1, ?2, ?10)",
            &values,
        )?;
    }
    for event in rest {
        db.execute(
            "INSERT INTO feed (app, channel, coordinate) VALUES (?1, ?2, ?3)",
            &[app.into(), channel.into(), event.coordinate.into()],
        )?;
    }
    if is_ledger_fed(name) {
        // A stream has no newest value that would stand for the others.
        return Ok(());
    }
    for Filed { coordinate, event } in filed {
        db.execute(
            "INSERT INTO latest (app, channel, key, coordinate) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app, channel, key) DO UPDATE SET coordinate = excluded.coordinate",
            &[app.into(), channel.into(), event.key_or_name().into(), (*coordinate).into()],
        )?;
    }
    Ok(())
}

/// The channel's id; `first` becomes it where the channel is new.
fn channel(db: &Database, app: AppId, name: &str, first: i64) -> Result<i64, Failure> {
    let question = "SELECT id FROM channels WHERE app = ?1 AND name = ?2";
    if let Some(id) = db.first(question, &[app.into(), name.into()], |row| row.int(0))? {
        return Ok(id);
    }
    db.execute(
        "INSERT INTO channels (app, name, id, floor) SELECT ?1, ?2, ?3, forgotten FROM apps WHERE app = ?1",
        &[app.into(), name.into(), first.into()],
    )?;
    Ok(first)
}

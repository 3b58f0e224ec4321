//! The writing side of the tables: turns publishes into rows, many in one transaction.

use std::collections::HashMap;

use deskbell_core::event::Draft;
use deskbell_core::ids::{AppId, ChannelName, EventId, Key};
use deskbell_core::limits;
use deskbell_core::log::Once;
use deskbell_core::position::ledger;
use deskbell_core::refusal::Refusal;
use rusqlite::{Connection, OptionalExtension as _};

use super::codec;
use super::failure::Failure;
use super::submission::Publish;

/// Channel ids that are kept in memory. Beyond it they are looked up anew, which is only slower.
const KNOWN_CHANNELS: usize = 50_000;

/// The connection that alone writes `changes` and what hangs on it, with what it knows by heart.
pub(super) struct Tables {
    pub(super) connection: Connection,
    /// The last position of every app. Nobody else writes, so it stays true.
    heads: HashMap<AppId, u64>,
    channels: HashMap<(AppId, ChannelName), i64>,
}

/// What became of one publish of a batch, once the batch is committed.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is this new row.
    New { row: u64, check: u32 },
    /// It was this row already.
    Repeated { row: u64, check: u32, ids: Vec<EventId> },
    /// It may not be.
    Refused(Refusal),
}

impl Tables {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, heads: HashMap::new(), channels: HashMap::new() }
    }

    /// Runs `work` as one transaction: all of it is on the disk afterwards, or nothing.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = self.run("BEGIN IMMEDIATE").and_then(|()| work(self));
        let done = done.and_then(|value| self.run("COMMIT").map(|()| value));
        if done.is_err() {
            self.undo();
        }
        done
    }

    fn run(&self, statement: &str) -> Result<(), Failure> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    /// After a failed transaction what was known by heart may be what never happened.
    fn undo(&mut self) {
        self.heads.clear();
        self.channels.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    /// Commits a batch. Later publishes see the rows and keys of earlier ones.
    pub(super) fn commit(&mut self, batch: &[&Publish]) -> Result<Vec<Outcome>, Failure> {
        self.transact(|tables| batch.iter().map(|publish| tables.apply(publish)).collect())
    }

    pub(super) fn apply(&mut self, publish: &Publish) -> Result<Outcome, Failure> {
        if let Some(once) = publish.once
            && let Some(outcome) = self.find(publish, once)?
        {
            return Ok(outcome);
        }
        let app = publish.app.0.cast_signed();
        let row = self.head(publish.app)? + 1;
        let key_hash = publish.once.map(|once| once.key.to_be_bytes());
        self.connection
            .prepare_cached(
                "INSERT INTO changes (app, position, at, key_hash, events) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                app,
                row.cast_signed(),
                publish.now.cast_signed(),
                key_hash,
                codec::encode(&publish.drafts),
            ))?;
        for (place, draft) in publish.drafts.iter().enumerate() {
            self.index(publish.app, draft, ledger::event(row, place).cast_signed())?;
        }
        if let Some(once) = publish.once {
            // An expired key that was not purged yet is replaced.
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO keys (app, key_hash, body_hash, position, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((
                    app,
                    key_hash,
                    once.body.cast_signed(),
                    row.cast_signed(),
                    publish.now.cast_signed(),
                ))?;
        }
        self.heads.insert(publish.app, row);
        Ok(Outcome::New { row, check: codec::drafts_check(&publish.drafts) })
    }

    /// Was this publish taken before?
    fn find(&self, publish: &Publish, once: Once) -> Result<Option<Outcome>, Failure> {
        let app = publish.app.0.cast_signed();
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached("SELECT body_hash, position, at FROM keys WHERE app = ?1 AND key_hash = ?2")?
            .query_row((app, once.key.to_be_bytes()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((body, position, at)) = found else { return Ok(None) };
        if at.cast_unsigned().saturating_add(limits::IDEMPOTENCY) <= publish.now {
            return Ok(None);
        }
        if body.cast_unsigned() != once.body {
            return Ok(Some(Outcome::Refused(Once::reused())));
        }
        let events: Vec<u8> = self
            .connection
            .prepare_cached("SELECT events FROM changes WHERE app = ?1 AND position = ?2")?
            .query_row((app, position), |row| row.get(0))?;
        let seen = codec::look(&events)?;
        let ids = seen.iter().map(codec::Seen::id).collect::<Result<_, _>>()?;
        let check = codec::row_check(&seen)?;
        Ok(Some(Outcome::Repeated { row: position.cast_unsigned(), check, ids }))
    }

    /// Notes which channel has an event, and under which key it is the newest.
    fn index(&mut self, app: AppId, draft: &Draft, coordinate: i64) -> Result<(), Failure> {
        let channel = self.channel(app, &draft.event.channel, coordinate)?;
        let app = app.0.cast_signed();
        self.connection
            .prepare_cached("INSERT INTO feed (app, channel, coordinate) VALUES (?1, ?2, ?3)")?
            .execute((app, channel, coordinate))?;
        let key = draft.key.as_ref().map_or(draft.event.name.as_str(), Key::as_str);
        self.connection
            .prepare_cached(
                "INSERT INTO latest (app, channel, key, coordinate) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET coordinate = excluded.coordinate",
            )?
            .execute((app, channel, key, coordinate))?;
        Ok(())
    }

    /// The channel's id; `first` becomes it where the channel is new.
    fn channel(&mut self, app: AppId, name: &ChannelName, first: i64) -> Result<i64, Failure> {
        let known = (app, name.clone());
        if let Some(id) = self.channels.get(&known) {
            return Ok(*id);
        }
        let app = app.0.cast_signed();
        let found = self
            .connection
            .prepare_cached("SELECT id FROM channels WHERE app = ?1 AND name = ?2")?
            .query_row((app, name.as_str()), |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = found {
            id
        } else {
            self.connection
                .prepare_cached(
                    "INSERT INTO channels (app, name, id, floor) SELECT ?1, ?2, ?3, forgotten FROM apps WHERE app = ?1",
                )?
                .execute((app, name.as_str(), first))?;
            first
        };
        if self.channels.len() >= KNOWN_CHANNELS {
            self.channels.clear();
        }
        self.channels.insert(known, id);
        Ok(id)
    }

    /// Forgets a channel whose row was deleted.
    pub(super) fn forget(&mut self, app: AppId, name: &str) {
        if let Ok(name) = ChannelName::parse(name) {
            self.channels.remove(&(app, name));
        }
    }

    /// The last position of an app.
    pub(super) fn head(&mut self, app: AppId) -> Result<u64, Failure> {
        if let Some(row) = self.heads.get(&app) {
            return Ok(*row);
        }
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO apps (app) VALUES (?1)")?
            .execute([app.0.cast_signed()])?;
        let row = head(&self.connection, app)?.0;
        self.heads.insert(app, row);
        Ok(row)
    }
}

/// The last position of an app with its check value, or zeros.
pub(super) fn head(connection: &Connection, app: AppId) -> Result<(u64, u32), Failure> {
    let found: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT position, events FROM changes WHERE app = ?1 ORDER BY position DESC LIMIT 1")?
        .query_row([app.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((position, events)) = found else { return Ok((0, 0)) };
    Ok((position.cast_unsigned(), codec::row_check(&codec::look(&events)?)?))
}

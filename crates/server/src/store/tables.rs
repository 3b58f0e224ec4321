//! The writing side of the tables: turns publishes into rows, many in one transaction.

use std::collections::HashMap;

use deskbell_core::event::Draft;
use deskbell_core::ids::{AppId, EventId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::log::Once;
use deskbell_core::refusal::Refusal;
use rusqlite::{Connection, OptionalExtension as _};

use super::codec;
use super::failure::Failure;
use super::submission::Publish;

/// The connection that alone writes `changes` and what hangs on it, with what it knows by heart.
pub(super) struct Tables {
    pub(super) connection: Connection,
    /// The last row of every app. Nobody else writes, so it stays true.
    pub(super) heads: HashMap<AppId, Head>,
    /// How far the index of every app is, in the same way.
    pub(super) marks: HashMap<AppId, u64>,
}

/// The last row of an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Its position; 0 where there is none.
    pub(super) row: u64,
    /// Its check value.
    pub(super) check: u32,
    /// When it was written.
    pub(super) at: Millis,
}

/// What a new row of `changes` says.
pub(super) struct NewRow<'a> {
    pub(super) app: AppId,
    pub(super) at: Millis,
    pub(super) once: Option<Once>,
    /// What a retry of a command hears.
    pub(super) reply: Option<Vec<u8>>,
    /// Usage that it changed and does not tell.
    pub(super) touched: Option<Vec<u8>>,
    pub(super) drafts: &'a [Draft],
}

/// What became of one publish of a batch, once the batch is committed.
#[derive(Debug)]
pub enum Outcome {
    /// It is this new row.
    New {
        /// The row's position.
        row: u64,
        /// The row's check value.
        check: u32,
    },
    /// It was this row already.
    Repeated {
        /// The row's position.
        row: u64,
        /// The row's check value.
        check: u32,
        /// The ids of its events.
        ids: Vec<EventId>,
    },
    /// It may not be.
    Refused(Refusal),
}

/// What is known of an idempotency key.
pub(super) enum Earlier {
    /// It was used for this row.
    Row(u64),
    /// It was used for something else.
    Other,
}

impl Tables {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, heads: HashMap::new(), marks: HashMap::new() }
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
        self.marks.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    /// Writes a publish. Later ones see its row and its key.
    pub(super) fn apply(&mut self, publish: &Publish) -> Result<Outcome, Failure> {
        let Publish { app, once, .. } = *publish;
        if let Some(once) = once {
            match self.earlier(app, once, publish.now)? {
                None => {}
                Some(Earlier::Other) => return Ok(Outcome::Refused(Once::reused())),
                Some(Earlier::Row(row)) => return self.repeated(app, row),
            }
        }
        let (at, drafts) = (publish.now, &publish.drafts[..]);
        let new = self.append(&NewRow { app, at, once, reply: None, touched: None, drafts })?;
        Ok(Outcome::New { row: new.row, check: new.check })
    }

    /// Writes a row of `changes` and its key. The index of events follows later.
    pub(super) fn append(&mut self, new: &NewRow<'_>) -> Result<Head, Failure> {
        let before = self.head(new.app)?;
        // The order of the rows is the order of time, whatever the clocks of those say who ask.
        let at = new.at.max(before.at);
        let head = Head { row: before.row + 1, check: codec::drafts_check(new.drafts), at };
        let key_hash = new.once.map(|once| once.key.to_be_bytes());
        self.connection
            .prepare_cached(
                "INSERT INTO changes (app, position, at, key_hash, reply, events, touched)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                new.app.0.cast_signed(),
                head.row.cast_signed(),
                at.cast_signed(),
                key_hash,
                &new.reply,
                codec::encode(new.drafts),
                &new.touched,
            ))?;
        if let Some(once) = new.once {
            self.remember(new.app, once, head)?;
        }
        self.heads.insert(new.app, head);
        Ok(head)
    }

    fn remember(&self, app: AppId, once: Once, head: Head) -> Result<(), Failure> {
        // An expired key that was not purged yet is replaced.
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO keys (app, key_hash, body_hash, position, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                app.0.cast_signed(),
                once.key.to_be_bytes(),
                once.body.cast_signed(),
                head.row.cast_signed(),
                head.at.cast_signed(),
            ))?;
        Ok(())
    }

    /// Was this taken before?
    pub(super) fn earlier(&self, app: AppId, once: Once, now: Millis) -> Result<Option<Earlier>, Failure> {
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached("SELECT body_hash, position, at FROM keys WHERE app = ?1 AND key_hash = ?2")?
            .query_row((app.0.cast_signed(), once.key.to_be_bytes()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((body, position, at)) = found else { return Ok(None) };
        if at.cast_unsigned().saturating_add(limits::IDEMPOTENCY) <= now {
            return Ok(None);
        }
        let same = body.cast_unsigned() == once.body;
        Ok(Some(if same { Earlier::Row(position.cast_unsigned()) } else { Earlier::Other }))
    }

    /// What a publish was answered with.
    fn repeated(&self, app: AppId, row: u64) -> Result<Outcome, Failure> {
        let events: Vec<u8> = self
            .connection
            .prepare_cached("SELECT events FROM changes WHERE app = ?1 AND position = ?2")?
            .query_row((app.0.cast_signed(), row.cast_signed()), |row| row.get(0))?;
        let seen = codec::look(&events)?;
        let ids = seen.iter().map(codec::Seen::id).collect::<Result<_, _>>()?;
        Ok(Outcome::Repeated { row, check: codec::row_check(&seen)?, ids })
    }

    /// What a command was answered with, and its row's check value.
    pub(super) fn reply(&self, app: AppId, row: u64) -> Result<(Option<Vec<u8>>, u32), Failure> {
        let (reply, events): (Option<Vec<u8>>, Vec<u8>) = self
            .connection
            .prepare_cached("SELECT reply, events FROM changes WHERE app = ?1 AND position = ?2")?
            .query_row((app.0.cast_signed(), row.cast_signed()), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((reply, codec::row_check(&codec::look(&events)?)?))
    }

    /// The last row of an app.
    pub(super) fn head(&mut self, app: AppId) -> Result<Head, Failure> {
        if let Some(head) = self.heads.get(&app) {
            return Ok(*head);
        }
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO apps (app) VALUES (?1)")?
            .execute([app.0.cast_signed()])?;
        let head = head(&self.connection, app)?;
        self.heads.insert(app, head);
        Ok(head)
    }
}

/// The last row of an app, or zeros.
pub(super) fn head(connection: &Connection, app: AppId) -> Result<Head, Failure> {
    let found: Option<(i64, i64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT position, at, events FROM changes WHERE app = ?1 ORDER BY position DESC LIMIT 1",
        )?
        .query_row([app.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((position, at, events)) = found else { return Ok(Head::default()) };
    let check = codec::row_check(&codec::look(&events)?)?;
    Ok(Head { row: position.cast_unsigned(), check, at: at.cast_unsigned() })
}

/// Every app that the file knows.
pub(super) fn apps(connection: &Connection) -> Result<Vec<AppId>, Failure> {
    let mut statement = connection.prepare_cached("SELECT app FROM apps ORDER BY app")?;
    let apps = statement.query_map([], |row| row.get::<_, i64>(0))?;
    Ok(apps.map(|app| app.map(|app| AppId(app.cast_unsigned()))).collect::<Result<_, _>>()?)
}

//! The writing side of the tables: turns publishes into rows, many in one transaction.

use std::collections::BTreeMap;

use deskbell_core::event::Draft;
use deskbell_core::ids::{AppId, EventId, Principal};
use deskbell_core::limits::{self, Millis};
use deskbell_core::log::Once;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::Slice;

use super::codec;
use super::database::Database;
use super::failure::Failure;
use super::postgres::append::{Appended, Pending};
use super::postgres::{self, attend, lock};
use super::sqlite::save;
use super::submission::Publish;

/// The connection that alone writes `changes` and what hangs on it, with what it knows by heart.
pub(super) struct Tables {
    pub(super) db: Database,
    /// The last row of every app. Nobody else writes, so it stays true.
    pub(super) heads: BTreeMap<AppId, Head>,
    /// How far the index of every app is, in the same way.
    pub(super) marks: BTreeMap<AppId, u64>,
    /// What a batch for a shared database has gathered.
    pending: Pending,
    /// The shared database's time at the begin of the batch.
    now: Option<Millis>,
    /// The name under which this process tells the others of its commits.
    pub(super) process: String,
}

/// What a transaction is for.
pub(super) struct Scope<'a> {
    /// The apps whose rows it writes; none named means all.
    pub(super) apps: Option<&'a [AppId]>,
    /// A value that no other batch has.
    pub(super) batch: [u8; 16],
}

impl Scope<'_> {
    /// For every app, and for rows that can be written again.
    pub(super) const ALL: Self = Self { apps: None, batch: [0; 16] };
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
    pub(super) fn new(db: Database) -> Self {
        let (pending, now, process) = (Pending::default(), None, String::new());
        Self { db, heads: BTreeMap::new(), marks: BTreeMap::new(), pending, now, process }
    }

    /// Runs `work` as one transaction: all of it is on the disk afterwards, or nothing.
    pub(super) fn transact<T>(
        &mut self,
        scope: &Scope<'_>,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = self.begin(scope).and_then(|()| work(self));
        let done = done.and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            // What was known by heart may be what never happened.
            self.heads.clear();
            self.marks.clear();
            self.db.undo();
        }
        done
    }

    fn begin(&mut self, scope: &Scope<'_>) -> Result<(), Failure> {
        let Database::Postgres(session) = &self.db else { return self.db.begin() };
        let locked = lock::begin(session, scope.apps)?;
        // Of the others nobody knows whether it is still true.
        self.heads.clear();
        self.heads.extend(locked.heads);
        self.now = Some(locked.now);
        self.pending.begin(scope.batch);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let Database::Postgres(session) = &self.db else { return self.db.commit() };
        self.pending.flush(session, &self.process)?;
        match (session.commit(), self.pending.last()) {
            // Nobody knows whether it happened, and nothing may be decided twice.
            (Err(Failure::Unreachable(why)), Some((app, row))) => {
                if lock::has_happened(session, app, row, self.pending.batch)? {
                    return Ok(());
                }
                Err(Failure::Unreachable(why))
            }
            (done, _) => done,
        }
    }

    /// The time of the batch: the shared database's, where there is one.
    pub(super) fn time(&self, here: Millis) -> Millis {
        self.now.unwrap_or(here)
    }

    /// Is somebody connected to another process of a shared database?
    pub(super) fn is_elsewhere(&self, app: AppId, principal: &Principal) -> Result<bool, Failure> {
        match &self.db {
            Database::Sqlite(_) => Ok(false),
            Database::Postgres(session) => attend::is_elsewhere(session, &self.process, app, principal),
        }
    }

    /// Asks for all keys of a batch at once.
    pub(super) fn foresee(&mut self, keys: &[(AppId, u128)]) -> Result<(), Failure> {
        match &self.db {
            Database::Sqlite(_) => Ok(()),
            Database::Postgres(session) => self.pending.foresee(session, keys),
        }
    }

    /// Writes the difference between what the tables have and what was decided.
    pub(super) fn save(&self, app: AppId, slice: &Slice) -> Result<(), Failure> {
        let unsaved = slice.unsaved();
        match &self.db {
            Database::Sqlite(connection) => save::save(connection, app, unsaved),
            Database::Postgres(session) => {
                let alone = |id: &_| slice.resource(id).is_some_and(|resource| resource.capacity == 1);
                postgres::save::save(session, app, unsaved, alone)
            }
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
        let events = codec::encode(new.drafts);
        self.heads.insert(new.app, head);
        if self.db.shared().is_some() {
            let (reply, touched) = (new.reply.clone(), new.touched.clone());
            self.pending.push(Appended { app: new.app, head, once: new.once, reply, events, touched });
            return Ok(head);
        }
        let key_hash = new.once.map(|once| once.key.to_be_bytes());
        self.db.execute(
            "INSERT INTO changes (app, position, at, key_hash, reply, events, touched)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            &[
                new.app.into(),
                head.row.into(),
                at.into(),
                key_hash.as_ref().map(<[u8; 16]>::as_slice).into(),
                new.reply.as_deref().into(),
                events.as_slice().into(),
                new.touched.as_deref().into(),
            ],
        )?;
        if let Some(once) = new.once {
            self.remember(new.app, once, head)?;
        }
        Ok(head)
    }

    fn remember(&self, app: AppId, once: Once, head: Head) -> Result<(), Failure> {
        // An expired key that was not purged yet is replaced.
        let key = once.key.to_be_bytes();
        self.db.execute(
            "INSERT INTO keys (app, key_hash, body_hash, position, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (app, key_hash) DO UPDATE SET body_hash = excluded.body_hash,
                 position = excluded.position, at = excluded.at",
            &[app.into(), (&key).into(), once.body.into(), head.row.into(), head.at.into()],
        )?;
        Ok(())
    }

    /// Was this taken before?
    pub(super) fn earlier(&self, app: AppId, once: Once, now: Millis) -> Result<Option<Earlier>, Failure> {
        let key = once.key.to_be_bytes();
        let found = match self.pending.key(app, once.key) {
            Some(known) => known,
            None => self.db.first(
                "SELECT body_hash, position, at FROM keys WHERE app = ?1 AND key_hash = ?2",
                &[app.into(), (&key).into()],
                |row| Ok((row.unsigned(0)?, row.unsigned(1)?, row.unsigned(2)?)),
            )?,
        };
        let Some((body, position, at)) = found else { return Ok(None) };
        if at.saturating_add(limits::IDEMPOTENCY) <= now {
            return Ok(None);
        }
        Ok(Some(if body == once.body { Earlier::Row(position) } else { Earlier::Other }))
    }

    /// What a publish was answered with.
    fn repeated(&self, app: AppId, row: u64) -> Result<Outcome, Failure> {
        if let Some(pending) = self.pending.row(app, row) {
            let seen = codec::look(&pending.events)?;
            let ids = seen.iter().map(codec::Seen::id).collect::<Result<_, _>>()?;
            return Ok(Outcome::Repeated { row, check: pending.head.check, ids });
        }
        let question = "SELECT events FROM changes WHERE app = ?1 AND position = ?2";
        let found = self.db.first(question, &[app.into(), row.into()], |found| {
            let seen = codec::look(found.bytes(0)?)?;
            let ids = seen.iter().map(codec::Seen::id).collect::<Result<_, _>>()?;
            Ok(Outcome::Repeated { row, check: codec::row_check(&seen)?, ids })
        })?;
        found.ok_or_else(|| missing(app, row))
    }

    /// What a command was answered with, and its row's check value.
    pub(super) fn reply(&self, app: AppId, row: u64) -> Result<(Option<Vec<u8>>, u32), Failure> {
        if let Some(pending) = self.pending.row(app, row) {
            return Ok((pending.reply.clone(), pending.head.check));
        }
        let question = "SELECT reply, events FROM changes WHERE app = ?1 AND position = ?2";
        let found = self.db.first(question, &[app.into(), row.into()], |row| {
            let reply = row.maybe_bytes(0)?.map(<[u8]>::to_vec);
            Ok((reply, codec::row_check(&codec::look(row.bytes(1)?)?)?))
        })?;
        found.ok_or_else(|| missing(app, row))
    }

    /// The last row of an app.
    pub(super) fn head(&mut self, app: AppId) -> Result<Head, Failure> {
        if let Some(head) = self.heads.get(&app) {
            return Ok(*head);
        }
        self.db.execute("INSERT INTO apps (app) VALUES (?1) ON CONFLICT (app) DO NOTHING", &[app.into()])?;
        let head = head(&self.db, app)?;
        self.heads.insert(app, head);
        Ok(head)
    }
}

fn missing(app: AppId, row: u64) -> Failure {
    Failure::Damaged(format!("row {row} of app {app} is missing"))
}

/// The last row of an app, or zeros.
pub(super) fn head(db: &Database, app: AppId) -> Result<Head, Failure> {
    let found = db.first(
        "SELECT position, at, events FROM changes WHERE app = ?1 ORDER BY position DESC LIMIT 1",
        &[app.into()],
        |row| {
            let check = codec::row_check(&codec::look(row.bytes(2)?)?)?;
            Ok(Head { row: row.unsigned(0)?, check, at: row.unsigned(1)? })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// Every app that the store knows.
pub(super) fn apps(db: &Database) -> Result<Vec<AppId>, Failure> {
    db.all("SELECT app FROM apps ORDER BY app", &[], |row| Ok(AppId(row.unsigned(0)?)))
}

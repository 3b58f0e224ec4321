//! Looks whether the data file still says one thing everywhere, for `deskbell doctor`.

use std::collections::HashMap;
use std::path::Path;

use deskbell_core::class::is_ledger_fed;
use deskbell_core::position::ledger;

use super::Shared;
use super::audit;
use super::codec::{self, Seen};
use super::database::{Database, Next};
use super::failure::Failure;
use super::files::Paths;
use super::post;
use super::postgres::{self, session::Session};
use super::sqlite::schema::{self, Place};
use super::tenants;

/// Problems that are told one by one; more of them say nothing more.
const TOLD: usize = 50;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Rows of `changes`.
    pub rows: u64,
    /// Events in them.
    pub events: u64,
    /// Reservations, in whatever state.
    pub reservations: u64,
    /// What does not fit together, one sentence each.
    pub problems: Vec<String>,
    /// What is unusual and may be so: claims beyond a capacity, and why.
    pub notes: Vec<String>,
}

impl Verdict {
    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.notes.len() < TOLD {
            self.notes.push(text());
        }
    }

    pub(super) fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < TOLD {
            self.problems.push(text());
        }
    }
}

/// Checks the file of a data directory, also while a server works on it.
pub fn inspect(data: &Path) -> Result<Verdict, Failure> {
    let file = Paths::new(data).database;
    if !file.exists() {
        return Err(Failure::Missing(file));
    }
    verify(&Database::Sqlite(schema::connect_current(&Place { file, disk: None })?))
}

/// Checks a shared database, also while servers work on it.
pub fn inspect_shared(shared: &Shared) -> Result<Verdict, Failure> {
    let session = Session::new(&postgres::session::Place::parse(&shared.0)?)?;
    postgres::schema::check(&session)?;
    verify(&Database::Postgres(Box::new(session)))
}

/// Checks the file from one moment of it.
pub(super) fn verify(db: &Database) -> Result<Verdict, Failure> {
    db.at_once(verify_within)
}

/// Checks within a transaction that somebody else began.
pub(super) fn verify_within(db: &Database) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    if db.file().is_some() {
        integrity(db, &mut verdict)?;
    }
    let apps = db.all("SELECT app, floor, indexed FROM apps ORDER BY app", &[], |row| {
        Ok((row.int(0)?, row.int(1)?, row.int(2)?))
    })?;
    for (app, floor, indexed) in apps {
        verify_app(db, app, floor, indexed, &mut verdict)?;
        audit::audit(db, app, &mut verdict)?;
        post::audit::audit(db, app, &mut verdict)?;
    }
    tenants::verify(db, &mut verdict)?;
    stray(db, &mut verdict)?;
    Ok(verdict)
}

fn integrity(db: &Database, verdict: &mut Verdict) -> Result<(), Failure> {
    db.each("PRAGMA integrity_check(20)", &[], |row| {
        let line = row.text(0)?;
        if line != "ok" {
            verdict.problem(|| format!("the file's structure is damaged: {line}"));
        }
        Ok(Next::Go)
    })
}

/// What is counted over one app, to be compared with its index tables.
#[derive(Default)]
struct Counted {
    channels: HashMap<String, Option<i64>>,
    events: u64,
    newest: u64,
}

/// Channel ids that are kept at hand, so that this does not grow with the file.
const CHANNELS: usize = 100_000;

impl Counted {
    fn channel(&mut self, db: &Database, app: i64, name: &str) -> Result<Option<i64>, Failure> {
        if let Some(channel) = self.channels.get(name) {
            return Ok(*channel);
        }
        let question = "SELECT id FROM channels WHERE app = ?1 AND name = ?2";
        let channel = db.first(question, &[app.into(), name.into()], |row| row.int(0))?;
        if self.channels.len() >= CHANNELS {
            self.channels.clear();
        }
        self.channels.insert(name.to_owned(), channel);
        Ok(channel)
    }
}

/// Rows up to `indexed` stand in the index, and no others.
fn verify_app(
    db: &Database,
    app: i64,
    floor: i64,
    indexed: i64,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let mut counted = Counted::default();
    let (mut last, mut time) = (floor, 0);
    let question = "SELECT position, events, at FROM changes WHERE app = ?1 AND position > ?2
         ORDER BY position LIMIT ?3";
    db.each_of_many(question, app, |row| {
        let (position, events, at) = (row.int(0)?, row.bytes(1)?, row.int(2)?);
        if at < time {
            verdict.problem(|| format!("app {app}: row {position} is older than the one before it"));
        }
        time = at;
        if position != last + 1 {
            verdict.problem(|| format!("app {app}: row {position} follows row {last}; rows are missing"));
        }
        last = position;
        verdict.rows += 1;
        let Ok(seen) = codec::look(events) else {
            verdict.problem(|| format!("app {app}: row {position} has no readable events"));
            return Ok(());
        };
        if position > indexed {
            verdict.events += seen.len() as u64;
            return Ok(());
        }
        for (place, event) in seen.iter().enumerate() {
            let coordinate = ledger::event(position.cast_unsigned(), place).cast_signed();
            if let Some(problem) = verify_event(db, app, coordinate, event, &mut counted)? {
                verdict.problem(|| format!("app {app}: event {place} of row {position} {problem}"));
            }
        }
        Ok(())
    })?;
    verdict.events += counted.events;
    if indexed < floor || indexed > last {
        verdict.problem(|| {
            format!(
                "app {app}: the index is complete up to row {indexed}, but there are rows {floor} to {last}"
            )
        });
    }
    for (table, expected) in [("feed", counted.events), ("latest", counted.newest)] {
        let found = db.number(&format!("SELECT count(*) FROM {table} WHERE app = ?1"), &[app.into()])?;
        if found.cast_unsigned() != expected {
            verdict.problem(|| format!("app {app}: `{table}` has {found} rows where {expected} belong"));
        }
    }
    Ok(())
}

/// Looks for one event in the index tables. Says what is wrong with it.
fn verify_event(
    db: &Database,
    app: i64,
    coordinate: i64,
    event: &Seen<'_>,
    counted: &mut Counted,
) -> Result<Option<&'static str>, Failure> {
    counted.events += 1;
    let channel = counted.channel(db, app, event.channel)?;
    let Some(channel) = channel else { return Ok(Some("is on a channel that has no row")) };
    let listed = db.exists(
        "SELECT 1 FROM feed WHERE app = ?1 AND channel = ?2 AND coordinate = ?3",
        &[app.into(), channel.into(), coordinate.into()],
    )?;
    if is_ledger_fed(event.channel) {
        return Ok((!listed).then_some("is missing in its channel's `feed`"));
    }
    let newest = db.first(
        "SELECT coordinate FROM latest WHERE app = ?1 AND channel = ?2 AND key = ?3",
        &[app.into(), channel.into(), event.key_or_name().into()],
        |row| row.int(0),
    )?;
    counted.newest += u64::from(newest == Some(coordinate));
    Ok(match newest {
        _ if !listed => Some("is missing in its channel's `feed`"),
        None => Some("is missing in `latest`"),
        Some(newest) if newest < coordinate => Some("is newer than the newest one in `latest`"),
        Some(_) => None,
    })
}

/// Rows that hang on nothing.
fn stray(db: &Database, verdict: &mut Verdict) -> Result<(), Failure> {
    let questions = [
        (
            "rows of `changes` have no app",
            "SELECT count(*) FROM changes WHERE app NOT IN (SELECT app FROM apps)",
        ),
        (
            "idempotency keys point to a row that is not theirs",
            "SELECT count(*) FROM keys LEFT JOIN changes USING (app, position)
             WHERE changes.key_hash IS NULL OR changes.key_hash <> keys.key_hash",
        ),
        (
            "channels have no event",
            "SELECT count(*) FROM channels WHERE NOT EXISTS
             (SELECT 1 FROM feed WHERE feed.app = channels.app AND feed.channel = channels.id)",
        ),
    ];
    for (what, question) in questions {
        let found = db.number(question, &[])?;
        if found > 0 {
            verdict.problem(|| format!("{found} {what}"));
        }
    }
    Ok(())
}

//! Looks whether the data file still says one thing everywhere, for `deskbell doctor`.

use std::collections::HashMap;
use std::path::Path;

use deskbell_core::class::is_ledger_fed;
use deskbell_core::position::ledger;
use rusqlite::{Connection, OptionalExtension as _};

use super::audit;
use super::codec::{self, Seen};
use super::failure::Failure;
use super::files::Paths;
use super::post;
use super::schema::{self, Place};

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
    verify(&mut schema::connect_current(&Place { file, disk: None })?)
}

/// Checks the file from one moment of it.
pub(super) fn verify(connection: &mut Connection) -> Result<Verdict, Failure> {
    let transaction = connection.transaction()?;
    let mut verdict = Verdict::default();
    integrity(&transaction, &mut verdict)?;
    let apps: Vec<(i64, i64, i64)> = transaction
        .prepare("SELECT app, floor, indexed FROM apps ORDER BY app")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (app, floor, indexed) in apps {
        verify_app(&transaction, app, floor, indexed, &mut verdict)?;
        audit::audit(&transaction, app, &mut verdict)?;
        post::audit::audit(&transaction, app, &mut verdict)?;
    }
    stray(&transaction, &mut verdict)?;
    Ok(verdict)
}

fn integrity(connection: &Connection, verdict: &mut Verdict) -> Result<(), Failure> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            verdict.problem(|| format!("the file's structure is damaged: {line}"));
        }
    }
    Ok(())
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
    fn channel(&mut self, connection: &Connection, app: i64, name: &str) -> Result<Option<i64>, Failure> {
        if let Some(channel) = self.channels.get(name) {
            return Ok(*channel);
        }
        let channel = connection
            .prepare_cached("SELECT id FROM channels WHERE app = ?1 AND name = ?2")?
            .query_row((app, name), |row| row.get(0))
            .optional()?;
        if self.channels.len() >= CHANNELS {
            self.channels.clear();
        }
        self.channels.insert(name.to_owned(), channel);
        Ok(channel)
    }
}

/// Rows up to `indexed` stand in the index, and no others.
fn verify_app(
    connection: &Connection,
    app: i64,
    floor: i64,
    indexed: i64,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let mut counted = Counted::default();
    let (mut last, mut time) = (floor, 0);
    let mut statement =
        connection.prepare("SELECT position, events, at FROM changes WHERE app = ?1 ORDER BY position")?;
    let mut rows = statement.query([app])?;
    while let Some(row) = rows.next()? {
        let (position, events, at): (i64, Vec<u8>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if at < time {
            verdict.problem(|| format!("app {app}: row {position} is older than the one before it"));
        }
        time = at;
        if position != last + 1 {
            verdict.problem(|| format!("app {app}: row {position} follows row {last}; rows are missing"));
        }
        last = position;
        verdict.rows += 1;
        let Ok(seen) = codec::look(&events) else {
            verdict.problem(|| format!("app {app}: row {position} has no readable events"));
            continue;
        };
        if position > indexed {
            verdict.events += seen.len() as u64;
            continue;
        }
        for (place, event) in seen.iter().enumerate() {
            let coordinate = ledger::event(position.cast_unsigned(), place).cast_signed();
            if let Some(problem) = verify_event(connection, app, coordinate, event, &mut counted)? {
                verdict.problem(|| format!("app {app}: event {place} of row {position} {problem}"));
            }
        }
    }
    verdict.events += counted.events;
    if indexed < floor || indexed > last {
        verdict.problem(|| {
            format!(
                "app {app}: the index is complete up to row {indexed}, but there are rows {floor} to {last}"
            )
        });
    }
    for (table, expected) in [("feed", counted.events), ("latest", counted.newest)] {
        let found: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {table} WHERE app = ?1"), [app], |row| {
                row.get(0)
            })?;
        if found.cast_unsigned() != expected {
            verdict.problem(|| format!("app {app}: `{table}` has {found} rows where {expected} belong"));
        }
    }
    Ok(())
}

/// Looks for one event in the index tables. Says what is wrong with it.
fn verify_event(
    connection: &Connection,
    app: i64,
    coordinate: i64,
    event: &Seen<'_>,
    counted: &mut Counted,
) -> Result<Option<&'static str>, Failure> {
    counted.events += 1;
    let channel = counted.channel(connection, app, event.channel)?;
    let Some(channel) = channel else { return Ok(Some("is on a channel that has no row")) };
    let listed = connection
        .prepare_cached("SELECT 1 FROM feed WHERE app = ?1 AND channel = ?2 AND coordinate = ?3")?
        .exists((app, channel, coordinate))?;
    if is_ledger_fed(event.channel) {
        return Ok((!listed).then_some("is missing in its channel's `feed`"));
    }
    let newest: Option<i64> = connection
        .prepare_cached("SELECT coordinate FROM latest WHERE app = ?1 AND channel = ?2 AND key = ?3")?
        .query_row((app, channel, event.key_or_name()), |row| row.get(0))
        .optional()?;
    counted.newest += u64::from(newest == Some(coordinate));
    Ok(match newest {
        _ if !listed => Some("is missing in its channel's `feed`"),
        None => Some("is missing in `latest`"),
        Some(newest) if newest < coordinate => Some("is newer than the newest one in `latest`"),
        Some(_) => None,
    })
}

/// Rows that hang on nothing.
fn stray(connection: &Connection, verdict: &mut Verdict) -> Result<(), Failure> {
    let questions = [
        (
            "rows of `changes` have no app",
            "SELECT count(*) FROM changes WHERE app NOT IN (SELECT app FROM apps)",
        ),
        (
            "idempotency keys point to a row that is not theirs",
            "SELECT count(*) FROM keys LEFT JOIN changes USING (app, position) WHERE changes.key_hash IS NOT keys.key_hash",
        ),
        (
            "channels have no event",
            "SELECT count(*) FROM channels WHERE NOT EXISTS
             (SELECT 1 FROM feed WHERE feed.app = channels.app AND feed.channel = channels.id)",
        ),
    ];
    for (what, question) in questions {
        let found: i64 = connection.query_row(question, [], |row| row.get(0))?;
        if found > 0 {
            verdict.problem(|| format!("{found} {what}"));
        }
    }
    Ok(())
}

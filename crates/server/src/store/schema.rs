//! Connections to the data file, and the way from an older file to this program's schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::Failure;

/// Every step forward, with the version that the file has after it.
const MIGRATIONS: [(i64, &str); 2] =
    [(1, include_str!("schema/0001.sql")), (2, include_str!("schema/0002.sql"))];

/// The version that this program reads and writes.
const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// How long one connection waits for another one's write. Only the writer, and at start and stop
/// the control connection, write at all, so reaching this means that something hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that one connection keeps prepared; the writer's has the most, about fifty.
const STATEMENTS: usize = 96;

/// Where the database stands: a file, on the system's own disk or on one that SQLite knows by name.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) disk: Option<String>,
}

/// Opens a connection that acknowledges a commit only when the disk has it.
pub(super) fn connect(place: &Place) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = &place.file;
    let connection = match place.disk.as_deref() {
        None => Connection::open_with_flags(file, flags)?,
        Some(disk) => Connection::open_with_flags_and_vfs(file, flags, disk)?,
    };
    connection.busy_timeout(PATIENCE)?;
    // First of all, so that another program's file is not changed by as much as a byte.
    check(&connection, file)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Checkpoints have a thread of their own, so no commit pays for one. `fullfsync` matters only
    // on macOS, where a plain fsync does not reach the disk.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// Opens a connection that can only read, to a file that is of this program's version already.
pub(super) fn connect_current(place: &Place) -> Result<Connection, Failure> {
    let connection = connect_reader(place)?;
    match version(&connection)? {
        found if found < KNOWN => Err(Failure::Older { file: place.file.clone(), found }),
        _ => Ok(connection),
    }
}

/// Opens a connection that can only read.
pub(super) fn connect_reader(place: &Place) -> Result<Connection, Failure> {
    let connection = connect(place)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The version of the file.
fn version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Refuses a file that this program must not touch.
fn check(connection: &Connection, file: &Path) -> Result<i64, Failure> {
    let found = match version(connection) {
        Err(Failure::Database(error)) if is_no_database(&error) => {
            return Err(Failure::Foreign(file.to_owned()));
        }
        found => found?,
    };
    if found > KNOWN {
        return Err(Failure::Newer { file: file.to_owned(), found, known: KNOWN });
    }
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found <= 0 && tables > 0 {
        return Err(Failure::Foreign(file.to_owned()));
    }
    Ok(found)
}

fn is_no_database(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase)
}

/// Brings the file to this program's schema. Each step is one transaction with its version, so a
/// crash between two steps leaves a file that the next start goes on from.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), Failure> {
    let found = check(connection, file)?;
    for (version, step) in MIGRATIONS.into_iter().filter(|(version, _)| *version > found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

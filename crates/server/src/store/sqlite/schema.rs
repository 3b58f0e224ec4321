//! Connections to the data file, and the way from an older file to this program's schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::halt::checkpoint;
use crate::store::failure::Failure;

/// Every step forward, with the version that the file has after it.
const MIGRATIONS: [(i64, &str); 8] = [
    (1, include_str!("schema/0001.sql")),
    (2, include_str!("schema/0002.sql")),
    (3, include_str!("schema/0003.sql")),
    (4, include_str!("schema/0004.sql")),
    (5, include_str!("schema/0005.sql")),
    (6, include_str!("schema/0006.sql")),
    (7, include_str!("schema/0007.sql")),
    (8, include_str!("schema/0008.sql")),
];

/// The version that this program reads and writes.
const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// How long one connection waits for another one's write. Only the writer, and at start and stop
/// the control connection, write at all, so reaching this means that something hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that one connection keeps prepared; the writer's has the most, about seventy.
const STATEMENTS: usize = 96;

/// Where the database stands: a file, on the system's own disk or on one that SQLite knows by name.
#[derive(Debug, Clone)]
pub(in crate::store) struct Place {
    pub(in crate::store) file: PathBuf,
    pub(in crate::store) disk: Option<String>,
}

/// Opens a connection that acknowledges a commit only when the disk has it.
pub(in crate::store) fn connect(place: &Place) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = &place.file;
    let connection = match place.disk.as_deref() {
        None => Connection::open_with_flags(file, flags)?,
        Some(disk) => Connection::open_with_flags_and_vfs(file, flags, disk)?,
    };
    connection.busy_timeout(PATIENCE)?;
    // The last connection would copy what the side file has, also after a checkpoint that failed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // First of all, so that another program's file is not changed by as much as a byte.
    check(&connection, file)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Checkpoints have a thread of their own, so no commit pays for one. `fullfsync` matters only
    // on macOS, where a plain fsync does not reach the disk. `EXTRA` is `FULL` for a write-ahead log;
    // its more is for the journal of the change to one, which ought to be deleted for good: where it
    // came back after a loss of power, it would roll the file back to nothing.
    connection.execute_batch(
        "PRAGMA synchronous = EXTRA; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
    )?;
    log_ahead(&connection, file)?;
    Ok(connection)
}

/// Opens a connection that can only read, to a file that is of this program's version already.
pub(in crate::store) fn connect_current(place: &Place) -> Result<Connection, Failure> {
    let connection = connect_reader(place)?;
    match version(&connection)? {
        found if found < KNOWN => Err(Failure::Older { file: place.file.clone(), found }),
        _ => Ok(connection),
    }
}

/// Changes to a write-ahead log. SQLite answers before it has written the change, so the statement
/// is run to its end, where a failure of the disk is told.
fn log_ahead(connection: &Connection, file: &Path) -> Result<(), Failure> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let modes = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    if modes == ["wal"] { Ok(()) } else { Err(Failure::NoLog(file.to_owned())) }
}

/// Lets the connection copy what the side file has, and delete it, if it is the last to be closed.
pub(in crate::store) fn copy_at_the_end(connection: &Connection) -> Result<(), Failure> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Opens a connection that can only read.
pub(in crate::store) fn connect_reader(place: &Place) -> Result<Connection, Failure> {
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
pub(in crate::store) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), Failure> {
    let found = check(connection, file)?;
    for (version, step) in MIGRATIONS.into_iter().filter(|(version, _)| *version > found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Makes safe whatever this start finds.
///
/// A killed process may have written a commit and not synced it, or not with success. It is found
/// all the same, and who asks again would be told that it is there; then the power goes, and it is
/// not. So everything is copied into the data file and the side file starts anew, and a first write
/// into it is synced, before anybody is answered.
///
/// An error of the disk here needs no halt: nothing runs yet, and this process ends.
pub(in crate::store) fn secure(connection: &Connection, file: &Path) -> Result<(), Failure> {
    let (pages, _) = checkpoint(connection, "TRUNCATE")?;
    if pages < 0 {
        // The last word on it: the answer to the change is given before it is done.
        return Err(Failure::NoLog(file.to_owned()));
    }
    // Written even where it says the same, as no `UPDATE` surely is. Its sync makes it safe that
    // the side file was cut, and, where another program's reading kept it, all that is in it.
    connection.pragma_update(None, "user_version", KNOWN)?;
    Ok(())
}

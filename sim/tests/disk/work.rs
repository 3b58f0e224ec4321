//! A small program that writes as the store does: group commits by one connection, checkpoints by
//! a second, and a reader that stands in their way. And the judge of what is left of its work.

use std::collections::BTreeMap;

use deskbell_sim::disk::{Disk, Loss, Plan};
use rusqlite::{Connection, OpenFlags, Result};

/// Transactions of one run.
pub const TRANSACTIONS: i64 = 9;

/// When SQLite waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    Full,
    Normal,
    Never,
}

/// What the program knows when it ends or is ended.
#[derive(Debug, Default)]
pub struct Known {
    /// Transactions whose commit succeeded.
    pub acknowledged: Vec<i64>,
    /// Transactions whose commit failed: they may be there or not, but not in part.
    pub failed: Vec<i64>,
    /// Faults that the program was told of.
    pub errors: Vec<rusqlite::Error>,
}

pub fn connect(disk: &Disk, waits: Waits) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs("/data/work.db", flags, disk.name())?;
    let level = match waits {
        Waits::Full => "FULL",
        Waits::Normal => "NORMAL",
        Waits::Never => "OFF",
    };
    // Few pages in memory, so that a large transaction writes before it commits.
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {level}; PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = 12; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 20000;"
    ))?;
    Ok(connection)
}

/// Runs to the end, or to the crash. Other faults are noted, and the work goes on.
pub fn work(disk: &Disk, waits: Waits) -> Known {
    let mut known = Known::default();
    if let Err(error) = begin_and_work(disk, waits, &mut known) {
        known.errors.push(error);
    }
    known
}

fn begin_and_work(disk: &Disk, waits: Waits, known: &mut Known) -> Result<()> {
    let mut writer = connect(disk, waits)?;
    writer.execute_batch(
        "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, work INTEGER, body BLOB);
         CREATE INDEX IF NOT EXISTS by_work ON rows (work);
         CREATE TABLE IF NOT EXISTS sums (work INTEGER PRIMARY KEY, count INTEGER);",
    )?;
    let copier = connect(disk, waits)?;
    let reader = connect(disk, waits)?;
    for number in 1..=TRANSACTIONS {
        match commit(&mut writer, number) {
            Ok(()) => known.acknowledged.push(number),
            Err(error) => {
                known.failed.push(number);
                known.errors.push(error);
                if disk.crashed() {
                    return Ok(());
                }
            }
        }
        if let Err(error) = meanwhile(&copier, &reader, number) {
            let sync_failed = is_failed_sync(&error);
            known.errors.push(error);
            if sync_failed {
                // As one should: see `only_a_restart_is_safe_after_a_failed_sync_of_a_checkpoint`.
                disk.crash();
                return Ok(());
            }
        }
    }
    Ok(())
}

pub fn is_failed_sync(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC)
}

/// One transaction of a few rows, some of them over several pages.
pub fn commit(writer: &mut Connection, number: i64) -> Result<()> {
    let transaction = writer.transaction()?;
    let count = 1 + number % 3;
    for row in 0..count {
        let body = vec![number as u8; 200 + (number * 997 + row * 4_001) as usize % 9_000];
        transaction.execute("INSERT INTO rows VALUES (?1, ?2, ?3)", (number * 10 + row, number, body))?;
    }
    if number % 4 == 0 {
        // Touches old pages, and frees some.
        transaction.execute("UPDATE rows SET body = x'00' WHERE work = ?1", [number - 2])?;
    }
    transaction.execute("INSERT INTO sums VALUES (?1, ?2)", (number, count))?;
    transaction.commit()
}

/// What other connections do between two transactions.
fn meanwhile(copier: &Connection, reader: &Connection, number: i64) -> Result<()> {
    match number {
        2 => {
            reader.execute_batch("BEGIN; SELECT count(*) FROM rows;")?;
            checkpoint(copier, "PASSIVE")
        }
        4 => {
            checkpoint(copier, "PASSIVE")?;
            reader.execute_batch("COMMIT")
        }
        5 => checkpoint(copier, "PASSIVE"),
        7 => checkpoint(copier, "TRUNCATE"),
        _ => Ok(()),
    }
}

pub fn checkpoint(copier: &Connection, how: &str) -> Result<()> {
    copier.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))
}

/// Opens what is left and compares it with what the program knew.
pub fn judge(disk: &Disk, waits: Waits, known: &Known) -> std::result::Result<(), String> {
    let connection = connect(disk, waits).map_err(|error| format!("cannot be opened: {error}"))?;
    let damage = |error| format!("cannot be read: {error}");
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(damage)?;
    if sound != "ok" {
        return Err(format!("the file is damaged: {sound}"));
    }
    let found = found(&connection).map_err(damage)?;
    for number in &known.acknowledged {
        if !found.contains_key(number) {
            return Err(format!("transaction {number} was acknowledged and is lost"));
        }
    }
    for (number, whole) in &found {
        if !whole {
            return Err(format!("transaction {number} is there in part"));
        }
        if !known.acknowledged.contains(number) && !known.failed.contains(number) {
            return Err(format!("transaction {number} was never tried"));
        }
    }
    Ok(())
}

/// Every transaction that left a trace, and whether all of it is there.
fn found(connection: &Connection) -> Result<BTreeMap<i64, bool>> {
    let tables: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('rows', 'sums')",
        [],
        |row| row.get(0),
    )?;
    if tables < 2 {
        // The crash came before the tables.
        return Ok(BTreeMap::new());
    }
    let mut statement = connection.prepare(
        "SELECT work, max(rows), max(count) FROM (
             SELECT work, count(*) AS rows, -1 AS count FROM rows GROUP BY work
             UNION ALL SELECT work, -1, count FROM sums
         ) GROUP BY work",
    )?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)))?;
    rows.collect()
}

/// Crashes the machine once more while it comes up again, then lets it come up.
pub fn crash_again(disk: &Disk, waits: Waits, after: u64, loss: Loss) {
    disk.plan(Plan::crash_at(disk.operations() + after));
    // Whatever becomes of this, the next start must find everything.
    let _ = connect(disk, waits).and_then(|connection| {
        checkpoint(&connection, "TRUNCATE")?;
        Ok(())
    });
    disk.reboot(loss);
}

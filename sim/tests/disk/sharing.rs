//! Several connections, several threads, and several disks.

use deskbell_sim::disk::{Disk, Loss, Plan};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::work::{Waits, connect};

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("the table is there")
}

fn is_busy(result: rusqlite::Result<()>) -> bool {
    result.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}

#[test]
fn one_writes_while_others_read_their_moment() {
    let disk = Disk::new(1);
    let [writer, other, reader] = [(); 3].map(|()| connect(&disk, Waits::Full).unwrap());
    writer.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 1);
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)").unwrap();
    assert!(is_busy(other.execute_batch("BEGIN IMMEDIATE")));
    writer.execute_batch("COMMIT").unwrap();
    other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
    assert_eq!((count(&reader), count(&other)), (1, 2));
    let held: i64 = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(held, 1, "the reader keeps the side file");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader), 2);
}

#[test]
fn without_a_side_file_the_levels_of_the_file_itself_hold() {
    let disk = Disk::new(2);
    let [writer, reader] = [(); 2].map(|()| connect(&disk, Waits::Full).unwrap());
    writer.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(reader);
    writer.pragma_update(None, "journal_mode", "DELETE").unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags_and_vfs("/data/work.db", flags, disk.name()).unwrap();
    reader.busy_timeout(std::time::Duration::ZERO).unwrap();
    writer.busy_timeout(std::time::Duration::ZERO).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 0);
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    assert!(is_busy(writer.execute_batch("COMMIT")), "somebody reads");
    reader.execute_batch("COMMIT").unwrap();
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader), 1);
}

/// SQLite gives up a lock that others change under it after some sleeps, which take no time here.
fn insist(mut act: impl FnMut() -> rusqlite::Result<()>) {
    let gave_up = |error: &rusqlite::Error| {
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::FileLockingProtocolFailed)
    };
    while let Err(error) = act() {
        assert!(gave_up(&error), "{error}");
    }
}

#[test]
fn threads_that_write_at_once_lose_nothing() {
    let disk = Disk::new(3);
    connect(&disk, Waits::Full).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let connection = connect(&disk, Waits::Full).unwrap();
            scope.spawn(move || {
                connection.busy_handler(Some(|_| true)).unwrap();
                for number in 0..50 {
                    let row = thread * 100 + number;
                    insist(|| connection.execute("INSERT INTO t VALUES (?1)", [row]).map(drop));
                    if number % 10 == thread {
                        insist(|| connection.query_row("PRAGMA wal_checkpoint", [], |_| Ok(())));
                    }
                }
            });
        }
    });
    disk.reboot(Loss::Power);
    assert_eq!(count(&connect(&disk, Waits::Full).unwrap()), 200);
}

#[test]
fn who_was_there_before_a_crash_can_do_nothing_after_it() {
    let disk = Disk::new(4);
    let [before, reader] = [(); 2].map(|()| connect(&disk, Waits::Full).unwrap());
    before.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (0)").unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 1);
    before.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    disk.plan(Plan::crash_at(disk.operations() + 1));
    assert!(connect(&disk, Waits::Full).is_ok(), "the next operation crashes, and this is none");
    assert!(before.execute_batch("COMMIT").is_err());
    assert!(disk.crashed() && connect(&disk, Waits::Full).is_err());
    for loss in [Loss::Kill, Loss::Power] {
        disk.reboot(loss);
        let after = connect(&disk, Waits::Full).unwrap();
        after.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)").unwrap();
        assert!(before.execute_batch("INSERT INTO t VALUES (3)").is_err());
        after.execute_batch("ROLLBACK; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert_eq!(count(&after), 1);
    }
    let after = connect(&disk, Waits::Full).unwrap();
    let files = disk.files();
    drop((before, reader));
    assert!(disk.files() == files, "closing an old connection changes nothing");
    assert_eq!(count(&after), 1);
}

/// The machine stops while one connection writes and another reads.
#[test]
fn locks_end_with_the_machine() {
    let disk = Disk::new(6);
    let [writer, reader] = [(); 2].map(|()| connect(&disk, Waits::Full).unwrap());
    writer.execute_batch("CREATE TABLE t (a)").unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 0);
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
    disk.reboot(Loss::Kill);
    let after = connect(&disk, Waits::Full).unwrap();
    after.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2); COMMIT").unwrap();
    let blocked: i64 = after.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!((blocked, count(&after)), (0, 1));
    assert!(writer.execute_batch("COMMIT").is_err());
    assert_eq!(count(&after), 1);
}

#[test]
fn disks_are_apart_and_go_with_their_owner() {
    let (one, two) = (Disk::new(5), Disk::new(5));
    assert_ne!(one.name(), two.name());
    connect(&one, Waits::Full).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(two.files().is_empty());
    let name = one.name().to_owned();
    let left = connect(&one, Waits::Full).unwrap();
    drop(one);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    assert!(Connection::open_with_flags_and_vfs("/data/work.db", flags, name.as_str()).is_err());
    assert_eq!(count(&left), 0, "an open file can still be read");
}

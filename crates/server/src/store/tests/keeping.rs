//! What is kept how long, what a clean stop hands on, and what a check finds.

use std::sync::OnceLock;

use deskbell_core::limits::{DAY, IDEMPOTENCY};
use deskbell_core::log::ResetReason;
use rusqlite::Connection;

use super::*;
use crate::store::expiry::Expiry;
use crate::store::index::CHUNK;
use crate::store::page::page;
use crate::store::sqlite::checkpoint::Checkpointer;
use crate::store::tables::Tables;
use crate::store::verify::verify;

/// Expires, and returns when nothing old is left.
fn expire(store: &Store, scratch: &Scratch, now: Millis) {
    let connection = Connection::open(scratch.data().join("deskbell.db")).unwrap();
    let old = "SELECT (SELECT count(*) FROM changes c WHERE at <= ?1 AND
                  EXISTS (SELECT 1 FROM changes d WHERE d.app = c.app AND d.position > c.position))
                  + (SELECT count(*) FROM keys WHERE at <= ?2)";
    store.expire(now);
    let bounds = ((now - DURABLE_AGE).cast_signed(), (now - IDEMPOTENCY).cast_signed());
    let left = || connection.query_row(old, bounds, |row| row.get::<_, i64>(0)).unwrap();
    // So many looks take many seconds; a pass takes milliseconds.
    assert!((0..100_000).any(|_| left() == 0), "{} old rows are left", left());
}

/// Returns when the index has come up to a row, as it does when nothing else is to be done.
fn indexed(scratch: &Scratch, row: i64) {
    let connection = Connection::open(scratch.data().join("deskbell.db")).unwrap();
    let mark = || connection.query_row("SELECT indexed FROM apps", [], |row| row.get::<_, i64>(0)).unwrap();
    // So many looks take many seconds; it takes milliseconds.
    assert!((0..100_000).any(|_| mark() == row), "the index ends at row {}", mark());
}

fn reason(store: &Store, on: &str, after: u64, latest: bool) -> Option<ResetReason> {
    read(store, reading(&[(on, after, latest)], u64::MAX >> 1)).resets.first().map(|reset| reset.1)
}

fn put_at(store: &Store, now: Millis, draft: Draft) {
    submit_and_wait(store, Publish { now, ..publish(vec![draft]) }).unwrap();
}

#[test]
fn old_rows_go_and_their_readers_are_told() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for n in 1..=500 {
        put_at(&store, NOW, draft(if n % 100 == 0 { "rare" } else { "busy" }, &n.to_string()));
    }
    put_at(&store, NOW, draft("silent", "501"));
    put_at(&store, NOW, keyed("values", "502", "k"));
    put_at(&store, NOW + DAY, draft("busy", "503"));
    put_at(&store, NOW + DAY, keyed("values", "504", "k"));
    expire(&store, &scratch, NOW + DURABLE_AGE);
    assert_sound(&store);
    assert_eq!(store.verify().unwrap().rows, 2);

    let busy = ledger::event(499, 0);
    assert_eq!(reason(&store, "busy", busy - 1, false), Some(ResetReason::Expired));
    assert_eq!(reason(&store, "busy", busy, false), None, "who has the last deleted one misses nothing");
    let gone = ledger::event(501, 0);
    assert_eq!(reason(&store, "silent", gone - 1, false), Some(ResetReason::Expired), "its row is gone");
    assert_eq!(reason(&store, "silent", gone, false), None);
    assert_eq!(reason(&store, "values", ledger::end(0), true), None, "a first reader is owed what is there");
    let values = read(&store, reading(&[("values", ledger::end(0), true)], u64::MAX >> 1));
    assert_eq!(ids(&values), ["504"]);

    // The channel whose row was deleted comes back, under the floor that it had.
    put_at(&store, NOW + DAY, draft("silent", "505"));
    assert_eq!(reason(&store, "silent", gone - 1, false), Some(ResetReason::Expired));
    let after = read(&store, reading(&[("silent", gone, false)], u64::MAX >> 1));
    assert_eq!(ids(&after), ["505"]);
    assert_sound(&store);
}

#[test]
fn the_newest_row_says_where_positions_go_on() {
    let scratch = Scratch::new();
    let store = scratch.start();
    put(&store, "a", "1");
    let head = put(&store, "a", "2").at;
    expire(&store, &scratch, NOW + 10 * DURABLE_AGE);
    store.close().unwrap();
    let opened = scratch.open();
    assert_eq!(opened.head(APP).unwrap(), (2, head.ledger_check));
    let store = start(opened);
    assert_eq!(put(&store, "a", "3").at.ledger, ledger::end(3));
    assert_sound(&store);
}

#[test]
fn keys_go_after_a_day_and_their_rows_stay() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for n in 0..300 {
        submit_and_wait(&store, once(n, 1, vec![draft("a", &n.to_string())])).unwrap();
    }
    let renewed = Publish { now: NOW + DAY, ..once(7, 2, vec![draft("a", "again")]) };
    submit_and_wait(&store, renewed).unwrap();
    expire(&store, &scratch, NOW + IDEMPOTENCY);
    let connection = Connection::open(scratch.data().join("deskbell.db")).unwrap();
    let left: Vec<u8> = connection.query_row("SELECT key_hash FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 7_u128.to_be_bytes(), "a key that was used anew stays");
    assert_eq!(all(&store, "a").len(), 301);
    assert_sound(&store);
}

#[test]
fn a_short_age_never_takes_a_row_from_its_key() {
    let scratch = Scratch::new();
    let store = scratch.start();
    submit_and_wait(&store, once(1, 1, vec![draft("a", "1")])).unwrap();
    put(&store, "a", "2");
    let mut tables = Tables::new(scratch.connect());
    let pass = |tables: &mut Tables, now| {
        let mut expiry = Expiry::new(now, 1);
        while tables.transact(|tables| expiry.slice(tables)).unwrap() {}
    };
    pass(&mut tables, NOW + IDEMPOTENCY - 1);
    assert_eq!(all(&store, "a"), ["1", "2"]);
    pass(&mut tables, NOW + IDEMPOTENCY);
    assert_eq!(reason(&store, "a", ledger::end(0), false), Some(ResetReason::Expired));
}

#[test]
fn expiry_goes_on_while_there_is_always_something_to_write() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for n in 0..300 {
        put(&store, "old", &n.to_string());
    }
    store.close().unwrap();

    let now = NOW + 2 * DURABLE_AGE;
    let young = move || Publish { now, ..publish(vec![draft("new", "x")]) };
    let store: Arc<OnceLock<Store>> = Arc::default();
    let (sender, receiver) = mpsc::channel();
    let connection = Connection::open(scratch.data().join("deskbell.db")).unwrap();
    let (weak, mut commits) = (Arc::downgrade(&store), 0);
    // Every commit brings the next publish before the writer looks for it, so its lane is never
    // empty until nothing old is left.
    let feed: Feed = Box::new(move |_, rows| {
        let old = "SELECT count(*) FROM changes WHERE at < ?1";
        let left: i64 = connection.query_row(old, [now.cast_signed()], |row| row.get(0)).unwrap();
        commits += 1;
        if left == 0 || commits == 200 {
            sender.send(left).unwrap_or(());
        } else if let Some(store) = weak.upgrade() {
            store.get().unwrap().submit(young(), Box::new(drop));
        }
        rows.iter().map(|_| Position::start(EPOCH, 0, 0)).collect()
    });
    store.set(scratch.open().start(world(feed)).unwrap()).unwrap();
    let working = store.get().unwrap();
    // Both are in the lane before the writer has committed the first.
    working.submit(young(), Box::new(drop));
    working.expire(now);
    assert_eq!(receiver.recv().unwrap(), 0, "old rows are left after 200 commits");
    assert_sound(working);
}

#[test]
fn a_clean_stop_hands_its_notes_on_once() {
    let scratch = Scratch::new();
    let store = scratch.start();
    store.drain();
    store.save_carry(APP, "the log").unwrap();
    store.save_carry(APP, "the log, later").unwrap();
    store.save_sessions(APP, "the sessions").unwrap();
    store.close().unwrap();
    assert_eq!(
        std::fs::read_dir(scratch.data()).unwrap().count(),
        3,
        "data, credentials, lock: no side files"
    );

    let mut opened = scratch.open();
    assert!(opened.was_clean());
    assert_eq!(opened.take_carry(AppId(2)).unwrap(), None);
    assert_eq!(opened.take_carry(APP).unwrap().as_deref(), Some("the log, later"));
    assert_eq!(opened.take_carry(APP).unwrap(), None);
    assert_eq!(opened.take_sessions(APP).unwrap().as_deref(), Some("the sessions"));
    assert_eq!(opened.take_sessions(APP).unwrap(), None);
}

#[test]
fn notes_count_only_after_a_stop_that_was_clean_to_the_end() {
    let scratch = Scratch::new();
    let store = scratch.start();
    store.save_carry(APP, "too early").unwrap();
    drop(store);
    let mut opened = scratch.open();
    assert!(!opened.was_clean());
    assert_eq!(opened.take_carry(APP).unwrap(), None);

    start(opened).close().unwrap();
    drop(scratch.open());
    assert!(!scratch.open().was_clean(), "a start that came to nothing is no clean stop");
}

#[test]
fn the_side_file_does_not_grow_with_what_is_written() {
    const DATA: usize = 64 * 1024;
    // So many that a side file which a busy machine lets grow for a while stays well below half of them.
    const PUBLISHES: usize = 3_000;
    let scratch = Scratch::new();
    let opened = scratch.open();
    let feed = feed(log(&opened));
    let store = opened.start_with(world(feed), Checkpointer::new(64, 256)).unwrap();
    let mut waiting = std::collections::VecDeque::new();
    for n in 0..PUBLISHES {
        let mut draft = draft("a", &n.to_string());
        draft.event.data = Data::json(format!("\"{}\"", "x".repeat(DATA)));
        waiting.push_back(submit(&store, publish(vec![draft])));
        if waiting.len() > 8 {
            waiting.pop_front().unwrap().recv().unwrap().unwrap();
        }
    }
    for waiting in waiting {
        waiting.recv().unwrap().unwrap();
    }
    let length = std::fs::metadata(scratch.data().join("deskbell.db-wal")).unwrap().len();
    println!("measured: the side file has {} KiB after {} MiB", length >> 10, (DATA * PUBLISHES) >> 20);
    assert!(length < (DATA * PUBLISHES / 2) as u64, "{length} bytes");
    assert_sound(&store);
}

#[test]
fn what_is_written_reaches_the_data_file_without_the_writer() {
    let scratch = Scratch::new();
    let opened = scratch.open();
    let feed = feed(log(&opened));
    let store = opened.start_with(world(feed), Checkpointer::new(64, u32::MAX)).unwrap();
    let length = || std::fs::metadata(scratch.data().join("deskbell.db")).unwrap().len();
    let mut n = 0;
    while length() < 1 << 20 {
        assert!(n < 5_000, "a checkpoint is due for every few of these");
        let mut draft = draft("a", &n.to_string());
        draft.event.data = Data::json(format!("\"{}\"", "x".repeat(64 * 1024)));
        submit_and_wait(&store, publish(vec![draft])).unwrap();
        n += 1;
    }
    assert_sound(&store);
}

#[test]
fn nothing_goes_before_it_is_in_the_index() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let mut tables = Tables::new(scratch.connect());
    // More than one slice of expiry takes into the index.
    for n in 1..=CHUNK + 9 {
        let old = publish(vec![draft(if n == 2 { "rare" } else { "busy" }, &n.to_string())]);
        tables.transact(|tables| tables.apply(&old)).unwrap();
    }
    let reader = scratch.connect_reader();
    let mut expiry = Expiry::new(NOW + 2 * DURABLE_AGE, DURABLE_AGE);
    while tables.transact(|tables| expiry.slice(tables)).unwrap() {
        assert_eq!(verify(&reader).unwrap().problems, Vec::<String>::new());
    }
    assert_eq!(verify(&reader).unwrap().rows, 1, "the newest stays");
    let rare = reading(&[("rare", ledger::event(1, 0), false)], u64::MAX >> 1);
    assert_eq!(page(&reader, &rare).unwrap().resets, [(channel("rare"), ResetReason::Expired)]);
}

#[test]
fn a_tail_that_a_crash_left_is_indexed_by_the_next_run() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let mut tables = Tables::new(scratch.connect());
    for n in 1..=40 {
        let row = publish(vec![keyed("values", &n.to_string(), &format!("k{}", n % 4))]);
        tables.transact(|tables| tables.apply(&row)).unwrap();
    }
    tables.transact(|tables| tables.index(APP, 7)).unwrap();
    drop(tables);
    let store = scratch.start();
    let newest = || ids(&read(&store, reading(&[("values", ledger::end(0), true)], u64::MAX >> 1)));
    assert_eq!(newest(), ["37", "38", "39", "40"]);
    indexed(&scratch, 40);
    assert_eq!(newest(), ["37", "38", "39", "40"]);
    assert_sound(&store);
}

#[test]
fn a_check_finds_what_does_not_fit() {
    let damages = [
        ("DELETE FROM changes WHERE position = 2", "row 3 follows row 1"),
        ("DELETE FROM feed WHERE coordinate >> 12 = 2", "missing in its channel's `feed`"),
        ("INSERT INTO feed VALUES (1001, 4096, 1)", "`feed` has 4 rows where 3 belong"),
        ("UPDATE latest SET coordinate = 4096", "newer than the newest"),
        ("DELETE FROM latest", "missing in `latest`"),
        ("INSERT INTO latest VALUES (1001, 4096, 'x', 1)", "`latest` has 2 rows where 1 belong"),
        ("DELETE FROM channels", "has no row"),
        ("INSERT INTO channels VALUES (1001, 'b', 9, 0)", "1 channels have no event"),
        ("UPDATE apps SET indexed = 2", "`feed` has 3 rows where 2 belong"),
        ("UPDATE apps SET indexed = 4", "up to row 4, but there are rows 0 to 3"),
        ("UPDATE changes SET events = x'0105' WHERE position = 2", "row 2 has no readable events"),
        ("UPDATE keys SET position = 1", "keys point to a row that is not theirs"),
        ("DELETE FROM apps", "have no app"),
    ];
    for (damage, told) in damages {
        let scratch = Scratch::new();
        let store = scratch.start();
        put(&store, "a", "1");
        submit_and_wait(&store, once(1, 1, vec![draft("a", "2")])).unwrap();
        put(&store, "a", "3");
        indexed(&scratch, 3);
        assert_sound(&store);
        Connection::open(scratch.data().join("deskbell.db")).unwrap().execute_batch(damage).unwrap();
        let problems = store.verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(told)), "{damage}: {problems:?}");
    }
}

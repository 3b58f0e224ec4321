//! What is kept how long, what a clean stop hands on, and what a check finds.

use std::sync::OnceLock;

use deskbell_core::limits::{DAY, IDEMPOTENCY};
use deskbell_core::log::ResetReason;

use super::*;
use crate::store::expiry::Expiry;
use crate::store::index::CHUNK;
use crate::store::page::page;
use crate::store::tables::{Scope, Tables};
use crate::store::verify::verify;

/// Expires, and returns when nothing old is left.
fn expire(store: &Store, scratch: &Scratch, now: Millis) {
    let connection = scratch.connect();
    let old = "SELECT (SELECT count(*) FROM changes c WHERE at <= ?1 AND
                  EXISTS (SELECT 1 FROM changes d WHERE d.app = c.app AND d.position > c.position))
                  + (SELECT count(*) FROM keys WHERE at <= ?2)";
    store.expire(now);
    let left = || connection.number(old, &[(now - DURABLE_AGE).into(), (now - IDEMPOTENCY).into()]).unwrap();
    // So many looks take many seconds; a pass takes milliseconds.
    assert!((0..100_000).any(|_| left() == 0), "{} old rows are left", left());
}

/// Returns when the index has come up to a row, as it does when nothing else is to be done.
fn indexed(scratch: &Scratch, row: i64) {
    let connection = scratch.connect();
    let mark = || connection.number("SELECT indexed FROM apps", &[]).unwrap();
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
    let left = scratch.connect().all("SELECT key_hash FROM keys", &[], |row| Ok(row.bytes(0)?.to_vec()));
    assert_eq!(left.unwrap().concat(), 7_u128.to_be_bytes(), "a key that was used anew stays");
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
        while tables.transact(&Scope::ALL, |tables| expiry.slice(tables)).unwrap() {}
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
    let connection = scratch.connect();
    let (weak, mut commits) = (Arc::downgrade(&store), 0);
    // Every commit brings the next publish before the writer looks for it, so its lane is never
    // empty until nothing old is left.
    let feed: Feed = Box::new(move |_, rows| {
        let old = "SELECT count(*) FROM changes WHERE at < ?1";
        let left = connection.number(old, &[now.into()]).unwrap();
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
        "data or notes, credentials, lock: no side files"
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
fn nothing_goes_before_it_is_in_the_index() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let mut tables = Tables::new(scratch.connect());
    // More than one slice of expiry takes into the index.
    for n in 1..=CHUNK + 9 {
        let old = publish(vec![draft(if n == 2 { "rare" } else { "busy" }, &n.to_string())]);
        tables.transact(&Scope::ALL, |tables| tables.apply(&old)).unwrap();
    }
    let reader = scratch.connect_reader();
    let mut expiry = Expiry::new(NOW + 2 * DURABLE_AGE, DURABLE_AGE);
    while tables.transact(&Scope::ALL, |tables| expiry.slice(tables)).unwrap() {
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
        tables.transact(&Scope::ALL, |tables| tables.apply(&row)).unwrap();
    }
    tables.transact(&Scope::ALL, |tables| tables.index(APP, 7)).unwrap();
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
        let shared = damage.replace("x'0105'", "'\\x0105'");
        scratch.connect().execute(scratch.in_words_of_the_store(damage, &shared), &[]).unwrap();
        let problems = store.verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(told)), "{damage}: {problems:?}");
    }
}

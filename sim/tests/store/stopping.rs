//! When the disk fails a checkpoint the store stops for good, and when it fails a commit it goes on.

use std::sync::mpsc;
use std::time::Duration;

use deskbell_core::refusal::Code;
use deskbell_server::store::{Failure, Store};
use deskbell_sim::disk::{Dirty, Disk, Loss, Plan};

use super::site::{self, APP, Site};
use super::{PUBLISHES, found};

/// Far longer than a checkpoint takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Publishes of which the last makes the side file long enough for a checkpoint.
const BEFORE: u64 = 3;

/// The ids of the first events of these publishes are there.
fn all_are_there(site: &Site, publishes: u64, context: &str) {
    let store = site.start().expect("the store starts again");
    let verdict = store.verify().expect("the file can be read");
    assert_eq!(verdict.problems, Vec::<String>::new(), "{context}");
    let found = site::read_all(&store);
    for number in 1..=publishes {
        assert!(found.contains(&site::id(number, 1)), "publish {number} is lost; {context}");
    }
    store.close().expect("nothing fails any more");
}

/// The store after a checkpoint whose sync failed, and behind one that was not synced: somebody was
/// reading, and so it did not reach the end.
fn after_a_failed_checkpoint(disk: &Disk, site: &Site) -> Store {
    let store = site.start().expect("nothing fails yet");
    let (sender, halted) = mpsc::sync_channel(1);
    store.on_halt(Box::new(move |failure| sender.send(failure.to_string()).unwrap_or(())));
    let [reader, copier] = [(); 2].map(|()| site.connect());
    site::send(&store, 1, 20, 10_000).expect("nothing fails yet");
    reader.execute_batch("BEGIN; SELECT count(*) FROM changes").expect("reads do not fail");
    site::send(&store, 2, 20, 10_000).expect("nothing fails yet");
    copier.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("nothing fails yet");
    reader.execute_batch("COMMIT").expect("reads do not fail");
    drop((reader, copier));
    // The commit's, that of the side file, and then that of the file itself.
    disk.plan(Plan { sync: Some((disk.counts().syncs + 3, Dirty::Dropped)), ..Plan::NONE });
    site::send(&store, BEFORE, 900, 10_000).expect("the commit does not fail");
    let sentence = halted.recv_timeout(PATIENCE).expect("the store says that it has stopped");
    assert!(sentence.contains("start the server again"), "{sentence}");
    store
}

#[test]
fn after_a_failed_checkpoint_nothing_is_written_and_nothing_is_lost() {
    for seed in 0..6 {
        for loss in [Loss::Power, Loss::Kill] {
            let disk = Disk::new(seed);
            let site = Site::new(&disk);
            let store = after_a_failed_checkpoint(&disk, &site);
            let operations = disk.operations();
            assert!(!store.is_writing());
            let refusal = site::send(&store, BEFORE + 1, 1, 10).expect_err("nothing is written");
            assert_eq!(refusal.code, Code::Unavailable);
            assert!(matches!(store.save_carry(APP, "{}"), Err(Failure::Halted(_))));
            for _ in 0..2 {
                assert!(matches!(store.close(), Err(Failure::Halted(_))));
            }
            let (sender, halted) = mpsc::sync_channel(1);
            store.on_halt(Box::new(move |_| sender.send(()).unwrap_or(())));
            assert!(halted.try_recv().is_ok(), "who asks late hears it at once");
            drop(store);
            assert_eq!(disk.operations(), operations, "the end changes nothing on the disk");
            disk.reboot(loss);
            let context = format!("seed {seed}, {loss:?}");
            all_are_there(&site, BEFORE, &context);
            // After a kill the system has still forgotten what it did not write, and the start has
            // copied it anew.
            disk.reboot(Loss::Power);
            all_are_there(&site, BEFORE, &context);
        }
    }
}

/// SQLite takes the commit back, and the next one writes over its place.
#[test]
fn after_a_failed_commit_the_store_goes_on_and_nothing_is_lost() {
    for dirty in [Dirty::Waits, Dirty::Dropped] {
        for failing in 1..=PUBLISHES {
            let disk = Disk::new(failing);
            let site = Site::new(&disk);
            let store = site.start().expect("nothing fails yet");
            let mut taken = Vec::new();
            for number in 1..=PUBLISHES {
                if number == failing {
                    disk.plan(Plan { sync: Some((disk.counts().syncs + 1, dirty)), ..Plan::NONE });
                }
                taken.extend(site::publish(&store, number).then_some(number));
            }
            assert_eq!(taken.len() as u64, PUBLISHES - 1, "one is refused");
            assert!(store.is_writing());
            disk.crash();
            drop(store);
            disk.reboot(Loss::Power);
            let found = found(&site);
            assert!(taken.iter().all(|number| found.contains(number)), "{failing}, {dirty:?}: {found:?}");
        }
    }
}

/// A clean stop: two syncs of the checkpoint, two of the mark, and two of what is copied at the
/// very end, which may fail without harm.
#[test]
fn a_stop_whose_checkpoint_fails_is_no_clean_one() {
    for (sync, dirty) in (1..=6).flat_map(|sync| [(sync, Dirty::Waits), (sync, Dirty::Dropped)]) {
        let disk = Disk::new(sync);
        let site = Site::new(&disk);
        let store = site.start().expect("nothing fails yet");
        assert!((1..=PUBLISHES).all(|number| site::publish(&store, number)));
        store.save_carry(APP, "{}").expect("nothing fails yet");
        let before = disk.counts().syncs;
        disk.plan(Plan { sync: Some((before + sync, dirty)), ..Plan::NONE });
        let closed = store.close();
        drop(store);
        let context = format!("sync {sync}, {dirty:?}: {closed:?}");
        match sync {
            1 | 2 => assert!(matches!(closed, Err(Failure::Halted(_))), "{context}"),
            3 | 4 => assert!(matches!(closed, Err(Failure::Database(_))), "{context}"),
            _ => assert!(closed.is_ok() && disk.counts().syncs == before + sync.max(5), "{context}"),
        }
        disk.reboot(Loss::Power);
        let opened = site.open().expect("the store opens again");
        if closed.is_ok() || sync < 3 {
            assert_eq!(opened.was_clean(), closed.is_ok(), "{context}");
        }
        drop(opened);
        assert_eq!(found(&site), (1..=PUBLISHES).collect(), "{context}");
    }
}

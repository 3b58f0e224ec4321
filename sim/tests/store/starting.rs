//! The first thing that a start does: what it finds is made safe before anybody is answered.

use deskbell_server::store::Failure;
use deskbell_sim::disk::{Dirty, Disk, Loss, Plan};

use super::site::{self, APP, Site};
use super::{PUBLISHES, found, publish_all};

/// A file in WAL mode says so twice in its head.
const LOG_AHEAD: [u8; 2] = [2, 2];

/// The last operation of each publish: the sync of its commit.
fn syncs_of_publishes() -> Vec<u64> {
    let disk = Disk::new(0);
    let site = Site::new(&disk);
    let store = site.start().expect("nothing fails");
    let published = (1..=PUBLISHES).map(|number| {
        assert!(site::publish(&store, number));
        disk.operations()
    });
    published.collect()
}

#[test]
fn what_a_start_finds_after_a_kill_is_safe_when_it_is_open() {
    let syncs = syncs_of_publishes();
    for (seed, operation) in (0..10).flat_map(|seed| syncs.iter().map(move |sync| (seed, *sync))) {
        let disk = Disk::new(seed);
        let site = Site::new(&disk);
        disk.plan(Plan::crash_at(operation));
        publish_all(&site);
        disk.reboot(Loss::Kill);
        let opened = site.open().expect("the store opens after a crash");
        let (seen, _) = opened.head(APP).expect("the file can be read");
        disk.crash();
        drop(opened);
        disk.reboot(Loss::Power);
        let opened = site.open().expect("the store opens after a crash");
        let (left, _) = opened.head(APP).expect("the file can be read");
        assert_eq!(left, seen, "seed {seed}, crash at {operation}");
    }
}

/// The disk fails the sync of a commit, and the system forgets that it is unsynced. The publisher
/// hears so. Then the process ends, and the next one finds the commit in the system's memory.
#[test]
fn what_a_failed_commit_left_behind_is_safe_before_a_retry_hears_of_it() {
    let mut found_again = 0;
    for seed in 0..4 {
        for last in 1..=PUBLISHES {
            let disk = Disk::new(seed);
            let site = Site::new(&disk);
            let store = site.start().expect("nothing fails yet");
            assert!((1..last).all(|number| site::publish(&store, number)));
            disk.plan(Plan { sync: Some((disk.counts().syncs + 1, Dirty::Dropped)), ..Plan::NONE });
            assert!(!site::publish(&store, last), "its sync has failed");
            disk.crash();
            drop(store);
            disk.reboot(Loss::Kill);
            let store = site.start().expect("the store starts again");
            let retried = site::send(&store, last, site::events(last), 1_000 * last as usize);
            found_again += usize::from(retried.expect("nothing fails any more").repeated);
            disk.crash();
            drop(store);
            disk.reboot(Loss::Power);
            assert_eq!(found(&site), (1..=last).collect(), "seed {seed}, publish {last}");
        }
    }
    assert!(found_again > 0, "no retry met what was left behind");
}

#[test]
fn a_start_has_a_write_ahead_log_or_is_none() {
    let disk = Disk::new(0);
    drop(Site::new(&disk).open());
    let syncs = disk.counts().syncs;
    let mut refused = 0;
    for (sync, dirty) in (1..=syncs).flat_map(|sync| [(sync, Dirty::Waits), (sync, Dirty::Dropped)]) {
        let disk = Disk::new(sync);
        let site = Site::new(&disk);
        disk.plan(Plan { sync: Some((sync, dirty)), ..Plan::NONE });
        match site.open() {
            Ok(_) => assert_eq!(site.bytes()[18..20], LOG_AHEAD, "sync {sync}, {dirty:?}"),
            Err(Failure::Database(_)) => refused += 1,
            Err(other) => panic!("sync {sync}, {dirty:?}: {other}"),
        }
        let opened = site.open().expect("the second start meets no failure");
        assert_eq!(site.bytes()[18..20], LOG_AHEAD, "sync {sync}, {dirty:?}");
        drop(opened);
    }
    assert_eq!(refused, 2 * syncs, "every sync of a start counts");
}

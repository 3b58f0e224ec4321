//! The real store with its threads over the disk that breaks: whatever a publisher was told is
//! there is there, after a crash at any operation of the whole way from the first start on.

mod site;
mod starting;
mod stopping;

use std::collections::BTreeSet;

use deskbell_sim::disk::{Counts, Disk, Loss, Names, Plan};

use site::Site;

/// Publishes of one run.
const PUBLISHES: u64 = 6;

/// Starts the store and publishes one after the other, until the end or the crash. Says which
/// publishes were acknowledged.
fn publish_all(site: &Site) -> BTreeSet<u64> {
    let Some(store) = site.start() else { return BTreeSet::new() };
    let taken = (1..=PUBLISHES).filter(|number| site::publish(&store, *number)).collect();
    // A stop that fails is a crash like any other.
    let _ = store.close();
    taken
}

/// What a new start finds. Everything that belongs together must be there together.
fn found(site: &Site) -> BTreeSet<u64> {
    let store = site.start().expect("the store starts again after a crash");
    let verdict = store.verify().expect("the file can be read");
    assert_eq!(verdict.problems, Vec::<String>::new());
    let found = site::read_all(&store);
    for number in 1..=PUBLISHES {
        let parts = (1..=site::events(number)).map(|part| site::id(number, part));
        let there = parts.filter(|id| found.contains(id)).count() as u64;
        assert!(there == 0 || there == site::events(number), "publish {number} is there in part");
    }
    (1..=PUBLISHES).filter(|number| found.contains(&site::id(*number, 1))).collect()
}

/// Everything that a run without faults counts.
fn counts() -> Counts {
    let disk = Disk::new(0);
    let site = Site::new(&disk);
    assert_eq!(publish_all(&site).len() as u64, PUBLISHES);
    disk.counts()
}

/// A short count in every run, and a long one where time is no matter.
fn scaled(short: u64, full: u64) -> u64 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

/// Every operation at which to crash; in a short run every third one.
fn moments(seed: u64) -> impl Iterator<Item = u64> {
    let step = scaled(3, 1);
    (1 + seed % step..=counts().operations).step_by(step as usize)
}

#[test]
fn an_acknowledged_publish_survives_a_crash_at_every_operation() {
    survives(Names::InOrder, &[(0, Loss::Power), (1, Loss::Power), (2, Loss::Kill)]);
}

/// POSIX promises no more than that. What is deleted at the first start comes back sometimes.
#[test]
fn an_acknowledged_publish_survives_where_a_deletion_is_safe_only_when_one_asks_for_it() {
    survives(Names::Loose, &[(0, Loss::Power), (1, Loss::Power)]);
}

fn survives(names: Names, runs: &[(u64, Loss)]) {
    for &(seed, loss) in runs {
        for operation in moments(seed) {
            let disk = Disk::with(seed, names);
            let site = Site::new(&disk);
            disk.plan(Plan::crash_at(operation));
            let taken = publish_all(&site);
            disk.reboot(loss);
            let found = found(&site);
            assert!(found.is_superset(&taken), "{loss:?} at {operation}: {taken:?} became {found:?}");
            let more = found.difference(&taken).count();
            assert!(more <= 1, "{loss:?} at {operation}: {taken:?} became {found:?}");
        }
    }
}

/// The process is killed with a commit written and not synced. The next one finds it, and tells a
/// publisher who repeats himself that it is there. Then the power goes.
#[test]
fn what_a_retry_was_told_after_a_kill_survives_a_loss_of_power() {
    for seed in 0..3 {
        for operation in moments(seed) {
            let disk = Disk::new(seed);
            let site = Site::new(&disk);
            disk.plan(Plan::crash_at(operation));
            let mut taken = publish_all(&site);
            disk.reboot(Loss::Kill);
            if let Some(unknown) = (1..=PUBLISHES).find(|number| !taken.contains(number)) {
                let store = site.start().expect("the store starts again after a crash");
                assert!(site::publish(&store, unknown));
                taken.insert(unknown);
                // The machine stops while the store is at work.
                disk.plan(Plan::crash_at(disk.operations() + 1));
            }
            disk.reboot(Loss::Power);
            let found = found(&site);
            assert!(found.is_superset(&taken), "seed {seed} at {operation}: {taken:?} became {found:?}");
        }
    }
}

#[test]
fn an_acknowledged_publish_survives_failing_reads_writes_and_syncs_and_a_full_disk() {
    let counts = counts();
    let mut refused = 0;
    for seed in 0..scaled(100, 1_000) {
        let disk = Disk::new(seed);
        let site = Site::new(&disk);
        let plan = Plan::rolled(seed, Counts::default(), counts);
        disk.plan(plan);
        let taken = publish_all(&site);
        refused += PUBLISHES - taken.len() as u64;
        disk.reboot(Loss::Power);
        let found = found(&site);
        assert!(found.is_superset(&taken), "seed {seed}, {plan:?}: {taken:?} became {found:?}");
    }
    assert!(refused > 100, "the faults hardly reached a publish: {refused}");
}

//! A disk that fails and lives on: SQLite is told, and what it acknowledges all the same is there.

use deskbell_sim::disk::{Counts, Cut, Dirty, Disk, Loss, Plan};
use rusqlite::ErrorCode;

use super::scaled;
use super::work::{Known, TRANSACTIONS, Waits, checkpoint, commit, connect, is_failed_sync, judge, work};

/// Everything that a run without faults counts.
fn counts(seed: u64) -> Counts {
    let disk = Disk::new(seed);
    work(&disk, Waits::Full);
    disk.counts()
}

/// One run with these faults; then the power goes, and nothing that was acknowledged may be gone.
fn run(seed: u64, plan: Plan) -> Known {
    let disk = Disk::new(seed);
    disk.plan(plan);
    let known = work(&disk, Waits::Full);
    disk.reboot(Loss::Power);
    judge(&disk, Waits::Full, &known)
        .unwrap_or_else(|wrong| panic!("seed {seed}, {plan:?}: {wrong}; errors: {:?}", known.errors));
    known
}

/// The same, and the power goes at some later moment of the run too.
fn run_and_crash(seed: u64, plan: Plan, operations: u64) -> Known {
    for part in 1..=4 {
        run(seed, Plan { crash: Some((operations * part / 5 + seed % 7).max(1)), ..plan });
    }
    run(seed, plan)
}

/// How many of the runs were told of a fault.
fn told<'a>(runs: impl IntoIterator<Item = &'a Known>) -> usize {
    runs.into_iter().filter(|known| !known.errors.is_empty()).count()
}

#[test]
fn a_failed_sync_is_told_and_loses_nothing_that_is_acknowledged() {
    for dirty in [Dirty::Waits, Dirty::Dropped] {
        for seed in 0..scaled(1, 5) {
            let counts = counts(seed);
            let runs: Vec<_> = (1..=counts.syncs)
                .map(|sync| {
                    let plan = Plan { sync: Some((sync, dirty)), ..Plan::NONE };
                    run_and_crash(seed, plan, counts.operations)
                })
                .collect();
            // Three belong to the change into WAL mode: when it fails SQLite still answers `wal`, and
            // the next connection tries again. Two belong to the closing, which has nobody to tell.
            assert_eq!(told(&runs) as u64, counts.syncs - 5, "{} of {}", told(&runs), counts.syncs);
            let refused = runs.iter().filter(|known| !known.failed.is_empty()).count();
            assert!(refused as i64 >= TRANSACTIONS, "each commit has a sync that can fail");
        }
    }
}

#[test]
fn a_failed_write_is_told_and_loses_nothing_that_is_acknowledged() {
    for cut in [Cut::Short, Cut::Whole] {
        let counts = counts(7);
        let step = scaled(3, 1) as usize;
        let runs: Vec<_> = (1..=counts.writes)
            .step_by(step)
            .map(|write| {
                run_and_crash(7, Plan { write: Some((write, cut)), ..Plan::NONE }, counts.operations)
            })
            .collect();
        assert!(told(&runs) * 10 > runs.len() * 8, "{} of {}", told(&runs), runs.len());
    }
}

#[test]
fn a_failed_read_is_told_and_loses_nothing_that_is_acknowledged() {
    let counts = counts(8);
    let runs: Vec<_> = (1..=counts.reads)
        .map(|read| run_and_crash(8, Plan { read: Some(read), ..Plan::NONE }, counts.operations))
        .collect();
    assert!(told(&runs) * 2 > runs.len(), "{} of {}", told(&runs), runs.len());
}

#[test]
fn a_full_disk_is_told_as_such_and_the_work_goes_on_when_there_is_room() {
    let counts = counts(9);
    let mut full = 0;
    for room in (0..counts.bytes).step_by(scaled(9_001, 701) as usize) {
        let disk = Disk::new(9);
        disk.plan(Plan { room: Some(room), ..Plan::NONE });
        let mut known = work(&disk, Waits::Full);
        full += known.errors.iter().filter(|error| is_full(error)).count();
        disk.plan(Plan::NONE);
        let again = work(&disk, Waits::Full);
        // A second run meets what the first has written already.
        known.failed.extend(again.failed);
        known.acknowledged.extend(again.acknowledged);
        disk.reboot(Loss::Power);
        judge(&disk, Waits::Full, &known).unwrap_or_else(|wrong| panic!("room for {room} bytes: {wrong}"));
        let there: i64 = connect(&disk, Waits::Full)
            .and_then(|connection| connection.query_row("SELECT count(*) FROM sums", [], |row| row.get(0)))
            .unwrap();
        assert_eq!(there, TRANSACTIONS, "all were written in the end");
    }
    assert!(full > 20, "{full}");
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

#[test]
fn any_faults_together_lose_nothing_that_is_acknowledged() {
    let counts = counts(0);
    let mut seen = 0;
    for seed in 0..scaled(200, 5_000) {
        let known = run(seed, Plan::rolled(seed, Counts::default(), counts));
        seen += usize::from(!known.errors.is_empty());
    }
    assert!(seen > 120, "{seen}");
}

/// A checkpoint beside a writer copies pages without a sync and counts them as copied; the sync
/// comes with a later checkpoint that reaches the end. If that one fails, the system may have
/// dropped the pages of both, and the next checkpoint copies only those of the second. A new start
/// counts nothing as copied. So who goes on is caught here, and who stops at once is safe.
#[test]
fn only_a_restart_is_safe_after_a_failed_sync_of_a_checkpoint() {
    let goes_on = (0..20).filter_map(|seed| failed_checkpoint(seed, Then::GoesOn).err()).count();
    assert!(goes_on > 10, "{goes_on}");
    for seed in 0..20 {
        failed_checkpoint(seed, Then::Stops).unwrap();
    }
}

/// What the program does when a checkpoint could not sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoesOn,
    Stops,
}

fn failed_checkpoint(seed: u64, then: Then) -> Result<(), String> {
    let disk = Disk::new(seed);
    let mut known = work(&disk, Waits::Full);
    let [mut writer, copier, reader] =
        [(); 3].map(|()| connect(&disk, Waits::Full).expect("nothing fails yet"));
    let mut publish = |number| {
        commit(&mut writer, number).expect("commits do not fail");
        known.acknowledged.push(number);
    };
    publish(20);
    reader.execute_batch("BEGIN; SELECT count(*) FROM rows").expect("reads do not fail");
    publish(21);
    // Ends where the reader is, so without a sync of the file.
    checkpoint(&copier, "PASSIVE").expect("the first checkpoint does not fail");
    reader.execute_batch("COMMIT").expect("reads do not fail");
    // The side file is synced before the file itself.
    disk.plan(Plan { sync: Some((disk.counts().syncs + 2, Dirty::Dropped)), ..Plan::NONE });
    let failed = checkpoint(&copier, "PASSIVE").expect_err("its second sync fails");
    assert!(is_failed_sync(&failed));
    if then == Then::GoesOn {
        publish(22);
        checkpoint(&copier, "TRUNCATE").expect("the third checkpoint does not fail");
    }
    disk.crash();
    disk.reboot(Loss::Power);
    judge(&disk, Waits::Full, &known)
}

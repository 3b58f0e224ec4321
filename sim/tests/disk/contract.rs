//! SQLite's own contract: what was acknowledged is there after any crash, and everything else is
//! there as a whole or not at all. A disk that SQLite could break by doing nothing wrong would be
//! no use, and neither would one on which nothing ever breaks.

use deskbell_sim::disk::{Disk, Loss, Names, Plan};

use super::scaled;
use super::work::{Known, TRANSACTIONS, Waits, crash_again, judge, work};

/// Operations of a run without faults.
fn operations(seed: u64, waits: Waits) -> u64 {
    let disk = Disk::new(seed);
    let known = work(&disk, waits);
    assert!(known.errors.is_empty() && known.acknowledged.len() == TRANSACTIONS as usize, "{known:?}");
    let count = disk.operations();
    assert!(count > 100, "{count} operations are too few to show anything");
    judge(&disk, waits, &known).expect("nothing is wrong without a fault");
    count
}

/// One run with a crash at this operation: what the program knew when it was ended.
fn crash_at(disk: &Disk, operation: u64, waits: Waits, loss: Loss) -> Known {
    disk.plan(Plan::crash_at(operation));
    let known = work(disk, waits);
    assert!(disk.crashed(), "operation {operation} never came");
    disk.reboot(loss);
    known
}

#[test]
fn whatever_was_acknowledged_survives_a_crash_at_every_operation() {
    for seed in 0..scaled(1, 20) {
        for operation in 1..=operations(seed, Waits::Full) {
            for loss in [Loss::Kill, Loss::Power] {
                let disk = Disk::new(seed);
                let known = crash_at(&disk, operation, Waits::Full, loss);
                // A crash during the next start, whatever it is, takes nothing away either.
                crash_again(&disk, Waits::Full, 1 + (operation + seed) % 9, Loss::Power);
                judge(&disk, Waits::Full, &known).unwrap_or_else(|wrong| {
                    panic!("seed {seed}, crash at operation {operation}, {loss:?}: {wrong}")
                });
            }
        }
    }
}

/// What is wrong after crashes at all operations of some runs.
fn wrong_with(names: Names, waits: Waits, loss: Loss) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in 0..scaled(1, 3) {
        for operation in 1..=operations(seed, waits) {
            let disk = Disk::with(seed, names);
            let known = crash_at(&disk, operation, waits, loss);
            wrong.extend(judge(&disk, waits, &known).err());
        }
    }
    wrong
}

fn lost(wrong: &[String]) -> usize {
    wrong.iter().filter(|wrong| wrong.ends_with("was acknowledged and is lost")).count()
}

#[test]
fn who_does_not_wait_for_the_disk_is_caught_when_the_power_goes() {
    let wrong = wrong_with(Names::InOrder, Waits::Normal, Loss::Power);
    assert!(lost(&wrong) > 20, "{} {wrong:?}", wrong.len());
    let wrong = wrong_with(Names::InOrder, Waits::Never, Loss::Power);
    assert!(lost(&wrong) > 20, "{} {wrong:?}", wrong.len());
    assert!(wrong.iter().any(|wrong| wrong.contains("damaged") || wrong.contains("cannot be")), "{wrong:?}");
}

#[test]
fn a_killed_process_loses_nothing_that_it_has_written() {
    for waits in [Waits::Normal, Waits::Never] {
        assert_eq!(wrong_with(Names::InOrder, waits, Loss::Kill), Vec::<String>::new());
    }
}

/// SQLite deletes the journal of the first transaction, from before the file is in WAL mode, and
/// makes the deletion nowhere safe. Where it comes back, it rolls the file back to nothing.
#[test]
fn a_deletion_that_is_never_made_safe_is_caught() {
    let wrong = wrong_with(Names::Loose, Waits::Full, Loss::Power);
    assert!(lost(&wrong) > 20, "{} {wrong:?}", wrong.len());
}

//! The same seed gives the same run to the last byte. A program of its own with one thread: what
//! SQLite takes for random comes from one generator for the whole process.

#[path = "disk/work.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod work;

use deskbell_sim::disk::{Counts, Disk, Loss, Plan};
use work::{Waits, judge, work};

/// Everything that can be seen of a run with faults: its files, its counts, its acknowledgements.
fn trace(seed: u64, plan: Plan, loss: Loss) -> (Vec<(String, Vec<u8>)>, Counts, String) {
    let disk = Disk::new(seed);
    disk.plan(plan);
    let known = work(&disk, Waits::Full);
    disk.reboot(loss);
    let after = disk.files();
    judge(&disk, Waits::Full, &known).expect("nothing that was acknowledged is lost");
    (after, disk.counts(), format!("{known:?}"))
}

#[test]
fn the_same_seed_is_the_same_run_and_another_one_is_not() {
    let free = trace(0, Plan::NONE, Loss::Kill);
    assert!(free == trace(0, Plan::NONE, Loss::Kill), "without faults");
    let mut different = 0;
    for seed in 0..60 {
        let plan = Plan::rolled(seed, Counts::default(), free.1);
        for loss in [Loss::Kill, Loss::Power] {
            let first = trace(seed, plan, loss);
            // Something else in between must not show.
            let other = trace(seed + 1_000, plan, loss);
            assert!(first == trace(seed, plan, loss), "seed {seed}, {plan:?}, {loss:?}");
            different += usize::from(first != other);
        }
    }
    assert!(different > 60, "{different}");
}

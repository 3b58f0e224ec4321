//! Many seeds, and some of them twice.

use deskbell_sim::world::{STEPS, run};

/// A short count in every run, and a long one where time is no matter.
fn scaled(short: u64, full: u64) -> u64 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

/// One after the other, in one test: runs beside each other would not be the same runs.
#[test]
fn every_seed_keeps_every_promise_and_is_the_same_run_again() {
    let (mut answers, mut rows, mut ends) = (0, 0, 0);
    for seed in 0..scaled(300, 10_000) {
        let report = run(seed, STEPS).unwrap_or_else(|failed| panic!("{failed}"));
        if seed % 30 == 0 {
            let again = run(seed, STEPS).unwrap_or_else(|failed| panic!("{failed}"));
            assert_eq!(report, again, "seed {seed} is another run the second time");
            let other = run(seed + 1, STEPS).unwrap_or_else(|failed| panic!("{failed}"));
            assert_ne!(report.hash, other.hash, "seed {seed} is the run of the next one");
        }
        answers += report.answers;
        rows += report.rows;
        ends += report.ends;
    }
    let seeds = scaled(300, 10_000);
    println!("measured: {seeds} seeds, {answers} answers, {rows} rows, {ends} ends of a process");
    assert!(answers > 80 * seeds, "few asked anything: {answers}");
    assert!(rows > 40 * seeds, "little happened: {rows}");
    assert!(ends > 4 * seeds, "the process hardly ever ended: {ends}");
}

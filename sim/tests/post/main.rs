//! Seeded runs of inboxes and conversations: every answer is what lists would say, whatever the disk does.
//!
//! A program of its own with one test, as `world` is, and for the same reason.

use deskbell_sim::post::{STEPS, run};

/// A short count in every run, and a long one where time is no matter.
fn scaled(short: u64, full: u64) -> u64 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

#[test]
fn every_seed_answers_what_lists_would_and_is_the_same_run_again() {
    let seeds = scaled(100, 5_000);
    let (mut answers, mut rows, mut ends) = (0, 0, 0);
    for seed in 0..seeds {
        let report = run(seed, STEPS).unwrap_or_else(|failed| panic!("{failed}"));
        if seed % 25 == 0 {
            let again = run(seed, STEPS).unwrap_or_else(|failed| panic!("{failed}"));
            assert_eq!(report, again, "seed {seed} is another run the second time");
        }
        answers += report.answers;
        rows += report.rows;
        ends += report.ends;
    }
    println!("measured: {seeds} seeds of inboxes, {answers} answers, {rows} rows, {ends} ends of a process");
    assert!(answers > 40 * seeds, "few asked anything: {answers}");
    assert!(rows > 30 * seeds, "little happened: {rows}");
    assert!(ends > 5 * seeds, "the process hardly ever ended: {ends}");
}

//! The same world over a shared database: what PostgreSQL's ledger answers is held against the naive reference, row by
//! row, over deaths of the process, refused rows and connections that are lost in the middle of a commit.

use deskbell_sim::postgres::shared;
use deskbell_sim::world::{STEPS, run_shared};

#[test]
fn every_seed_keeps_every_promise_over_a_database() {
    let seeds = if std::env::var_os("DESKBELL_TEST_FULL").is_some() { 300 } else { 6 };
    let (mut answers, mut rows, mut ends) = (0, 0, 0);
    for seed in 0..seeds {
        let database = shared().database();
        let report = run_shared(seed, STEPS, &database).unwrap_or_else(|failed| panic!("{failed}"));
        answers += report.answers;
        rows += report.rows;
        ends += report.ends;
    }
    println!(
        "measured: {seeds} seeds over a database, {answers} answers, {rows} rows, {ends} ends of a process"
    );
    assert!(answers > 80 * seeds, "few asked anything: {answers}");
    assert!(rows > 40 * seeds, "little happened: {rows}");
    assert!(ends > 2 * seeds, "the process hardly ever ended: {ends}");
}

//! The disk as SQLite meets it: what holds on a real disk holds here, and what gets lost there
//! gets lost here.

mod contract;
mod faults;
mod sharing;
mod work;

/// A short count in every run, and a long one where time is no matter.
fn scaled(short: u64, full: u64) -> u64 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

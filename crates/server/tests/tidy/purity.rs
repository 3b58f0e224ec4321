//! Where the clock and chance may be asked, that queues have a bound, and that nothing gives up by itself.

use super::report;
use super::source;

/// Reads the clock or rolls dice.
const IMPURE: [&str; 7] =
    ["SystemTime::now", "Instant::now", "getrandom::", "RandomState", "thread_rng", "rand::", "OsRng"];

/// Who may, and why.
const MAY: [(&str, &str, &str); 6] = [
    ("crates/server/src/clock.rs", "SystemTime::now", "the one clock"),
    ("crates/server/src/clock.rs", "Instant::now", "the one clock"),
    ("crates/server/src/clock.rs", "getrandom::", "the one source of chance"),
    (
        "crates/server/src/bench/stopwatch.rs",
        "Instant::now",
        "measures the server from outside, finer than its clock",
    ),
    (
        "crates/server/src/limiter.rs",
        "RandomState",
        "hashes addresses so that nobody can choose colliding ones",
    ),
    ("fuzz/src/short.rs", "Instant::now", "a tool that stops when its time is up"),
];

#[test]
fn the_clock_and_chance_are_asked_in_one_place() {
    let mut broken = Vec::new();
    let mut used = Vec::new();
    for source in source::rust() {
        for (number, line) in source.shipped() {
            for word in IMPURE.iter().filter(|word| names(line, word)) {
                match MAY.iter().position(|(path, may, _)| *path == source.path && may == word) {
                    Some(allowed) => used.push(allowed),
                    None => broken.push(format!("{}:{number}: {word}", source.path)),
                }
            }
        }
    }
    for (index, (path, word, reason)) in MAY.iter().enumerate() {
        if !used.contains(&index) {
            broken.push(format!("{path}: no longer uses {word} ({reason}); drop the exception"));
        }
    }
    report(&broken, "Take the time as an argument, or ask `clock`.");
}

#[test]
fn every_queue_has_a_bound() {
    let broken =
        uses(&["unbounded_channel", "unbounded(", "mpsc::channel()", "mpsc::channel::<", "Unbounded"]);
    report(&broken, "Give the queue a bound, and say what happens when it is full.");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let broken = uses(&[".unwrap()", ".unwrap_err()"]);
    report(&broken, "Handle it, or say with `expect` why it cannot happen.");
}

#[test]
fn no_lint_is_switched_off_for_a_whole_crate() {
    let mut broken = uses(&["#![allow", "#![expect"]);
    // Inside a module such a line excuses that module alone.
    broken.retain(|place| place.contains("/src/lib.rs:") || place.contains("/src/main.rs:"));
    report(&broken, "Excuse the one item, with a reason.");
}

/// Lines of shipped code of the three crates with one of these words.
fn uses(words: &[&str]) -> Vec<String> {
    let sources = ["core", "wire", "server"].into_iter().flat_map(source::of_crate).collect::<Vec<_>>();
    let mut found = Vec::new();
    for source in &sources {
        for (number, line) in source.shipped() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    found
}

/// Does the line contain the word, and not as the end of a longer one?
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

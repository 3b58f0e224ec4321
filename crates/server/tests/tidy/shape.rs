//! Lengths, and the sentence that every module starts with.

use super::report;
use super::source::{self, Source};

/// A file that is longer does more than one thing.
const FILE: usize = 500;

/// A function that is longer does not fit on one screen.
const FUNCTION: usize = 60;

/// Files that are longer than they may be, with their length. Shorten them; never add one.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions that are longer than they may be, with their length. Shorten them; never add one.
const LONG_FUNCTIONS: &[(&str, usize)] = &[
    // The WebSocket standard read from top to bottom, to hold the real decoder against.
    ("crates/wire/tests/websocket/naive.rs: walk", 64),
];

#[test]
fn files_are_short() {
    let lengths = source::rust().into_iter().map(|source| (source.path, source.text.lines().count()));
    let broken = ratchet(lengths.collect(), FILE, LONG_FILES);
    report(&broken, "Split the file along what its parts are about.");
}

#[test]
fn functions_fit_on_a_screen() {
    let lengths: Vec<_> = source::rust().iter().flat_map(functions).collect();
    assert!(lengths.len() > 1_000, "only {} functions were found: the search is broken", lengths.len());
    let broken = ratchet(lengths, FUNCTION, LONG_FUNCTIONS);
    report(&broken, "Give a step of the function a name of its own.");
}

#[test]
fn every_module_starts_with_its_sentence() {
    let sources = source::rust();
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    let broken: Vec<_> = silent.map(|source| source.path.clone()).collect();
    report(&broken, "Let the first line say, behind `//!`, what the module is for.");
}

/// What is longer than the limit and not excused, and excuses that are no longer needed.
fn ratchet(lengths: Vec<(String, usize)>, limit: usize, excused: &[(&str, usize)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, length) in &lengths {
        let excuse = excused.iter().find(|(excused, _)| excused == name).map(|(_, length)| *length);
        match excuse {
            None if *length > limit => broken.push(format!("{name}: {length} lines, allowed are {limit}")),
            Some(known) if *length > known => {
                broken.push(format!("{name}: grew from {known} to {length} lines"));
            }
            Some(known) if *length < known => {
                broken.push(format!(
                    "{name}: now {length} lines; lower the exception from {known}, or drop it"
                ));
            }
            _ => {}
        }
    }
    for (name, _) in excused {
        if !lengths.iter().any(|(found, _)| found == name) {
            broken.push(format!("{name}: is gone; drop its exception"));
        }
    }
    broken
}

/// Every function with a body, as `path: name`, and its lines.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = &source.code;
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let begins =
            code[..start].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_');
        let name: String =
            code[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = source::end_of_item(code, start);
        if begins && !name.is_empty() && code[end..].starts_with('}') {
            let lines = 1 + code[start..end].matches('\n').count();
            found.push((format!("{}: {name}", source.path), lines));
        }
    }
    found
}

#[test]
fn the_ratchet_only_turns_one_way() {
    let known: &[(&str, usize)] = &[("long", 70), ("gone", 80)];
    let lengths = |long| vec![("long".to_owned(), long), ("short".to_owned(), 60), ("new".to_owned(), 61)];
    assert_eq!(
        ratchet(lengths(70), 60, known),
        ["new: 61 lines, allowed are 60", "gone: is gone; drop its exception"]
    );
    assert!(ratchet(lengths(71), 60, known)[0].starts_with("long: grew"));
    assert!(ratchet(lengths(60), 60, known)[0].starts_with("long: now 60"));
}

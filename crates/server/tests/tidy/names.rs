//! Names that say nothing, marks of unfinished work, and traces of one machine.

use super::report;
use super::source;

/// Words that could stand before or behind any name.
const EMPTY: [&str; 8] = ["manager", "helper", "helpers", "util", "utils", "misc", "base", "impl"];

#[test]
fn modules_and_types_have_names_that_say_what_they_are() {
    let mut broken = Vec::new();
    for source in source::rust() {
        let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let folders = source.path.split('/').chain([file]);
        for name in folders.chain(defined(&source.code)) {
            if words(name).iter().any(|word| EMPTY.contains(&word.as_str())) {
                broken.push(format!("{}: {name}", source.path));
            }
        }
    }
    report(&broken, "Name the thing after what it does.");
}

/// Names of modules and types that a file defines.
fn defined(code: &str) -> impl Iterator<Item = &str> {
    let mut before = "";
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).filter(
        move |word| {
            let is_name = ["mod", "struct", "enum", "trait", "type", "union"].contains(&before);
            before = word;
            is_name
        },
    )
}

/// The words of a name, in either spelling.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        if letter == '_' || letter == '-' || (letter.is_uppercase() && small) {
            words.push(String::new());
        }
        small = letter.is_lowercase();
        if letter.is_alphanumeric() {
            words.last_mut().expect("one word at least").extend(letter.to_lowercase());
        }
    }
    words
}

#[test]
fn names_fall_apart_into_words() {
    assert_eq!(words("ShardManager"), ["shard", "manager"]);
    assert_eq!(words("string_utils"), ["string", "utils"]);
    assert_eq!(words("Database"), ["database"]);
    let found: Vec<_> = defined("pub mod a { struct B<T>; } fn c() -> Type {} type D = B;").collect();
    assert_eq!(found, ["a", "B", "D"]);
}

#[test]
fn nothing_is_left_undone_and_nothing_knows_this_machine() {
    // Put together here, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("/wo", "rk/"),
        concat!("/tm", "p/w/"),
        concat!("/ro", "ot/"),
        concat!("\"reso", "lved\": \"http"),
    ];
    let mut broken = Vec::new();
    for (path, text) in source::texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                broken.push(format!("{path}:{}: {mark}", index + 1));
            }
        }
    }
    report(&broken, "Do it, or write an issue; and name files by their place in the project.");
}

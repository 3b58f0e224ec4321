//! Every promise of docs/guarantees.md names tests that exist, and every close code is documented.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The files that a line names with tests of theirs: an item of a list, or the last cell of a table's row.
fn proofs(line: &str) -> Vec<(&str, &str)> {
    let cell = line.strip_suffix(" |").and_then(|row| row.rsplit_once(" | ")).map(|(_, cell)| cell);
    let Some(text) = line.strip_prefix("* ").or(cell) else { return Vec::new() };
    text.split("; ").filter_map(|part| part.strip_prefix('`')?.split_once("`: ")).collect()
}

/// Is there a test of this name?
fn is_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    // Attributes stand right in front: behind the last line that ends something.
    let own = before.rsplit_once("\n\n").map_or(before, |(_, own)| own);
    own.contains("#[test]") || own.contains("#[tokio::test")
}

#[test]
fn each_promise_is_proven_by_tests_that_exist() {
    let page = read("docs/guarantees.md");
    let promises: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(promises.len(), 13, "a promise was added or taken back: is the readme still right?");
    let mut wrong = Vec::new();
    for promise in promises {
        let title = promise.lines().next().unwrap_or_default();
        let mut count = 0;
        for (file, names) in promise.lines().flat_map(proofs) {
            let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            for name in quoted(names) {
                count += 1;
                if !is_test(&source, name) {
                    wrong.push(format!("{title}: there is no test {name} in {file}"));
                }
            }
        }
        if count == 0 {
            wrong.push(format!("{title}: nothing proves it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same of a test in another language, which is called by its title or its function's name.
fn is_named(file: &str, source: &str, name: &str) -> bool {
    match file.rsplit('.').next() {
        Some("rs") => {
            is_test(source, name) || source.contains("proptest!") && source.contains(&format!("fn {name}("))
        }
        Some("py") => source.contains(&format!("    def {name}(")),
        _ => source.contains(&format!("test(\"{name}\"")),
    }
}

#[test]
fn each_trap_of_socketio_is_held_by_tests_that_exist() {
    let page = read("docs/socketio-traps.md");
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| trap ")).collect();
    assert!(rows.len() >= 60, "{} traps: was a part of the page lost?", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let proofs = proofs(row);
        if proofs.is_empty() {
            wrong.push(format!("nothing holds {row}"));
        }
        for (file, names) in proofs {
            let source = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            let missing = quoted(names).filter(|name| !is_named(file, &source, name));
            wrong.extend(missing.map(|name| format!("there is no test {name} in {file}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_clients_of_the_pusher_dialect_count_on_is_tested() {
    let page = read("docs/pusher.md");
    let section =
        page.split("\n## What clients count on\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let mut wrong = Vec::new();
    let rows: Vec<_> = section.unwrap().lines().map(proofs).filter(|proofs| !proofs.is_empty()).collect();
    assert_eq!(rows.len(), 17);
    for (file, names) in rows.into_iter().flatten() {
        let source = read(file);
        wrong.extend(
            quoted(names).filter(|name| !is_test(&source, name)).map(|name| format!("{file}: {name}")),
        );
    }
    assert!(wrong.is_empty(), "there are no such tests: {wrong:?}");
}

#[test]
fn every_close_code_is_in_the_protocol() {
    let page = read("docs/protocol.md");
    let table = page.split("\n## Close codes").nth(1).and_then(|rest| rest.split("\n## ").next());
    let table = table.expect("the protocol has a table of close codes");
    let source = read("crates/server/src/shard/depart.rs");
    let codes: Vec<&str> =
        source.lines().filter_map(|line| line.split_once(": u16 = ")?.1.strip_suffix(';')).collect();
    assert!(codes.len() >= 7, "the codes stand elsewhere now: {codes:?}");
    for code in codes {
        assert!(table.contains(&format!("\n| {code} |")), "{code} is not in docs/protocol.md");
    }
}

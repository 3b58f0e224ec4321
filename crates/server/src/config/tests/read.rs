//! No option is only written down: each one changes what some part of the server does.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::all;
use super::super::options::Opt;

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn text_of(keep: impl Fn(&str) -> bool) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let name = |file: &Path| file.strip_prefix(&root).unwrap().display().to_string();
    files.retain(|file| keep(&name(file)) && !name(file).contains("tests"));
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_option_becomes_a_setting() {
    let reads = text_of(|name| ["config/build.rs", "config/dialects.rs"].contains(&name));
    let rules = text_of(|name| name == "config/rules.rs");
    let fields = all().flat_map(Opt::fields);
    for opt in all().chain(fields) {
        let key = format!("\"{}\"", opt.key);
        // A flag that only allows another one is read where that is checked.
        let is_read = reads.contains(&key) || (opt.key == "dev_force" && rules.contains(&key));
        assert!(is_read, "{} is in the table and nobody reads it; remove it or use it", opt.key);
    }
}

/// As a whole word: `.rate` is not in `.rate_per_address`.
fn stands_in(text: &str, word: &str) -> bool {
    let goes_on = |rest: &str| rest.bytes().next().is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric());
    text.split(word).skip(1).any(|rest| !goes_on(rest))
}

#[test]
fn every_setting_is_used() {
    let settings = text_of(|name| name == "config/settings.rs");
    let others = text_of(|name| !name.starts_with("config/") && !name.starts_with("cli/"));
    let fields = settings.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("pub ")?.split_once(':')?;
        name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some(name)
    });
    let unused: Vec<&str> = fields
        // It only allows another one, and has done so when the settings are there.
        .filter(|name| *name != "dev_force")
        // Only the warnings about a short secret use the name of an app.
        .filter(|name| !(*name == "name" && settings.contains("A name for people")))
        .filter(|name| !stands_in(&others, &format!(".{name}")) && !stands_in(&others, &format!("{{ {name}")))
        .collect();
    assert!(unused.is_empty(), "settings that no part of the server looks at: {unused:?}");
}

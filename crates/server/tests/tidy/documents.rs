//! What the documents must say: every option, every code, every reason, every limit; and only paths that are there.

use std::path::Path;

use deskbell_core::log::ResetReason;
use deskbell_core::refusal::Code;

use super::report;
use super::source;

#[test]
fn every_option_is_in_the_reference() {
    let page = source::read("docs/configuration.md");
    let keys = options();
    assert!(keys.len() > 60, "only {} options were found: the search is broken", keys.len());
    let missing = keys.into_iter().filter(|key| !page.contains(&format!("`{key}`"))).collect::<Vec<_>>();
    report(&missing, "Run `deskbell config --markdown > docs/configuration.md`.");
}

/// The keys in the tables of options: the first text behind each `Opt::kind(`.
fn options() -> Vec<String> {
    let tables = source::of_crate("server").into_iter().filter(|source| {
        source.path.starts_with("crates/server/src/config/") && source.path.ends_with("table.rs")
    });
    let mut keys = Vec::new();
    for table in tables {
        for call in table.text.split("Opt::").skip(1) {
            let Some((_, arguments)) = call.split_once('(') else { continue };
            if let Some(quoted) = arguments.trim_start().strip_prefix('"') {
                keys.extend(quoted.split('"').next().map(str::to_owned));
            }
        }
    }
    keys
}

#[test]
fn every_code_and_reason_is_in_the_protocol() {
    let page = source::read("docs/protocol.md");
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let reasons = ResetReason::ALL.iter().map(|reason| reason.as_str());
    let missing = codes.chain(reasons).filter(|word| !page.contains(&format!("`{word}`"))).map(str::to_owned);
    report(
        &missing.collect::<Vec<_>>(),
        "Say in docs/protocol.md what it means and what a client does then.",
    );
}

#[test]
fn every_limit_says_what_it_bounds() {
    let text = source::read("crates/core/src/limits.rs") + &source::read("crates/core/src/limits/pusher.rs");
    let lines: Vec<&str> = text.lines().collect();
    let limits: Vec<usize> = (1..lines.len()).filter(|at| lines[*at].starts_with("pub const ")).collect();
    assert!(limits.len() > 60, "only {} limits were found: the search is broken", limits.len());
    let silent = limits.into_iter().filter(|at| !lines[at - 1].starts_with("/// "));
    report(
        &silent.map(|at| lines[at].to_owned()).collect::<Vec<_>>(),
        "Say above it what it bounds, in which unit, and why it has this value.",
    );
}

#[test]
fn every_path_in_the_map_is_there() {
    let map = source::read("ARCHITECTURE.md");
    let quoted = map.split('`').skip(1).step_by(2);
    let paths: Vec<_> = quoted.filter(|word| is_path(word)).collect();
    assert!(
        paths.len() > 10,
        "only {} paths were found in ARCHITECTURE.md: the search is broken",
        paths.len()
    );
    let gone = paths.into_iter().filter(|path| !exists(path)).map(str::to_owned).collect::<Vec<_>>();
    report(&gone, "Change the map with the land.");
}

/// A path from the root, as `crates/core/src/log` or `Makefile`: no space, a slash, no scheme, nothing to fill in.
fn is_path(word: &str) -> bool {
    let top = [
        "crates/",
        "docs/",
        "bench/",
        "fuzz/",
        "conformance/",
        "web/",
        "sim/",
        "deploy/",
        "integrations/",
        ".ci/",
    ];
    top.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*', '<', '{', '…'])
}

fn exists(path: &str) -> bool {
    let path = path.split(':').next().unwrap_or(path);
    Path::new(&source::root()).join(path).exists()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in source::texts().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = Path::new(&path).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or(target);
            let outside =
                file.is_empty() || file.contains("://") || file.contains(' ') || file.starts_with("mailto:");
            if !outside && !source::root().join(&folder).join(file).exists() {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    report(&broken, "Mend the link.");
}

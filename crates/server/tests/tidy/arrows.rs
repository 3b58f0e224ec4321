//! Who may use whom: the crates by their dependencies, the modules of the server by a table.

use std::collections::BTreeSet;

use super::report;
use super::source::{self, Source};

/// What a pure crate must not touch.
const OUTSIDE: [&str; 10] = [
    "tokio",
    "mio",
    "hyper",
    "rusqlite",
    "std::fs",
    "std::net",
    "std::thread",
    "std::io::Read",
    "std::process",
    "std::env",
];

/// Every dependency of the pure crates. A new one needs a reason in docs/decisions.
const CORE: [&str; 9] =
    ["bytes", "serde", "serde_json", "hmac", "sha2", "base64", "aes-siv", "foldhash", "jiff"];
const WIRE: [&str; 11] = [
    "deskbell-core",
    "bytes",
    "serde",
    "serde_json",
    "hmac",
    "sha2",
    "base64",
    "sha1",
    "md-5",
    "flate2",
    "memchr",
];

/// The server's modules and those each may use. What stands in no row may use nothing; `main` starts `cli`.
/// The ways through them are told in ARCHITECTURE.md.
const MAY_USE: &[(&str, &[&str])] = &[
    // The program: the command line, and everything built in order.
    ("cli", &["bench", "clock", "config", "outbox", "portico", "redis", "run", "store"]),
    (
        "run",
        &[
            "admin",
            "appointease",
            "calendars",
            "app",
            "attendance",
            "bell",
            "clock",
            "config",
            "door",
            "handlers",
            "http",
            "hub",
            "identity",
            "limiter",
            "log",
            "logging",
            "metrics",
            "open_files",
            "outbound",
            "outbox",
            "pusher",
            "redis",
            "selections",
            "shard",
            "socketio",
            "store",
            "tenants",
            "tls",
            "webhooks",
            "portico",
        ],
    ),
    ("bench", &["clock", "open_files"]),
    // Where requests come in.
    ("door", &["app", "clock", "hub", "limiter", "shard", "socketio", "tls"]),
    (
        "http",
        &[
            "appointease",
            "calendars",
            "app",
            "clock",
            "door",
            "hub",
            "identity",
            "ledger",
            "limiter",
            "post",
            "pusher",
            "shard",
            "socketio",
            "store",
            "tenants",
            "webhooks",
            "portico",
        ],
    ),
    // Where events go out. A shard knows neither the HTTP API nor the configuration.
    (
        "shard",
        &[
            "app",
            "appointease",
            "bell",
            "clock",
            "door",
            "handlers",
            "hub",
            "identity",
            "ledger",
            "limiter",
            "post",
            "pusher",
            "selections",
            "socketio",
            "store",
            "portico",
        ],
    ),
    // Where publishes cross over, and what every part can reach.
    ("selections", &["hub"]),
    ("ledger", &["app", "clock", "hub", "store"]),
    ("appointease", &["app", "clock", "hub", "ledger", "store"]),
    ("portico", &["clock", "hub", "outbound", "store"]),
    ("outbox", &["clock", "hub", "store"]),
    ("post", &["app", "clock", "hub", "ledger", "store"]),
    (
        "hub",
        &[
            "calendars",
            "app",
            "attendance",
            "clock",
            "door",
            "handlers",
            "limiter",
            "metrics",
            "pusher",
            "redis",
            "shard",
            "store",
            "tenants",
            "webhooks",
            "portico",
        ],
    ),
    ("app", &["appointease", "identity", "log", "pusher", "socketio", "store", "portico"]),
    // Apps that come and go.
    (
        "tenants",
        &[
            "app",
            "appointease",
            "bell",
            "clock",
            "hub",
            "identity",
            "log",
            "pusher",
            "shard",
            "socketio",
            "store",
            "portico",
        ],
    ),
    // What calls other people's servers.
    ("pusher", &["app", "clock", "hub", "outbound", "store"]),
    ("socketio", &["outbound"]),
    ("webhooks", &["clock", "hub", "outbound", "store"]),
    ("handlers", &["clock", "outbound"]),
    ("admin", &["clock", "hub"]),
    ("calendars", &["clock", "hub", "ledger", "outbound", "store"]),
    ("redis", &["clock", "hub", "tls", "portico"]),
    ("outbound", &["tls"]),
    // Parts that know of few others. The store, the limiter, the clock and the options know of none.
    ("identity", &["outbound", "tls"]),
    ("log", &["bell"]),
    ("logging", &["config"]),
    ("metrics", &["clock"]),
];

#[test]
fn the_pure_crates_have_a_fixed_list_of_dependencies() {
    let lists = [("core", CORE.as_slice()), ("wire", WIRE.as_slice())];
    let mut broken = Vec::new();
    for (name, allowed) in lists {
        let found = dependencies(&source::read(&format!("crates/{name}/Cargo.toml")));
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        broken
            .extend(found.symmetric_difference(&allowed).map(|changed| format!("crates/{name}: {changed}")));
    }
    report(
        &broken,
        "A pure crate waits for nothing and reads nothing: change this list with a decision in docs/decisions.",
    );
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next().map(str::trim));
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_pure_crates_touch_nothing_outside() {
    let mut broken = Vec::new();
    for (name, also) in
        [("core", ["deskbell_wire", "deskbell_server"]), ("wire", ["deskbell_server", "reqwest"])]
    {
        for source in source::of_crate(name) {
            for (number, line) in source.shipped() {
                for word in OUTSIDE.iter().chain(&also).filter(|word| is_path(line, word)) {
                    broken.push(format!("{}:{number}: {word}", source.path));
                }
            }
        }
    }
    report(
        &broken,
        "Let the server wait, read and write, and give what it found to the pure code as arguments.",
    );
}

/// Does the line use the path, as in `use tokio::net` or `std::fs::read`?
fn is_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let part = |letter: Option<char>| letter.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && !part(after) && (line[at + path.len()..].starts_with("::") || line.contains("use "))
    })
}

#[test]
fn modules_of_the_server_use_only_those_they_may() {
    let sources = source::of_crate("server");
    let modules = modules(&source::read("crates/server/src/lib.rs"));
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for source in &sources {
        let from = module(source);
        for (number, to) in used(source, &modules) {
            seen.insert((from.clone(), to.clone()));
            if !allowed(&from, &to) {
                broken.push(format!("{}:{number}: {from} may not use {to}", source.path));
            }
        }
    }
    for (from, targets) in MAY_USE {
        let unused = targets.iter().filter(|to| !seen.contains(&((*from).to_owned(), (**to).to_owned())));
        broken.extend(unused.map(|to| format!("{from} no longer uses {to}: drop the arrow from the table")));
    }
    report(
        &broken,
        "Move the code to where it may stand, or argue for a new arrow and draw it in ARCHITECTURE.md.",
    );
}

fn allowed(from: &str, to: &str) -> bool {
    from == to || MAY_USE.iter().any(|(module, targets)| *module == from && targets.contains(&to))
}

/// The modules that `lib.rs` names.
fn modules(lib: &str) -> BTreeSet<String> {
    let lines = lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    lines.map(|name| name.trim_end_matches(';').to_owned()).collect()
}

/// The module at the top of the tree that a file belongs to.
fn module(source: &Source) -> String {
    let below = source.path.trim_start_matches("crates/server/src/");
    below.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// How many `super::` lead from a file to the root of the crate.
fn depth(source: &Source) -> usize {
    let below = source.path.trim_start_matches("crates/server/src/").trim_end_matches(".rs");
    below.trim_end_matches("/mod").split('/').count()
}

/// The top modules that shipped code of a file uses, with the line of each.
fn used(source: &Source, modules: &BTreeSet<String>) -> Vec<(usize, String)> {
    let root = format!(" {}", "super::".repeat(depth(source)));
    let mut found = Vec::new();
    let mut grouped = false;
    for (number, line) in source.shipped() {
        let line = format!(" {line}");
        let starts = line.match_indices("crate::").map(|(at, word)| at + word.len());
        let starts = starts.chain(line.match_indices(&root).map(|(at, word)| at + word.len()));
        for start in starts {
            let rest = &line[start..];
            grouped |= rest.starts_with('{');
            found.extend(
                first_word(rest).filter(|word| modules.contains(*word)).map(|word| (number, word.to_owned())),
            );
        }
        if grouped {
            // Inside `use crate::{…}` every word that is a module counts; a false hit would show itself at once.
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            found.extend(words.filter(|word| modules.contains(*word)).map(|word| (number, word.to_owned())));
            grouped = !line.contains(';');
        }
    }
    found
}

fn first_word(text: &str) -> Option<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
}

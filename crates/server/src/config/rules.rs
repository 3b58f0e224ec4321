//! What must hold between options. Each rule looks at values that are sound one by one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use deskbell_core::calendar::TimeZone;
use deskbell_core::limits;
use deskbell_core::projection::Table;
use deskbell_wire::mysql::Address;
use deskbell_wire::redis::{Kind, Topic};

use super::error::{ConfigError, Source};
use super::settings::Settings;
use super::sources::{FOLLOWERS, Values, text_of};
use super::table::SECTIONS;
use super::value::{Held, Row, Value, show_size, show_time};

/// A secret shorter than this can be guessed.
const SHORT_SECRET: usize = 16;

/// Checks every rule and gathers what is broken.
pub fn check(values: &Values, errors: &mut Vec<ConfigError>) {
    listeners(values, errors);
    tls(values, errors);
    apps(values, errors);
    channels(values, errors);
    access(values, errors);
    projections(values, errors);
    outward(values, errors);
    redis(values, errors);
    amounts(values, errors);
    files(values, errors);
    slots(values, errors);
}

fn refuse(errors: &mut Vec<ConfigError>, held: &Held, key: &str, sentence: impl Into<String>) {
    errors.push(ConfigError::new(&held.source, key, sentence));
}

fn rows<'a>(values: &'a Values, key: &str) -> &'a [Row] {
    match &values.held(key).value {
        Value::Rows(rows) => rows,
        _ => &[],
    }
}

fn amount(held: &Held) -> Option<u64> {
    match held.value {
        Value::Number(n) | Value::Size(n) | Value::Time(n) => Some(n),
        _ => None,
    }
}

fn text<'a>(row: &'a Row, key: &str) -> &'a str {
    row.cells.get(key).and_then(|held| text_of(&held.value)).unwrap_or_default()
}

fn is_empty(held: &Held) -> bool {
    match &held.value {
        Value::Unset => true,
        Value::Texts(texts) => texts.is_empty(),
        Value::Rows(rows) => rows.is_empty(),
        _ => false,
    }
}

fn slots(values: &Values, errors: &mut Vec<ConfigError>) {
    let held = values.held("appointease.time_zone");
    if let Some(Err(why)) = text_of(&held.value).map(TimeZone::parse) {
        refuse(errors, held, "appointease.time_zone", why.message.into_owned());
    }
    let held = values.held("appointease.slot");
    if amount(held).is_some_and(|slot| !slot.is_multiple_of(limits::MINUTE)) {
        refuse(errors, held, "appointease.slot", "a slot has whole minutes; write one like 30m");
    }
    let held = values.held("appointease.database");
    if let Some(Err(why)) = text_of(&held.value).map(|url| Address::parse(url, "")) {
        let sentence = format!("the address {why}; write mysql://USER:PASSWORD@127.0.0.1:3306/DATABASE");
        refuse(errors, held, "appointease.database", sentence);
    }
}

fn listeners(values: &Values, errors: &mut Vec<ConfigError>) {
    let held = values.held("listen");
    if is_empty(held) {
        refuse(errors, held, "listen", "names no address; write one like 127.0.0.1:8080");
    }
    let has_certificate = !is_empty(values.held("tls.cert")) || !is_empty(values.held("tls.acme.domains"));
    let dev = values.held("dev").value == Value::Flag(true);
    let forced = values.held("dev_force").value == Value::Flag(true);
    let mut seen: Vec<SocketAddr> = Vec::new();
    for row in rows(values, "listen") {
        let (Some(cell), Ok(addr)) = (row.cells.get("addr"), text(row, "addr").parse::<SocketAddr>()) else {
            continue;
        };
        if seen.contains(&addr) && addr.port() != 0 {
            refuse(errors, cell, "listen.addr", format!("{addr} is listed twice; remove one"));
        }
        seen.push(addr);
        if dev && !forced && !addr.ip().is_loopback() {
            let sentence = format!(
                "development mode needs no secrets, and {addr} can be reached by others; listen on 127.0.0.1, \
                 or set dev_force if that is meant"
            );
            refuse(errors, values.held("dev"), "dev", sentence);
        }
        if let Some(tls) =
            row.cells.get("tls").filter(|tls| tls.value == Value::Flag(true) && !has_certificate)
        {
            let sentence = "TLS needs a certificate; set tls.cert and tls.key, or tls.acme.domains";
            refuse(errors, tls, "listen.tls", sentence);
        }
    }
}

fn tls(values: &Values, errors: &mut Vec<ConfigError>) {
    let (cert, key) = (values.held("tls.cert"), values.held("tls.key"));
    match (is_empty(cert), is_empty(key)) {
        (false, true) => refuse(errors, cert, "tls.cert", "needs its private key; set tls.key"),
        (true, false) => refuse(errors, key, "tls.key", "needs its certificate; set tls.cert"),
        _ => {}
    }
    let domains = values.held("tls.acme.domains");
    if !is_empty(cert) && !is_empty(domains) {
        let sentence = "certificates come from own files or from an authority; remove tls.cert or this";
        refuse(errors, domains, "tls.acme.domains", sentence);
    }
}

fn apps(values: &Values, errors: &mut Vec<ConfigError>) {
    // One app is known by its id and by its key, so neither may be there twice.
    let single = |key| ("app", values.held(key));
    let of_rows = |field: &'static str| {
        rows(values, "apps").iter().filter_map(move |row| Some(("apps", row.cells.get(field)?)))
    };
    for (field, first) in [("id", single("app.id")), ("key", single("app.key"))] {
        let mut seen: Vec<&Value> = Vec::new();
        for (table, held) in std::iter::once(first).chain(of_rows(field)) {
            if held.value == Value::Unset {
                continue;
            }
            if seen.contains(&&held.value) {
                refuse(
                    errors,
                    held,
                    &format!("{table}.{field}"),
                    "another app has the same; each needs its own",
                );
            }
            seen.push(&held.value);
        }
    }
    let known: Vec<u64> =
        std::iter::once(single("app.id")).chain(of_rows("id")).filter_map(|(_, held)| amount(held)).collect();
    for app in rows(values, "listen").iter().filter_map(|row| row.cells.get("app")) {
        if let Some(id) = amount(app).filter(|id| !known.contains(id)) {
            refuse(
                errors,
                app,
                "listen.app",
                format!("no app has the id {id}; set app.id or an [[apps]] with it"),
            );
        }
    }
}

fn channels(values: &Values, errors: &mut Vec<ConfigError>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for row in rows(values, "channels") {
        let pattern = text(row, "pattern");
        if let Some(cell) = row.cells.get("pattern").filter(|_| !seen.insert(pattern)) {
            let sentence =
                format!("\"{pattern}\" stands above already, so this table would never count; remove one");
            refuse(errors, cell, "channels.pattern", sentence);
        }
        let durable = row.cells.get("durable").filter(|held| held.value == Value::Flag(true));
        if let Some(durable) = durable.filter(|_| text(row, "class") == "ephemeral") {
            let sentence =
                "an ephemeral channel keeps nothing, so it cannot be durable; remove durable or the class";
            refuse(errors, durable, "channels.durable", sentence);
        }
    }
}

fn access(values: &Values, errors: &mut Vec<ConfigError>) {
    for row in rows(values, "access") {
        if let Some(allow) = row.cells.get("allow").filter(|held| is_empty(held)) {
            refuse(errors, allow, "access.allow", "allows nothing; write what is allowed, such as subscribe");
        }
        let (pattern, to) = (text(row, "pattern"), text(row, "to"));
        let cell = row.cells.get("to").filter(|_| to == "everyone" && pattern.contains("{user}"));
        if let Some(cell) = cell {
            let sentence =
                "a pattern with {user} is for signed-in users; write to = \"user\", or * in the pattern";
            refuse(errors, cell, "access.to", sentence);
        }
    }
}

/// What Deskbell calls by itself is known by its name, within its app, so no name may be there twice.
fn outward(values: &Values, errors: &mut Vec<ConfigError>) {
    let lists = [
        ("webhooks", ["name", "name"], limits::WEBHOOKS),
        ("calendars", ["resource", "source"], limits::CALENDARS),
        ("pusher_webhooks", ["url", "url"], limits::WEBHOOKS),
    ];
    for (table, names, most) in lists {
        let mut seen = BTreeSet::new();
        for row in rows(values, table) {
            let app = row.cells.get("app").and_then(amount);
            let known = seen.len();
            if let Some(cell) = row.cells.get(names[1])
                && !seen.insert((app, text(row, names[0]), text(row, names[1])))
            {
                let sentence = "stands above already; give each its own";
                refuse(errors, cell, &format!("{table}.{}", names[1]), sentence);
            }
            if let Some(cell) = row.cells.get("url").filter(|_| known == most) {
                refuse(errors, cell, table, format!("are more than {most}; take some out"));
            }
        }
    }
    for row in rows(values, "webhooks") {
        for key in ["channels", "events"] {
            let Some(cell) = row.cells.get(key) else { continue };
            let count = if let Value::Texts(texts) = &cell.value { texts.len() } else { 0 };
            if count == 0 || count > limits::WEBHOOK_PATTERNS {
                let sentence =
                    format!("has {count} patterns; write 1 to {}, such as *", limits::WEBHOOK_PATTERNS);
                refuse(errors, cell, &format!("webhooks.{key}"), sentence);
            }
        }
    }
}

/// Channels of Redis that can be told apart, and a pattern that fits what is written there.
fn redis(values: &Values, errors: &mut Vec<ConfigError>) {
    let held = values.held("redis.channels");
    let rows = rows(values, "redis.channels");
    if rows.is_empty() || rows.len() > limits::REDIS_CHANNELS {
        let sentence = format!("has {} rows; write 1 to {}", rows.len(), limits::REDIS_CHANNELS);
        refuse(errors, held, "redis.channels", sentence);
    }
    let mut seen = BTreeSet::new();
    for row in rows {
        let pattern = text(row, "pattern");
        let Some(cell) = row.cells.get("pattern") else { continue };
        let wrong = match Kind::parse(text(row, "kind")).map(|kind| Topic::parse(pattern, kind)) {
            Some(Err(bad)) => Some(format!("\"{pattern}\" {bad}")),
            _ if !seen.insert(pattern) => {
                Some(format!("\"{pattern}\" stands above already, so this would never count; remove one"))
            }
            _ => None,
        };
        if let Some(sentence) = wrong {
            refuse(errors, cell, "redis.channels.pattern", sentence);
        }
    }
}

/// Rows of projections that nothing could be made of.
fn projections(values: &Values, errors: &mut Vec<ConfigError>) {
    for row in rows(values, "projections") {
        let data = row.cells.get("data");
        let Some(parsed) = super::build::projection(row) else {
            if let Some(cell) = data.filter(|cell| !is_empty(cell)) {
                refuse(
                    errors,
                    cell,
                    "projections.data",
                    "is no JSON; write it as '{\"id\":\"$reservation.id\"}'",
                );
            }
            continue;
        };
        if let (Err(no), Some(cell)) = (Table::new(vec![parsed]), data) {
            let sentence = no.message.strip_prefix("projection 0: ").unwrap_or(&no.message).to_owned();
            refuse(errors, cell, "projections", sentence);
        }
    }
}

/// Amounts that only make sense next to each other. One that nobody typed has followed already.
fn amounts(values: &Values, errors: &mut Vec<ConfigError>) {
    for (follower, leader, times, why) in FOLLOWERS {
        let held = values.held(follower);
        let least = values.number_of(leader).saturating_mul(times);
        if values.number_of(follower) >= least {
            continue;
        }
        let shown = if matches!(held.value, Value::Size(_)) { show_size(least) } else { show_time(least) };
        let count = if times == 1 { String::new() } else { format!("{times} times ") };
        let sentence =
            format!("must be at least {shown}, {count}{leader}, {why}; raise it or lower {leader}");
        refuse(errors, held, follower, sentence);
    }
}

/// Files that are named must be there, so that the start fails here and not at the first use.
fn files(values: &Values, errors: &mut Vec<ConfigError>) {
    for key in ["tls.cert", "tls.key", "tls.acme.ca_file", "auth.jwt_public_key", "redis.ca_file"] {
        let held = values.held(key);
        let Some(path) = text_of(&held.value) else { continue };
        if let Err(error) = std::fs::File::open(Path::new(path)) {
            refuse(errors, held, key, format!("\"{path}\" cannot be read: {error}"));
        }
    }
}

/// What is doubtful but stops nothing.
pub fn warnings(settings: &Settings) -> Vec<String> {
    let mut found = settings.sources.doubtful_variables();
    for opt in SECTIONS.iter().flat_map(|section| section.options).filter(|opt| opt.is_secret()) {
        let held = settings.values.held(opt.key);
        if matches!(held.source, Source::Flag(_)) {
            found.push(format!(
                "{} was given on the command line, where every user of this machine can read it; use {}",
                opt.key,
                opt.env()
            ));
        }
        if text_of(&held.value).is_some_and(|secret| secret.len() < SHORT_SECRET) {
            found.push(short(opt.key));
        }
    }
    for app in &settings.apps {
        let is_short = app.secret.as_ref().is_some_and(|secret| secret.expose().len() < SHORT_SECRET);
        if is_short && app.name != "default" {
            found.push(short(&format!("the secret of app {}", app.name)));
        }
    }
    found
}

fn short(what: &str) -> String {
    format!("{what} is shorter than {SHORT_SECRET} characters and can be guessed; make it longer")
}

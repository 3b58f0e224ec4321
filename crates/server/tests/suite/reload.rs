//! SIGHUP: what can change while the server runs does, and what cannot is said.

use super::harness::*;
use crate::json;

const OPEN: &str = "[[access]]\npattern = \"*\"\nallow = [\"subscribe\", \"publish\"]\nto = \"everyone\"\n";
const SHUT: &str = "[[access]]\npattern = \"open-*\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n";

/// Takes another configuration, and waits until it counts.
fn reload(server: &mut Server, config: &str) {
    server.configure(config);
    server.signal("HUP");
    server.line_with("the configuration was reloaded");
}

/// Tries to, and gives the line that says why not.
fn broken(server: &mut Server, config: &str) -> String {
    server.configure(config);
    server.signal("HUP");
    server.line_with("the configuration was not reloaded")
}

#[test]
fn new_rules_count_at_once_and_end_what_they_no_longer_allow() {
    let mut server = Server::start(Start::with(OPEN));
    let mut ws = server.ws();
    ws.subscribe("lobby");
    ws.subscribe("open-lobby");
    reload(&mut server, SHUT);
    let reset = ws.expect("reset");
    assert_eq!((&reset["channel"], &reset["reason"]), (&json!("lobby"), &json!("denied")));
    server.send("lobby", 1);
    server.send("open-lobby", 2);
    assert_eq!(ws.event(), 2);
    assert_eq!(ws.ask(json!({"type": "subscribe", "channel": "lobby"}))["code"], "denied");
    reload(&mut server, OPEN);
    ws.subscribe("lobby");
}

#[test]
fn new_limits_count_for_those_who_are_there() {
    let mut server = Server::start(Start::default().flag("--dev"));
    let mut ws = server.ws();
    ws.subscribe("a");
    reload(
        &mut server,
        "limit.subscriptions = 1\nlimit.frame = \"1KiB\"\nlimit.body = \"1KiB\"\nlimit.header = \"1KiB\"",
    );
    assert_eq!(ws.ask(json!({"type": "subscribe", "channel": "b"}))["code"], "limit_reached");
    let body = json!({"channel": "a", "name": "e", "data": "x".repeat(2_000)});
    assert_eq!(post(&server, "/v1/publish", &body).status, 413);
    assert_eq!(Conn::open(&server).get("/readyz", &[("Cookie", &"x".repeat(1_100))]).status, 431);
    ws.send_text(&" ".repeat(1_025));
    assert_eq!(ws.until_closed().code, Some(1009));
}

#[test]
fn new_token_keys_count_and_old_ones_do_not() {
    let (old, new) = ("an old secret of the site that signs", "a new secret of the site that signs");
    let mut server = Server::start(Start::with(&format!("auth.jwt_secret = \"{old}\"")));
    let is_known = |server: &Server, secret: &str| {
        let token = token_signed(&json!({"sub": "7", "exp": in_seconds(60)}), secret);
        server.ws().ask(json!({"type": "authenticate", "token": token}))["type"] == "ok"
    };
    assert!(is_known(&server, old) && !is_known(&server, new));
    reload(&mut server, &format!("auth.jwt_secret = \"{new}\""));
    assert!(is_known(&server, new) && !is_known(&server, old));
}

#[test]
fn a_new_secret_of_an_app_counts_for_its_backend() {
    let app = |secret: &str| format!("apps = [{{ id = 2, key = \"second\", secret = \"{secret}\" }}]");
    let (old, new) = ("the old secret of the second app, long", "the new secret of the second app, long");
    let mut server = Server::start(Start::with(&app(old)));
    let status = |server: &Server, secret: &str| {
        let bearer = format!("Bearer {secret}");
        let body = r#"{"channel":"a","name":"e","data":1}"#;
        request(server, "POST", "/v1/publish", &[("Authorization", &bearer)], Some(body)).status
    };
    assert_eq!((status(&server, old), status(&server, new)), (200, 401));
    reload(&mut server, &app(new));
    assert_eq!((status(&server, old), status(&server, new)), (401, 200));
    // The secrets follow their apps, also where the order in the file changes.
    let first = "{ id = 3, key = \"third\", secret = \"the secret of a third app, long enough\" }";
    let both = format!("apps = [{first}, {{ id = 2, key = \"second\", secret = \"{old}\" }}]");
    server.configure(&both);
    server.signal("HUP");
    server.line_with("apps has changed, but counts only after a restart");
    server.line_with("the configuration was reloaded");
    assert_eq!((status(&server, old), status(&server, new)), (200, 401));
}

#[test]
fn a_broken_file_changes_nothing_and_is_named() {
    let mut server = Server::start(Start::with(OPEN));
    let mut ws = server.ws();
    ws.subscribe("lobby");
    let line = broken(&mut server, &format!("limit.subscriptions = \"x\"\n{SHUT}"));
    assert!(line.contains("deskbell.toml:1: limit.subscriptions"), "{line}");
    broken(&mut server, "[[access");
    // A file that is named and cannot be used is found before anything is taken.
    let absent = format!("log.file = \"{}\"\n{SHUT}", server.data.join("absent/deskbell.log").display());
    let line = broken(&mut server, &absent);
    assert!(line.contains("log.file"), "{line}");
    let line = broken(&mut server, &format!("auth.jwt_public_key = \"/dev/null\"\n{SHUT}"));
    assert!(line.contains("key"), "{line}");
    server.send("lobby", 1);
    assert_eq!(ws.event(), 1);
    ws.subscribe("elsewhere");
    reload(&mut server, SHUT);
    assert_eq!(ws.expect("reset")["reason"], "denied");
}

#[test]
fn what_needs_a_restart_is_said() {
    let mut server = Server::start(Start::with("shards = 1"));
    server.configure("shards = 2\nlimit.subscriptions = 1");
    server.signal("HUP");
    let line = server.line_with("counts only after a restart");
    assert!(line.contains("shards"), "{line}");
    server.line_with("the configuration was reloaded");
    let mut ws = server.ws();
    ws.subscribe("public-a");
    assert_eq!(ws.ask(json!({"type": "subscribe", "channel": "public-b"}))["code"], "limit_reached");
}

#[test]
fn a_log_file_that_was_rotated_away_is_opened_anew() {
    let mut server = Server::start(Start::with(OPEN));
    let file = server.data.join("deskbell.log");
    let config = format!("log.file = \"{}\"\n{OPEN}", file.display());
    let read = |file: &std::path::Path| std::fs::read_to_string(file).unwrap_or_default();
    server.configure(&config);
    server.signal("HUP");
    eventually("lines go to the file", || read(&file).contains("the configuration was reloaded"));
    let old = server.data.join("deskbell.log.1");
    std::fs::rename(&file, &old).unwrap();
    server.signal("HUP");
    eventually("lines go to the new file", || read(&file).contains("the configuration was reloaded"));
    assert_eq!(read(&old).matches("the configuration was reloaded").count(), 1);
    reload(&mut server, OPEN);
}

#[test]
fn the_level_of_the_log_can_be_raised_and_lowered() {
    let mut server = Server::start(Start::with("log.level = \"info\""));
    let refuse = |server: &Server| {
        assert!(Ws::open_with(server, "/v1/ws?app=nobody", &[]).is_err());
    };
    refuse(&server);
    reload(&mut server, "log.level = \"debug\"");
    assert!(!server.log.lock().unwrap().iter().any(|line| line.contains("an upgrade was refused")));
    refuse(&server);
    server.line_with("an upgrade was refused");
    server.configure("log.enabled = false");
    server.signal("HUP");
    eventually("nothing is logged", || {
        let before = server.log.lock().unwrap().len();
        refuse(&server);
        refuse(&server);
        server.log.lock().unwrap().len() == before
    });
}

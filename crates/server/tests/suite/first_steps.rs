//! What everybody tries first.

use super::harness::*;
use crate::json;

#[test]
fn a_published_event_arrives() {
    let server = Server::dev();
    let mut ws = server.ws();
    ws.subscribe("lobby");
    server.send("lobby", "hello");
    assert_eq!(ws.event(), "hello");
}

#[test]
fn a_client_that_was_away_catches_up_exactly() {
    let server = Server::dev();
    let mut ws = server.ws();
    ws.subscribe("lobby");
    server.send("lobby", 1);
    assert_eq!(ws.event(), 1);
    let resume = ws.welcome["resume"].clone();
    let cursor = ws.cut();
    server.send("lobby", 2);
    server.send("lobby", 3);
    let mut back = server.ws();
    back.send(&json!({"type": "hello", "resume": resume, "cursor": cursor, "channels": ["lobby"]}));
    assert_eq!(back.expect("welcome")["resumed"], true);
    assert_eq!(back.expect("subscribed")["recovered"], true);
    assert_eq!((back.event(), back.event()), (json!(2), json!(3)));
    server.send("lobby", 4);
    assert_eq!(back.event(), 4);
}

#[test]
fn a_clean_restart_resets_nobody() {
    let server = Server::start(Start::default().flag("--dev").flag("--set").flag("drain=1s"));
    let mut ws = server.ws();
    ws.subscribe("lobby");
    server.send("lobby", 1);
    assert_eq!(ws.event(), 1);
    let server = server.stop_and_restart();
    assert_eq!(ws.expect("closing")["type"], "closing");
    assert_eq!(ws.until_closed().code, Some(1012));
    let (resume, cursor) = (ws.welcome["resume"].clone(), ws.cursor.clone());
    server.send("lobby", 2);
    let mut back = server.ws();
    back.send(&json!({"type": "hello", "resume": resume, "cursor": cursor}));
    assert_eq!(back.expect("welcome")["resumed"], true);
    assert_eq!(back.expect("subscribed")["channel"], "lobby");
    assert_eq!(back.event(), 2);
}

//! One session and several connections: moved between shards, resumed by many at once, shared by tabs.

use super::harness::*;
use serde_json::{Value, json};

fn two_shards() -> Start {
    Start::default().flag("--dev").flag("--shards").flag("2")
}

fn moved(server: &Server) -> u64 {
    let text = server.api("GET", "/metrics", None).text();
    let line = text.lines().find_map(|line| line.strip_prefix("deskbell_sessions_moved_total "));
    line.unwrap_or_else(|| panic!("no counter in {text}")).parse().unwrap()
}

#[test]
fn a_session_is_resumed_on_another_shard() {
    let server = Server::start(two_shards());
    let mut old = server.ws();
    old.subscribe("lobby");
    server.send("lobby", 1);
    assert_eq!(old.event(), 1);
    let (key, id) = (old.resume_key(), old.public_id());
    server.send("lobby", 2);
    // Connections go to the shards in turn, so this one is on the other.
    let mut back = Ws::back(&server, Some(&key), &old.cursor.clone(), &[]);
    assert_eq!((&back.welcome["resumed"], back.public_id()), (&json!(true), id));
    assert_eq!(back.expect("subscribed")["recovered"], true);
    assert_eq!(back.event(), 2);
    assert_eq!(moved(&server), 1, "it was another shard");
    assert_eq!(old.until_closed().code, Some(4409), "the older connection is told");
    server.send("lobby", 3);
    assert_eq!(back.event(), 3);
    back.expect_nothing();
}

#[test]
fn a_parked_session_moves_too() {
    let server = Server::start(two_shards());
    let mut old = server.ws();
    old.subscribe("lobby");
    let key = old.resume_key();
    let cursor = old.cut();
    server.send("lobby", 1);
    let mut back = Ws::back(&server, Some(&key), &cursor, &[]);
    assert_eq!(back.welcome["resumed"], true);
    back.expect("subscribed");
    assert_eq!(back.event(), 1);
    assert_eq!(moved(&server), 1);
}

#[test]
fn many_resume_one_session_at_once_and_each_has_every_event_once() {
    let server = Server::start(two_shards().flag("--set").flag("presence.grace=1s"));
    let mut watcher = server.ws();
    watcher.subscribe("lobby");
    for round in 0..20 {
        let mut first = server.ws();
        first.subscribe("lobby");
        let (key, cursor) = (first.resume_key(), first.cursor.clone());
        server.send("lobby", round * 10);
        let mut racers: Vec<Ws> = (0..6).map(|_| server.ws()).collect();
        for racer in &mut racers {
            racer.send(&json!({"type": "hello", "resume": key, "cursor": cursor, "channels": ["lobby"]}));
        }
        server.send("lobby", round * 10 + 1);
        let mut owners = 0;
        for (number, racer) in racers.iter_mut().enumerate() {
            let resumed = racer.expect("welcome")["resumed"] == true;
            let mut heard: Vec<Value> = Vec::new();
            while let Some(frame) = racer.try_next() {
                if frame["type"] == "event" {
                    heard.push(frame["data"].clone());
                }
                if heard.len() == 2 {
                    break;
                }
            }
            let whole = [json!(round * 10), json!(round * 10 + 1)];
            assert!(whole.starts_with(&heard), "racer {number} of round {round}: {heard:?}");
            match &racer.closed {
                Some(closed) => assert_eq!((closed.code, resumed), (Some(4409), true), "racer {number}"),
                None => assert_eq!(heard, whole, "racer {number} of round {round}"),
            }
            owners += usize::from(resumed);
        }
        assert!(owners >= 1, "nobody got the session");
        assert_eq!(first.until_closed().code, Some(4409));
        assert_eq!((watcher.event(), watcher.event()), (json!(round * 10), json!(round * 10 + 1)));
    }
    assert!(moved(&server) > 0);
}

#[test]
fn two_tabs_of_one_visitor_are_one_member_and_two_sessions() {
    let config = "[presence]\ngrace = \"0s\"\n[[channels]]\npattern = \"room\"\npresence = true\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let first = server.ws();
    let cookie = first.cookie().expect("a new visitor gets a cookie");
    let tab = || Ws::open_with(&server, "/v1/ws", &[("Cookie", &cookie)]).unwrap();
    let (mut one, mut two) = (tab(), tab());
    assert_eq!(one.cookie(), None, "a known visitor gets no new cookie");
    assert_ne!(one.public_id(), two.public_id());
    let mut watcher = server.ws();
    watcher.subscribe("room");
    watcher.expect("presence");
    for tab in [&mut one, &mut two] {
        tab.subscribe("room");
        assert_eq!(tab.ask(json!({"type": "enter", "channel": "room", "data": {"n": 1}}))["type"], "ok");
    }
    assert_eq!(watcher.expect("joined")["members"].as_array().unwrap().len(), 1);
    watcher.expect_nothing();
    assert_eq!(one.ask(json!({"type": "leave", "channel": "room"}))["type"], "ok");
    watcher.expect_nothing();
    assert_eq!(two.ask(json!({"type": "leave", "channel": "room"}))["type"], "ok");
    watcher.expect("left");
    watcher.expect_nothing();
}

#[test]
fn except_holds_for_the_old_and_the_new_connection_live_and_in_replay() {
    let server = Server::dev();
    let mut author = server.ws();
    let mut other = server.ws();
    author.subscribe("lobby");
    other.subscribe("lobby");
    let id = author.public_id();
    let send = |n: i64, except: &str| {
        server.publish(&json!({"channel": "lobby", "name": "e", "data": n, "except": except}));
    };
    send(1, &id);
    server.send("lobby", 2);
    assert_eq!(author.event(), 2, "live");
    let (key, cursor) = (author.resume_key(), author.cut());
    send(3, &id);
    server.send("lobby", 4);
    let mut back = Ws::back(&server, Some(&key), &cursor, &["lobby"]);
    back.expect("subscribed");
    assert_eq!(back.event(), 4, "in replay");
    back.expect_nothing();
    send(5, &id);
    send(6, &back.public_id());
    server.send("lobby", 7);
    assert_eq!(back.event(), 7, "live again, by either id");
    back.expect_nothing();
    let heard: Vec<Value> = (0..7).map(|_| other.event()).collect();
    assert_eq!(heard, [1, 2, 3, 4, 5, 6, 7].map(Value::from), "everybody else has all");
}

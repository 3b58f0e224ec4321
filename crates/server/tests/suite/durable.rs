//! Durable channels over restarts and crashes, alone and beside memory channels.

use std::collections::BTreeMap;

use super::harness::*;
use serde_json::{Value, json};

const CONFIG: &str = r#"
drain = "1s"
[limit]
connect_rate_per_address = 0
[[channels]]
pattern = "kept-small"
durable = true
history_count = 5
[[channels]]
pattern = "kept*"
durable = true
[[channels]]
pattern = "state"
class = "latest"
durable = true
"#;

fn server() -> Server {
    Server::start(Start::with(CONFIG).flag("--dev"))
}

/// Frames up to and with the last awaited event, by channel; and how often each was reset.
#[derive(Default)]
struct Got {
    events: BTreeMap<String, Vec<i64>>,
    resets: Vec<(String, String)>,
}

impl Got {
    fn read(&mut self, ws: &mut Ws, until: impl Fn(&Self) -> bool) {
        while !until(self) {
            let frame = ws.next();
            let channel = frame["channel"].as_str().unwrap_or_default().to_owned();
            match frame["type"].as_str() {
                Some("event") => {
                    self.events.entry(channel).or_default().push(frame["data"].as_i64().unwrap());
                }
                Some("reset") => self.resets.push((channel, frame["reason"].as_str().unwrap().to_owned())),
                _ => {}
            }
        }
    }

    fn of(&self, channel: &str) -> &[i64] {
        self.events.get(channel).map_or(&[], Vec::as_slice)
    }
}

fn range(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

fn send_range(server: &Server, channel: &str, from: i64, to: i64) {
    let events: Vec<(&str, i64)> = (from..=to).map(|n| (channel, n)).collect();
    server.send_all(&events);
}

#[test]
fn nothing_is_lost_or_doubled_over_clean_restarts_and_crashes() {
    let mut server = server();
    let mut ws = server.ws();
    ws.subscribe("kept");
    let mut got = Got::default();
    for round in 0..4 {
        let base = round * 30;
        send_range(&server, "kept", base, base + 9);
        // Some rounds the reader has read them all, in others only a part or nothing at all.
        let read = base + [9, 4, 0, 9][round as usize];
        got.read(&mut ws, |got| got.of("kept").last() == Some(&read));
        let cursor = ws.cursor.clone();
        send_range(&server, "kept", base + 10, base + 19);
        drop(ws);
        server = if round % 2 == 0 { server.crash_and_restart() } else { server.stop_and_restart() };
        send_range(&server, "kept", base + 20, base + 29);
        ws = Ws::back(&server, None, &cursor, &["kept"]);
        assert_eq!(ws.expect("subscribed")["recovered"], true, "round {round}");
    }
    got.read(&mut ws, |got| got.of("kept").last() == Some(&119));
    assert_eq!(got.of("kept"), range(0, 119));
    assert!(got.resets.is_empty(), "{:?}", got.resets);
    ws.expect_nothing();
}

#[test]
fn an_acknowledged_write_survives_a_crash_right_behind_it() {
    let mut server = server();
    let cursor = server.ws().cursor;
    for round in 0..3 {
        send_range(&server, "kept", round * 100, round * 100 + 99);
        server = server.crash_and_restart();
    }
    let mut ws = Ws::back(&server, None, &cursor, &["kept"]);
    let mut got = Got::default();
    got.read(&mut ws, |got| got.of("kept").len() == 300);
    assert_eq!(got.of("kept"), range(0, 299));
}

#[test]
fn after_a_crash_each_memory_channel_is_reset_exactly_once() {
    let server = server();
    let mut ws = server.ws();
    let names = ["a", "b", "kept", "kept-2"];
    ws.send(&json!({"type": "hello", "channels": names}));
    ws.expect("welcome");
    for _ in names {
        ws.expect("subscribed");
    }
    for n in 0..5 {
        server.send_all(&names.map(|name| (name, n)));
    }
    let mut got = Got::default();
    got.read(&mut ws, |got| names.iter().all(|name| got.of(name).len() == 5));
    let (key, cursor) = (ws.resume_key(), ws.cursor.clone());
    server.send_all(&names.map(|name| (name, 5)));
    let server = server.crash_and_restart();
    let mut back = Ws::back(&server, Some(&key), &cursor, &names);
    let mut after = Got::default();
    after.read(&mut back, |got| got.resets.len() == 2 && got.of("kept").len() + got.of("kept-2").len() == 2);
    after.resets.sort();
    let epoch = |name: &str| (name.to_owned(), "epoch".to_owned());
    assert_eq!(after.resets, [epoch("a"), epoch("b")]);
    server.send_all(&names.map(|name| (name, 6)));
    after.read(&mut back, |got| names.iter().all(|name| got.of(name).last() == Some(&6)));
    assert_eq!((after.of("a"), after.of("kept"), after.of("kept-2")), (&[6][..], &[5, 6][..], &[5, 6][..]));
    assert_eq!(after.resets.len(), 2);
    // Who resumes from here is reset no more.
    let mut again = Ws::back(&server, Some(&back.resume_key()), &back.cursor.clone(), &names);
    for _ in names {
        assert_eq!(again.expect("subscribed")["recovered"], true);
    }
    again.expect_nothing();
}

#[test]
fn a_clean_restart_resets_no_mixed_subscription() {
    let server = server();
    let names = ["a", "kept", "state"];
    let mut ws = server.ws();
    ws.send(&json!({"type": "hello", "channels": names}));
    ws.expect("welcome");
    for _ in names {
        ws.expect("subscribed");
    }
    server.send_all(&names.map(|name| (name, 1)));
    let mut got = Got::default();
    got.read(&mut ws, |got| names.iter().all(|name| got.of(name).len() == 1));
    let cursor = ws.cursor.clone();
    server.send_all(&names.map(|name| (name, 2)));
    let server = server.stop_and_restart();
    server.send_all(&names.map(|name| (name, 3)));
    let mut back = Ws::back(&server, None, &cursor, &names);
    got.read(&mut back, |got| names.iter().all(|name| got.of(name).last() == Some(&3)));
    assert_eq!((got.of("a"), got.of("kept")), (&[1, 2, 3][..], &[1, 2, 3][..]));
    assert_eq!(got.resets, []);
    back.expect_nothing();
}

#[test]
fn what_is_older_than_memory_comes_from_the_file_and_is_merged_right() {
    let server = server();
    let cursor = server.ws().cursor;
    // Far more than the five that memory keeps of one, and than a page; the other is all in memory.
    for part in 0..7 {
        send_range(&server, "kept-small", part * 100, part * 100 + 99);
        send_range(&server, "kept", part * 10, part * 10 + 9);
        send_range(&server, "a", part * 10, part * 10 + 9);
    }
    let names = ["kept-small", "kept", "a"];
    let ends = [("kept-small", 699), ("kept", 69), ("a", 69)];
    let mut ws = Ws::back(&server, None, &cursor, &names);
    let mut frames: Vec<(Value, String)> = Vec::new();
    let mut ended = 0;
    while ended < ends.len() {
        let frame = ws.next();
        ended +=
            usize::from(ends.iter().any(|(name, end)| frame["channel"] == *name && frame["data"] == *end));
        frames.push((frame, ws.cursor.clone()));
    }
    ws.expect_nothing();
    for (name, end) in ends {
        let data: Vec<i64> = frames
            .iter()
            .filter(|(f, _)| f["channel"] == name)
            .filter_map(|(f, _)| f["data"].as_i64())
            .collect();
        assert_eq!(data, range(0, end), "{name}");
    }
    // A cut at any place in between, from the file or from memory, goes on exactly there.
    for place in (0..frames.len()).step_by(41) {
        let mut got = Got::default();
        for (frame, _) in &frames[..=place] {
            if let Some(n) = frame["data"].as_i64() {
                got.events.entry(frame["channel"].as_str().unwrap().to_owned()).or_default().push(n);
            }
        }
        let mut back = Ws::back(&server, None, &frames[place].1, &names);
        got.read(&mut back, |got| ends.iter().all(|(name, end)| got.of(name).last() == Some(end)));
        for (name, end) in ends {
            assert_eq!(got.of(name), range(0, end), "{name}, cut behind frame {place}");
        }
        assert!(got.resets.is_empty());
        back.expect_no_event();
    }
}

#[test]
fn a_channel_that_is_added_while_the_file_is_read_gets_its_own_events() {
    let server = server();
    let cursor = server.ws().cursor;
    send_range(&server, "kept-small", 0, 299);
    send_range(&server, "a", 0, 9);
    let mut ws = Ws::back(&server, None, &cursor, &["kept-small"]);
    ws.send(&json!({"type": "subscribe", "channel": "a", "since": cursor}));
    ws.send(&json!({"type": "subscribe", "channel": "state"}));
    server.send("state", 1);
    let mut got = Got::default();
    got.read(&mut ws, |got| {
        got.of("kept-small").len() == 300 && got.of("a").len() == 10 && got.of("state").len() == 1
    });
    assert_eq!((got.of("kept-small"), got.of("a")), (&range(0, 299)[..], &range(0, 9)[..]));
    ws.expect_no_event();
}

#[test]
fn a_retried_publish_acts_once_also_over_restarts() {
    let mut server = server();
    let cursor = server.ws().cursor;
    let publish = json!({"channel": "kept", "name": "e", "data": 1, "id": "order-1"});
    let first = server.publish(&publish);
    assert_eq!(server.publish(&publish)["id"], first["id"]);
    server = server.crash_and_restart();
    assert_eq!(server.publish(&publish)["id"], first["id"]);
    server = server.stop_and_restart();
    let again = server.publish(&publish);
    assert_eq!(again["id"], first["id"]);
    let other =
        post(&server, "/v1/publish", &json!({"channel": "kept", "name": "e", "data": 2, "id": "order-1"}));
    assert_eq!(other.status, 409, "{}", other.text());
    server.send("kept", 2);
    let mut ws = Ws::back(&server, None, &cursor, &["kept"]);
    ws.expect("subscribed");
    assert_eq!((ws.event(), ws.event()), (json!(1), json!(2)));
    ws.expect_nothing();
}

#[test]
fn a_retried_publish_to_memory_acts_once() {
    let server = server();
    let mut ws = server.ws();
    ws.subscribe("a");
    let publish = json!({"channel": "a", "name": "e", "data": 1, "id": "x"});
    assert_eq!(server.publish(&publish), server.publish(&publish));
    server.send("a", 2);
    assert_eq!((ws.event(), ws.event()), (json!(1), json!(2)));
}

#[test]
fn durable_values_converge_for_everybody() {
    let mut server = server();
    let set = |server: &Server, key: &str, n: i64| {
        server.publish(&json!({"channel": "state", "name": key, "data": n}));
    };
    let values = |ws: &mut Ws, until: &[(&str, i64)]| {
        let mut known: BTreeMap<String, i64> = BTreeMap::new();
        while !until.iter().all(|(key, n)| known.get(*key) == Some(n)) {
            let frame = ws.next();
            if frame["type"] == "event" {
                let n = frame["data"].as_i64().unwrap();
                let old = known.insert(frame["name"].as_str().unwrap().to_owned(), n);
                assert!(old < Some(n), "an older value behind a newer one: {frame}");
            }
            assert_ne!(frame["type"], "reset", "{frame}");
        }
        ws.expect_nothing();
    };
    for n in 0..10 {
        set(&server, "x", n);
        set(&server, "y", n);
    }
    let mut ws = server.ws();
    ws.send(&json!({"type": "hello", "channels": ["state"]}));
    values(&mut ws, &[("x", 9), ("y", 9)]);
    let cursor = ws.cursor.clone();
    set(&server, "y", 10);
    server = server.crash_and_restart();
    set(&server, "z", 11);
    values(&mut Ws::back(&server, None, &cursor, &["state"]), &[("y", 10), ("z", 11)]);
    let mut fresh = server.ws();
    fresh.send(&json!({"type": "hello", "channels": ["state"]}));
    fresh.expect("welcome");
    values(&mut fresh, &[("x", 9), ("y", 10), ("z", 11)]);
}

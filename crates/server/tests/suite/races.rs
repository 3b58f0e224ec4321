//! Two things at once: what is published, cut, moved or taken away while something else is under way.

use std::collections::BTreeMap;

use super::harness::*;
use serde_json::{Value, json};

/// What a client has of each channel, and what it would come back with after each frame.
#[derive(Default, Clone)]
struct Heard {
    data: BTreeMap<String, Vec<i64>>,
}

impl Heard {
    fn take(&mut self, frame: &Value) {
        assert!(
            matches!(frame["type"].as_str(), Some("event" | "subscribed" | "welcome" | "pong")),
            "{frame}"
        );
        if frame["type"] == "event" {
            let channel = frame["channel"].as_str().unwrap().to_owned();
            self.data.entry(channel).or_default().push(frame["data"].as_i64().unwrap());
        }
    }

    fn of(&self, channel: &str) -> &[i64] {
        self.data.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Has it the given last event of every channel?
    fn reached(&self, ends: &[(&str, i64)]) -> bool {
        ends.iter().all(|(channel, end)| self.of(channel).last() == Some(end))
    }

    fn assert_exact(&self, channels: &[(&str, i64)], context: &str) {
        for (channel, end) in channels {
            let expected: Vec<i64> = (0..=*end).collect();
            assert_eq!(self.of(channel), expected, "{channel}: {context}");
        }
    }
}

/// Reads until the ends are reached; gives each frame with the cursor a client holds behind it.
fn listen(ws: &mut Ws, heard: &mut Heard, ends: &[(&str, i64)]) -> Vec<(Value, String)> {
    let mut frames = Vec::new();
    while !heard.reached(ends) {
        let frame = ws.next();
        heard.take(&frame);
        frames.push((frame, ws.cursor.clone()));
    }
    frames
}

/// Comes back behind every frame in turn (or every `step`th): prefix and rest are exact each time.
fn cut_between_all(
    server: &Server,
    frames: &[(Value, String)],
    step: usize,
    before: &Heard,
    ends: &[(&str, i64)],
) {
    let names: Vec<&str> = ends.iter().map(|(channel, _)| *channel).collect();
    let mut heard = before.clone();
    for (place, (frame, cursor)) in frames.iter().enumerate() {
        heard.take(frame);
        if place % step != 0 {
            continue;
        }
        let mut whole = heard.clone();
        let mut back = Ws::back(server, None, cursor, &names);
        listen(&mut back, &mut whole, ends);
        whole.assert_exact(ends, &format!("cut behind frame {place}: {frame}"));
        back.expect_no_event();
    }
}

fn numbered(channel: &str, from: i64, to: i64) -> Vec<(&str, i64)> {
    (from..=to).map(|n| (channel, n)).collect()
}

/// Events of two channels in turn.
fn both<'a>(a: &'a str, b: &'a str, from: i64, to: i64) -> Vec<(&'a str, i64)> {
    (from..=to).flat_map(|n| [(a, n), (b, n)]).collect()
}

const ROOMY: &str =
    "[history]\ncount = 5000\n[limit]\nconnect_rate_per_address = 0\nrate = 100000\nburst = 100000\n";

fn roomy() -> Server {
    Server::start(Start::with(ROOMY).flag("--dev"))
}

#[test]
fn publishing_goes_on_while_a_channel_is_subscribed_with_an_older_since() {
    let server = roomy();
    let mut ws = server.ws();
    let old = ws.cursor.clone();
    server.send_all(&numbered("late", 0, 1_199));
    ws.subscribe("here");
    let ends = [("here", 999), ("late", 2_199)];
    let mut heard = Heard::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for from in (0..1_000).step_by(10) {
                let mut events = numbered("here", from, from + 9);
                events.extend(numbered("late", 1_200 + from, 1_209 + from));
                server.send_all(&events);
            }
        });
        while heard.of("here").len() < 100 {
            heard.take(&ws.next());
        }
        ws.send(&json!({"type": "subscribe", "channel": "late", "since": old}));
        listen(&mut ws, &mut heard, &ends);
    });
    heard.assert_exact(&ends, "live");
    ws.expect_nothing();
}

#[test]
fn a_cut_in_the_middle_of_that_catch_up_loses_nothing_on_either_channel() {
    let server = roomy();
    let mut ws = server.ws();
    let old = ws.cursor.clone();
    server.send_all(&numbered("late", 0, 699));
    ws.subscribe("here");
    let ends = [("here", 49), ("late", 749)];
    let mut heard = Heard::default();
    let frames = std::thread::scope(|scope| {
        ws.send(&json!({"type": "subscribe", "channel": "late", "since": old}));
        scope.spawn(|| {
            for n in 0..50 {
                server.send_all(&[("here", n), ("late", 700 + n)]);
            }
        });
        listen(&mut ws, &mut heard, &ends)
    });
    heard.assert_exact(&ends, "live");
    // A client asks for a channel with its cursor only once it was told that it has it.
    let told = frames.iter().position(|(frame, _)| frame["type"] == "subscribed").unwrap();
    let (earlier, frames) = frames.split_at(told);
    let mut before = Heard::default();
    earlier.iter().for_each(|(frame, _)| before.take(frame));
    // The first frames are the interesting ones; the last ones are live.
    cut_between_all(&server, &frames[..12], 1, &before, &ends);
    cut_between_all(&server, frames, 23, &before, &ends);
}

#[test]
fn several_late_channels_and_a_cut_between_any_two_frames() {
    let server = roomy();
    let mut ws = server.ws();
    let old = ws.cursor.clone();
    let names = ["a", "b", "c"];
    for n in 0..8 {
        server.send_all(&names.map(|name| (name, n)));
    }
    ws.subscribe("here");
    for name in names {
        ws.send(&json!({"type": "subscribe", "channel": name, "since": old}));
    }
    server.send_all(
        &both("here", "b", 0, 3)
            .iter()
            .map(|(c, n)| (*c, if *c == "b" { n + 8 } else { *n }))
            .collect::<Vec<_>>(),
    );
    let ends = [("a", 7), ("b", 11), ("c", 7), ("here", 3)];
    let mut heard = Heard::default();
    let frames = listen(&mut ws, &mut heard, &ends);
    heard.assert_exact(&ends, "live");
    // A client asks for a channel with its cursor only once it was told that it has it.
    let mut heard = Heard::default();
    let mut known = vec!["here".to_owned()];
    for (place, (frame, cursor)) in frames.iter().enumerate() {
        heard.take(frame);
        if frame["type"] == "subscribed" {
            known.push(frame["channel"].as_str().unwrap().to_owned());
        }
        let mut whole = heard.clone();
        let mut back = server.ws();
        back.send(&json!({"type": "hello", "cursor": cursor, "channels": known}));
        for name in names.iter().filter(|name| !known.iter().any(|known| known == *name)) {
            back.send(&json!({"type": "subscribe", "channel": name, "since": old}));
        }
        listen(&mut back, &mut whole, &ends);
        whole.assert_exact(&ends, &format!("cut behind frame {place}: {frame}"));
        back.expect_no_event();
    }
}

#[test]
fn latest_values_survive_a_cut_between_any_two_frames() {
    let config = format!("{ROOMY}[[channels]]\npattern = \"now-*\"\nclass = \"latest\"\n");
    let server = Server::start(Start::with(&config).flag("--dev"));
    let names = ["now-a", "now-b", "stream"];
    for n in 0..4 {
        for name in names {
            for key in ["x", "y"] {
                server.publish(&json!({"channel": name, "name": key, "data": n}));
            }
        }
    }
    let mut ws = server.ws();
    ws.send(&json!({"type": "hello", "channels": names}));
    // What is published to a stream before it is subscribed to is not owed.
    let welcome = ws.expect("welcome");
    let mut frames = vec![(welcome, ws.cursor.clone())];
    server.publish(&json!({"channel": "now-b", "name": "y", "data": 4}));
    server.publish(&json!({"channel": "stream", "name": "x", "data": 4}));
    let truth: BTreeMap<(String, String), i64> =
        [("now-a", "x", 3), ("now-a", "y", 3), ("now-b", "x", 3), ("now-b", "y", 4), ("stream", "x", 4)]
            .map(|(channel, key, n)| ((channel.to_owned(), key.to_owned()), n))
            .into();
    let hear = |known: &mut BTreeMap<(String, String), i64>, frame: &Value| {
        if frame["type"] == "event" {
            let part = |name: &str| frame[name].as_str().unwrap().to_owned();
            let old = known.insert((part("channel"), part("name")), frame["data"].as_i64().unwrap());
            assert!(
                old < frame["data"].as_i64(),
                "an older value came behind a newer one, or one came twice: {frame}"
            );
        }
    };
    let mut known = BTreeMap::new();
    while known != truth {
        let frame = ws.next();
        hear(&mut known, &frame);
        frames.push((frame, ws.cursor.clone()));
    }
    let mut known = BTreeMap::new();
    for (frame, cursor) in frames {
        hear(&mut known, &frame);
        let mut whole = known.clone();
        let mut back = Ws::back(&server, None, &cursor, &names);
        while whole != truth {
            let next = back.next();
            assert!(matches!(next["type"].as_str(), Some("event" | "subscribed")), "{next}");
            hear(&mut whole, &next);
        }
        back.expect_no_event();
    }
}

#[test]
fn a_dropped_record_resets_who_stands_below_it_and_nobody_at_its_floor() {
    let config = format!("{ROOMY}[[channels]]\npattern = \"short\"\nhistory_age = \"1ms\"\n");
    let server = Server::start(Start::with(&config).flag("--dev"));
    let mut ws = server.ws();
    let below = ws.cursor.clone();
    let at = server.send("short", 1)["cursor"].as_str().unwrap().to_owned();
    // The sweep comes by within a second or two; until then the event is still there.
    let mut back = loop {
        ws.send(&json!({"type": "hello", "cursor": below, "channels": ["short"]}));
        ws.expect("welcome");
        let recovered = ws.expect("subscribed")["recovered"] == true;
        let next = ws.next();
        if next["type"] == "reset" {
            assert_eq!(next["reason"], "expired", "{next}");
            // It may have been dropped between the two frames; the next try knows it at once.
            if !recovered {
                break ws;
            }
        } else {
            assert_eq!((&next["type"], recovered), (&json!("event"), true), "{next}");
        }
    };
    server.send("short", 2);
    assert_eq!(back.event(), 2, "behind its reset the channel is complete");
    let mut floor = Ws::back(&server, None, &at, &["short"]);
    assert_eq!(floor.expect("subscribed")["recovered"], true);
    assert_eq!(floor.event(), 2);
    floor.expect_nothing();
}

#[test]
fn several_dirty_channels_and_a_cut_between_any_two_frames() {
    let server = roomy();
    let names: Vec<String> = (0..70).map(|n| format!("c{n}")).collect();
    let mut ws = server.ws();
    for name in &names {
        ws.subscribe(name);
    }
    let events: Vec<(&str, i64)> =
        (0..3).flat_map(|n| names.iter().map(move |name| (name.as_str(), n))).collect();
    server.send_all(&events);
    let ends: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 2)).collect();
    let mut heard = Heard::default();
    let frames = listen(&mut ws, &mut heard, &ends);
    heard.assert_exact(&ends, "live");
    let order: Vec<(&str, i64)> =
        frames.iter().map(|(f, _)| (f["channel"].as_str().unwrap(), f["data"].as_i64().unwrap())).collect();
    assert_eq!(order, events, "the frames of many channels come in the order of the log");
    cut_between_all(&server, &frames[..frames.len() - 1], 3, &Heard::default(), &ends);
}

#[test]
fn a_reset_that_may_not_have_arrived_is_told_again() {
    let config = format!("{ROOMY}[[channels]]\npattern = \"short\"\nhistory_count = 1\n");
    let server = Server::start(Start::with(&config).flag("--dev"));
    let mut ws = server.ws();
    ws.subscribe("short");
    let (key, mut cursor) = (ws.resume_key(), ws.cut());
    server.send_all(&numbered("short", 0, 2));
    for round in 0..5 {
        // Each of these connections is lost before its reset has come to the client.
        let mut lost = Ws::back(&server, Some(&key), &cursor, &["short"]);
        assert_eq!(lost.welcome["resumed"], true);
        assert_eq!(lost.expect("subscribed")["recovered"], false, "round {round}");
        assert_eq!(lost.expect("reset")["reason"], "expired", "round {round}");
        if round == 4 {
            cursor = lost.cursor.clone();
            server.send("short", 3);
            assert_eq!(lost.event(), 3);
            lost.expect_nothing();
        }
    }
    assert!(!cursor.is_empty());
}

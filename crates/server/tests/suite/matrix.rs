//! The same promises over every transport, and over any mix of them.

use std::sync::mpsc;

use super::harness::*;
use serde_json::json;

const CONFIG: &str = r#"
[history]
count = 5000
[limit]
connect_rate_per_address = 0
[presence]
grace = "0s"
[[channels]]
pattern = "kept*"
durable = true
[[channels]]
pattern = "room"
presence = true
[[channels]]
pattern = "now"
class = "latest"
[[channels]]
pattern = "short*"
history_count = 2
"#;

fn server() -> Server {
    Server::start(Start::with(CONFIG).flag("--dev"))
}

/// The same body for each transport.
fn each(body: impl Fn(&Server, Transport)) {
    let server = server();
    for transport in Transport::ALL {
        body(&server, transport);
    }
}

#[test]
fn who_subscribes_gets_what_is_published_in_order() {
    each(|server, transport| {
        let mut reader = Reader::open(server, transport, &["lobby", "kept"], None);
        let mut author = server.ws();
        for n in 0..20 {
            let channel = if n % 3 == 0 { "kept" } else { "lobby" };
            let publish = json!({"type": "publish", "channel": channel, "name": "e", "data": n});
            assert_eq!(author.ask(publish)["type"], "ok");
            server.send("elsewhere", n);
        }
        for n in 0..20 {
            assert_eq!(reader.event(), n, "{transport:?}");
        }
    });
}

#[test]
fn who_was_away_resumes_over_any_other_transport() {
    each(|server, first| {
        for second in Transport::ALL {
            let (lobby, kept) =
                (&*format!("lobby-{first:?}-{second:?}"), &*format!("kept-{first:?}-{second:?}"));
            let mut reader = Reader::open(server, first, &[lobby, kept], None);
            server.send(lobby, 1);
            assert_eq!(reader.event(), 1);
            server.send(kept, 2);
            server.send(lobby, 3);
            let mut reader = reader.switch(second);
            assert_eq!((reader.event(), reader.event()), (json!(2), json!(3)), "{first:?} to {second:?}");
            server.send(lobby, 4);
            assert_eq!(reader.event(), 4, "{first:?} to {second:?}");
        }
    });
}

#[test]
fn values_come_to_a_new_reader_and_to_one_who_was_away() {
    each(|server, transport| {
        let set = |key: &str, n: i64| server.publish(&json!({"channel": "now", "name": key, "data": n}));
        set("a", 1);
        set("b", 1);
        set("a", 2);
        let mut reader = Reader::open(server, transport, &["now"], None);
        assert_eq!((reader.event(), reader.event()), (json!(1), json!(2)), "{transport:?}");
        set("b", 2);
        set("b", 3);
        let mut reader = reader.switch(transport);
        assert_eq!(reader.event(), 3, "{transport:?}");
    });
}

#[test]
fn who_is_here_is_told_first_and_then_by_changes() {
    each(|server, transport| {
        let mut guest = server.ws();
        guest.subscribe("room");
        guest.expect("presence");
        assert_eq!(guest.ask(json!({"type": "enter", "channel": "room", "data": "here"}))["type"], "ok");
        let mut reader = Reader::open(server, transport, &["room"], None);
        let list = reader.expect("presence");
        assert_eq!(list["members"][0]["data"], "here", "{transport:?} {list}");
        assert_eq!(guest.ask(json!({"type": "leave", "channel": "room"}))["type"], "ok");
        assert_eq!(reader.expect("left")["members"].as_array().unwrap().len(), 1, "{transport:?}");
    });
}

#[test]
fn what_cannot_be_recovered_is_a_reset_with_its_reason() {
    each(|server, transport| {
        let (lobby, short) = (&*format!("lobby-{transport:?}"), &*format!("short-{transport:?}"));
        let mut reader = Reader::open(server, transport, &[lobby], Some("nonsense"));
        assert_eq!(reader.expect("reset")["reason"], "foreign", "{transport:?}");
        server.send(lobby, 1);
        assert_eq!(reader.event(), 1, "{transport:?}");
        let mut reader = Reader::open(server, transport, &[short, lobby], None);
        server.send(short, 0);
        assert_eq!(reader.event(), 0);
        server.send_all(&[(short, 1), (short, 2), (short, 3), (lobby, 4)]);
        // A reader who is connected has got them already, so it is the one who was away.
        let mut reader = reader.switch(transport);
        let frames = [reader.next(), reader.next()];
        let reset = frames.iter().find(|frame| frame["type"] == "reset").unwrap();
        assert_eq!(
            (&reset["reason"], &reset["channel"]),
            (&json!("expired"), &json!(*short)),
            "{transport:?}"
        );
        assert!(frames.iter().any(|frame| frame["data"] == 4), "the other channel goes on: {frames:?}");
        server.send(short, 5);
        assert_eq!(reader.event(), 5, "{transport:?}");
    });
}

#[test]
fn after_a_crash_memory_channels_are_reset_once_and_durable_ones_go_on() {
    let mut server = server();
    for transport in Transport::ALL {
        let mut reader = Reader::open(&server, transport, &["lobby", "kept"], None);
        server.send("kept", 1);
        server.send("lobby", 2);
        assert_eq!((reader.event(), reader.event()), (json!(1), json!(2)));
        let cursor = reader.cursor.clone();
        server.send("kept", 3);
        drop(reader);
        server = server.crash_and_restart();
        let mut reader = Reader::open(&server, transport, &["lobby", "kept"], cursor.as_deref());
        let frames = [reader.next(), reader.next()];
        let reset = frames.iter().find(|frame| frame["type"] == "reset").unwrap();
        assert_eq!(
            (&reset["reason"], &reset["channel"]),
            (&json!("epoch"), &json!("lobby")),
            "{transport:?}"
        );
        assert!(frames.iter().any(|frame| frame["data"] == 3), "{transport:?} {frames:?}");
        let mut reader = reader.switch(transport);
        server.send("lobby", 4);
        server.send("kept", 5);
        assert_eq!((reader.event(), reader.event()), (json!(4), json!(5)), "no second reset: {transport:?}");
    }
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn a_stream_that_changes_its_transport_all_the_time_loses_and_doubles_nothing() {
    let switches = count(200, 1_000);
    let server = server();
    let mut dice = Dice(20_261_120);
    // Each permit is one event on each channel; they are taken while the reader reads and switches.
    let (permit, permits) = mpsc::channel::<i64>();
    std::thread::scope(|scope| {
        let server = &server;
        scope.spawn(move || {
            for n in permits {
                server.send("lobby", n);
                server.send("kept", n);
            }
        });
        let mut next = [0_i64; 2];
        let mut take = |reader: &mut Reader<'_>| {
            let frame = reader.expect("event");
            let slot = usize::from(frame["channel"] == "kept");
            assert_eq!(frame["data"], next[slot], "{frame}");
            next[slot] += 1;
        };
        let mut reader = Reader::open(server, Transport::Ws, &["lobby", "kept"], None);
        let (mut granted, mut taken) = (0, 0);
        for _ in 0..switches {
            for _ in 0..3 {
                permit.send(granted).unwrap();
                granted += 1;
            }
            for _ in 0..dice.below(13).min(granted as u64 * 2 - taken) {
                take(&mut reader);
                taken += 1;
            }
            reader = reader.switch(Transport::ALL[dice.below(3) as usize]);
        }
        for _ in taken..granted as u64 * 2 {
            take(&mut reader);
        }
        drop(permit);
        assert_eq!(next, [granted, granted]);
        println!(
            "measured: {switches} switches; {granted} events on each of two channels, none lost or doubled"
        );
    });
}

//! What backends publish through a real Redis reaches those who listen, and what breaks on the way harms nobody.

mod busy_disk;
mod flood;
mod outages;
mod reloads;
mod sites;

use super::harness::*;
use crate::json;

/// A server that follows this Redis, with further lines of its configuration.
fn server(redis: &Redis, config: &str) -> Server {
    let mut server = Server::start(Start::with(&format!("{}{config}", redis.config())).flag("--dev"));
    heard(&mut server);
    server
}

/// Waits until the server hears its Redis.
fn heard(server: &mut Server) {
    server.line_with("is heard");
}

/// Takes another configuration without waiting for it: what follows from it may be told before it is.
fn take(server: &mut Server, config: &str) {
    server.configure(config);
    server.signal("HUP");
}

/// What operators see of it.
fn shown(server: &Server) -> serde_json::Value {
    server.stats()["redis"].clone()
}

#[test]
fn what_laravel_publishes_reaches_every_reader_once() {
    let redis = Redis::start();
    let server = server(&redis, "");
    let channels = ["private-appointments.5", "lobby"];
    let mut readers: Vec<Reader> =
        Transport::ALL.map(|transport| Reader::open(&server, transport, &channels, None)).into();
    let data = r#"{"id":5,"at":"09:00","name":"\u00c5se","socket":null}"#;
    let payload = format!(r#"{{"event":"App\\Events\\Moved","data":{data},"socket":null}}"#);
    assert_eq!(redis.publish("laravel_database_private-appointments.5", &payload), 1);
    // The prefix of newer versions is understood as well.
    assert_eq!(redis.publish("laravel-database-lobby", r#"{"event":"hello","data":[1]}"#), 1);
    // What has no prefix is none of ours.
    assert_eq!(redis.publish("lobby", &payload), 0);
    for reader in &mut readers {
        let event = reader.expect("event");
        assert_eq!(event["channel"], "private-appointments.5");
        assert_eq!(event["name"], r"App\Events\Moved");
        assert_eq!(event["data"], serde_json::from_str::<serde_json::Value>(data).unwrap());
        assert_eq!(reader.event(), json!([1]));
    }
    // Nothing came twice: the next thing that anybody gets is what is sent now.
    server.send("lobby", 7);
    for reader in &mut readers {
        assert_eq!(reader.event(), 7);
    }
    assert_eq!((&shown(&server)["received"], &shown(&server)["connected"]), (&json!(2), &json!(true)));
}

#[test]
fn the_sender_is_not_told_what_it_sent() {
    let redis = Redis::start();
    let server = server(&redis, "");
    let (mut sender, mut other) = (server.ws(), server.ws());
    sender.subscribe("lobby");
    other.subscribe("lobby");
    let id = sender.welcome["session"].as_str().unwrap().to_owned();
    let payload = format!(r#"{{"event":"e","data":1,"socket":"{id}"}}"#);
    redis.publish("laravel_database_lobby", &payload);
    redis.broadcast("lobby", 2);
    assert_eq!(other.event(), 1);
    assert_eq!((other.event(), sender.event()), (json!(2), json!(2)));
}

#[test]
fn what_is_no_event_is_counted_and_told_once_for_each_kind() {
    let redis = Redis::start();
    let mut server = server(&redis, "limit.body = \"4KiB\"\n");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    let of = |bytes: usize| format!(r#"{{"event":"e","data":"{}"}}"#, "x".repeat(bytes - 23));
    // One byte too many, and so many that they are not even kept.
    let (long, longer) = (of(4_097), of(40_000));
    for _ in 0..3 {
        for (channel, payload) in [
            ("lobby", "no JSON"),
            ("lobby", r#"{"event":"e"}"#),
            ("lobby", r#"{"event":"","data":1}"#),
            ("lob\nby", r#"{"event":"e","data":1}"#),
            ("lobby", &long),
            ("lobby", &longer),
        ] {
            assert_eq!(redis.publish(&format!("laravel_database_{channel}"), payload), 1);
        }
    }
    // As large as it may be it passes.
    let full = of(4_096);
    assert_eq!(full.len(), 4_096);
    redis.publish("laravel_database_lobby", &full);
    redis.broadcast("lobby", 8);
    assert_eq!(ws.event().as_str().unwrap().len(), 4_096 - 23);
    assert_eq!(ws.event(), 8);
    let codes = [("bad_message", 3), ("bad_field", 3), ("bad_name", 3), ("bad_channel", 3), ("too_large", 6)];
    for (code, count) in codes {
        assert_eq!(shown(&server)["refused"][code], count, "{code}: {}", shown(&server));
        let told = server.logged().iter().filter(|line| line.contains(code)).count();
        assert_eq!(told, 1, "{code}");
    }
    assert_eq!((&shown(&server)["received"], &shown(&server)["connections"]), (&json!(20), &json!(1)));
    let metrics = server.api("GET", "/metrics", None).text();
    for line in [
        format!("deskbell_redis_connected{{redis=\"127.0.0.1:{}\"}} 1", redis.port),
        "deskbell_redis_received_total 20".to_owned(),
        "deskbell_redis_connections_total 1".to_owned(),
        "deskbell_redis_refused_total{code=\"too_large\"} 6".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    server.stop();
}

#[test]
fn each_app_gets_what_its_own_prefix_brings() {
    let redis = Redis::start();
    let config = r#"
[[apps]]
id = 2
key = "second"
secret = "the secret of the second app, long enough"
[[redis.channels]]
pattern = "clinic_database_*"
app = 2
[[redis.channels]]
pattern = "*"
app = 1001
"#;
    let server = server(&redis, config);
    let mut first = server.ws();
    let mut second = Ws::open(&server, "/v1/ws?app=second");
    first.subscribe("lobby");
    second.subscribe("lobby");
    // Two patterns fit, and Redis sends it once for each.
    assert_eq!(redis.publish("clinic_database_lobby", r#"{"event":"e","data":2}"#), 2);
    assert_eq!(redis.publish("lobby", r#"{"event":"e","data":1}"#), 1);
    redis.publish("clinic_database_lobby", r#"{"event":"e","data":4}"#);
    redis.publish("lobby", r#"{"event":"e","data":3}"#);
    assert_eq!((first.event(), first.event()), (json!(1), json!(3)));
    assert_eq!((second.event(), second.event()), (json!(2), json!(4)));
    assert_eq!(shown(&server)["received"], 4);
}

#[test]
fn a_durable_channel_has_it_on_disk() {
    let redis = Redis::start();
    let config = "[[channels]]\npattern = \"durable*\"\ndurable = true\n";
    let server = server(&redis, config);
    let start = Reader::open(&server, Transport::Ws, &["durable"], None).cursor;
    for n in 1..=20 {
        redis.broadcast("durable", n);
    }
    let mut ws = Reader::open(&server, Transport::Ws, &["durable"], start.as_deref());
    for n in 1..=20 {
        assert_eq!(ws.event(), n);
    }
    drop(ws);
    let server = server.crash_and_restart();
    let mut poll = Reader::open(&server, Transport::Poll, &["durable"], start.as_deref());
    for n in 1..=20 {
        assert_eq!(poll.event(), n);
    }
}

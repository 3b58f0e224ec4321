//! Webhooks of Pusher's kinds: what is told, how it is signed, and what happens where nobody takes it.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;

/// What whoever leaves has to come back in, as Pusher says.
const GRACE: Duration = Duration::from_secs(3);

const SECOND: &str = "a secret that is long enough to be one";

/// A server whose endpoints are told what happens, each with further lines.
fn server(endpoints: &[(&Receiver, &str)]) -> Server {
    let mut config = format!("[[apps]]\nid = 1002\nkey = \"second\"\nsecret = \"{SECOND}\"\n");
    for (receiver, more) in endpoints {
        config.push_str(&format!("[[pusher_webhooks]]\nurl = \"{}\"\n{more}\n", receiver.url()));
    }
    Server::start(Start::with(&config))
}

/// Is a request signed with this secret? Made with nothing of the server's code.
fn is_signed(received: &Received, key: &str, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&received.body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    received.headers["x-pusher-key"] == key && received.headers["x-pusher-signature"] == hex
}

/// What a request tells.
pub(super) fn events(received: &Received) -> Vec<Value> {
    received.json()["events"].as_array().unwrap().clone()
}

#[test]
fn every_kind_is_told_signed_over_the_very_bytes() {
    let receiver = Receiver::start();
    let server = server(&[(&receiver, "")]);
    let mut ann = Pusher::open(&server);
    ann.enter("presence-room", r#"{"user_id":1}"#);
    let told = |expected: Value| {
        let received = receiver.next();
        assert!(is_signed(&received, "test-key", SECRET), "{received:?}");
        assert_eq!(
            received.headers["content-type"], "application/json",
            "some libraries compare the whole of it"
        );
        assert!(received.json()["time_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000));
        assert_eq!(events(&received), [expected]);
    };
    told(json!({"name": "member_added", "channel": "presence-room", "user_id": "1"}));
    told(json!({"name": "channel_occupied", "channel": "presence-room"}));
    let data = json!({"on": true});
    ann.say("client-typing", "presence-room", &data);
    told(json!({
        "name": "client_event", "channel": "presence-room", "event": "client-typing", "data": data.to_string(),
        "socket_id": ann.socket, "user_id": "1",
    }));
    // A thousand who come at once have missed it once.
    for _ in 0..3 {
        let mut other = Pusher::open(&server);
        other.subscribe("cache-empty");
        other.expect("pusher:cache_miss");
    }
    told(json!({"name": "channel_occupied", "channel": "cache-empty"}));
    told(json!({"name": "cache_miss", "channel": "cache-empty"}));
    let begun = Instant::now();
    drop(ann);
    let mut last: Vec<Value> = (0..3).flat_map(|_| events(&receiver.next())).collect();
    assert!(begun.elapsed() >= GRACE, "it was told too early");
    last.sort_by_key(Value::to_string);
    let expected = [
        json!({"channel": "cache-empty", "name": "channel_vacated"}),
        json!({"channel": "presence-room", "name": "channel_vacated"}),
        json!({"channel": "presence-room", "name": "member_removed", "user_id": "1"}),
    ];
    assert_eq!(last, expected);
}

#[test]
fn whoever_comes_back_within_the_grace_was_never_away() {
    let receiver = Receiver::start();
    let server = server(&[(&receiver, "")]);
    let mut watcher = Pusher::open(&server);
    watcher.enter("presence-room", r#"{"user_id":9}"#);
    let mut ann = Pusher::open(&server);
    ann.enter("presence-room", r#"{"user_id":1}"#);
    ann.subscribe("own");
    let mut told: Vec<Value> = (0..4).map(|_| events(&receiver.next())[0]["name"].clone()).collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["channel_occupied", "channel_occupied", "member_added", "member_added"]);
    watcher.expect("pusher_internal:member_added");
    drop(ann);
    // The others in the channel know at once, the backend does not.
    watcher.expect("pusher_internal:member_removed");
    let mut back = Pusher::open(&server);
    back.enter("presence-room", r#"{"user_id":1}"#);
    back.subscribe("own");
    // Something whose own grace begins later comes first.
    let mut other = Pusher::open(&server);
    other.subscribe("other");
    assert_eq!(events(&receiver.next()), [json!({"name": "channel_occupied", "channel": "other"})]);
    drop(other);
    assert_eq!(events(&receiver.next()), [json!({"name": "channel_vacated", "channel": "other"})]);
    back.expect_nothing();
}

#[test]
fn what_is_not_taken_is_sent_again_with_a_new_stamp_and_signature() {
    let receiver = Receiver::start();
    let server = server(&[(&receiver, "events = [\"channel_occupied\"]")]);
    // What is moved is not taken either.
    let mut answers = [500, 302].into_iter();
    receiver.answer(move |_| Say::Status(answers.next().unwrap_or(200), ""));
    let mut client = Pusher::open(&server);
    client.subscribe("news");
    let attempts: Vec<Received> = (0..3).map(|_| receiver.next()).collect();
    let stamps: Vec<u64> = attempts.iter().map(|one| one.json()["time_ms"].as_u64().unwrap()).collect();
    assert!(stamps[0] + 1_000 <= stamps[1] && stamps[1] + 2_000 <= stamps[2], "{stamps:?}");
    for attempt in &attempts {
        assert!(is_signed(attempt, "test-key", SECRET));
        assert_eq!(events(attempt), [json!({"name": "channel_occupied", "channel": "news"})]);
    }
    client.expect_nothing();
    assert!(receiver.pending().is_empty(), "what was taken is not sent again");
}

#[test]
fn an_endpoint_hears_of_its_kinds_alone() {
    let (ends, beginnings) = (Receiver::start(), Receiver::start());
    let server = server(&[
        (&ends, "events = [\"member_removed\", \"channel_vacated\"]"),
        (&beginnings, "events = [\"channel_occupied\"]"),
    ]);
    let mut ann = Pusher::open(&server);
    ann.enter("presence-room", r#"{"user_id":1}"#);
    // Whoever wants ends alone hears of none that a return undoes.
    drop(ann);
    let mut back = Pusher::open(&server);
    back.enter("presence-room", r#"{"user_id":1}"#);
    assert_eq!(events(&beginnings.next())[0]["name"], "channel_occupied");
    back.subscribe("other");
    assert_eq!(events(&beginnings.next())[0], json!({"name": "channel_occupied", "channel": "other"}));
    let begun = Instant::now();
    drop(back);
    let mut told: Vec<Value> = (0..3).flat_map(|_| events(&ends.next())).collect();
    assert!(begun.elapsed() >= GRACE, "it was told too early");
    told.sort_by_key(Value::to_string);
    let names: Vec<&str> = told.iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["channel_vacated", "channel_vacated", "member_removed"]);
    assert!(ends.pending().is_empty() && beginnings.pending().is_empty());
}

#[test]
fn an_endpoint_is_told_what_it_wants_in_batches_and_of_its_own_app_alone() {
    let (own, second) = (Receiver::start(), Receiver::start());
    let filter = "events = [\"channel_occupied\"]\nchannels = [\"news-*\"]\nbatch = 5";
    let server =
        server(&[(&own, filter), (&second, "app = 1002\nevents = [\"channel_occupied\"]\nbatch = 5")]);
    // While the first request waits for its answer, the others gather.
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let mut waits = true;
    own.answer(move |_| {
        if std::mem::take(&mut waits) {
            gate.recv_timeout(DEADLINE).unwrap();
        }
        Say::Status(200, "")
    });
    let mut client = Pusher::open(&server);
    let mut other = Pusher::knock(&server, "/app/second");
    other.next();
    client.subscribe("news-first");
    for n in 0..10 {
        client.subscribe(&format!("news-{n}"));
        client.subscribe(&format!("other-{n}"));
    }
    other.send(&json!({"event": "pusher:subscribe", "data": {"channel": "news-second", "auth": ""}}));
    other.next();
    go.send(()).unwrap();
    let mut told = Vec::new();
    while told.len() < 11 {
        let received = own.next();
        assert!(is_signed(&received, "test-key", SECRET));
        let events = events(&received);
        assert!(events.len() <= 5, "{events:?}");
        told.extend(events.iter().map(|event| event["channel"].as_str().unwrap().to_owned()));
    }
    let expected: Vec<String> =
        std::iter::once("news-first".to_owned()).chain((0..10).map(|n| format!("news-{n}"))).collect();
    assert_eq!(told, expected);
    let received = second.next();
    assert!(is_signed(&received, "second", SECOND));
    assert_eq!(events(&received), [json!({"name": "channel_occupied", "channel": "news-second"})]);
    assert!(own.pending().is_empty() && second.pending().is_empty());
}

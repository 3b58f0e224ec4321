//! Each limit of the table of options is reached, and says so.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::harness::*;
use crate::json;

fn dev(config: &str) -> Server {
    Server::start(Start::with(config).flag("--dev"))
}

fn publish(ws: &mut Ws) -> serde_json::Value {
    ws.ask(json!({"type": "publish", "channel": "sink", "name": "e", "data": 1}))
}

/// The milliseconds that a refusal tells to wait.
fn wait_of(refusal: &serde_json::Value) -> u64 {
    assert_eq!(refusal["code"], "rate_limited", "{refusal}");
    let message = refusal["message"].as_str().unwrap();
    let number = message.split("wait ").nth(1).and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no wait in {message}"))
}

/// A browser of the seeds has two sockets, and their test page floods a thousand messages.
#[test]
fn the_floods_of_the_old_test_pages_pass_by_default() {
    let server = Server::dev();
    let mut sockets = [server.ws(), server.ws()];
    for n in 0..1_000 {
        for ws in &mut sockets {
            ws.send(&json!({"type": "publish", "ref": n, "channel": "sink", "name": "e", "data": n}));
        }
    }
    for ws in &mut sockets {
        for n in 0..1_000 {
            let answer = ws.next();
            assert_eq!((&answer["type"], &answer["ref"]), (&json!("ok"), &json!(n)), "{answer}");
        }
    }
    // The burst is used up; a message each 10 ms still passes.
    for _ in 0..150 {
        for ws in &mut sockets {
            let answer = publish(ws);
            assert_eq!(answer["type"], "ok", "{answer}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.refusals("rate_limited"), 0);
}

#[test]
fn a_connection_has_its_rate_and_its_burst() {
    let server = dev("limit.rate = 5\nlimit.burst = 3");
    let mut ws = server.ws();
    for _ in 0..3 {
        assert_eq!(publish(&mut ws)["type"], "ok");
    }
    let refused = publish(&mut ws);
    assert!(refused["message"].as_str().unwrap().contains("this connection"), "{refused}");
    let wait = wait_of(&refused);
    assert!((1..=200).contains(&wait), "{wait}");
    // Signs of life are not counted, and other connections have their own rate.
    assert_eq!(ws.ask(json!({"type": "ping"}))["type"], "pong");
    assert_eq!(publish(&mut server.ws())["type"], "ok");
    // The wait that was told is the wait that is needed: not longer, and hardly shorter.
    std::thread::sleep(Duration::from_millis(wait));
    assert_eq!(publish(&mut ws)["type"], "ok");
    assert_eq!(server.refusals("rate_limited"), 1);
}

#[test]
fn an_address_has_its_rate_over_all_its_connections() {
    // An address may send twenty bursts at once.
    let server =
        dev("limit.rate = 0\nlimit.burst = 1\nlimit.rate_per_identity = 0\nlimit.rate_per_address = 1");
    let mut sockets = [server.ws(), server.ws()];
    for n in 0..20 {
        assert_eq!(publish(&mut sockets[n % 2])["type"], "ok", "{n}");
    }
    for ws in &mut sockets {
        let refused = publish(ws);
        assert!(refused["message"].as_str().unwrap().contains("this address"), "{refused}");
        assert!((1..=1_000).contains(&wait_of(&refused)));
    }
    let poll = get(&server, "/v1/poll?channels=sink");
    assert_eq!((poll.status, &poll.json()["code"]), (429, &json!("rate_limited")), "{}", poll.text());
    assert!(poll.header("retry-after").is_some(), "{poll:?}");
    // The backend is not one of the clients.
    server.send("sink", 1);
}

#[test]
fn an_identity_has_its_rate_over_all_its_connections() {
    // An identity may send four bursts at once.
    let server =
        dev("limit.rate = 0\nlimit.burst = 1\nlimit.rate_per_address = 0\nlimit.rate_per_identity = 1");
    let open = |user: &str| {
        let token = token_signed(&json!({"sub": user, "exp": in_seconds(60)}), SECRET);
        Ws::open(&server, &format!("/v1/ws?token={token}"))
    };
    let (mut one, mut other, mut stranger) = (open("ann"), open("ann"), open("bob"));
    for _ in 0..2 {
        assert_eq!(publish(&mut one)["type"], "ok");
        assert_eq!(publish(&mut other)["type"], "ok");
    }
    let refused = publish(&mut one);
    assert!(refused["message"].as_str().unwrap().contains("this identity"), "{refused}");
    assert!((1..=1_000).contains(&wait_of(&refused)));
    assert_eq!(publish(&mut other)["code"], "rate_limited");
    assert_eq!(publish(&mut stranger)["type"], "ok");
}

#[test]
fn subscriptions_of_a_session_are_bounded_whatever_way_they_come() {
    let server = dev("limit.subscriptions = 3");
    let mut ws = server.ws();
    ["a", "b", "c"].iter().for_each(|channel| drop(ws.subscribe(channel)));
    assert_eq!(ws.ask(json!({"type": "subscribe", "channel": "d"}))["code"], "limit_reached");
    // One that is there already costs nothing more, and one that is dropped makes room.
    ws.subscribe("a");
    assert_eq!(ws.ask(json!({"type": "unsubscribe", "channel": "a"}))["type"], "ok");
    ws.subscribe("d");
    let mut ws = server.ws();
    ws.send(&json!({"type": "hello", "channels": ["a", "b", "c", "d"]}));
    ws.expect("welcome");
    (0..3).for_each(|_| drop(ws.expect("subscribed")));
    assert_eq!(ws.expect("error")["code"], "limit_reached");
}

#[test]
fn an_address_has_so_many_connections() {
    let server = dev("limit.connections_per_address = 2");
    let first = server.ws();
    let sse = Sse::open(&server, "/v1/stream?channels=lobby", None);
    assert_eq!(sse.status, 200);
    let refused = Ws::open_with(&server, "/v1/ws", &[]).err().expect("no third connection");
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("limit_reached"), "{refused}");
    assert!(refused.contains("Retry-After: "), "{refused}");
    drop(first);
    eventually("the place is free again", || Ws::open_with(&server, "/v1/ws", &[]).is_ok());
}

#[test]
fn sockets_that_say_nothing_are_counted_too() {
    let server = dev("limit.connections_per_address = 3\nlimit.header_time = \"1m\"");
    let silent: Vec<Conn> = (0..3 + deskbell_core::limits::VISITS).map(|_| Conn::open(&server)).collect();
    eventually("one more is closed without a word", || {
        let conn = Conn::open(&server);
        conn.tcp().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        // Silence means that the others were not all in yet, and that this one got a place.
        match std::io::Read::read(&mut conn.tcp(), &mut [0]) {
            Ok(n) => n == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    });
    drop(silent);
    eventually("there is room again", || {
        let mut conn = Conn::open(&server);
        conn.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        conn.try_answer().is_some_and(|answer| answer.status == 200)
    });
    // What was refused is counted, and nobody is counted for ever.
    eventually("all have gone", || server.stats()["visits"] == 1);
    assert!(server.refusals("limit_reached") >= 1);
}

#[test]
fn an_address_may_connect_so_often() {
    // Twice the rate may come at once.
    let server = dev("limit.connect_rate_per_address = 2");
    (0..4).for_each(|_| drop(server.ws()));
    let refused = Ws::open_with(&server, "/v1/ws", &[]).err().expect("too fast");
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("rate_limited"), "{refused}");
    let wait =
        refused.split("wait ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!((1..=500).contains(&wait), "{refused}");
    std::thread::sleep(Duration::from_millis(wait));
    drop(server.ws());
}

#[test]
fn the_process_has_so_many_connections() {
    let server = dev("limit.connections = 2");
    let _held = [server.ws(), server.ws()];
    let refused = Ws::open_with(&server, "/v1/ws", &[]).err().expect("no third connection");
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("limit.connections"), "{refused}");
}

/// Three sessions wait, and there is room for two: the oldest goes.
fn three_wait_for_two_places(config: &str) {
    let server = dev(&format!("shards = 1\n{config}"));
    let mut keys = Vec::new();
    for waiting in 1..=3 {
        let mut ws = server.ws();
        ws.subscribe("lobby");
        keys.push(ws.welcome["resume"].clone());
        ws.cut();
        eventually("the session is parked", || {
            let sessions = server.api("GET", "/v1/sessions", None).json();
            let sessions = sessions["sessions"].as_array().unwrap().clone();
            sessions.len() == waiting.min(2)
                && sessions.iter().all(|session| session["transport"] == "parked")
        });
    }
    let resumed: Vec<bool> = keys
        .iter()
        .map(|key| {
            let mut ws = server.ws();
            ws.send(&json!({"type": "hello", "resume": key}));
            ws.expect("welcome")["resumed"].as_bool().unwrap()
        })
        .collect();
    assert_eq!(resumed, [false, true, true]);
}

#[test]
fn parked_sessions_are_bounded_and_the_oldest_goes_first() {
    three_wait_for_two_places("limit.parked_sessions = 2");
}

#[test]
fn parked_sessions_of_an_address_are_bounded() {
    three_wait_for_two_places("limit.parked_sessions_per_address = 2");
}

#[test]
fn a_session_waits_for_its_window() {
    let server = dev("session.resume_window = \"300ms\"");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    let key = ws.welcome["resume"].clone();
    ws.cut();
    eventually("the session is forgotten", || {
        server.api("GET", "/v1/sessions", None).json()["sessions"].as_array().unwrap().is_empty()
    });
    let mut ws = server.ws();
    ws.send(&json!({"type": "hello", "resume": key}));
    assert_eq!(ws.expect("welcome")["resumed"], false);
}

/// A publish of exactly so many bytes.
fn message_of(bytes: usize) -> String {
    let start = r#"{"type":"publish","channel":"a","name":"e","data":""#;
    format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
}

#[test]
fn a_frame_may_have_so_many_bytes() {
    for (config, most) in
        [("limit.frame = \"2KiB\"", 2_048), ("limit.frame = \"1MiB\"", 1 << 20), ("", 65_536)]
    {
        let server = dev(config);
        let mut ws = server.ws();
        ws.send_text(&message_of(most));
        assert_eq!(ws.next()["type"], "ok", "{config}");
        ws.send_text(&message_of(most + 1));
        assert_eq!(ws.until_closed().code, Some(1009), "{config}");
    }
}

#[test]
fn a_body_may_have_so_many_bytes() {
    for (config, most) in [("limit.body = \"2KiB\"", 2_048), ("", 1 << 20)] {
        let server = dev(config);
        let body = |bytes: usize| {
            let start = r#"{"channel":"a","name":"e","data":""#;
            let body = format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2));
            let bearer = format!("Bearer {SECRET}");
            request(&server, "POST", "/v1/publish", &[("Authorization", &bearer)], Some(&body))
        };
        let fits = body(most);
        assert_eq!(fits.status, 200, "{config}: {}", fits.text());
        let refused = body(most + 1);
        assert_eq!((refused.status, &refused.json()["code"]), (413, &json!("too_large")), "{config}");
    }
}

#[test]
fn a_head_may_have_so_many_bytes() {
    for (config, fits, over) in [
        ("limit.header = \"2KiB\"", 1_500, 2_048),
        ("", 16_000, 16_384),
        ("limit.header = \"64KiB\"", 60_000, 65_536),
    ] {
        let server = dev(config);
        let cookie = |bytes: usize| format!("a={}", "x".repeat(bytes));
        let mut conn = Conn::open(&server);
        assert_eq!(conn.get("/readyz", &[("Cookie", &cookie(fits))]).status, 200, "{config}");
        assert_eq!(conn.get("/readyz", &[("Cookie", &cookie(fits))]).status, 200, "{config}, once more");
        assert!(Ws::over(conn, "a", "/v1/ws", &[("Cookie", &cookie(fits))]).is_ok(), "{config}, upgraded");
        assert!(Ws::open_with(&server, "/v1/ws", &[("Cookie", &cookie(fits))]).is_ok(), "{config}");
        assert_eq!(Conn::open(&server).get("/readyz", &[("Cookie", &cookie(over))]).status, 431, "{config}");
        // The HTTP library, which reads later requests, begins at 8 KiB and looks only between its reads.
        let far_over = (2 * over).max(20_000);
        let mut conn = Conn::open(&server);
        assert_eq!(conn.get("/readyz", &[]).status, 200);
        assert_eq!(conn.get("/readyz", &[("Cookie", &cookie(far_over))]).status, 431, "{config}, later");
    }
}

#[test]
fn a_poll_waits_so_long_and_no_longer() {
    let server = dev("limit.poll_wait = \"1s\"");
    let cursor = server.send("lobby", 1)["cursor"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    let poll = get(&server, &format!("/v1/poll?channels=lobby&cursor={cursor}"));
    let waited = begun.elapsed();
    assert_eq!(poll.json()["events"], json!([]), "{}", poll.text());
    assert!(waited >= Duration::from_millis(990), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
}

#[test]
fn a_stream_is_rotated_and_goes_on_from_its_cursor() {
    let server = dev("limit.sse_rotation = \"1s\"");
    let begun = Instant::now();
    let mut sse = Sse::open(&server, "/v1/stream?channels=lobby", None);
    sse.expect("welcome");
    sse.expect("subscribed");
    assert!(sse.next().is_none(), "the stream ends");
    let lived = begun.elapsed();
    assert!(lived >= Duration::from_millis(800), "{lived:?}");
    assert!(lived < Duration::from_secs(5), "{lived:?}");
    server.send("lobby", "meanwhile");
    let mut sse = Sse::open(&server, "/v1/stream?channels=lobby", Some(&sse.last_id));
    sse.expect("welcome");
    assert_eq!(sse.expect("subscribed")["recovered"], true);
    assert_eq!(sse.expect("event")["data"], "meanwhile");
}

#[test]
fn a_client_without_a_sign_of_life_is_closed_and_one_that_answers_pings_is_not() {
    let server = dev("heartbeat = \"1s\"\nlimit.idle = \"2s\"");
    let mut alive = server.ws();
    alive.subscribe("lobby");
    let alive = std::thread::spawn(move || alive.event());
    // Twice, so that the other one would have been closed long before.
    for _ in 0..2 {
        let mut silent = server.ws();
        silent.mute = true;
        let begun = Instant::now();
        assert_eq!(silent.until_closed().code, Some(4408));
        let lived = begun.elapsed();
        assert!(lived >= Duration::from_secs(2) && lived < Duration::from_secs(10), "{lived:?}");
    }
    server.send("lobby", "still here");
    assert_eq!(alive.join().unwrap(), "still here");
}

#[test]
fn a_body_that_does_not_come_holds_nobody_up() {
    let server = dev("");
    let mut conn = Conn::open(&server);
    conn.send(format!(
        "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 50\r\n\r\nhalf"
    ));
    conn.tcp().shutdown(Shutdown::Write).unwrap();
    conn.until_end();
    eventually("its place is free", || server.stats()["visits"] == 1);
}

#[test]
fn who_says_a_word_and_ends_at_once_is_heard_and_let_go() {
    let server = dev("");
    let mut other = server.ws();
    other.subscribe("lobby");
    let mut clients: Vec<Ws> = (0..50).map(|_| server.ws()).collect();
    // The word and the end are there together when the server looks, so it is told of both at once.
    server.signal("STOP");
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&json!({"type": "publish", "channel": "lobby", "name": "e", "data": n}));
        client.tcp().shutdown(Shutdown::Write).unwrap();
    }
    server.signal("CONT");
    let mut heard: Vec<u64> = clients.iter().map(|_| other.event().as_u64().unwrap()).collect();
    heard.sort_unstable();
    assert_eq!(heard, (0..50).collect::<Vec<u64>>());
    eventually("all places but one are free", || server.stats()["connections"] == 1);
}

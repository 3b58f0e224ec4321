//! Whatever a client sends: it gets a clear answer, it is counted, and nobody else notices.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use deskbell_wire::websocket::encode::masked_frame_into;
use deskbell_wire::websocket::{Opcode, handshake};

use super::harness::*;
use crate::json;

const UPGRADE: &str = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A server with a client that must go on hearing everything, whatever others do.
struct Scene {
    server: Server,
    witness: Ws,
    rung: u64,
}

impl Scene {
    fn new() -> Self {
        Self::with("")
    }

    fn with(config: &str) -> Self {
        let server = Server::start(Start::with(config).flag("--dev"));
        let mut witness = server.ws();
        witness.subscribe("lobby");
        Self { server, witness, rung: 0 }
    }

    /// The client that did nothing wrong still gets its events.
    fn undisturbed(&mut self) {
        self.rung += 1;
        self.server.send("lobby", self.rung);
        assert_eq!(self.witness.event(), self.rung);
    }

    fn count(&self, counter: &str) -> u64 {
        self.server.stats()[counter].as_u64().unwrap()
    }

    /// These bytes on an open WebSocket end it with this code, and it is counted.
    fn breaks(&mut self, bytes: &[u8], code: u16) {
        let before = self.count("violations");
        let mut ws = self.server.ws();
        ws.send_bytes(bytes);
        let closed = ws.until_closed();
        assert_eq!(closed.code, Some(code), "{closed:?}");
        assert!(!closed.reason.is_empty(), "the reason says what was wrong");
        assert_eq!(self.count("violations"), before + 1);
        self.undisturbed();
    }

    /// These bytes on a new connection are answered with this status, and the connection ends.
    fn refuses(&mut self, bytes: impl AsRef<[u8]>, status: u16) -> Answer {
        let mut conn = Conn::open(&self.server);
        conn.send(bytes);
        let answer = conn.answer();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(conn.until_end(), b"", "the connection ends");
        self.undisturbed();
        answer
    }

    /// The same, counted as a request that broke HTTP.
    fn breaks_http(&mut self, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
        let before = self.count("bad_requests");
        let answer = self.refuses(bytes, status);
        assert_eq!(answer.json()["code"], code, "{}", answer.text());
        assert_eq!(self.count("bad_requests"), before + 1);
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    masked_frame_into(&mut frame, Opcode::Text, payload, [0; 4]);
    frame[0] = first;
    frame
}

#[test]
fn a_frame_that_breaks_the_protocol_ends_its_connection_alone() {
    let mut scene = Scene::new();
    let large = frame(0x81, &[b' '; 65_537]);
    scene.breaks(&large, 1009);
    // The length alone is enough: nothing is gathered for it.
    scene.breaks(&large[..14], 1009);
    scene.breaks(&frame(0x81, b"\xff\xfe"), 1007);
    scene.breaks(&frame(0x80, b"the end of nothing"), 1002);
    scene.breaks(&[frame(0x01, b"{\"a"), frame(0x81, b"another")].concat(), 1002);
    scene.breaks(&frame(0xf1, b"{}"), 1002);
    scene.breaks(&frame(0x83, b"{}"), 1002);
    scene.breaks(&frame(0x09, b"half a ping"), 1002);
    scene.breaks(&frame(0x89, &[b'p'; 126]), 1002);
    scene.breaks(b"\x81\x02{}", 1002);
    scene.breaks(&frame(0xc1, b"compressed without being asked"), 1002);
}

#[test]
fn pieces_of_a_message_are_bounded_together() {
    let mut scene = Scene::new();
    let mut pieces = frame(0x01, &[b' '; 60_000]);
    pieces.extend(frame(0x00, &[b' '; 5_600]));
    scene.breaks(&pieces, 1009);
}

#[test]
fn a_compressed_bomb_is_given_up_at_the_bound() {
    let mut scene = Scene::with("websocket.compression = true");
    let deflate = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let mut ws = Ws::open_with(&scene.server, "/v1/ws", &deflate).unwrap();
    assert!(ws.greeting.contains("permessage-deflate"), "{}", ws.greeting);
    // Zeros without end: a block of literal and match codes that repeats one byte.
    let mut bomb = deskbell_wire::websocket::deflate::Deflater::new(9);
    let zeros = vec![b' '; 50 * 1024 * 1024];
    let packed = bomb.message(&[&zeros]).unwrap();
    assert!(packed.len() < 65_536, "{}", packed.len());
    ws.send_bytes(&frame(0xc1, &packed));
    assert_eq!(ws.until_closed().code, Some(1009));
    scene.undisturbed();
    let mut ws = Ws::open_with(&scene.server, "/v1/ws", &deflate).unwrap();
    ws.send_bytes(&frame(0xc1, b"\xff\xff\xff no deflate"));
    assert_eq!(ws.until_closed().code, Some(1007));
    assert_eq!(scene.count("violations"), 2);
    scene.undisturbed();
}

#[test]
fn messages_that_mean_nothing_get_an_error_and_the_connection_goes_on() {
    let mut scene = Scene::new();
    let mut ws = scene.server.ws();
    let deep = format!(
        r#"{{"type":"publish","channel":"a","name":"e","data":{}{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let long = format!(r#"{{"type":"subscribe","channel":"{}"}}"#, "x".repeat(201));
    for (text, code) in [
        ("", "bad_message"),
        ("no json", "bad_message"),
        ("[]", "bad_message"),
        ("null", "bad_message"),
        ("{}", "bad_field"),
        (r#"{"type":"ping""#, "bad_message"),
        (r#"{"type":"ping"} {"type":"ping"}"#, "bad_message"),
        (r#"{"type":"dance"}"#, "unknown_type"),
        (r#"{"type":7}"#, "bad_field"),
        (r#"{"type":"ping","more":1}"#, "bad_field"),
        (r#"{"type":"ping","type":"ping"}"#, "bad_field"),
        (r#"{"type":"subscribe"}"#, "bad_field"),
        (r#"{"type":"subscribe","channel":["a"]}"#, "bad_field"),
        (r#"{"type":"subscribe","channel":""}"#, "bad_channel"),
        (r#"{"type":"subscribe","channel":"a b"}"#, "bad_channel"),
        (r#"{"type":"subscribe","channel":"a\u0000b"}"#, "bad_channel"),
        (r#"{"type":"subscribe","channel":"é"}"#, "bad_channel"),
        (&long, "bad_channel"),
        (r#"{"type":"unsubscribe","channel":"never"}"#, "not_subscribed"),
        (r#"{"type":"publish","channel":"a","name":"","data":1}"#, "bad_name"),
        (r#"{"type":"publish","channel":"a","name":"e\u0000","data":1}"#, "bad_name"),
        (r#"{"type":"publish","channel":"a","name":"e"}"#, "bad_field"),
        (&deep, "bad_field"),
        (r#"{"type":"hello","channels":"a"}"#, "bad_field"),
        (r#"{"type":"hello","token":"nonsense"}"#, "unauthorized"),
        (r#"{"type":"authenticate","token":"a.b.c"}"#, "unauthorized"),
        (r#"{"type":"authenticate","token":5}"#, "bad_field"),
    ] {
        let before = scene.server.refusals(code);
        ws.send_text(text);
        let error = ws.expect("error");
        assert_eq!(error["code"], code, "{text}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
        assert_eq!(scene.server.refusals(code), before + 1, "{text}");
    }
    let mut binary = Vec::new();
    masked_frame_into(&mut binary, Opcode::Binary, b"\0\x01\x02", [9; 4]);
    ws.send_bytes(&binary);
    assert_eq!(ws.expect("error")["code"], "bad_message");
    ws.subscribe("lobby");
    scene.undisturbed();
    assert_eq!(ws.event(), 1);
}

#[test]
fn a_nul_in_data_is_data() {
    let server = Server::dev();
    let mut ws = server.ws();
    ws.subscribe("lobby");
    server.send("lobby", "a\0b");
    assert_eq!(ws.event(), "a\0b");
}

#[test]
fn ten_thousand_subscriptions_are_a_hundred() {
    let mut scene = Scene::with("limit.rate = 0\nlimit.rate_per_address = 0\nlimit.rate_per_identity = 0");
    let mut ws = scene.server.ws();
    let before = scene.server.refusals("limit_reached");
    for hundred in 0..100 {
        for n in 0..100 {
            ws.send(&json!({"type": "subscribe", "channel": format!("c{hundred}.{n}")}));
        }
        for _ in 0..100 {
            let answer = ws.next();
            let expected = if hundred == 0 { "subscribed" } else { "error" };
            assert_eq!(answer["type"], expected, "{answer}");
            assert!(hundred == 0 || answer["code"] == "limit_reached", "{answer}");
        }
    }
    assert_eq!(scene.server.refusals("limit_reached") - before, 9_900);
    scene.undisturbed();
}

#[test]
fn a_cursor_that_is_not_ours_is_a_reset_and_never_a_refused_request() {
    let apps =
        "apps = [{ id = 2, key = \"second\", secret = \"the secret of the second app, long enough\" }]";
    let mut scene = Scene::with(apps);
    let elsewhere = Server::dev().send("lobby", 1)["cursor"].as_str().unwrap().to_owned();
    let second = Ws::open(&scene.server, "/v1/ws?app=second").cursor;
    let own = scene.server.send("other", 1)["cursor"].as_str().unwrap().to_owned();
    let mut forged = own.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for cursor in ["nonsense", "%00", "AAAA", &"A".repeat(3_000), &forged, &elsewhere, &second] {
        let mut ws = scene.server.ws();
        ws.send(&json!({"type": "hello", "cursor": cursor, "channels": ["lobby"]}));
        ws.expect("welcome");
        assert_eq!(ws.expect("subscribed")["recovered"], false, "{cursor}");
        assert_eq!(ws.expect("reset")["reason"], "foreign", "{cursor}");
        let mut ws = scene.server.ws();
        assert_eq!(
            ws.ask(json!({"type": "subscribe", "channel": "lobby", "since": cursor}))["type"],
            "subscribed"
        );
        assert_eq!(ws.expect("reset")["reason"], "foreign", "{cursor}");
        let mut sse = Sse::open(&scene.server, "/v1/stream?channels=lobby", Some(cursor));
        assert_eq!(sse.status, 200, "{cursor}");
        sse.expect("welcome");
        sse.expect("subscribed");
        assert_eq!(sse.expect("reset")["reason"], "foreign", "{cursor}");
        let poll =
            get(&scene.server, &format!("/v1/poll?channels=lobby&cursor={}", cursor.replace('%', "%25")));
        assert_eq!(poll.status, 200, "{cursor}: {}", poll.text());
        assert_eq!(poll.json()["reset"][0]["reason"], "foreign", "{cursor}");
    }
    assert_eq!(scene.server.stats()["resets"]["foreign"], 4 * 7);
    scene.undisturbed();
}

#[test]
fn publishes_that_mean_nothing_are_refused_by_name() {
    let mut scene = Scene::with("limit.body = \"8KiB\"");
    let deep = format!(r#"{{"channel":"a","name":"e","data":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let large = format!(r#"{{"channel":"a","name":"e","data":"{}"}}"#, "x".repeat(9_000));
    let bearer = format!("Bearer {SECRET}");
    for (body, status, code) in [
        ("", 400, "bad_message"),
        ("no json", 400, "bad_message"),
        ("{\"channel\":\"a\0\",\"name\":\"e\",\"data\":1}", 400, "bad_message"),
        ("{}", 400, "bad_field"),
        (r#"{"channel":"a b","name":"e","data":1}"#, 400, "bad_channel"),
        (r#"{"channel":"a","name":"","data":1}"#, 400, "bad_name"),
        (r#"{"channel":"a","name":"e"}"#, 400, "bad_field"),
        (r#"{"channel":"a","name":"e","data":1,"extra":1}"#, 400, "bad_field"),
        (
            r#"{"events":[{"channel":"a","name":"e","data":1},{"channel":"?","name":"e","data":1}]}"#,
            400,
            "bad_channel",
        ),
        (&deep, 400, "bad_field"),
        (&large, 413, "too_large"),
    ] {
        let before = scene.server.refusals(code);
        let answer = request(&scene.server, "POST", "/v1/publish", &[("Authorization", &bearer)], Some(body));
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{body}: {}",
            answer.text()
        );
        assert_eq!(scene.server.refusals(code), before + 1);
    }
    let answer =
        request(&scene.server, "POST", "/v1/publish", &[("Authorization", "Bearer wrong")], Some("{}"));
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("unauthorized")));
    scene.undisturbed();
}

#[test]
fn what_is_no_http_is_refused_at_the_door() {
    let mut scene = Scene::new();
    scene.breaks_http(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version");
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    scene.breaks_http(tls_hello, 400, "http_request_line");
    scene.breaks_http("GET /\r\n\r\n", 400, "http_request_line");
    scene.breaks_http("GET / HTTP/1.1\r\n\r\n", 400, "http_host");
    scene.breaks_http("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http_host");
    scene.breaks_http("GET / HTTP/1.1\nHost: a\n\n", 400, "http_bare_line_feed");
    scene.breaks_http("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, "http_header_line");
    scene.breaks_http("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "http_header_line");
    scene.breaks_http("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, "http_header_line");
    scene.breaks_http("DANCE / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "http_method");
    scene.breaks_http(format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000)), 414, "http_target_too_long");
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}", "x".repeat(16_384));
    scene.breaks_http(large, 431, "http_head_too_long");
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101));
    scene.breaks_http(many, 431, "http_too_many_headers");
}

#[test]
fn a_body_whose_length_is_said_twice_is_never_read() {
    let mut scene = Scene::new();
    let post = |lines: &str| {
        format!(
            "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\n{lines}\r\n\r\n\
             0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        )
    };
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        scene.breaks_http(post(lines), 400, "http_body_length");
    }
    scene.refuses(post("Transfer-Encoding: identity"), 400);
    scene.refuses(post("Content-Length: +4"), 400);
}

/// Further requests of a connection are read by the HTTP library, which forgets one of two lengths.
/// So nothing is read behind a chunked body.
#[test]
fn nothing_is_taken_from_behind_a_chunked_body() {
    let mut scene = Scene::new();
    let mut conn = Conn::open(&scene.server);
    assert_eq!(conn.get("/readyz", &[]).status, 200);
    conn.send(format!(
        "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    ));
    assert_eq!(conn.answer().header("connection"), Some("close"));
    assert_eq!(conn.until_end(), b"", "the second request is not answered");
    let chunked = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\n\
         Transfer-Encoding: chunked\r\n\r\n28\r\n{{\"channel\":\"lobby\",\"name\":\"e\",\"data\":77}}\r\n0\r\n\r\n"
    );
    let mut conn = Conn::open(&scene.server);
    conn.send(chunked);
    let answer = conn.answer();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.witness.event(), 77);
    scene.undisturbed();
}

#[test]
fn half_a_head_is_waited_for_only_so_long() {
    let mut scene = Scene::with("limit.header_time = \"100ms\"");
    let begun = Instant::now();
    let mut half = Conn::open(&scene.server);
    half.send(&UPGRADE[..60]);
    assert_eq!(half.answer().status, 408);
    assert_eq!(half.until_end(), b"");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Byte by byte is no sign of life.
    let mut slow = Conn::open(&scene.server);
    slow.tcp().set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let mut bytes = UPGRADE.bytes();
    let ended = loop {
        let Some(byte) = bytes.next() else { break false };
        slow.send([byte]);
        let mut answer = [0; 12];
        if matches!(std::io::Read::read(&mut slow, &mut answer), Ok(n) if n > 0) {
            assert_eq!(&answer, b"HTTP/1.1 408");
            break true;
        }
    };
    assert!(ended, "the head was finished although it took too long");
    assert_eq!(scene.count("bad_requests"), 2);
    scene.undisturbed();
}

#[test]
fn a_connection_that_says_nothing_is_no_error() {
    let mut server = Server::start(Start::default().flag("--dev").flag("--log-level").flag("debug"));
    for _ in 0..3 {
        drop(Conn::open(&server));
        let conn = Conn::open(&server);
        conn.tcp().shutdown(Shutdown::Write).unwrap();
        let conn = Conn::open(&server);
        socket2::SockRef::from(conn.tcp()).set_linger(Some(Duration::ZERO)).unwrap();
    }
    drop(server.ws());
    assert_eq!(server.stats()["bad_requests"], 0);
    server.stop();
    let log = server.log.lock().unwrap().clone();
    let loud: Vec<&String> = log.iter().filter(|line| line.contains("ERROR")).collect();
    assert!(loud.is_empty(), "{loud:?}");
}

#[test]
fn http_1_0_is_answered_and_does_not_become_a_websocket() {
    let mut scene = Scene::new();
    let answer = scene.refuses("GET /readyz HTTP/1.0\r\n\r\n", 200);
    assert_eq!(answer.header("upgrade"), None);
    let mut conn = Conn::open(&scene.server);
    conn.send(UPGRADE.replace("HTTP/1.1", "HTTP/1.0"));
    let answer = conn.answer();
    assert!((400..500).contains(&answer.status), "{answer:?}");
    // The same on a connection that was used before.
    let mut conn = Conn::open(&scene.server);
    assert_eq!(conn.get("/readyz", &[]).status, 200);
    conn.send(UPGRADE.replace("HTTP/1.1", "HTTP/1.0"));
    let answer = conn.answer();
    assert!((400..500).contains(&answer.status), "{answer:?}");
    scene.undisturbed();
}

#[test]
fn upgrades_that_are_wrong_say_what_is_wrong() {
    let mut scene = Scene::new();
    for (from, to, status) in [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 426),
        ("Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==", "Sec-WebSocket-Key: short", 400),
        ("Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\n", "", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        ("/v1/ws", "/v1/ws?app=nobody", 404),
        ("/v1/ws", "/v1/ws?token=a.b.c", 401),
    ] {
        let answer = scene.refuses(UPGRADE.replace(from, to), status);
        assert!(
            answer.json()["detail"].as_str().is_some_and(|detail| detail.len() > 10),
            "{}",
            answer.text()
        );
        // On a connection that was used before the answer is the same.
        let mut conn = Conn::open(&scene.server);
        assert_eq!(conn.get("/readyz", &[]).status, 200);
        conn.send(UPGRADE.replace(from, to));
        assert_eq!(conn.answer().status, status, "{to}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut scene = Scene::new();
    let mut conn = Conn::open(&scene.server);
    let line = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
    conn.send(format!("{line}GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n{line}"));
    let statuses = [conn.answer().status, conn.answer().status, conn.answer().status];
    assert_eq!(statuses, [200, 404, 200]);
    scene.undisturbed();
}

#[test]
fn a_used_connection_becomes_a_websocket() {
    let scene = Scene::new();
    let mut conn = Conn::open(&scene.server);
    assert_eq!(conn.get("/readyz", &[]).status, 200);
    assert_eq!(conn.get("/nowhere", &[]).status, 404);
    let mut ws = Ws::over(conn, "localhost", "/v1/ws", &[]).unwrap();
    ws.subscribe("lobby");
    scene.server.send("lobby", "after");
    assert_eq!(ws.event(), "after");
}

#[test]
fn frames_behind_the_upgrade_in_the_same_segment_are_not_lost() {
    let scene = Scene::new();
    let mut request = Vec::new();
    handshake::write_request(&mut request, "localhost", "/v1/ws", [7; 16], &[]).unwrap();
    masked_frame_into(
        &mut request,
        Opcode::Text,
        br#"{"type":"subscribe","ref":1,"channel":"lobby"}"#,
        [5; 4],
    );
    let before = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes();
    for head in [&b""[..], before] {
        let mut conn = Conn::open(&scene.server);
        conn.send([head, &request].concat());
        if !head.is_empty() {
            assert_eq!(conn.answer().status, 200);
        }
        let answer = conn.answer();
        assert_eq!(answer.status, 101, "{answer:?}");
        let mut text = conn.rest();
        while !String::from_utf8_lossy(&text).contains("\"subscribed\"") {
            let mut bytes = [0; 4_096];
            let n = std::io::Read::read(&mut conn, &mut bytes).unwrap();
            assert!(n > 0, "the connection ended: {}", String::from_utf8_lossy(&text));
            text.extend_from_slice(&bytes[..n]);
        }
    }
}

#[test]
fn tokens_hold_within_the_leeway_of_both_clocks_and_not_beyond() {
    let mut scene = Scene::with("auth.leeway = \"30s\"");
    let other = "another secret that is just as long as it should be";
    for (secret, claims, code) in [
        (SECRET, json!({"sub": "7", "exp": 60}), None),
        (SECRET, json!({"sub": "7", "exp": -20}), None),
        (SECRET, json!({"sub": "7", "exp": -40}), Some("token_expired")),
        (SECRET, json!({"sub": "7", "exp": 60, "nbf": 20}), None),
        (SECRET, json!({"sub": "7", "exp": 60, "nbf": 40}), Some("unauthorized")),
        (SECRET, json!({"sub": "7", "exp": 60, "iat": 20}), None),
        (SECRET, json!({"sub": "7", "exp": 60, "iat": 40}), Some("unauthorized")),
        (other, json!({"sub": "7", "exp": 60}), Some("unauthorized")),
        (SECRET, json!({"exp": 60}), Some("unauthorized")),
    ] {
        let mut timed = claims.clone();
        for name in ["exp", "nbf", "iat"] {
            if let Some(after) = claims[name].as_i64() {
                timed[name] = json!(in_seconds(after));
            }
        }
        let token = token_signed(&timed, secret);
        let mut ws = scene.server.ws();
        let frame = ws.ask(json!({"type": "authenticate", "token": token}));
        assert_eq!(frame["type"], if code.is_some() { "error" } else { "ok" }, "{claims}: {frame}");
        assert!(code.is_none_or(|code| frame["code"] == code), "{claims}: {frame}");
        ws.expect_nothing();
        let upgrade =
            Ws::open_with(&scene.server, "/v1/ws", &[("Authorization", &format!("Bearer {token}"))]);
        assert_eq!(upgrade.is_ok(), code.is_none(), "{claims}");
        if let (Err(answer), Some(code)) = (upgrade, code) {
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains(code), "{claims}: {answer}");
        }
        let poll = get(&scene.server, &format!("/v1/poll?channels=lobby&token={token}"));
        assert_eq!(poll.status, if code.is_some() { 401 } else { 200 }, "{claims}: {}", poll.text());
    }
    scene.undisturbed();
}

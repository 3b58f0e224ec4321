//! Whatever a connection begins with: what is no good HTTP is refused at the door, and nobody else notices.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use deskbell_wire::websocket::encode::masked_frame_into;
use deskbell_wire::websocket::{Opcode, handshake};

use super::bad_input::Scene;
use super::harness::*;
use crate::json;

const UPGRADE: &str = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\nSec-WebSocket-Version: 13\r\n\r\n";
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

/// Further requests of a connection are read by the HTTP library, which takes one of two lengths. Had
/// somebody before us believed the other, what follows would not be what it takes it for.
#[test]
fn nothing_is_taken_from_behind_a_body_of_two_lengths() {
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

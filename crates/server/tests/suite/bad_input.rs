//! Whatever a client sends: it gets a clear answer, it is counted, and nobody else notices.

use std::io::{Read as _, Write as _};

use deskbell_core::limits;
use deskbell_wire::websocket::Opcode;
use deskbell_wire::websocket::encode::masked_frame_into;

use super::harness::*;
use crate::json;

/// A server with a client that must go on hearing everything, whatever others do.
pub struct Scene {
    /// The server.
    pub server: Server,
    /// The client that did nothing wrong.
    pub witness: Ws,
    rung: u64,
}

impl Scene {
    /// Without configuration, but open to everybody.
    pub fn new() -> Self {
        Self::with("")
    }

    /// With some configuration.
    pub fn with(config: &str) -> Self {
        let server = Server::start(Start::with(config).flag("--dev"));
        let mut witness = server.ws();
        witness.subscribe("lobby");
        Self { server, witness, rung: 0 }
    }

    /// The client that did nothing wrong still gets its events.
    pub fn undisturbed(&mut self) {
        self.rung += 1;
        self.server.send("lobby", self.rung);
        assert_eq!(self.witness.event(), self.rung);
    }

    /// What a counter stands at.
    pub fn count(&self, counter: &str) -> u64 {
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
    pub fn refuses(&mut self, bytes: impl AsRef<[u8]>, status: u16) -> Answer {
        let mut conn = Conn::open(&self.server);
        conn.send(bytes);
        let answer = conn.answer();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(conn.until_end(), b"", "the connection ends");
        self.undisturbed();
        answer
    }

    /// The same, counted as a request that broke HTTP.
    pub fn breaks_http(&mut self, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
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
fn a_goodbye_is_not_destroyed_by_what_the_client_still_sends() {
    let scene = Scene::new();
    let mut ws = scene.server.ws();
    // More than a turn reads: the violation stands at its beginning, and the rest is never looked at.
    let mut bytes = frame(0x81, b"\xff\xfe");
    bytes.resize(4 * limits::READ_PER_TURN, 0);
    ws.send_bytes(&bytes);
    let mut goodbye = Vec::new();
    ws.stream().read_to_end(&mut goodbye).expect("an end, not a reset");
    assert_eq!(&goodbye[..1], b"\x88", "{goodbye:?}");
    assert_eq!(&goodbye[2..4], 1007_u16.to_be_bytes(), "{goodbye:?}");
    // Closing over unread bytes would be a reset; whoever still writes would hear that, and on some
    // systems lose the goodbye by it.
    for _ in 0..10 {
        ws.stream().write_all(&[0; 1_024]).expect("the other direction is still read");
    }
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

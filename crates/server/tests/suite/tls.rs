//! Encrypted on our own port: everything that works without TLS works with it.

use std::io::Read;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

use super::drain::assert_nobody_was_cut;
use super::harness::*;
use crate::json;

/// A server with a certificate, and a client that trusts it.
struct Scene {
    server: Server,
    certificate: Certificate,
    client: Arc<ClientConfig>,
}

impl Scene {
    fn new(config: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("deskbell-tls-suite-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let name = std::thread::current().name().unwrap_or("test").replace(':', "-");
        let certificate = Certificate::make(&directory, &name);
        let (chain, key) = (certificate.chain.display(), certificate.key.display());
        let config = format!("tls.cert = \"{chain}\"\ntls.key = \"{key}\"\n{config}");
        let server = Server::start(Start::with(&config).flag("--dev"));
        let client = Certificate::client(&[&certificate], rustls::ALL_VERSIONS);
        Self { server, certificate, client }
    }

    fn conn(&self) -> Conn {
        Conn::encrypted(self.server.address, &self.client)
    }

    fn ws(&self) -> Ws {
        Ws::over(self.conn(), "localhost", "/v1/ws", &[]).unwrap()
    }

    fn publish(&self, data: &serde_json::Value) {
        let bearer = format!("Bearer {SECRET}");
        let body = json!({"channel": "lobby", "name": "e", "data": data}).to_string();
        let answer = self.conn().post("/v1/publish", &[("Authorization", &bearer)], &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.certificate.chain);
        let _ = std::fs::remove_file(&self.certificate.key);
    }
}

#[test]
fn every_transport_works_in_both_versions() {
    let scene = Scene::new("");
    for version in [&TLS12, &TLS13] {
        let client = Certificate::client(&[&scene.certificate], &[version]);
        let conn = || Conn::encrypted(scene.server.address, &client);
        let socket = conn();
        assert_eq!(socket.session().protocol_version(), Some(version.version));
        let mut ws = Ws::over(socket, "localhost", "/v1/ws", &[]).unwrap();
        assert!(ws.greeting.contains("; Secure"), "{}", ws.greeting);
        ws.subscribe("lobby");
        let mut sse = Sse::over(conn(), "/v1/stream?channels=lobby", None, &[]);
        sse.expect("welcome");
        sse.expect("subscribed");
        let mut poller = conn();
        let cursor = poller.get("/v1/poll?channels=lobby", &[]).json()["cursor"].as_str().unwrap().to_owned();
        scene.publish(&json!("safe"));
        assert_eq!(ws.event(), "safe");
        assert_eq!(sse.expect("event")["data"], "safe");
        let poll = poller.get(&format!("/v1/poll?channels=lobby&cursor={cursor}"), &[]);
        assert_eq!(poll.json()["events"][0]["data"], "safe");
        // The poller's connection may go on as a WebSocket.
        let mut ws = Ws::over(poller, "localhost", "/v1/ws", &[]).unwrap();
        ws.subscribe("lobby");
        scene.publish(&json!("again"));
        assert_eq!(ws.event(), "again");
    }
}

#[test]
fn a_client_that_was_away_catches_up_and_its_handshake_is_short() {
    let scene = Scene::new("");
    let mut ws = scene.ws();
    ws.subscribe("lobby");
    scene.publish(&json!(1));
    assert_eq!(ws.event(), 1);
    let resume = ws.welcome["resume"].clone();
    let cursor = ws.cut();
    scene.publish(&json!(2));
    let conn = scene.conn();
    assert_eq!(conn.session().handshake_kind(), Some(HandshakeKind::Resumed));
    let mut back = Ws::over(conn, "localhost", "/v1/ws", &[]).unwrap();
    back.send(&json!({"type": "hello", "resume": resume, "cursor": cursor}));
    assert_eq!(back.expect("welcome")["resumed"], true);
    back.expect("subscribed");
    assert_eq!(back.event(), 2);
}

#[test]
fn a_new_certificate_counts_for_new_connections_and_drops_nobody() {
    let mut scene = Scene::new("");
    let mut before = scene.ws();
    before.subscribe("lobby");
    let directory = scene.certificate.chain.parent().unwrap().to_owned();
    let new = Certificate::make(&directory, "new");
    // A pair that does not fit is refused, and the one from before stays.
    std::fs::copy(&new.chain, &scene.certificate.chain).unwrap();
    scene.server.signal("HUP");
    let line = scene.server.line_with("the configuration was not reloaded");
    assert!(line.contains("is not the key"), "{line}");
    drop(scene.ws());
    std::fs::copy(&new.key, &scene.certificate.key).unwrap();
    scene.server.signal("HUP");
    scene.server.line_with("the configuration was reloaded");
    // A fresh client, because a session that is resumed shows no certificate.
    let old_only = Certificate::client(&[&scene.certificate], rustls::ALL_VERSIONS);
    assert!(Conn::try_encrypted(scene.server.address, &old_only).is_err());
    scene.client = Certificate::client(&[&new], rustls::ALL_VERSIONS);
    let conn = scene.conn();
    assert_eq!(conn.session().peer_certificates().unwrap()[0], new.der);
    scene.publish(&json!("still here"));
    assert_eq!(before.event(), "still here");
    before.subscribe("elsewhere");
}

#[test]
fn a_slow_reader_gets_everything() {
    // More than the sockets' buffers and the backlog hold, and less than the history keeps.
    let scene = Scene::new("history.bytes = \"64MiB\"\nhistory.count = 100000");
    let mut slow = scene.ws();
    slow.subscribe("lobby");
    let bearer = format!("Bearer {SECRET}");
    let mut backend = scene.conn();
    let (events, padding) = (600, "x".repeat(30_000));
    for n in 0..events {
        let body = json!({"channel": "lobby", "name": "e", "data": {"n": n, "padding": padding}}).to_string();
        assert_eq!(backend.post("/v1/publish", &[("Authorization", &bearer)], &body).status, 200);
    }
    for n in 0..events {
        assert_eq!(slow.event()["n"], n);
    }
    scene.publish(&json!("live again"));
    assert_eq!(slow.event(), "live again");
    let stats = scene.conn().get("/v1/stats", &[("Authorization", &bearer)]).json();
    assert_ne!(stats["caught_up"], 0, "it was really slow: {stats}");
    assert_eq!(stats["resets"].as_object().unwrap().values().filter(|n| **n != 0).count(), 0, "{stats}");
}

#[test]
fn large_messages_pass_both_ways() {
    let scene = Scene::new("limit.frame = \"1MiB\"");
    let mut ws = scene.ws();
    ws.subscribe("lobby");
    let large = "y".repeat(600_000);
    let answer = ws.ask(json!({"type": "publish", "channel": "lobby", "name": "e", "data": large}));
    assert_eq!(answer["type"], "ok");
    assert_eq!(ws.event(), large);
}

#[test]
fn plain_bytes_on_the_encrypted_port_harm_nobody() {
    let mut scene = Scene::new("");
    let mut witness = scene.ws();
    witness.subscribe("lobby");
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b"\0\0\0\0\0", b"\x16\x03\x01\xff\xff", b""]
    {
        let mut conn = Conn::open(&scene.server);
        conn.send(bytes);
        conn.tcp().shutdown(std::net::Shutdown::Write).unwrap();
        let answer = conn.until_end();
        assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    }
    // Broken off in the middle of an encrypted record.
    let mut ws = scene.ws();
    let mut raw = ws.stream().try_clone().unwrap();
    std::io::Write::write_all(&mut raw, b"\x17\x03\x03\x00\x20not a record of this session....").unwrap();
    assert_eq!(ws.until_closed().code, None);
    let mut rest = Vec::new();
    let _ = raw.read_to_end(&mut rest);
    scene.publish(&json!("undisturbed"));
    assert_eq!(witness.event(), "undisturbed");
    drop(witness);
    scene.server.stop();
    let log = scene.server.log.lock().unwrap().clone();
    assert!(!log.iter().any(|line| line.contains("ERROR")), "{log:?}");
}

#[test]
fn a_handshake_that_never_ends_does_not_hold_the_stop_up() {
    let mut scene = Scene::new("");
    let silent = Conn::to(scene.server.address);
    // Answered after the other was accepted.
    assert_eq!(scene.conn().get("/healthz", &[]).status, 200);
    scene.server.stop();
    assert_nobody_was_cut(&scene.server);
    drop(silent);
}

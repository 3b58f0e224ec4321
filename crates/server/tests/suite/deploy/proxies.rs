//! Every way in through nginx, Apache and HAProxy, as `deploy/` configures them.

use std::io::Read as _;
use std::time::{Duration, Instant};

use rustls::version::TLS13;

use super::super::harness::*;
use super::super::proxies::the_address_that_a_client_claims_counts_for_nothing;
use super::shipped;
use crate::json;

const CONFIG: &str = "trusted_proxies = [\"127.0.0.1\"]\n";

fn server() -> Server {
    Server::start(Start::with(CONFIG).flag("--dev"))
}

fn publish(proxy: &Proxy, data: &str) {
    let bearer = format!("Bearer {SECRET}");
    let body = json!({"channel": "lobby", "name": "e", "data": data}).to_string();
    let answer = Conn::to(proxy.address).post("/v1/publish", &[("Authorization", &bearer)], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn upgraded(proxy: &Proxy, path: &str) -> Ws {
    let ws = Ws::upgraded(Conn::to(proxy.address), "localhost", path, &[]);
    ws.unwrap_or_else(|answer| panic!("{path}: {answer}"))
}

/// A page's connection, with the address that it says in its query.
fn appointease(proxy: &Proxy) {
    for path in
        ["/appointease?email=ann%40example.org", "/appointease/v1/realtime/ws?email=ann%40example.org"]
    {
        let greeting = upgraded(proxy, path).next();
        assert_eq!(greeting["clientId"], "ann@example.org", "{path}: {greeting}");
    }
    let body = json!({"date": "2025-11-03", "time": "10:00", "employee_id": 1}).to_string();
    for route in [
        "appointease/v1/realtime/availability",
        "appointease/v1/availability",
        "appointease/v1/reschedule-availability",
        "appointease/v1/check-slot",
        "booking/v1/availability",
    ] {
        let answer = Conn::to(proxy.address).post(&format!("/wp-json/{route}"), &[], &body);
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
    }
    assert_eq!(got(proxy, "/wp-json/appointease/v1/realtime/poll").json()["type"], "no_update");
}

/// A page of PorticoEstate hears nothing until it speaks.
fn portico(proxy: &Proxy) {
    let mut page = upgraded(proxy, "/wss");
    page.send(&json!({"type": "ping", "id": "through"}));
    assert_eq!(page.expect("pong")["reply_to"], "through");
}

/// The connection becomes a WebSocket, whatever is said on it.
fn switches(proxy: &Proxy, path: &str) {
    let mut conn = Conn::to(proxy.address);
    conn.send(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    let mut start = [0; 12];
    conn.tcp().read_exact(&mut start).unwrap();
    assert_eq!(String::from_utf8_lossy(&start), "HTTP/1.1 101", "{path}");
}

fn got(proxy: &Proxy, path: &str) -> Answer {
    Conn::to(proxy.address).get(path, &[])
}

/// WebSockets, streams and polls of every dialect, and nothing of the site.
fn every_way_in(proxy: &Proxy) {
    native(proxy);
    pusher_and_socketio(proxy);
    appointease(proxy);
    portico(proxy);
    assert!(got(proxy, "/websocket-test").text().contains("<title>WebSocket test"));
    for path in [
        "/",
        "/wp-json/wp/v2/posts",
        "/wp-json/booking/v1/appointments",
        "/appointeasement",
        "/wssx",
        "/metrics",
        "/v2/x",
        "/websocket-test/x",
    ] {
        assert!(got(proxy, path).text().starts_with("the site"), "{path} is the site's");
    }
}

fn native(proxy: &Proxy) {
    let mut socket = Ws::over(Conn::to(proxy.address), "localhost", "/v1/ws", &[]).unwrap();
    socket.subscribe("lobby");
    let mut stream = Sse::over(Conn::to(proxy.address), "/v1/stream?channels=lobby", None, &[]);
    stream.expect("welcome");
    stream.expect("subscribed");
    let cursor = got(proxy, "/v1/poll?channels=lobby").json()["cursor"].as_str().unwrap().to_owned();
    let mut poller = Conn::to(proxy.address);
    poller.send(format!("GET /v1/poll?channels=lobby&cursor={cursor} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let begun = Instant::now();
    publish(proxy, "at once");
    assert_eq!(socket.event(), "at once");
    assert_eq!(stream.expect("event")["data"], "at once");
    assert_eq!(poller.answer().json()["events"][0]["data"], "at once");
    // A proxy that gathers a stream's bytes would hold the event until the next heartbeat.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // The colon of a channel's name pass as they were written.
    let encoded = got(proxy, "/v1/channels/slots%3Adr-7");
    assert!(encoded.status != 400 && !encoded.text().contains("the site"), "{}", encoded.text());
}

fn pusher_and_socketio(proxy: &Proxy) {
    let mut pusher = upgraded(proxy, "/app/test-key?protocol=7&client=js&version=8.4.0&flash=false");
    assert_eq!(pusher.next()["event"], "pusher:connection_established");
    for path in ["/socket.io/", "/api/socket/"] {
        let opened = got(proxy, &format!("{path}?EIO=4&transport=polling"));
        assert!(opened.text().starts_with("0{\"sid\""), "{path}: {}", opened.text());
        switches(proxy, &format!("{path}?EIO=4&transport=websocket"));
    }
    assert_eq!(got(proxy, "/api/socket").json()["status"], "active");
    assert!(got(proxy, "/apps/1001/channels").status != 404);
}

#[test]
fn every_way_in_leads_through_nginx() {
    let server = server();
    let proxy = shipped::nginx(&server);
    every_way_in(&proxy);
}

#[test]
fn every_way_in_leads_through_apache() {
    let server = server();
    let proxy = shipped::apache(&server);
    every_way_in(&proxy);
}

#[test]
fn the_containers_apache_leads_everything_in() {
    let server = server();
    let proxy = shipped::apache_of_container(&server);
    native(&proxy);
    pusher_and_socketio(&proxy);
    appointease(&proxy);
    portico(&proxy);
    assert!(got(&proxy, "/").text().contains("<title>Deskbell"));
}

#[test]
fn nobody_chooses_an_address_behind_any_of_them() {
    for start in [shipped::nginx, shipped::apache, shipped::apache_of_container] {
        let server = server();
        let proxy = start(&server);
        the_address_that_a_client_claims_counts_for_nothing(&proxy, &server);
    }
}

#[test]
fn a_balancer_keeps_a_browser_at_its_server_until_that_is_gone() {
    let start = || Start::with(CONFIG).flag("--dev").on_file();
    let (mut one, two) = (Server::start(start()), Server::start(start()));
    let certificate = Certificate::make(&one.data, "site");
    let proxy = shipped::haproxy(&one, &two, &certificate);
    let client = Certificate::client(&[&certificate], &[&TLS13]);
    let browser = |cookie: Option<&str>| {
        let headers: Vec<_> = cookie.map(|cookie| ("Cookie", cookie)).into_iter().collect();
        Ws::over(Conn::encrypted(proxy.address, &client), "localhost", "/v1/ws", &headers).unwrap()
    };
    let at = |server: &Server| server.stats()["connections"].as_u64().unwrap();
    // The cookie says which of the two it is.
    for (cookie, here, other) in [("one", &one, &two), ("two", &two, &one)] {
        let before = (at(here), at(other));
        let kept: Vec<_> = (0..4).map(|_| browser(Some(&format!("deskbell_server={cookie}")))).collect();
        assert_eq!((at(here), at(other)), (before.0 + 4, before.1), "server {cookie}");
        drop(kept);
        eventually("they are gone", || at(here) == before.0);
    }
    one.stop();
    let mut moved = browser(Some("deskbell_server=one"));
    moved.subscribe("lobby");
    two.send("lobby", 7);
    assert_eq!(moved.event(), 7);
}

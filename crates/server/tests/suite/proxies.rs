//! Behind the proxies that sites really have: everything works, at once, and the client is known.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::json;

const BEARER: &str = "Bearer a-secret-for-tests-a-secret-for-tests";

fn publish(proxy: &Proxy, data: &str) {
    let body = json!({"channel": "lobby", "name": "e", "data": data}).to_string();
    let answer = Conn::to(proxy.address).post("/v1/publish", &[("Authorization", BEARER)], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ws(proxy: &Proxy, headers: &[(&str, &str)]) -> Result<Ws, String> {
    Ws::over(Conn::to(proxy.address), "localhost", "/v1/ws", headers)
}

/// WebSocket, stream, poll and publish, all through the proxy.
fn everything_works(proxy: &Proxy) {
    let mut socket = ws(proxy, &[]).unwrap();
    socket.subscribe("lobby");
    let mut stream = Sse::over(Conn::to(proxy.address), "/v1/stream?channels=lobby", None, &[]);
    assert_eq!(stream.status, 200);
    stream.expect("welcome");
    stream.expect("subscribed");
    let mut poller = Conn::to(proxy.address);
    let head = poller.get("/v1/poll?channels=lobby", &[]);
    assert_eq!(head.status, 200, "{}", head.text());
    let cursor = head.json()["cursor"].as_str().unwrap().to_owned();
    poller.send(format!("GET /v1/poll?channels=lobby&cursor={cursor} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let begun = Instant::now();
    publish(proxy, "at once");
    assert_eq!(socket.event(), "at once");
    assert_eq!(stream.expect("event")["data"], "at once");
    assert_eq!(poller.answer().json()["events"][0]["data"], "at once");
    // A proxy that gathers a stream's bytes would hold the event until the next heartbeat.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // A large event does not fit one of the proxy's buffers.
    let large = "x".repeat(200_000);
    publish(proxy, &large);
    assert_eq!(socket.event(), large);
    assert_eq!(stream.expect("event")["data"], large);
    publish(proxy, "after");
    assert_eq!(socket.event(), "after");
    assert_eq!(stream.expect("event")["data"], "after");
    upgrades_on_used_connections(proxy);
}

/// Proxies keep connections to us, and an upgrade may come on one that has spoken HTTP before.
fn upgrades_on_used_connections(proxy: &Proxy) {
    for turn in 0..5 {
        let mut conn = Conn::to(proxy.address);
        for _ in 0..3 {
            assert_eq!(conn.get("/readyz", &[]).status, 200);
        }
        let mut ws = Ws::over(conn, "localhost", "/v1/ws", &[]).unwrap();
        ws.subscribe("lobby");
        publish(proxy, &format!("turn {turn}"));
        assert_eq!(ws.event(), format!("turn {turn}"));
    }
}

/// The address of the only session that there is.
fn address_seen(server: &Server) -> String {
    let sessions = server.api("GET", "/v1/sessions", None).json();
    let live: Vec<_> = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["transport"] != "parked")
        .cloned()
        .collect();
    assert_eq!(live.len(), 1, "{sessions}");
    live[0]["address"].as_str().unwrap().to_owned()
}

fn trusting(config: &str) -> Server {
    Server::start(Start::with(&format!("trusted_proxies = [\"127.0.0.1\"]\n{config}")).flag("--dev"))
}

/// With trust every client has its own address, and no client can choose it; without, all are one.
fn clients_are_told_apart(start: fn(&Server) -> Proxy, headers: fn(&str) -> (&'static str, String)) {
    let server = trusting("limit.connections_per_address = 1");
    let proxy = start(&server);
    let from = |address: &str| {
        let (name, value) = headers(address);
        ws(&proxy, &[(name, &value)])
    };
    let ann = from("203.0.113.7").unwrap();
    assert_eq!(address_seen(&server), "203.0.113.7");
    let refused = from("203.0.113.7").err().expect("one connection of an address");
    assert!(refused.contains("limit_reached"), "{refused}");
    let bob = from("203.0.113.8").unwrap();
    drop((ann, bob));
    let server = Server::dev();
    let proxy = start(&server);
    let (name, value) = headers("203.0.113.7");
    let ann = ws(&proxy, &[(name, &value)]).unwrap();
    assert_eq!(address_seen(&server), "127.0.0.1");
    drop(ann);
    // Without a proxy the word of the client itself counts for nothing either.
    let server = Server::dev();
    let headers = [("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")];
    let _ann = Ws::over(Conn::open(&server), "localhost", "/v1/ws", &headers).unwrap();
    assert_eq!(address_seen(&server), "127.0.0.1");
}

/// A proxy in front of this one has told the client's address; the last hop is trusted.
fn x_forwarded_for(address: &str) -> (&'static str, String) {
    ("X-Forwarded-For", format!("198.51.100.66, {address}"))
}

#[test]
fn everything_works_through_nginx() {
    let server = trusting("");
    everything_works(&Proxy::nginx(&server, None));
}

#[test]
fn everything_works_through_haproxy() {
    let server = trusting("");
    everything_works(&Proxy::haproxy(&server));
}

#[test]
fn everything_works_through_apache() {
    let server = trusting("");
    everything_works(&Proxy::apache(&server));
}

#[test]
fn nginx_tells_clients_apart() {
    clients_are_told_apart(|server| Proxy::nginx(server, None), x_forwarded_for);
}

#[test]
fn haproxy_tells_clients_apart() {
    clients_are_told_apart(Proxy::haproxy, x_forwarded_for);
}

#[test]
fn apache_tells_clients_apart() {
    clients_are_told_apart(Proxy::apache, x_forwarded_for);
}

/// The proxy's own client is not trusted here: it is another address of this machine.
pub fn the_address_that_a_client_claims_counts_for_nothing(proxy: &Proxy, server: &Server) {
    let claim = |name: &str, value: &str| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
        socket.connect(&proxy.address.into()).unwrap();
        let ws = Ws::over(Conn::on(socket.into()), "localhost", "/v1/ws", &[(name, value)]).unwrap();
        let seen = address_seen(server);
        ws.close();
        eventually("the session has gone", || server.stats()["connections"] == 0);
        seen
    };
    assert_eq!(claim("X-Nothing", "x"), "127.0.0.2");
    assert_eq!(claim("X-Forwarded-For", "1.2.3.4"), "127.0.0.2");
    assert_ne!(claim("Forwarded", "for=1.2.3.4"), "1.2.3.4");
}

#[test]
fn nobody_chooses_an_address_behind_nginx() {
    let server = trusting("");
    the_address_that_a_client_claims_counts_for_nothing(&Proxy::nginx(&server, None), &server);
}

#[test]
fn nobody_chooses_an_address_behind_haproxy() {
    let server = trusting("");
    the_address_that_a_client_claims_counts_for_nothing(&Proxy::haproxy(&server), &server);
}

#[test]
fn nobody_chooses_an_address_behind_apache() {
    let server = trusting("");
    the_address_that_a_client_claims_counts_for_nothing(&Proxy::apache(&server), &server);
}

#[test]
fn the_standards_header_is_understood() {
    let server = trusting("");
    let proxy = Proxy::haproxy_forwarded(&server);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&proxy.address.into()).unwrap();
    let _ws = Ws::over(Conn::on(socket.into()), "localhost", "/v1/ws", &[]).unwrap();
    assert_eq!(address_seen(&server), "127.0.0.2");
}

#[test]
fn tls_that_a_proxy_takes_off_is_still_tls_for_the_browser() {
    let server = Server::start(Start::with("trusted_proxies = [\"127.0.0.1\"]"));
    let certificate = Certificate::make(&server.data, "proxy");
    let client = Certificate::client(&[&certificate], rustls::ALL_VERSIONS);
    let proxy = Proxy::nginx(&server, Some(&certificate));
    let open = |origin: &str| {
        let conn = Conn::encrypted(proxy.address, &client);
        Ws::over(conn, "localhost", "/v1/ws", &[("Origin", origin)])
    };
    let mut ws = open("https://localhost").unwrap();
    assert!(ws.greeting.contains("deskbell_visitor=") && ws.greeting.contains("; Secure"), "{}", ws.greeting);
    assert!(open("http://localhost").err().unwrap().contains("bad_origin"));
    ws.subscribe("public-lobby");
    let mut stream =
        Sse::over(Conn::encrypted(proxy.address, &client), "/v1/stream?channels=public-lobby", None, &[]);
    stream.expect("welcome");
    stream.expect("subscribed");
    server.send("public-lobby", "through");
    assert_eq!(ws.event(), "through");
    assert_eq!(stream.expect("event")["data"], "through");
    // A proxy that nobody trusts takes TLS off as well; then its word about it does not count.
    let server = Server::start(Start::default());
    let proxy = Proxy::nginx(&server, Some(&certificate));
    let conn = Conn::encrypted(proxy.address, &client);
    let ws = Ws::over(conn, "localhost", "/v1/ws", &[("Origin", "https://localhost")]).unwrap();
    assert!(!ws.greeting.contains("; Secure"), "{}", ws.greeting);
}

/// Apache names the host that the browser asked for in a header of its own.
#[test]
fn pages_behind_apache_are_of_the_same_host() {
    let server = Server::start(Start::with("trusted_proxies = [\"127.0.0.1\"]"));
    let proxy = Proxy::apache(&server);
    let open =
        |origin: &str| Ws::over(Conn::to(proxy.address), "bell.example", "/v1/ws", &[("Origin", origin)]);
    assert!(open("http://bell.example").is_ok());
    assert!(open("http://evil.example").err().unwrap().contains("bad_origin"));
}

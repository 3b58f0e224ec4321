//! The HTTP API from outside: what only shows with a real disk, real restarts and real sockets.

use serde_json::Value;

use super::harness::*;
use crate::json;

const DURABLE: &str = r#"
drain = "1s"
[[channels]]
pattern = "durable*"
durable = true
history_count = 3
"#;

fn data(page: &Value, member: &str) -> Vec<i64> {
    let events = page[member].as_array().expect("a list of frames");
    events.iter().map(|event| event["data"].as_i64().expect("a number")).collect()
}

/// Reads a channel's whole past, page by page.
fn past(server: &Server, channel: &str, limit: usize) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let target = format!("/v1/channels/{channel}/events?limit={limit}&cursor={cursor}");
        let page = server.api("GET", &target, None).json();
        assert_eq!(page["reset"], json!([]), "{page}");
        pages.push(data(&page, "events"));
        page["cursor"].as_str().expect("a cursor").clone_into(&mut cursor);
        if page["more"] == false {
            return pages;
        }
    }
}

#[test]
fn the_past_of_a_durable_channel_is_read_from_disk_where_memory_has_dropped_it() {
    let mut server = Server::start(Start::with(DURABLE));
    for n in 0..7 {
        server.send("durable-a", n);
        server.send("durable-b", 100 + n);
    }
    let expected = [vec![0, 1, 2], vec![3, 4, 5], vec![6]];
    assert_eq!(past(&server, "durable-a", 3), expected);
    server = server.stop_and_restart();
    assert_eq!(past(&server, "durable-a", 3), expected);
    server = server.crash_and_restart();
    assert_eq!(past(&server, "durable-a", 3), expected);
    server.send("durable-a", 7);
    assert_eq!(past(&server, "durable-a", 100).concat(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn an_event_source_goes_on_after_a_restart_where_it_stood() {
    let server = Server::start(Start::with(DURABLE).flag("--dev"));
    let path = "/v1/stream?channels=lobby,durable-a";
    let mut stream = Sse::open(&server, path, None);
    assert_eq!(stream.status, 200);
    (0..3).for_each(|_| drop(stream.next().unwrap()));
    server.send("lobby", 1);
    server.send("durable-a", 2);
    assert_eq!(
        (stream.expect("event")["data"].clone(), stream.expect("event")["data"].clone()),
        (json!(1), json!(2))
    );
    let server = server.stop_and_restart();
    while stream.next().is_some() {}
    server.send("lobby", 3);
    server.send("durable-a", 4);
    let mut back = Sse::open(&server, path, Some(&stream.last_id));
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = back.next().expect("the stream goes on").data;
        assert_ne!(event["type"], "reset", "{event}");
        seen.extend((event["type"] == "event").then(|| event["data"].as_i64().unwrap()));
    }
    assert_eq!(seen, [3, 4]);
}

#[test]
fn a_reader_that_leaves_is_not_counted_any_more() {
    let server = Server::dev();
    let stream = Sse::open(&server, "/v1/stream?channels=lobby", None);
    assert_eq!(server.stats()["connections"], 1);
    drop(stream);
    eventually("the connection counts no more", || server.stats()["connections"] == 0);
}

#[test]
fn one_connection_serves_many_requests_and_a_refused_body_does_not_confuse_it() {
    let server = Server::start(Start::with("[limit]\nbody = \"1KiB\"").flag("--dev"));
    let bearer = format!("Bearer {SECRET}");
    let mut conn = Conn::open(&server);
    for n in 0..50 {
        let body = json!({"channel": "lobby", "name": "n", "data": n}).to_string();
        let answer = conn.post("/v1/publish", &[("Authorization", &bearer)], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Without a proof the body is not read; what follows must not be taken for a request.
    let smuggled = "GET /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(conn.post("/v1/publish", &[], smuggled).status, 401);
    if let Some(next) = {
        conn.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        conn.try_answer()
    } {
        assert_eq!(next.text(), "ok\n", "the next answer belongs to the next request");
    }
    let mut conn = Conn::open(&server);
    let large = conn.post("/v1/publish", &[("Authorization", &bearer)], &"x".repeat(100_000));
    assert_eq!((large.status, large.json()["code"].clone()), (413, json!("too_large")));
}

#[test]
fn a_page_of_a_listed_site_learns_why_it_was_refused() {
    let site = "https://www.example.org";
    let server = Server::start(Start::with(&format!("[cors]\norigins = [\"{site}\"]")));
    let answer = request(&server, "GET", "/v1/poll?channels=staff", &[("Origin", site)], None);
    assert_eq!((answer.status, answer.json()["channel"].clone()), (403, json!("staff")));
    assert_eq!(answer.header("access-control-allow-origin"), Some(site));
    let preflight = [("Origin", site), ("Access-Control-Request-Method", "POST")];
    assert_eq!(request(&server, "OPTIONS", "/v1/publish", &preflight, None).status, 204);
    let head = request(&server, "HEAD", "/", &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("text/html; charset=utf-8"));
}

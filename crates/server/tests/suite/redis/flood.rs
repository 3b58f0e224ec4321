//! More than the log takes at once: it waits in the sockets and in Redis, and nothing of it is lost.

use deskbell_wire::redis::resp::Value;

use super::{Redis, Server, server, shown};
use crate::harness::{Reader, Transport, count, eventually};

/// Bytes of padding of one event.
const PADDING: usize = 4_000;

/// Sends numbered events, each with so many bytes beside its number, as fast as Redis takes them.
pub(super) fn flood(redis: &Redis, channel: &str, events: i64, padding: usize) {
    let mut site = redis.open();
    let channel = format!("laravel_database_{channel}");
    for first in (0..events).step_by(500) {
        let last = events.min(first + 500);
        for n in first..last {
            site.send(&["PUBLISH", &channel, &message(n, padding)]);
        }
        for _ in first..last {
            assert_eq!(site.answer(), Value::Integer(1), "somebody hears it");
        }
    }
}

/// One of those events, as Laravel writes it.
pub(super) fn message(n: i64, padding: usize) -> String {
    format!(r#"{{"event":"e","data":[{n},"{}"],"socket":null}}"#, "x".repeat(padding))
}

/// Reads them back: all of them, in their order.
pub(super) fn read_all(server: &Server, cursor: Option<&str>, events: i64) {
    let mut reader = Reader::open(server, Transport::Poll, &["durable"], cursor);
    for n in 0..events {
        assert_eq!(reader.event()[0], n);
    }
}

#[test]
fn a_flood_for_the_disk_arrives_whole_and_in_order_within_bounded_memory() {
    // Redis' own bound on what waits for a slow subscriber is taken off, so that only ours are looked at.
    let redis = Redis::with(&["--client-output-buffer-limit", "pubsub 0 0 0"]);
    let server = server(&redis, "[[channels]]\npattern = \"durable\"\ndurable = true\n");
    let cursor = Reader::open(&server, Transport::Ws, &["durable"], None).cursor;
    let before = server.resident();
    let events = count(30_000, 300_000) as i64;
    flood(&redis, "durable", events, PADDING);
    let mut most = 0;
    eventually("everything is taken", || {
        most = most.max(server.resident());
        shown(&server)["received"] == events
    });
    let grown = most.saturating_sub(before);
    // The ring of recent events keeps 64 MiB, the window to the disk and the store's lane some more.
    assert!(grown < 140 * 1024 * 1024, "it grew by {grown} bytes");
    assert_eq!(shown(&server)["refused"], serde_json::json!({}));
    assert_eq!(shown(&server)["connections"], 1);
    read_all(&server, cursor.as_deref(), events);
}

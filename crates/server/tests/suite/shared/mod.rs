//! Several servers on one database.

mod apps;
mod clocks;
mod commits;
mod holders;
mod killed;
mod members;
mod migrate;
mod pusher;
mod starts;
mod tls;
mod webhooks;

use serde_json::Value;

use super::harness::postgres::{Database, Postgres, shared};
use super::harness::*;
use super::ledger_crash::{FIRST, HALF_HOUR, UNBOUND};
use crate::json;

/// A server on a database.
fn on(database: &Database<'_>) -> Server {
    Server::start(start_on(&database.url(), UNBOUND))
}

/// How a server on a database is started.
fn start_on(url: &str, config: &str) -> Start {
    let mut start = Start::with(config).flag("--set").flag("drain=500ms");
    start.env.push(("DESKBELL_LEDGER".to_owned(), url.to_owned()));
    start
}

fn make_room(server: &Server) {
    let room = json!({"capacity": 1, "time_zone": "Europe/Oslo", "policy": {"waitlist": "off"}});
    let made = server.api("PUT", "/v1/resources/room", Some(&room));
    assert!(made.status < 300, "{}", made.text());
}

/// One of the room's times.
fn slot(nth: u64) -> Value {
    let start = FIRST + nth * HALF_HOUR;
    json!({"resource": "room", "start": start, "end": start + HALF_HOUR})
}

fn head(server: &Server) -> String {
    get(server, "/v1/poll?channels=slots:room").json()["cursor"].as_str().unwrap().to_owned()
}

/// A hold of one of the room's times.
fn hold(server: &Server, nth: u64, ttl: u64) -> Answer {
    server.api("POST", "/v1/holds", Some(&json!({"claims": [slot(nth)], "ttl_ms": ttl})))
}

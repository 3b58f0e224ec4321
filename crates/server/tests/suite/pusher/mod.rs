//! The Pusher dialect from outside, as its clients and backends see it.
//!
//! | what must hold | where |
//! |---|---|
//! | the first frame, refusals at the door, signs of life, the stop | `connecting` |
//! | private and presence channels, users, counts, cached events, what clients say | `channels` |
//! | signed requests, their answers and their refusals, a socket that is left out | `backend` |
//! | who is in a presence channel | `members` |
//! | every refusal, as documented | `refusals` |
//! | webhooks | `hooks` |
//! | webhooks over crashes and stops | `kept` |
//! | apps that come and go while the server runs | `apps` |
//! | the same where it gets tight | `apps_at_the_edge` |
//! | signatures made here | `authorize` |
//! | the clinic's names | `clinic` |
//! | clients without a WebSocket | `xhr` |
//! | clients that carry a cursor | `carried` |
//! | bounds, each from both sides and of each app | `bounds` |
//!
//! Signatures that are printed in documents are held in `crates/wire/tests/pusher/signatures.rs`.

pub mod apps;
mod apps_at_the_edge;
mod authorize;
mod backend;
mod bounds;
mod carried;
mod channels;
mod clinic;
mod connecting;
mod hooks;
mod kept;
mod members;
mod refusals;
mod xhr;

use serde_json::Value;

use super::harness::*;
use crate::json;

/// Triggers one event as a backend does.
fn trigger(server: &Server, channel: &str, name: &str, data: &Value) -> Answer {
    let body = json!({"name": name, "channels": [channel], "data": data.to_string()});
    server.api("POST", "/apps/1001/events", Some(&body))
}

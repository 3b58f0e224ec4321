//! What must hold for every input. Each target is a function that panics when something does not.
//!
//! `short` runs all of them for seconds, from the committed seeds; `run.sh` runs each for minutes, guided by
//! coverage. See docs/decisions/0005-fuzzing.md.

pub mod appointease;
pub mod config;
pub mod cursor;
pub mod http_head;
pub mod ics;
pub mod mysql;
pub mod native;
pub mod portico;
pub mod post;
pub mod publish;
pub mod pusher;
pub mod query;
pub mod redis;
pub mod socketio;
pub mod websocket;

/// One target: its name, which is also the folder of its seeds, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("appointease", appointease::check),
    ("config", config::check),
    ("cursor", cursor::check),
    ("http_head", http_head::check),
    ("ics", ics::check),
    ("mysql", mysql::check),
    ("native", native::check),
    ("portico", portico::check),
    ("post", post::check),
    ("publish", publish::check),
    ("pusher", pusher::check),
    ("query", query::check),
    ("redis", redis::check),
    ("socketio", socketio::check),
    ("websocket", websocket::check),
];

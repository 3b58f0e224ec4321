//! Starts real servers and speaks to them with small blocking clients.
//!
//! Nothing here sleeps to wait for something: every wait is for an answer, a line or an end, and
//! has a deadline.

mod conn;
mod http;
mod publisher;
mod reader;
mod server;
mod sse;
mod swarm;
mod tally;
mod token;
mod ws;

pub use conn::Conn;
pub use http::{Answer, get, post, request};
pub use publisher::{Backend, Publisher, numbered};
pub use reader::{Reader, Transport};
pub use server::{SECRET, Server, Start};
pub use sse::{Sse, SseEvent};
pub use swarm::{Member, Swarm};
pub use tally::percentile;
pub use token::{in_seconds, token, token_signed, user};
pub use ws::{Closed, Ws};

use std::time::Duration;

/// How long any single thing may take before the test fails: generous, because the machine is shared.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The full counts are run on demand; the short ones always.
pub fn count(short: usize, full: usize) -> usize {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

/// A JSON object with the given fields.
#[macro_export]
macro_rules! json {
    ($($tokens:tt)*) => { serde_json::json!($($tokens)*) };
}

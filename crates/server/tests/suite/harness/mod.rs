//! Starts real servers and speaks to them with small blocking clients.
//!
//! Nothing here sleeps to wait for something: every wait is for an answer, a line or an end, and
//! has a deadline.

mod certificate;
mod conn;
mod http;
mod mariadb;
#[allow(dead_code)] // Each program of tests uses a part of it.
pub mod postgres;
mod privacy;
mod proxy;
mod publisher;
mod pusher;
mod reader;
mod receiver;
mod redis;
mod server;
mod sse;
mod swarm;
mod tally;
mod token;
mod ws;
mod xhr;

pub use certificate::Certificate;
pub use conn::Conn;
pub use http::{Answer, get, post, request, try_request};
pub use mariadb::MariaDb;
pub use privacy::{SERVES, Sees};
pub use proxy::{Proxy, write};
pub use publisher::{Backend, Publisher, numbered};
pub use pusher::{Pusher, pusher_signature};
pub use reader::{Reader, Transport};
pub use receiver::{Received, Receiver, Say};
pub use redis::Redis;
pub use server::{SECRET, Server, Start, on_postgres};
pub use sse::Sse;
pub use swarm::{Member, Swarm};
pub use tally::percentile;
pub use token::{in_seconds, quiet, token, token_signed, user};
pub use ws::Ws;
pub use xhr::{Xhr, preflight};

use std::time::Duration;

/// How long any single thing may take before the test fails: generous, because the machine is shared.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks again and again until something holds that is on its way.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "it never came about that {what}");
    }
}

/// The library by which a program sees another time. Debian keeps it by the machine's kind.
pub fn libfaketime() -> String {
    let kinds = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let found = kinds.map(|kind| kind.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("libfaketime is not there; run make setup").to_str().unwrap().to_owned()
}

/// The full counts are run on demand; the short ones always.
pub fn count(short: usize, full: usize) -> usize {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { full } else { short }
}

/// A JSON object with the given fields.
#[macro_export]
macro_rules! json {
    ($($tokens:tt)*) => { serde_json::json!($($tokens)*) };
}

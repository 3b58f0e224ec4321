//! Pages of the Portico dialect, and the site behind them.

mod applications;
mod apps;
mod away;
mod connecting;
mod engine;
mod logs;
mod outage;
mod pulse;
mod restart;
mod routes;
mod shown;
mod site;
mod spool;
mod talking;

use serde_json::Value;

use super::harness::*;
use crate::json;

/// The id of a session that nobody guesses.
const STRONG: &str = "7h3s3ss10n0f4nn41234";
/// Another one.
const OTHER: &str = "th30th3rs3ss10n98765";

/// A page.
struct Page(Ws);

impl Page {
    /// A page with cookies; without any it has no header for them.
    fn open_at(server: &Server, path: &str, cookies: &str) -> Self {
        let headers = [("Cookie", cookies)];
        let headers = if cookies.is_empty() { &[][..] } else { &headers[..] };
        let address = server.address.to_string();
        Self(Ws::upgraded(Conn::open(server), &address, path, headers).unwrap())
    }

    /// A page in a session.
    fn open(server: &Server, session: &str) -> Self {
        let mut page = Self::open_at(server, "/wss", &format!("bookingfrontendsession={session}"));
        let joined = page.expect("room_joined");
        assert_eq!(joined["roomId"], format!("session_{session}"));
        page.expect("connection_success");
        page
    }

    fn send(&mut self, message: &Value) {
        self.0.send(message);
    }

    fn next(&mut self) -> Value {
        self.0.next()
    }

    #[track_caller]
    fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Proves that nothing is on its way.
    #[track_caller]
    fn expect_nothing(&mut self) {
        self.send(&json!({"type": "ping", "id": "nothing"}));
        let frame = self.expect("pong");
        assert_eq!(frame["reply_to"], "nothing");
    }

    /// Enters the room of an entity.
    fn enter(&mut self, kind: &str, id: u64) -> Value {
        self.send(&json!({"type": "subscribe", "entityType": kind, "entityId": id}));
        let joined = self.expect("room_joined");
        assert_eq!(self.expect("subscription_confirmation")["status"], "subscribed");
        joined
    }

    /// The code of the error that comes next.
    #[track_caller]
    fn error(&mut self) -> String {
        self.expect("error")["code"].as_str().unwrap().to_owned()
    }
}

/// The modes of the table in `docs/portico.md`.
fn modes() -> [Server; 3] {
    [Server::start(Start::default()), Server::start(Start::with("portico.relays = true\n")), Server::dev()]
}

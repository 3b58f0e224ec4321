//! Pages of the AppointEase plugin, from outside: their messages, their locks, and their requests.

mod apps;
mod backend;
mod imported;
mod locks;
mod messages;
mod requests;
mod slow;

use serde_json::Value;

use super::harness::*;
use crate::json;

/// A site whose clock is Oslo's.
const SITE: &str = "[appointease]\ntime_zone = \"Europe/Oslo\"\n";

/// Without bounds for many connections of one address.
const UNBOUND: &str =
    "[limit]\nrate_per_address = 0\nconnections_per_address = 0\nconnect_rate_per_address = 0\n";

/// What is told without being asked for.
const NEWS: [&str; 3] = ["active_selections", "slot_taken", "availability_update"];

/// A page with its WebSocket.
struct Page {
    ws: Ws,
    greeting: Value,
}

impl Page {
    fn open(server: &Server, path: &str) -> Self {
        Self::open_with(server, path, &[])
    }

    fn open_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let ws = Ws::upgraded(Conn::open(server), &server.address.to_string(), path, headers);
        let mut ws = ws.unwrap_or_else(|answer| panic!("no upgrade: {answer}"));
        let greeting = ws.expect("connection");
        Self { ws, greeting }
    }

    /// Sends something, and gives its direct answer. What is told meanwhile is passed over.
    fn ask(&mut self, message: Value) -> Value {
        self.ws.send(&message);
        loop {
            let frame = self.ws.next();
            let about_it = frame["time"] == message["time"] && message["type"] == "lock_slot";
            let is_news = NEWS.iter().any(|news| frame["type"] == *news);
            if !is_news || about_it || message["type"] == "check_availability" {
                return frame;
            }
        }
    }

    fn lock(&mut self, time: &str) -> Value {
        self.ask(of_slot("lock_slot", time))
    }

    /// Watches a slot. There is no answer, so something else is asked behind it.
    fn watch(&mut self, time: &str) {
        self.ws.send(&of_slot("watch_slot", time));
        self.ask(json!({"type": "ping"}));
    }

    /// Waits until the times of a watched date are told to be so. Gives what was told of taken slots until then.
    fn until_times(&mut self, are_so: impl Fn(&Vec<Value>) -> bool) -> Vec<Value> {
        self.until(0, are_so)
    }

    /// The same where a slot is told to be taken: before that, or a moment later.
    fn until_taken(&mut self, are_so: impl Fn(&Vec<Value>) -> bool) -> Value {
        let mut taken = self.until(1, are_so);
        assert_eq!(taken.len(), 1, "{taken:?}");
        taken.remove(0)
    }

    fn until(&mut self, least: usize, are_so: impl Fn(&Vec<Value>) -> bool) -> Vec<Value> {
        let (mut taken, mut holds) = (Vec::new(), false);
        while !holds || taken.len() < least {
            let frame = self.ws.next();
            match frame["type"].as_str() {
                Some("slot_taken") => taken.push(frame),
                Some("availability_update") => holds |= are_so(frame["unavailable"].as_array().unwrap()),
                _ => {}
            }
        }
        taken
    }

    /// The next news of a kind.
    fn news(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.ws.next();
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

fn of_slot(kind: &str, time: &str) -> Value {
    json!({"type": kind, "date": "2025-11-03", "time": time, "employeeId": 1})
}

/// The site's server with further options.
fn site(more: &str) -> Server {
    Server::start(Start::with(&format!("{SITE}{more}")))
}

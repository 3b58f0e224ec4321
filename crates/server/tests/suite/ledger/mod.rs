//! The ledger from outside: its routes, its frames, and what of it nobody else may see.

mod acceptance;
mod commands;
mod grace;
mod life;
mod slots;
mod used_keys;
mod wrong;
mod wrong_routes;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::harness::*;
use crate::json;

pub const MINUTE: u64 = 60_000;
pub const HOUR: u64 = 60 * MINUTE;

/// A server with a stranger beside it, who listens to everything that everybody may hear.
pub struct World {
    /// The server.
    pub server: Server,
    stranger: RefCell<Ws>,
    /// What the stranger listens to.
    channels: RefCell<BTreeSet<String>>,
}

impl World {
    pub fn start(config: &str) -> Self {
        let server = Server::start(Start::with(config));
        let stranger = RefCell::new(server.ws());
        Self { server, stranger, channels: RefCell::default() }
    }

    /// Makes a resource. The stranger watches it.
    pub fn resource(&self, id: &str, wish: Value) -> Value {
        let answer = self.server.api("PUT", &format!("/v1/resources/{id}"), Some(&wish));
        assert_eq!(answer.status, 200, "{answer:?}");
        self.listen(format!("slots:{id}"));
        answer.json()
    }

    /// Holds a time for somebody.
    pub fn hold(&self, who: &str, claims: Value) -> Answer {
        self.step("holds", &wish(who, claims))
    }

    /// Holds a time that is free.
    pub fn held(&self, who: &str, claims: Value) -> Value {
        let answer = self.hold(who, claims);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["reservation"].clone()
    }

    /// Something that a backend asks for. The stranger comes by the id of whatever it is about, and listens to that
    /// too.
    pub fn step(&self, path: &str, body: &Value) -> Answer {
        let answer = self.server.api("POST", &format!("/v1/{path}"), Some(body));
        if answer.status == 200 {
            let about = answer.json();
            let ids = ["reservation", "wait"].into_iter().filter_map(|what| about[what]["id"].as_str());
            ids.for_each(|id| self.listen(format!("booking:{id}")));
        }
        answer
    }

    fn listen(&self, channel: String) {
        if !self.channels.borrow().contains(&channel) {
            self.stranger.borrow_mut().subscribe(&channel);
            self.channels.borrow_mut().insert(channel);
        }
    }

    /// The server dies and comes back. What the stranger has heard so far is checked.
    pub fn crash_and_restart(mut self) -> Self {
        self.check();
        self.server = self.server.crash_and_restart();
        self.stranger = RefCell::new(self.server.ws());
        let channels = self.channels.take();
        channels.into_iter().for_each(|channel| self.listen(channel));
        self
    }

    /// Ends the test: nothing that the stranger has heard names anybody. It must hear something, or nothing was
    /// checked; what the ledger answered may reach it a little later.
    pub fn finish(self) {
        eventually("the stranger hears something", || self.check() > 0);
    }

    /// Looks through what the stranger has heard, and counts the events of it.
    fn check(&self) -> u32 {
        let (mut stranger, mut heard) = (self.stranger.borrow_mut(), 0);
        while let Some(frame) = stranger.pending() {
            if frame["type"] == "pong" {
                break;
            }
            let text = frame.to_string();
            assert!(!text.contains("user:"), "a stranger heard of somebody: {text}");
            for member in
                ["holder", "email", "meta", "fence", "external_ref", "principal", "version", "position"]
            {
                assert!(!text.contains(&format!("{member:?}:")), "a stranger heard {member:?}: {text}");
            }
            heard += u32::from(frame["type"] == "event");
        }
        heard
    }
}

/// The body of a hold for somebody with an address and a wish of their own, which are nobody else's: no client here
/// may be told of them (`harness/privacy.rs`).
pub fn wish(who: &str, claims: Value) -> Value {
    let (email, text) = (format!("{who}@private.test"), format!("secret words of {who}"));
    json!({"claims": claims, "holder": who, "email": email, "meta": {"text": text}})
}

/// A midnight that is not far and not near: the same one for all tests of a run, whatever midnight passes meanwhile.
pub fn day() -> u64 {
    static DAY: OnceLock<u64> = OnceLock::new();
    let day = 24 * HOUR;
    *DAY.get_or_init(|| (in_seconds(0) as u64 * 1_000 / day + 3) * day)
}

/// One claim from so many minutes after midnight until so many.
pub fn claim(resource: &str, from: u64, until: u64) -> Value {
    json!([{"resource": resource, "start": day() + from * MINUTE, "end": day() + until * MINUTE}])
}

/// What a refusal says.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.json();
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    body
}

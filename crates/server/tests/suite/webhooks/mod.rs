//! Webhooks from outside: a real server, a real receiver, and everything that can go wrong between them.

mod away;
mod crash;
mod gap;
mod letters;
mod notifications;
mod snippets;
mod troubles;

use std::path::Path;
use std::process::Command as Process;

use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::ids::{AppId, ResourceId};
use deskbell_core::limits::{DURABLE_AGE, Millis, SECOND};
use deskbell_core::reservation::{Act, Actor, Command, Policy, ResourceWish};
use deskbell_server::store::{Opened, Options, Petition, Seed};

use super::harness::*;
use crate::json;

/// A server with one webhook, and its receiver.
pub struct World {
    pub server: Server,
    pub receiver: Receiver,
}

/// The secret of the webhook.
pub const KEY: &[u8] = b"a secret for a receiver";

/// Waits that are short enough for a test and keep their shape.
pub const QUICK: &str = "first_wait = \"20ms\"\nlongest_wait = \"80ms\"\npatience = \"1h\"\n";

pub fn config(url: &str, more: &str) -> String {
    format!(
        "[[webhooks]]\nname = \"shop\"\nurl = \"{url}\"\nsecret = \"{}\"\n{more}",
        String::from_utf8_lossy(KEY)
    )
}

/// Time goes on from here: a row of the ledger in the file says that it was that late already.
pub fn pass(data: &Path, time: Millis) {
    let seed = Seed { secret: [1; 32], app_key: [2; 10], app_secret: [3; 20] };
    let options = Options { data: data.to_owned(), seed, durable_age: DURABLE_AGE, disk: None, shared: None };
    let mut ledger = Opened::open(&options).unwrap().ledger(time, Box::new(|| [7; 16])).unwrap();
    let act = Act::PutResource(Box::new(ResourceWish {
        id: ResourceId::parse("clock").unwrap(),
        // Another one each time, because what is so already makes no row.
        capacity: (time / SECOND % 1_000_000) as u32,
        before: 0,
        after: 0,
        time_zone: TimeZone::parse("UTC").unwrap(),
        hours: Hours::default(),
        provider: None,
        policy: Policy::default(),
    }));
    let command = Command::Ask { actor: Actor::backend(), act };
    let done = ledger.batch(time, &[Petition { app: AppId(1001), command, once: None }], &[]);
    assert!(done.rulings[0].is_ok(), "{:?}", done.rulings);
}

impl World {
    pub fn start(more: &str) -> Self {
        Self::started(more, |start| start)
    }

    /// One whose time the test can let pass: a database has its own.
    pub fn on_file(more: &str) -> Self {
        Self::started(more, Start::on_file)
    }

    fn started(more: &str, how: impl FnOnce(Start) -> Start) -> Self {
        let receiver = Receiver::start();
        let server = Server::start(how(Start::with(&config(&receiver.url(), more))));
        let answer = server.api("PUT", "/v1/resources/room", Some(&json!({"capacity": 1_000})));
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { server, receiver }
    }

    /// Books a time; gives the booking's id.
    pub fn book(&self) -> String {
        self.book_in("room")
    }

    /// Books a time of a resource; gives the booking's id.
    pub fn book_in(&self, resource: &str) -> String {
        let start = (in_seconds(0) as u64 * 1_000 / 3_600_000 + 72) * 3_600_000;
        let claims = json!([{"resource": resource, "start": start, "end": start + 3_600_000}]);
        let answer =
            self.server.api("POST", "/v1/bookings", Some(&json!({"claims": claims, "holder": "ann"})));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["reservation"]["id"].as_str().unwrap().to_owned()
    }

    /// A step of a booking.
    pub fn step(&self, id: &str, step: &str) {
        let answer = self.server.api("POST", &format!("/v1/bookings/{id}/{step}"), Some(&json!({})));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What `deskbell webhooks` prints.
    pub fn command(&self, words: &[&str]) -> String {
        let mut command = Process::new(env!("CARGO_BIN_EXE_deskbell"));
        command.arg("webhooks").args(words).arg("--url").arg(format!("http://{}", self.server.address));
        let done = command.args(["--secret", SECRET]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// How the webhook is.
    pub fn state(&self) -> serde_json::Value {
        self.server.api("GET", "/v1/webhooks", None).json()["webhooks"][0].clone()
    }
}

#[test]
fn a_booking_is_told_signed_and_once() {
    let world = World::start("");
    let id = world.book();
    let told = world.receiver.next();
    assert!(told.is_signed_with(KEY), "{told:?}");
    assert!(!told.is_signed_with(b"another secret"));
    let body = told.json();
    assert_eq!(
        (&body["type"], &body["app"], &body["channel"]),
        (&json!("booking.confirmed"), &json!(1001), &json!("staff:1001"))
    );
    assert_eq!(body["data"]["reservation"]["id"], json!(id));
    assert_eq!(body["data"]["reservation"]["holder"], "user:ann");
    assert_eq!(body["id"], told.id());
    world.step(&id, "cancel");
    let next = world.receiver.next();
    assert_eq!(next.json()["type"], "booking.cancelled");
    assert_ne!(next.id(), told.id());
    eventually("everything has arrived", || world.state()["open"] == 0);
    let state = world.state();
    assert_eq!((state["name"].as_str(), state["dead"].as_u64()), (Some("shop"), Some(0)), "{state}");
    assert_eq!(state["position"], state["head"]);
    assert!(world.receiver.pending().is_empty(), "each was told once");
}

#[test]
fn what_happened_before_a_webhook_was_there_is_not_told_and_what_happened_while_it_was_down_is() {
    let receiver = Receiver::start();
    let mut world = World { server: Server::start(Start::default()), receiver };
    world.server.api("PUT", "/v1/resources/room", Some(&json!({"capacity": 1_000})));
    world.book();
    world.server.configure(&config(&world.receiver.url(), QUICK));
    world.server = world.server.stop_and_restart();
    let second = world.book();
    assert_eq!(world.receiver.next().about(), second);
    // It is switched off, and what happens meanwhile waits for it, over a restart too.
    let off = world.server.api("POST", "/v1/webhooks/shop/disable", None);
    assert_eq!(off.json()["off"], "an operator switched it off");
    let third = world.book();
    world.server = world.server.crash_and_restart();
    let fourth = world.book();
    eventually("the server knows that it is off", || world.state()["off"].is_string());
    assert!(world.receiver.pending().is_empty());
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/enable", None).status, 200);
    // What was delivered just before the crash may come once more.
    let mut missing = vec![third, fourth];
    while !missing.is_empty() {
        let told = world.receiver.next().about();
        assert!(told == second || missing.contains(&told), "{told} is told once");
        missing.retain(|id| *id != told);
    }
}

#[test]
fn a_durable_publish_is_told_where_it_is_asked_for_and_a_secret_follows_from_the_apps() {
    let receiver = Receiver::start();
    let config = format!(
        "[[channels]]\npattern = \"payments\"\ndurable = true\n[[webhooks]]\nname = \"books\"\nurl = \"{}\"\n\
         channels = [\"pay*\"]\nevents = [\"payment.*\", \"webhook.*\"]\nprevious_secret = \"old\"\n",
        receiver.url()
    );
    let server = Server::start(Start::with(&config));
    for name in ["other", "payment.updated"] {
        let body =
            format!(r#"{{"channel":"payments","name":"{name}","data":{{"n":1.50}},"id":"id-{name}"}}"#);
        let bearer = format!("Bearer {SECRET}");
        let answer = request(&server, "POST", "/v1/publish", &[("Authorization", &bearer)], Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let told = receiver.next();
    assert_eq!(told.id(), "id-payment.updated");
    assert!(
        String::from_utf8_lossy(&told.body).ends_with(r#""data":{"n":1.50}}"#),
        "byte for byte: {told:?}"
    );
    assert!(told.is_signed_with(b"old"), "the secret before still signs");
    let one = server.api("GET", "/v1/webhooks/books", None).json();
    let secret = one["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap().to_owned();
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, secret).unwrap();
    assert!(told.is_signed_with(&key), "the secret that operators are given");
    let nobody = server.api("GET", "/v1/webhooks/nobody", None);
    assert_eq!((nobody.status, nobody.json()["code"].as_str()), (404, Some("not_found")));
}

//! `kill -9` under holds: what was acknowledged stays, nothing is granted twice, and every change is
//! told once to whoever comes back with its cursor. A stranger comes back as well, and hears of nobody.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use deskbell_server::clock::random_below;
use serde_json::Value;

use super::harness::*;
use crate::json;

/// The slots lie here, a long way ahead of every test's now.
pub const FIRST: u64 = 1_893_456_000_000;
pub const HALF_HOUR: u64 = 1_800_000;
pub const SLOTS: u64 = 12;
/// Everybody is on this machine, and in a hurry.
pub const UNBOUND: &str =
    "[limit]\nrate_per_address = 0\nrate_per_identity = 0\nconnect_rate_per_address = 0\n";

/// One acknowledged change.
#[derive(Debug)]
pub struct Deed {
    pub reservation: String,
    pub state: String,
    pub position: u64,
}

/// A backend that holds, confirms, cancels and releases, and repeats each request until it has an answer.
pub struct Busy {
    address: SocketAddr,
    name: String,
    sent: u64,
    deeds: Vec<Deed>,
}

impl Busy {
    pub fn start(address: SocketAddr, name: usize, stop: Arc<AtomicBool>) -> JoinHandle<Vec<Deed>> {
        let mut busy = Self { address, name: format!("busy{name}"), sent: 0, deeds: Vec::new() };
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                busy.round();
            }
            busy.deeds
        })
    }

    fn round(&mut self) {
        let start = FIRST + random_below(SLOTS) * HALF_HOUR;
        let claim = json!({"resource": "room", "start": start, "end": start + HALF_HOUR});
        let (email, meta) = (format!("{}@private.test", self.name), format!("secret words of {}", self.name));
        let wish = json!({"claims": [claim], "email": email, "meta": meta});
        let Some(held) = self.act("/v1/holds", &wish) else { return };
        let (id, fence) = (held["id"].as_str().unwrap(), held["fence"].as_u64().unwrap());
        let end = json!({"fence": fence});
        match random_below(4) {
            0 => {
                self.act(&format!("/v1/holds/{id}/confirm"), &end).expect("a live hold is confirmed");
                self.act(&format!("/v1/bookings/{id}/cancel"), &json!({})).expect("a booking is cancelled");
            }
            1 => {
                let longer = json!({"fence": fence, "ttl_ms": 900_000});
                self.act(&format!("/v1/holds/{id}/extend"), &longer).expect("a live hold is extended");
                self.act(&format!("/v1/holds/{id}/release"), &end).expect("a live hold is released");
            }
            _ => {
                self.act(&format!("/v1/holds/{id}/release"), &end).expect("a live hold is released");
            }
        }
    }

    /// One command, repeated under its key until it is answered.
    fn act(&mut self, path: &str, body: &Value) -> Option<Value> {
        self.sent += 1;
        let key = format!("{}-{}", self.name, self.sent);
        let bearer = format!("Bearer {SECRET}");
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key.as_str())];
        let answer = loop {
            match try_request(self.address, "POST", path, &headers, Some(&body.to_string())) {
                Some(answer) if answer.status != 503 => break answer,
                _ => std::thread::yield_now(),
            }
        };
        let said = answer.json();
        if answer.status == 409 {
            assert_eq!(said["code"], "conflict", "{path}: {said}");
            return None;
        }
        assert!(answer.status < 300, "{path}: {} {said}", answer.status);
        let reservation = said["reservation"].clone();
        self.deeds.push(Deed {
            reservation: reservation["id"].as_str().unwrap().to_owned(),
            state: reservation["state"].as_str().unwrap().to_owned(),
            position: said["position"].as_u64().unwrap(),
        });
        Some(reservation)
    }
}

/// Reads events until so many more have come, or until the connection ends.
pub fn read_on(ws: &mut Ws, events: &mut Vec<Value>, more: usize) {
    let until = events.len() + more;
    while events.len() < until {
        let Some(frame) = ws.try_next() else { return };
        assert_ne!(frame["type"], "reset", "a durable channel goes on after a crash: {frame}");
        if frame["type"] == "event" {
            events.push(frame);
        }
    }
}

#[test]
fn acknowledged_changes_of_the_ledger_survive_kill_9_and_are_told_once() {
    let mut server = Server::start(Start::with(UNBOUND).flag("--set").flag("drain=500ms"));
    let room = json!({"capacity": 1, "time_zone": "Europe/Oslo", "policy": {"waitlist": "off"}});
    let made = server.api("PUT", "/v1/resources/room", Some(&room));
    assert!(made.status < 300, "{}", made.text());
    let channels = ["staff:1001", "slots:room"];
    let head = get(&server, "/v1/poll?channels=slots:room").json()["cursor"].as_str().unwrap().to_owned();
    let mut ws = Ws::backend_back(&server, &head, &channels);
    let mut stranger = Ws::back(&server, None, &head, &channels[1..]);
    let mut heard = Vec::new();
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..4).map(|name| Busy::start(server.address, name, stop.clone())).collect();
    let mut events = Vec::new();
    for _ in 0..count(20, 200) {
        read_on(&mut ws, &mut events, 5 + random_below(60) as usize);
        server = server.crash_and_restart();
        read_on(&mut ws, &mut events, usize::MAX >> 1);
        ws = Ws::backend_back(&server, &ws.cursor, &channels);
        read_on(&mut stranger, &mut heard, usize::MAX >> 1);
        stranger = Ws::back(&server, None, &stranger.cursor, &channels[1..]);
    }
    stop.store(true, Ordering::Relaxed);
    let deeds: Vec<Deed> = busy.into_iter().flat_map(|busy| busy.join().unwrap()).collect();
    let last = deeds.iter().map(|deed| deed.position).max().unwrap();
    while !events.iter().any(|event| position(event) == Some(last)) {
        read_on(&mut ws, &mut events, 1);
    }
    assert!(deeds.len() > 100, "too few changes for a test: {}", deeds.len());
    told_once(&events);
    // Whatever the harness found private in it would have failed the test.
    told_once(&heard);
    assert!(heard.len() > 30, "the stranger heard too little for a test: {}", heard.len());
    let live = replay(&events);
    everything_acknowledged_is_told(&deeds, &events);
    no_ghosts(&server, &live);
    assert_eq!(server.problems(), [""; 0]);
}

/// The ledger position of a staff event.
pub fn position(event: &Value) -> Option<u64> {
    event["channel"]
        .as_str()?
        .starts_with("staff:")
        .then(|| event["data"]["reservation"]["version"].as_u64())?
}

pub fn told_once(events: &[Value]) {
    let mut seen = HashMap::new();
    for event in events {
        let id = event["id"].as_str().unwrap();
        assert!(seen.insert(id, event).is_none(), "told twice: {event}");
    }
    let positions: Vec<u64> = events.iter().filter_map(position).collect();
    assert!(positions.is_sorted(), "told in the order of the ledger");
}

/// Plays the events: at no time are there two on one slot, and fences rise. What is left is live.
pub fn replay(events: &[Value]) -> HashMap<u64, String> {
    let mut live: HashMap<u64, String> = HashMap::new();
    let mut fence = 0;
    for event in events.iter().filter(|event| position(event).is_some()) {
        let reservation = &event["data"]["reservation"];
        let (id, slot) =
            (reservation["id"].as_str().unwrap(), reservation["claims"][0]["start"].as_u64().unwrap());
        match event["name"].as_str().unwrap() {
            "hold.granted" => {
                let granted = reservation["fence"].as_u64().unwrap();
                assert!(granted > fence, "a fence that does not rise: {event}");
                fence = granted;
                let before = live.insert(slot, id.to_owned());
                assert_eq!(before, None, "granted over somebody else: {event}");
            }
            "hold.released" | "hold.expired" | "booking.cancelled" => {
                assert_eq!(live.remove(&slot).as_deref(), Some(id), "ended what was not there: {event}");
            }
            _ => assert_eq!(
                live.get(&slot).map(String::as_str),
                Some(id),
                "changed what was not there: {event}"
            ),
        }
    }
    live
}

pub fn everything_acknowledged_is_told(deeds: &[Deed], events: &[Value]) {
    let by_position: HashMap<u64, &Value> =
        events.iter().filter_map(|event| Some((position(event)?, event))).collect();
    for deed in deeds {
        let told = by_position.get(&deed.position).unwrap_or_else(|| panic!("lost: {deed:?}"));
        let reservation = &told["data"]["reservation"];
        assert_eq!(reservation["id"], deed.reservation.as_str(), "{deed:?}");
        assert_eq!(reservation["state"], deed.state.as_str(), "{deed:?}");
    }
}

/// What the ledger holds is what its events say, and everything that ended left its slot free.
pub fn no_ghosts(server: &Server, live: &HashMap<u64, String>) {
    let path = format!("/v1/resources/room/availability?from={FIRST}&to={}", FIRST + SLOTS * HALF_HOUR);
    let shown = server.api("GET", &path, None).json();
    let free = |at: u64| {
        let segments = shown["segments"].as_array().unwrap();
        let here = segments
            .iter()
            .find(|segment| segment["start"].as_u64() <= Some(at) && Some(at) < segment["end"].as_u64());
        here.unwrap()["free"] == 1
    };
    for slot in (0..SLOTS).map(|slot| FIRST + slot * HALF_HOUR) {
        assert_eq!(free(slot), !live.contains_key(&slot), "at {slot}: {shown}");
    }
}

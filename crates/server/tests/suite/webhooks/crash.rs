//! `kill -9` under load: the receiver counts, and nothing is lost, nor does a booking's order break.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Bookings that a backend makes, starts and completes, each acknowledged; it repeats what was not answered.
fn busy(address: std::net::SocketAddr, name: usize, stop: &AtomicBool) -> Vec<String> {
    let bearer = format!("Bearer {SECRET}");
    let act = |path: &str, key: &str, body: &serde_json::Value| loop {
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        match try_request(address, "POST", path, &headers, Some(&body.to_string())) {
            Some(answer) if answer.status == 200 => break answer.json(),
            Some(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            None => std::thread::yield_now(),
        }
    };
    let start = (in_seconds(0) as u64 * 1_000 / 3_600_000 + 72) * 3_600_000;
    let claims = json!([{"resource": "room", "start": start, "end": start + 3_600_000}]);
    let mut made = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{name}-{}", made.len());
        let booked = act("/v1/bookings", &key, &json!({"claims": claims, "holder": "ann"}));
        let id = booked["reservation"]["id"].as_str().unwrap().to_owned();
        for step in ["start", "complete"] {
            act(&format!("/v1/bookings/{id}/{step}"), &format!("{key}-{step}"), &json!({}));
        }
        made.push(id);
    }
    made
}

#[test]
fn after_any_number_of_kills_everything_was_told_at_least_once_and_in_order() {
    let mut world = World::start(QUICK);
    world.server.api("PUT", "/v1/resources/room", Some(&json!({"capacity": 1_000_000})));
    // A receiver that fails now and then, as they do.
    let mut count = 0;
    world.receiver.answer(move |_| {
        count += 1;
        if count % 7 == 0 { Say::Status(500, "") } else { Say::Status(200, "") }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let address = world.server.address;
    let backends: Vec<_> = (0..2)
        .map(|name| {
            let stop = stop.clone();
            std::thread::spawn(move || busy(address, name, &stop))
        })
        .collect();
    let mut heard: Vec<Received> = Vec::new();
    for _ in 0..count_of_kills() {
        // The next kill comes when something was told since the last one.
        for _ in 0..20 {
            heard.push(world.receiver.next());
        }
        world.server = world.server.crash_and_restart();
    }
    stop.store(true, Ordering::Relaxed);
    let made: Vec<String> = backends.into_iter().flat_map(|backend| backend.join().unwrap()).collect();
    eventually("everything has arrived", || {
        let state = world.state();
        state["open"] == 0 && state["position"] == state["head"] && state["head"].as_u64() > Some(0)
    });
    heard.extend(world.receiver.pending());

    // What was taken, each id at its first time.
    let (mut seen, mut told): (_, HashMap<String, Vec<String>>) = (HashSet::new(), HashMap::new());
    for got in heard.iter().filter(|got| got.said == Say::Status(200, "")) {
        assert!(got.is_signed_with(KEY));
        if seen.insert(got.id().to_owned()) {
            told.entry(got.about()).or_default().push(got.json()["type"].as_str().unwrap().to_owned());
        }
    }
    assert!(made.len() > 4, "only {} bookings were made", made.len());
    for id in &made {
        let expected = ["booking.confirmed", "booking.started", "booking.completed"];
        assert_eq!(told.get(id).map(Vec::as_slice), Some(expected.map(str::to_owned).as_slice()), "{id}");
    }
    assert_eq!(world.server.problems(), Vec::<String>::new());
}

fn count_of_kills() -> usize {
    count(4, 50)
}

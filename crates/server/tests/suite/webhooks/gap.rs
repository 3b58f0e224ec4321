//! An endpoint that is away for longer than the ledger keeps its rows is told so.

use deskbell_core::limits::{DAY, DURABLE_AGE};
use deskbell_server::store::{Opened, Options, Seed};

use super::*;

/// Forty days pass, and housekeeping does what it does then.
fn forget(server: &Server) {
    let seed = Seed { secret: [1; 32], app_key: [2; 10], app_secret: [3; 20] };
    let options = Options {
        data: server.data.clone(),
        seed,
        durable_age: DURABLE_AGE,
        disk: None,
        shared: server.shared(),
    };
    let later = in_seconds(0) as u64 * 1_000 + 40 * DAY;
    let mut ledger = Opened::open(&options).unwrap().ledger(later, Box::new(|| [7; 16])).unwrap();
    ledger.expire(later, DURABLE_AGE).unwrap();
}

#[test]
fn what_the_ledger_no_longer_has_is_told_as_a_gap_before_what_comes_behind_it() {
    let mut world = World::start(QUICK);
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/disable", None).status, 200);
    // One in each resource: what two bookings change of one is told once more, in a row of its own behind them.
    let booked = ["a", "b", "c", "d"].map(|resource| {
        world.server.api("PUT", &format!("/v1/resources/{resource}"), Some(&json!({"capacity": 1})));
        world.book_in(resource)
    });
    let [.., last] = booked;
    world.server.stop();
    forget(&world.server);
    world.server = world.server.restarted();
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/enable", None).status, 200);
    let (first, second) = (world.receiver.next(), world.receiver.next());
    let (gap, told) = if first.json()["type"] == "webhook.gap" { (first, second) } else { (second, first) };
    // The newest row stays for ever: it says where the numbers go on.
    assert_eq!(told.about(), last);
    let (gap, told) = (gap.json(), told.json());
    assert_eq!(gap["type"], "webhook.gap");
    assert_eq!(gap["data"]["until"].as_u64().unwrap() + 1, told["position"].as_u64().unwrap());
    world.server.line_with("it is told so by webhook.gap");
    let next = world.book();
    assert_eq!(world.receiver.next().about(), next);
    assert!(world.receiver.pending().is_empty());
}

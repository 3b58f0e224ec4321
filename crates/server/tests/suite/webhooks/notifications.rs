//! Notifications that go by webhook: to whoever allows them, in their order, and at their hour.

use deskbell_core::limits::{Millis, SECOND};
use serde_json::Value;

use super::*;

fn prefer(server: &Server, who: &str, preferences: &Value) {
    let answer = server.api("PUT", &format!("/v1/inbox/preferences?user={who}"), Some(preferences));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Notifies on both ways; gives how many were reached.
fn notify(server: &Server, who: &[&str], kind: &str, id: &str) -> u64 {
    let ways = ["in_app", "webhook"];
    let body = json!({"users": who, "type": kind, "title": "a title", "id": id, "ways": ways});
    let answer = server.api("POST", "/v1/notifications", Some(&body));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["notified"].as_u64().unwrap()
}

/// To whom a request is about a notification, and what the publisher calls it.
fn to(got: &Received) -> (String, String) {
    let data = &got.json()["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_else(|| panic!("{data}")).to_owned();
    (text("user"), text("id"))
}

fn pair(who: &str, id: &str) -> (String, String) {
    (who.to_owned(), id.to_owned())
}

#[test]
fn a_notification_leaves_signed_on_the_ways_that_its_user_allows() {
    let world = World::start("");
    prefer(&world.server, "bob", &json!({"types": {"news": {"webhook": false}}}));
    prefer(&world.server, "cleo", &json!({"otherwise": {"in_app": false}}));
    assert_eq!(notify(&world.server, &["ann", "bob", "cleo"], "news", "n-1"), 3);
    let mut told = [world.receiver.next(), world.receiver.next()];
    told.sort_by_key(to);
    assert!(told.iter().all(|got| got.is_signed_with(KEY)), "{told:?}");
    assert_eq!(told.each_ref().map(to), [pair("ann", "n-1"), pair("cleo", "n-1")]);
    let body = told[0].json();
    assert_eq!((&body["type"], &body["channel"]), (&json!("notification.created"), &json!("webhook:1001")));
    let expected = json!({"number": 1, "user": "ann", "id": "n-1", "type": "news", "title": "a title"});
    assert_eq!(body["data"], expected);
    assert_eq!(told[1].json()["data"].get("number"), None, "it is in no inbox");
    assert_eq!(notify(&world.server, &["bob"], "booking", "n-2"), 1);
    assert_eq!(to(&world.receiver.next()), pair("bob", "n-2"));
    // Who asks for no way hears nothing on it.
    let inbox = json!({"user": "ann", "type": "news", "title": "only in the inbox"});
    assert_eq!(world.server.api("POST", "/v1/notifications", Some(&inbox)).status, 200);
    let id = world.book();
    assert_eq!(world.receiver.next().about(), id);
    assert!(world.receiver.pending().is_empty());
}

#[test]
fn in_quiet_hours_it_waits_for_their_end_over_a_crash_and_a_stop_and_holds_nobody_up() {
    let mut world = World::on_file(QUICK);
    let (quiet, hour) = quiet(-60, 120);
    prefer(&world.server, "ann", &json!({"quiet": quiet}));
    // More than are looked at at once: what waits for its hour takes no room from what does not.
    let ids: Vec<String> = (0..1_100).map(|n| format!("n-{n}")).collect();
    let mut conn = Conn::open(&world.server);
    let secret = format!("Bearer {SECRET}");
    for id in &ids {
        let body = json!({"user": "ann", "type": "t", "title": "night", "id": id, "ways": ["webhook"]});
        let answer = conn.post("/v1/notifications", &[("Authorization", &secret)], &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    notify(&world.server, &["bob"], "t", "awake");
    assert_eq!(to(&world.receiver.next()), pair("bob", "awake"));
    eventually("they wait", || world.state()["later"] == 1_100);
    eventually("nothing is open", || {
        world.state()["open"] == 0 && world.state()["position"] == world.state()["head"]
    });
    world.server = world.server.crash_and_restart();
    let id = world.book();
    loop {
        let got = world.receiver.next();
        if got.json()["type"] == "booking.confirmed" {
            assert_eq!(got.about(), id);
            break;
        }
        assert_eq!(to(&got), pair("bob", "awake"), "what was told just before a crash may come again");
    }
    eventually("they wait after the crash", || world.state()["later"] == 1_100);
    // The end of the hours is near, and nothing has left before it.
    world.server.stop();
    // Time enough for the restart and for one who is told before.
    pass(&world.server.data, hour * SECOND - 15_000);
    let early: Vec<_> = world.receiver.pending().iter().map(to).collect();
    assert!(early.iter().all(|told| *told == pair("bob", "awake")), "{early:?}");
    world.server = world.server.restarted();
    // Somebody else is told meanwhile; hers come at the hour, each once, in their order, and signed for it.
    notify(&world.server, &["bob"], "t", "meanwhile");
    assert_eq!(to(&world.receiver.next()), pair("bob", "meanwhile"));
    for id in &ids {
        let got = world.receiver.next();
        assert_eq!(to(&got), pair("ann", id));
        assert!(got.stamp() >= hour && got.is_signed_with(KEY), "{} is before {hour}", got.stamp());
        assert_eq!(got.json()["data"]["not_before"], hour * SECOND);
    }
    eventually("nothing waits", || world.state()["later"] == 0 && world.state()["open"] == 0);
    // What comes after the hour comes at once, and a stop forgets neither what came nor that it did.
    notify(&world.server, &["ann"], "t", "morning");
    assert_eq!(to(&world.receiver.next()), pair("ann", "morning"));
    world.server = world.server.stop_and_restart();
    notify(&world.server, &["ann"], "t", "noon");
    assert_eq!(to(&world.receiver.next()), pair("ann", "noon"));
    assert_eq!((world.state()["later"].as_u64(), world.receiver.pending().len()), (Some(0), 0));
}

/// Something of the same form as the ledger tells, for an hour that a test can wait for.
fn publish(world: &World, who: &str, id: &str, not_before: Option<Millis>) {
    let data = json!({"user": who, "id": id, "type": "t", "title": "x", "not_before": not_before});
    let event = json!({"channel": "webhook:1001", "name": "notification.created", "data": data});
    world.server.publish(&event);
}

#[test]
fn of_one_user_what_waited_for_its_hour_comes_before_what_comes_after_it_and_others_overtake() {
    let world = World::start(QUICK);
    let soon = in_seconds(0) as u64 * SECOND + 2_500;
    world.receiver.answer(|got| if to(got).0 == "ann" { Say::Status(500, "") } else { Say::Status(200, "") });
    publish(&world, "ann", "held 1", Some(soon));
    publish(&world, "ann", "held 2", Some(soon));
    publish(&world, "bob", "at once", None);
    assert_eq!(to(&world.receiver.next()), pair("bob", "at once"));
    let first = world.receiver.next();
    assert_eq!(to(&first), pair("ann", "held 1"));
    assert!(first.stamp() * SECOND + SECOND > soon, "not before its hour");
    publish(&world, "ann", "later", None);
    publish(&world, "bob", "overtakes", None);
    let until_bob = std::iter::repeat_with(|| world.receiver.next()).take(100).find(|got| {
        let is_bobs = to(got).0 == "bob";
        assert!(is_bobs || got.id() == first.id(), "hers wait for the first: {got:?}");
        is_bobs
    });
    assert_eq!(until_bob.as_ref().map(to), Some(pair("bob", "overtakes")));
    world.receiver.say(Say::Status(200, ""));
    let rest: Vec<_> = (0..3).map(|_| to(&world.receiver.next_taken()).1).collect();
    assert_eq!(rest, ["held 1", "held 2", "later"]);
}

#[test]
fn what_waited_is_sent_before_newer_rows_also_where_its_hour_came_while_the_webhook_was_off() {
    let world = World::start(QUICK);
    let soon = in_seconds(0) as u64 * SECOND + 2_500;
    for id in ["held 1", "held 2"] {
        publish(&world, "ann", id, Some(soon));
    }
    eventually("they wait", || world.state()["later"] == 2);
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/disable", None).status, 200);
    publish(&world, "ann", "later", None);
    eventually("the hour has come", || in_seconds(0) as u64 * SECOND > soon);
    assert!(world.receiver.pending().is_empty(), "who is off hears nothing");
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/enable", None).status, 200);
    let told: Vec<_> = (0..3).map(|_| to(&world.receiver.next()).1).collect();
    assert_eq!(told, ["held 1", "held 2", "later"]);
}

#[test]
fn one_that_could_not_be_delivered_at_its_hour_is_a_dead_letter_and_is_resent() {
    let world = World::start("first_wait = \"10ms\"\nlongest_wait = \"20ms\"\npatience = \"100ms\"\n");
    world.receiver.say(Say::Status(500, ""));
    publish(&world, "ann", "n-1", Some(in_seconds(0) as u64 * SECOND + 1_500));
    assert_eq!(to(&world.receiver.next()), pair("ann", "n-1"));
    eventually("it is dead", || world.state()["dead"] == 1);
    let letters = world.server.api("GET", "/v1/webhooks/shop/letters", None).json();
    assert_eq!(letters["letters"][0]["about"], "inbox:ann");
    assert!(letters["letters"][0]["attempts"].as_u64() > Some(1), "{letters}");
    world.receiver.say(Say::Status(200, ""));
    let answer = world.server.api("POST", "/v1/webhooks/shop/resend", Some(&json!({})));
    assert_eq!(answer.json()["letters"], 1);
    let taken = world.receiver.next_taken();
    assert_eq!((to(&taken), taken.is_signed_with(KEY)), (pair("ann", "n-1"), true));
    eventually("nothing is left", || world.state()["dead"] == 0 && world.state()["later"] == 0);
}

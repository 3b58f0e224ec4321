//! Dead letters: visible, resent by command, thrown away, and there after a crash.

use super::*;

/// Patience for one attempt alone.
const ONCE: &str = "first_wait = \"10ms\"\nlongest_wait = \"20ms\"\npatience = \"0\"\n";

fn dead(world: &World) -> u64 {
    world.state()["dead"].as_u64().unwrap()
}

#[test]
fn what_could_not_be_delivered_is_seen_and_resent_by_command() {
    let mut world = World::start(ONCE);
    world.receiver.say(Say::Status(500, ""));
    let ids = [world.book(), world.book()];
    let failed = [world.receiver.next(), world.receiver.next()];
    eventually("both are dead", || dead(&world) == 2);
    world.server = world.server.crash_and_restart();
    let printed = world.command(&["dead", "shop"]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    for id in &ids {
        assert!(printed.contains(&format!("booking.confirmed booking:{id}")), "{printed}");
    }
    assert!(printed.contains("attempts=1 why=\"it answered 500\""), "{printed}");
    let letters = world.server.api("GET", "/v1/webhooks/shop/letters?limit=1", None).json();
    assert_eq!((letters["letters"].as_array().unwrap().len(), letters["total"].as_u64()), (1, Some(2)));
    assert_eq!(letters["next"], letters["letters"][0]["letter"]);
    assert_eq!(letters["letters"][0]["body"]["data"]["reservation"]["id"], json!(ids[0]));

    // Resent while the receiver still fails: they are dead again, and there.
    assert!(world.command(&["resend", "shop"]).starts_with("2 "));
    let again = [world.receiver.next(), world.receiver.next()];
    assert!(again.iter().all(|got| failed.iter().any(|before| before.id() == got.id())));
    let settled = |world: &World| {
        let list = world.server.api("GET", "/v1/webhooks/shop/letters", None).json();
        list["letters"].as_array().unwrap().iter().all(|letter| letter["resending"] == false)
    };
    eventually("both are dead again", || settled(&world));
    assert_eq!(dead(&world), 2);

    // One is resent by its number, the other thrown away.
    world.receiver.say(Say::Status(200, ""));
    let number = letters["letters"][0]["letter"].to_string();
    assert!(world.command(&["resend", "shop", &number]).starts_with("1 "));
    let resent = world.receiver.next();
    assert_eq!((resent.about(), resent.is_signed_with(KEY)), (ids[0].clone(), true));
    eventually("it has arrived", || dead(&world) == 1);
    assert!(world.command(&["discard", "shop"]).starts_with("1 "));
    eventually("nothing is left", || dead(&world) == 0);
    assert_eq!(world.command(&["dead", "shop"]), "no dead letters\n");
    assert!(world.command(&[]).contains("shop on host=127.0.0.1:"));
    assert!(world.receiver.pending().is_empty());
}

#[test]
fn a_letter_that_was_being_resent_survives_a_crash() {
    let mut world = World::start(ONCE);
    world.receiver.say(Say::Status(500, ""));
    let id = world.book();
    world.receiver.next();
    eventually("it is dead", || dead(&world) == 1);
    world.receiver.say(Say::Nothing);
    world.command(&["resend", "shop"]);
    world.receiver.next();
    world.receiver.say(Say::Status(200, ""));
    world.server = world.server.crash_and_restart();
    assert_eq!(world.receiver.next().about(), id);
    eventually("it has arrived", || dead(&world) == 0);
}

#[test]
fn the_routes_are_for_backends_and_say_what_is_wrong() {
    let world = World::start("");
    let stranger = get(&world.server, "/v1/webhooks");
    assert_eq!(stranger.status, 401);
    for (path, body, code) in [
        ("/v1/webhooks/shop/resend", json!({"letters": "all"}), "bad_field"),
        ("/v1/webhooks/shop/resend", json!({"letters": vec![1; 501]}), "bad_field"),
        ("/v1/webhooks/shop/resend", json!({"letters": [u64::MAX]}), "bad_field"),
        ("/v1/webhooks/nobody/resend", json!({}), "not_found"),
    ] {
        let answer = world.server.api("POST", path, Some(&body));
        assert_eq!(answer.json()["code"], code, "{path} {body}");
    }
}

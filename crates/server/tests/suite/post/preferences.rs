//! What a user wants to hear of.

use super::*;

#[test]
fn a_type_that_is_switched_off_is_not_kept_and_others_are() {
    let world = World::start("");
    let mut ws = world.following("ann");
    let answer = ws.ask(json!({"type": "prefer", "types": {"news": {"in_app": false}}}));
    assert_eq!(answer["preferences"]["types"]["news"], json!({"in_app": false, "webhook": true}), "{answer}");
    assert_eq!(hears(&mut ws, "inbox.preferences")["preferences"], answer["preferences"]);
    let news = world.site("POST", "/v1/notifications", json!({"user": "ann", "type": "news", "title": "no"}));
    assert_eq!(news["notified"], 0);
    world.notify("ann", "yes");
    assert_eq!(hears(&mut ws, "notification.created")["title"], "yes");
    let shown = ws.ask(json!({"type": "preferences"}));
    assert_eq!((&shown["preferences"], &shown["unread"]), (&answer["preferences"], &json!(1)));
    // Other preferences replace these.
    world.own("ann", "PUT", "/v1/inbox/preferences", json!({}));
    hears(&mut ws, "inbox.preferences");
    world.site("POST", "/v1/notifications", json!({"user": "ann", "type": "news", "title": "again"}));
    assert_eq!(hears(&mut ws, "notification.created")["title"], "again");
    assert_eq!(world.server.api("GET", "/v1/inbox?user=ann", None).json()["unread"], 2);
    world.finish();
}

#[test]
fn in_quiet_hours_nothing_rings_and_everything_is_kept() {
    let world = World::start("");
    let mut ws = world.following("ann");
    let secret = format!("Bearer {SECRET}");
    let mut hook = Ws::open_with(&world.server, "/v1/ws", &[("Authorization", &secret)]).unwrap();
    hook.subscribe("webhook:1001");
    let both = json!({"user": "ann", "type": "t", "title": "night", "ways": ["in_app", "webhook"]});
    ws.ask(json!({"type": "prefer", "quiet": quiet(-60, 120).0}));
    hears(&mut ws, "inbox.preferences");
    world.site("POST", "/v1/notifications", both.clone());
    assert_eq!(hears(&mut ws, "notification.kept")["unread"], 1);
    let held = hears(&mut hook, "notification.created");
    let ahead = held["not_before"].as_i64().unwrap() / 1_000 - in_seconds(0);
    assert!((3_500..=7_300).contains(&ahead), "two hours or a little less: {ahead} s in {held}");
    ws.ask(json!({"type": "prefer", "quiet": quiet(120, 300).0}));
    hears(&mut ws, "inbox.preferences");
    world.site("POST", "/v1/notifications", both);
    assert_eq!(hears(&mut ws, "notification.created")["unread"], 2);
    let at_once = hears(&mut hook, "notification.created");
    assert_eq!((&at_once["user"], at_once.get("not_before")), (&json!("ann"), None), "{at_once}");
    world.finish();
}

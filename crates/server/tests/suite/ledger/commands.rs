//! The ledger's frames on a WebSocket.

use super::*;

fn visitor(world: &World) -> Ws {
    world.server.ws()
}

#[test]
fn a_visitor_holds_extends_and_releases_over_its_socket() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    let mut ws = visitor(&world);
    let held = ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660), "meta": {"text": "mine"}}));
    assert_eq!(held["type"], "ok", "{held}");
    let hold = &held["reservation"];
    assert_eq!((&hold["state"], &hold["meta"]["text"]), (&json!("held"), &json!("mine")));
    assert_eq!(hold["ttl_ms"], 600_000);
    assert!(hold["fence"].is_string() && hold.get("holder").is_none(), "{held}");
    // Whoever holds it already is given what it has.
    let again = ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}));
    assert_eq!(again["reservation"]["id"], hold["id"]);
    let mut other = visitor(&world);
    let taken = other.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}));
    assert_eq!((&taken["type"], &taken["code"]), (&json!("error"), &json!("conflict")), "{taken}");
    assert_eq!(taken["conflicts"][0]["yours"], false);
    assert!(taken["conflicts"][0].get("reservation").is_none(), "{taken}");
    assert!(taken["alternatives"].as_array().unwrap().len() > 1, "{taken}");
    let foreign = json!({"type": "release", "reservation": hold["id"], "fence": hold["fence"]});
    assert_eq!(other.ask(foreign.clone())["code"], "not_holder");
    let longer =
        json!({"type": "extend", "reservation": hold["id"], "fence": hold["fence"], "ttl_ms": 1_200_000});
    assert_eq!(ws.ask(longer)["reservation"]["ttl_ms"], 1_200_000);
    let number = json!({"type": "extend", "reservation": hold["id"], "fence": 2});
    assert_eq!(ws.ask(number)["code"], "bad_field");
    let confirm = json!({"type": "confirm", "reservation": hold["id"], "fence": hold["fence"]});
    assert_eq!(ws.ask(confirm)["code"], "denied", "confirming is for backends");
    assert_eq!(ws.ask(foreign)["reservation"]["state"], "released");
    assert_eq!(other.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["type"], "ok");
    world.finish();
}

#[test]
fn where_a_rule_allows_it_a_user_confirms_and_cancels() {
    let access = r#"
[[access]]
pattern = "slots:*"
allow = ["subscribe", "hold", "confirm"]
to = "everyone"
[[access]]
pattern = "user:{user}"
allow = ["subscribe"]
to = "user"
[[access]]
pattern = "booking:*"
allow = ["subscribe"]
to = "everyone"
"#;
    let world = World::start(access);
    world.resource("dr-7", json!({}));
    let mut ws = Ws::open(&world.server, &format!("/v1/ws?token={}", user("anna")));
    ws.subscribe("user:anna");
    let held = ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    let confirm = json!({"type": "confirm", "reservation": held["id"], "fence": held["fence"]});
    assert_eq!(ws.ask(confirm)["reservation"]["state"], "booked");
    let cancelled = ws.ask(json!({"type": "cancel", "reservation": held["id"]}));
    assert_eq!(cancelled["reservation"]["state"], "cancelled", "{cancelled}");
    let mut names = Vec::new();
    while names.last().is_none_or(|last| last != "booking.cancelled") {
        names.push(ws.expect("event")["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["hold.granted", "booking.confirmed", "booking.cancelled"]);
    world.finish();
}

#[test]
fn an_id_makes_a_frame_safe_to_send_again() {
    let world = World::start("");
    world.resource("class", json!({"capacity": 5}));
    let mut ws = visitor(&world);
    let hold =
        |minute: u64| json!({"type": "hold", "id": "h-1", "claims": claim("class", minute, minute + 9)});
    let first = ws.ask(hold(600));
    assert_eq!(ws.ask(hold(600))["reservation"]["id"], first["reservation"]["id"]);
    assert_eq!(ws.ask(hold(700))["code"], "key_reused");
    world.finish();
}

#[test]
fn a_visitor_waits_is_offered_and_accepts() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    let hold = world.held("anna", claim("dr-7", 600, 660));
    let mut ws = visitor(&world);
    let wait = ws.ask(json!({"type": "join_waitlist", "claims": claim("dr-7", 600, 660)}))["wait"].clone();
    assert_eq!(wait["state"], "waiting");
    assert_eq!(ws.ask(json!({"type": "accept_offer", "wait": wait["id"]}))["code"], "bad_state");
    ws.subscribe(&format!("booking:{}", wait["id"].as_str().unwrap()));
    let path = format!("holds/{}/release", hold["id"].as_str().unwrap());
    assert_eq!(world.step(&path, &json!({})).status, 200);
    assert_eq!(ws.expect("event")["name"], "waitlist.offered");
    let accepted = ws.ask(json!({"type": "accept_offer", "wait": wait["id"]}));
    assert_eq!(accepted["reservation"]["state"], "held", "{accepted}");
    assert!(accepted["reservation"]["fence"].is_string());
    assert_eq!(ws.ask(json!({"type": "leave_waitlist", "wait": wait["id"]}))["code"], "bad_state");
    let mut other = visitor(&world);
    assert_eq!(other.ask(json!({"type": "leave_waitlist", "wait": wait["id"]}))["code"], "not_holder");
    world.finish();
}

#[test]
fn frames_that_wait_for_the_ledger_are_parked_and_all_answered() {
    let world = World::start("");
    world.resource("class", json!({"capacity": 100}));
    let mut ws = visitor(&world);
    // Many more than may be parked, in one piece.
    for n in 0..40 {
        ws.send(&json!({"type": "availability", "ref": n, "resource": "class", "from": day(), "to": day() + HOUR}));
    }
    for n in 0..40 {
        let frame = ws.expect("ok");
        assert_eq!((&frame["ref"], &frame["segments"][0]["free"]), (&json!(n), &json!(100)), "{frame}");
    }
    // On another connection the answer of the ledger comes when it comes; the ping does not wait for it.
    ws.send(&json!({"type": "hold", "ref": "h", "claims": claim("class", 1, 2)}));
    ws.send(&json!({"type": "ping", "ref": "p"}));
    let mut refs = [ws.next()["ref"].clone(), ws.next()["ref"].clone()];
    refs.sort_by_key(ToString::to_string);
    assert_eq!(refs, [json!("h"), json!("p")]);
    world.finish();
}

#[test]
fn selections_are_counted_told_to_everybody_and_gone_with_their_connection() {
    let world = World::start("");
    let (start, end) = (day(), day() + HOUR);
    let look = |kind: &str| json!({"type": kind, "resource": "dr-7", "start": start, "end": end});
    let mut watch = world.server.ws();
    watch.subscribe("selections:dr-7");
    let (mut first, mut second) = (world.server.ws(), world.server.ws());
    let mut expect = |viewers: u64| {
        let event = watch.expect("event");
        assert_eq!(event["name"], "selection.changed");
        let expected = json!({"resource": "dr-7", "start": start, "end": end, "viewers": viewers});
        assert_eq!(event["data"], expected, "and nothing else is told");
    };
    assert_eq!(first.ask(look("select"))["type"], "ok");
    expect(1);
    assert_eq!(second.ask(look("select"))["type"], "ok");
    expect(2);
    assert_eq!(second.ask(look("select"))["type"], "ok");
    assert_eq!(second.ask(look("deselect"))["type"], "ok");
    expect(1);
    assert_eq!(second.ask(look("deselect"))["type"], "ok", "nothing is told twice");
    first.cut();
    expect(0);
    let closed = World::start("[[access]]\npattern = \"x\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n");
    assert_eq!(closed.server.ws().ask(look("select"))["code"], "denied");
}

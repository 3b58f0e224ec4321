//! Signs of life, with the clock shortened.

use super::*;

const FAST: &str = "portico.relays = true\nportico.server_ping = \"100ms\"\nportico.room_ping = \"150ms\"\n";

#[test]
fn pages_are_asked_for_signs_of_life_in_this_dialects_words() {
    let server = Server::start(Start::with(FAST));
    let mut page = Page::open(&server, STRONG);
    page.enter("building", 10);
    let mut seen = std::collections::BTreeSet::new();
    let mut frames = 0;
    while seen.len() < 2 {
        let frame = page.next();
        frames += 1;
        assert!(frames < 20, "only {seen:?} came");
        match frame["type"].as_str().unwrap() {
            "server_ping" => assert!(frame["id"].as_str().unwrap().starts_with("ping_")),
            "room_ping" => assert_eq!(frame["roomId"], "entity_building_10"),
            other => panic!("{other}"),
        }
        seen.insert(frame["type"].to_string());
    }
}

#[test]
fn whoever_is_silent_leaves_rooms_and_whoever_says_anything_stays() {
    let server = Server::start(Start::with("portico.relays = true\nportico.silence = \"600ms\"\n"));
    let mut talker = Page::open(&server, STRONG);
    let mut silent = Page::open(&server, OTHER);
    silent.enter("building", 10);
    assert_eq!(talker.enter("building", 10)["roomSize"], 2);
    let alone = || server.api("GET", "/v1/channels/entity_building_10", None).json();
    eventually("the silent page has left the room", || {
        // It is no JSON, and it is a sign of life.
        talker.0.send_text("still here");
        std::thread::yield_now();
        alone()["subscribers"] == 1
    });
    server.send("entity_building_10", json!({"type": "area_update"}));
    talker.expect("area_update");
    silent.expect_nothing();
    // Its session's room it has kept.
    server.send(&format!("session_{OTHER}"), json!({"type": "x"}));
    silent.expect("x");
}

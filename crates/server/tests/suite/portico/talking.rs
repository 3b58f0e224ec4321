//! What pages say to each other, in each mode.

use super::*;

#[test]
fn what_pages_tell_everybody_is_passed_on_only_where_the_operator_lets_them() {
    for (server, passes) in modes().iter().zip([false, true, true]) {
        let (mut ann, mut bob) = (Page::open(server, STRONG), Page::open(server, OTHER));
        for kind in ["chat", "notification", "whatever"] {
            ann.send(&json!({"type": kind, "message": "Hello", "sessionContext": {"hasSession": false}}));
            if !passes {
                assert_eq!(ann.error(), "RELAY_DISABLED");
                bob.expect_nothing();
                continue;
            }
            let heard = bob.expect(kind);
            assert_eq!(heard["message"], "Hello");
            let context = json!({"hasSession": true, "sessionType": "booking"});
            assert_eq!(heard["sessionContext"], context, "nobody says of itself who it is");
            assert!(heard["timestamp"].is_string() && heard["id"].is_string(), "{heard}");
            if kind == "notification" {
                assert_eq!(ann.expect(kind)["id"], heard["id"]);
            }
            ann.expect_nothing();
        }
    }
}

#[test]
fn rooms_of_entities_are_open_by_rule_or_where_the_operator_lets_pages_in() {
    let rule = "[[access]]\npattern = \"entity_building_*\"\nallow = [\"subscribe\", \"publish\"]\nto = \"everyone\"\n";
    let by_rule = Server::start(Start::with(rule));
    let [closed, relays, dev] = modes();
    for (server, opens) in [(&by_rule, true), (&closed, false), (&relays, true), (&dev, true)] {
        let mut ann = Page::open(server, STRONG);
        ann.send(&json!({"type": "subscribe", "entityType": "building", "entityId": 10}));
        if !opens {
            assert_eq!(ann.error(), "ROOM_ACCESS_DENIED");
            continue;
        }
        let joined = ann.expect("room_joined");
        assert_eq!((&joined["roomId"], &joined["entityId"]), (&json!("entity_building_10"), &json!(10)));
        ann.expect("subscription_confirmation");
        let mut bob = Page::open(server, OTHER);
        assert_eq!(bob.enter("building", 10)["roomSize"], 2);
        ann.send(&json!({"type": "room_message", "roomId": "entity_building_10", "action": "updated"}));
        assert_eq!(bob.expect("room_message")["action"], "updated");
        ann.send(&json!({"type": "entity_event", "entityType": "building", "entityId": 10, "n": 1}));
        assert_eq!(bob.expect("entity_event")["n"], 1);
        ann.expect_nothing();
        bob.send(&json!({"type": "unsubscribe", "entityType": "building", "entityId": 10}));
        assert_eq!(bob.expect("subscription_confirmation")["status"], "unsubscribed");
        ann.send(&json!({"type": "room_message", "roomId": "entity_building_10"}));
        ann.expect_nothing();
        bob.expect_nothing();
        bob.send(&json!({"type": "room_message", "roomId": "entity_building_10"}));
        assert_eq!(bob.error(), "ROOM_ACCESS_DENIED");
        bob.send(&json!({"type": "entity_event", "entityType": "building", "entityId": 10, "n": 2}));
        if std::ptr::eq(server, &raw const dev) {
            assert_eq!(ann.expect("entity_event")["n"], 2);
        } else {
            assert_eq!(bob.error(), "ROOM_ACCESS_DENIED");
            ann.expect_nothing();
        }
    }
}

#[test]
fn tabs_of_a_session_talk_to_each_other_and_to_nobody_else() {
    for server in &modes() {
        let (mut first, mut second) = (Page::open(server, STRONG), Page::open(server, STRONG));
        let mut other = Page::open(server, OTHER);
        first.send(&json!({"type": "session_message", "n": 1}));
        let heard = second.expect("room_message");
        assert_eq!((&heard["roomId"], &heard["n"]), (&json!(format!("session_{STRONG}")), &json!(1)));
        other.send(&json!({"type": "room_message", "roomId": format!("session_{STRONG}"), "n": 2}));
        assert_eq!(other.error(), "ROOM_ACCESS_DENIED");
        // Nor is there a way round it to everybody.
        other.send(&json!({"type": "room_message", "roomId": "portico", "n": 3}));
        assert_eq!(other.error(), "ROOM_ACCESS_DENIED");
        for page in [&mut first, &mut second] {
            page.expect_nothing();
        }
    }
}

#[test]
fn a_user_is_who_its_token_says_and_elsewhere_a_label() {
    let proof = user("4711");
    for (server, label) in modes().iter().zip([false, true, true]) {
        let mut page = Page::open(server, STRONG);
        page.send(&json!({"type": "update_user_info", "userId": 4711}));
        let told = page.expect("user_info_update_confirmation");
        assert_eq!((&told["success"], &told["userId"]), (&json!(label), &json!(4711)), "{told}");
        let mut known = Page::open_at(server, &format!("/wss?token={proof}"), "");
        known.send(&json!({"type": "update_user_info", "userId": "4711"}));
        assert_eq!(known.expect("user_info_update_confirmation")["success"], true);
        // Its own room is open to it, and to no label.
        server.send("user_4711", json!({"type": "yours"}));
        known.expect("yours");
        page.expect_nothing();
    }
}

#[test]
fn what_is_no_message_harms_nobody() {
    let server = Server::dev();
    let (mut page, mut other) = (Page::open(&server, STRONG), Page::open(&server, OTHER));
    for text in ["hello", "", "[1]", "{\"type\":", "null", "7"] {
        page.0.send_text(text);
    }
    let mut binary = Vec::new();
    deskbell_wire::websocket::encode::masked_frame_into(
        &mut binary,
        deskbell_wire::websocket::Opcode::Binary,
        b"\xff\x00",
        [1, 2, 3, 4],
    );
    page.0.send_bytes(&binary);
    page.expect_nothing();
    other.expect_nothing();
    // An object without a type is a message like every other that nobody knows.
    page.send(&json!({"n": 1}));
    assert_eq!(other.next()["data"]["n"], 1);
}

#[test]
fn a_ping_is_answered_with_what_it_asked() {
    let server = Server::start(Start::default());
    let mut page = Page::open(&server, STRONG);
    page.send(&json!({"type": "ping", "id": 7, "heartbeat_id": "h", "count": 1}));
    let pong = page.expect("pong");
    assert_eq!((&pong["reply_to"], &pong["heartbeat_id"]), (&json!(7), &json!("h")));
    assert!(pong["id"].as_str().is_some_and(|id| id.starts_with("pong_") && id.len() == 18), "{pong}");
    page.send(&json!({"type": "ping"}));
    assert_eq!(page.expect("pong")["reply_to"], Value::Null);
}

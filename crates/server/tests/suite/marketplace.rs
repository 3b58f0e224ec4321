//! The route by which a marketplace's backend tells clients something, from outside.

use serde_json::Value;

use super::harness::*;
use crate::json;

/// A socket with the secret that follows these rooms: what it hears is what a client in them hears.
fn listener(server: &Server, rooms: &[&str]) -> Ws {
    let bearer = format!("Bearer {SECRET}");
    let mut ws = Ws::open_with(server, "/v1/ws", &[("Authorization", &bearer)]).unwrap();
    rooms.iter().for_each(|room| drop(ws.subscribe(room)));
    ws
}

/// Hears the next event; gives its room and name, and its data without the time, which is one.
#[track_caller]
fn told(ws: &mut Ws) -> (String, String, Value) {
    let mut frame = ws.expect("event");
    let time = frame["data"].as_object_mut().unwrap().remove("timestamp");
    let time = time.as_ref().and_then(Value::as_str).unwrap_or_default();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time:?} is no time as toISOString writes it");
    let text = |name: &str| frame[name].as_str().unwrap().to_owned();
    (text("channel"), text("name"), frame["data"].clone())
}

fn hears(room: &str, name: &str, data: Value) -> (String, String, Value) {
    (room.to_owned(), name.to_owned(), data)
}

#[track_caller]
fn tell(server: &Server, body: &Value) -> Value {
    let answer = post(server, "/api/socket", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn unread(server: &Server, who: &str) -> Vec<Value> {
    let page = server.api("GET", &format!("/v1/notifications?user={who}&unread=true"), None).json();
    page["notifications"].as_array().unwrap().clone()
}

#[test]
fn a_booking_is_told_in_the_rooms_of_exactly_those_users() {
    let server = Server::start(Start::default());
    let mut ws = listener(&server, &["user_7", "user_77", "user_user_7", "user_8"]);
    let body = json!({
        "event": {"type": "booking", "action": "accepted"},
        "data": {"id": "b-1", "status": "CONFIRMED", "amount": 1.50}, "targetUsers": ["7", "user_7", "7"]
    });
    assert_eq!(tell(&server, &body), json!({"success": true, "message": "Event broadcasted successfully"}));
    let data = json!({"type": "booking", "action": "accepted", "data": body["data"]});
    assert_eq!(told(&mut ws), hears("user_7", "booking_update", data.clone()));
    assert_eq!(told(&mut ws), hears("user_user_7", "booking_update", data));
    ws.expect_nothing();
}

#[test]
fn every_kind_has_its_event_and_a_role_its_room() {
    let server = Server::start(Start::default());
    let mut ws = listener(&server, &["role_provider", "role_PROVIDER"]);
    for (kind, name) in
        [("payment", "payment_update"), ("payout", "payout_update"), ("booking", "booking_update")]
    {
        tell(
            &server,
            &json!({"event": {"type": kind, "action": "released"}, "data": 7, "targetRole": "PROVIDER"}),
        );
        let data = json!({"type": kind, "action": "released", "data": 7});
        assert_eq!(told(&mut ws), hears("role_provider", name, data));
    }
    let body = json!({"event": {"type": "notification", "action": "info"}, "data": {"title": "T", "message": "M"},
        "broadcastToRole": "provider"});
    tell(&server, &body);
    let data = json!({"type": "notification", "action": "new_notification",
        "data": {"type": "info", "title": "T", "message": "M"}});
    assert_eq!(told(&mut ws), hears("role_provider", "notification", data));
    // The application's own scripts send a kind that nobody knows, and count on success.
    let answer = tell(&server, &json!({"event": {"type": "test", "action": "x"}, "targetRole": "provider"}));
    assert_eq!(answer["success"], true);
    ws.expect_nothing();
}

#[test]
fn the_older_form_is_understood_and_does_not_show_who_else_was_told() {
    let server = Server::start(Start::default());
    let mut ws = listener(&server, &["user_7"]);
    let answer = tell(
        &server,
        &json!({"action": "booking_created", "data": {"id": "b-1", "targetUsers": ["7", "8"]}}),
    );
    let expected =
        json!({"success": true, "message": "Broadcasted booking_created event", "connectedUsers": 0});
    assert_eq!(answer, expected);
    let data = json!({"type": "booking", "action": "created", "data": {"id": "b-1"}});
    assert_eq!(told(&mut ws), hears("user_7", "booking_update", data));
    ws.expect_nothing();
}

#[test]
fn everybody_is_told_only_where_that_is_allowed() {
    let body = json!({"event": {"type": "booking", "action": "accepted"}, "data": {}, "targetUsers": []});
    let mut server = Server::start(Start::default());
    let answer = post(&server, "/api/socket", &body);
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("denied")));
    assert!(answer.json()["message"].as_str().unwrap().contains("marketplace.everyone"));
    server.reload("[marketplace]\neveryone = true\n");
    let dev = Server::dev();
    for server in [&server, &dev] {
        let mut ws = listener(server, &["#everybody"]);
        tell(server, &body);
        let data = json!({"type": "booking", "action": "accepted", "data": {}});
        assert_eq!(told(&mut ws), hears("#everybody", "booking_update", data));
    }
}

#[test]
fn without_the_secret_nobody_tells_anything_and_development_mode_needs_none() {
    let body = json!({"event": {"type": "booking", "action": "accepted"}, "data": {}, "targetUsers": ["7"]})
        .to_string();
    let server = Server::start(Start::default());
    let mut ws = listener(&server, &["user_7"]);
    let token = format!("Bearer {}", user("7"));
    for (headers, status, code) in [
        (vec![], 401, "unauthorized"),
        (vec![("Authorization", "Bearer wrong")], 401, "unauthorized"),
        (vec![("Authorization", token.as_str())], 403, "denied"),
    ] {
        let answer = request(&server, "POST", "/api/socket", &headers, Some(&body));
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
        assert_eq!(
            (&answer.json()["success"], &answer.json()["error"]),
            (&json!(false), &json!("Broadcast failed"))
        );
        let answer = request(&server, "GET", "/api/socket", &headers, None);
        assert_eq!(answer.status, status, "{answer:?}");
    }
    ws.expect_nothing();
    let dev = Server::dev();
    assert_eq!(request(&dev, "POST", "/api/socket", &[], Some(&body)).status, 200);
    assert_eq!(request(&dev, "GET", "/api/socket", &[], None).status, 200);
    let wrong = request(&dev, "POST", "/api/socket", &[("Authorization", "Bearer wrong")], Some(&body));
    assert_eq!(wrong.status, 401, "a secret that is shown must be right");
}

#[test]
fn a_body_that_is_none_is_a_400_that_callers_understand() {
    let server = Server::start(Start::default());
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"event":7}"#,
        r#"{"event":{"action":"x"}}"#,
        r#"{"event":{"type":"booking"},"targetUsers":["a b\n"]}"#,
        r#"{"event":{"type":"booking"},"targetUsers":"7"}"#,
    ] {
        let answer = server.api_text("POST", "/api/socket", Some(body));
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let told = answer.json();
        assert_eq!((&told["success"], &told["error"]), (&json!(false), &json!("Broadcast failed")), "{body}");
    }
    // What no room can be called is told to nobody at all.
    let mut ws = listener(&server, &["user_7"]);
    let body =
        json!({"event": {"type": "booking", "action": "a"}, "data": {}, "targetUsers": ["7", "no/room"]});
    let answer = post(&server, "/api/socket", &body);
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("bad_channel")));
    ws.expect_nothing();
}

#[test]
fn it_counts_users_once_and_sockets_beside_them() {
    let server = Server::start(Start::default());
    let status = |server: &Server| server.api("GET", "/api/socket", None).json();
    let shown = status(&server);
    assert_eq!((&shown["connectedUsers"], &shown["connections"]), (&json!(0), &json!(0)), "{shown}");
    let tabs: Vec<Ws> =
        ["7", "7", "8"].iter().map(|who| Ws::open(&server, &format!("/v1/ws?token={}", user(who)))).collect();
    let visitor = server.ws();
    let shown = status(&server);
    assert_eq!((&shown["connectedUsers"], &shown["connections"]), (&json!(2), &json!(4)), "{shown}");
    assert_eq!((&shown["success"], &shown["status"]), (&json!(true), &json!("active")));
    assert_eq!(shown["message"], "Socket.IO server is running");
    drop((tabs, visitor));
    eventually("they are gone", || status(&server)["connections"] == 0);
}

#[test]
fn what_is_for_somebody_who_is_away_waits_in_the_inbox_and_nobody_else_has_it() {
    let server = Server::start(Start::default());
    let _here = Ws::open(&server, &format!("/v1/ws?token={}", user("8")));
    let body = json!({"event": {"type": "payment", "action": "released"}, "data": {"amount": 7}, "targetUsers": ["7", "8"]});
    tell(&server, &body);
    let waiting = unread(&server, "7");
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let data = &waiting[0]["data"];
    assert_eq!((&waiting[0]["type"], &waiting[0]["title"]), (&json!("payment"), &json!("payment released")));
    assert_eq!(
        (&data["event"], &data["told"]["data"]),
        (&json!("payment_update"), &json!({"amount": 7})),
        "{data}"
    );
    assert!(unread(&server, "8").is_empty(), "whoever is here hears it in its room");
    // It is kept like every notification, also through a crash.
    let server = server.crash_and_restart();
    assert_eq!(unread(&server, "7").len(), 1);
}

#[test]
fn a_notification_for_somebody_who_is_here_is_one_of_the_inbox_as_it_prefers() {
    let server = Server::start(Start::default());
    let mut ann = Ws::open(&server, &format!("/v1/ws?token={}", user("ann")));
    ann.subscribe("user:ann");
    let body = |kind: &str| {
        json!({"event": {"type": "notification", "action": kind},
        "data": {"title": "Title", "message": "Message"}, "targetUsers": ["ann"]})
    };
    tell(&server, &body("info"));
    let heard = ann.expect("event");
    assert_eq!((&heard["name"], &heard["data"]["type"]), (&json!("notification.created"), &json!("info")));
    assert_eq!((&heard["data"]["title"], &heard["data"]["body"]), (&json!("Title"), &json!("Message")));
    let off = json!({"types": {"promo": {"in_app": false}}});
    assert_eq!(server.api("PUT", "/v1/inbox/preferences?user=ann", Some(&off)).status, 200);
    assert_eq!(ann.expect("event")["name"], "inbox.preferences");
    tell(&server, &body("promo"));
    tell(&server, &body("info"));
    assert_eq!(ann.expect("event")["data"]["type"], "info", "what was switched off is not told");
}

#[test]
fn errors_are_counted_in_the_classes_that_applications_know() {
    let server = Server::start(Start::default());
    let errors = || server.stats()["errors"].clone();
    let none = json!({"totalErrors": 0, "recentErrors": 0, "retryableErrors": 0, "mostCommonError": null});
    assert_eq!(errors(), none);
    for _ in 0..2 {
        assert_eq!(request(&server, "POST", "/api/socket", &[], Some("{}")).status, 401);
    }
    assert_eq!(server.api_text("POST", "/api/socket", Some("{")).status, 400);
    let expected = json!({"totalErrors": 3, "recentErrors": 3, "retryableErrors": 0,
        "mostCommonError": "AUTHENTICATION_ERROR"});
    assert_eq!(errors(), expected);
}

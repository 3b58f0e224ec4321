//! Sessions, namespaces, rooms and events over a WebSocket.

use serde_json::json;

use super::{Client, Got};
use crate::harness::{Server, Start};

#[test]
fn a_session_opens_with_exactly_five_fields() {
    let server = Server::dev();
    let client = Client::open(&server, "", &[]);
    let fields: Vec<&str> = client.open.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
    assert_eq!(client.open["upgrades"], json!([]));
    assert_eq!(client.open["pingInterval"], 25_000);
}

#[test]
fn a_room_is_a_channel() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.join("lobby");
    server.send("elsewhere", 0);
    server.send("lobby", 1);
    assert_eq!(client.event(), ("e".to_owned(), json!(1)));
    assert_eq!(client.ask("leave_room", &json!("lobby")), json!({"success": true}));
    server.send("lobby", 2);
    client.expect_nothing();
}

#[test]
fn several_rooms_come_in_the_order_of_the_log_and_once() {
    let server = Server::dev();
    let mut both = Client::connect(&server);
    let mut one = Client::connect(&server);
    both.join("a");
    both.join("b");
    one.join("b");
    let events: Vec<(&str, i64)> = (0..20).map(|n| (if n % 3 == 0 { "a" } else { "b" }, n)).collect();
    server.send_all(&events);
    for (_, n) in &events {
        assert_eq!(both.event().1, json!(n));
    }
    for (_, n) in events.iter().filter(|(room, _)| *room == "b") {
        assert_eq!(one.event().1, json!(n));
    }
    both.expect_nothing();
    one.expect_nothing();
}

#[test]
fn whoever_is_named_as_except_is_left_out() {
    let server = Server::dev();
    let (mut speaker, mut other) = (Client::connect(&server), Client::connect(&server));
    speaker.join("lobby");
    other.join("lobby");
    let event = json!({"channel": "lobby", "name": "e", "data": 1, "except": speaker.sid()});
    server.publish(&event);
    assert_eq!(other.event().1, json!(1));
    speaker.expect_nothing();
}

#[test]
fn everybody_hears_what_everybody_is_told() {
    let server = Server::dev();
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    other.enter("/api/socket", &json!({}));
    server.send("#everybody", "all");
    assert_eq!(one.event().1, json!("all"));
    assert_eq!(other.event().1, json!("all"));
    assert_eq!(other.event_in("/api/socket").1, json!("all"));
}

#[test]
fn a_namespace_that_nobody_has_named_is_refused_in_the_usual_words() {
    let server = Server::dev();
    let mut client = Client::open(&server, "", &[]);
    client.send("40/random,");
    assert_eq!(client.text(), r#"44/random,{"message":"Invalid namespace"}"#);
    client.enter("/", &json!({}));
}

#[test]
fn namespaces_by_pattern_have_rooms_of_their_own() {
    let config = "[socketio]\nnamespaces = [\"/\", \"/chat/*\"]\nplain_namespaces = [\"/\"]\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let mut client = Client::connect(&server);
    client.enter("/chat/eu", &json!({}));
    assert_eq!(client.ask_in("/chat/eu", "join_room", &json!("lobby")), json!({"success": true}));
    client.join("lobby");
    server.send("chat;eu;lobby", 1);
    server.send("lobby", 2);
    assert_eq!(client.event_in("/chat/eu").1, json!(1));
    assert_eq!(client.event().1, json!(2));
    client.send("41/chat/eu,");
    server.send("chat;eu;lobby", 3);
    client.expect_nothing();
}

#[test]
fn an_ack_with_the_number_nought_is_an_ack() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("420[\"join_room\",\"lobby\"]");
    assert_eq!(client.text(), "430[{\"success\":true}]");
}

#[test]
fn an_event_that_nobody_knows_is_refused_and_never_passed_on() {
    let server = Server::dev();
    let (mut speaker, mut other) = (Client::connect(&server), Client::connect(&server));
    speaker.join("lobby");
    other.join("lobby");
    assert_eq!(speaker.ask("shout", &json!({"room": "lobby"}))["code"], "unknown_type");
    other.expect_nothing();
}

#[test]
fn the_public_name_of_a_socket_says_nothing_of_its_session() {
    let server = Server::dev();
    let client = Client::connect(&server);
    let secret = client.open["sid"].as_str().unwrap();
    assert_ne!(client.sid(), secret);
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", client.sid());
    assert_eq!(crate::harness::get(&server, &path).text(), r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[test]
fn a_client_that_asks_for_no_namespace_is_let_go() {
    let server = Server::dev();
    let mut client = Client::open(&server, "", &[]);
    client.send("40/random,");
    client.text();
    assert!(matches!(client.next(), Got::Closed(..)));
}

#[test]
fn whoever_is_shown_out_does_not_come_back_by_itself() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.enter("/api/socket", &json!({}));
    let pid = client.pid();
    client.emit("authenticate", &json!({"token": "x", "userId": "u1"}));
    assert_eq!(client.event().0, "authenticated");
    let answer = server.api("POST", "/v1/users/u1/disconnect", None);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(client.text(), "41");
    assert_eq!(client.text(), "41/api/socket,");
    assert_eq!(client.until_closed().0, Some(4403));
    assert_ne!(Client::back(&server, &pid, None).pid(), pid);
}

#[test]
fn a_stop_closes_the_transport_and_shows_nobody_out() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let mut waiting = super::Poller::connect(&server).waiting(&server);
    server.signal("TERM");
    assert!(matches!(client.next(), Got::Closed(Some(1012), _)));
    assert_eq!(waiting.answer().text(), "1");
}

#[test]
fn whoever_says_too_much_is_refused_for_a_while_and_stays() {
    let server = Server::start(Start::with("[limit]\nrate = 1\nburst = 5\n").flag("--dev"));
    let mut client = Client::connect(&server);
    let answers: Vec<_> = (0..20).map(|_| client.ask("join_room", &json!("lobby"))).collect();
    assert!(answers.iter().any(|answer| answer["code"] == "rate_limited"), "{answers:?}");
    assert_eq!(answers[0], json!({"success": true}));
}

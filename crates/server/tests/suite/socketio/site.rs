//! What the site's own backend says: to events that nobody here knows, and of whose a booking is.

use base64::Engine as _;
use serde_json::{Value, json};

use super::Client;
use crate::harness::{Receiver, SECRET, Say, Server, Start, token};

fn server(receiver: &Receiver) -> Server {
    Server::start(Start::with(&format!("[socketio]\nevents_url = \"{}\"\n", receiver.url())))
}

#[test]
fn an_event_is_passed_on_and_its_answer_comes_from_the_backend() {
    let receiver = Receiver::start();
    let server = server(&receiver);
    let auth = json!({ "token": token(&json!({"sub": "u1", "roles": ["CLIENT"]})) });
    let mut client = Client::connect_with(&server, &auth, &[]);
    receiver.say(Say::Json(200, json!({"price": 7})));
    assert_eq!(client.ask("quote", &json!({"room": "a"})), json!({"price": 7}));
    let passed = receiver.next();
    let body = passed.json();
    assert_eq!((&body["event"], &body["args"]), (&json!("quote"), &json!([{"room": "a"}])));
    assert_eq!(
        (&body["user"], &body["roles"], &body["namespace"]),
        (&json!("u1"), &json!(["CLIENT"]), &json!("/"))
    );
    assert_eq!(body["socket"], json!(client.sid()));
    let secret = deskbell_wire::webhook::Secret::derived(SECRET, "socketio").expose();
    let key = secret.strip_prefix("whsec_").unwrap();
    let key = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
    assert!(passed.is_signed_with(&key));
    // Several arguments are a list.
    receiver.say(Say::Json(200, json!([1, "two"])));
    client.send("429[\"quote\"]");
    assert_eq!(client.text(), "439[1,\"two\"]");
    for (say, code) in [(Say::Json(422, json!({})), "denied"), (Say::Json(500, json!({})), "unavailable")] {
        receiver.say(say);
        assert_eq!(client.ask("quote", &json!(1))["code"], code);
    }
}

#[test]
fn bytes_are_passed_on_as_base64() {
    let receiver = Receiver::start();
    let server = server(&receiver);
    receiver.say(Say::Json(200, json!("taken")));
    let mut client = Client::connect(&server);
    client.send("451-3[\"upload\",{\"_placeholder\":true,\"num\":0}]");
    client.send_bytes(&[1, 2, 3]);
    assert_eq!(client.text(), "433[\"taken\"]");
    let body = receiver.next().json();
    assert_eq!(body["attachments"], json!(["AQID"]));
    assert_eq!(body["args"][0]["_placeholder"], json!(true));
}

#[test]
fn an_event_without_a_wish_for_an_answer_is_passed_on_and_others_go_on_meanwhile() {
    let receiver = Receiver::start();
    let server = server(&receiver);
    receiver.say(Say::Nothing);
    let mut client = Client::connect(&server);
    client.emit("hello", &json!(1));
    assert_eq!(receiver.next().json()["event"], "hello");
    client.expect_nothing();
}

#[test]
fn a_backend_that_does_not_answer_is_not_waited_for_for_ever() {
    let receiver = Receiver::start();
    let config = format!("[socketio]\nevents_url = \"{}\"\nbackend_timeout = \"200ms\"\n", receiver.url());
    let server = Server::start(Start::with(&config));
    receiver.say(Say::Nothing);
    let mut client = Client::connect(&server);
    assert_eq!(client.ask("hello", &json!(1))["code"], "unavailable");
}

/// A booking of somebody at somebody's resource.
fn booking(server: &Server) -> String {
    let wish = json!({"capacity": 1, "time_zone": "UTC", "provider": "p1"});
    assert_eq!(server.api("PUT", "/v1/resources/r", Some(&wish)).status, 200);
    let start = crate::ledger::day();
    let claims = json!([{"resource": "r", "start": start, "end": start + crate::ledger::HOUR}]);
    let answer = server.api("POST", "/v1/bookings", Some(&json!({"claims": claims, "holder": "c1"}))).json();
    answer["reservation"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_room_of_a_booking_is_its_parties() {
    let server = Server::start(Start::default());
    let id = booking(&server);
    let room = format!("booking_{id}");
    let page = |who: &str| {
        let auth = json!({ "token": token(&json!({ "sub": who })) });
        Client::connect_with(&server, &auth, &[])
    };
    for who in ["c1", "p1"] {
        let mut client = page(who);
        client.join(&room);
        server.publish(&json!({"channel": room, "name": "note", "data": who}));
        assert_eq!(client.event(), ("note".to_owned(), json!(who)));
        // What was given stays given to who comes back.
        let (pid, offset) = (client.pid(), client.offset.clone());
        client.cut();
        server.publish(&json!({"channel": room, "name": "note", "data": "away"}));
        let mut client = Client::back(&server, &pid, offset.as_deref());
        assert_eq!(client.event(), ("note".to_owned(), json!("away")));
    }
    for mut client in [page("c2"), Client::connect(&server)] {
        let answer = client.ask("join_room", &json!(room));
        assert_eq!(answer["code"], "denied");
        let (name, told): (String, Value) = client.event();
        assert_eq!((name.as_str(), &told["room"]), ("room_error", &json!(room)));
        assert_eq!(client.ask("join_room", &json!("booking_r_nobody"))["code"], "denied");
    }
}

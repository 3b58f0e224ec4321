//! What a socket is called is a room of it alone.

use serde_json::json;

use super::{Client, Poller};
use crate::harness::{Server, Start};

#[test]
fn a_socket_is_told_something_by_its_own_name_and_nobody_else_is() {
    let rule = "[[access]]\npattern = \"*\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n";
    let server = Server::start(Start::with(rule));
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    assert_eq!(other.ask("join_room", &json!(one.sid()))["code"], "denied");
    assert_eq!(other.event().0, "room_error");
    for n in 0..3 {
        server.send(&one.sid(), n);
        assert_eq!(one.event().1, json!(n));
    }
    server.send("1.1", "nobody is called so");
    other.expect_nothing();
    // It may ask for it, as it may for every room of its own, and is told everything once all the same.
    one.join(&one.sid());
    server.send(&one.sid(), 3);
    assert_eq!(one.event().1, json!(3));
    one.expect_nothing();
}

#[test]
fn a_polling_client_has_a_room_of_its_own_too() {
    let server = Server::dev();
    let mut poller = Poller::open(&server);
    poller.post("40");
    let entered: serde_json::Value = serde_json::from_str(&poller.next()[2..]).unwrap();
    server.send(entered["sid"].as_str().unwrap(), 7);
    assert!(poller.next().starts_with("42[\"e\",7,"));
}

#[test]
fn whoever_comes_back_has_what_it_was_told_by_its_name_meanwhile() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let (sid, pid) = (client.sid(), client.pid());
    // Nothing was ever told there before it went.
    let mut offset = client.cut();
    for n in 0..6 {
        server.send(&sid, n);
        client = Client::back(&server, &pid, offset.as_deref());
        assert_eq!(client.sid(), sid);
        assert_eq!(client.event().1, json!(n));
        client.expect_nothing();
        offset = client.cut();
    }
}

#[test]
fn each_namespace_is_told_in_its_own_rooms() {
    let config = "[socketio]\nnamespaces = [\"/\", \"/chat\"]\nplain_namespaces = [\"/\"]\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let mut client = Client::connect(&server);
    client.enter("/chat", &json!({}));
    let sid = client.sid();
    server.send(&format!("chat;{sid}"), 1);
    assert_eq!(client.event_in("/chat").1, json!(1));
    server.send(&sid, 2);
    assert_eq!(client.event().1, json!(2));
    client.expect_nothing();
}

#[test]
fn a_full_list_of_rooms_does_not_shut_a_socket_out_of_its_own() {
    let server = Server::start(Start::with("limit.subscriptions = 2\n").flag("--dev"));
    let mut client = Client::connect(&server);
    client.join("a");
    client.join("b");
    assert_eq!(client.ask("join_room", &json!("c"))["code"], "limit_reached");
    client.event();
    server.send(&client.sid(), 1);
    assert_eq!(client.event().1, json!(1));
}

//! Laravel Echo's connector: channels that are asked for by events.

use serde_json::{Value, json};

use super::Client;
use crate::harness::{Receiver, Say, Server, Start, token};

fn subscribe(client: &mut Client, channel: &str) {
    client.emit(
        "subscribe",
        &json!({"channel": channel, "auth": {"headers": {"Authorization": "Bearer site"}}}),
    );
}

/// What a connector is told: the event's name, its channel, and what is said.
fn heard(client: &mut Client) -> (String, Value, Value) {
    let (name, args) = client.event();
    (name, args[0].clone(), args[1].clone())
}

#[test]
fn a_public_channel_is_open_and_says_its_name_with_each_event() {
    let server = Server::start(Start::default());
    let mut client = Client::connect(&server);
    subscribe(&mut client, "orders");
    subscribe(&mut client, "orders");
    client.expect_nothing();
    server.publish(&json!({"channel": "orders", "name": "App\\Events\\Paid", "data": {"id": 1}}));
    assert_eq!(heard(&mut client), ("App\\Events\\Paid".into(), json!("orders"), json!({"id": 1})));
    client.emit("unsubscribe", &json!({"channel": "orders"}));
    server.send("orders", 2);
    client.expect_nothing();
}

#[test]
fn a_private_channel_is_a_rule_s_or_the_site_s() {
    let receiver = Receiver::start();
    receiver.answer(|asked| {
        let given = !asked.body.ends_with(b".8");
        if given { Say::Json(200, json!(true)) } else { Say::Json(403, json!({})) }
    });
    let rule = "[[access]]\npattern = \"private-own.{user}\"\nallow = [\"subscribe\"]\nto = \"user\"\n";
    let config = format!("{rule}[socketio]\nauth_endpoint = \"{}\"\n", receiver.url());
    let server = Server::start(Start::with(&config));
    let auth = json!({ "token": token(&json!({"sub": "u1"})) });
    let mut client = Client::connect_with(&server, &auth, &[("Cookie", "laravel_session=abc")]);
    subscribe(&mut client, "private-own.u1");
    client.expect_nothing();
    server.send("private-own.u1", 1);
    assert_eq!(heard(&mut client).2, json!(1));

    subscribe(&mut client, "private-orders.7");
    let asked = receiver.next();
    assert_eq!(asked.body, b"channel_name=private-orders.7");
    assert_eq!(asked.headers["authorization"], "Bearer site");
    assert_eq!(asked.headers["cookie"], "laravel_session=abc");
    crate::harness::eventually("the channel is listened to", || listens(&server, "private-orders.7"));
    server.send("private-orders.7", 2);
    assert_eq!(heard(&mut client).2, json!(2));

    subscribe(&mut client, "private-orders.8");
    assert_eq!(heard(&mut client), ("subscription_error".into(), json!("private-orders.8"), json!(403)));
    // It comes back with what it was given.
    let (pid, offset) = (client.pid(), client.offset.clone());
    client.cut();
    server.send("private-orders.7", 3);
    server.send("private-orders.8", 3);
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert_eq!(heard(&mut client), ("e".into(), json!("private-orders.7"), json!(3)));
    client.expect_nothing();
}

fn listens(server: &Server, channel: &str) -> bool {
    let answer = server.api("GET", &format!("/v1/channels/{channel}"), None).json();
    answer["subscribers"].as_u64().is_some_and(|count| count > 0)
}

#[test]
fn a_private_channel_that_nobody_gives_is_refused_to_its_listeners() {
    let server = Server::start(Start::default());
    let mut client = Client::connect(&server);
    for channel in ["private-a", "presence-a", "private-encrypted-a", "a b"] {
        subscribe(&mut client, channel);
        let (name, told, status) = heard(&mut client);
        assert_eq!((name.as_str(), told), ("subscription_error", json!(channel)));
        assert!([400, 401, 403].contains(&status.as_u64().unwrap()), "{channel} {status}");
    }
}

#[test]
fn members_of_a_presence_channel_see_each_other_come_and_go() {
    let server = Server::dev();
    let auth = |id: &str| json!({ "token": token(&json!({ "sub": id })) });
    let mut ann = Client::connect_with(&server, &auth("ann"), &[]);
    let mut ben = Client::connect_with(&server, &auth("ben"), &[]);
    let member = |id: &str| json!({"user_id": id, "user_info": {"id": id}});
    subscribe(&mut ann, "presence-desk");
    assert_eq!(
        heard(&mut ann),
        ("presence:subscribed".into(), json!("presence-desk"), json!([member("ann")]))
    );
    subscribe(&mut ben, "presence-desk");
    let (name, _, there) = heard(&mut ben);
    assert_eq!((name.as_str(), there.as_array().unwrap().len()), ("presence:subscribed", 2));
    assert_eq!(heard(&mut ann), ("presence:joining".into(), json!("presence-desk"), member("ben")));
    ben.emit(
        "client event",
        &json!({"channel": "presence-desk", "event": "client-typing", "data": {"at": 1}}),
    );
    assert_eq!(heard(&mut ann), ("client-typing".into(), json!("presence-desk"), json!({"at": 1})));
    ben.expect_nothing();
    ben.emit("unsubscribe", &json!({"channel": "presence-desk"}));
    let (name, _, gone) = heard(&mut ann);
    assert_eq!((name.as_str(), &gone["user_id"]), ("presence:leaving", &json!("ben")));
}

#[test]
fn a_client_says_only_what_clients_say_and_where_it_is() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    subscribe(&mut client, "orders");
    for (channel, event, code) in [
        ("private-x", "App\\Paid", "bad_name"),
        ("private-x", "client-x", "not_subscribed"),
        ("orders", "client-x", "denied"),
    ] {
        let answer = client.ask("client event", &json!({"channel": channel, "event": event, "data": 1}));
        assert_eq!(answer["code"], code, "{channel} {event}");
    }
}

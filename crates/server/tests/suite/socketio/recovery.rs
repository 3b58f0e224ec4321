//! Whoever comes back is who it was, and has missed nothing; or it hears that it is somebody new.

use serde_json::json;

use super::{Client, Poller};
use crate::harness::{Server, Start, count, in_seconds, token};

#[test]
fn whoever_comes_back_gets_its_rooms_and_what_it_missed_exactly_once() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let (sid, pid) = (client.sid(), client.pid());
    client.join("lobby");
    server.send("lobby", 0);
    assert_eq!(client.event().1, json!(0));
    let mut offset = client.cut();
    let mut next = 1;
    for round in 0..count(20, 1_000) {
        server.send("lobby", next);
        server.send("elsewhere", next);
        let mut client = Client::back(&server, &pid, offset.as_deref());
        assert_eq!((client.sid(), client.pid()), (sid.clone(), pid.clone()), "round {round}");
        server.send("lobby", next + 1);
        assert_eq!(client.event().1, json!(next));
        assert_eq!(client.event().1, json!(next + 1));
        client.expect_nothing();
        next += 2;
        offset = client.cut();
    }
}

#[test]
fn whoever_has_heard_of_nothing_yet_comes_back_as_well() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let pid = client.pid();
    client.join("lobby");
    assert_eq!(client.cut(), None);
    server.send("lobby", 1);
    let mut client = Client::back(&server, &pid, None);
    assert_eq!(client.pid(), pid);
    assert_eq!(client.event().1, json!(1));
    client.expect_nothing();
}

#[test]
fn a_connection_that_seems_to_live_gives_way() {
    let server = Server::dev();
    let mut old = Client::connect(&server);
    let pid = old.pid();
    old.join("lobby");
    for n in 0..3 {
        let mut new = Client::back(&server, &pid, old.offset.as_deref());
        assert_eq!(new.pid(), pid);
        old.until_closed();
        server.send("lobby", n);
        assert_eq!(new.event().1, json!(n));
        old = new;
    }
}

#[test]
fn whoever_has_missed_what_is_gone_is_somebody_new() {
    let config = "[[channels]]\npattern = \"lobby\"\nhistory_count = 3\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let mut client = Client::connect(&server);
    let (sid, pid) = (client.sid(), client.pid());
    client.join("lobby");
    server.send("lobby", 0);
    client.event();
    let offset = client.cut();
    for n in 1..10 {
        server.send("lobby", n);
    }
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert!(client.sid() != sid && client.pid() != pid);
    server.send("lobby", 10);
    client.expect_nothing();
}

#[test]
fn a_secret_or_a_place_that_nobody_here_made_is_no_failure() {
    let server = Server::dev();
    let pid = Client::connect(&server).pid();
    for (pid, offset) in [("nonsense", "nonsense"), (pid.as_str(), "nonsense"), ("x.y", "z"), ("", "")] {
        let client = Client::back(&server, pid, Some(offset));
        assert_ne!(client.pid(), pid);
    }
}

#[test]
fn whoever_left_by_itself_does_not_come_back() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let pid = client.pid();
    client.join("lobby");
    client.send("41");
    client.enter("/", &json!({}));
    client.cut();
    let client = Client::back(&server, &pid, None);
    // It was in the namespace again, so it is taken up; but its room was left.
    let mut client = client;
    server.send("lobby", 1);
    client.expect_nothing();
}

#[test]
fn every_event_says_where_its_reader_stands_also_one_that_ends_with_a_text() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.join("lobby");
    for data in [json!("text"), json!({"a": 1}), json!(null)] {
        server.publish(&json!({"channel": "lobby", "name": "e", "data": data}));
        assert_eq!(client.event().1, data);
        assert!(client.offset.as_ref().is_some_and(|offset| offset.len() > 20));
    }
}

#[test]
fn a_client_with_positional_arguments_is_spared() {
    let server = Server::dev();
    for headers in
        [vec![("User-Agent", "Python/3.12 aiohttp/3.9.5")], vec![("User-Agent", "python-requests/2.31")]]
    {
        let mut client = Client::connect_with(&server, &json!({}), &headers);
        assert_eq!(client.entered.as_object().unwrap().len(), 1, "{headers:?}");
        client.join("lobby");
        server.send("lobby", 1);
        assert_eq!(client.text(), "42[\"e\",1]");
        let mut asked = Client::open(&server, "&recovery=on", &headers);
        assert!(asked.enter("/", &json!({}))["pid"].is_string());
    }
    // Its WebSocket says nothing of itself, but where it comes from; Node's says neither.
    let origin = format!("http://{}", server.address);
    let mut client = Client::open(&server, "", &[("Origin", &origin)]);
    assert!(client.enter("/", &json!({}))["pid"].is_null());
    let browser = [("Origin", origin.as_str()), ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")];
    let mut client = Client::open(&server, "", &browser);
    assert!(client.enter("/", &json!({}))["pid"].is_string());
    let mut client = Client::open(&server, "&recovery=off", &[]);
    assert!(client.enter("/", &json!({}))["pid"].is_null());
    let server = Server::start(Start::with("[socketio]\nrecovery = \"off\"\n").flag("--dev"));
    let mut client = Client::open(&server, "&recovery=on", &[]);
    assert!(client.enter("/", &json!({}))["pid"].is_null(), "what is switched off is not to be had");
    let server = Server::start(Start::with("[socketio]\nrecovery = \"on\"\n").flag("--dev"));
    let mut client = Client::open(&server, "", &[("User-Agent", "python-requests/2.31")]);
    assert!(client.enter("/", &json!({}))["pid"].is_string(), "switched on for all");
    let mut client = Client::open(&server, "&recovery=off", &[]);
    assert!(client.enter("/", &json!({}))["pid"].is_null(), "a client may still do without");
}

#[test]
fn each_namespace_comes_back_from_where_it_stood_itself() {
    let config = "[socketio]\nnamespaces = [\"/\", \"/chat\"]\nplain_namespaces = [\"/\"]\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let mut client = Client::connect(&server);
    let pid = client.pid();
    client.join("lobby");
    let other = client.enter("/chat", &json!({}))["pid"].as_str().unwrap().to_owned();
    assert_eq!(client.ask_in("/chat", "join_room", &json!("den")), json!({"success": true}));
    server.send("chat;den", 0);
    let (_, _) = client.event_in("/chat");
    let early = client.offset.clone().unwrap();
    server.send("lobby", 1);
    client.event();
    let late = client.cut().unwrap();
    server.send("chat;den", 2);
    server.send("lobby", 3);
    let mut client = Client::back(&server, &pid, Some(&late));
    assert_eq!(client.event().1, json!(3));
    assert_eq!(client.enter("/chat", &json!({"pid": other, "offset": early}))["pid"], json!(other));
    assert_eq!(client.event_in("/chat").1, json!(2));
    client.expect_nothing();
}

#[test]
fn a_polling_client_comes_back_over_a_websocket() {
    let server = Server::dev();
    let mut poller = Poller::open(&server);
    poller.post("40");
    let text = poller.next();
    let entered: serde_json::Value = serde_json::from_str(&text[2..]).unwrap();
    poller.post("420[\"join_room\",\"lobby\"]");
    poller.next();
    for n in 0..3 {
        server.send("lobby", n);
    }
    let text = poller.next();
    let args: Vec<serde_json::Value> = serde_json::from_str(&text[2..]).unwrap();
    assert_eq!(args[1], json!(0));
    let mut client = Client::back(&server, entered["pid"].as_str().unwrap(), args[2].as_str());
    assert_eq!(client.pid(), entered["pid"]);
    assert_eq!(client.event().1, json!(1));
    assert_eq!(client.event().1, json!(2));
    client.expect_nothing();
    // What was told to the old connection comes first, then that it is over.
    assert!(poller.get().text().ends_with('1'));
    assert_eq!(poller.get().status, 400);
}

#[test]
fn a_clean_restart_is_survived() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let pid = client.pid();
    client.join("lobby");
    server.send("lobby", 0);
    client.event();
    server.send("lobby", 1);
    let offset = client.offset.clone();
    let server = server.stop_and_restart();
    server.send("lobby", 2);
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert_eq!(client.pid(), pid);
    assert_eq!(client.event().1, json!(1));
    assert_eq!(client.event().1, json!(2));
}

#[test]
fn whoever_has_become_another_user_does_not_get_the_rooms_of_the_first() {
    let server = Server::start(Start::default());
    let token = |id: &str| token(&json!({ "sub": id }));
    let client = Client::connect_with(&server, &json!({ "token": token("u1") }), &[]);
    let pid = client.pid();
    client.cut();
    server.send("user_u1", 1);
    server.send("user_u2", 2);
    let auth = json!({ "pid": pid, "token": token("u2") });
    let mut client = Client::connect_with(&server, &auth, &[]);
    server.send("user_u1", 3);
    server.send("user_u2", 4);
    assert_eq!(client.event().1, json!(4));
}

/// Elsewhere a client that was told nothing for two minutes could not come back, because its last event was gone.
#[test]
fn a_client_that_was_told_nothing_for_long_comes_back_all_the_same() {
    let config = "[[channels]]\npattern = \"*\"\nhistory_age = \"50ms\"\n";
    let server = Server::start(Start::with(config).flag("--dev"));
    let mut client = Client::connect(&server);
    client.join("lobby");
    server.send("lobby", 0);
    client.event();
    let (sid, pid) = (client.sid(), client.pid());
    let offset = client.cut();
    for n in 0..50 {
        server.send("elsewhere", n);
    }
    crate::harness::eventually("its last event is gone", || {
        server.api("GET", "/v1/channels/lobby", None).json()["events"] == 0
    });
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert_eq!((client.sid(), client.pid()), (sid, pid));
    server.send("lobby", 1);
    assert_eq!(client.event().1, json!(1));
}

/// Elsewhere whoever comes back is not asked again, and who was shut out meanwhile is in.
#[test]
fn whoever_comes_back_proves_anew_who_it_is() {
    let server = Server::start(Start::default());
    let auth = json!({ "token": token(&json!({"sub": "u1"})) });
    let client = Client::connect_with(&server, &auth, &[]);
    let pid = client.pid();
    client.cut();
    let late = token(&json!({"sub": "u1", "exp": in_seconds(-3_600)}));
    let mut client = Client::open(&server, "", &[]);
    client.send(&format!("40{}", json!({ "pid": pid, "token": late })));
    assert!(client.text().contains("token_expired"), "it came in");
    assert_eq!(client.enter("/", &json!({ "pid": pid, "token": auth["token"] }))["pid"], json!(pid));
    // What a rule gave is asked for again, too.
    let rule = "[[access]]\npattern = \"lobby\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n";
    let mut server = Server::start(Start::with(rule));
    let mut client = Client::connect(&server);
    client.join("lobby");
    let pid = client.pid();
    client.cut();
    server.reload("");
    let mut client = Client::back(&server, &pid, None);
    assert_eq!(client.event().0, "room_error");
    server.send("lobby", 1);
    client.expect_nothing();
}

//! Who is in a presence channel: people and not tabs, wherever their tabs are.

use super::*;

const ROOM: &str = "presence-room";

/// Whatever is on its way to a client has come.
fn come_to_now(client: &mut Pusher) {
    client.send("pusher:ping", &json!({}));
    while client.next()["event"] != "pusher:pong" {}
}

fn member(id: &str) -> String {
    json!({"user_id": id, "user_info": {"name": id}}).to_string()
}

#[test]
fn a_person_is_one_member_on_whichever_shard_its_tabs_are() {
    let server = Server::start(Start::default().flag("--set").flag("shards=4"));
    let mut watcher = Pusher::open(&server);
    watcher.enter(ROOM, &member("watcher"));
    // Connections are dealt out to the shards one after the other, so each of them has some of both.
    let mut tabs: Vec<Pusher> = Vec::new();
    for nth in 0..8 {
        for user in ["ann", "bob"] {
            let mut tab = Pusher::open(&server);
            let there = tab.enter(ROOM, &member(user));
            assert!(there["presence"]["hash"][user].is_object(), "oneself is there: {there}");
            let count = if nth == 0 && user == "ann" { 2 } else { 3 };
            assert_eq!(there["presence"]["count"], count, "{there}");
            tabs.push(tab);
        }
    }
    for user in ["ann", "bob"] {
        assert_eq!(watcher.expect("pusher_internal:member_added")["data"]["user_id"], user);
    }
    watcher.expect_nothing();
    let counted = server.api("GET", "/apps/1001/channels/presence-room?info=user_count", None);
    assert_eq!(counted.json()["user_count"], 3);
    // All tabs but the last one of each go: by leaving, and by being closed.
    let last = tabs.split_off(14);
    for (nth, mut tab) in tabs.into_iter().enumerate() {
        if nth % 3 == 0 {
            tab.send("pusher:unsubscribe", &json!({"channel": ROOM}));
            come_to_now(&mut tab);
        }
        drop(tab);
    }
    let counted =
        || server.api("GET", "/apps/1001/channels/presence-room?info=subscription_count", None).json();
    eventually("the others have gone", || counted()["subscription_count"] == 3);
    watcher.expect_nothing();
    drop(last);
    let mut gone: Vec<Value> =
        (0..2).map(|_| watcher.expect("pusher_internal:member_removed")["data"]["user_id"].clone()).collect();
    gone.sort_by_key(Value::to_string);
    assert_eq!(gone, ["ann", "bob"]);
    watcher.expect_nothing();
}

#[test]
fn the_list_has_oneself_and_is_an_object_whatever_the_ids_are() {
    let server = Server::start(Start::default());
    let mut clients = Vec::new();
    for id in 0..3 {
        let mut client = Pusher::open(&server);
        // Numbers that a list could be made of, and nothing to show.
        let there = client.enter(ROOM, &format!(r#"{{"user_id":{id}}}"#));
        let presence = &there["presence"];
        assert!(presence["hash"].is_object(), "{there}");
        assert_eq!(presence["hash"][id.to_string()], Value::Null, "{there}");
        assert!(presence["hash"].as_object().unwrap().contains_key(&id.to_string()), "{there}");
        assert_eq!((&presence["count"], presence["ids"].as_array().unwrap().len()), (&json!(id + 1), id + 1));
        clients.push(client);
    }
}

#[test]
fn a_killed_server_takes_each_member_away_once() {
    let receiver = Receiver::start();
    let config = format!(
        "[[pusher_webhooks]]\nurl = \"{}\"\nevents = [\"member_removed\"]\nreturns = \"3s\"\n",
        receiver.url()
    );
    let server = Server::start(Start::with(&config).on_file());
    let mut tabs: Vec<Pusher> = Vec::new();
    for user in ["ann", "ann", "bob", "back"] {
        let mut tab = Pusher::open(&server);
        tab.enter(ROOM, &member(user));
        tabs.push(tab);
    }
    let here = || {
        let file = rusqlite::Connection::open(server.data.join("deskbell.db")).unwrap();
        file.query_row("SELECT count(*) FROM news_here WHERE member <> ''", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    eventually("the three members are noted", || here() == 3);
    let server = server.crash_and_restart();
    let mut back = Pusher::open(&server);
    let there = back.enter(ROOM, &member("back"));
    assert_eq!(there["presence"]["ids"], json!(["back"]), "nobody else is here any more");
    // In the first seconds after a crash everybody's coming is told, also one's own.
    come_to_now(&mut back);
    let mut gone: Vec<Value> =
        (0..2).map(|_| super::hooks::events(&receiver.next())[0]["user_id"].clone()).collect();
    gone.sort_by_key(Value::to_string);
    assert_eq!(gone, ["ann", "bob"]);
    assert!(receiver.pending().is_empty());
}

//! Clients of the Pusher dialect on several servers of one database.

use super::*;

const DURABLE: &str = "[[channels]]\npattern = \"orders\"\ndurable = true\n";

#[test]
fn a_socket_is_left_out_on_whichever_server_it_is() {
    let database = shared().database();
    let [one, two] =
        [(); 2].map(|()| Server::start(start_on(&database.url(), &format!("{UNBOUND}\n{DURABLE}"))));
    let mut clients = [Pusher::open(&one), Pusher::open(&two), Pusher::open(&two)];
    clients.iter_mut().for_each(|client| drop(client.subscribe("orders")));
    let sockets = clients.each_ref().map(|client| client.socket.clone());
    // Each of the three has sent something once, and the backend has told it to either server.
    let mut expected = [vec![], vec![], vec![]];
    for (nth, server) in [&one, &two].into_iter().enumerate() {
        for (sender, socket) in sockets.iter().enumerate() {
            let data = format!("{nth}-{sender}");
            let body = json!({"name": "told", "channels": ["orders"], "data": data, "socket_id": socket});
            assert_eq!(server.api("POST", "/apps/1001/events", Some(&body)).status, 200);
            for (other, heard) in expected.iter_mut().enumerate() {
                if other != sender {
                    heard.push(json!(data));
                }
            }
        }
    }
    let body = json!({"name": "told", "channels": ["orders"], "data": "last"});
    assert_eq!(one.api("POST", "/apps/1001/events", Some(&body)).status, 200);
    for (client, mut expected) in clients.iter_mut().zip(expected) {
        expected.push(json!("last"));
        let heard: Vec<Value> = expected.iter().map(|_| client.expect("told")["data"].clone()).collect();
        assert_eq!(heard, expected);
    }
}

#[test]
fn a_server_that_is_killed_takes_its_own_members_away_once() {
    let database = shared().database();
    let receivers = [Receiver::start(), Receiver::start()];
    let servers = receivers.each_ref().map(|receiver| {
        receiver.say(Say::Status(200, ""));
        let hook =
            format!("[[pusher_webhooks]]\nurl = \"{}\"\nevents = [\"member_removed\"]\n", receiver.url());
        Server::start(start_on(&database.url(), &format!("{UNBOUND}\n{hook}returns = \"1s\"\n")))
    });
    let mut clients = servers.each_ref().map(Pusher::open);
    for (client, user) in clients.iter_mut().zip(["one", "two"]) {
        client.enter("presence-room", &json!({ "user_id": user }).to_string());
    }
    let here = || database.run("SELECT member FROM deskbell.news_here WHERE member <> '' ORDER BY member");
    eventually("both members are noted", || here() == ["one", "two"]);
    let [first, second] = servers;
    let _first = first.crash_and_restart();
    let told = receivers[0].next().json();
    assert_eq!(
        told["events"],
        json!([{"name": "member_removed", "channel": "presence-room", "user_id": "one"}])
    );
    eventually("it is noted as gone", || here() == ["two"]);
    let body = json!({"name": "told", "channels": ["presence-room"], "data": "still"});
    assert_eq!(second.api("POST", "/apps/1001/events", Some(&body)).status, 200);
    loop {
        let frame = clients[1].next();
        assert_ne!(frame["event"], "pusher_internal:member_removed", "{frame}");
        if frame["event"] == "told" {
            break;
        }
    }
    assert!(receivers.iter().all(|receiver| receiver.pending().is_empty()));
}

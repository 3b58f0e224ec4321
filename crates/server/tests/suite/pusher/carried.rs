//! Clients that carry a cursor, frame by frame: each frame says where its reader stands.

use super::*;

/// Subscribes with a place, or with an empty one for "from now on"; gives the success with its place.
#[track_caller]
fn subscribe_since(client: &mut Pusher, channel: &str, since: &str) -> Value {
    let auth = client.signed(channel);
    client.send("pusher:subscribe", &json!({"channel": channel, "auth": auth, "since": since}));
    let frame = client.expect("pusher_internal:subscription_succeeded");
    assert_eq!(frame["channel"], channel, "{frame}");
    frame
}

#[test]
fn a_cached_event_stands_where_its_reader_does() {
    let server = Server::start(Start::default());
    trigger(&server, "cache-price", "price", &json!(1));
    let mut client = Pusher::open(&server);
    subscribe_since(&mut client, "news", "");
    for n in 0..3 {
        trigger(&server, "news", "e", &json!(n));
        assert_eq!(client.expect("e")["data"], n);
    }
    let success = subscribe_since(&mut client, "cache-price", "");
    let cached = client.expect("price");
    // The event's own place is further back: with that one the news would come once more.
    assert_eq!(cached["cursor"], success["cursor"], "{cached}");
    let mut back = Pusher::open(&server);
    subscribe_since(&mut back, "news", cached["cursor"].as_str().unwrap());
    trigger(&server, "news", "e", &json!("next"));
    assert_eq!(back.expect("e")["data"], "next");
}

#[test]
fn what_a_client_had_before_tells_its_place_as_well_once_it_carries_one() {
    let server = Server::start(Start::default().flag("--set").flag("shards=1"));
    let mut clients: Vec<Pusher> = (0..9).map(|_| Pusher::open(&server)).collect();
    for client in &mut clients {
        client.subscribe("news");
        client.subscribe("private-notifications.7");
    }
    // Every third one goes over to the lists of those who carry a cursor, from between the others.
    let carries = |nth: usize| nth % 3 == 1;
    for (_, client) in clients.iter_mut().enumerate().filter(|(nth, _)| carries(*nth)) {
        assert!(subscribe_since(client, "other", "")["cursor"].is_string());
    }
    trigger(&server, "news", "e", &json!("all"));
    let bell = json!({"user": "7", "type": "appointment", "title": "Soon", "body": "At ten"});
    assert_eq!(server.api("POST", "/v1/notifications", Some(&bell)).status, 200);
    for (nth, client) in clients.iter_mut().enumerate() {
        for name in ["e", "general-notification"] {
            let frame = client.expect(name);
            assert_eq!(frame["cursor"].is_string(), carries(nth), "{nth}: {frame}");
        }
        client.expect_nothing();
    }
    // Whoever leaves then takes nobody else along, of either kind.
    let mut gone = Vec::new();
    for leaver in [1, 8, 7, 0, 4, 5] {
        clients[leaver].send("pusher:unsubscribe", &json!({"channel": "news"}));
        clients[leaver].expect_nothing();
        gone.push(leaver);
        trigger(&server, "news", "e", &json!(leaver));
        for (nth, client) in clients.iter_mut().enumerate() {
            if !gone.contains(&nth) {
                let frame = client.expect("e");
                assert_eq!((&frame["data"], frame["cursor"].is_string()), (&json!(leaver), carries(nth)));
            }
            client.expect_nothing();
        }
    }
}

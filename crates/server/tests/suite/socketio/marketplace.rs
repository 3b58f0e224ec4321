//! The marketplace: what happens in the ledger reaches its pages in their own words.

use serde_json::{Value, json};

use super::{Client, Poller};
use crate::harness::{SECRET, SERVES, Server, Start, post, request, token, token_signed};

const SITE: &str = "the secret of the marketplace, which is long enough";

fn server() -> Server {
    Server::start(Start::with(&format!("[socketio]\njwt_secret = \"{SITE}\"\n")))
}

/// A page that is somebody's.
fn page(server: &Server, id: &str, role: &str) -> Client {
    let mut client = Client::connect(server);
    let token = token_signed(&json!({"id": id, "role": role}), SITE);
    client.emit("authenticate", &json!({"token": token, "userId": id, "role": role}));
    assert_eq!(client.event().0, "authenticated");
    client
}

fn resource(server: &Server, id: &str, provider: &str) {
    let wish = json!({"capacity": 1, "time_zone": "UTC", "provider": provider, "policy": {"approval": true}});
    let answer = server.api("PUT", &format!("/v1/resources/{id}"), Some(&wish));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A request for a booking, which waits for its provider.
fn asked(server: &Server, resource: &str, who: &str, from: u64) -> Value {
    let start = crate::ledger::day() + from * crate::ledger::HOUR;
    let claims = json!([{"resource": resource, "start": start, "end": start + crate::ledger::HOUR}]);
    let answer = post(server, "/v1/bookings", &json!({"claims": claims, "holder": who}));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["reservation"].clone()
}

#[test]
fn a_provider_s_yes_reaches_the_client_s_page_once() {
    let server = server();
    resource(&server, "cleaner-1", "p1");
    let mut client = page(&server, "c1", "CLIENT");
    let mut provider = page(&server, "p1", "PROVIDER");
    let mut stranger = page(&server, "c2", "CLIENT");
    let booking = asked(&server, "cleaner-1", "c1", 9);
    for page in [&mut client, &mut provider] {
        let (name, told) = page.event();
        assert_eq!(
            (name.as_str(), &told["type"], &told["data"]["id"]),
            ("booking_update", &json!("booking"), &booking["id"])
        );
    }
    let token = token(&json!({"sub": "p1", "roles": [SERVES]}));
    let path = format!("/v1/bookings/{}/approve", booking["id"].as_str().unwrap());
    let bearer = format!("Bearer {token}");
    let answer = crate::harness::request(&server, "POST", &path, &[("Authorization", &bearer)], Some("{}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let (name, told) = client.event();
    assert_eq!(name, "booking_update");
    assert_eq!((&told["action"], &told["data"]["status"]), (&json!("confirmed"), &json!("booked")));
    assert!(told["timestamp"].as_str().unwrap().ends_with('Z'), "{told}");
    client.expect_nothing();
    provider.event();
    provider.expect_nothing();
    stranger.expect_nothing();
}

#[test]
fn a_page_that_was_away_hears_of_it_once_when_it_is_back() {
    let server = server();
    resource(&server, "cleaner-1", "p1");
    let client = page(&server, "c1", "CLIENT");
    let pid = client.pid();
    client.cut();
    let booking = asked(&server, "cleaner-1", "c1", 9);
    let mut client = Client::back(&server, &pid, None);
    assert_eq!(client.pid(), pid);
    let (name, told) = client.event();
    assert_eq!((name.as_str(), &told["data"]["id"]), ("booking_update", &booking["id"]));
    client.expect_nothing();
    assert_eq!(asked(&server, "cleaner-1", "c1", 12)["state"], booking["state"]);
    client.event();
    client.expect_nothing();
}

#[test]
fn a_change_that_two_rooms_show_is_told_once_also_when_a_page_is_cut_between_them() {
    let server = server();
    resource(&server, "cleaner-1", "p1");
    let mut client = page(&server, "c1", "CLIENT");
    let pid = client.pid();
    let booking = asked(&server, "cleaner-1", "c1", 9);
    assert_eq!(client.event().1["data"]["id"], booking["id"]);
    let id = booking["id"].as_str().unwrap();
    client.join(&format!("booking_{id}"));
    assert_eq!(post(&server, &format!("/v1/bookings/{id}/approve"), &json!({})).status, 200);
    assert_eq!(client.event().1["action"], "confirmed");
    client.expect_nothing();
    // The place that it has is the first room's; the other one's lies behind it, in the same change.
    let offset = client.offset.clone();
    client.cut();
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert_eq!(client.pid(), pid);
    client.expect_nothing();
    // After a restart the change lies on the disk alone.
    let server = server.stop_and_restart();
    drop(client);
    let mut client = Client::back(&server, &pid, offset.as_deref());
    assert_eq!(client.pid(), pid);
    client.expect_nothing();
    assert_eq!(post(&server, &format!("/v1/bookings/{id}/cancel"), &json!({})).status, 200);
    assert_eq!(client.event().1["action"], "cancelled");
    client.expect_nothing();
}

/// Whether a user is there is asked before what waits for it is written: it may come in between.
#[test]
fn a_notification_that_is_told_while_its_user_comes_in_is_not_lost() {
    let server = server();
    let mut client = page(&server, "c1", "CLIENT");
    for round in 0..100 {
        let title = format!("number {round}");
        let body = json!({"event": {"type": "notification", "action": "info"}, "targetUsers": ["c1"],
            "data": {"title": title, "message": "m"}});
        let (pid, offset) = (client.pid(), client.offset.clone());
        client.cut();
        client = std::thread::scope(|scope| {
            let told = scope.spawn(|| post(&server, "/api/socket", &body).status);
            let client = Client::back(&server, &pid, offset.as_deref());
            assert_eq!(told.join().unwrap(), 200);
            client
        });
        // Those of earlier rounds may come twice; this one comes.
        while client.event().1["data"]["title"] != title {}
    }
}

#[test]
fn whoever_is_both_sides_of_a_booking_hears_of_it_once() {
    let server = server();
    resource(&server, "cleaner-1", "c1");
    let mut client = page(&server, "c1", "CLIENT");
    let cut = page(&server, "c1", "CLIENT");
    let pid = cut.pid();
    cut.cut();
    asked(&server, "cleaner-1", "c1", 9);
    assert_eq!(client.event().0, "booking_update");
    client.expect_nothing();
    let mut back = Client::back(&server, &pid, None);
    assert_eq!(back.event().0, "booking_update");
    back.expect_nothing();
}

#[test]
fn payments_payouts_and_notifications_come_in_the_marketplace_s_words() {
    let server = server();
    let mut client = page(&server, "c1", "CLIENT");
    for (name, told) in [("payment.released", "payment_update"), ("payout.completed", "payout_update")] {
        let (kind, action) = name.split_once('.').unwrap();
        let data = json!({"action": action, "data": {"amount": 7}});
        server.publish(&json!({"channel": "user:c1", "name": name, "data": data}));
        let (event, data) = client.event();
        assert_eq!(event, told);
        assert_eq!(
            (&data["type"], &data["action"], &data["data"]),
            (&json!(kind), &json!(action), &json!({"amount": 7}))
        );
    }
    let body = json!({"user": "c1", "type": "booking", "title": "Yes", "body": "It is yours"});
    assert_eq!(post(&server, "/v1/notifications", &body).status, 200);
    let (event, data) = client.event();
    assert_eq!((event.as_str(), &data["action"]), ("notification", &json!("new_notification")));
    assert_eq!((&data["data"]["title"], &data["data"]["message"]), (&json!("Yes"), &json!("It is yours")));
    // What a backend says in the room itself is told as it came.
    server.publish(&json!({"channel": "user_c1", "name": "booking_update", "data": {"own": true}}));
    assert_eq!(client.event(), ("booking_update".to_owned(), json!({"own": true})));
}

#[test]
fn a_request_that_is_sent_again_with_its_key_is_told_once() {
    let server = server();
    let (mut one, mut two) = (page(&server, "c1", "CLIENT"), page(&server, "c2", "CLIENT"));
    let bearer = format!("Bearer {SECRET}");
    let tell = |key: &str, body: &Value| {
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        request(&server, "POST", "/api/socket", &headers, Some(&body.to_string()))
    };
    let told = |kind: &str, users: &[&str]| {
        let data = json!({"id": "b-1", "title": "Yes", "message": "It is yours"});
        json!({"event": {"type": kind, "action": "accepted"}, "data": data, "targetUsers": users})
    };
    let booking = told("booking", &["c1", "c2", "away"]);
    for _ in 0..3 {
        assert_eq!(tell("b-1-accepted", &booking).status, 200);
    }
    let notification = told("notification", &["c1", "away"]);
    for _ in 0..3 {
        assert_eq!(tell("n-1", &notification).status, 200);
    }
    assert_eq!(one.event().0, "booking_update");
    assert_eq!(one.event().0, "notification");
    assert_eq!(two.event().0, "booking_update");
    // Whoever was away has each of them once, whether it came back between two tries or not.
    let mut away = page(&server, "away", "CLIENT");
    assert_eq!(tell("n-1", &notification).status, 200);
    assert_eq!(tell("b-1-accepted", &booking).status, 200);
    assert_eq!(away.event().0, "booking_update");
    assert_eq!(away.event().0, "notification");
    away.expect_nothing();
    // The key for something else is noticed.
    for other in [told("booking", &["c2", "c1"]), told("payment", &["c1"]), told("notification", &["c3"])] {
        let answer = tell("b-1-accepted", &other);
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("key_reused")), "{other}");
    }
    one.expect_nothing();
    two.expect_nothing();
    assert_eq!(tell("b-1-accepted-2", &booking).status, 200);
    assert_eq!(one.event().0, "booking_update");
    assert_eq!(tell("two words", &booking).status, 400);
}

/// Other applications of the same user show an inbox, and must not announce as new what waits for its page.
#[test]
fn what_waits_for_a_user_rings_nowhere() {
    let server = server();
    let _here = page(&server, "here", "CLIENT");
    for (kind, user) in [("booking", "away"), ("notification", "away"), ("notification", "here")] {
        let data = json!({"id": "b-1", "title": "Yes", "message": "It is yours"});
        let event = json!({"type": kind, "action": "info"});
        let body = json!({"event": event, "data": data, "targetUsers": [user]});
        assert_eq!(post(&server, "/api/socket", &body).status, 200);
    }
    let names = |user: &str| {
        let events = server.api("GET", &format!("/v1/channels/user:{user}/events"), None).json();
        let names = events["events"].as_array().unwrap().iter();
        names.map(|event| event["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("away"), ["notification.kept", "notification.kept"]);
    assert_eq!(names("here"), ["notification.created"]);
}

/// A polling client takes what its rooms were told when it asks, which may be long after the inbox was looked at.
#[test]
fn what_waits_comes_behind_what_the_rooms_were_told() {
    let server = server();
    let client = page(&server, "c1", "CLIENT");
    let pid = client.pid();
    client.cut();
    crate::harness::eventually("it has gone", || {
        server.api("GET", "/api/socket", None).json()["connectedUsers"] == 0
    });
    for kind in ["booking", "payment", "notification"] {
        let data = json!({"id": "b-1", "title": "Yes", "message": "It is yours"});
        let event = json!({"type": kind, "action": "accepted"});
        let body = json!({"event": event, "data": data, "targetUsers": ["c1"]});
        assert_eq!(post(&server, "/api/socket", &body).status, 200);
    }
    let mut back = Poller::open(&server);
    back.post(&format!("40{}", json!({ "pid": pid })));
    // Its inbox is looked at behind whatever asks for it now.
    for _ in 0..3 {
        assert_eq!(server.api("GET", "/v1/inbox?user=c1", None).json()["unread"], 3);
    }
    let first = back.next();
    assert!(first.contains(&pid), "{first}");
    for name in ["booking_update", "payment_update", "notification"] {
        let text = back.next();
        assert!(text.starts_with(&format!("42[\"{name}\",")), "{text}");
    }
    back.post("42[\"leave_room\",\"nowhere\"]");
    crate::harness::eventually("all of it is read", || {
        server.api("GET", "/v1/inbox?user=c1", None).json()["unread"] == 0
    });
}

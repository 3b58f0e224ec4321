//! The marketplace: what happens in the ledger reaches its pages in their own words.

use serde_json::{Value, json};

use super::Client;
use crate::harness::{SERVES, Server, Start, post, token, token_signed};

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

//! Whose a booking is, which decides about its room.

use serde_json::{Value, json};

use super::Client;
use crate::harness::{Server, Start, token};

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

//! What rooms show of the ledger.

use super::*;

/// A row of the operator's own: a session is told what it holds. Everybody may see the times of a room.
const CONFIG: &str = r#"
[[projections]]
dialect = "portico"
channel = "session_{id}"
from = "user:session_{id}"
event = "hold.granted"
name = "held"
data = '{"reservation":"$reservation.id"}'
[[access]]
pattern = "entity_resource_*"
allow = ["subscribe"]
to = "everyone"
[[access]]
pattern = "slots:*"
allow = ["subscribe"]
to = "everyone"
"#;

fn with_room() -> Server {
    let server = Server::start(Start::with(CONFIG));
    let resource = json!({"capacity": 1, "time_zone": "Europe/Oslo"});
    assert!(server.api("PUT", "/v1/resources/106", Some(&resource)).status < 300);
    server
}

/// Holds the room for somebody, the `nth` hour from now. Gives the hold's id.
fn hold(server: &Server, holder: &str, nth: i64) -> Value {
    let start = in_seconds(3_600 * nth) * 1_000;
    let claim = json!({"resource": "106", "start": start, "end": start + 3_600_000});
    let held = server.api("POST", "/v1/holds", Some(&json!({"claims": [claim], "holder": holder})));
    assert_eq!(held.status, 200, "{}", held.text());
    held.json()["reservation"]["id"].clone()
}

fn leave(server: &Server, page: Page) {
    page.0.close();
    eventually("it has gone", || get(server, "/health").json()["clients"] == 0);
}

/// Waits until a page was told of so many applications and of a hold. Gives the holds that it was told of.
fn until_applications(page: &mut Page, many: u64) -> Vec<Value> {
    let (mut held, mut count) = (Vec::new(), Value::Null);
    // The two have no order.
    while held.is_empty() || count != many {
        let frame = page.next();
        match frame["type"].as_str() {
            Some("held") => held.push(frame["reservation"].clone()),
            Some("partial_applications_response") => count = frame["data"]["count"].clone(),
            _ => panic!("{frame}"),
        }
    }
    page.expect_nothing();
    held
}

#[test]
fn a_page_that_was_away_is_told_what_its_session_holds_by_now_and_once() {
    let server = with_room();
    let mut page = Page::open(&server, STRONG);
    let first = hold(&server, &format!("session_{STRONG}"), 1);
    assert_eq!(until_applications(&mut page, 1), [first]);
    leave(&server, page);
    let second = hold(&server, &format!("session_{STRONG}"), 2);
    let mut back = Page::open(&server, STRONG);
    assert_eq!(until_applications(&mut back, 2), [second]);
}

#[test]
fn a_page_that_names_its_session_late_is_not_told_of_a_room_twice() {
    let server = with_room();
    let before = Page::open(&server, STRONG);
    leave(&server, before);
    let mut page = Page::open_at(&server, "/wss", "");
    page.enter("resource", 106);
    hold(&server, "7", 1);
    let told = page.expect("room_message");
    assert_eq!(
        (&told["roomId"], &told["entityId"]),
        (&json!("entity_resource_106"), &json!("106")),
        "{told}"
    );
    page.send(&json!({"type": "update_session", "sessionId": STRONG}));
    page.expect("room_joined");
    page.expect("session_update_confirmation");
    page.expect_nothing();
    hold(&server, "7", 2);
    page.expect("room_message");
    page.expect_nothing();
}

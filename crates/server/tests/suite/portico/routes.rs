//! The few routes.

use super::*;

#[test]
fn health_says_how_many_pages_there_are_and_publishing_needs_the_secret() {
    let server = Server::start(Start::default());
    let mut page = Page::open(&server, STRONG);
    for path in ["/health", "/wss/health"] {
        let health = get(&server, path).json();
        assert_eq!((&health["status"], &health["clients"]), (&json!("ok"), &json!(1)), "{health}");
        assert!(health["timestamp"].is_string());
    }
    let body = json!({"type": "notification", "message": "New booking"}).to_string();
    let refused = request(&server, "POST", "/wss-publish", &[], Some(&body));
    assert_eq!((refused.status, &refused.json()["success"]), (401, &json!(false)));
    page.expect_nothing();
    let done = server.api_text("POST", "/wss-publish", Some(&body));
    assert_eq!(done.json(), json!({"success": true, "message": "Message broadcasted successfully"}));
    assert_eq!(page.expect("notification")["message"], "New booking");
    let wrong = server.api_text("POST", "/wss-publish", Some("{"));
    assert_eq!((wrong.status, wrong.json()), (400, json!({"success": false, "error": "Invalid JSON"})));
    drop(page);
    eventually("the page has gone", || get(&server, "/health").json()["clients"] == 0);
    let dev = Server::dev();
    assert_eq!(request(&dev, "POST", "/wss-publish", &[], Some(&body)).status, 200);
}

#[test]
fn events_of_other_dialects_are_shown_as_messages() {
    let server = Server::dev();
    let mut page = Page::open(&server, STRONG);
    page.enter("building", 10);
    server.publish(
        &json!({"channel": "entity_building_10", "name": "area_update", "data": {"n": 1}, "id": "e-1"}),
    );
    let shown = page.expect("area_update");
    assert_eq!(
        (&shown["roomId"], &shown["data"], &shown["id"]),
        (&json!("entity_building_10"), &json!({"n": 1}), &json!("e-1"))
    );
}

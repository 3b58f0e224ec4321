//! Pages of an app that was added while the server runs.

use super::*;
use crate::pusher::apps::{OPERATOR, operate};

/// A request of the added app's backend.
fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    server.api(method, &format!("{path}?app=seventy-seven"), Some(body))
}

#[test]
fn pages_of_an_app_that_was_added_are_told_of_its_own_applications() {
    let server = Server::start(Start::with(&format!("operator.secret = \"{OPERATOR}\"\n")));
    // The same secret as the other app's, so that the one is named by its key.
    let wish = json!({"key": "seventy-seven", "secret": SECRET});
    for round in 0..2 {
        assert_eq!(operate(&server, "PUT", "/v1/apps/77", Some(&wish)).status, 200, "round {round}");
        let resource = json!({"capacity": 1, "time_zone": "Europe/Oslo"});
        assert!(ask(&server, "PUT", "/v1/resources/resource:106", &resource).status < 300);
        let cookies = format!("bookingfrontendsession={STRONG}");
        let mut page = Page::open_at(&server, "/wss?app=seventy-seven", &cookies);
        page.expect("room_joined");
        page.expect("connection_success");
        let mut foreign = Page::open(&server, STRONG);
        let start = (in_seconds(3_600) + round * 7_200) * 1_000;
        let claim = json!({"resource": "resource:106", "start": start, "end": start + 3_600_000});
        let hold = json!({"claims": [claim], "holder": format!("session_{STRONG}")});
        let held = ask(&server, "POST", "/v1/holds", &hold);
        assert_eq!(held.status, 200, "{}", held.text());
        let pushed = page.expect("partial_applications_response")["data"].clone();
        assert_eq!(pushed["count"], round + 1, "{pushed}");
        assert_eq!(ask(&server, "POST", "/wss-publish", &json!({"type": "news"})).status, 200);
        while page.next()["type"] != "news" {}
        foreign.expect_nothing();
        assert_eq!(operate(&server, "DELETE", "/v1/apps/77", None).status, 200, "round {round}");
    }
    assert_eq!(server.problems(), Vec::<String>::new());
}

//! Pages of an app that was added while the server runs.

use super::*;
use crate::pusher::apps::{OPERATOR, operate};

const APP: &str = "/v1/apps/77";
const PAGE: &str = "/appointease?app=seventy-seven";

#[test]
fn an_app_that_is_added_again_tells_its_pages_once() {
    let server = site(&format!("[operator]\nsecret = \"{OPERATOR}\"\n"));
    let wish = json!({"key": "seventy-seven", "secret": "the-secret-of-the-app-that-was-added"});
    for round in 0..3 {
        assert_eq!(operate(&server, "PUT", APP, Some(&wish)).status, 200, "round {round}");
        let (mut ann, mut bob) = (Page::open(&server, PAGE), Page::open(&server, PAGE));
        bob.watch("10:00");
        assert_eq!(ann.lock("10:00")["type"], "slot_locked");
        bob.until_taken(|times| *times == [json!("10:00")]);
        assert_eq!(ann.ask(of_slot("unlock_slot", "10:00"))["type"], "slot_unlocked");
        assert_eq!(bob.until_times(Vec::is_empty), Vec::<Value>::new(), "round {round}");
        assert_eq!(operate(&server, "DELETE", APP, None).status, 200, "round {round}");
    }
    assert_eq!(server.problems(), Vec::<String>::new());
}

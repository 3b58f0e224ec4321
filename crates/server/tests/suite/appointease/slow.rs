//! A page that does not read.

use super::*;

#[test]
fn a_page_that_could_not_keep_up_is_told_what_there_is() {
    let server = site(UNBOUND);
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    bob.watch("10:00");
    // More than its connection takes: what comes now passes it by.
    let much = "x".repeat(60_000);
    for n in 0..400 {
        server.send("appointease", json!({"n": n, "much": much}));
    }
    ann.ws.send(&of_slot("lock_slot", "10:00"));
    assert_eq!(ann.news("slot_locked")["time"], "10:00");
    bob.until_times(|times| *times == [json!("10:00")]);
    assert_eq!(server.problems(), Vec::<String>::new());
}

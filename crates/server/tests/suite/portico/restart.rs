//! A clean restart takes nothing from pages that come back.

use super::*;

#[test]
fn what_comes_between_the_drain_and_the_stop_is_told_afterwards() {
    let redis = Redis::start();
    let long = "history.count = 100000\nhistory.bytes = \"64MiB\"\n";
    let config = format!("drain = \"2s\"\n{long}{}", redis.config());
    let mut server = Server::start(Start::with(&config));
    server.line_with("is heard");
    let mut pages: Vec<Page> = (0..8).map(|_| Page::open(&server, OTHER)).collect();
    let mut page = Page::open(&server, STRONG);
    let mut site = redis.open();
    let mut taken = 0;
    let mut publish = |n: u64| {
        let data = json!({"type": "note", "n": n});
        let message = json!({"type": "session_targeted", "sessionId": STRONG, "data": data});
        site.publish("session_messages", &message.to_string()) > 0
    };
    while taken < 20 {
        assert!(publish(taken));
        taken += 1;
    }
    server.signal("TERM");
    // As long as somebody listens at Redis, what is published counts as delivered.
    while publish(taken) {
        taken += 1;
        // As fast as a busy site, so that all of it fits into the channel's past.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut before = Vec::new();
    while let Some(frame) = page.0.try_next() {
        before.extend(frame["n"].as_u64());
    }
    pages.clear();
    eventually("the server has stopped", || server.has_ended());
    let server = server.restarted();
    let mut back = Page::open(&server, STRONG);
    let mut heard: std::collections::BTreeSet<u64> = before.iter().copied().collect();
    let gap: Vec<u64> = (0..taken).filter(|n| !heard.contains(n)).collect();
    assert!(!gap.is_empty(), "the page was gone before the last was published");
    while let Some(wanted) = gap.iter().find(|n| !heard.contains(n)) {
        let n = back.expect("note")["n"].as_u64().unwrap();
        assert!(n <= *wanted, "{n} came before {wanted}");
        heard.insert(n);
    }
    back.expect_nothing();
    // Nobody else gets them.
    let mut other = Page::open(&server, OTHER);
    other.expect_nothing();
}

#[test]
fn a_page_that_said_goodbye_before_the_stop_gets_what_came_since_and_nothing_else() {
    let mut server = Server::start(Start::default());
    let note =
        |server: &Server, n: u64| server.send(&format!("session_{STRONG}"), json!({"type": "note", "n": n}));
    let mut page = Page::open(&server, STRONG);
    note(&server, 1);
    assert_eq!(page.expect("note")["n"], 1);
    page.0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    note(&server, 2);
    server.stop();
    let server = server.restarted();
    note(&server, 3);
    let mut back = Page::open(&server, STRONG);
    for n in [2, 3] {
        assert_eq!(back.expect("note")["n"], n);
    }
    back.expect_nothing();
}

//! Bounds: what pages send is below them, and what lies beyond is refused with what to do.

use std::time::{Duration, Instant};

use super::*;

/// Sends pings at once, and counts those that are answered as such.
fn flood(page: &mut Page, many: usize) -> usize {
    (0..many).for_each(|nth| page.ws.send(&json!({"type": "ping", "sequence": nth})));
    (0..many).filter(|_| page.ws.next()["type"] == "pong").count()
}

/// A browser has two sockets, each of which pings every second; the plugin's test page sends a message every ten
/// milliseconds, or a thousand at once.
#[test]
fn two_sockets_of_a_browser_may_flood_a_thousand_messages_and_go_on_with_a_hundred_a_second() {
    let server = site("");
    let mut first = Page::open(&server, "/");
    let cookie = first.ws.cookie().unwrap();
    let mut second = Page::open_with(&server, "/", &[("Cookie", &cookie)]);
    assert_eq!((flood(&mut first, 1_000), flood(&mut second, 1_000)), (1_000, 1_000));
    let begun = Instant::now();
    for nth in 1..=300 {
        for page in [&mut first, &mut second] {
            assert_eq!(page.ask(json!({"type": "ping"}))["type"], "pong", "message {nth} of its kind");
        }
        while begun.elapsed() < Duration::from_millis(10) * nth {
            std::thread::yield_now();
        }
    }
    // What lies beyond is refused, and the connection stays.
    let beyond = 1_600 - flood(&mut first, 1_600);
    assert!((1..1_600).contains(&beyond), "{beyond} of 1,600 were refused");
    let refused = |frame: &Value| {
        let message = frame["message"].as_str().unwrap_or_default();
        frame["code"] == "rate_limited" && message.contains("wait")
    };
    let answer = first.ask(json!({"type": "ping"}));
    assert!(refused(&answer) || answer["type"] == "pong", "{answer}");
    assert_eq!(second.ask(json!({"type": "ping"}))["type"], "pong", "another connection is not concerned");
}

#[test]
fn a_browser_has_thirty_two_locks_and_the_next_one_is_refused_until_it_lets_go_of_one() {
    let server = site("");
    let mut first = Page::open(&server, "/");
    let cookie = first.ws.cookie().unwrap();
    let mut second = Page::open_with(&server, "/", &[("Cookie", &cookie)]);
    let time = |nth: usize| format!("{:02}:{:02}", nth / 2, nth % 2 * 30);
    for nth in 0..32 {
        let page = if nth % 2 == 0 { &mut first } else { &mut second };
        assert_eq!(page.lock(&time(nth))["type"], "slot_locked", "lock {nth}");
    }
    for page in [&mut first, &mut second] {
        let refused = page.lock(&time(32));
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("quota")), "{refused}");
    }
    assert_eq!(
        Page::open(&server, "/").lock(&time(32))["type"],
        "slot_locked",
        "others have locks of their own"
    );
    assert_eq!(first.lock(&time(7))["type"], "slot_locked", "what it has it may lock again");
    assert_eq!(second.ask(of_slot("unlock_slot", &time(0)))["type"], "slot_unlocked");
    assert_eq!(first.lock(&time(33))["type"], "slot_locked");
}

#[test]
fn a_thousand_employees_are_made_on_demand_and_every_other_is_for_the_site_to_make() {
    let server = site("[limit]\nrate = 0\nrate_per_identity = 0\nrate_per_address = 0\n");
    let mut page = Page::open(&server, "/");
    let slot = |kind: &str, employee: usize| json!({"type": kind, "date": "2025-11-03", "time": "10:00", "employeeId": employee});
    for employee in 1..=1_000 {
        assert_eq!(page.ask(slot("lock_slot", employee))["type"], "slot_locked", "employee {employee}");
        assert_eq!(page.ask(slot("unlock_slot", employee))["type"], "slot_unlocked", "employee {employee}");
    }
    let beyond = |server: &Server, page: &mut Page| {
        let refused = page.ask(slot("lock_slot", 1_001));
        assert_eq!(
            (&refused["type"], &refused["code"]),
            (&json!("error"), &json!("limit_reached")),
            "{refused}"
        );
        assert!(refused["message"].as_str().unwrap().contains("PUT /v1/resources/"), "{refused}");
        let body = json!({"date": "2025-11-03", "time": "10:00", "employee_id": 1_001}).to_string();
        let path = "/wp-json/appointease/v1/lock-slot";
        let refused = request(server, "POST", path, &[], Some(&body));
        assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("rate_limited")), "{refused:?}");
        // Nobody is made by a look.
        let free = page.ask(json!({"type": "check_availability", "date": "2025-11-03", "employeeId": 1_001}));
        assert_eq!(free["unavailable"], json!([]), "{free}");
        let there = server.api("GET", "/v1/resources/employee:1001", None);
        assert_eq!(there.status, 404, "{there:?}");
    };
    beyond(&server, &mut page);
    assert_eq!(page.ask(slot("lock_slot", 1_000))["type"], "slot_locked", "the others are as they were");
    let server = server.crash_and_restart();
    let mut page = Page::open(&server, "/");
    // Whoever hears news knows that the employees of before are counted.
    page.watch("11:00");
    Page::open(&server, "/").lock("11:00");
    page.until_taken(|times| times.contains(&json!("11:00")));
    beyond(&server, &mut page);
    let wish =
        json!({"capacity": 1, "time_zone": "Europe/Oslo", "policy": {"past": true, "waitlist": "off"}});
    let made = server.api("PUT", "/v1/resources/employee:1001", Some(&wish));
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(page.ask(slot("lock_slot", 1_001))["type"], "slot_locked");
}

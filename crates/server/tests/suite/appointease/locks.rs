//! Locks are holds: one page has a slot, everybody else hears that it is taken.

use super::*;

/// Locks one slot of a date by all pages at once, and gives the type of each answer.
fn race(pages: &mut [Page], slot: &Value) -> Vec<Value> {
    pages.iter_mut().for_each(|page| page.ws.send(slot));
    pages.iter_mut().map(|page| page.ws.next()).collect()
}

/// A slot's fields stand in `slot_taken` flat, and once more in `data`.
#[track_caller]
fn names_twice(taken: &Value, slot: &Value) {
    let name = json!(format!("{} {}", slot["date"].as_str().unwrap(), slot["time"].as_str().unwrap()));
    let expected = [&name, &slot["date"], &slot["time"], &slot["employeeId"]];
    assert_eq!(["slot", "date", "time", "employeeId"].map(|field| &taken[field]), expected, "{taken}");
    let inner = &taken["data"];
    assert_eq!(["slot", "date", "time", "employee_id"].map(|field| &inner[field]), expected, "{taken}");
}

/// Fifty pages lock one slot at once, again and again. Somebody who watches is told once.
fn of_fifty_one_wins(server: &Server, rounds: usize) {
    let mut pages: Vec<Page> = (0..50).map(|_| Page::open(server, "/")).collect();
    let mut watcher = Page::open(server, "/");
    for round in 0..rounds {
        let (date, time) = (
            format!("2025-11-{:02}", 1 + round / 40),
            format!("{:02}:{:02}", round % 40 / 2, round % 2 * 30),
        );
        let slot =
            |kind: &str| json!({"type": kind, "date": date, "time": time, "employeeId": 1 + round / 1_000});
        watcher.ws.send(&slot("watch_slot"));
        watcher.ws.send(&json!({"type": "ping"}));
        watcher.news("pong");
        let answers = race(&mut pages, &slot("lock_slot"));
        let won: Vec<usize> = (0..50).filter(|nth| answers[*nth]["type"] == "slot_locked").collect();
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        let lost: Vec<&Value> = answers.iter().filter(|answer| answer["type"] == "slot_taken").collect();
        assert_eq!(lost.len(), 49, "round {round}: {answers:?}");
        for answer in lost {
            assert_eq!(answer["reason"], "locked", "{answer}");
            names_twice(answer, &slot(""));
        }
        let told = watcher.until_taken(|times| times.contains(&json!(time)));
        names_twice(&told, &slot(""));
        let winner = &mut pages[won[0]];
        winner.ws.send(&slot("unlock_slot"));
        assert_eq!(winner.ws.next()["type"], "slot_unlocked");
        assert_eq!(watcher.until_times(|times| !times.contains(&json!(time))), Vec::<Value>::new());
    }
    let ended = server.api("GET", "/v1/holds", None).json();
    assert_eq!(ended["reservations"], json!([]), "{ended}");
}

#[test]
fn of_fifty_who_lock_one_slot_at_once_one_has_it() {
    of_fifty_one_wins(&site(UNBOUND), 100);
}

#[test]
fn of_fifty_who_lock_one_slot_at_once_one_has_it_over_postgres() {
    let database = postgres::shared().database();
    let mut start = Start::with(&format!("{SITE}{UNBOUND}"));
    start.env.push(("DESKBELL_LEDGER".to_owned(), database.url()));
    of_fifty_one_wins(&Server::start(start), 100);
}

#[test]
fn whoever_locks_again_has_no_more_time_and_nobody_else_can_unlock() {
    let server = Server::dev();
    let (mut ann, mut bob) =
        (Page::open(&server, "/?email=ann%40b.c"), Page::open(&server, "/?email=bob%40b.c"));
    assert_eq!(ann.lock("10:00")["expiresIn"], 600);
    let hold = |server: &Server| {
        let mut hold = server.api("GET", "/v1/holds", None).json()["reservations"][0].clone();
        hold["ttl_ms"].take();
        hold
    };
    let first = hold(&server);
    assert_eq!(ann.lock("10:00")["type"], "slot_locked");
    assert_eq!(hold(&server), first);
    let refused = bob.ask(of_slot("unlock_slot", "10:00"));
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_holder")), "{refused}");
    assert_eq!(bob.lock("10:00")["type"], "slot_taken");
    assert_eq!(bob.lock("10:15")["type"], "slot_taken", "half of it is taken");
    assert_eq!(ann.lock("10:15")["reason"], "overlaps");
    assert_eq!(ann.ask(of_slot("unlock_slot", "10:00"))["type"], "slot_unlocked");
    assert_eq!(bob.lock("10:00")["type"], "slot_locked");
}

#[test]
fn a_page_that_is_done_keeps_its_slot_for_a_minute_and_nobody_is_told_twice() {
    let server = site("");
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    bob.watch("10:00");
    ann.lock("10:00");
    bob.until_taken(|times| times.contains(&json!("10:00")));
    let mut done = of_slot("unlock_slot", "10:00");
    done["completed"] = json!(true);
    assert_eq!(ann.ask(done)["type"], "slot_unlocked");
    let hold = server.api("GET", "/v1/holds", None).json()["reservations"][0].clone();
    let left = hold["expires_at"].as_u64().unwrap() - deskbell_server_now(&server);
    assert!(left <= 60_000, "{left} ms");
    bob.ws.send(&of_slot("lock_slot", "10:00"));
    let taken = bob.ws.next();
    assert_eq!((&taken["type"], &taken["reason"]), (&json!("slot_taken"), &json!("locked")), "{taken}");
}

/// The server's own time.
fn deskbell_server_now(server: &Server) -> u64 {
    let mut page = Page::open(server, "/");
    page.ask(json!({"type": "ping"}))["timestamp"].as_u64().unwrap()
}

#[test]
fn whoever_locks_the_slot_that_it_watches_is_not_told_that_it_is_taken() {
    let server = site("");
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    ann.watch("10:00");
    bob.watch("10:00");
    ann.ws.send(&of_slot("lock_slot", "10:00"));
    bob.until_taken(|times| times.contains(&json!("10:00")));
    // What is told of the date comes behind what is told of the slot.
    assert_eq!(ann.until_times(|times| times.contains(&json!("10:00"))), Vec::<Value>::new());
}

const SHORT: &str = "[holds]\ngrace = \"1s\"\n";

#[test]
fn a_second_tab_keeps_the_lock_and_the_last_one_ends_it_after_the_grace() {
    let server = site(SHORT);
    let mut first = Page::open(&server, "/");
    let cookie = first.ws.cookie().unwrap();
    let (mut watcher, mut other) = (Page::open(&server, "/"), Page::open(&server, "/"));
    watcher.watch("10:00");
    assert_eq!(first.lock("10:00")["type"], "slot_locked");
    watcher.until_taken(|times| times.contains(&json!("10:00")));
    assert_eq!(other.lock("11:00")["type"], "slot_locked");
    watcher.until_times(|times| times.len() == 2);
    // A second tab, then a reload of the first.
    let second = Page::open_with(&server, "/", &[("Cookie", &cookie)]);
    first.ws.close();
    let again = Page::open_with(&server, "/", &[("Cookie", &cookie)]);
    second.ws.close();
    // Somebody who leaves after that and does not come back shows when the grace is over.
    other.ws.close();
    watcher.until_times(|times| !times.contains(&json!("11:00")));
    let day = watcher.ask(json!({"type": "check_availability", "date": "2025-11-03", "employeeId": 1}));
    assert_eq!(day["unavailable"], json!(["10:00"]), "it is still its own");
    again.ws.close();
    assert_eq!(watcher.until_times(Vec::is_empty), Vec::<Value>::new());
}

#[test]
fn the_end_of_a_lock_is_told_also_after_a_crash() {
    let server = site(SHORT);
    let mut ann = Page::open(&server, "/");
    ann.lock("10:00");
    let server = server.crash_and_restart();
    let mut bob = Page::open(&server, "/");
    bob.watch("10:00");
    // Its holder does not come back.
    bob.until_times(Vec::is_empty);
    assert_eq!(bob.lock("10:00")["type"], "slot_locked");
}

//! Notifications: kept for whoever is away, shown once, read on every tab.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn whoever_was_away_finds_each_once_on_every_transport() {
    let world = World::start("");
    let mut ws = world.following("ann");
    world.notify("ann", "first");
    assert_eq!(hears(&mut ws, "notification.created")["unread"], 1);
    let cursor = ws.cut();
    for n in 0..5 {
        world.notify("ann", &format!("away {n}"));
    }
    let expected: Vec<Value> = (0..5).map(|n| json!(format!("away {n}"))).collect();
    let mut back = world.tab("ann");
    back.ask(json!({"type": "subscribe", "channel": "user:ann", "since": cursor}));
    let titles: Vec<Value> =
        (0..5).map(|_| hears(&mut back, "notification.created")["title"].clone()).collect();
    assert_eq!(titles, expected);
    back.expect_nothing();
    let token = user("ann");
    let path = format!("/v1/stream?channels=user:ann&token={token}");
    let mut sse = Sse::open(&world.server, &path, Some(&cursor));
    let titles: Vec<Value> = (0..5).map(|_| streamed(&mut sse)["data"]["title"].clone()).collect();
    assert_eq!(titles, expected);
    let polled =
        get(&world.server, &format!("/v1/poll?channels=user:ann&token={token}&cursor={cursor}")).json();
    let titles: Vec<Value> =
        polled["events"].as_array().unwrap().iter().map(|event| event["data"]["title"].clone()).collect();
    assert_eq!(titles, expected);
    // The list says the same, and its cursor goes on from it.
    let page = world.own("ann", "GET", "/v1/notifications", json!({}));
    assert_eq!((numbers(&page), &page["unread"]), (vec![6, 5, 4, 3, 2, 1], &json!(6)));
    let mut behind = world.tab("ann");
    behind.ask(json!({"type": "subscribe", "channel": "user:ann", "since": page["cursor"]}));
    behind.expect_nothing();
    world.notify("ann", "later");
    assert_eq!(hears(&mut behind, "notification.created")["number"], 7);
    world.finish();
}

#[test]
fn what_one_tab_reads_the_other_knows_within_a_second() {
    let world = World::start("");
    let (mut one, mut two) = (world.following("ann"), world.following("ann"));
    for n in 0..4 {
        world.notify("ann", &format!("{n}"));
        hears(&mut one, "notification.created");
        hears(&mut two, "notification.created");
    }
    let begun = Instant::now();
    assert_eq!(one.ask(json!({"type": "read", "numbers": [2, 4]}))["unread"], 2);
    assert_eq!(hears(&mut two, "notification.read"), json!({"numbers": [2, 4], "unread": 2}));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    hears(&mut one, "notification.read");
    assert_eq!(two.ask(json!({"type": "delete", "numbers": [1]}))["unread"], 1);
    assert_eq!(hears(&mut one, "notification.deleted"), json!({"numbers": [1], "unread": 1}));
    hears(&mut two, "notification.deleted");
    assert_eq!(two.ask(json!({"type": "read_all"}))["unread"], 0);
    assert_eq!(hears(&mut one, "inbox.read_all"), json!({"up_to": 4, "unread": 0}));
    hears(&mut two, "inbox.read_all");
    // Over HTTP it is the same inbox.
    let page = world.own("ann", "GET", "/v1/notifications", json!({}));
    assert_eq!((numbers(&page), &page["unread"]), (vec![4, 3, 2], &json!(0)));
    assert!(page["notifications"].as_array().unwrap().iter().all(|one| one["read"] == true), "{page}");
    assert_eq!(world.own("ann", "DELETE", "/v1/notifications/3", json!({}))["unread"], 0);
    assert_eq!(hears(&mut one, "notification.deleted")["numbers"], json!([3]));
    assert_eq!(one.ask(json!({"type": "clear"}))["unread"], 0);
    hears(&mut two, "notification.deleted");
    assert_eq!(hears(&mut two, "inbox.cleared"), json!({"up_to": 4, "unread": 0}));
    let page = two.ask(json!({"type": "inbox"}));
    assert_eq!((numbers(&page), &page["newest"]), (vec![], &json!(4)));
    world.finish();
}

#[test]
fn pages_go_backwards_and_can_be_of_unread_ones_or_of_one_type() {
    let world = World::start("");
    for n in 1..=10 {
        let kind = if n % 3 == 0 { "news" } else { "booking" };
        let body = json!({"user": "ann", "type": kind, "title": format!("{n}"), "data": {"n": n}});
        world.site("POST", "/v1/notifications", body);
    }
    world.own("ann", "POST", "/v1/notifications/read", json!({"numbers": [9, 10]}));
    let list = |query: &str| world.own("ann", "GET", &format!("/v1/notifications{query}"), json!({}));
    let first = list("?limit=4");
    assert_eq!((numbers(&first), &first["next"]), (vec![10, 9, 8, 7], &json!(7)));
    let second = list("?limit=6&before=7");
    assert_eq!((numbers(&second), second.get("next")), (vec![6, 5, 4, 3, 2, 1], None));
    assert_eq!(numbers(&list("?type=news")), [9, 6, 3]);
    assert_eq!(numbers(&list("?unread=true&limit=3")), [8, 7, 6]);
    assert_eq!(numbers(&list("?unread=true&type=news")), [6, 3]);
    assert_eq!(list("?limit=1")["notifications"][0]["data"], json!({"n": 10}));
    let mut ws = world.tab("ann");
    let page = ws.ask(json!({"type": "inbox", "of": "news", "unread": true, "limit": 1}));
    assert_eq!((numbers(&page), &page["next"], &page["unread"]), (vec![6], &json!(6), &json!(8)));
    // A backend sees it for the user, and nobody else does.
    assert_eq!(numbers(&world.server.api("GET", "/v1/notifications?user=ann&limit=1", None).json()), [10]);
    let other = world.of("bob", "GET", "/v1/notifications?user=ann", None);
    assert_eq!((other.status, &other.json()["code"]), (403, &json!("denied")));
    assert_eq!(numbers(&world.own("bob", "GET", "/v1/notifications", json!({}))), [0; 0]);
    world.finish();
}

#[test]
fn a_retry_notifies_nobody_twice() {
    let world = World::start("");
    let mut ws = world.following("ann");
    let body = json!({"users": ["ann", "bob", "ann"], "type": "t", "title": "once", "id": "order-7"});
    let first = world.site("POST", "/v1/notifications", body.clone());
    assert_eq!(first["notified"], 2, "each once");
    assert_eq!(hears(&mut ws, "notification.created")["id"], "order-7");
    assert_eq!(world.site("POST", "/v1/notifications", body)["notified"], 2);
    ws.expect_nothing();
    let other = json!({"user": "ann", "type": "t", "title": "something else", "id": "order-7"});
    let reused = world.server.api("POST", "/v1/notifications", Some(&other));
    assert_eq!((reused.status, &reused.json()["code"]), (409, &json!("key_reused")));
    let read = json!({"type": "read_all", "id": "r-1"});
    assert_eq!(ws.ask(read.clone())["unread"], 0);
    hears(&mut ws, "inbox.read_all");
    world.notify("ann", "new");
    hears(&mut ws, "notification.created");
    assert_eq!(ws.ask(read)["unread"], 0, "the first answer again");
    assert_eq!(ws.ask(json!({"type": "inbox"}))["unread"], 1, "and nothing was read by it");
    world.finish();
}

#[test]
fn an_inbox_of_a_hundred_thousand_is_as_fast_as_a_small_one() {
    // The bound is asked of the whole request over a debug build, so it says little about the file and enough
    // about what is walked through.
    let world = World::start("[limit]\nbody = \"1MiB\"\n");
    let many: usize = count(2_000, 100_000);
    let mut conn = Conn::open(&world.server);
    let secret = format!("Bearer {SECRET}");
    for n in 0..many {
        let body = json!({"user": "ann", "type": "t", "title": n.to_string()}).to_string();
        let answer = conn.post("/v1/notifications", &[("Authorization", &secret)], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let own = format!("Bearer {}", user("ann"));
    let mut least = |method: &str, path: &str| {
        let mut once = || {
            let begun = Instant::now();
            let answer = match method {
                "GET" => conn.get(path, &[("Authorization", &own)]),
                _ => conn.post(path, &[("Authorization", &own)], "{}"),
            };
            assert_eq!(answer.status, 200, "{answer:?}");
            (begun.elapsed(), answer.json())
        };
        (0..5).map(|_| once()).min_by_key(|(time, _)| *time).unwrap()
    };
    let (page, answer) = least("GET", "/v1/notifications?limit=50");
    assert_eq!(answer["unread"], many);
    let (deep, _) = least("GET", "/v1/notifications?limit=50&before=60");
    let (inbox, _) = least("GET", "/v1/inbox");
    let (all, answer) = least("POST", "/v1/notifications/read_all");
    assert_eq!(answer["unread"], 0);
    let (unread, answer) = least("GET", "/v1/notifications?unread=true");
    assert_eq!(numbers(&answer), [0; 0]);
    let times = [page, deep, inbox, all, unread];
    // A database is another program, which has to come to its turn on a busy machine.
    let bound = Duration::from_millis(if on_postgres() { 50 } else { 10 });
    assert!(times.iter().all(|time| *time < bound), "{times:?}");
    world.finish();
}

//! Pages without a WebSocket: locks, free times, and the poll.

use super::*;

const API: &str = "/wp-json/appointease/v1";

fn body(time: &str) -> Value {
    json!({"date": "2025-11-03", "time": time, "employee_id": 1})
}

fn ask(server: &Server, route: &str, body: &Value) -> Answer {
    request(server, "POST", &format!("{API}/{route}"), &[], Some(&body.to_string()))
}

fn lock(server: &Server, time: &str) -> String {
    let locked = ask(server, "lock-slot", &body(time)).json();
    assert_eq!((&locked["success"], &locked["expires_in"]), (&json!(true), &json!(600)), "{locked}");
    locked["client_id"].as_str().unwrap().to_owned()
}

fn poll(server: &Server, query: &str) -> Value {
    get(server, &format!("{API}/realtime/poll?{query}")).json()
}

/// What an answer of the poll tells, in short.
fn told(answer: &Value) -> Vec<String> {
    let short = |one: &Value| {
        let status = one["status"].as_str().unwrap_or_default();
        format!("{} {} {status}", one["type"].as_str().unwrap(), one["time"].as_str().unwrap_or_default())
    };
    answer["data"].as_array().map(|all| all.iter().map(short).collect()).unwrap_or_default()
}

#[test]
fn a_slot_is_locked_and_unlocked_by_requests() {
    let server = site("");
    let mut watcher = Page::open(&server, "/");
    watcher.watch("10:00");
    let handle = lock(&server, "10:00");
    watcher.until_taken(|times| times.contains(&json!("10:00")));
    // Somebody else wants it, by the other of the two paths.
    let refused = ask(&server, "realtime/lock-slot", &body("10:00"));
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("slot_taken")));
    assert_eq!(refused.json()["data"]["status"], 409);
    let checked = ask(&server, "check-slot", &body("10:00")).json();
    assert_eq!(
        (&checked["is_booked"], &checked["conflict_detected"]),
        (&json!(true), &json!(true)),
        "{checked}"
    );
    let day = ask(&server, "availability", &body("")).json();
    assert_eq!(day["unavailable"], json!(["10:00"]), "{day}");
    let older =
        request(&server, "POST", "/wp-json/booking/v1/availability", &[], Some(&body("").to_string()));
    assert_eq!(older.json()["unavailable"], day["unavailable"], "{older:?}");
    let detail = &day["booking_details"]["10:00"];
    assert_eq!(
        (&detail["customer_name"], &detail["is_locked"]),
        (&json!("Processing"), &json!(true)),
        "{day}"
    );
    assert!(!day.to_string().contains(&handle["CLIENT_".len()..]), "nobody learns what unlocks it: {day}");
    // A page that is left sends a beacon, which is plain text.
    let beacon = json!({"client_id": handle}).to_string();
    let headers = [("Content-Type", "text/plain;charset=UTF-8"), ("Origin", "https://elsewhere.example.org")];
    let done = request(&server, "POST", &format!("{API}/unlock-slot"), &headers, Some(&beacon));
    assert_eq!((done.status, done.header("access-control-allow-origin")), (200, Some("*")), "{done:?}");
    assert_eq!(watcher.until_times(Vec::is_empty), Vec::<Value>::new());
    assert_eq!(ask(&server, "check-slot", &body("10:00")).json()["available"], true);
    for (route, wrong) in [
        ("lock-slot", json!({"date": "2025-11-03", "time": "9:300", "employee_id": 1})),
        ("lock-slot", json!([])),
        ("unlock-slot", json!({"client_id": "x"})),
        ("availability", json!({"date": "yesterday", "employee_id": 1})),
    ] {
        let no = ask(&server, route, &wrong);
        assert_eq!((no.status, &no.json()["data"]["status"]), (400, &json!(400)), "{route} {wrong}: {no:?}");
    }
}

#[test]
fn whoever_gives_the_answers_time_back_is_told_everything_once() {
    let server = site("");
    let first = poll(&server, "client_id=a");
    let mut at = first["timestamp"].to_string();
    let mut heard = Vec::new();
    let mut expected = Vec::new();
    for nth in 0..10 {
        let time = format!("{:02}:00", 8 + nth);
        let handle = lock(&server, &time);
        expected.push(format!("slot_update {time} processing"));
        if nth % 3 == 0 {
            assert_eq!(ask(&server, "unlock-slot", &json!({"client_id": handle})).status, 200);
            expected.push(format!("slot_update {time} available"));
        }
        while heard.len() < expected.len() {
            let answer = poll(&server, &format!("client_id=a&last_update={at}"));
            assert_eq!(answer["type"], "update", "{answer}");
            heard.extend(told(&answer));
            at = answer["timestamp"].to_string();
        }
    }
    assert_eq!(heard, expected);
    // Somebody who comes with an old time of its own, in seconds, is told what is kept.
    assert_eq!(told(&poll(&server, "client_id=b&last_update=1")), expected);
}

#[test]
fn whoever_polls_while_it_happens_is_told_each_thing_once_and_in_its_order() {
    let server = site(UNBOUND);
    let sig =
        deskbell_wire::signature::sign_email(SECRET.as_bytes(), "a@b.c", in_seconds(600).unsigned_abs());
    let ask = format!("client_id=a&email=a%40b.c&sig={sig}");
    let mut at = poll(&server, &ask)["timestamp"].to_string();
    let expected: Vec<String> = (0..500).map(|nth| format!("{:02}:{:02}", nth / 60, nth % 60)).collect();
    let (room, go_on) = std::sync::mpsc::sync_channel(0);
    let heard = std::thread::scope(|scope| {
        let (server, expected) = (&server, &expected);
        scope.spawn(move || {
            for (nth, time) in expected.iter().enumerate() {
                let data =
                    json!({"type": "slot_taken", "date": "2025-11-03", "time": time, "employee_id": 1});
                let body = json!({"event": "slot_conflict", "data": data});
                assert_eq!(server.api("POST", "/broadcast", Some(&body)).status, 200);
                // So many are kept; whoever polls is never further behind than half of that.
                if nth % 25 == 24 {
                    go_on.recv_timeout(DEADLINE).unwrap();
                }
            }
        });
        let mut heard: Vec<String> = Vec::new();
        while heard.len() < expected.len() {
            let answer = poll(server, &format!("{ask}&last_update={at}"));
            at = answer["timestamp"].to_string();
            let news = answer["data"].as_array().unwrap();
            for one in news {
                heard.push(one["data"]["time"].as_str().unwrap().to_owned());
                if heard.len().is_multiple_of(25) {
                    room.send(()).unwrap();
                }
            }
        }
        heard
    });
    assert_eq!(heard, expected);
}

#[test]
fn a_lock_that_runs_out_after_a_crash_is_told_to_pages_and_to_whoever_polls() {
    let mut server = Server::start(Start::with(SITE).on_file());
    lock(&server, "10:00");
    // Forty seconds before its end, on a clock that goes faster: less would be made half a minute by the start.
    server.set_variable("LD_PRELOAD", &libfaketime());
    server.set_variable("FAKETIME", "+560 x8");
    let server = server.crash_and_restart();
    let mut page = Page::open(&server, "/");
    page.watch("10:00");
    let day = page.ask(json!({"type": "check_availability", "date": "2025-11-03", "employeeId": 1}));
    assert_eq!(day["unavailable"], json!(["10:00"]), "{day}");
    assert_eq!(page.until_times(Vec::is_empty), Vec::<Value>::new());
    assert_eq!(told(&poll(&server, "client_id=a&last_update=1")), ["slot_update 10:00 available"]);
    assert_eq!(page.lock("10:00")["type"], "slot_locked");
}

#[test]
fn a_poll_waits_and_one_that_is_asked_anew_ends_the_one_before() {
    let server = site("");
    let at = poll(&server, "client_id=a")["timestamp"].to_string();
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (server, at, sender) = (&server, &at, sender.clone());
            scope.spawn(move || sender.send(poll(server, &format!("client_id=a&last_update={at}"))).unwrap());
        }
        // Whichever came first is answered with nothing as soon as the other one is there.
        let first = answers.recv_timeout(DEADLINE).unwrap();
        assert_eq!(first["type"], "no_update", "{first}");
        lock(&server, "10:00");
        assert_eq!(told(&answers.recv_timeout(DEADLINE).unwrap()), ["slot_update 10:00 processing"]);
    });
}

#[test]
fn pages_of_one_address_that_take_no_cookies_are_all_told_everything() {
    let server = site("");
    let mut heard: [Vec<String>; 3] = Default::default();
    let times: Vec<String> = (0..12).map(|nth| format!("{:02}:00", 8 + nth)).collect();
    for (nth, time) in times.iter().enumerate() {
        lock(&server, time);
        let own = in_seconds(60) * 1_000 + nth as i64;
        let page = &mut heard[nth % 3];
        while !page.contains(&format!("slot_update {time} processing")) {
            page.extend(told(&poll(&server, &format!("last_update={own}"))));
        }
    }
    for (nth, page) in heard.iter().enumerate() {
        let last = 9 + nth;
        let missed: Vec<_> = times[nth..=last]
            .iter()
            .filter(|time| !page.contains(&format!("slot_update {time} processing")))
            .collect();
        assert!(missed.is_empty(), "page {nth} missed {missed:?} of {page:?}");
    }
}

#[test]
fn a_page_that_polls_by_its_own_clock_and_has_just_got_its_cookie_misses_nothing() {
    // For two minutes after a start everybody is told everything since then; here they last four seconds.
    let mut start = Start::with(SITE);
    for (name, value) in [("LD_PRELOAD", libfaketime()), ("FAKETIME", "+0 x30".to_owned())] {
        start.env.push((name.to_owned(), value));
    }
    let server = Server::start(start.on_file());
    let mut clock = Page::open(&server, "/");
    let mut now = || clock.ask(json!({"type": "ping"}))["timestamp"].as_u64().unwrap();
    let begun = now();
    eventually("two minutes have passed", || now() > begun + 125_000);
    let first = get(&server, &format!("{API}/realtime/poll?email=a%40b.c"));
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    lock(&server, "10:00");
    let own = in_seconds(3_600) * 1_000;
    let path = format!("{API}/realtime/poll?email=a%40b.c&last_update={own}");
    let next = request(&server, "GET", &path, &[("Cookie", &cookie)], None).json();
    assert_eq!(told(&next), ["slot_update 10:00 processing"], "{next}");
}

#[test]
fn a_server_that_was_away_tells_the_next_change_to_whoever_polls() {
    let server = site("");
    let at = poll(&server, "client_id=a")["timestamp"].to_string();
    let mut page = Page::open(&server, "/");
    let mut server = server;
    server.stop();
    page.ws.until_closed();
    let no = try_request(server.address, "GET", &format!("{API}/realtime/poll?last_update={at}"), &[], None);
    assert!(no.is_none(), "nobody is there");
    let server = server.restarted();
    lock(&server, "10:00");
    let answer = poll(&server, &format!("client_id=a&last_update={at}"));
    assert_eq!(told(&answer), ["slot_update 10:00 processing"], "{answer}");
    // Pages that had a WebSocket until then ask by their own clocks, which say a later time than anything has.
    for own in [in_seconds(1) * 1_000, in_seconds(1)] {
        let answer = poll(&server, &format!("client_id=own-{own}&last_update={own}"));
        assert_eq!(told(&answer), ["slot_update 10:00 processing"], "{answer}");
    }
}

#[test]
fn the_appointment_that_is_to_be_moved_is_not_in_its_own_way() {
    let server = site("");
    let told = |id: &str, number: u32, at: &str| {
        let body = json!({"event": "appointment.created", "data": {"appointment_id": id, "id": number,
            "email": "ann@example.org", "name": "Ann", "appointment_date": at, "employee_id": 1}});
        assert_eq!(server.api("POST", "/broadcast", Some(&body)).status, 200);
    };
    told("APT-1", 41, "2025-11-03 10:00:00");
    told("APT-2", 42, "2025-11-03 11:00:00");
    let but = |name: Value| {
        let mut day = body("");
        day["exclude_appointment_id"] = name;
        ask(&server, "reschedule-availability", &day).json()
    };
    for name in [json!("APT-1"), json!("41"), json!(41)] {
        let day = but(name);
        assert_eq!(day["unavailable"], json!(["11:00"]), "{day}");
        assert!(day["booking_details"].get("10:00").is_none(), "{day}");
        // Whose the other one is, is told to the site alone.
        assert!(!day.to_string().contains("Ann") && !day.to_string().contains("APT-2"), "{day}");
    }
    assert_eq!(but(json!("APT-3"))["unavailable"], json!(["10:00", "11:00"]));
}

#[test]
fn the_debug_page_shows_addresses_to_whoever_may_see_them() {
    let server = site("");
    let sig = deskbell_wire::signature::sign_email(
        SECRET.as_bytes(),
        "ann@example.org",
        in_seconds(60).unsigned_abs(),
    );
    let mut page = Page::open(&server, &format!("/?email=ann%40example.org&sig={sig}"));
    page.watch("10:00");
    page.ask(of_slot("selecting_slot", "10:00"));
    let shown = request(&server, "GET", "/debug", &[("Origin", "https://elsewhere.example.org")], None);
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.header("access-control-allow-origin"), Some("*"), "pages of any site show it");
    let text = shown.text();
    assert!(text.contains("\n  \"connectedClients\": 1,") && !text.contains("ann@example.org"), "{text}");
    let shown = server.api("GET", "/debug", None).json();
    assert_eq!(shown["clients"][0]["email"], "ann@example.org");
    assert_eq!(
        shown["clients"][0]["watchingSlot"],
        json!({"date": "2025-11-03", "time": "10:00", "employeeId": 1})
    );
    assert_eq!(shown["selections"][0]["employeeId"], "1");
    page.lock("11:00");
    let panel = page.ask(json!({"type": "get_debug"}));
    assert_eq!((&panel["lockedSlots"], panel["locks"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert!(!panel.to_string().contains("ann@example.org"), "{panel}");
    let panel = Page::open(&Server::dev(), "/?email=ann%40example.org").ask(json!({"type": "get_debug"}));
    assert_eq!(panel["clients"][0]["email"], "ann@example.org", "{panel}");
    assert_eq!(get(&Server::start(Start::default()), "/debug").status, 404);
}

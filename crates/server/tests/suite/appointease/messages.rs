//! Every message, and its answer.

use super::*;

/// What the plugin's own test page sends when all its tests are run.
fn sends() -> Vec<Value> {
    let ping = || json!({"type": "ping", "timestamp": 1_761_527_416_882_u64});
    let told = |kind: &str| json!({"type": kind, "appointmentId": "APT-2025-000123", "email": "a@b.c"});
    let mut all = vec![ping(), ping()];
    for kind in ["lock_slot", "unlock_slot", "selecting_slot", "deselect_slot"] {
        all.push(of_slot(kind, "10:00"));
    }
    all.extend((0..5).map(|nth| of_slot("selecting_slot", &format!("1{nth}:00"))));
    all.push(json!({"type": "watch_appointments", "email": "a@b.c"}));
    all.extend([told("appointment_updated"), told("appointment_cancelled")]);
    all.push(json!({"type": "unwatch_appointments", "email": "a@b.c"}));
    all.extend((0..2).map(|_| of_slot("lock_slot", "14:00")));
    all.extend((0..3).map(|_| of_slot("lock_slot", "15:00")));
    all.extend((0..3).map(|_| of_slot("lock_slot", "16:00")));
    all.extend((0..10).map(|nth| of_slot("lock_slot", &format!("9:{nth}00"))));
    all.extend((0..10).map(|nth| json!({"type": "ping", "sequence": nth})));
    all.extend((0..50).map(|_| ping()));
    all
}

#[test]
fn ninety_three_sends_get_ninety_three_answers() {
    for path in ["/", "/?email=ann%40example.org", "/appointease", "/appointease/v1/realtime/ws"] {
        let server = Server::dev();
        let mut page = Page::open(&server, path);
        let sends = sends();
        assert_eq!(sends.len(), 93);
        sends.iter().for_each(|send| page.ws.send(send));
        // The answer to what is sent last may overtake those of the ledger, so all are counted.
        let answers: Vec<Value> = sends.iter().map(|_| page.ws.next()).collect();
        let of = |kind: &str| answers.iter().filter(|answer| answer["type"] == kind).count();
        let counted = ["pong", "slot_locked", "slot_unlocked", "selection_confirmed", "error"].map(of);
        assert_eq!(counted, [62, 9, 1, 6, 10], "{path}");
        assert_eq!(of("appointments_data") + of("event_received") + of("unwatch_confirmed"), 4);
        page.ws.send(&json!({"type": "ping", "timestamp": 0}));
        assert_eq!(page.ws.next()["type"], "pong", "there was nothing else");
        page.ws.close();
    }
}

#[test]
fn whoever_connects_is_greeted_by_its_name_or_as_nobody() {
    let server = site("");
    let nobody = Page::open(&server, "/").greeting;
    assert_eq!((&nobody["mode"], &nobody["status"]), (&json!("websocket"), &json!("connected")));
    assert!(nobody["clientId"].as_str().unwrap().starts_with("anonymous_"), "{nobody}");
    assert_eq!(nobody["isAnonymous"], true);
    // Outside of development an address that is only said proves nothing.
    let said = Page::open(&server, "/?email=ann%40example.org").greeting;
    assert_eq!(said["isAnonymous"], true, "{said}");
    let sig = deskbell_wire::signature::sign_email(
        SECRET.as_bytes(),
        "ann@example.org",
        in_seconds(60).unsigned_abs(),
    );
    for path in [
        format!("/?email=Ann%40example.org&sig={sig}"),
        format!("/appointease/s/{sig}?email=ann%40example.org"),
    ] {
        let mut proven = Page::open(&server, &path);
        assert_eq!(proven.greeting["isAnonymous"], false, "{path}");
        assert_eq!(proven.ask(json!({"type": "subscribe"}))["type"], "update");
    }
    let forged = Ws::upgraded(Conn::open(&server), "x", &format!("/?email=bob%40example.org&sig={sig}"), &[]);
    assert!(forged.err().unwrap().starts_with("HTTP/1.1 401"), "a proof that does not hold is refused");
    assert_eq!(
        Page::open(&Server::dev(), "/?email=Ann%40example.org").greeting["clientId"],
        "Ann@example.org"
    );
}

#[test]
fn the_dialect_is_off_until_its_zone_is_known() {
    let server = Server::start(Start::default());
    let answer = Ws::upgraded(Conn::open(&server), "x", "/", &[]).err().unwrap();
    assert!(!answer.contains(" 101 "), "{answer}");
}

#[test]
fn an_answer_names_a_slot_as_it_was_asked_for() {
    let server = site("");
    let mut page = Page::open(&server, "/");
    let answer =
        page.ask(json!({"type": "lock_slot", "date": "2025-11-03", "time": "9:30", "employeeId": "7"}));
    assert_eq!(answer["type"], "slot_locked", "{answer}");
    assert_eq!((&answer["time"], &answer["employeeId"]), (&json!("9:30"), &json!("7")));
    assert_eq!(answer["expiresIn"], 600);
    let answer = page.ask(json!({"type": "check_availability", "date": "2025-11-03", "employeeId": 7}));
    assert_eq!((&answer["unavailable"], &answer["employeeId"]), (&json!(["09:30"]), &json!(7)), "{answer}");
    let step = page.ask(json!({"type": "booking_session", "step": 4, "service": "Haircut"}));
    assert_eq!((&step["type"], &step["step"]), (&json!("session_tracked"), &json!(4)));
    let answer =
        page.ask(json!({"type": "unwatch_slot", "date": "2025-11-03", "time": "10:00", "employee_id": 1}));
    assert_eq!(answer["type"], "unwatch_confirmed", "{answer}");
    for (message, said) in [
        (json!({"type": "subscribe"}), "denied"),
        (json!({"type": "watch_appointments", "email": "ann@example.org"}), "denied"),
        (json!({"type": "nothing"}), "unknown_type"),
        (json!({"type": "watch_slot", "date": "2025-11-03", "time": "", "employeeId": 1}), "unknown_type"),
        (json!({}), "unknown_type"),
        (of_slot("lock_slot", "9:300"), "bad_field"),
    ] {
        let answer = page.ask(message);
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(said)), "{answer}");
    }
    page.ws.send_text("invalid json");
    assert_eq!(page.ask(json!({"type": "ping"}))["type"], "pong");
}

/// As pages of the plugin's first server did: they connect without an address and name one in a message.
#[test]
fn a_page_that_names_persons_in_messages_is_told_of_each_where_it_may_be() {
    let server = Server::dev();
    let mut page = Page::open(&server, "/");
    for email in ["ann@example.org", "bob@example.org"] {
        page.ws.send(&json!({"type": "subscribe", "email": email}));
        assert_eq!(page.ws.next(), json!({"type": "subscribed", "email": email}));
        assert_eq!(page.ws.expect("update")["data"]["appointments"], json!([]));
    }
    for (nth, email) in ["bob@example.org", "ann@example.org"].iter().enumerate() {
        let data = json!({"appointment_id": format!("APT-{nth}"), "email": email, "employee_id": 1,
            "date": format!("2025-11-03 1{nth}:00:00")});
        let told = json!({"event": "appointment.created", "data": data});
        assert_eq!(server.api("POST", "/broadcast", Some(&told)).status, 200);
        let rows = page.ws.expect("update")["data"]["appointments"].clone();
        assert_eq!((rows.as_array().map(Vec::len), &rows[0]["email"]), (Some(1), &json!(email)), "{rows}");
    }
    // Elsewhere whoever only says an address is told nothing of it.
    let server = site("");
    let refused = Page::open(&server, "/").ask(json!({"type": "subscribe", "email": "ann@example.org"}));
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("denied")), "{refused}");
}

#[test]
fn slots_are_as_long_as_the_site_says() {
    let server = site("slot = \"15m\"\n");
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    assert_eq!(ann.lock("10:00")["type"], "slot_locked");
    assert_eq!(bob.lock("10:00")["type"], "slot_taken");
    assert_eq!(bob.lock("10:15")["type"], "slot_locked", "it begins when the other one is over");
    let day = bob.ask(json!({"type": "check_availability", "date": "2025-11-03", "employeeId": 1}));
    assert_eq!(day["unavailable"], json!(["10:00", "10:15"]), "{day}");
}

#[test]
fn others_see_what_is_looked_at_until_its_page_has_gone() {
    let server = site("");
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    for time in ["10:00", "11:00"] {
        assert_eq!(ann.ask(of_slot("selecting_slot", time))["type"], "selection_confirmed");
    }
    bob.news("active_selections");
    let seen = bob.news("active_selections");
    assert_eq!((&seen["slots"], &seen["employeeId"]), (&json!(["10:00", "11:00"]), &json!(1)), "{seen}");
    let panel = bob.ask(json!({"type": "get_debug"}));
    assert_eq!((&panel["connectedClients"], &panel["activeSelections"]), (&json!(2), &json!(2)), "{panel}");
    assert_eq!(ann.ask(of_slot("deselect_slot", "10:00"))["type"], "deselection_confirmed");
    assert_eq!(bob.news("active_selections")["slots"], json!(["11:00"]));
    ann.ws.close();
    assert_eq!(bob.news("active_selections")["slots"], json!([]));
}

#[test]
fn what_nobody_has_said_again_for_half_a_minute_is_no_longer_looked_at() {
    let mut start = Start::with(SITE);
    // A minute of the server lasts two seconds.
    for (name, value) in [("LD_PRELOAD", libfaketime()), ("FAKETIME", "+0 x30".to_owned())] {
        start.env.push((name.to_owned(), value));
    }
    let server = Server::start(start);
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    let begun = ann.ask(of_slot("selecting_slot", "10:00"))["timestamp"].as_u64().unwrap();
    assert_eq!(bob.news("active_selections")["slots"], json!(["10:00"]));
    let told = bob.news("active_selections");
    assert_eq!(told["slots"], json!([]));
    let after = told["timestamp"].as_u64().unwrap() - begun;
    assert!((30_000..60_000).contains(&after), "{after} ms");
    assert_eq!(bob.ask(json!({"type": "get_debug"}))["activeSelections"], 0);
}

#[test]
fn whoever_looks_whether_the_port_is_open_makes_no_error() {
    let server = site("");
    for _ in 0..20 {
        drop(std::net::TcpStream::connect(server.address).unwrap());
    }
    assert_eq!(Page::open(&server, "/").ask(json!({"type": "ping"}))["type"], "pong");
    let logged = server.logged();
    assert!(!logged.iter().any(|line| line.contains("ERROR") || line.contains("WARN")), "{logged:?}");
    let metrics = server.api("GET", "/metrics", None).text();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("deskbell_bad_requests"))
        .unwrap_or("deskbell_bad_requests_total 0");
    assert!(line.ends_with(" 0"), "{line}");
}

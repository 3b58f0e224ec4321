//! What WordPress says of its appointments.

use std::io::Write;

use super::*;

/// An appointment as the plugin tells of it.
fn told(event: &str, at: &str) -> Value {
    json!({"event": event, "data": {
        "event": event, "appointment_id": "APT-2025-000123",
        "customer": {"name": "Ann", "email": "ann@example.org", "phone": "1"},
        "appointment": {"date": at, "service": "Haircut", "employee_id": 1}, "timestamp": 1,
    }})
}

fn broadcast(server: &Server, body: &Value) {
    let answer = server.api("POST", "/broadcast", Some(body));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["recipients"], "all");
}

fn bookings(server: &Server) -> Vec<Value> {
    server.api("GET", "/v1/bookings", None).json()["reservations"].as_array().unwrap().clone()
}

#[test]
fn an_appointment_is_made_moved_and_ended_by_what_the_site_says() {
    let server = site("");
    let sig = deskbell_wire::signature::sign_email(
        SECRET.as_bytes(),
        "ann@example.org",
        in_seconds(60).unsigned_abs(),
    );
    let mut ann = Page::open(&server, &format!("/?email=ann%40example.org&sig={sig}"));
    let mut bob = Page::open(&server, "/");
    bob.watch("10:00");
    broadcast(&server, &told("appointment.created", "2025-11-03 10:00:00"));
    bob.until_taken(|times| *times == [json!("10:00")]);
    let rows = ann.news("update")["data"]["appointments"].clone();
    assert_eq!(
        (&rows[0]["strong_id"], &rows[0]["status"]),
        (&json!("APT-2025-000123"), &json!("confirmed")),
        "{rows}"
    );
    assert_eq!(rows[0]["appointment_date"], "2025-11-03T09:00:00.000Z");
    assert_eq!(ann.ask(json!({"type": "subscribe"}))["data"]["appointments"], rows);
    // The same again changes nothing; another time moves it.
    broadcast(&server, &told("appointment.created", "2025-11-03 10:00:00"));
    assert_eq!(bookings(&server).len(), 1);
    broadcast(&server, &told("appointment.updated", "2025-11-03 11:00:00"));
    bob.until_times(|times| *times == [json!("11:00")]);
    assert_eq!(bookings(&server).len(), 1);
    let poll =
        get(&server, &format!("/wp-json/appointease/v1/realtime/poll?email=ann%40example.org&sig={sig}"))
            .json();
    assert_eq!(poll["appointments"][0]["appointment_date"], "2025-11-03T10:00:00.000Z", "{poll}");
    assert!(
        get(&server, "/wp-json/appointease/v1/realtime/poll?email=ann%40example.org")
            .json()
            .get("appointments")
            .is_none()
    );
    broadcast(&server, &told("appointment.cancelled", "2025-11-03 11:00:00"));
    bob.until_times(Vec::is_empty);
    let mut now = ann.ask(json!({"type": "subscribe"}));
    while now["data"]["appointments"] != json!([]) {
        now = ann.news("update");
    }
    assert_eq!(server.problems(), Vec::<String>::new());
}

#[test]
fn the_lock_of_whoever_has_booked_becomes_its_booking() {
    let server = site("");
    let mut ann = Page::open(&server, "/");
    assert_eq!(ann.lock("10:00")["type"], "slot_locked");
    let mut done = of_slot("unlock_slot", "10:00");
    done["completed"] = json!(true);
    assert_eq!(ann.ask(done)["type"], "slot_unlocked");
    let held = server.api("GET", "/v1/holds", None).json()["reservations"][0]["id"].clone();
    broadcast(&server, &told("appointment.created", "2025-11-03 10:00:00"));
    let booked = bookings(&server);
    assert_eq!(
        (booked.len(), &booked[0]["id"], &booked[0]["state"]),
        (1, &held, &json!("booked")),
        "{booked:?}"
    );
    assert_eq!(booked[0]["email"], "ann@example.org");
    assert_eq!(server.problems(), Vec::<String>::new());
}

#[test]
fn a_booking_of_the_site_is_made_over_whatever_is_in_the_way() {
    let server = Server::dev();
    let mut bob = Page::open(&server, "/?email=bob%40example.org");
    bob.lock("10:00");
    broadcast(&server, &told("appointment.created", "2025-11-03 10:00:00"));
    assert_eq!(bookings(&server).len(), 1);
    assert_eq!(
        server.api("GET", "/v1/holds", None).json()["reservations"],
        json!([]),
        "another's lock gives way"
    );
    let mut second = told("appointment.created", "2025-11-03 10:00:00");
    second["data"]["appointment_id"] = json!("APT-2025-000124");
    broadcast(&server, &second);
    assert_eq!(bookings(&server).len(), 2, "the site has booked both");
}

#[test]
fn what_the_site_says_counts_although_it_does_not_wait_for_the_answer() {
    let server = site("");
    let many = count(100, 1_000);
    for nth in 0..many {
        let (day, slot) = (1 + nth / 48, nth % 48);
        let body = json!({"event": "appointment.created", "data": {"appointment_id": format!("APT-{nth}"),
            "date": format!("2025-11-{day:02} {:02}:{:02}:00", slot / 2, slot % 2 * 30), "employee_id": 1}})
        .to_string();
        // All of it at once, and gone.
        let request = format!(
            "POST /broadcast HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {SECRET}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        Conn::open(&server).write_all(request.as_bytes()).unwrap();
    }
    eventually("every appointment is booked", || {
        let booked = server.api("GET", "/v1/bookings?limit=1000", None).json();
        booked["reservations"].as_array().is_some_and(|all| all.len() == many)
    });
}

#[test]
fn every_form_of_the_body_is_understood_and_strangers_are_not() {
    let server = site("");
    let mut page = Page::open(&server, "/");
    let bearer = format!("Bearer {SECRET}");
    let form = "application/x-www-form-urlencoded";
    let bodies = [
        (form, r#"{"type":"news","data":{"n":1},"timestamp":1}"#),
        ("application/json", r#"{"event":"news","data":{"n":1}}"#),
        (form, "event=news&data[n]=1"),
    ];
    for (kind, body) in bodies {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let path = "/wp-json/appointease/v1/realtime/broadcast";
        let answer = request(&server, "POST", path, &headers, Some(body));
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let heard = page.news("news");
        assert_eq!(heard["data"]["n"].to_string().trim_matches('"'), "1", "{heard}");
        let no = request(&server, "POST", "/broadcast", &[("Content-Type", kind)], Some(body));
        assert_eq!((no.status, &no.json()["data"]["status"]), (401, &json!(401)));
    }
    let wrong = told("appointment.created", "some day");
    assert_eq!(server.api("POST", "/broadcast", Some(&wrong)).status, 400);
    broadcast(
        &server,
        &json!({"event": "slot_conflict", "data": {"type": "slot_taken", "date": "2025-11-03", "time": "10:00", "employee_id": 1}}),
    );
}

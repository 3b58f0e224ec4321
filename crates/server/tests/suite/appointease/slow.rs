//! A page that does not read.

use super::*;

/// More than its connection takes: what comes now passes a page by that does not read.
fn too_much(server: &Server) {
    let much = "x".repeat(60_000);
    for n in 0..400 {
        server.send("appointease", json!({"n": n, "much": much}));
    }
}

#[test]
fn a_page_that_could_not_keep_up_is_told_what_there_is() {
    let server = site(UNBOUND);
    let (mut ann, mut bob) = (Page::open(&server, "/"), Page::open(&server, "/"));
    bob.watch("10:00");
    too_much(&server);
    ann.ws.send(&of_slot("lock_slot", "10:00"));
    assert_eq!(ann.news("slot_locked")["time"], "10:00");
    bob.until_times(|times| *times == [json!("10:00")]);
    assert_eq!(server.problems(), Vec::<String>::new());
}

#[test]
fn a_page_that_could_not_keep_up_is_told_the_newest_of_its_persons_appointments_and_once() {
    let server = Server::start(Start::with(UNBOUND).flag("--dev"));
    let path = "/?email=ann%40example.org";
    let (mut ann, mut reads) = (Page::open(&server, path), Page::open(&server, path));
    std::thread::scope(|scope| {
        let last = scope.spawn(|| {
            loop {
                let told = reads.news("update")["data"]["appointments"].clone();
                if told.as_array().is_some_and(|rows| rows.len() == 20) {
                    return told;
                }
            }
        });
        too_much(&server);
        for nth in 0..20 {
            let data = json!({"appointment_id": format!("APT-{nth}"), "email": "ann@example.org",
                "date": format!("2025-11-03 {nth:02}:00:00"), "employee_id": 1});
            let told = json!({"event": "appointment.created", "data": data});
            assert_eq!(server.api("POST", "/broadcast", Some(&told)).status, 200);
        }
        // Whoever reads has heard of all of them; whoever has not is told of them now.
        let last = last.join().unwrap();
        assert_eq!(ann.news("update")["data"]["appointments"], last);
        assert_eq!(ann.ask(json!({"type": "ping"}))["type"], "pong", "it is told the newest alone");
    });
    assert_eq!(server.problems(), Vec::<String>::new());
}

//! A page that was away is told what it missed.

use super::*;

fn note(server: &Server, channel: &str, n: u64) {
    server.send(channel, json!({"type": "note", "n": n}));
}

#[track_caller]
fn notes(page: &mut Page, expected: impl IntoIterator<Item = u64>) {
    for n in expected {
        assert_eq!(page.expect("note")["n"], n);
    }
}

#[test]
fn a_page_that_was_cut_goes_on_where_it_stood() {
    let server = Server::start(Start::with("portico.relays = true\n"));
    let room = format!("session_{STRONG}");
    let mut page = Page::open(&server, STRONG);
    page.enter("building", 10);
    note(&server, "portico", 1);
    notes(&mut page, [1]);
    page.0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    note(&server, "portico", 2);
    note(&server, &room, 3);
    note(&server, "entity_building_10", 4);
    let mut back = Page::open(&server, STRONG);
    notes(&mut back, [2, 3]);
    back.enter("building", 10);
    notes(&mut back, [4]);
    note(&server, "portico", 5);
    notes(&mut back, [5]);
    back.expect_nothing();
    // Nobody else gets what was another session's to miss.
    let mut other = Page::open(&server, OTHER);
    note(&server, "portico", 6);
    let first = other.expect("note")["n"].as_u64().unwrap();
    assert!(first == 6 || first == 1, "soon after a start everything is told: {first}");
}

#[test]
fn a_page_that_names_its_session_late_goes_on_as_well() {
    let server = Server::start(Start::default());
    let mut page = Page::open(&server, STRONG);
    note(&server, "portico", 1);
    notes(&mut page, [1]);
    page.0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    note(&server, &format!("session_{STRONG}"), 2);
    let mut back = Page::open_at(&server, "/wss", "");
    back.send(&json!({"type": "update_session", "sessionId": STRONG}));
    back.expect("room_joined");
    back.expect("session_update_confirmation");
    notes(&mut back, [2]);
    back.expect_nothing();
}

#[test]
fn what_a_cut_left_in_the_net_is_told_again() {
    let server = Server::start(Start::default());
    let room = format!("session_{STRONG}");
    let mut page = Page::open(&server, STRONG);
    // It takes nothing any more, and nothing tells the server so.
    page.0.mute = true;
    note(&server, &room, 1);
    notes(&mut page, [1]);
    note(&server, &room, 2);
    page.0.cut();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    let mut back = Page::open(&server, STRONG);
    let mut seen = Vec::new();
    while !seen.contains(&2) {
        seen.push(back.expect("note")["n"].as_u64().unwrap());
    }
}

#[test]
fn after_a_crash_pages_are_told_what_came_before_they_were_back() {
    let server = Server::start(Start::default());
    let page = Page::open(&server, STRONG);
    let server = server.crash_and_restart();
    drop(page);
    note(&server, "portico", 1);
    let mut back = Page::open(&server, STRONG);
    notes(&mut back, [1]);
    back.expect_nothing();
}

//! Where pages connect, and what their cookies say.

use super::*;

#[test]
fn a_page_is_in_its_sessions_room_and_one_without_a_session_is_asked_for_it() {
    let server = Server::start(Start::default());
    let mut page = Page::open_at(&server, "/wss", &format!("x=y; bookingfrontendsession={STRONG}"));
    let room = format!("session_{STRONG}");
    let joined = page.expect("room_joined");
    assert_eq!(
        (&joined["roomId"], &joined["roomType"], &joined["roomSize"]),
        (&json!(room), &json!("session"), &json!(1))
    );
    let success = page.expect("connection_success");
    assert_eq!(success["rooms"], json!([{"id": room, "size": 1, "type": "session"}]));
    assert_eq!(success["environment"]["REDIS_HOST"], Value::Null);
    assert!(success["timestamp"].as_str().unwrap().len() == 25, "{success}");
    // The second tab sees that it is the second.
    let mut second = Page::open_at(&server, "/wss/", &format!("sessionphpgwsessid={STRONG}"));
    assert_eq!(second.expect("room_joined")["roomSize"], 2);
    let mut asked = Page::open_at(&server, "/wss", "theme=dark");
    assert_eq!(asked.expect("session_id_required")["code"], "NO_SESSION");
    let mut silent = Page::open_at(&server, "/wss", "");
    silent.expect_nothing();
}

#[test]
fn a_session_that_could_be_guessed_opens_nothing_but_in_development() {
    let weak = "bookingfrontendsession=abc";
    for (server, opens) in modes().iter().zip([false, false, true]) {
        let mut page = Page::open_at(server, "/wss", weak);
        let first = page.next();
        assert_eq!(first["type"] == "room_joined", opens, "{first}");
        let mut late = Page::open_at(server, "/wss", "");
        late.send(&json!({"type": "update_session", "sessionId": "abc"}));
        let answer = late.next();
        let expected = if opens { json!("room_joined") } else { json!("error") };
        assert_eq!(answer["type"], expected, "{answer}");
    }
}

#[test]
fn the_root_is_its_own_only_with_its_cookies_or_by_its_listener() {
    let shared = Server::start(Start::default());
    let own = format!("bookingfrontendsession={STRONG}");
    let php = format!("PHPSESSID={STRONG}");
    Page::open_at(&shared, "/", &own).expect("room_joined");
    // Elsewhere such a cookie may be anybody's, so at its own path the page is asked for its session.
    Page::open_at(&shared, "/wss", &php).expect("session_id_required");
    let address = shared.address.to_string();
    let is_page = |cookies: &str| {
        let opened = Ws::upgraded(Conn::open(&shared), &address, "/", &[("Cookie", cookies)]);
        opened.is_ok_and(|ws| {
            let mut page = Page(ws);
            // One that is asked for its session is a page as well; the other dialect greets everybody.
            page.send(&json!({"type": "ping", "id": "x"}));
            page.next()["type"] != "connection"
        })
    };
    assert!(!is_page(&php) && !is_page("theme=dark"));
    let listen = r#"listen=[{addr="127.0.0.1:0",root="portico"}]"#;
    let alone = Server::start(Start::default().flag("--set").flag(listen));
    let mut page = Page::open_at(&alone, "/", &php);
    assert_eq!(page.expect("room_joined")["roomId"], format!("session_{STRONG}"));
    Page::open_at(&alone, "/", "").expect_nothing();
}

#[test]
fn a_session_is_set_changed_and_left_as_it_is() {
    let server = Server::start(Start::default());
    let mut page = Page::open_at(&server, "/wss", "theme=dark");
    page.expect("session_id_required");
    page.send(&json!({"type": "update_session", "sessionId": STRONG}));
    assert_eq!(page.expect("room_joined")["roomId"], format!("session_{STRONG}"));
    let set = page.expect("session_update_confirmation");
    assert_eq!((&set["action"], &set["wasRequired"]), (&json!("set"), &json!(true)));
    assert_eq!(set["sessionId"], format!("{}...", &STRONG[..8]));
    page.send(&json!({"type": "update_session", "sessionId": STRONG}));
    assert_eq!(page.expect("session_update_confirmation")["message"], "Session ID is unchanged");
    page.enter_in_development_only();
    page.send(&json!({"type": "update_session", "sessionId": OTHER}));
    page.expect("room_joined");
    let changed = page.expect("session_update_confirmation");
    assert_eq!(changed["action"], "updated");
    assert_eq!(changed["rooms"][0]["id"], format!("session_{OTHER}"));
    // The old room is left: what is told there reaches nobody here.
    server.send(&format!("session_{STRONG}"), json!({"type": "x"}));
    page.expect_nothing();
    for nothing in [json!({"type": "update_session"}), json!({"type": "update_session", "sessionId": 7})] {
        page.send(&nothing);
        assert_eq!(page.error(), "INVALID_SESSION_ID");
    }
}

impl Page {
    /// Without a rule the room of an entity is closed.
    fn enter_in_development_only(&mut self) {
        self.send(&json!({"type": "subscribe", "entityType": "building", "entityId": 10}));
        assert_eq!(self.error(), "ROOM_ACCESS_DENIED");
    }
}

#[test]
fn pages_of_other_sites_are_not_let_in() {
    let server = Server::start(Start::default());
    let cookies = format!("bookingfrontendsession={STRONG}");
    let headers = [("Cookie", cookies.as_str()), ("Origin", "https://evil.example")];
    let answer = Ws::upgraded(Conn::open(&server), &server.address.to_string(), "/wss", &headers);
    assert!(answer.err().unwrap().contains("bad_origin"));
}

#[test]
fn a_stop_asks_pages_to_come_back() {
    let mut server = Server::start(Start::default());
    let mut page = Page::open(&server, STRONG);
    server.signal("TERM");
    page.expect("reconnect_required");
    assert_eq!(page.0.until_closed().code, Some(1012));
    eventually("the server has stopped", || server.has_ended());
}

//! Pages that come over Socket.IO, as PorticoEstate's present client does.

use super::*;
use crate::socketio::{Client, Got, Poller};

/// Such a page.
struct IoPage(Client);

impl IoPage {
    fn open_at(server: &Server, path: &str, cookies: &str) -> Self {
        let headers = [("Cookie", cookies)];
        let headers = if cookies.is_empty() { &[][..] } else { &headers[..] };
        let path = format!("{path}/?EIO=4&transport=websocket");
        let mut client = Client::raw(server, &path, headers).unwrap();
        assert!(client.text().starts_with("0{"));
        client.enter("/", &json!({}));
        Self(client)
    }

    /// A page in a session.
    fn open(server: &Server, session: &str) -> Self {
        let mut page = Self::open_at(server, "/wss/socket.io", &cookie(session));
        assert_eq!(page.expect("room_joined")["roomId"], format!("session_{session}"));
        page.expect("connection_success");
        page
    }

    fn send(&mut self, message: &Value) {
        self.0.emit("message", message);
    }

    fn next(&mut self) -> Value {
        let (name, message) = self.0.event();
        assert_eq!(name, "message", "{message}");
        message
    }

    #[track_caller]
    fn expect(&mut self, kind: &str) -> Value {
        let message = self.next();
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    #[track_caller]
    fn expect_nothing(&mut self) {
        self.send(&json!({"type": "ping", "id": "nothing"}));
        assert_eq!(self.expect("pong")["reply_to"], "nothing");
    }
}

fn cookie(session: &str) -> String {
    format!("bookingfrontendsession={session}")
}

/// A page, whatever it comes over.
trait Talks {
    fn says(&mut self, message: &Value);
    fn hears(&mut self) -> Value;
}

impl Talks for IoPage {
    fn says(&mut self, message: &Value) {
        self.send(message);
    }

    fn hears(&mut self) -> Value {
        self.next()
    }
}

impl Talks for Page {
    fn says(&mut self, message: &Value) {
        self.send(message);
    }

    fn hears(&mut self) -> Value {
        self.next()
    }
}

/// What no two conversations have in common.
fn blank(told: &mut Value) {
    for name in ["id", "timestamp"] {
        if let Some(own) = told.get_mut(name).filter(|own| own.is_string()) {
            *own = json!(name);
        }
    }
    told.get_mut("data").into_iter().for_each(blank);
}

/// A conversation: what a page says, and what two pages hear of it until nothing more comes.
fn conversation(server: &Server, mut pages: [impl Talks; 2]) -> Vec<Value> {
    let mut heard = Vec::new();
    for (who, said) in [
        (0, json!({"type": "ping", "id": 7, "heartbeat_id": "h"})),
        (0, json!({"type": "chat", "message": "Hello", "sessionContext": {"hasSession": false}})),
        (1, json!({"type": "notification", "message": "é"})),
        (0, json!({"n": 1})),
        (0, json!({"type": "update_user_info", "userId": "4711"})),
        (0, json!({"type": "subscribe", "entityType": "building", "entityId": 10})),
        (1, json!({"type": "subscribe", "entityType": "building", "entityId": "10"})),
        (1, json!({"type": "subscribe", "entityType": "", "entityId": 10})),
        (0, json!({"type": "room_message", "roomId": "entity_building_10", "action": "updated"})),
        (0, json!({"type": "room_message", "roomId": format!("session_{OTHER}")})),
        (1, json!({"type": "entity_event", "entityType": "building", "entityId": 10, "n": 2})),
        (0, json!({"type": "entity_event", "entityType": "room", "entityId": 3, "n": 3})),
        (0, json!({"type": "session_message", "n": 4})),
        (0, json!({"type": "unsubscribe", "entityType": "building", "entityId": 10})),
        (1, json!({"type": "room_message", "roomId": "entity_building_10"})),
        (1, json!({"type": "update_session", "sessionId": OTHER})),
        (1, json!({"type": "update_session"})),
    ] {
        heard.push(json!({"says": who, "said": said}));
        pages[who].says(&said);
        pages[who].says(&json!({"type": "ping", "id": "until here"}));
        let mut of_this = Vec::new();
        let mut listen = |place: usize, last: (&str, &str)| {
            loop {
                let mut told = pages[place].hears();
                if told[last.0] == last.1 {
                    break;
                }
                blank(&mut told);
                of_this.push((place, told));
            }
        };
        listen(who, ("reply_to", "until here"));
        // Whatever has been passed on lies before this in the log.
        server.send("portico", json!({"type": "mark"}));
        [0, 1].into_iter().for_each(|place| listen(place, ("type", "mark")));
        // Which of two pages hears first is nobody's rule.
        of_this.sort_by_key(|(place, _)| *place);
        heard.extend(of_this.into_iter().map(|(place, told)| json!({"hears": place, "told": told})));
    }
    // This is looked up somewhere else, so it comes when it is there.
    pages[0].says(&json!({"type": "get_partial_applications"}));
    let mut told = pages[0].hears();
    blank(&mut told);
    heard.push(json!({"hears": 0, "told": told}));
    heard
}

/// One table of rules, one set of sentences: nothing that a page can say is treated in another way here.
#[test]
fn a_conversation_over_socketio_is_the_one_over_a_websocket_in_each_mode() {
    for (one, other) in modes().iter().zip(&modes()) {
        let heard = conversation(one, [IoPage::open(one, STRONG), IoPage::open(one, OTHER)]);
        let expected = conversation(other, [Page::open(other, STRONG), Page::open(other, OTHER)]);
        assert!(expected.len() > 28, "{expected:#?}");
        for (place, (heard, expected)) in heard.iter().zip(&expected).enumerate() {
            assert_eq!(heard, expected, "step {place}");
        }
        assert_eq!(heard.len(), expected.len());
    }
}

#[test]
fn the_path_the_cookies_or_the_listener_say_that_it_is_a_page() {
    let shared = Server::start(Start::default());
    IoPage::open(&shared, STRONG).expect_nothing();
    // Where a proxy has taken `/wss` off, its own cookies tell.
    IoPage::open_at(&shared, "/socket.io", &cookie(STRONG)).expect("room_joined");
    IoPage::open_at(&shared, "/wss/socket.io", "theme=dark").expect("session_id_required");
    IoPage::open_at(&shared, "/wss/socket.io", "").expect_nothing();
    let php = format!("PHPSESSID={STRONG}");
    IoPage::open_at(&shared, "/wss/socket.io", &php).expect("session_id_required");
    // Another application's client, which finds nobody who knows this event.
    let mut other = Client::connect_with(&shared, &json!({}), &[("Cookie", &php)]);
    assert_eq!(other.ask("message", &json!({"type": "ping"}))["code"], "unknown_type");
    let listen = r#"listen=[{addr="127.0.0.1:0",root="portico"}]"#;
    let alone = Server::start(Start::default().flag("--set").flag(listen));
    IoPage::open_at(&alone, "/socket.io", &php).expect("room_joined");
    let closed = Server::start(Start::with("portico.enabled = false\n"));
    let mut other = IoPage::open_at(&closed, "/wss/socket.io", &cookie(STRONG));
    assert_eq!(other.0.ask("message", &json!({"type": "ping"}))["code"], "unknown_type");
}

#[test]
fn pages_of_both_kinds_are_in_the_same_rooms() {
    let server = Server::start(Start::with("portico.relays = true\n"));
    let (mut io, mut plain) = (IoPage::open(&server, STRONG), Page::open(&server, OTHER));
    io.send(&json!({"type": "chat", "message": "Hello"}));
    assert_eq!(plain.expect("chat")["sessionContext"]["hasSession"], true);
    plain.send(&json!({"type": "chat", "message": "Hello"}));
    io.expect("chat");
    plain.enter("building", 10);
    io.send(&json!({"type": "subscribe", "entityType": "building", "entityId": 10}));
    assert_eq!(io.expect("room_joined")["roomSize"], 2);
    io.expect("subscription_confirmation");
    server.send("entity_building_10", json!({"type": "area_update", "n": 1}));
    assert_eq!((io.expect("area_update"), plain.expect("area_update")["n"].clone()).1, 1);
    server.send(&format!("session_{STRONG}"), json!({"type": "server_message", "n": 2}));
    assert_eq!(io.expect("server_message")["n"], 2);
    io.expect_nothing();
    plain.expect_nothing();
    assert_eq!(get(&server, "/health").json()["clients"], 2);
}

#[test]
fn a_polling_page_hears_the_same_and_misses_nothing_while_it_changes_to_a_websocket() {
    let server = Server::start(Start::default());
    let mut poller = Poller::open_with(&server, &[("Cookie", &cookie(STRONG))]);
    poller.post("40");
    assert!(poller.next().starts_with("40{\"sid\""));
    for kind in ["room_joined", "connection_success"] {
        assert!(poller.next().starts_with(&format!("42[\"message\",{{\"type\":\"{kind}\"")));
    }
    poller.post("427[\"message\",{\"type\":\"ping\",\"id\":1}]");
    let pong = poller.next();
    assert!(pong.contains("\"type\":\"pong\"") && pong.contains("\"reply_to\":1"), "{pong}");
    assert_eq!(poller.next(), "437[]");
    let note = |n: u64| server.send(&format!("session_{STRONG}"), json!({"type": "note", "n": n}));
    note(0);
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
    let mut client = Client::raw(&server, &path, &[]).unwrap();
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    note(1);
    client.send("5");
    note(2);
    let mut page = IoPage(client);
    for n in 0..3 {
        assert_eq!(page.expect("note")["n"], n);
    }
    page.expect_nothing();
    // It is the same page: it goes once, and is counted once.
    drop(page);
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
}

#[test]
fn whatever_transport_a_page_goes_with_the_next_one_of_its_session_goes_on_there() {
    let server = Server::start(Start::with("[socketio]\nping_interval = \"100ms\"\nping_timeout = \"5s\"\n"));
    let note = |n: u64| server.send(&format!("session_{STRONG}"), json!({"type": "note", "n": n}));
    let mut page = IoPage::open(&server, STRONG);
    note(1);
    assert_eq!(page.expect("note")["n"], 1);
    // The answer to a sign of life proves that it has that.
    assert_eq!(page.0.next(), Got::Text("2".into()));
    page.0.send("3");
    assert_eq!(page.0.next(), Got::Text("2".into()));
    // It takes nothing any more, and nothing tells the server so.
    note(2);
    page.0.cut();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    note(3);
    let mut back = Page::open(&server, STRONG);
    for n in [2, 3] {
        assert_eq!(back.expect("note")["n"], n, "nothing is lost, and what was proved does not come again");
    }
    back.0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    note(4);
    let mut again = IoPage::open(&server, STRONG);
    assert_eq!(again.expect("note")["n"], 4);
    again.expect_nothing();
}

#[test]
fn what_is_told_while_a_socket_is_being_closed_is_for_the_session_s_next_page() {
    let server = Server::start(Start::default());
    let note = |n: u64| server.send(&format!("session_{STRONG}"), json!({"type": "note", "n": n}));
    let mut page = IoPage::open(&server, STRONG);
    note(1);
    assert_eq!(page.expect("note")["n"], 1);
    // It says goodbye, and its socket stays a little longer.
    page.0.send_raw(&[0x88, 0x80, 1, 2, 3, 4]);
    page.0.until_closed();
    note(2);
    drop(page);
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    let mut next = IoPage::open(&server, STRONG);
    assert_eq!(next.expect("note")["n"], 2);
    next.expect_nothing();
}

#[test]
fn a_page_that_leaves_its_namespace_comes_in_again_as_a_new_one() {
    let server = Server::start(Start::default());
    let mut page = IoPage::open(&server, STRONG);
    page.0.send("41");
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    server.send(&format!("session_{STRONG}"), json!({"type": "note", "n": 1}));
    page.0.enter("/", &json!({}));
    page.expect("room_joined");
    page.expect("connection_success");
    assert_eq!(page.expect("note")["n"], 1);
    page.expect_nothing();
    assert_eq!(get(&server, "/health").json()["clients"], 1);
}

#[test]
fn nothing_but_messages_in_one_namespace_is_understood() {
    let server = Server::dev();
    let mut page = IoPage::open(&server, STRONG);
    for (name, arg) in
        [("join_room", json!("lobby")), ("authenticate", json!({"userId": "7"})), ("chat", json!({}))]
    {
        assert_eq!(page.0.ask(name, &arg)["code"], "unknown_type", "{name}");
    }
    // Nor has it a room of its own by its public name, which is a word of the other dialect.
    for channel in ["lobby".to_owned(), page.0.sid()] {
        server.send(&channel, json!({"type": "x"}));
    }
    page.expect_nothing();
    page.0.send("40/api/socket,");
    assert_eq!(page.0.text(), "44/api/socket,{\"message\":\"Invalid namespace\"}");
    // What is no object harms nobody, and whoever waits hears that it came.
    for text in ["[\"message\"]", "[\"message\",7,8]"] {
        page.0.send(&format!("421{text}"));
        assert!(page.0.text().contains("unknown_type"), "{text}");
    }
    page.0.send("422[\"message\",\"text\"]");
    assert_eq!(page.0.text(), "432[]");
    page.0.send("451-3[\"message\",{\"_placeholder\":true,\"num\":0}]");
    page.0.send_bytes(&[1]);
    assert!(page.0.text().contains("unknown_type"));
    page.expect_nothing();
}

#[test]
fn its_signs_of_life_come_beside_those_of_the_session_below() {
    let times = "portico.relays = true\nportico.server_ping = \"100ms\"\nportico.room_ping = \"150ms\"\n\
                 [socketio]\nping_interval = \"100ms\"\nping_timeout = \"5s\"\n";
    let server = Server::start(Start::with(times));
    let mut page = IoPage::open(&server, STRONG);
    page.send(&json!({"type": "subscribe", "entityType": "building", "entityId": 10}));
    page.expect("room_joined");
    page.expect("subscription_confirmation");
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 3 || seen.values().any(|count| *count < 3) {
        assert!(seen.values().sum::<i32>() < 40, "one of them never comes: {seen:?}");
        let Got::Text(text) = page.0.next() else { panic!("{seen:?}") };
        let kind = ["\"server_ping\"", "\"room_ping\""].into_iter().find(|kind| text.contains(kind));
        let kind = kind.unwrap_or_else(|| if text == "2" { "2" } else { panic!("{text}") });
        *seen.entry(kind).or_insert(0) += 1;
        if text == "2" {
            page.0.send("3");
        }
    }
}

#[test]
fn a_stop_asks_these_pages_to_come_back_too_and_shows_none_out() {
    let mut server = Server::start(Start::default());
    let mut page = IoPage::open(&server, STRONG);
    server.signal("TERM");
    page.expect("reconnect_required");
    assert_eq!(page.0.until_closed().0, Some(1012));
    eventually("the server has stopped", || server.has_ended());
}

//! Who is in a conversation is known to every server, whichever of them was told.

use super::*;

fn pair(database: &Database<'_>) -> [Server; 2] {
    [(); 2].map(|()| Server::start(start_on(&database.url(), "")))
}

fn site(server: &Server, method: &str, path: &str, body: Value) {
    let answer = server.api(method, path, Some(&body));
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
}

fn say(server: &Server, text: &str) {
    site(server, "POST", "/v1/conversations/c/messages", json!({"data": {"text": text}}));
}

fn tab(server: &Server, who: &str) -> Ws {
    Ws::open(server, &format!("/v1/ws?token={}", user(who)))
}

#[test]
fn a_member_that_one_server_takes_in_and_removes_reads_and_stops_reading_at_the_other() {
    let database = shared().database();
    let [one, other] = pair(&database);
    site(&one, "POST", "/v1/conversations", json!({"id": "c", "members": ["ann", "bob"]}));
    let mut ann = tab(&other, "ann");
    eventually("the other server knows of ann", || {
        ann.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["type"] == "subscribed"
    });
    let mut eve = tab(&other, "eve");
    assert_eq!(eve.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["code"], "denied");
    say(&one, "hello ann");
    while ann.expect("event")["data"]["data"]["text"] != "hello ann" {}
    site(&one, "PUT", "/v1/conversations/c/members/eve", json!({}));
    eventually("the other server knows of eve", || {
        eve.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["type"] == "subscribed"
    });
    site(&one, "DELETE", "/v1/conversations/c/members/ann", json!({}));
    say(&one, "she is gone");
    while eve.expect("event")["data"]["data"]["text"] != "she is gone" {}
    loop {
        let frame = ann.next();
        assert_ne!(frame["data"]["data"]["text"], "she is gone", "{frame}");
        if frame["type"] == "reset" {
            assert_eq!(frame["reason"], "denied", "{frame}");
            break;
        }
    }
    assert_eq!(ann.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["code"], "denied");
    for server in [&one, &other] {
        assert_eq!(server.problems(), [""; 0]);
    }
}

#[test]
fn an_inbox_has_one_count_whichever_server_is_asked() {
    let database = shared().database();
    let [one, other] = pair(&database);
    let bearer = format!("Bearer {}", user("ann"));
    let own = |server: &Server, method: &str, path: &str, body: Option<&str>| {
        let answer = request(server, method, path, &[("Authorization", &bearer)], body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let mut ann = tab(&other, "ann");
    ann.subscribe("user:ann");
    for round in 0..5 {
        for server in [&one, &other] {
            let wish = json!({"user": "ann", "type": "booking", "title": "a time is free"});
            site(server, "POST", "/v1/notifications", wish);
        }
        for expected in [2 * round + 1, 2 * round + 2] {
            let told = ann.expect("event");
            assert_eq!(told["name"], "notification.created", "{told}");
            assert_eq!(told["data"]["number"], expected, "each exactly once, in order: {told}");
        }
        assert_eq!(own(&one, "GET", "/v1/inbox", None)["unread"], 2, "what was read at the other is read");
        let read = own(&other, "POST", "/v1/notifications/read_all", Some("{}"));
        assert_eq!(read["unread"], 0, "{read}");
        assert_eq!(ann.expect("event")["name"], "inbox.read_all");
        assert_eq!(own(&one, "GET", "/v1/inbox", None)["unread"], 0);
    }
    assert_eq!(one.problems(), [""; 0]);
}

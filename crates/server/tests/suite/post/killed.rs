//! `kill -9`: what was acknowledged about inboxes and conversations is there, once.

use super::*;

/// What was answered with success until the server was gone, and the request that may have happened or not.
struct Written {
    titles: Vec<String>,
    said: u64,
    unsure: Option<(String, String)>,
}

/// Notifies and speaks until no answer comes.
fn write(address: std::net::SocketAddr, round: usize) -> Written {
    let mut written = Written { titles: Vec::new(), said: 0, unsure: None };
    let secret = format!("Bearer {SECRET}");
    let headers = [("Authorization", secret.as_str())];
    let mut n = 0;
    loop {
        let title = format!("{round}.{n}");
        let body = json!({"user": "ann", "type": "t", "title": title, "id": title}).to_string();
        match try_request(address, "POST", "/v1/notifications", &headers, Some(&body)) {
            Some(answer) if answer.status == 200 => written.titles.push(title),
            _ => {
                written.unsure = Some((title, body));
                return written;
            }
        }
        let body = json!({"data": n, "id": format!("m-{round}-{n}")}).to_string();
        let path = "/v1/conversations/c/messages?user=ann";
        match try_request(address, "POST", path, &headers, Some(&body)) {
            Some(answer) if answer.status == 200 => written.said += 1,
            _ => return written,
        }
        n += 1;
    }
}

/// The titles of all pages, the oldest first.
fn titles(server: &Server) -> Vec<String> {
    let (mut there, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/notifications?user=ann&limit=500{before}");
        let page = server.api("GET", &path, None).json();
        let list = page["notifications"].as_array().unwrap();
        there.extend(list.iter().map(|one| one["title"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_u64() else { break };
        before = format!("&before={next}");
    }
    there.reverse();
    there
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_a_retry_acts_once() {
    let mut server = Server::start(Start::default());
    let (mut expected, mut said) = (Vec::new(), 0);
    let members = json!({"id": "c", "members": ["ann", "bob"]});
    assert_eq!(server.api("POST", "/v1/conversations", Some(&members)).status, 200);
    for round in 0..count(4, 40) {
        let address = server.address;
        let writer = std::thread::spawn(move || write(address, round));
        eventually("something was written", || {
            let inbox = server.api("GET", "/v1/inbox?user=ann", None).json();
            inbox["newest"].as_u64() > Some(expected.len() as u64 + 10)
        });
        server = server.crash_and_restart();
        let written = writer.join().unwrap();
        expected.extend(written.titles);
        said += written.said;
        if let Some((title, body)) = written.unsure {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(server.api("POST", "/v1/notifications", Some(&body)).status, 200);
            expected.push(title);
        }
        let seen = server.api("GET", "/v1/conversations/c", None).json();
        let there = seen["conversation"]["newest"].as_u64().unwrap();
        assert!(there == said || there == said + 1, "{said} were answered, {there} are there");
        said = there;
    }
    assert_eq!(titles(&server), expected, "each once, and in order");
    assert_eq!(server.api("GET", "/v1/inbox?user=ann", None).json()["unread"], expected.len());
    let mut ws = Ws::open(&server, &format!("/v1/ws?token={}", user("bob")));
    assert_eq!(
        ws.subscribe("conversation:c")["type"],
        "subscribed",
        "who is a member is known after a crash"
    );
    assert_eq!(ws.ask(json!({"type": "conversations"}))["conversations"][0]["unread"], said);
    assert_eq!(server.problems(), Vec::<String>::new());
}

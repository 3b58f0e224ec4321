//! Clients whose network lets no WebSocket through: the same frames, by requests.

use super::*;

#[test]
fn whoever_comes_by_requests_has_the_same_conversation() {
    let server = Server::start(Start::default());
    for open in [Xhr::streaming, Xhr::polling] {
        let mut client = open(&server, "1/talk");
        let mut other = Pusher::open(&server);
        assert_eq!(client.subscribe("news", None), json!({}));
        trigger(&server, "news", "greeting", &json!({"text": "Grüße 🦀"}));
        let frame = client.expect("greeting");
        assert_eq!((&frame["channel"], &frame["data"]), (&json!("news"), &json!({"text": "Grüße 🦀"})));
        other.enter("presence-room", r#"{"user_id":"7"}"#);
        let there = client.subscribe("presence-room", Some(r#"{"user_id":"8","user_info":{"name":"Bo"}}"#));
        assert_eq!(there["presence"]["ids"].as_array().unwrap().len(), 2);
        assert_eq!(other.expect("pusher_internal:member_added")["data"]["user_id"], "8");
        client.say("client-typing", "presence-room", &json!({"on": true}));
        let said = other.expect("client-typing");
        assert_eq!((&said["user_id"], &said["data"]), (&json!("8"), &json!({"on": true})));
        other.say("client-typing", "presence-room", &json!("text"));
        assert_eq!(client.expect("client-typing")["data"], "text");
        client.send("pusher:ping", &json!({}));
        client.expect("pusher:pong");
        client.send("pusher:subscribe", &json!({"channel": "private-x", "auth": "test-key:00"}));
        assert_eq!(client.expect("pusher:subscription_error")["data"]["status"], 401);
        client.expect("pusher:error");
        // A sign of life is answered by something that is answered by nothing.
        assert_eq!(client.post("[]").status, 204);
        let mut line = client.line();
        if line.is_none() {
            // The poll before was answered already.
            client.receive();
            line = client.line();
        }
        assert_eq!(line.as_deref(), Some("a[]"));
        client.leave();
        assert_eq!(other.expect("pusher_internal:member_removed")["data"]["user_id"], "8");
    }
}

#[test]
fn between_two_polls_nothing_is_lost_and_nothing_comes_twice() {
    let server = Server::start(Start::default());
    let mut client = Xhr::polling(&server, "3/gap");
    client.subscribe("news", None);
    let mut seen = Vec::new();
    for round in 0..20 {
        // Nobody asks while these are triggered.
        for n in 0..10 {
            trigger(&server, "news", "e", &json!(round * 10 + n));
        }
        while seen.len() < (round + 1) * 10 {
            seen.push(client.expect("e")["data"].as_u64().unwrap());
        }
    }
    assert_eq!(seen, (0..200).collect::<Vec<u64>>());
}

#[test]
fn a_stream_that_is_read_to_its_length_is_followed_by_the_next_without_a_gap() {
    let config = "pusher.data = \"64KiB\"\nlimit.backlog = \"64KiB\"\n";
    let server = Server::start(Start::with(config));
    let mut client = Xhr::streaming(&server, "4/long");
    client.subscribe("news", None);
    // In bytes it is twice as long as its reader counts.
    let text = "ä🦀".repeat(3_000);
    let sender = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for n in 0..120 {
                let answer = trigger(&server, "news", "e", &json!({"n": n, "text": text}));
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        });
        for n in 0..120 {
            assert_eq!(client.expect("e")["data"]["n"], n);
        }
        sender.join()
    });
    sender.unwrap();
    assert_eq!(client.closed, None);
}

#[test]
fn what_may_not_connect_hears_its_code_in_the_lines() {
    let config = "[[apps]]\nid = 1002\nkey = \"closed\"\nsecret = \"a secret that is long enough to be one\"\n\
                  pusher_enabled = false\n";
    let server = Server::start(Start::with(config));
    for (key, code) in [("nobody", 4001), ("closed", 4003)] {
        for way in ["xhr_streaming", "xhr"] {
            let mut client = Xhr::knock(&server, &format!("/pusher/app/{key}/5/no{code}"), way);
            assert_eq!(client.expect("pusher:error")["data"]["code"], code);
            assert!(client.try_next().is_none());
            assert_eq!(client.closed.as_ref().map(|closed| closed.0), Some(code));
        }
    }
    // A connection that is not there any more: pusher-js opens another one.
    let path = "/pusher/app/test-key/6/gone/xhr_send";
    assert_eq!(request(&server, "POST", path, &[], Some("[]")).status, 404);
    let path = "/pusher/app/test-key/6666/gone/xhr";
    assert_eq!(request(&server, "POST", path, &[], Some("")).status, 400);
    for way in ["xhr", "xhr_streaming", "xhr_send"] {
        let answer = preflight(&server, &format!("/any/prefix/app/test-key/7/a/{way}"));
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
    }
    let closed = preflight(&server, "/pusher/auth");
    assert_eq!(closed.status, 403, "what knows people by cookies is closed to other sites");
}

#[test]
fn a_stop_tells_them_to_come_back_at_once() {
    let server = Server::start(Start::with("drain = \"2s\"\n"));
    let mut clients = [Xhr::streaming(&server, "1/stop"), Xhr::polling(&server, "2/stop")];
    // Whoever polls has asked for the next frames before it knows of them.
    clients[1].receive();
    server.signal("TERM");
    for client in &mut clients {
        while client.try_next().is_some() {}
        assert_eq!(client.closed.as_ref().map(|closed| closed.0), Some(4200));
    }
}

#[test]
fn another_page_with_the_same_name_does_not_share_a_connection() {
    let server = Server::start(Start::default());
    let mut first = Xhr::streaming(&server, "8/same");
    first.subscribe("news", None);
    // The name is the connection: whoever has it receives from now on, and the one before ends.
    let mut second = Xhr::resumed(&server, "8/same");
    trigger(&server, "news", "e", &json!(1));
    assert_eq!(second.expect("e")["data"], 1);
    assert_eq!(first.line(), None);
}

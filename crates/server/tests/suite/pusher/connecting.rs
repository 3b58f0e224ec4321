//! How connections begin, how it is known that they live, and how they end.

use super::*;

/// Times that are short enough for a test.
const QUICK: &str = "pusher.activity_timeout = \"1s\"\npusher.pong_timeout = \"4s\"\n";

#[test]
fn the_first_frame_names_the_socket_and_a_time() {
    let server = Server::start(Start::default());
    // The path may have a prefix, and nothing of the query need be there.
    for path in ["/app/test-key", "/any/prefix/app/test-key?protocol=5", "/.pusher.com:443/app/test-key"] {
        let mut ws = Pusher::knock(&server, path);
        let frame = ws.next();
        assert_eq!(frame["event"], "pusher:connection_established");
        let data: Value = serde_json::from_str(frame["data"].as_str().expect("a text")).unwrap();
        assert_eq!(data["activity_timeout"], 120);
        let socket = data["socket_id"].as_str().unwrap();
        let (one, two) = socket.split_once('.').expect("two numbers");
        assert!(one.parse::<u64>().is_ok() && two.parse::<u64>().is_ok(), "{socket}");
    }
}

#[test]
fn what_may_not_connect_hears_its_code_in_a_frame_and_in_the_close() {
    let secret = "a secret that is long enough to be one";
    let config = format!(
        "[[apps]]\nid = 1002\nkey = \"closed\"\nsecret = \"{secret}\"\npusher_enabled = false\n\
         [[apps]]\nid = 1003\nkey = \"small\"\nsecret = \"{secret} too\"\npusher_connections = 1\n"
    );
    let server = Server::start(Start::with(&config));
    let mut only = Pusher::knock(&server, "/app/small");
    only.next();
    for (key, code) in [("nobody", 4001), ("closed", 4003), ("small", 4004)] {
        let mut ws = Pusher::knock(&server, &format!("/app/{key}"));
        let frame = ws.next();
        assert_eq!(frame["event"], "pusher:error");
        let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["code"], code, "{key}");
        assert_eq!(ws.until_closed().code, Some(code));
    }
}

#[test]
fn both_sides_ask_for_a_sign_of_life_and_whoever_gives_none_is_closed() {
    let server = Server::start(Start::with(QUICK));
    let mut client = Pusher::open(&server);
    client.send("pusher:ping", &json!({}));
    assert_eq!(client.expect("pusher:pong")["data"], json!({}));
    client.send_text(r#"{"event":"pusher:ping"}"#);
    client.expect("pusher:pong");
    // Whoever answers stays, also in no channel.
    for _ in 0..3 {
        client.expect("pusher:ping");
        client.send("pusher:pong", &json!({}));
    }
    client.expect("pusher:ping");
    let closed = client.until_closed();
    assert_eq!((closed.code, closed.reason.as_str()), (Some(4201), "Pong reply not received"));
}

#[test]
fn a_stop_sends_everybody_away_with_4200_and_cached_values_wait_for_them() {
    let config = "drain = \"2s\"\n[[channels]]\npattern = \"*cache-*\"\ndurable = true\n";
    let mut server = Server::start(Start::with(config));
    let mut clients: Vec<Pusher> = (0..20).map(|_| Pusher::open(&server)).collect();
    for client in &mut clients {
        client.subscribe("private-cache-news");
        client.expect("pusher:cache_miss");
    }
    trigger(&server, "private-cache-news", "e", &json!("before"));
    for client in &mut clients {
        assert_eq!(client.expect("e")["data"], "before");
    }
    server.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.until_closed().code, Some(4200));
    }
    eventually("the server has ended", || server.has_ended());
    let mut server = server.restarted();
    let mut back = Pusher::open(&server);
    back.subscribe("private-cache-news");
    assert_eq!(back.expect("e")["data"], "before", "what was said before the stop");
    trigger(&server, "private-cache-news", "e", &json!("after"));
    assert_eq!(back.expect("e")["data"], "after");
    // A crash is no other thing for what is on the disk.
    server = server.crash_and_restart();
    let mut back = Pusher::open(&server);
    back.subscribe("private-cache-news");
    assert_eq!(back.expect("e")["data"], "after");
}

#[test]
fn what_is_said_between_the_close_and_the_return_can_be_read() {
    // A stock client knows no cursor: its page, or its backend, asks for what was said meanwhile.
    let server = Server::start(Start::default());
    let mut client = Pusher::open(&server);
    client.subscribe("news");
    trigger(&server, "news", "e", &json!(1));
    client.expect("e");
    drop(client);
    trigger(&server, "news", "e", &json!(2));
    let mut back = Pusher::open(&server);
    back.subscribe("news");
    back.expect_nothing();
    let missed = server.api("GET", "/v1/channels/news/events", None).json();
    let data: Vec<&Value> = missed["events"].as_array().unwrap().iter().map(|event| &event["data"]).collect();
    assert_eq!(data, [&json!(1), &json!(2)]);
}

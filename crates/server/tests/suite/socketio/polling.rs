//! Sessions that poll, and their change to a WebSocket.

use serde_json::json;

use super::{Client, Got, Poller};
use crate::harness::{Conn, Server, Start, request};

const QUICK: &str =
    "[socketio]\nping_interval = \"300ms\"\nping_timeout = \"200ms\"\nupgrade_timeout = \"400ms\"\n";

#[test]
fn a_polling_client_hears_what_happens_between_two_requests() {
    let server = Server::dev();
    let mut poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    assert_eq!(poller.next(), "430[{\"success\":true}]");
    for n in 0..40 {
        server.send("lobby", n);
    }
    for n in 0..40 {
        let text = poller.next();
        assert!(text.starts_with(&format!("42[\"e\",{n}")), "{text}");
    }
}

#[test]
fn an_answer_has_at_most_sixteen_packets() {
    let server = Server::dev();
    let mut poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    poller.next();
    for n in 0..40 {
        server.send("lobby", n);
    }
    // All of them are there by the time that a client on the same shard's turn has heard the last.
    let mut witness = Client::connect(&server);
    witness.join("lobby");
    assert_eq!(poller.get().text().split('\u{1e}').count(), 16);
}

#[test]
fn a_request_waits_until_something_happens() {
    let server = Server::dev();
    let mut poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    poller.next();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| poller.get());
        server.send("lobby", 1);
        let answer = waiting.join().unwrap();
        assert!(answer.text().starts_with("42[\"e\",1"), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    });
}

#[test]
fn every_error_has_the_body_that_clients_know() {
    let server = Server::dev();
    let sid = Poller::open(&server).sid;
    for (method, query, status, body) in [
        ("GET", "EIO=4", 400, r#"{"code":0,"message":"Transport unknown"}"#),
        ("GET", "EIO=4&transport=carrier-pigeon", 400, r#"{"code":0,"message":"Transport unknown"}"#),
        ("GET", "EIO=4&transport=polling&sid=none", 400, r#"{"code":1,"message":"Session ID unknown"}"#),
        ("POST", "EIO=4&transport=polling", 400, r#"{"code":2,"message":"Bad handshake method"}"#),
        ("PUT", &format!("EIO=4&transport=polling&sid={sid}"), 400, r#"{"code":3,"message":"Bad request"}"#),
        ("GET", "EIO=4&transport=websocket", 400, r#"{"code":3,"message":"Bad request"}"#),
        ("GET", "EIO=3&transport=polling", 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
    ] {
        for path in ["/socket.io/", "/socket.io", "/api/socket/", "/api/socket", "/wss/socket.io/"] {
            let answer = request(&server, method, &format!("{path}?{query}"), &[], None);
            assert_eq!((answer.status, answer.text().as_str()), (status, body), "{method} {path}?{query}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn two_requests_at_once_end_the_session() {
    let server = Server::dev();
    let poller = Poller::connect(&server);
    let mut first = poller.waiting(&server);
    let second = poller.get();
    assert_eq!(second.status, 400, "{second:?}");
    let answer = first.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "1"));
    assert_eq!(poller.get().status, 400);
}

#[test]
fn two_bodies_at_once_end_the_session_and_one_after_the_other_does_not() {
    use std::io::{Read as _, Write as _};
    let server = Server::dev();
    let poller = Poller::connect(&server);
    for _ in 0..3 {
        poller.post("3");
    }
    let mut first = Conn::open(&server);
    let head = "Host: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nExpect: 100-continue";
    first.send(format!("POST {} HTTP/1.1\r\n{head}\r\n\r\n", poller.path()));
    // The server says this when it waits for the body.
    let goes_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = [0; 25];
    first.read_exact(&mut said).unwrap();
    assert_eq!(&said, goes_on);
    assert_eq!(poller.try_post("3").status, 400);
    first.write_all(b"41").unwrap();
    assert_eq!(first.answer().status, 400);
    assert_eq!(poller.get().status, 400);
    // Another session's body is nobody else's matter.
    let (one, other) = (Poller::connect(&server), Poller::connect(&server));
    let mut begun = Conn::open(&server);
    begun.send(format!("POST {} HTTP/1.1\r\n{head}\r\n\r\n", one.path()));
    begun.read_exact(&mut said).unwrap();
    other.post("3");
}

#[test]
fn a_websocket_that_is_refused_hears_why_over_http() {
    let server = Server::dev();
    for (query, body) in [
        ("EIO=3&transport=websocket", r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ("EIO=4&transport=polling", r#"{"code":3,"message":"Bad request"}"#),
        ("EIO=4&transport=websocket&sid=none", r#"{"code":1,"message":"Session ID unknown"}"#),
    ] {
        let no = Client::raw(&server, &format!("/socket.io/?{query}"), &[]).err().unwrap();
        assert!(no.starts_with("HTTP/1.1 400 ") && no.ends_with(body), "{query}: {no}");
    }
    Client::connect(&server).expect_nothing();
}

#[test]
fn a_request_that_its_client_gives_up_ends_the_session() {
    let server = Server::dev();
    let poller = Poller::connect(&server);
    drop(poller.waiting(&server));
    crate::harness::eventually("the session has ended", || poller.try_post("3").status == 400);
}

#[test]
fn a_client_that_closes_is_told_nothing_more() {
    let server = Server::dev();
    let poller = Poller::connect(&server);
    let mut waiting = poller.waiting(&server);
    poller.post("1");
    assert_eq!(waiting.answer().text(), "6");
    assert_eq!(poller.get().status, 400);
}

#[test]
fn a_body_that_is_none_ends_the_session() {
    let server = Server::dev();
    for (body, kind) in [("abc", "text/plain"), ("", "text/plain"), ("42[]", "application/octet-stream")] {
        let poller = Poller::connect(&server);
        let headers = [("Content-Type", kind)];
        let answer = request(&server, "POST", &poller.path(), &headers, Some(body));
        assert_eq!(answer.status, 400, "{body} {kind}");
        assert_eq!(poller.get().status, 400, "{body} {kind}");
    }
}

#[test]
fn a_body_of_too_many_packets_ends_the_session() {
    let server = Server::dev();
    let packets = |count: usize| vec!["3"; count].join("\u{1e}");
    let poller = Poller::connect(&server);
    assert_eq!(poller.try_post(&packets(deskbell_core::limits::POLL_PACKETS_IN)).status, 200);
    assert_eq!(poller.try_post(&packets(deskbell_core::limits::POLL_PACKETS_IN + 1)).status, 400);
    assert_eq!(poller.get().status, 400);
}

#[test]
fn a_client_without_bytes_sends_them_as_base64_over_both_transports() {
    let server = Server::dev();
    let mut client = Client::open(&server, "&b64=1", &[]);
    client.enter("/", &json!({}));
    client.send("451-7[\"upload\",{\"_placeholder\":true,\"num\":0}]");
    client.send("bAQID");
    assert!(client.text().starts_with("437[{\"success\":false,\"code\":\"unknown_type\""));
    let mut poller = Poller::connect(&server);
    poller.post("451-7[\"upload\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID");
    assert!(poller.next().starts_with("437[{\"success\":false,\"code\":\"unknown_type\""));
}

#[test]
fn a_body_that_is_too_long_is_refused_and_ends_the_session() {
    let server = Server::start(Start::with("[socketio]\nmax_payload = \"2KiB\"\n").flag("--dev"));
    let poller = Poller::connect(&server);
    assert_eq!(poller.open["maxPayload"], 2_048);
    assert_eq!(poller.try_post(&"4".repeat(3_000)).status, 413);
    assert_eq!(poller.get().status, 400);
    let mut client = Client::connect(&server);
    client.send(&format!("42[\"{}\"]", "x".repeat(3_000)));
    assert_eq!(client.until_closed().0, Some(1009));
}

#[test]
fn silence_ends_a_session() {
    let server = Server::start(Start::with(QUICK).flag("--dev"));
    let mut poller = Poller::connect(&server);
    assert_eq!(poller.next(), "2");
    crate::harness::eventually("the session has ended", || poller.try_post("4").status == 400);
    let mut client = Client::connect(&server);
    assert_eq!(client.next(), Got::Text("2".into()));
    client.send("3");
    assert_eq!(client.next(), Got::Text("2".into()));
    assert_eq!(client.until_closed().0, Some(4408));
}

#[test]
fn the_next_sign_of_life_is_due_one_interval_after_the_answer_however_long_that_may_take() {
    let times = "[socketio]\nping_interval = \"100ms\"\nping_timeout = \"20s\"\n";
    let server = Server::start(Start::with(times).flag("--dev"));
    let mut client = Client::connect(&server);
    let begun = std::time::Instant::now();
    for _ in 0..4 {
        assert_eq!(client.next(), Got::Text("2".into()));
        // One that nobody asked for puts nothing off and does no harm.
        client.send("3");
        client.send("3");
    }
    let waited = begun.elapsed().as_secs();
    assert!(waited < 15, "four of them took {waited} s");
}

#[test]
fn a_ping_from_a_client_goes_the_wrong_way() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("2");
    assert_eq!(client.until_closed().0, Some(1002));
}

#[test]
fn a_polling_client_changes_to_a_websocket_and_misses_nothing() {
    let server = Server::dev();
    let mut poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    poller.next();
    assert_eq!(poller.open["upgrades"], json!(["websocket"]));
    server.send("lobby", 0);
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
    let mut client = Client::raw(&server, &path, &[]).unwrap();
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    server.send("lobby", 1);
    // While it changes every request is answered at once, and nothing is told by it.
    assert_eq!(poller.get().text(), "6");
    assert_eq!(poller.get().text(), "6");
    client.send("5");
    server.send("lobby", 2);
    for n in 0..3 {
        let text = client.text();
        assert!(text.starts_with(&format!("42[\"e\",{n}")), "{text}");
    }
    client.send("420[\"leave_room\",\"lobby\"]");
    assert_eq!(client.text(), "430[{\"success\":true}]");
    let answer = poller.get();
    assert_eq!((answer.status, answer.text().as_str()), (400, r#"{"code":3,"message":"Bad request"}"#));
    let mut second = Client::raw(&server, &path, &[]).unwrap();
    second.until_closed();
    client.send("421[\"leave_room\",\"lobby\"]");
    assert_eq!(client.text(), "431[{\"success\":true}]");
}

#[test]
fn what_comes_right_behind_the_change_is_heard() {
    let server = Server::dev();
    let poller = Poller::open(&server);
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
    let mut client = Client::raw(&server, &path, &[]).unwrap();
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    client.send("5");
    client.send("40");
    assert!(client.text().starts_with("40{\"sid\""));
}

#[test]
fn a_change_that_fails_leaves_the_session_polling() {
    let server = Server::start(Start::with(QUICK).flag("--dev"));
    let mut poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    assert_eq!(poller.next(), "430[{\"success\":true}]");
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
    for cut in [true, false] {
        let mut client = Client::raw(&server, &path, &[]).unwrap();
        client.send("2probe");
        assert_eq!(client.text(), "3probe");
        if cut {
            client.cut();
        } else {
            client.until_closed();
        }
        server.send("lobby", 1);
        loop {
            match poller.next().as_str() {
                "2" => poller.post("3"),
                "6" => {}
                text => {
                    assert!(text.starts_with("42[\"e\",1"), "{text}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_page_reads_its_answers_with_its_cookies_where_its_origin_is_named() {
    let site = "https://www.example.org";
    let server = Server::start(Start::with(&format!("[cors]\norigins = [\"{site}\"]\n")));
    let poller = Poller::open_with(&server, &[("Origin", site)]);
    assert_eq!(poller.greeting.header("access-control-allow-origin"), Some(site));
    assert_eq!(poller.greeting.header("access-control-allow-credentials"), Some("true"));
    let path = "/socket.io/?EIO=4&transport=polling";
    let foreign = request(&server, "GET", path, &[("Origin", "https://evil.test")], None);
    assert_eq!((foreign.status, foreign.text().as_str()), (403, r#"{"code":4,"message":"Forbidden"}"#));
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    // No browser asks before it opens a WebSocket, so its origin is looked at here.
    let socket = "/socket.io/?EIO=4&transport=websocket";
    assert!(Client::raw(&server, socket, &[("Origin", site)]).is_ok());
    assert!(Client::raw(&server, socket, &[("Origin", "https://evil.test")]).is_err());
    let preflight = [("Origin", site), ("Access-Control-Request-Method", "POST")];
    let answer = request(&server, "OPTIONS", path, &preflight, None);
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, Some("GET, POST")));
}

#[test]
fn a_sticky_cookie_is_there_if_it_is_wanted() {
    let server = Server::start(Start::with("[socketio]\nsticky_cookie = \"io\"\n").flag("--dev"));
    let poller = Poller::open(&server);
    let cookies: Vec<&str> = poller
        .greeting
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with(&format!("io={};", poller.sid))), "{cookies:?}");
}

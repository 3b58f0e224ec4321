//! What has brought down other servers of this protocol, each by its name.

use serde_json::json;

use super::{Client, Got, Poller};
use crate::harness::{Conn, Server, Start, get, request};

/// A message is answered by the end of the connection, and nobody else notices.
fn is_fatal(server: &Server, message: &str) {
    let mut client = Client::connect(server);
    client.send(message);
    assert_eq!(client.until_closed().0, Some(1002), "{message}");
    let mut other = Client::connect(server);
    other.expect_nothing();
}

#[test]
fn characters_of_several_bytes_do_no_harm() {
    let server = Server::dev();
    for message in ["éabcd", "4éabcd", "42é", "bé", "4\u{1F600}"] {
        is_fatal(&server, message);
        let poller = Poller::connect(&server);
        assert_eq!(poller.try_post(message).status, 400, "{message}");
        assert_eq!(poller.get().status, 400, "{message}");
    }
}

#[test]
fn packets_that_are_none_end_the_connection() {
    let server = Server::dev();
    for message in [
        "4",
        "4abc",
        "42",
        "42{}",
        "42[]",
        "42abc[\"x\"]",
        "42[{}]",
        "42[null]",
        "43[]",
        "43[1]",
        "41\"x\"",
        "40[]",
        "44{}",
        "42[\"connect\"]",
        "42[\"disconnect\"]",
        "45",
        "45-[]",
        "4299999999999999999999[\"x\"]",
        "7",
        "",
        "42[\"x\"",
        "42[\"x\"]]",
    ] {
        is_fatal(&server, message);
    }
}

#[test]
fn json_that_is_too_deep_ends_the_connection() {
    let server = Server::dev();
    is_fatal(&server, &format!("42[\"x\",{}{}]", "[".repeat(100_000), "]".repeat(100_000)));
}

#[test]
fn attachments_are_bounded_by_their_number() {
    let server = Server::dev();
    is_fatal(&server, "4511-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    is_fatal(&server, "4599999999999999999999-[\"x\"]");
}

#[test]
fn attachments_are_bounded_by_their_bytes_together() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("452-[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
    client.send_bytes(&vec![0; 600_000]);
    client.send_bytes(&vec![0; 600_000]);
    assert_eq!(client.until_closed().0, Some(1002));
}

#[test]
fn attachments_that_never_come_end_the_connection() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("451-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(client.until_closed().0, Some(1002));
}

#[test]
fn attachments_that_come_too_late_end_the_connection() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("452-[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
    let begun = std::time::Instant::now();
    // One byte of them now and then puts nothing off.
    client.send_bytes(&[1]);
    assert_eq!(client.until_closed().0, Some(1002));
    let waited = begun.elapsed().as_millis() as u64;
    assert!(waited >= deskbell_core::limits::ATTACHMENTS_TIME - 100, "it was given {waited} ms");
}

#[test]
fn a_message_of_very_many_tiny_fragments_ends_the_connection() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let mut frames = vec![0x01, 0x80, 1, 2, 3, 4];
    for _ in 0..deskbell_core::limits::FRAGMENTS {
        frames.extend([0x00, 0x80, 1, 2, 3, 4]);
    }
    client.send_raw(&frames);
    assert_eq!(client.until_closed().0, Some(1009));
    Client::connect(&server).expect_nothing();
}

#[test]
fn a_body_of_very_many_tiny_chunks_costs_what_its_bytes_cost() {
    use std::io::Write as _;
    let server = Server::dev();
    let poller = Poller::connect(&server);
    let before = server.peak();
    let mut stream = Conn::open(&server);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", poller.path());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&b"1\r\n4\r\n".repeat(900_000)).unwrap();
    stream.write_all(b"0\r\n\r\n").unwrap();
    // It is no packet, but it was read to its end.
    assert_eq!(stream.answer().status, 400);
    let grown = server.peak() - before;
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes for a body of 900,000");
}

#[test]
fn sessions_that_ask_for_no_namespace_are_few_for_each_address() {
    let server = Server::start(
        Start::with("trusted_proxies = [\"127.0.0.1\"]\nlimit.connect_rate_per_address = 0\n").flag("--dev"),
    );
    let from = |address: &'static str| [("X-Forwarded-For", address)];
    let path = "/socket.io/?EIO=4&transport=polling";
    let most = deskbell_core::limits::UNUSED_PER_ADDRESS;
    for _ in 0..most {
        assert_eq!(request(&server, "GET", path, &from("10.0.0.1"), None).status, 200);
    }
    let one_more = request(&server, "GET", path, &from("10.0.0.1"), None);
    assert_eq!((one_more.status, one_more.text().as_str()), (403, r#"{"code":4,"message":"Forbidden"}"#));
    assert!(Client::raw(&server, "/socket.io/?EIO=4&transport=websocket", &from("10.0.0.1")).is_err());
    // Others have their own places, and who has come in gives its place back.
    let mut others: Vec<Client> = Vec::new();
    for _ in 0..most + 10 {
        others.push(Client::connect_with(&server, &json!({}), &from("10.0.0.2")));
    }
    drop(others);
    // Whoever never asks is let go, and then there is room again.
    crate::harness::eventually("there is room again", || {
        request(&server, "GET", path, &from("10.0.0.1"), None).status == 200
    });
}

/// A page in development is mounted twice: it connects, goes, and connects again within a moment.
#[test]
fn a_page_that_goes_while_it_connects_leaves_nothing_behind() {
    let server = Server::start(Start::with("limit.connect_rate_per_address = 0\n").flag("--dev"));
    let before = server.stats()["connections"].as_i64().unwrap();
    let logged = server.logged().len();
    for round in 0..2 * deskbell_core::limits::UNUSED_PER_ADDRESS {
        let Ok(client) = Client::raw(&server, "/socket.io/?EIO=4&transport=websocket", &[]) else {
            // The server has not seen yet that those before it went.
            continue;
        };
        if round % 2 == 0 {
            client.cut();
        }
    }
    crate::harness::eventually("every place is free", || {
        server.stats()["connections"].as_i64() == Some(before)
    });
    Client::connect(&server).expect_nothing();
    assert_eq!(server.logged()[logged..], [] as [String; 0]);
}

#[test]
fn a_change_to_a_websocket_does_not_make_a_session_one_that_was_asked_for() {
    let server = Server::start(Start::with("limit.connect_rate_per_address = 0\n").flag("--dev"));
    let most = deskbell_core::limits::UNUSED_PER_ADDRESS;
    let mut changed = Vec::new();
    for _ in 0..most {
        let poller = Poller::open(&server);
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
        let mut client = Client::raw(&server, &path, &[]).unwrap();
        client.send("2probe");
        client.send("5");
        assert_eq!(client.text(), "3probe");
        changed.push(client);
    }
    let path = "/socket.io/?EIO=4&transport=polling";
    crate::harness::eventually("every change is done", || get(&server, path).status == 403);
    // One of them asks at last, and its place is free.
    changed[0].enter("/", &json!({}));
    assert_eq!(get(&server, path).status, 200);
    assert_eq!(get(&server, path).status, 403);
}

#[test]
fn a_placeholder_that_names_no_attachment_ends_the_connection() {
    let server = Server::dev();
    for num in ["1", "-1", "\"splice\"", "null", "1e3"] {
        is_fatal(&server, &format!("451-[\"x\",{{\"_placeholder\":true,\"num\":{num}}}]"));
    }
}

#[test]
fn text_between_attachments_and_bytes_without_a_packet_end_the_connection() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("451-[\"x\",{\"_placeholder\":true,\"num\":0}]");
    client.send("42[\"x\"]");
    assert_eq!(client.until_closed().0, Some(1002));
    let mut client = Client::connect(&server);
    client.send_bytes(&[1, 2, 3]);
    assert_eq!(client.until_closed().0, Some(1002));
}

#[test]
fn a_binary_event_is_understood_and_never_told_to_others() {
    let server = Server::dev();
    let (mut client, mut other) = (Client::connect(&server), Client::connect(&server));
    other.join("lobby");
    client.send("451-7[\"upload\",{\"_placeholder\":true,\"num\":0}]");
    client.send_bytes(&[1, 2, 3]);
    assert!(client.text().starts_with("437[{\"success\":false,\"code\":\"unknown_type\""));
    other.expect_nothing();
}

#[test]
fn a_second_connect_neither_judges_again_nor_replaces_the_socket() {
    let server = Server::dev();
    is_fatal(&server, "40");
    is_fatal(&server, "40{\"token\":\"x\"}");
}

#[test]
fn what_is_said_in_a_namespace_that_was_not_entered_ends_the_connection() {
    let server = Server::dev();
    is_fatal(&server, "42/api/socket,[\"x\"]");
    is_fatal(&server, "41/api/socket,");
    let mut client = Client::open(&server, "", &[]);
    client.send("42[\"x\"]");
    assert_eq!(client.until_closed().0, Some(1002));
}

#[test]
fn a_name_of_a_session_that_is_none_opens_none() {
    let server = Server::dev();
    for sid in ["", "x", "%00", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(1_000)] {
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let answer = get(&server, &path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, r#"{"code":1,"message":"Session ID unknown"}"#),
            "{sid}"
        );
    }
    let twice = get(&server, "/socket.io/?EIO=4&transport=polling&sid=a&sid=b");
    assert_eq!(twice.status, 400);
}

#[test]
fn a_path_that_only_begins_like_ours_is_not_ours() {
    let server = Server::dev();
    for path in ["/socket.io-admin/", "/socket.ioo", "/socket.io/x", "/xsocket.io/", "/api/socket2"] {
        assert_eq!(get(&server, &format!("{path}?EIO=4&transport=polling")).status, 404, "{path}");
    }
}

#[test]
fn a_change_to_a_websocket_that_is_begun_and_never_finished_leaves_nothing_behind() {
    let server = Server::dev();
    let before = server.stats()["connections"].as_i64().unwrap();
    let mut opened = Vec::new();
    for _ in 0..20 {
        let poller = Poller::connect(&server);
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
        let mut client = Client::raw(&server, &path, &[]).unwrap();
        client.send("2probe");
        assert_eq!(client.text(), "3probe");
        poller.post("1");
        opened.push(client);
    }
    for client in &mut opened {
        client.until_closed();
    }
    drop(opened);
    crate::harness::eventually("every place is free", || {
        server.stats()["connections"].as_i64() == Some(before)
    });
}

#[test]
fn a_goodbye_in_the_middle_of_the_change_to_a_websocket_is_heard_there() {
    let server = Server::dev();
    let mut poller = Poller::connect(&server);
    poller.post(&format!("42{}", json!(["authenticate", {"token": "x", "userId": "u1"}])));
    assert!(poller.next().starts_with(r#"42["authenticated""#));
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", poller.sid);
    let mut client = Client::raw(&server, &path, &[]).unwrap();
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    // From here on the client polls no more, and what it is told waits for its next word.
    let answer = server.api("POST", "/v1/users/u1/disconnect", None);
    assert_eq!(answer.status, 200, "{answer:?}");
    client.send("5");
    assert_eq!(client.text(), "41");
    client.until_closed();
}

#[test]
fn a_namespace_s_query_is_not_part_of_its_name() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("40/api/socket?token=x,");
    assert!(client.text().starts_with("40/api/socket,{\"sid\""));
    client.send("41/api/socket");
    client.enter("/api/socket", &json!({}));
}

#[test]
fn a_client_that_never_asks_is_bounded() {
    let server = Server::dev();
    let poller = Poller::connect(&server);
    poller.post("420[\"join_room\",\"lobby\"]");
    let large = "x".repeat(60_000);
    for _ in 0..10 {
        server.send("lobby", large.as_str());
    }
    // What it was not told waits in the log: it gets all of it, one after the other.
    let mut poller = poller;
    assert!(poller.next().starts_with("430"));
    for _ in 0..10 {
        assert!(poller.next().len() > 60_000);
    }
}

#[test]
fn a_client_that_asks_without_taking_its_answers_is_let_go() {
    let server = Server::dev();
    let poller = Poller::connect(&server);
    let ask = format!("420[\"join_room\",{}]", json!("é".repeat(2_000)));
    let many = vec![ask; 100].join("\u{1e}");
    let mut taken = 0;
    while poller.try_post(&many).status == 200 {
        taken += 1;
        assert!(taken < 1_000, "it is never let go");
    }
    assert_eq!(poller.get().status, 400);
}

#[test]
fn a_close_of_a_websocket_is_a_close() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    client.send("1");
    assert!(matches!(client.next(), Got::Closed(..)));
}

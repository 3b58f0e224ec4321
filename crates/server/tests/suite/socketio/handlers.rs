//! Events that the application's backend handles.

use serde_json::json;

use super::Client;
use crate::harness::{Receiver, Say, Server, Start};

fn server(receiver: &Receiver) -> Server {
    let handler = format!("[[socketio_handlers]]\nurl = \"{}\"\nevents = [\"photo\"]\n", receiver.url());
    Server::start(Start::with(&handler).flag("--dev"))
}

#[test]
fn bytes_come_to_the_backend_in_base64_beside_the_arguments_that_name_them() {
    let receiver = Receiver::start();
    receiver.say(Say::Json(200, json!({"kept": 2})));
    let server = server(&receiver);
    let mut client = Client::connect(&server);
    client.send(
        "452-7[\"photo\",{\"name\":\"a\",\"data\":{\"_placeholder\":true,\"num\":1}},{\"_placeholder\":true,\"num\":0}]",
    );
    client.send_bytes(&[0xff, 0, 0x10]);
    client.send_bytes(b"");
    let said = receiver.next().json();
    assert_eq!(said["attachments"], json!(["/wAQ", ""]));
    let place = |num: u8| json!({"_placeholder": true, "num": num});
    assert_eq!(said["args"], json!([{"name": "a", "data": place(1)}, place(0)]));
    assert_eq!(client.text(), "437[{\"kept\":2}]");
    // Without bytes there is nothing of them.
    client.send("428[\"photo\",1]");
    assert!(receiver.next().json().get("attachments").is_none());
}

#[test]
fn events_are_handled_and_answered_in_their_order_also_where_the_first_takes_longest() {
    let receiver = Receiver::start();
    receiver.answer(|asked| match &asked.json()["args"][0] {
        first if *first == json!(1) => Say::Nothing,
        other => Say::Json(200, json!({ "n": other })),
    });
    let handler = format!(
        "[[socketio_handlers]]\nurl = \"{}\"\nevents = [\"n\"]\ntimeout = \"500ms\"\n",
        receiver.url()
    );
    let server = Server::start(Start::with(&handler).flag("--dev"));
    let mut client = Client::connect(&server);
    for n in 1..=5 {
        client.send(&format!("42{n}[\"n\",{n}]"));
    }
    let first = client.text();
    assert!(first.starts_with("431[{\"success\":false,\"code\":\"unavailable\""), "{first}");
    for n in 2..=5 {
        assert_eq!(client.text(), format!("43{n}[{{\"n\":{n}}}]"));
    }
    // Nor was any of them asked before its turn.
    let asked: Vec<_> = (1..=5).map(|_| receiver.next().json()["args"][0].clone()).collect();
    assert_eq!(asked, [json!(1), json!(2), json!(3), json!(4), json!(5)]);
}

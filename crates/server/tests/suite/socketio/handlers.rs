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

//! Calendars that are fetched: conditionally, with the last good answer kept, and told when they cannot be read.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver as Queue};
use std::sync::{Arc, Mutex};

use super::*;

/// A host of one calendar, which tells what it was asked and answered.
struct Host {
    address: SocketAddr,
    says: Arc<Mutex<(u16, String)>>,
    asked: Queue<u16>,
}

impl Host {
    fn start(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new((200, text.to_owned())));
        let (sender, asked) = mpsc::channel();
        let answers = says.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                let (status, text) = answers.lock().unwrap().clone();
                let tag = format!("\"{}\"", text.len());
                let known =
                    head.iter().any(|line| line.to_ascii_lowercase() == format!("if-none-match: {tag}"));
                let status = if known && status == 200 { 304 } else { status };
                let body = if status == 200 { text } else { String::new() };
                let head =
                    format!("HTTP/1.1 {status} x\r\nETag: {tag}\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = (&stream).write_all((head + &body).as_bytes());
                let _ = sender.send(status);
            }
        });
        Self { address, says, asked }
    }

    fn say(&self, status: u16, text: &str) {
        *self.says.lock().unwrap() = (status, text.to_owned());
    }

    /// Waits until it has answered so.
    fn until(&self, status: u16) {
        while self.asked.recv_timeout(DEADLINE).expect("the calendar is fetched") != status {}
    }
}

const PATH: &str = "/v1/resources/dr-7/busy?source=phone";

fn hour(start: u64) -> String {
    let text = deskbell_wire::ledger::time::to_text(start).replace(['-', ':'], "");
    calendar(&format!("DTSTART:{text}\r\nDURATION:PT1H"))
}

#[test]
fn a_calendar_is_fetched_when_it_changed_and_what_it_said_last_stays() {
    let host = Host::start(&hour(ahead(48)));
    let config = format!(
        "[[calendars]]\nresource = \"dr-7\"\nsource = \"phone\"\nurl = \"http://{}/c.ics\"\nevery = \"1s\"\n",
        host.address
    );
    let mut server = server(&config);
    eventually("it blocks", || !is_free(&server, ahead(48)));
    host.until(304);
    let position = |server: &Server| server.api("GET", PATH, None).json()["position"].clone();
    let before = position(&server);
    host.until(304);
    assert_eq!(position(&server), before, "what is unchanged writes nothing");
    // Something that is no calendar changes nothing, and is told.
    host.say(200, "<html>please sign in</html>");
    eventually("the trouble is told", || server.api("GET", PATH, None).json()["trouble"].is_string());
    host.say(500, "");
    host.until(500);
    assert!(!is_free(&server, ahead(48)), "what it said last still blocks");
    server = server.crash_and_restart();
    host.until(500);
    assert!(!is_free(&server, ahead(48)), "after a crash too");
    let old = server.api("GET", PATH, None).json()["as_of"].as_u64().unwrap();
    host.say(200, &hour(ahead(60)));
    eventually("it moved", || is_free(&server, ahead(48)) && !is_free(&server, ahead(60)));
    // Times are blocked first, and noted as read when they are.
    eventually("it is noted that it was read", || {
        let shown = server.api("GET", PATH, None).json();
        shown["as_of"].as_u64().unwrap() > old && shown["trouble"].is_null()
    });
}

//! A blocking reader of server-sent events, as a browser's EventSource reads them.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use super::{Conn, Server};

/// One dispatched event.
#[derive(Debug, Clone)]
pub struct SseEvent {
    /// The data.
    pub data: Value,
    /// `lastEventId` when it was dispatched.
    pub id: String,
}

/// A stream of events.
pub struct Sse {
    lines: BufReader<Conn>,
    /// `lastEventId`: what an EventSource comes back with.
    pub last_id: String,
    /// The status line.
    pub status: u16,
}

impl Sse {
    /// Opens a stream.
    pub fn open(server: &Server, path: &str, last_id: Option<&str>) -> Self {
        Self::over(Conn::open(server), path, last_id, &[])
    }

    /// Opens a stream on a connection, with further headers.
    pub fn over(mut stream: Conn, path: &str, last_id: Option<&str>, headers: &[(&str, &str)]) -> Self {
        let resume = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let mut head =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{resume}");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        while line.trim() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Self { lines, last_id: last_id.unwrap_or_default().to_owned(), status }
    }

    /// The next dispatched event, or nothing at the stream's end.
    pub fn next(&mut self) -> Option<SseEvent> {
        let mut data: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            // Chunk sizes of the transfer encoding stand between the lines; they are bare hex.
            if !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit()) {
                if line == "0" {
                    return None;
                }
                continue;
            }
            match line.split_once(": ").unwrap_or((line, "")) {
                ("id", id) => id.clone_into(&mut self.last_id),
                ("data", text) => data.push(text.to_owned()),
                ("", "") if !data.is_empty() => {
                    let data = serde_json::from_str(&data.join("\n")).unwrap();
                    return Some(SseEvent { data, id: self.last_id.clone() });
                }
                _ => {}
            }
        }
    }

    /// The next event, which must be of this type.
    pub fn expect(&mut self, kind: &str) -> Value {
        let event = self.next().expect("the stream goes on");
        assert_eq!(event.data["type"], kind, "{}", event.data);
        event.data
    }
}

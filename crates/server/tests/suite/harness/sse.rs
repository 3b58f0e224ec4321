//! A blocking reader of server-sent events, as a browser's EventSource reads them.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};

use serde_json::Value;

use super::{Conn, Sees, Server};

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
    lines: BufReader<Body>,
    /// `lastEventId`: what an EventSource comes back with.
    pub last_id: String,
    /// The status line.
    pub status: u16,
    sees: Sees,
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
        let mut bytes = BufReader::new(stream);
        let mut line = String::new();
        bytes.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut is_chunked = false;
        while line.trim() != "" {
            is_chunked |= line.trim().eq_ignore_ascii_case("transfer-encoding: chunked");
            line.clear();
            bytes.read_line(&mut line).unwrap();
        }
        let lines = BufReader::new(Body { bytes, is_chunked, left: 0 });
        let sees = Sees::of(path, headers);
        Self { lines, last_id: last_id.unwrap_or_default().to_owned(), status, sees }
    }

    /// The next dispatched event, or nothing at the stream's end.
    pub fn next(&mut self) -> Option<SseEvent> {
        let mut data: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing came in time"),
                // A stream that is cut off has ended as well.
                Err(_) => return None,
            }
            let line = line.trim_end_matches(['\r', '\n']);
            match line.split_once(": ").unwrap_or((line, "")) {
                ("id", id) => id.clone_into(&mut self.last_id),
                ("data", text) => {
                    self.sees.check(text);
                    data.push(text.to_owned());
                }
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

/// The body of an answer, whose chunks a proxy cuts as it likes.
struct Body {
    bytes: BufReader<Conn>,
    is_chunked: bool,
    /// Bytes of the chunk that is being read.
    left: usize,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if !self.is_chunked {
            return self.bytes.read(into);
        }
        while self.left == 0 {
            let mut size = String::new();
            if self.bytes.read_line(&mut size)? == 0 {
                return Ok(0);
            }
            // Behind each chunk stands an empty line.
            if size.trim().is_empty() {
                continue;
            }
            self.left = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = into.len().min(self.left);
        let n = self.bytes.read(&mut into[..most])?;
        self.left -= n;
        Ok(n)
    }
}

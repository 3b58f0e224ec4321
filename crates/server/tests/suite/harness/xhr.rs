//! A client of the Pusher dialect without a WebSocket, which behaves on the wire as pusher-js does.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use super::{Answer, DEADLINE, Server, pusher_signature, request, try_request};

/// A connection that is made of requests.
pub struct Xhr {
    address: SocketAddr,
    path: String,
    way: &'static str,
    body: Option<Body>,
    inbox: VecDeque<Value>,
    /// The name of its socket.
    pub socket: String,
    /// How it was closed.
    pub closed: Option<(u64, String)>,
}

/// A response that is being read.
struct Body {
    tcp: TcpStream,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// Its length, as the client counts it.
    length: usize,
    ended: bool,
}

impl Xhr {
    /// Opens one that streams.
    pub fn streaming(server: &Server, name: &str) -> Self {
        Self::at(server, &format!("/pusher/app/test-key/{name}"), "xhr_streaming")
    }

    /// Opens one that polls.
    pub fn polling(server: &Server, name: &str) -> Self {
        Self::at(server, &format!("/pusher/app/test-key/{name}"), "xhr")
    }

    /// Goes on with a connection that is there, by a stream.
    pub fn resumed(server: &Server, name: &str) -> Self {
        let mut xhr = Self::new(server, &format!("/pusher/app/test-key/{name}"), "xhr_streaming");
        xhr.receive();
        xhr
    }

    fn at(server: &Server, path: &str, way: &'static str) -> Self {
        let mut xhr = Self::knock(server, path, way);
        let first = xhr.next();
        assert_eq!(first["event"], "pusher:connection_established", "{first}");
        xhr.socket = first["data"]["socket_id"].as_str().unwrap().to_owned();
        xhr
    }

    /// One that has not been welcomed yet, and may never be.
    pub fn knock(server: &Server, path: &str, way: &'static str) -> Self {
        let mut xhr = Self::new(server, path, way);
        xhr.receive();
        assert_eq!(xhr.line().as_deref(), Some("o"));
        xhr
    }

    fn new(server: &Server, path: &str, way: &'static str) -> Self {
        Self {
            address: server.address,
            path: path.to_owned(),
            way,
            body: None,
            inbox: VecDeque::new(),
            socket: String::new(),
            closed: None,
        }
    }

    /// Opens the next response.
    pub fn receive(&mut self) {
        let mut tcp = TcpStream::connect(self.address).unwrap();
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!(
            "POST {}/{}?protocol=7&client=js&version=8.4.0&t=1&n=1 HTTP/1.1\r\nHost: bell\r\nOrigin: https://a.test\r\n\
             Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
            self.path, self.way
        );
        tcp.write_all(head.as_bytes()).unwrap();
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            assert!(read(&mut tcp, &mut raw), "no answer: {}", String::from_utf8_lossy(&raw));
        };
        let head = String::from_utf8(raw[..end].to_vec()).unwrap().to_ascii_lowercase();
        assert!(
            head.starts_with("http/1.1 200") && head.contains("access-control-allow-origin: *"),
            "{head}"
        );
        let mut body = Body { tcp, raw: Vec::new(), text: Vec::new(), length: 0, ended: false };
        if head.contains("transfer-encoding: chunked") {
            body.raw = raw.split_off(end + 4);
        } else {
            body.text = raw.split_off(end + 4);
            body.ended = true;
        }
        self.body = Some(body);
    }

    /// The page goes away without a word.
    pub fn leave(&mut self) {
        self.body = None;
    }

    /// The next line; nothing where the response is over.
    pub fn line(&mut self) -> Option<String> {
        let body = self.body.as_mut().expect("a response is open");
        loop {
            if let Some(end) = body.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = body.text.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap();
                body.length += line.encode_utf16().count();
                return Some(line.trim_end().to_owned());
            }
            if body.ended || !body.more() {
                return None;
            }
        }
    }

    /// The next frame, over as many responses as it takes.
    pub fn next(&mut self) -> Value {
        self.try_next().unwrap_or_else(|| panic!("it was closed: {:?}", self.closed))
    }

    /// The next frame, or nothing where the connection was closed.
    pub fn try_next(&mut self) -> Option<Value> {
        loop {
            if let Some(mut frame) = self.inbox.pop_front() {
                if let Some(text) = frame["data"].as_str()
                    && let Ok(value) = serde_json::from_str(text)
                {
                    frame["data"] = value;
                }
                return Some(frame);
            }
            match self.line().as_deref() {
                Some("h") => assert_eq!(self.post("[]").status, 204),
                Some(line) if line.starts_with('a') => {
                    let frames: Vec<String> = serde_json::from_str(&line[1..]).unwrap();
                    self.inbox
                        .extend(frames.iter().map(|frame| serde_json::from_str::<Value>(frame).unwrap()));
                    self.reopen_if_long();
                }
                Some(line) if line.starts_with('c') => {
                    self.closed = serde_json::from_str(&line[1..]).ok();
                    return None;
                }
                Some(line) => panic!("no line of this transport: {line}"),
                None if self.way == "xhr" => self.receive(),
                None => return None,
            }
        }
    }

    /// Opens the next response where this one was read to its end and is longer than pusher-js keeps.
    fn reopen_if_long(&mut self) {
        let is_long = |body: &Body| body.text.is_empty() && body.length > 256 * 1024;
        if self.way == "xhr_streaming" && self.body.as_ref().is_some_and(is_long) {
            self.leave();
            self.receive();
        }
    }

    /// Sends a body to the other place.
    pub fn post(&self, body: &str) -> Answer {
        let path = format!("{}/xhr_send?t=1&n=2", self.path);
        let headers = [("Origin", "https://a.test"), ("Content-Type", "application/json")];
        try_request(self.address, "POST", &path, &headers, Some(body)).expect("an answer")
    }

    /// Sends an event.
    pub fn send(&self, event: &str, data: &Value) {
        self.send_frame(&json!({"event": event, "data": data}));
    }

    /// Says something to the others in a channel.
    pub fn say(&self, event: &str, channel: &str, data: &Value) {
        self.send_frame(&json!({"event": event, "channel": channel, "data": data}));
    }

    fn send_frame(&self, frame: &Value) {
        let answer = self.post(&json!([frame.to_string()]).to_string());
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Subscribes, signed by the backend, and waits for the success; gives its data.
    #[track_caller]
    pub fn subscribe(&mut self, channel: &str, data: Option<&str>) -> Value {
        let text = data.map_or(String::new(), |data| format!(":{data}"));
        let auth = pusher_signature(&format!("{}:{channel}{text}", self.socket));
        self.send("pusher:subscribe", &json!({"channel": channel, "auth": auth, "channel_data": data}));
        let frame = self.expect("pusher_internal:subscription_succeeded");
        assert_eq!(frame["channel"], channel);
        frame["data"].clone()
    }

    /// The next frame, which must be this event.
    #[track_caller]
    pub fn expect(&mut self, event: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["event"], event, "{frame}");
        frame
    }
}

impl Body {
    /// Reads on; false at the end.
    fn more(&mut self) -> bool {
        if let Some(end) = self.raw.windows(2).position(|w| w == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..end]).unwrap(), 16).unwrap();
            if size == 0 {
                self.ended = true;
                return false;
            }
            if self.raw.len() >= end + 2 + size + 2 {
                self.text.extend_from_slice(&self.raw[end + 2..end + 2 + size]);
                self.raw.drain(..end + 2 + size + 2);
                return true;
            }
        }
        read(&mut self.tcp, &mut self.raw)
    }
}

fn read(tcp: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 16 * 1024];
    match tcp.read(&mut bytes) {
        Ok(0) => false,
        Ok(n) => {
            into.extend_from_slice(&bytes[..n]);
            true
        }
        Err(error) => panic!("nothing came within {DEADLINE:?}: {error}"),
    }
}

/// What a browser asks before it lets a page of another site ask.
pub fn preflight(server: &Server, path: &str) -> Answer {
    let headers = [
        ("Origin", "https://a.test"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    request(server, "OPTIONS", path, &headers, None)
}

//! A blocking WebSocket client over the crate's own sans-IO codec.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use deskbell_wire::websocket::encode::masked_frame_into;
use deskbell_wire::websocket::{Decoder, Item, Limits, Opcode, Role, handshake};
use serde_json::{Value, json};

use super::{Conn, DEADLINE, SECRET, Sees, Server};

const LIMITS: Limits = Limits { max_frame: 32 * 1024 * 1024, max_message: 32 * 1024 * 1024 };

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The close code; none where the connection simply ended.
    pub code: Option<u16>,
    /// The reason.
    pub reason: String,
}

/// A WebSocket to a server.
pub struct Ws {
    stream: Conn,
    decoder: Decoder,
    inbox: VecDeque<Value>,
    /// The connection's end, once it was seen.
    pub closed: Option<Closed>,
    /// The first frame.
    pub welcome: Value,
    /// The cursor of the last frame that had one: what a client would come back with.
    pub cursor: String,
    /// It does not answer pings.
    pub mute: bool,
    /// The headers of the 101 answer.
    pub greeting: String,
    sees: Sees,
}

impl Ws {
    /// Opens a socket and takes its welcome.
    pub fn open(server: &Server, path: &str) -> Self {
        Self::open_with(server, path, &[]).unwrap_or_else(|answer| panic!("no upgrade: {answer}"))
    }

    /// Opens a socket with further headers; an answer that is no 101 comes back as text.
    pub fn open_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Result<Self, String> {
        Self::over(Conn::open(server), &server.address.to_string(), path, headers)
    }

    /// Opens a socket on a connection that may have been used before.
    pub fn over(stream: Conn, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self, String> {
        let mut ws = Self::upgraded(stream, host, path, headers)?;
        ws.welcome = ws.expect("welcome");
        Ok(ws)
    }

    /// Opens a socket of any dialect; nothing is taken from it yet.
    pub fn upgraded(
        mut stream: Conn,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, String> {
        let mut request = Vec::new();
        handshake::write_request(&mut request, host, path, [7; 16], headers).unwrap();
        stream.write_all(&request).unwrap();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4_096];
        let rest = loop {
            let n = stream.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..n]);
            match handshake::check_response(&bytes, [7; 16]) {
                Ok(Some(accepted)) => break accepted.len,
                Ok(None) if n > 0 => {}
                _ => return Err(String::from_utf8_lossy(&bytes).into_owned()),
            }
        };
        let greeting = String::from_utf8_lossy(&bytes[..rest]).into_owned();
        let mut ws = Self {
            stream,
            decoder: Decoder::new(Role::Client, false),
            inbox: VecDeque::new(),
            closed: None,
            welcome: Value::Null,
            cursor: String::new(),
            mute: false,
            greeting,
            sees: Sees::of(path, headers),
        };
        let mut first = bytes[rest..].to_vec();
        ws.take(&mut first);
        Ok(ws)
    }

    /// Comes back from a place, with the session's key if there is one.
    pub fn back(server: &Server, resume: Option<&str>, cursor: &str, channels: &[&str]) -> Self {
        server.ws().hello(resume, cursor, channels)
    }

    /// Comes back with the secret.
    pub fn backend_back(server: &Server, cursor: &str, channels: &[&str]) -> Self {
        let bearer = format!("Bearer {SECRET}");
        let ws = Self::open_with(server, "/v1/ws", &[("Authorization", &bearer)]).unwrap();
        ws.hello(None, cursor, channels)
    }

    fn hello(mut self, resume: Option<&str>, cursor: &str, channels: &[&str]) -> Self {
        let mut hello = json!({"type": "hello", "cursor": cursor, "channels": channels});
        if let Some(resume) = resume {
            hello["resume"] = json!(resume);
        }
        self.send(&hello);
        self.welcome = self.expect("welcome");
        self
    }

    /// The key of the session.
    pub fn resume_key(&self) -> String {
        self.welcome["resume"].as_str().unwrap().to_owned()
    }

    /// The id that others know this session by.
    pub fn public_id(&self) -> String {
        self.welcome["session"].as_str().unwrap().to_owned()
    }

    /// The value of a cookie that the 101 answer set.
    pub fn cookie(&self) -> Option<String> {
        let line =
            self.greeting.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: "))?;
        line.split_once(": ")?.1.split(';').next().map(str::to_owned)
    }

    /// Sends a JSON message.
    pub fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    /// Sends any text.
    pub fn send_text(&mut self, text: &str) {
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        if let Some(token) = said["token"].as_str() {
            self.sees = Sees::of_token(token);
        }
        let mut frame = Vec::new();
        masked_frame_into(&mut frame, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
        self.send_bytes(&frame);
    }

    /// The socket.
    pub fn tcp(&self) -> &std::net::TcpStream {
        self.stream.tcp()
    }

    /// Sends raw bytes. A connection that has ended shows when it is read.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a command and waits for its answer, keeping what comes before it for later.
    pub fn ask(&mut self, mut message: Value) -> Value {
        message["ref"] = json!("ask");
        self.send(&message);
        let mut before = VecDeque::new();
        loop {
            let frame = self.next();
            if frame["ref"] == "ask" {
                before.append(&mut self.inbox);
                self.inbox = before;
                return frame;
            }
            before.push_back(frame);
        }
    }

    /// Subscribes and waits for the answer.
    pub fn subscribe(&mut self, channel: &str) -> Value {
        let answer = self.ask(json!({"type": "subscribe", "channel": channel}));
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }

    /// The next frame.
    pub fn next(&mut self) -> Value {
        self.try_next().unwrap_or_else(|| panic!("the connection has ended: {:?}", self.closed))
    }

    /// The next frame, or nothing when the connection has ended.
    pub fn try_next(&mut self) -> Option<Value> {
        let begun = Instant::now();
        loop {
            if let Some(frame) = self.inbox.pop_front() {
                if let Some(cursor) = frame["cursor"].as_str().filter(|_| frame["type"] != "ok") {
                    cursor.clone_into(&mut self.cursor);
                }
                return Some(frame);
            }
            if self.closed.is_some() {
                return None;
            }
            // Pings alone would keep a test waiting for ever.
            assert!(begun.elapsed() < DEADLINE, "no frame came within {DEADLINE:?}");
            self.read();
        }
    }

    /// Puts a frame back, to be taken again.
    pub fn put_back(&mut self, frame: Value) {
        self.inbox.push_front(frame);
    }

    /// The next frame, which must be of this type.
    pub fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The data of the next event.
    pub fn event(&mut self) -> Value {
        self.expect("event")["data"].clone()
    }

    /// Reads until the connection ends, and says how.
    pub fn until_closed(&mut self) -> Closed {
        while self.try_next().is_some() {}
        self.closed.clone().unwrap()
    }

    /// A frame that came before the answer to a question now, and was not read yet.
    pub fn pending(&mut self) -> Option<Value> {
        if self.inbox.is_empty() {
            self.ask(json!({"type": "ping"}));
        }
        let frame = self.inbox.pop_front()?;
        if let Some(cursor) = frame["cursor"].as_str().filter(|_| frame["type"] != "ok") {
            cursor.clone_into(&mut self.cursor);
        }
        Some(frame)
    }

    /// Proves that nothing is on its way: a ping's answer comes before anything else.
    pub fn expect_nothing(&mut self) {
        self.send(&json!({"type": "ping", "ref": "nothing"}));
        let frame = self.next();
        assert_eq!((&frame["type"], &frame["ref"]), (&json!("pong"), &json!("nothing")), "{frame}");
    }

    /// The same where answers to earlier commands may still be under way: no event and no reset comes.
    pub fn expect_no_event(&mut self) {
        self.send(&json!({"type": "ping", "ref": "nothing"}));
        loop {
            let frame = self.next();
            assert!(
                matches!(frame["type"].as_str(), Some("pong" | "ok" | "subscribed" | "welcome")),
                "{frame}"
            );
            if frame["ref"] == "nothing" {
                return;
            }
        }
    }

    /// Cuts the connection without a word, as a lost network does.
    pub fn cut(self) -> String {
        // A reset instead of a close: the server must notice by itself.
        let socket = socket2::SockRef::from(self.stream.tcp());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        self.cursor
    }

    /// Closes politely and waits for the end.
    pub fn close(mut self) {
        let mut frame = Vec::new();
        masked_frame_into(&mut frame, Opcode::Close, &1000_u16.to_be_bytes(), [1, 2, 3, 4]);
        self.send_bytes(&frame);
        self.until_closed();
    }

    /// The underlying stream.
    pub fn stream(&self) -> &TcpStream {
        self.stream.tcp()
    }

    fn read(&mut self) {
        let mut bytes = vec![0; 65_536];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.closed = Some(Closed { code: None, reason: String::new() }),
            Ok(n) => self.take(&mut bytes[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came within {DEADLINE:?}");
            }
            Err(_) => self.closed = Some(Closed { code: None, reason: String::new() }),
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let mut pongs = Vec::new();
        let mut feed = self.decoder.feed(bytes, LIMITS);
        while let Some(item) = feed.next_item().unwrap() {
            match item {
                Item::Text(text) => {
                    self.sees.check(text);
                    self.inbox.push_back(serde_json::from_str(text).unwrap());
                }
                Item::Ping(payload) => masked_frame_into(&mut pongs, Opcode::Pong, payload, [1, 2, 3, 4]),
                Item::Close { code, reason } => {
                    self.closed = Some(Closed { code, reason: reason.to_owned() });
                    break;
                }
                Item::Binary(_) | Item::Pong(_) => {}
            }
        }
        if !self.mute {
            self.send_bytes(&pongs);
        }
    }
}

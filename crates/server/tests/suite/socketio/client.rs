//! A Socket.IO client as its own protocol has it, so that a test can also say what no library would.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

use deskbell_wire::websocket::encode::masked_frame_into;
use deskbell_wire::websocket::{Decoder, Item, Limits, Opcode, Role, handshake};
use serde_json::{Value, json};

use crate::harness::{Answer, Conn, DEADLINE, Server};

const LIMITS: Limits = Limits { max_frame: 32 * 1024 * 1024, max_message: 32 * 1024 * 1024 };

/// What came, or that nothing comes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// A text message: a packet of Engine.IO.
    Text(String),
    /// A message of bytes.
    Bytes(Vec<u8>),
    /// The WebSocket was closed, with this code and reason.
    Closed(Option<u16>, String),
}

/// A WebSocket of Engine.IO.
pub struct Client {
    stream: Conn,
    decoder: Decoder,
    inbox: VecDeque<Got>,
    /// What the first packet said.
    pub open: Value,
    /// What the namespace's answer said, for each that was entered.
    pub entered: Value,
    /// The last offset that came.
    pub offset: Option<String>,
}

impl Client {
    /// A WebSocket past its first packet.
    pub fn open(server: &Server, query: &str, headers: &[(&str, &str)]) -> Self {
        let path = format!("/socket.io/?EIO=4&transport=websocket{query}");
        let mut client = Self::raw(server, &path, headers).unwrap_or_else(|no| panic!("no upgrade: {no}"));
        client.open = client.opened();
        client
    }

    fn opened(&mut self) -> Value {
        let Got::Text(text) = self.next() else { panic!("no first packet") };
        serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap()
    }

    /// A WebSocket that goes on with a polling session, or any other.
    pub fn raw(server: &Server, path: &str, headers: &[(&str, &str)]) -> Result<Self, String> {
        let mut stream = Conn::open(server);
        let mut request = Vec::new();
        handshake::write_request(&mut request, &server.address.to_string(), path, [7; 16], headers).unwrap();
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
        let mut client = Self {
            stream,
            decoder: Decoder::new(Role::Client, false),
            inbox: VecDeque::new(),
            open: Value::Null,
            entered: Value::Null,
            offset: None,
        };
        let mut first = bytes[rest..].to_vec();
        client.take(&mut first);
        Ok(client)
    }

    /// A client in the root namespace.
    pub fn connect(server: &Server) -> Self {
        Self::connect_with(server, &json!({}), &[])
    }

    /// The same, with what it shows and further headers.
    pub fn connect_with(server: &Server, auth: &Value, headers: &[(&str, &str)]) -> Self {
        let mut client = Self::open(server, "", headers);
        client.enter("/", auth);
        client
    }

    /// Comes into a namespace.
    pub fn enter(&mut self, namespace: &str, auth: &Value) -> Value {
        let prefix = prefix(namespace);
        let data = if auth.as_object().is_some_and(serde_json::Map::is_empty) {
            String::new()
        } else {
            auth.to_string()
        };
        self.send(&format!("40{prefix}{data}"));
        let text = self.text();
        let rest = text.strip_prefix(&format!("40{prefix}")).unwrap_or_else(|| panic!("not let in: {text}"));
        self.entered = serde_json::from_str(rest).unwrap();
        self.entered.clone()
    }

    /// Comes back as who it was.
    pub fn back(server: &Server, pid: &str, offset: Option<&str>) -> Self {
        let mut auth = json!({ "pid": pid });
        if let Some(offset) = offset {
            auth["offset"] = json!(offset);
        }
        Self::connect_with(server, &auth, &[])
    }

    /// The public name of its socket.
    pub fn sid(&self) -> String {
        self.entered["sid"].as_str().unwrap().to_owned()
    }

    /// The secret by which it may come back.
    pub fn pid(&self) -> String {
        self.entered["pid"].as_str().unwrap().to_owned()
    }

    /// Sends a packet of Engine.IO.
    pub fn send(&mut self, packet: &str) {
        self.frame(Opcode::Text, packet.as_bytes());
    }

    /// Sends bytes.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.frame(Opcode::Binary, bytes);
    }

    /// Sends bytes as they are, whatever frames they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        masked_frame_into(&mut frame, opcode, payload, [1, 2, 3, 4]);
        // A connection that has ended shows when it is read.
        let _ = self.stream.write_all(&frame);
    }

    /// Says an event in the root namespace.
    pub fn emit(&mut self, name: &str, arg: &Value) {
        self.send(&format!("42{}", json!([name, arg])));
    }

    /// Says an event and waits for its answer; what comes before it is kept.
    pub fn ask(&mut self, name: &str, arg: &Value) -> Value {
        self.ask_in("/", name, arg)
    }

    /// The same in a namespace.
    pub fn ask_in(&mut self, namespace: &str, name: &str, arg: &Value) -> Value {
        let prefix = prefix(namespace);
        self.send(&format!("42{prefix}77{}", json!([name, arg])));
        let wanted = format!("43{prefix}77[");
        let mut before = VecDeque::new();
        loop {
            match self.next() {
                Got::Text(text) if text.starts_with(&wanted) => {
                    before.append(&mut self.inbox);
                    self.inbox = before;
                    let answer: Value = serde_json::from_str(&text[wanted.len() - 1..]).unwrap();
                    return answer[0].clone();
                }
                Got::Closed(code, why) => panic!("closed: {code:?} {why}"),
                other => before.push_back(other),
            }
        }
    }

    /// Joins a room, which must be allowed.
    pub fn join(&mut self, room: &str) {
        assert_eq!(self.ask("join_room", &json!(room)), json!({"success": true}), "{room}");
    }

    /// The next event: its name and its arguments without an offset.
    pub fn event(&mut self) -> (String, Value) {
        self.event_in("/")
    }

    /// The same of a namespace.
    pub fn event_in(&mut self, namespace: &str) -> (String, Value) {
        let text = self.text();
        let rest = text.strip_prefix(&format!("42{}", prefix(namespace)));
        let rest = rest.unwrap_or_else(|| panic!("no event: {text}"));
        let mut list: Vec<Value> = serde_json::from_str(rest).unwrap();
        // An offset is long; nothing that is said here is.
        if list.last().and_then(Value::as_str).is_some_and(|last| last.len() >= 40) {
            self.offset = list.pop().and_then(|last| last.as_str().map(str::to_owned));
        }
        let name = list.remove(0).as_str().unwrap().to_owned();
        let arg = if list.len() == 1 { list.remove(0) } else { Value::Array(list) };
        (name, arg)
    }

    /// The next packet as text, past the questions for a sign of life.
    pub fn text(&mut self) -> String {
        loop {
            match self.next() {
                Got::Text(text) if text == "2" => self.send("3"),
                Got::Text(text) => return text,
                other => panic!("no text: {other:?}"),
            }
        }
    }

    /// Whatever comes next.
    pub fn next(&mut self) -> Got {
        loop {
            if let Some(got) = self.inbox.pop_front() {
                return got;
            }
            let mut bytes = vec![0; 65_536];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Got::Closed(None, String::new()),
                Ok(n) => self.take(&mut bytes[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("nothing came within {DEADLINE:?}");
                }
                Err(_) => return Got::Closed(None, String::new()),
            }
        }
    }

    /// Reads until the WebSocket is closed, and says how.
    pub fn until_closed(&mut self) -> (Option<u16>, String) {
        loop {
            if let Got::Closed(code, reason) = self.next() {
                return (code, reason);
            }
        }
    }

    /// Proves that nothing is on its way: a question's answer comes before anything else.
    pub fn expect_nothing(&mut self) {
        self.send("4288[\"leave_room\",\"nowhere\"]");
        assert_eq!(self.text(), "4388[{\"success\":true}]");
    }

    /// Cuts the connection without a word.
    pub fn cut(self) -> Option<String> {
        let socket = socket2::SockRef::from(self.stream.tcp());
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        self.offset
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let mut feed = self.decoder.feed(bytes, LIMITS);
        while let Some(item) = feed.next_item().unwrap() {
            match item {
                Item::Text(text) => self.inbox.push_back(Got::Text(text.to_owned())),
                Item::Binary(bytes) => self.inbox.push_back(Got::Bytes(bytes.to_vec())),
                Item::Close { code, reason } => {
                    self.inbox.push_back(Got::Closed(code, reason.to_owned()));
                    break;
                }
                Item::Ping(_) | Item::Pong(_) => {}
            }
        }
    }
}

fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

/// A polling client: one request after the other.
pub struct Poller {
    server: std::net::SocketAddr,
    /// The secret name of its session.
    pub sid: String,
    /// What the first packet said.
    pub open: Value,
    /// Packets that came with others.
    inbox: VecDeque<String>,
    /// The answer that opened it.
    pub greeting: Answer,
}

impl Poller {
    /// A polling session past its first packet.
    pub fn open(server: &Server) -> Self {
        Self::open_with(server, &[])
    }

    /// The same with further headers.
    pub fn open_with(server: &Server, headers: &[(&str, &str)]) -> Self {
        let greeting =
            crate::harness::request(server, "GET", "/socket.io/?EIO=4&transport=polling", headers, None);
        assert_eq!(greeting.status, 200, "{greeting:?}");
        let open: Value = serde_json::from_str(greeting.text().strip_prefix('0').unwrap()).unwrap();
        let sid = open["sid"].as_str().unwrap().to_owned();
        Self { server: server.address, sid, open, inbox: VecDeque::new(), greeting }
    }

    /// A client in the root namespace.
    pub fn connect(server: &Server) -> Self {
        let mut poller = Self::open(server);
        poller.post("40");
        let text = poller.next();
        assert!(text.starts_with("40{\"sid\""), "{text}");
        poller
    }

    /// Where its requests go.
    pub fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Asks what there is.
    pub fn get(&self) -> Answer {
        crate::harness::try_request(self.server, "GET", &self.path(), &[], None).expect("an answer")
    }

    /// A request that waits: those that came behind it have been answered.
    pub fn waiting(&self, server: &Server) -> Conn {
        let mut waiting = Conn::open(server);
        waiting.send(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", self.path()));
        for _ in 0..3 {
            Client::connect(server);
        }
        waiting
    }

    /// Brings packets.
    pub fn try_post(&self, body: &str) -> Answer {
        let kind = [("Content-Type", "text/plain;charset=UTF-8")];
        crate::harness::try_request(self.server, "POST", &self.path(), &kind, Some(body)).expect("an answer")
    }

    /// Brings packets, which must be taken.
    pub fn post(&self, body: &str) {
        let answer = self.try_post(body);
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{answer:?}");
    }

    /// The next packet.
    pub fn next(&mut self) -> String {
        while self.inbox.is_empty() {
            let answer = self.get();
            assert_eq!(answer.status, 200, "{answer:?}");
            self.inbox.extend(answer.text().split('\u{1e}').map(str::to_owned));
        }
        self.inbox.pop_front().unwrap()
    }
}

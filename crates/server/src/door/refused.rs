//! A request that is not let in, and its answer in whatever its client can read: a problem as JSON, the words of
//! Engine.IO, or a WebSocket that is opened only to be told why it is closed.

use axum::body::Body;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::engineio::asked::Fault;
use deskbell_wire::pusher::{code, encode, xhr};
use deskbell_wire::websocket::encode as websocket;
use deskbell_wire::websocket::{Opcode, handshake};
use http::{Response, StatusCode};

/// The status that says inside of the door that an app takes no connections.
pub(super) const DISABLED: u16 = 403;

/// A request that is not let in, and its answer.
#[derive(Debug)]
pub struct Refused {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) code: &'static str,
    detail: String,
    /// A client that looks for the words of its own protocol gets these as the body.
    words: Option<Fault>,
    /// A client that understands nothing but WebSocket frames hears it so: the 101, and what follows it.
    farewell: Option<Farewell>,
}

/// A WebSocket that is opened only to be told why it is closed.
#[derive(Debug)]
struct Farewell {
    greeting: Vec<u8>,
    frames: Vec<u8>,
}

impl Refused {
    /// A refusal of the request itself.
    pub fn plain(status: u16, code: &'static str, detail: &str) -> Self {
        Self { status, headers: Vec::new(), code, detail: detail.to_owned(), words: None, farewell: None }
    }

    /// A refusal of the handshake.
    pub(super) fn handshake(refusal: handshake::Refusal) -> Self {
        let headers = refusal.headers().iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { headers, ..Self::plain(refusal.status(), refusal.code(), refusal.sentence()) }
    }

    /// The same refusal for a client of the Pusher dialect: an error frame with the code, and a close with
    /// the same one, because some clients look at the one and some at the other.
    pub(super) fn in_frames(self, accept: handshake::Accept) -> Self {
        let code = self.pusher_code();
        let mut greeting = Vec::with_capacity(256);
        if accept.write_response(&mut greeting, &[]).is_err() {
            return self;
        }
        let mut frames = Vec::with_capacity(256);
        websocket::frame_into(&mut frames, Opcode::Text, &encode::error(code, &self.detail, None));
        // A reason has at most 123 bytes, and the sentence stands in the frame.
        websocket::close_into(&mut frames, Some(code), self.code);
        Self { farewell: Some(Farewell { greeting, frames }), ..self }
    }

    /// Its code, unless it is one of a format that was not understood.
    pub(super) fn known(&self) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == self.code)
    }

    /// The close code of the Pusher dialect.
    fn pusher_code(&self) -> u16 {
        if self.status == DISABLED { code::DISABLED } else { self.known().map_or(code::BUSY, code::of_door) }
    }

    /// The same for a client that comes by requests, as the lines that it reads.
    pub fn in_lines(&self) -> Vec<u8> {
        let (code, mut lines) = (self.pusher_code(), xhr::OPEN.to_vec());
        xhr::message(&encode::error(code, &self.detail, None), &mut lines);
        xhr::close(code, self.code, &mut lines);
        lines
    }

    /// Has the other side to be read to its end, so that our last words reach it?
    pub fn lingers(&self) -> bool {
        self.farewell.is_some()
    }

    /// What is said on the opened socket, and the head that opens it.
    pub fn into_farewell(self) -> Option<(Response<Body>, Vec<u8>)> {
        let farewell = self.farewell?;
        Some((switching(&farewell.greeting), farewell.frames))
    }

    /// An error of Engine.IO, in the words that its clients know.
    pub(super) fn engine(fault: Fault, code: &'static str) -> Self {
        Self { words: Some(fault), ..Self::plain(fault.status(), code, "") }
    }

    fn body(&self) -> String {
        if let Some(fault) = self.words {
            return fault.body().to_owned();
        }
        serde_json::json!({ "status": self.status, "code": self.code, "detail": self.detail }).to_string()
    }

    fn kind(&self) -> &'static str {
        if self.words.is_some() { "application/json" } else { "application/problem+json" }
    }

    fn reason(&self) -> &'static str {
        StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Refused")
    }

    /// The whole answer as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(farewell) = &self.farewell {
            return [farewell.greeting.as_slice(), &farewell.frames].concat();
        }
        let body = self.body();
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let kind = self.kind();
        head.push_str(&format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
        head.into_bytes()
    }

    /// The same for hyper.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status).header("content-type", self.kind());
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(self.body())).unwrap_or_default()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let headers = match refusal.code {
            Code::RateLimited | Code::LimitReached | Code::Unavailable | Code::Draining => {
                vec![("Retry-After", "2".to_owned())]
            }
            _ => Vec::new(),
        };
        Self {
            status: refusal.code.http_status(),
            headers,
            code: refusal.code.as_str(),
            detail: refusal.message.into_owned(),
            words: None,
            farewell: None,
        }
    }
}

/// The head of a 101 as hyper wants it.
pub(super) fn switching(greeting: &[u8]) -> Response<Body> {
    let text = String::from_utf8_lossy(greeting);
    let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    for line in text.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ") {
            response = response.header(name, value);
        }
    }
    response.body(Body::empty()).unwrap_or_default()
}

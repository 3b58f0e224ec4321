//! A small blocking HTTP/1.1 client: one request, one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{DEADLINE, SECRET, Sees, Server};

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header lines.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Is the body as long as its head says?
    fn is_whole(&self) -> bool {
        let length = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        length.is_none_or(|length| length == self.body.len())
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == Some("chunked")
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// A GET without any credentials.
pub fn get(server: &Server, path: &str) -> Answer {
    request(server, "GET", path, &[], None)
}

/// A POST with the secret.
pub fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {SECRET}");
    request(server, "POST", path, &[("Authorization", &bearer)], Some(&body.to_string()))
}

/// Any request.
pub fn request(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    try_request(server.address, method, path, headers, body)
        .unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

/// Any request to a server that may end meanwhile: nothing, where no whole answer came.
pub fn try_request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(DEADLINE * 2)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            head.push_str("Content-Type: application/json\r\n");
        }
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    // A server that refuses a large body early may close before it has read all of it.
    let _ = stream.write_all(body.unwrap_or_default().as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    // The answer to a HEAD says how long a body would be.
    let answer = parse(&bytes).filter(|answer| method == "HEAD" || answer.is_whole())?;
    // The description has people of its own, who are nobody's.
    if path != "/openapi.json" {
        Sees::of(path, headers).check(&answer.text());
    }
    Some(answer)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let (mut answer, at) = head(bytes)?;
    let body = &bytes[at..];
    answer.body = if answer.is_chunked() { dechunk(body) } else { body.to_vec() };
    Some(answer)
}

/// The first whole answer of a connection that goes on, and its length.
pub fn split(bytes: &[u8]) -> Option<(Answer, usize)> {
    let (mut answer, at) = head(bytes)?;
    let end = if answer.is_chunked() {
        bytes[at..].windows(5).position(|w| w == b"0\r\n\r\n").map(|end| at + end + 5)?
    } else {
        at + answer.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap())
    };
    let body = bytes.get(at..end)?;
    answer.body = if answer.is_chunked() { dechunk(body) } else { body.to_vec() };
    Some((answer, end))
}

fn head(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned()));
    Some((Answer { status, headers: headers.collect(), body: Vec::new() }, end + 4))
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap().trim(), 16).unwrap();
        let start = end + 2;
        if size == 0 || bytes.len() < start + size {
            break;
        }
        body.extend_from_slice(&bytes[start..start + size]);
        bytes = &bytes[start + size + 2..];
    }
    body
}

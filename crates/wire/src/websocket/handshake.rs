//! The upgrade from HTTP to WebSocket, from both ends.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use crate::http_head::{Fields, Head, MAX_HEAD, Version, is_token_byte};

/// The constant of RFC 6455 that no other protocol would append to a key by accident.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Some clients fill the key's unused last bits with noise; the key is echoed as text, so that does no harm.
const KEY: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A checked upgrade request, ready to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept {
    token: [u8; 28],
}

/// Why an upgrade request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The method is not GET.
    Method,
    /// The version is HTTP/1.0.
    Version,
    /// `Upgrade` does not name `websocket`.
    Upgrade,
    /// `Connection` does not name `Upgrade`; most often a proxy has dropped it.
    Connection,
    /// `Sec-WebSocket-Version` is not 13.
    WebSocketVersion,
    /// `Sec-WebSocket-Key` is missing, repeated or not sixteen bytes in base64.
    Key,
    /// The request announces a body.
    Body,
}

impl Refusal {
    /// The HTTP status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Upgrade | Self::WebSocketVersion => 426,
            _ => 400,
        }
    }

    /// The headers that the answer must carry.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("Allow", "GET")],
            Self::Upgrade | Self::WebSocketVersion => {
                &[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
            }
            _ => &[],
        }
    }

    /// The stable code of this refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Method => "ws_upgrade_method",
            Self::Version => "ws_upgrade_http_version",
            Self::Upgrade => "ws_upgrade_missing",
            Self::Connection => "ws_upgrade_connection",
            Self::WebSocketVersion => "ws_upgrade_version",
            Self::Key => "ws_upgrade_key",
            Self::Body => "ws_upgrade_body",
        }
    }

    /// One sentence that tells what to do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Method => "Open the WebSocket with GET.",
            Self::Version => {
                "Open the WebSocket with HTTP/1.1; if a proxy stands in between, set its upstream to HTTP/1.1."
            }
            Self::Upgrade => "This address is a WebSocket: send Upgrade: websocket.",
            Self::Connection => {
                "Send Connection: Upgrade; if a proxy stands in between, let it pass on Upgrade and Connection."
            }
            Self::WebSocketVersion => "Speak version 13 of the WebSocket protocol.",
            Self::Key => "Send one Sec-WebSocket-Key of 16 random bytes in base64.",
            Self::Body => "Send the upgrade request without a body.",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Refusal {}

/// Checks that a request asks for a WebSocket and asks correctly.
pub fn check(head: &Head<'_>) -> Result<Accept, Refusal> {
    if head.method() != "GET" {
        return Err(Refusal::Method);
    }
    if head.version() != Version::Http11 {
        return Err(Refusal::Version);
    }
    if !head.list_has("upgrade", "websocket") {
        return Err(Refusal::Upgrade);
    }
    if !head.list_has("connection", "upgrade") {
        return Err(Refusal::Connection);
    }
    // A body would be taken for frames, and what one side takes for a body the other may take for a request.
    if head.count("transfer-encoding") > 0 || head.headers().named("content-length").any(|len| len != b"0") {
        return Err(Refusal::Body);
    }
    if head.count("sec-websocket-version") != 1 || head.header("sec-websocket-version") != Some("13") {
        return Err(Refusal::WebSocketVersion);
    }
    let key = head.header("sec-websocket-key").filter(|_| head.count("sec-websocket-key") == 1);
    let key = key.filter(|key| is_key(key)).ok_or(Refusal::Key)?;
    Ok(Accept { token: accept_token(key.as_bytes()) })
}

fn is_key(key: &str) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && KEY.decode_slice(key, &mut bytes) == Ok(16)
}

fn accept_token(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut token = [0; 28];
    // Twenty bytes are always 28 characters, so the slice fits.
    let written = STANDARD.encode_slice(digest, &mut token);
    debug_assert_eq!(written, Ok(28));
    token
}

/// A header that would break the head it is written into: a bug of the caller, found before it does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnwritableHeader;

impl fmt::Display for UnwritableHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("A header's name must be a token and its value must be free of control characters.")
    }
}

impl std::error::Error for UnwritableHeader {}

impl Accept {
    /// Appends the 101 answer to `out`, with `extra` headers such as `Set-Cookie`, `Sec-WebSocket-Protocol` and
    /// `Sec-WebSocket-Extensions`. If one of those cannot be written, `out` is left as it was.
    pub fn write_response(self, out: &mut Vec<u8>, extra: &[(&str, &str)]) -> Result<(), UnwritableHeader> {
        check_headers(extra)?;
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
        out.extend_from_slice(b"Connection: Upgrade\r\nSec-WebSocket-Accept: ");
        out.extend_from_slice(&self.token);
        out.extend_from_slice(b"\r\n");
        end_head(out, extra);
        Ok(())
    }
}

fn check_headers(headers: &[(&str, &str)]) -> Result<(), UnwritableHeader> {
    let fine = headers.iter().all(|(name, value)| {
        !name.is_empty()
            && name.bytes().all(is_token_byte)
            && !value.bytes().any(|byte| byte.is_ascii_control())
    });
    if fine { Ok(()) } else { Err(UnwritableHeader) }
}

fn end_head(out: &mut Vec<u8>, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a client's upgrade request to `out`; `nonce` should be random. If a header, the host or the target
/// cannot be written, `out` is left as it was.
pub fn write_request(
    out: &mut Vec<u8>,
    host: &str,
    target: &str,
    nonce: [u8; 16],
    extra: &[(&str, &str)],
) -> Result<(), UnwritableHeader> {
    check_headers(&[("Host", host)])?;
    check_headers(extra)?;
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(UnwritableHeader);
    }
    for part in
        ["GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"]
    {
        out.extend_from_slice(part.as_bytes());
    }
    for part in ["Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ", &STANDARD.encode(nonce), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    end_head(out, extra);
    Ok(())
}

/// Why a server's answer is not the beginning of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAccepted {
    /// The server answered with another status than 101; 0 if what it sent is no HTTP/1.1 answer.
    Status(u16),
    /// The status is 101, but `Sec-WebSocket-Accept` does not fit the key.
    Token,
    /// The head of the answer is longer than [`MAX_HEAD`].
    TooLong,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(0) => f.write_str("The other side does not speak HTTP/1.1: check address and port."),
            Self::Status(status) => {
                write!(
                    f,
                    "The server answered with status {status} and not with 101: check path, key and token."
                )
            }
            Self::Token => f.write_str("The answer does not fit the request: check for a cache in between."),
            Self::TooLong => f.write_str("The answer's head is longer than 16 KiB: check address and port."),
        }
    }
}

impl std::error::Error for NotAccepted {}

/// What a client learns from the answer to its upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The length of the answer's head; frames begin behind it.
    pub len: usize,
    /// The header lines of the answer.
    pub headers: Fields<'a>,
}

/// Reads a server's answer from the start of `buf`, or `None` if its blank line has not arrived yet.
pub fn check_response(buf: &[u8], nonce: [u8; 16]) -> Result<Option<Accepted<'_>>, NotAccepted> {
    let window = &buf[..buf.len().min(MAX_HEAD)];
    let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if buf.len() >= MAX_HEAD { Err(NotAccepted::TooLong) } else { Ok(None) };
    };
    let line_end = window.iter().position(|&byte| byte == b'\n').map_or(end, |at| at + 1);
    let status = window.strip_prefix(b"HTTP/1.1 ").and_then(|rest| str::from_utf8(rest.get(..3)?).ok());
    match status.and_then(|status| status.parse().ok()).unwrap_or(0) {
        101 => {}
        status => return Err(NotAccepted::Status(status)),
    }
    let headers = Fields::new(window.get(line_end..end + 2).unwrap_or_default());
    let token = accept_token(STANDARD.encode(nonce).as_bytes());
    let mut tokens = headers.named("sec-websocket-accept");
    if tokens.next() != Some(&token[..]) {
        return Err(NotAccepted::Token);
    }
    Ok(Some(Accepted { len: end + 4, headers }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::http_head::parse;

    const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
Sec-WebSocket-Version: 13\r\n\r\n";

    fn checked(request: &str) -> Result<Accept, Refusal> {
        check(&parse(request.as_bytes()).unwrap().unwrap())
    }

    #[test]
    fn the_example_of_rfc_6455() {
        let mut out = Vec::new();
        checked(REQUEST).unwrap().write_response(&mut out, &[("Sec-WebSocket-Protocol", "chat")]).unwrap();
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn each_mistake_has_its_refusal() {
        let cases = [
            ("GET /", "POST /", Refusal::Method, 405),
            ("HTTP/1.1", "HTTP/1.0", Refusal::Version, 400),
            ("Upgrade: websocket", "Upgrade: h2c", Refusal::Upgrade, 426),
            ("Connection: Upgrade", "Connection: close", Refusal::Connection, 400),
            ("Version: 13", "Version: 8", Refusal::WebSocketVersion, 426),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8", Refusal::WebSocketVersion, 426),
            ("Sec-WebSocket-Version: 13\r\n", "", Refusal::WebSocketVersion, 426),
            ("b25jZQ==", "b25jZQ=", Refusal::Key, 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy", Refusal::Key, 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", Refusal::Key, 400),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Key: a", Refusal::Key, 400),
            ("Origin: http://example.com", "Content-Length: 5", Refusal::Body, 400),
            ("Origin: http://example.com", "Transfer-Encoding: chunked", Refusal::Body, 400),
        ];
        for (good, bad, refusal, status) in cases {
            assert!(REQUEST.contains(good));
            assert_eq!(checked(&REQUEST.replace(good, bad)), Err(refusal), "{bad}");
            assert_eq!(refusal.status(), status);
            assert!(status != 426 || refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
        }
    }

    #[test]
    fn what_stock_clients_send_is_accepted() {
        for (one, other) in [
            ("Upgrade: websocket", "upgrade: WebSocket"),
            ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
            ("Origin: http://example.com", "Content-Length: 0"),
            ("b25jZQ==", "b25jZR=="),
        ] {
            assert!(REQUEST.contains(one));
            assert!(checked(&REQUEST.replace(one, other)).is_ok(), "{other}");
        }
    }

    #[test]
    fn no_header_can_break_out() {
        let accept = checked(REQUEST).unwrap();
        let mut out = Vec::new();
        for header in [("Set-Cookie", "a\r\nX: b"), ("A: b\r\nC", "d"), ("", "x"), ("A", "\0")] {
            assert_eq!(accept.write_response(&mut out, &[header]), Err(UnwritableHeader));
        }
        assert!(write_request(&mut out, "h", "/ HTTP/1.1\r\n", [0; 16], &[]).is_err());
        assert!(write_request(&mut out, "h\r\n", "/", [0; 16], &[]).is_err());
        assert_eq!(out, b"");
    }

    #[test]
    fn both_ends_understand_each_other() {
        let nonce = *b"the sample nonce";
        let (mut request, mut response) = (Vec::new(), Vec::new());
        write_request(&mut request, "h:80", "/v1/ws?a=b", nonce, &[("Origin", "http://h")]).unwrap();
        let head = parse(&request).unwrap().unwrap();
        assert!(head.is_websocket_upgrade());
        assert_eq!((head.path(), head.len()), ("/v1/ws", request.len()));
        check(&head).unwrap().write_response(&mut response, &[("Set-Cookie", "v=1")]).unwrap();
        for cut in 0..response.len() {
            assert_eq!(check_response(&response[..cut], nonce), Ok(None));
        }
        let len = response.len();
        response.extend(b"\x81\x00");
        let accepted = check_response(&response, nonce).unwrap().unwrap();
        assert_eq!(accepted.len, len);
        assert_eq!(accepted.headers.named("set-cookie").next(), Some(&b"v=1"[..]));
        assert_eq!(check_response(&response, [0; 16]), Err(NotAccepted::Token));
        assert_eq!(check_response(b"HTTP/1.1 403 No\r\n\r\n", nonce), Err(NotAccepted::Status(403)));
        assert_eq!(check_response(b"SSH-2.0\r\n\r\n", nonce), Err(NotAccepted::Status(0)));
        assert_eq!(check_response(&[b'x'; MAX_HEAD], nonce), Err(NotAccepted::TooLong));
    }
}

//! The little of WebSocket framing and HTTP heads that a client under load needs: lengths, no copies.

use std::io;

/// Mask of every client frame. A fixed one is allowed to a test tool and costs no randomness.
const MASK: [u8; 4] = [0x5a, 0x3c, 0x96, 0xe1];
/// No answer of a server under test is as long as this.
const MAX_FRAME: usize = 1 << 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text or binary, whole or a part.
    Message,
    /// To be answered with a pong.
    Ping,
    /// An answer to nothing we sent.
    Pong,
    /// The server ends the connection.
    Close,
}

/// One frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: &'a [u8],
    /// The bytes it takes up, head included.
    pub length: usize,
}

/// The first frame, once it is whole.
pub fn first(bytes: &[u8]) -> io::Result<Option<Frame<'_>>> {
    let [lead, size, ..] = *bytes else { return Ok(None) };
    let (head, payload) = match size {
        126 if bytes.len() < 4 => return Ok(None),
        126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
            Some(length) => (10, usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        128.. => return Err(broken("the server sent a masked frame")),
        short => (2, usize::from(short)),
    };
    if payload > MAX_FRAME {
        return Err(broken("the server sent a frame of more than 1 MiB"));
    }
    let kind = match lead & 0x0f {
        0..=2 => Kind::Message,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err(broken("the server sent a frame of an unknown kind")),
    };
    let length = head + payload;
    Ok(bytes.get(head..length).map(|payload| Frame { kind, payload, length }))
}

/// Appends a masked text frame.
pub fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    append(out, 0x81, payload);
}

/// Appends the answer to a ping.
pub fn append_pong(out: &mut Vec<u8>, payload: &[u8]) {
    append(out, 0x8a, payload);
}

fn append(out: &mut Vec<u8>, lead: u8, payload: &[u8]) {
    out.push(lead);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            out.push(0xfe);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0xff);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Where an HTTP head ends, once it is whole.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The status of an HTTP response head.
pub fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

/// The value of a header, found without regard to case.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    std::str::from_utf8(head).ok()?.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The other side does not speak as it should.
pub fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_server(payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        append_text(&mut masked, payload);
        let head = masked.len() - payload.len() - 4;
        let mut frame = masked[..head].to_vec();
        frame[1] &= 0x7f;
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn frames_of_every_length_form_are_walked_and_only_when_whole() {
        for size in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; size];
            let frame = from_server(&payload);
            let stream = [&frame[..], b"\x89\x01p"].concat();
            let found = first(&stream).expect("well-formed").expect("whole");
            assert_eq!((found.kind, found.payload, found.length), (Kind::Message, &payload[..], frame.len()));
            let ping = first(&stream[found.length..]).expect("well-formed").expect("whole");
            assert_eq!(ping, Frame { kind: Kind::Ping, payload: b"p", length: 3 });
            for cut in [0, 1, 2, 3, 9, frame.len() - 1] {
                assert_eq!(first(&frame[..cut.min(frame.len() - 1)]).expect("well-formed"), None);
            }
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_an_error() {
        assert!(first(b"\x81\x81abcde").is_err(), "masked");
        assert!(first(b"\x83\x00").is_err(), "reserved kind");
        assert!(first(&[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err(), "endless");
    }

    #[test]
    fn a_response_head_gives_its_status_and_headers() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nconnection: close\r\n\r\n{";
        assert_eq!(head_end(head), Some(head.len() - 1));
        assert_eq!(status(head), Some(200));
        assert_eq!(header(head, "content-length"), Some("17"));
        assert_eq!(header(head, "Connection"), Some("close"));
        assert_eq!(header(head, "upgrade"), None);
    }
}

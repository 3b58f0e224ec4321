//! One connection for publishing: HTTP with keep-alive and one request at a time, or the yardstick's WebSocket.

use std::io::{self, Read};

use super::dialect::Dialect;
use super::frames::{self, broken};
use super::link::{Link, waits};
use super::options::Protocol;

const READ_BUFFER: usize = 16_384;
/// An answer to a publish is a line of JSON; one that is longer than this is something else.
const MAX_ANSWER: usize = 1 << 20;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Waiting,
    /// It was answered with success.
    Done,
    /// It was answered with something else.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said about it.
        body: String,
    },
}

/// The state of one connection.
#[derive(Default)]
pub struct Lane {
    link: Option<Link>,
    /// The yardstick's lane talks WebSocket once this is over.
    upgrading: bool,
    /// Number and bytes of the request on its way, kept for sending it again.
    request: Option<(u64, Vec<u8>)>,
    unsent: Vec<u8>,
    answer: Vec<u8>,
    not_before: u64,
}

impl Lane {
    /// The number of the request on its way.
    pub fn request(&self) -> Option<u64> {
        self.request.as_ref().map(|(number, _)| *number)
    }

    /// Whether it can take a request.
    pub fn free(&self) -> bool {
        self.link.is_some() && self.request.is_none() && !self.upgrading && self.not_before == 0
    }

    /// Whether it should be dialled now.
    pub fn wants_connection(&self, now: u64) -> bool {
        self.link.is_none() && now >= self.not_before
    }

    /// Drops the connection; the request is sent again over a new one, not before `micros`.
    pub fn try_again_at(&mut self, micros: u64) {
        self.link = None;
        self.not_before = micros;
    }

    /// Takes a new connection into use.
    pub fn opened(&mut self, link: Link, dialect: &Dialect) -> io::Result<Outcome> {
        self.link = Some(link);
        self.not_before = 0;
        self.answer.clear();
        self.upgrading = dialect.protocol == Protocol::Limit;
        self.unsent = match &self.request {
            _ if self.upgrading => dialect.upgrade(0),
            Some((_, bytes)) => bytes.clone(),
            None => Vec::new(),
        };
        self.flush()
    }

    /// Sends a request. The yardstick gives no answers, so there it counts as done.
    pub fn send(&mut self, number: u64, bytes: Vec<u8>, protocol: Protocol) -> io::Result<Outcome> {
        self.unsent.extend_from_slice(&bytes);
        if protocol != Protocol::Limit {
            self.request = Some((number, bytes));
            return self.flush();
        }
        self.flush()?;
        Ok(Outcome::Done)
    }

    /// Goes on with whatever the socket allows.
    pub fn ready(&mut self) -> io::Result<Outcome> {
        let Some(link) = &mut self.link else { return Ok(Outcome::Waiting) };
        if let Some(error) = link.failure() {
            return Err(error);
        }
        self.flush()?;
        let mut buffer = [0; READ_BUFFER];
        let ended = loop {
            let Some(link) = &mut self.link else { break false };
            match link.read(&mut buffer) {
                Ok(0) => break true,
                Ok(got) => self.answer.extend_from_slice(&buffer[..got]),
                Err(error) if waits(&error) => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.answer.len() > MAX_ANSWER {
                return Err(broken("the answer is longer than 1 MiB"));
            }
        };
        let outcome = self.answered()?;
        if ended {
            self.link = None;
            if self.request.is_some() {
                return Err(broken("the server ended the connection without an answer"));
            }
        }
        Ok(outcome)
    }

    fn flush(&mut self) -> io::Result<Outcome> {
        if let Some(link) = &mut self.link {
            link.flush_from(&mut self.unsent)?;
        }
        Ok(Outcome::Waiting)
    }

    fn answered(&mut self) -> io::Result<Outcome> {
        let Some((status, head, end)) = whole_answer(&self.answer)? else { return Ok(Outcome::Waiting) };
        if self.upgrading {
            if status != 101 {
                return Err(broken(format!("the upgrade was answered with {status}")));
            }
            self.upgrading = false;
            self.answer.clear();
            return Ok(Outcome::Waiting);
        }
        if self.request.is_none() {
            return Err(broken("an answer came that nobody asked for"));
        }
        let ends = frames::header(&self.answer[..head], "connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let body = String::from_utf8_lossy(&self.answer[head..end.min(head + 400)]).into_owned();
        self.answer.drain(..end);
        if ends {
            self.link = None;
        }
        if (200..300).contains(&status) {
            self.request = None;
            return Ok(Outcome::Done);
        }
        Ok(Outcome::Refused { status, body })
    }
}

/// Status, end of the head and end of the body of an HTTP answer, once it is whole.
fn whole_answer(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(head) = frames::head_end(bytes) else { return Ok(None) };
    let status = frames::status(bytes).ok_or_else(|| broken("the answer is not HTTP/1.1"))?;
    let length = match frames::header(&bytes[..head], "content-length") {
        Some(length) => length.parse().map_err(|_| broken("the answer has a strange Content-Length"))?,
        None if status == 101 || status == 204 => 0,
        None => return Err(broken("the answer has no Content-Length")),
    };
    let end = head.saturating_add(length);
    Ok((bytes.len() >= end).then_some((status, head, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(answer: &[u8]) -> Lane {
        Lane { request: Some((3, b"POST".to_vec())), answer: answer.to_vec(), ..Lane::default() }
    }

    #[test]
    fn an_answer_counts_once_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        for cut in 0..answer.len() {
            let mut lane = lane(&answer[..cut]);
            assert_eq!(lane.answered().expect("well-formed"), Outcome::Waiting, "{cut} bytes");
            assert_eq!(lane.request(), Some(3));
        }
        let mut lane = lane(answer);
        assert_eq!(lane.answered().expect("well-formed"), Outcome::Done);
        assert_eq!((lane.request(), lane.answer.len()), (None, 0));
    }

    #[test]
    fn a_refusal_says_why_and_keeps_the_request() {
        let mut lane = lane(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nwait");
        let refused = Outcome::Refused { status: 503, body: "wait".into() };
        assert_eq!(lane.answered().expect("well-formed"), refused);
        assert_eq!(lane.request(), Some(3));
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        for wrong in [&b"SSH-2.0\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(lane(wrong).answered().is_err());
        }
        let mut idle =
            Lane { answer: b"HTTP/1.1 408 x\r\ncontent-length: 0\r\n\r\n".to_vec(), ..Lane::default() };
        assert!(idle.answered().is_err());
    }
}

//! The head of an HTTP/1 request, read in place and within a bound.
//!
//! The front door of the server calls [`parse`] each time more bytes have arrived, until the blank line is
//! there, and then decides by path and headers who goes on with the connection. Nothing is copied and nothing
//! is allocated: a [`Head`] is a handful of slices of the bytes that were read.
//!
//! The parser is strict where two readers of one request could come to different opinions about it (bare line
//! feeds, folded lines, a blank before the colon, several `Host` lines), because whatever it lets through is
//! read a second time by the HTTP server behind it.

mod fields;
mod query;
mod refusal;
mod request_line;

#[cfg(test)]
mod tests;

pub use fields::{Fields, ListItems};
pub(crate) use fields::{is_token_byte, split_unquoted};

pub use query::{QueryPairs, percent_decode, query_pairs};
pub use refusal::HeadError;
pub use request_line::Version;

use request_line::RequestLine;

/// The longest head that is read unless somebody sets another bound, from the first byte to the blank line:
/// room for a few large cookies.
pub const MAX_HEAD: usize = 16 * 1024;
/// The longest request line: the part of the head that a link can fill without any cookie.
pub const MAX_REQUEST_LINE: usize = 8 * 1024;
/// The most header lines of one head.
pub const MAX_HEADER_LINES: usize = 100;

/// A complete request head, borrowed from the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    request: RequestLine<'a>,
    fields: Fields<'a>,
    len: usize,
}

/// Reads a request head from the start of `buf`.
///
/// `None` means that the blank line has not arrived yet: read more and call again with all bytes so far. What
/// is already wrong or too large is refused without waiting for the rest.
pub fn parse(buf: &[u8]) -> Result<Option<Head<'_>>, HeadError> {
    parse_within(buf, MAX_HEAD)
}

/// Reads a request head that may be at most so long.
pub fn parse_within(buf: &[u8], most: usize) -> Result<Option<Head<'_>>, HeadError> {
    // One empty line in front is what some old clients send after the body of the request before.
    let start = if buf.starts_with(b"\r\n") { 2 } else { 0 };
    let Some(line) = line_at(buf, start, most)? else {
        return request_line::check_partial(&buf[start..]).map(|()| None);
    };
    let request = RequestLine::parse(line)?;
    let fields_start = start + line.len() + 2;
    let mut at = fields_start;
    let mut lines = 0;
    let mut hosts = 0;
    // How long the body is may be said in one way only: two readers could choose differently.
    let mut lengths = 0;
    loop {
        let Some(line) = line_at(buf, at, most)? else {
            return if buf.len() >= most { Err(HeadError::HeadTooLong) } else { Ok(None) };
        };
        if line.is_empty() {
            break;
        }
        lines += 1;
        if lines > MAX_HEADER_LINES {
            return Err(HeadError::TooManyHeaders);
        }
        let (name, _) = fields::split(line)?;
        hosts += usize::from(name.eq_ignore_ascii_case("host"));
        lengths += usize::from(name.eq_ignore_ascii_case("content-length"));
        lengths += usize::from(name.eq_ignore_ascii_case("transfer-encoding"));
        at += line.len() + 2;
    }
    if hosts > 1 || (hosts == 0 && request.version == Version::Http11) {
        return Err(HeadError::Host);
    }
    if lengths > 1 {
        return Err(HeadError::BodyLength);
    }
    Ok(Some(Head { request, fields: Fields::new(&buf[fields_start..at]), len: at + 2 }))
}

/// The line that starts at `at`, without its end, or `None` if its end has not arrived within the bound.
fn line_at(buf: &[u8], at: usize, most: usize) -> Result<Option<&[u8]>, HeadError> {
    let window = &buf[..buf.len().min(most)];
    let rest = window.get(at..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return Ok(None);
    };
    match rest[..end].split_last() {
        Some((b'\r', line)) => Ok(Some(line)),
        _ => Err(HeadError::BareLineFeed),
    }
}

impl<'a> Head<'a> {
    /// The method, one of the seven that an HTTP API uses, in capitals.
    pub fn method(&self) -> &'a str {
        self.request.method
    }

    /// The path as it was sent, not decoded; it begins with `/` or is `*`.
    pub fn path(&self) -> &'a str {
        self.request.path
    }

    /// What stands behind the first `?`, as it was sent; empty if there is none.
    pub fn query(&self) -> &'a str {
        self.request.query
    }

    /// The version of HTTP that the client speaks.
    pub fn version(&self) -> Version {
        self.request.version
    }

    /// How many bytes the head takes, with its blank line: the next byte is the body's or the next protocol's.
    // A head is never empty, so an `is_empty` beside this would only mislead.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// All header lines in their order, as (name, value); a value may be anything but control characters.
    pub fn headers(&self) -> Fields<'a> {
        self.fields.clone()
    }

    /// The value of the first header with this name (in any case); `None` also if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.fields.named(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// How many header lines have this name.
    pub fn count(&self, name: &str) -> usize {
        self.fields.named(name).count()
    }

    /// The members of a comma-separated list header, over all lines of that name; empty members are left out.
    pub fn list(&self, name: &'a str) -> ListItems<'a> {
        ListItems::new(self.fields.clone(), name)
    }

    /// Whether a list header has this member, in any case, as `Connection: keep-alive, Upgrade` has `upgrade`.
    pub fn list_has(&self, name: &'a str, member: &str) -> bool {
        self.list(name).any(|item| item.eq_ignore_ascii_case(member))
    }

    /// The value of the first cookie with this name, as it was sent but without surrounding quotes.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        fields::cookie(&self.fields, name)
    }

    /// The decoded pairs of the query.
    pub fn query_pairs(&self) -> QueryPairs<'a> {
        query_pairs(self.request.query)
    }

    /// Whether the client asks to go on as a WebSocket. Whether it asks correctly is for
    /// [`handshake::check`](crate::websocket::handshake::check) to say, which has a sentence for each mistake.
    pub fn is_websocket_upgrade(&self) -> bool {
        self.method() == "GET" && self.list_has("upgrade", "websocket")
    }
}

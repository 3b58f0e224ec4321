//! What a polling client gets as the answer to a request, to the letter: clients compare bodies.

use std::borrow::Cow;

use super::asked::Fault;

/// An answer of HTTP. None of them may be kept by a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The value of `Content-Type`.
    pub kind: &'static str,
    /// The body.
    pub body: Cow<'static, [u8]>,
}

/// The value of `Cache-Control` in all of them.
pub const CACHE: &str = "no-store";

impl Answer {
    /// What there is to say, as [`Payload`](super::payload::Payload) has written it.
    pub const fn poll(body: Vec<u8>) -> Self {
        Self { status: 200, kind: "text/plain; charset=UTF-8", body: Cow::Owned(body) }
    }

    /// A request's packets were taken. The kind of it has been this one from the beginning.
    pub const fn posted() -> Self {
        Self { status: 200, kind: "text/html", body: Cow::Borrowed(b"ok") }
    }

    /// An error.
    pub const fn fault(fault: Fault) -> Self {
        Self {
            status: fault.status(),
            kind: "application/json",
            body: Cow::Borrowed(fault.body().as_bytes()),
        }
    }

    /// The body was longer than the first packet of the session has said; the session ends.
    pub const fn too_large() -> Self {
        let body =
            br#"{"code":3,"message":"Payload too large: stay within maxPayload, or send it over HTTP"}"#;
        Self { status: 413, kind: "application/json", body: Cow::Borrowed(body) }
    }
}

/// Whether a body of this kind is one of packets. Bytes were the body of an older version.
///
/// ```
/// use deskbell_wire::engineio::answer::takes;
/// assert!(takes(Some("text/plain;charset=UTF-8")) && takes(None) && !takes(Some("application/octet-stream")));
/// ```
pub fn takes(kind: Option<&str>) -> bool {
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/octet-stream"))
}

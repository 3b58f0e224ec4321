//! Why a request head is refused: an HTTP status, a stable code and a sentence for each reason.

use std::fmt;

/// Why a request head was refused. Nothing after it can be trusted: answer and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// The request line is not `METHOD TARGET HTTP/x.y`.
    RequestLine,
    /// The target is neither a path, nor an absolute URL, nor `*`, or holds forbidden characters.
    Target,
    /// A line ends in LF without CR.
    BareLineFeed,
    /// A header line is not `name: value`.
    HeaderLine,
    /// `Host` is missing, or there are several.
    Host,
    /// The length of the body is said more than once.
    BodyLength,
    /// The request line is longer than [`MAX_REQUEST_LINE`](super::MAX_REQUEST_LINE).
    TargetTooLong,
    /// The head is longer than its bound, [`MAX_HEAD`](super::MAX_HEAD) unless another was set.
    HeadTooLong,
    /// There are more header lines than [`MAX_HEADER_LINES`](super::MAX_HEADER_LINES).
    TooManyHeaders,
    /// The method is well formed, but no part of the server knows it.
    Method,
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    Version,
}

impl HeadError {
    /// The HTTP status to answer with.
    pub const fn status(self) -> u16 {
        self.facts().0
    }

    /// The stable code of this refusal, for logs, metrics and the answer's body.
    pub const fn code(self) -> &'static str {
        self.facts().1
    }

    /// One sentence that tells the sender what to do.
    pub const fn sentence(self) -> &'static str {
        self.facts().2
    }

    const fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::RequestLine => {
                (400, "http_request_line", "Send a request line of the form: METHOD /path HTTP/1.1.")
            }
            Self::Target => (
                400,
                "http_target",
                "Send the target as /path?query without blanks, control characters or a fragment; percent-encode them.",
            ),
            Self::BareLineFeed => (400, "http_bare_line_feed", "End each line of the head with CR LF."),
            Self::HeaderLine => {
                (400, "http_header_line", "Send each header as name: value on one line, without folding.")
            }
            Self::Host => (400, "http_host", "Send exactly one Host header."),
            Self::BodyLength => (
                400,
                "http_body_length",
                "Say the length of the body once: one Content-Length, or Transfer-Encoding: chunked.",
            ),
            Self::TargetTooLong => (414, "http_target_too_long", "Shorten the URL to less than 8 KiB."),
            Self::HeadTooLong => (
                431,
                "http_head_too_long",
                "Send fewer bytes of headers (limit.header); clear this site's cookies.",
            ),
            Self::TooManyHeaders => (431, "http_too_many_headers", "Send at most 100 headers."),
            Self::Method => {
                (501, "http_method", "Use one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.")
            }
            Self::Version => (505, "http_version", "Speak HTTP/1.1 on this connection."),
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for HeadError {}

//! An expected "no": a stable code and a sentence that says what to do.
//!
//! Dialects map a refusal to their own words in one table each. A *failure* (the outside world
//! broke) and a *bug* (an assertion) are no refusals and never take this shape.

use std::borrow::Cow;
use std::fmt;

/// The stable code of a refusal. The text form is part of the protocol and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The bytes are no message of this dialect.
    BadMessage,
    /// The message's type is not known.
    UnknownType,
    /// A field has the wrong type or a value out of bounds.
    BadField,
    /// A channel name is outside the grammar.
    BadChannel,
    /// An event name is outside the grammar.
    BadName,
    /// More bytes than the limit allows.
    TooLarge,
    /// More of something than the limit allows.
    LimitReached,
    /// Too many messages or requests in too short a time.
    RateLimited,
    /// No identity, or a signature that does not fit.
    Unauthorized,
    /// The token was valid once.
    TokenExpired,
    /// The identity may not do this.
    Denied,
    /// The session is not subscribed to that channel.
    NotSubscribed,
    /// The thing that was asked for does not exist.
    NotFound,
    /// The method does not fit the route.
    MethodNotAllowed,
    /// An idempotency key was used before with another body.
    KeyReused,
    /// A dependency does not answer now; trying again later may help.
    Unavailable,
    /// The server is shutting down; another connection will find the next one.
    Draining,
    /// The Origin header names a site that is not allowed here.
    BadOrigin,
    /// Something else claims the time.
    Conflict,
    /// The hold was not confirmed in time.
    HoldExpired,
    /// Somebody else holds it.
    NotHolder,
    /// The fence is not that of the present grant.
    StaleFence,
    /// The booking has changed since the version that was given.
    StaleVersion,
    /// The principal has as many holds or waits as it may have.
    Quota,
    /// The hold has reached the end of its life.
    MaxLife,
    /// The reservation's state does not allow this.
    BadState,
}

impl Code {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 26] = [
        Self::BadMessage,
        Self::UnknownType,
        Self::BadField,
        Self::BadChannel,
        Self::BadName,
        Self::TooLarge,
        Self::LimitReached,
        Self::RateLimited,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::Denied,
        Self::NotSubscribed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::KeyReused,
        Self::Unavailable,
        Self::Draining,
        Self::BadOrigin,
        Self::Conflict,
        Self::HoldExpired,
        Self::NotHolder,
        Self::StaleFence,
        Self::StaleVersion,
        Self::Quota,
        Self::MaxLife,
        Self::BadState,
    ];

    /// The text form, as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadMessage => "bad_message",
            Self::UnknownType => "unknown_type",
            Self::BadField => "bad_field",
            Self::BadChannel => "bad_channel",
            Self::BadName => "bad_name",
            Self::TooLarge => "too_large",
            Self::LimitReached => "limit_reached",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Denied => "denied",
            Self::NotSubscribed => "not_subscribed",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::KeyReused => "key_reused",
            Self::Unavailable => "unavailable",
            Self::Draining => "draining",
            Self::BadOrigin => "bad_origin",
            Self::Conflict => "conflict",
            Self::HoldExpired => "hold_expired",
            Self::NotHolder => "not_holder",
            Self::StaleFence => "stale_fence",
            Self::StaleVersion => "stale_version",
            Self::Quota => "quota",
            Self::MaxLife => "max_life",
            Self::BadState => "bad_state",
        }
    }

    /// The HTTP status that carries this refusal.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadMessage | Self::UnknownType | Self::BadField | Self::BadChannel | Self::BadName => 400,
            Self::Unauthorized | Self::TokenExpired => 401,
            Self::Denied | Self::BadOrigin | Self::NotHolder => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotSubscribed
            | Self::KeyReused
            | Self::Conflict
            | Self::StaleFence
            | Self::StaleVersion
            | Self::MaxLife
            | Self::BadState => 409,
            Self::HoldExpired => 410,
            Self::TooLarge => 413,
            Self::LimitReached | Self::RateLimited | Self::Quota => 429,
            Self::Unavailable | Self::Draining => 503,
        }
    }
}

/// A refusal: what was wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// One sentence for the reader of a log or a console.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its sentence.
    ///
    /// ```
    /// use deskbell_core::refusal::{Code, Refusal};
    /// let no = Refusal::new(Code::BadChannel, "the name is empty; give a channel");
    /// assert_eq!(no.to_string(), "bad_channel: the name is empty; give a channel");
    /// ```
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Refusal {}

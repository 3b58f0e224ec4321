//! The classes in which this application's clients sort what goes wrong, and what they do then.

use deskbell_core::refusal::Code;

/// A class of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing proves who it is.
    Authentication,
    /// The proof is over, or none.
    InvalidToken,
    /// Whoever it is may not do that.
    Authorization,
    /// Too fast, or too much.
    RateLimited,
    /// The connection did not come about, or is about to end.
    Connection,
    /// Something did not answer in time.
    Timeout,
    /// What was to be told was not told.
    Broadcast,
    /// Anything else.
    Unknown,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::Authentication,
        Self::InvalidToken,
        Self::Authorization,
        Self::RateLimited,
        Self::Connection,
        Self::Timeout,
        Self::Broadcast,
        Self::Unknown,
    ];

    /// The class of a refusal.
    ///
    /// ```
    /// use deskbell_core::refusal::Code;
    /// use deskbell_wire::socketio::marketplace::errors::Class;
    /// assert_eq!(Class::of(Code::TokenExpired).as_str(), "INVALID_TOKEN");
    /// assert!(!Class::of(Code::RateLimited).is_retryable() && Class::of(Code::Unavailable).is_retryable());
    /// ```
    pub const fn of(code: Code) -> Self {
        match code {
            Code::Unauthorized => Self::Authentication,
            Code::TokenExpired => Self::InvalidToken,
            Code::Denied | Code::BadOrigin | Code::NotHolder => Self::Authorization,
            Code::RateLimited | Code::LimitReached | Code::Quota => Self::RateLimited,
            Code::Draining => Self::Connection,
            Code::Unavailable => Self::Timeout,
            Code::BadMessage
            | Code::UnknownType
            | Code::BadField
            | Code::BadChannel
            | Code::BadName
            | Code::TooLarge
            | Code::KeyReused => Self::Broadcast,
            Code::NotSubscribed
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::Conflict
            | Code::HoldExpired
            | Code::StaleFence
            | Code::StaleVersion
            | Code::MaxLife
            | Code::BadState => Self::Unknown,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "AUTHENTICATION_ERROR",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::Authorization => "AUTHORIZATION_ERROR",
            Self::RateLimited => "RATE_LIMITED",
            Self::Connection => "CONNECTION_ERROR",
            Self::Timeout => "TIMEOUT_ERROR",
            Self::Broadcast => "BROADCAST_ERROR",
            Self::Unknown => "UNKNOWN_ERROR",
        }
    }

    /// Does a client that does the same again have a chance?
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Connection | Self::Timeout | Self::Unknown)
    }
}

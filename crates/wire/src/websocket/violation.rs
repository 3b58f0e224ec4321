//! What a peer can do wrong on a WebSocket, with the close code and the sentence that it gets back.

use std::fmt;

/// A breach of the protocol or of a bound. The connection is over: send a close with
/// [`close_code`](Self::close_code) and [`sentence`](Self::sentence), then drop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit is set without an extension that gives it a meaning.
    ReservedBit,
    /// The opcode has no meaning.
    ReservedOpcode,
    /// A client's frame is not masked.
    Unmasked,
    /// A server's frame is masked.
    Masked,
    /// A control frame has more than 125 bytes.
    LongControl,
    /// A control frame is fragmented.
    FragmentedControl,
    /// A length is not written in its shortest form, or has its top bit set.
    Length,
    /// A continuation without a message to continue.
    StrayContinuation,
    /// A new message begins within a fragmented one.
    InterruptedMessage,
    /// The payload of a close is a single byte.
    ShortClose,
    /// A close code that must not be sent.
    CloseCode,
    /// A text message or a close reason is not UTF-8.
    Utf8,
    /// A compressed message cannot be inflated.
    Deflate,
    /// A frame announces more bytes than the limit.
    FrameTooBig,
    /// A message is longer than the limit, as sent or when inflated.
    MessageTooBig,
    /// A message comes in a great many frames that bring next to nothing.
    TooManyFragments,
}

impl Violation {
    /// Every violation, for documentation and tests.
    pub const ALL: [Self; 16] = [
        Self::ReservedBit,
        Self::ReservedOpcode,
        Self::Unmasked,
        Self::Masked,
        Self::LongControl,
        Self::FragmentedControl,
        Self::Length,
        Self::StrayContinuation,
        Self::InterruptedMessage,
        Self::ShortClose,
        Self::CloseCode,
        Self::Utf8,
        Self::Deflate,
        Self::FrameTooBig,
        Self::MessageTooBig,
        Self::TooManyFragments,
    ];

    /// The code for the close frame: 1002 protocol error, 1007 invalid data, 1009 too big.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Utf8 | Self::Deflate => 1007,
            Self::FrameTooBig | Self::MessageTooBig | Self::TooManyFragments => 1009,
            _ => 1002,
        }
    }

    /// The stable name of this violation, for logs and metrics.
    pub const fn code(self) -> &'static str {
        self.facts().0
    }

    /// One sentence that tells the sender what to do; short enough for a close frame.
    pub const fn sentence(self) -> &'static str {
        self.facts().1
    }

    const fn facts(self) -> (&'static str, &'static str) {
        match self {
            Self::ReservedBit => {
                ("ws_reserved_bit", "Clear the reserved bits: no extension gives them a meaning here.")
            }
            Self::ReservedOpcode => ("ws_reserved_opcode", "Use the opcodes 0, 1, 2, 8, 9 and 10 only."),
            Self::Unmasked => ("ws_unmasked", "A client must mask each frame."),
            Self::Masked => ("ws_masked", "A server must not mask its frames."),
            Self::LongControl => ("ws_long_control", "Keep the payload of control frames within 125 bytes."),
            Self::FragmentedControl => ("ws_fragmented_control", "Send control frames whole."),
            Self::Length => ("ws_length", "Write the payload length in its shortest form, below 2^63."),
            Self::StrayContinuation => {
                ("ws_stray_continuation", "Begin a message with a text or binary frame.")
            }
            Self::InterruptedMessage => {
                ("ws_interrupted_message", "Finish the fragmented message before you begin another.")
            }
            Self::ShortClose => ("ws_short_close", "Send a close with a two-byte code or with no payload."),
            Self::CloseCode => ("ws_close_code", "Close with 1000 to 1003, 1007 to 1014 or 3000 to 4999."),
            Self::Utf8 => ("ws_utf8", "Send text as valid UTF-8; use binary messages for other bytes."),
            Self::Deflate => {
                ("ws_deflate", "Send compressed messages as valid raw deflate, each on its own.")
            }
            Self::FrameTooBig => ("ws_frame_too_big", "Send smaller frames."),
            Self::MessageTooBig => ("ws_message_too_big", "Send smaller messages."),
            Self::TooManyFragments => ("ws_too_many_fragments", "Send messages in fewer and larger frames."),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fit_a_close_frame_and_codes_are_distinct() {
        for (at, violation) in Violation::ALL.into_iter().enumerate() {
            assert!(violation.sentence().len() <= 123, "{violation:?}");
            assert!(Violation::ALL[..at].iter().all(|other| other.code() != violation.code()));
        }
    }
}

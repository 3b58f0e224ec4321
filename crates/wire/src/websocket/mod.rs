//! The WebSocket protocol (RFC 6455) with per-message compression (RFC 7692), without any I/O.
//!
//! * [`handshake`] checks an upgrade request and writes the answer; [`extension`] negotiates compression.
//! * [`Decoder`] turns the bytes after it into messages. It is a few machine words for an idle connection; a
//!   frame that arrived whole is handed out where it lies.
//! * [`encode`] writes frames, once per event and not once per receiver; [`deflate`] compresses them likewise.
//! * [`Violation`] names each thing a peer can do wrong, with the close code and the sentence it gets back.
//!
//! The decoder is as strict as the RFC allows: it fails at the first byte that cannot belong to a valid stream.

pub mod deflate;
pub mod encode;
pub mod extension;
pub mod handshake;

mod close;
mod decoder;
mod header;
mod mask;
mod message;
mod violation;

pub use close::is_valid_code;
pub use decoder::{Decoder, Feed, Item, Limits};
pub use violation::Violation;

/// The longest payload of a ping, a pong or a close.
pub const MAX_CONTROL: usize = 125;

/// Which end of the connection we are. Clients mask their frames, servers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We accepted the connection: what arrives must be masked.
    Server,
    /// We opened it: what arrives must not be masked.
    Client,
}

/// The kinds of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A further piece of a fragmented message.
    Continuation,
    /// A text message, or its first piece.
    Text,
    /// A binary message, or its first piece.
    Binary,
    /// The last frame of a side.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to a ping, or an unasked sign of life.
    Pong,
}

impl Opcode {
    /// The four bits that stand for this kind in a frame.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether this is a close, a ping or a pong: short, never fragmented, allowed between fragments.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

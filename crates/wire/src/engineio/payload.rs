//! The bodies of polling: packets with a record separator between them.

use std::fmt;

use super::packet::{self, BadPacket, Packet};
use deskbell_core::limits;

/// What stands between two packets.
pub const SEPARATOR: u8 = 0x1e;

/// Why a body was not understood. The session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPayload {
    /// It has more packets than [`limits::POLL_PACKETS_IN`].
    TooMany,
    /// It is not text.
    Utf8,
    /// One of its packets is none.
    Packet(BadPacket),
}

impl fmt::Display for BadPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                write!(
                    f,
                    "a body has at most {} packets; send the others in the next",
                    limits::POLL_PACKETS_IN
                )
            }
            Self::Utf8 => f.write_str("a body is UTF-8; send bytes as base64 behind a b"),
            Self::Packet(why) => why.fmt(f),
        }
    }
}

/// Reads a body. All of it is read before any of it counts, so that a broken body does nothing.
pub fn read(body: &[u8]) -> Result<Vec<Packet<'_>>, BadPayload> {
    let text = str::from_utf8(body).map_err(|_| BadPayload::Utf8)?;
    let count = memchr::memchr_iter(SEPARATOR, body).count() + 1;
    if count > limits::POLL_PACKETS_IN {
        return Err(BadPayload::TooMany);
    }
    let packets =
        text.split(char::from(SEPARATOR)).map(|piece| packet::read(piece).map_err(BadPayload::Packet));
    packets.collect()
}

/// A body that is being written. It takes as many packets as every client reads at once; what it does not take
/// waits for the next request.
#[derive(Debug, Default)]
pub struct Payload {
    bytes: Vec<u8>,
    packets: usize,
}

impl Payload {
    /// Nothing is in it.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), packets: 0 }
    }

    /// Whether a packet of so many bytes still fits. The first one always does, however long it is: it was let
    /// in by another bound, and would otherwise never leave.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.packets == 0
            || self.packets < limits::POLL_PACKETS_OUT
                && self.bytes.len() + 1 + bytes <= limits::POLL_BYTES_OUT
    }

    /// Adds a packet that is text already.
    pub fn push(&mut self, packet: &[u8]) {
        self.separate();
        self.bytes.extend_from_slice(packet);
    }

    /// Adds a message of bytes.
    pub fn push_binary(&mut self, bytes: &[u8]) {
        self.separate();
        packet::binary(bytes, &mut self.bytes);
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// The body. An empty one would be no packet, so it says "nothing".
    pub fn finish(mut self) -> Vec<u8> {
        if self.packets == 0 {
            packet::write(&Packet::Noop, &mut self.bytes);
        }
        self.bytes
    }

    fn separate(&mut self) {
        if self.packets > 0 {
            self.bytes.push(SEPARATOR);
        }
        self.packets += 1;
    }
}

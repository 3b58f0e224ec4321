//! One packet: a WebSocket message, or a piece of a polling body.
//!
//! The first byte says what it is. Bytes are looked at, never cut as text at a guessed place.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Clients pad, and some libraries do not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The first packet of a session, from the server.
    Open(&'a str),
    /// The session is over.
    Close,
    /// Are you there? With `probe` on a WebSocket that a polling client tries.
    Ping(&'a str),
    /// I am here.
    Pong(&'a str),
    /// A message as text.
    Message(&'a str),
    /// A message as bytes.
    Binary(Cow<'a, [u8]>),
    /// The client goes on over this WebSocket.
    Upgrade,
    /// Nothing: it ends a request that waits.
    Noop,
}

/// The data of the packets by which a client tries a WebSocket.
pub const PROBE: &str = "probe";

/// The answer to a probe, as the WebSocket message it is.
pub const PROBE_ANSWER: &str = "3probe";

/// Why a packet is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPacket {
    /// There is nothing in it.
    Empty,
    /// Its first byte is none of `0` to `6` and no `b`.
    Unknown,
    /// A packet that says all with its first byte goes on.
    Trailing,
    /// Bytes that are no base64.
    Base64,
}

impl BadPacket {
    /// Every reason, for documentation and tests.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Unknown, Self::Trailing, Self::Base64];

    /// What was wrong, and what would be right.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "a packet has at least its type; send one of 0 to 6, or b with base64",
            Self::Unknown => "a packet begins with its type, 0 to 6, or with b before base64",
            Self::Trailing => "a close, an upgrade and a noop have nothing behind their type",
            Self::Base64 => "behind the b of a binary packet stands base64; encode the bytes so",
        }
    }
}

impl fmt::Display for BadPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// Reads a packet that came as text: a text message of a WebSocket, or a piece of a polling body.
///
/// ```
/// use deskbell_wire::engineio::packet::{Packet, read};
/// assert_eq!(read("4hello"), Ok(Packet::Message("hello")));
/// assert!(read("éabcd").is_err());
/// ```
pub fn read(text: &str) -> Result<Packet<'_>, BadPacket> {
    let Some(&first) = text.as_bytes().first() else { return Err(BadPacket::Empty) };
    // Every type is one byte of ASCII, so that the rest begins at a character.
    let rest = text.get(1..).ok_or(BadPacket::Unknown)?;
    let bare = |packet| if rest.is_empty() { Ok(packet) } else { Err(BadPacket::Trailing) };
    match first {
        b'0' => Ok(Packet::Open(rest)),
        b'1' => bare(Packet::Close),
        b'2' => Ok(Packet::Ping(rest)),
        b'3' => Ok(Packet::Pong(rest)),
        b'4' => Ok(Packet::Message(rest)),
        b'5' => bare(Packet::Upgrade),
        b'6' => bare(Packet::Noop),
        b'b' => match LENIENT.decode(rest) {
            Ok(bytes) => Ok(Packet::Binary(Cow::Owned(bytes))),
            Err(_) => Err(BadPacket::Base64),
        },
        _ => Err(BadPacket::Unknown),
    }
}

/// Writes a packet as text. Bytes become `b` and base64, as in polling and for clients that cannot take bytes.
pub fn write(packet: &Packet<'_>, out: &mut Vec<u8>) {
    match packet {
        Packet::Open(data) => typed(b'0', data, out),
        Packet::Close => out.push(b'1'),
        Packet::Ping(data) => typed(b'2', data, out),
        Packet::Pong(data) => typed(b'3', data, out),
        Packet::Message(data) => typed(b'4', data, out),
        Packet::Binary(bytes) => binary(bytes, out),
        Packet::Upgrade => out.push(b'5'),
        Packet::Noop => out.push(b'6'),
    }
}

fn typed(kind: u8, data: &str, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(data.as_bytes());
}

/// Writes bytes as text.
pub fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'b');
    let start = out.len();
    let room = base64::encoded_len(bytes.len(), true).expect("what is in memory has a length in base64");
    out.resize(start + room, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("there is exactly the room");
    out.truncate(start + written);
}

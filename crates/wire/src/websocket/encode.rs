//! From messages to frames.
//!
//! A server's frame is the same for every receiver, so an event is encoded once and its [`Bytes`] are shared.
//! The masked variants are for clients: the load generator and tests.

use bytes::Bytes;

use super::header::MAX_HEADER;
use super::{MAX_CONTROL, Opcode, mask};

/// Everything about a frame but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The kind of the frame.
    pub opcode: Opcode,
    /// Whether it is the last piece of its message.
    pub fin: bool,
    /// Whether it begins a compressed message.
    pub compressed: bool,
    /// The mask, on the way from a client to a server.
    pub mask: Option<[u8; 4]>,
}

impl Shape {
    /// A whole, plain message from a server.
    pub const fn whole(opcode: Opcode) -> Self {
        Self { opcode, fin: true, compressed: false, mask: None }
    }

    /// The header in front of a payload of `len` bytes.
    pub fn head(self, len: usize) -> FrameHead {
        let flags = u8::from(self.fin) << 7 | u8::from(self.compressed) << 6;
        let masked = u8::from(self.mask.is_some()) << 7;
        let mut head = FrameHead { bytes: [0; MAX_HEADER], len: 0 };
        head.push(&[flags | self.opcode.bits()]);
        match len {
            0..=125 => head.push(&[masked | len as u8]),
            126..=0xffff => {
                head.push(&[masked | 0x7e]);
                head.push(&(len as u16).to_be_bytes());
            }
            _ => {
                head.push(&[masked | 0x7f]);
                head.push(&(len as u64).to_be_bytes());
            }
        }
        if let Some(mask) = self.mask {
            head.push(&mask);
        }
        head
    }

    /// Appends the whole frame to `out`.
    pub fn write_into(self, out: &mut Vec<u8>, payload: &[u8]) {
        let head = self.head(payload.len());
        out.reserve(head.as_bytes().len() + payload.len());
        out.extend_from_slice(head.as_bytes());
        let start = out.len();
        out.extend_from_slice(payload);
        if let Some(mask) = self.mask {
            mask::apply(&mut out[start..], mask, 0);
        }
    }
}

/// The encoded header of a frame, for a caller that sends header and payload from two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl FrameHead {
    /// The bytes as they stand on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

/// Appends a whole frame from a server. For control frames use [`ping_into`], [`pong_into`] and [`close_into`],
/// which keep their payload within the protocol's bound.
pub fn frame_into(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    Shape::whole(opcode).write_into(out, payload);
}

/// Appends a whole frame from a client. The mask should be unpredictable for whoever chose the payload.
pub fn masked_frame_into(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    Shape { mask: Some(mask), ..Shape::whole(opcode) }.write_into(out, payload);
}

/// A text message to be sent to many. The payload must be UTF-8, as all JSON is.
pub fn text_frame(payload: &[u8]) -> Bytes {
    text_frame_from_parts(&[payload])
}

/// A text message made of several pieces, with a single allocation of exactly its size.
pub fn text_frame_from_parts(parts: &[&[u8]]) -> Bytes {
    from_parts(Shape::whole(Opcode::Text), parts)
}

/// A binary message to be sent to many.
pub fn binary_frame(payload: &[u8]) -> Bytes {
    from_parts(Shape::whole(Opcode::Binary), &[payload])
}

pub(super) fn from_parts(shape: Shape, parts: &[&[u8]]) -> Bytes {
    let len = parts.iter().map(|part| part.len()).sum();
    let head = shape.head(len);
    let mut out = Vec::with_capacity(head.as_bytes().len() + len);
    out.extend_from_slice(head.as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    debug_assert!(
        shape.opcode != Opcode::Text
            || shape.compressed
            || str::from_utf8(&out[head.as_bytes().len()..]).is_ok(),
        "a text message must be UTF-8"
    );
    out.into()
}

/// Appends a ping; of a payload only the first 125 bytes are sent.
pub fn ping_into(out: &mut Vec<u8>, payload: &[u8]) {
    frame_into(out, Opcode::Ping, &payload[..payload.len().min(MAX_CONTROL)]);
}

/// Appends a pong; of a payload only the first 125 bytes are sent, and a received ping has no more.
pub fn pong_into(out: &mut Vec<u8>, payload: &[u8]) {
    frame_into(out, Opcode::Pong, &payload[..payload.len().min(MAX_CONTROL)]);
}

/// Appends a close. Without a code the payload is empty, which is the answer to a close that had none; a reason
/// is cut at a character so that it fits.
pub fn close_into(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let (payload, len) = close_payload(code, reason);
    frame_into(out, Opcode::Close, &payload[..len]);
}

/// A close to be sent to many, as on a drain.
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let (payload, len) = close_payload(Some(code), reason);
    from_parts(Shape::whole(Opcode::Close), &[&payload[..len]])
}

fn close_payload(code: Option<u16>, reason: &str) -> ([u8; MAX_CONTROL], usize) {
    let mut payload = [0; MAX_CONTROL];
    let Some(code) = code else {
        return (payload, 0);
    };
    let fitting = reason.len().min(MAX_CONTROL - 2);
    let end = (0..=fitting).rev().find(|&at| reason.is_char_boundary(at)).unwrap_or(0);
    let reason = &reason.as_bytes()[..end];
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason);
    (payload, 2 + reason.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn the_examples_of_rfc_6455() {
        assert_eq!(text_frame(b"Hello"), &b"\x81\x05Hello"[..]);
        let masked = written(|out| masked_frame_into(out, Opcode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        let first = Shape { fin: false, ..Shape::whole(Opcode::Text) };
        let fragments = written(|out| {
            first.write_into(out, b"Hel");
            frame_into(out, Opcode::Continuation, b"lo");
        });
        assert_eq!(fragments, b"\x01\x03Hel\x80\x02lo");
        assert_eq!(written(|out| ping_into(out, b"Hello")), b"\x89\x05Hello");
        assert_eq!(&binary_frame(&[0; 256])[..4], b"\x82\x7e\x01\x00");
        assert_eq!(&binary_frame(&vec![0; 65536])[..10], b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
    }

    #[test]
    fn parts_are_joined() {
        let joined = text_frame_from_parts(&[b"{\"a\":", b"", b"1}"]);
        assert_eq!(joined, text_frame(b"{\"a\":1}"));
    }

    #[test]
    fn control_frames_stay_within_their_bound() {
        assert_eq!(written(|out| pong_into(out, &[7; 300])).len(), 2 + 125);
        assert_eq!(written(|out| close_into(out, None, "unheard")), b"\x88\x00");
        assert_eq!(close_frame(1000, ""), &b"\x88\x02\x03\xe8"[..]);
        let long = close_frame(1001, &"ü".repeat(100));
        assert_eq!(long.len(), 2 + 2 + 122, "cut before the character that does not fit");
        assert!(str::from_utf8(&long[4..]).is_ok());
    }
}

//! A message of which not all bytes have arrived.

use super::{Opcode, Violation};
use deskbell_core::limits;

/// The pieces of a message so far, unmasked. Text is checked as it arrives, so that a stream which can no
/// longer become valid fails at the very byte that broke it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) opcode: Opcode,
    pub(super) compressed: bool,
    bytes: Vec<u8>,
    /// How many frames of it have come whole.
    frames: usize,
    /// How many bytes are known to be whole characters; behind them stands at most a part of one.
    checked: usize,
}

impl Message {
    pub(super) const fn new(opcode: Opcode, compressed: bool) -> Self {
        Self { opcode, compressed, bytes: Vec::new(), frames: 0, checked: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// One more frame of it has come whole.
    pub(super) const fn end_frame(&mut self) {
        self.frames += 1;
    }

    /// May one more frame follow? Frames that bring next to nothing would be work without end.
    pub(super) const fn has_room_for_a_frame(&self) -> bool {
        self.frames < limits::FRAGMENTS + self.bytes.len() / limits::FRAGMENT_BYTES
    }

    /// Adds the next bytes. The buffer doubles but never grows beyond `max`, and never on a mere announcement.
    pub(super) fn append(&mut self, piece: &[u8], max: usize) -> Result<(), Violation> {
        let needed = self.bytes.len() + piece.len();
        if needed > self.bytes.capacity() {
            let target = (self.bytes.capacity() * 2).min(max).max(needed);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        if self.opcode == Opcode::Text && !self.compressed { self.check_text() } else { Ok(()) }
    }

    fn check_text(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            // No error length: the bytes end within a character that can still become valid.
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::Utf8),
        }
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of bytes after which a text fails, fed one by one.
    fn fails_at(bytes: &[u8]) -> Option<usize> {
        let mut message = Message::new(Opcode::Text, false);
        (0..bytes.len()).find(|&at| message.append(&bytes[at..=at], 100).is_err())
    }

    #[test]
    fn text_fails_at_the_first_byte_that_cannot_be_right() {
        assert_eq!(fails_at("κόσμε 🦀".as_bytes()), None);
        assert_eq!(fails_at(b"ab\xf4\x90\x80\x80"), Some(3), "beyond U+10FFFF");
        assert_eq!(fails_at(b"ab\xed\xa0\x80"), Some(3), "a surrogate");
        assert_eq!(fails_at(b"ab\xc0"), Some(2), "never a first byte");
        assert_eq!(fails_at(b"\xe0\x80"), Some(1), "overlong");
        assert_eq!(fails_at(b"\xf0\x9f\xa6a"), Some(3), "a character cut short");
        assert_eq!(fails_at(b"\xf0\x9f\xa6"), None, "it may still become valid");
    }

    #[test]
    fn the_buffer_grows_with_what_arrived_and_not_beyond_the_bound() {
        let mut message = Message::new(Opcode::Binary, false);
        for _ in 0..1000 {
            assert!(message.append(&[7; 100], 100_000).is_ok());
            assert!(message.bytes.capacity() <= (message.len() * 2).min(100_000));
        }
    }
}

//! Packets: three bytes of length, one that counts, and what is said.

use super::{Fault, LONGEST_PACKET};

/// Bytes before what is said.
const HEAD: usize = 4;

/// Bytes become packets.
#[derive(Debug, Default)]
pub struct Packets {
    buffer: Vec<u8>,
    /// How much of the buffer was given out.
    taken: usize,
}

impl Packets {
    /// Takes bytes in. Whoever reads first takes every packet out, then feeds again.
    ///
    /// ```
    /// use deskbell_wire::mysql::{Packets, packet};
    /// let bytes = packet(3, b"ab");
    /// let mut packets = Packets::default();
    /// packets.feed(&bytes[..5]);
    /// assert_eq!(packets.next(), Ok(None));
    /// packets.feed(&bytes[5..]);
    /// assert_eq!(packets.next(), Ok(Some((3, b"ab".to_vec()))));
    /// ```
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet with its count; nothing, where more bytes are needed.
    #[expect(clippy::should_implement_trait, reason = "a decoder does not end where its bytes do")]
    pub fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, Fault> {
        let rest = &self.buffer[self.taken..];
        let [a, b, c, count, said @ ..] = rest else { return Ok(None) };
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        if length > LONGEST_PACKET {
            return Err(Fault::TooLong);
        }
        let Some(said) = said.get(..length) else { return Ok(None) };
        let packet = (*count, said.to_vec());
        self.taken += HEAD + length;
        Ok(Some(packet))
    }

    /// Bytes that wait for the rest of their packet.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

/// A packet with its count.
pub fn packet(count: u8, said: &[u8]) -> Vec<u8> {
    debug_assert!(said.len() <= LONGEST_PACKET, "we say little");
    let length = (said.len() as u32).to_le_bytes();
    [&length[..3], &[count], said].concat()
}

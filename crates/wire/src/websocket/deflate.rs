//! Per-message compression without context takeover (RFC 7692): each message stands alone, so an event is
//! compressed once for all its receivers, and a connection keeps no window.

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::encode::{Shape, from_parts};
use super::{Opcode, Violation};

/// The empty block at the end of a flushed stream. A sender leaves it out, a receiver puts it back.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Compresses messages, one at a time. It is some hundred KiB large, so a shard has one, not a connection.
#[derive(Debug)]
pub struct Deflater {
    state: Compress,
}

impl Deflater {
    /// `level` from 1 (fast) to 9 (small).
    pub fn new(level: u32) -> Self {
        Self { state: Compress::new(Compression::new(level.clamp(1, 9)), false) }
    }

    /// A text message made of `parts`, or `None` if compression does not make it shorter: then send it plain.
    pub fn text_frame(&mut self, parts: &[&[u8]]) -> Option<Bytes> {
        self.frame(Opcode::Text, parts)
    }

    /// The same for any kind of message.
    pub fn frame(&mut self, opcode: Opcode, parts: &[&[u8]]) -> Option<Bytes> {
        let plain: usize = parts.iter().map(|part| part.len()).sum();
        let payload = self.message(parts)?;
        let shape = Shape { compressed: true, ..Shape::whole(opcode) };
        (payload.len() < plain).then(|| from_parts(shape, &[&payload]))
    }

    /// The compressed payload of a message made of `parts`. `None` would be a fault of the compressor.
    pub fn message(&mut self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        self.state.reset();
        let mut out = Vec::new();
        for part in parts {
            self.push(part, FlushCompress::None, &mut out)?;
        }
        self.push(&[], FlushCompress::Sync, &mut out)?;
        out.ends_with(&TAIL).then(|| {
            out.truncate(out.len() - TAIL.len());
            out
        })
    }

    fn push(&mut self, mut input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> Option<()> {
        loop {
            out.reserve(64 + input.len() / 4);
            let before = self.state.total_in();
            self.state.compress_vec(input, out, flush).ok()?;
            input = &input[(self.state.total_in() - before) as usize..];
            // Room left over means that the compressor had nothing more to give.
            if input.is_empty() && out.len() < out.capacity() {
                return Some(());
            }
        }
    }
}

/// Inflates messages, one at a time, never to more than the given bound.
#[derive(Debug)]
pub struct Inflater {
    state: Decompress,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater; it holds a window of 32 KiB.
    pub fn new() -> Self {
        Self { state: Decompress::new(false) }
    }

    /// The plain bytes of a message, at most `max` of them: a bomb is given up at the first byte beyond.
    pub fn message(&mut self, payload: &[u8], max: usize) -> Result<Vec<u8>, Violation> {
        self.state.reset(false);
        let mut out = Vec::new();
        if let Some(rest) = self.pump(payload, &mut out, max)? {
            // The sender ended its stream with a final block. What may follow is one padding byte, which makes
            // an empty block of the tail; a further stream would only cost time.
            return if matches!(rest, [] | [0]) { Ok(out) } else { Err(Violation::Deflate) };
        }
        self.pump(&TAIL, &mut out, max)?;
        Ok(out)
    }

    /// Feeds `input` wholly. `Some` holds what stands behind the stream's final block.
    fn pump<'a>(
        &mut self,
        mut input: &'a [u8],
        out: &mut Vec<u8>,
        max: usize,
    ) -> Result<Option<&'a [u8]>, Violation> {
        loop {
            if out.len() == out.capacity() {
                let room = (out.len() * 2).max(input.len().max(128)).min(max.saturating_add(1));
                out.reserve_exact(room.saturating_sub(out.len()));
            }
            let (taken, made) = (self.state.total_in(), out.len());
            let status = self
                .state
                .decompress_vec(input, out, FlushDecompress::None)
                .map_err(|_| Violation::Deflate)?;
            let taken = (self.state.total_in() - taken) as usize;
            input = &input[taken..];
            if out.len() > max {
                return Err(Violation::MessageTooBig);
            }
            if status == Status::StreamEnd {
                return Ok(Some(input));
            }
            // Without progress there is nothing more to come, and what is left over was not understood.
            let stuck = taken == 0 && out.len() == made;
            match (input.is_empty(), stuck || out.len() < out.capacity()) {
                (true, true) => return Ok(None),
                (false, _) if stuck => return Err(Violation::Deflate),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn inflate(payload: &[u8], max: usize) -> Result<Vec<u8>, Violation> {
        Inflater::new().message(payload, max)
    }

    #[test]
    fn the_examples_of_rfc_7692() {
        let examples: [&[u8]; 4] = [
            b"\xf2\x48\xcd\xc9\xc9\x07\x00",
            b"\x00\x05\x00\xfa\xffHello\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ];
        for example in examples {
            assert_eq!(inflate(example, 5).unwrap(), b"Hello", "{example:x?}");
            assert_eq!(inflate(example, 4), Err(Violation::MessageTooBig));
        }
        assert_eq!(inflate(b"\x00", 0).unwrap(), b"", "the empty message");
    }

    #[test]
    fn what_is_compressed_can_be_inflated_and_each_message_stands_alone() {
        let mut deflater = Deflater::new(6);
        let mut inflater = Inflater::new();
        let noise: Vec<u8> = (0..70_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let words = "slot 14:30 taken; ".repeat(500);
        let messages = [&b"Hello"[..], words.as_bytes(), words.as_bytes(), b"", &noise, &vec![0; 300_000]];
        for message in messages {
            let (one, two) = message.split_at(message.len() / 3);
            let payload = deflater.message(&[one, two]).unwrap();
            assert!(!payload.ends_with(&TAIL));
            assert_eq!(inflater.message(&payload, message.len()).unwrap(), message);
            assert_eq!(inflate(&payload, message.len()).unwrap(), message, "without the state of another");
        }
    }

    #[test]
    fn a_frame_is_compressed_only_if_that_makes_it_shorter() {
        let mut deflater = Deflater::new(6);
        assert_eq!(deflater.text_frame(&[b"{}"]), None);
        let text = "again and ".repeat(50);
        let frame = deflater.text_frame(&[text.as_bytes()]).unwrap();
        assert_eq!(frame[0], 0xc1);
        assert!(frame.len() < 50);
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_bound() {
        let payload = Deflater::new(9).message(&[&vec![0; 10 << 20]]).unwrap();
        assert!(payload.len() < 20_000);
        let mut inflater = Inflater::new();
        assert_eq!(inflater.message(&payload, 65_536), Err(Violation::MessageTooBig));
        assert_eq!(
            inflater.message(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 65_536).unwrap(),
            b"Hello",
            "usable afterwards"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(inflate(b"\xff\xff\xff", 100), Err(Violation::Deflate));
        assert_eq!(inflate(b"\x00\x05\x00\x00\x00Hello", 100), Err(Violation::Deflate), "length check");
        let mut twice = b"\xf3\x48\xcd\xc9\xc9\x07\x00".to_vec();
        twice.extend_from_within(..);
        assert_eq!(inflate(&twice, 100), Err(Violation::Deflate), "a second stream");
    }
}

//! What every payload carries: its channel, its number in that channel, and when it was sent.
//!
//! Fixed width, plain ASCII, and safe inside a JSON string, so that it is found in a frame without parsing it.

const MARK: &[u8] = b"~#";
const CHANNEL: usize = 6;
const NUMBER: usize = 8;
const MICROS: usize = 12;
/// The length of a stamp, and so the least size of a payload.
pub const LENGTH: usize = MARK.len() + CHANNEL + 1 + NUMBER + 1 + MICROS;

/// One payload's identity and time of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Index of the channel.
    pub channel: u32,
    /// Number in the channel, from 0.
    pub number: u32,
    /// When it was due to be sent, on the generator's own clock.
    pub micros: u64,
}

impl Stamp {
    /// Appends a payload of `size` bytes, at least `LENGTH`.
    pub fn append(&self, out: &mut Vec<u8>, size: usize) {
        let end = out.len() + size;
        out.extend_from_slice(MARK);
        append_hex(out, u64::from(self.channel), CHANNEL);
        out.push(b'.');
        append_hex(out, u64::from(self.number), NUMBER);
        out.push(b'.');
        append_hex(out, self.micros, MICROS);
        out.resize(end.max(out.len()), b'x');
    }

    /// Finds the stamp in a frame. `hint` remembers where the last one was: frames of one kind look alike.
    pub fn find(frame: &[u8], hint: &mut usize) -> Option<Self> {
        if let Some(stamp) = Self::read(frame, *hint) {
            return Some(stamp);
        }
        let mut from = 0;
        while let Some(at) = frame.get(from..)?.iter().position(|&byte| byte == MARK[0]) {
            if let Some(stamp) = Self::read(frame, from + at) {
                *hint = from + at;
                return Some(stamp);
            }
            from += at + 1;
        }
        None
    }

    fn read(frame: &[u8], at: usize) -> Option<Self> {
        let rest = frame.get(at..at.checked_add(LENGTH)?)?.strip_prefix(MARK)?;
        let (channel, rest) = rest.split_at(CHANNEL);
        let (number, rest) = rest.strip_prefix(b".")?.split_at(NUMBER);
        let micros = rest.strip_prefix(b".")?;
        Some(Self {
            channel: parse_hex(channel)? as u32,
            number: parse_hex(number)? as u32,
            micros: parse_hex(micros)?,
        })
    }
}

fn append_hex(out: &mut Vec<u8>, value: u64, digits: usize) {
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (digit * 4) & 15) as usize]);
    }
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { channel: 99_999, number: 0xdead_beef, micros: 0xfff_1234_5678 };

    #[test]
    fn a_stamp_is_found_again_wherever_it_stands() {
        for before in [&b""[..], b"~", b"{\"data\":\"", b"~~#~#00"] {
            let mut frame = before.to_vec();
            STAMP.append(&mut frame, 64);
            assert_eq!(frame.len(), before.len() + 64);
            frame.extend_from_slice(b"\"}");
            let mut hint = 3;
            assert_eq!(Stamp::find(&frame, &mut hint), Some(STAMP));
            assert_eq!(hint, before.len());
            assert_eq!(Stamp::find(&frame, &mut hint), Some(STAMP));
        }
    }

    #[test]
    fn a_frame_without_a_whole_stamp_has_none() {
        let mut frame = Vec::new();
        STAMP.append(&mut frame, LENGTH);
        frame.pop();
        assert_eq!(Stamp::find(&frame, &mut 0), None);
        assert_eq!(Stamp::find(b"{\"type\":\"welcome\",\"cursor\":\"~#\"}", &mut 50), None);
        assert_eq!(Stamp::find(b"", &mut 0), None);
    }
}

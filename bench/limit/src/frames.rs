//! The little of HTTP and WebSocket framing that the yardstick needs.

/// Where the request head ends, once it is whole.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Unmasks the first client frame in place, once it is whole: its payload and the bytes it takes up.
pub fn unmask_first(bytes: &mut [u8]) -> Option<(&[u8], usize)> {
    let (head, payload): (usize, usize) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let start = head + 4;
    let end = start.checked_add(payload)?;
    let (mask, rest) = bytes.get_mut(head..end)?.split_at_mut(4);
    for (at, byte) in rest.iter_mut().enumerate() {
        *byte ^= mask[at & 3];
    }
    Some((rest, end))
}

/// The body of `P:<channel>:<body>`.
pub fn published(payload: &[u8]) -> Option<&[u8]> {
    let rest = payload.strip_prefix(b"P:")?;
    let colon = rest.iter().position(|&byte| byte == b':')?;
    Some(&rest[colon + 1..])
}

/// Appends one unmasked text frame.
pub fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(0x81);
    match payload.len() {
        short @ 0..126 => out.push(short as u8),
        medium @ 126..65_536 => {
            out.push(126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x81, 0x80 | payload.len() as u8, 1, 2, 3, 4];
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ (at as u8 % 4 + 1)));
        frame
    }

    #[test]
    fn a_frame_is_read_only_when_it_is_whole() {
        let frame = masked(b"P:bench-0:hello");
        for length in 0..frame.len() {
            assert!(unmask_first(&mut frame.clone()[..length]).is_none(), "{length} bytes");
        }
        let mut whole = [frame.clone(), masked(b"S:")].concat();
        let (payload, used) = unmask_first(&mut whole).expect("a whole frame");
        assert_eq!((published(payload), used), (Some(&b"hello"[..]), frame.len()));
    }

    #[test]
    fn lengths_take_the_form_their_size_asks_for() {
        for (size, head) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut out = Vec::new();
            append_text(&mut out, &vec![b'x'; size]);
            assert_eq!(out.len(), head + size);
        }
    }
}

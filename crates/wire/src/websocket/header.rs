//! The two to fourteen bytes in front of each frame's payload.

use super::{MAX_CONTROL, Opcode, Role, Violation};

/// The longest header: two bytes, a 64-bit length and a mask.
pub(super) const MAX_HEADER: usize = 14;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    pub(super) compressed: bool,
    pub(super) mask: [u8; 4],
    pub(super) len: u64,
}

/// Reads a header from the start of `bytes` and says how long it is, or `None` if more bytes are needed. Each
/// byte is judged as soon as it is there.
pub(super) fn parse(bytes: &[u8], role: Role, deflate: bool) -> Result<Option<(Header, usize)>, Violation> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let (opcode, fin, compressed) = parse_first(first, deflate)?;
    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    let short = second & 0x7f;
    check_second(second, opcode, role)?;
    let (len, mask_at) = match short {
        126 => match bytes.get(2..4).and_then(|len| len.try_into().ok()) {
            Some(len) => (u64::from(u16::from_be_bytes(len)), 4),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|len| len.try_into().ok()) {
            Some(len) => (u64::from_be_bytes(len), 10),
            None => return Ok(None),
        },
        _ => (u64::from(short), 2),
    };
    if (short == 126 && len < 126) || (short == 127 && (len <= 0xffff || len >> 63 == 1)) {
        return Err(Violation::Length);
    }
    let masked = role == Role::Server;
    let end = mask_at + if masked { 4 } else { 0 };
    let Some(mask) = bytes.get(mask_at..end) else {
        return Ok(None);
    };
    let mask = mask.try_into().unwrap_or_default();
    Ok(Some((Header { opcode, fin, compressed, mask, len }, end)))
}

fn parse_first(byte: u8, deflate: bool) -> Result<(Opcode, bool, bool), Violation> {
    let opcode = Opcode::from_bits(byte & 0x0f);
    let fin = byte & 0x80 != 0;
    let compressed = byte & 0x40 != 0;
    if byte & 0x30 != 0 {
        return Err(Violation::ReservedBit);
    }
    let may_compress = deflate && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
    if compressed && !may_compress {
        return Err(Violation::ReservedBit);
    }
    let opcode = opcode.ok_or(Violation::ReservedOpcode)?;
    if opcode.is_control() && !fin {
        return Err(Violation::FragmentedControl);
    }
    Ok((opcode, fin, compressed))
}

fn check_second(byte: u8, opcode: Opcode, role: Role) -> Result<(), Violation> {
    match (role, byte & 0x80 != 0) {
        (Role::Server, false) => return Err(Violation::Unmasked),
        (Role::Client, true) => return Err(Violation::Masked),
        _ => {}
    }
    if opcode.is_control() && usize::from(byte & 0x7f) > MAX_CONTROL {
        return Err(Violation::LongControl);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        parse(bytes, Role::Server, false)
    }

    #[test]
    fn lengths_in_their_three_forms() {
        let cases: [(&[u8], u64, usize); 5] = [
            (b"\x82\x80abcd", 0, 6),
            (b"\x82\xfdabcd", 125, 6),
            (b"\x82\xfe\x00\x7eabcd", 126, 8),
            (b"\x82\xfe\xff\xffabcd", 0xffff, 8),
            (b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00abcd", 0x1_0000, 14),
        ];
        for (bytes, len, used) in cases {
            let mask = *b"abcd";
            let header = Header { opcode: Opcode::Binary, fin: true, compressed: false, mask, len };
            assert_eq!(server(bytes), Ok(Some((header, used))));
            for cut in 0..bytes.len() {
                assert_eq!(server(&bytes[..cut]), Ok(None), "{len} cut at {cut}");
            }
        }
    }

    #[test]
    fn lengths_in_wrong_forms() {
        for bytes in [
            &b"\x82\xfe\x00\x7d"[..],
            b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff",
            b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(server(bytes), Err(Violation::Length), "{bytes:x?}");
        }
    }

    #[test]
    fn each_byte_is_judged_when_it_arrives() {
        for bits in [0xc1, 0xa1, 0x91, 0xc9, 0xc3] {
            assert_eq!(server(&[bits]), Err(Violation::ReservedBit), "{bits:x}");
        }
        for bits in [0x83, 0x87, 0x8b, 0x8f, 0x03] {
            assert_eq!(server(&[bits]), Err(Violation::ReservedOpcode), "{bits:x}");
        }
        for bits in [0x08, 0x09, 0x0a] {
            assert_eq!(server(&[bits]), Err(Violation::FragmentedControl), "{bits:x}");
        }
        for opcode in [0x88, 0x89, 0x8a] {
            assert_eq!(server(&[opcode, 0xfe]), Err(Violation::LongControl));
        }
        assert_eq!(server(b"\x81\x05"), Err(Violation::Unmasked));
        assert_eq!(parse(b"\x81\x85", Role::Client, false), Err(Violation::Masked));
    }

    #[test]
    fn the_compression_bit_belongs_to_the_first_frame_of_a_message() {
        assert!(
            parse(b"\xc1\x80abcd", Role::Server, true).is_ok_and(|h| h.is_some_and(|(h, _)| h.compressed))
        );
        for bits in [0xc0, 0xc8, 0xc9, 0xca, 0x40] {
            assert_eq!(parse(&[bits], Role::Server, true), Err(Violation::ReservedBit), "{bits:x}");
        }
    }
}

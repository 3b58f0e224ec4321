//! The payload of a close frame.

use super::Violation;

/// Whether a close frame may carry this code: the protocol's own, the registered ones, and 3000 to 4999.
///
/// 1004, 1005, 1006 and 1015 are words for logs and never stand on the wire.
pub const fn is_valid_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Splits the payload of a received close into code and reason.
pub(super) fn parse(payload: &[u8]) -> Result<(Option<u16>, &str), Violation> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(Violation::ShortClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_valid_code(code) {
                return Err(Violation::CloseCode);
            }
            let reason = str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
            Ok((Some(code), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons() {
        let valid =
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999];
        let invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
        for code in valid {
            let payload = [&u16::to_be_bytes(code)[..], b"why"].concat();
            assert_eq!(parse(&payload), Ok((Some(code), "why")));
        }
        for code in invalid {
            assert_eq!(parse(&u16::to_be_bytes(code)), Err(Violation::CloseCode), "{code}");
        }
        assert_eq!(parse(b""), Ok((None, "")));
        assert_eq!(parse(b"\x03"), Err(Violation::ShortClose));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Violation::Utf8));
    }
}

//! Just enough of Socket.IO that its clients can connect, join a room and be silent: what those steps cost where
//! nothing is done for them but putting prebuilt frames on a socket.

use crate::frames;

/// The session's first packet. Its heartbeat is longer than any run, because the yardstick sends no signs of life.
const OPEN: &[u8] =
    br#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":600000,"pingTimeout":600000}"#;
const ENTERED: &[u8] = br#"40{"sid":"BBBBBBBBBBBBBBBBBBBB"}"#;

/// What is sent behind the answer to an upgrade.
pub fn opening(head: &[u8], out: &mut Vec<u8>) {
    if head.starts_with(b"GET /socket.io/") {
        frames::append_text(out, OPEN);
    }
}

/// The answer to a packet that wants one, and whether it asks for a room: `40`, or `42`, a number and an event.
pub fn answer(packet: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut out = Vec::with_capacity(64);
    if packet == b"40" {
        frames::append_text(&mut out, ENTERED);
        return Some((out, false));
    }
    let asked = packet.strip_prefix(b"42")?;
    let number = &asked[..asked.iter().position(|byte| !byte.is_ascii_digit())?];
    frames::append_text(&mut out, &[b"43", number, br#"[{"success":true}]"#].concat());
    Some((out, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_by_socketio_is_let_in_and_given_its_room() {
        let mut out = Vec::new();
        opening(b"GET / HTTP/1.1\r\n", &mut out);
        assert!(out.is_empty(), "{out:?}");
        opening(b"GET /socket.io/?EIO=4 HTTP/1.1\r\n", &mut out);
        assert_eq!(out[2..4], *b"0{");
        let (entered, joins) = answer(b"40").expect("an answer");
        assert_eq!((&entered[2..5], joins), (&b"40{"[..], false));
        let (joined, joins) = answer(br#"4217["join_room","a"]"#).expect("an answer");
        assert_eq!((&joined[2..], joins), (&br#"4317[{"success":true}]"#[..], true));
        assert_eq!(answer(b"P:0:40"), None);
    }
}

//! The HTTP transports of pusher-js, for networks in which no WebSocket comes through. One request receives, for
//! as long as it lasts or until there is something; others send.
//!
//! | line | what |
//! |---|---|
//! | `o` | the connection is open; a client that had one already has lost it |
//! | `a[…]` | frames of the dialect, each as a text; none of them is a sign of life |
//! | `h` | a sign of life that is to be answered |
//! | `c[code,reason]` | the connection is closed |

use std::borrow::Cow;

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use serde::Deserialize;

/// The connection is open.
pub const OPEN: &[u8] = b"o\n";
/// A sign of life that clients answer with an empty list.
pub const HEARTBEAT: &[u8] = b"h\n";
/// The answer to an empty list: to answer it as well would never end.
pub const ALIVE: &[u8] = b"a[]\n";

/// Appends the line of one frame.
///
/// Do clients of these transports ask at this path? One of its requests waits for what is new, also where it posts.
///
/// ```
/// use deskbell_wire::pusher::xhr::is_place;
/// assert!(is_place("/pusher/app/key/7/abc/xhr_streaming"));
/// assert!(!is_place("/apps/1001/events"));
/// ```
pub fn is_place(path: &str) -> bool {
    let ways = ["/xhr", "/xhr_streaming", "/xhr_send"];
    path.contains("/app/") && ways.iter().any(|way| path.ends_with(way))
}

/// ```
/// let mut out = Vec::new();
/// deskbell_wire::pusher::xhr::message(br#"{"event":"e"}"#, &mut out);
/// assert_eq!(out, b"a[\"{\\\"event\\\":\\\"e\\\"}\"]\n");
/// ```
pub fn message(frame: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"a[");
    text(&String::from_utf8_lossy(frame), out);
    out.extend_from_slice(b"]\n");
}

/// Appends the line of a close.
pub fn close(code: u16, reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("c[{code},").as_bytes());
    text(reason, out);
    out.extend_from_slice(b"]\n");
}

/// Reads what a client sends: a list of frames as texts.
pub fn frames(body: &[u8]) -> Result<Vec<String>, Refusal> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct List<'a>(#[serde(borrow)] Vec<Cow<'a, str>>);
    let List(list) = serde_json::from_slice(body).map_err(|_| {
        Refusal::new(Code::BadMessage, "the body is a list of texts; send it as pusher-js does")
    })?;
    if list.len() > limits::XHR_FRAMES {
        let sentence = format!("a request brings at most {} messages; send another one", limits::XHR_FRAMES);
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    Ok(list.into_iter().map(Cow::into_owned).collect())
}

/// How long a client counts these bytes to be: in the units of its own texts.
///
/// ```
/// use deskbell_wire::pusher::xhr::units;
/// assert_eq!([units("abc".as_bytes()), units("äß".as_bytes()), units("🦀".as_bytes())], [3, 2, 2]);
/// ```
pub fn units(bytes: &[u8]) -> usize {
    let begins = bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    begins + bytes.iter().filter(|byte| **byte >= 0xF0).count()
}

/// Is this the name that a client gives its connection: up to three digits, and some letters?
pub fn is_name(server: &str, session: &str) -> bool {
    (1..=3).contains(&server.len())
        && server.bytes().all(|b| b.is_ascii_digit())
        && (1..=limits::XHR_NAME).contains(&session.len())
        && session.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("texts always serialise into memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_one_line_whatever_its_reason() {
        let mut out = Vec::new();
        close(4200, "come \"back\"\nsoon", &mut out);
        assert_eq!(out, b"c[4200,\"come \\\"back\\\"\\nsoon\"]\n");
    }

    #[test]
    fn what_clients_send_is_a_bounded_list_of_texts() {
        assert_eq!(frames(br#"["{\"event\":\"e\"}","b"]"#).unwrap(), [r#"{"event":"e"}"#, "b"]);
        assert!(frames(b"[]").unwrap().is_empty());
        for bad in [&b""[..], b"{}", b"[1]", b"[\"a\"", b"\"a\"", b"[\"\xff\"]"] {
            assert!(frames(bad).is_err(), "{bad:?}");
        }
        let many = |n: usize| serde_json::to_vec(&vec!["x"; n]).unwrap();
        assert!(frames(&many(limits::XHR_FRAMES)).is_ok());
        assert_eq!(frames(&many(limits::XHR_FRAMES + 1)).unwrap_err().code, Code::LimitReached);
    }

    #[test]
    fn names_are_those_that_pusher_js_makes() {
        for (server, session, good) in [
            ("0", "a1b2c3d4", true),
            ("999", "0", true),
            ("1000", "a", false),
            ("", "a", false),
            ("x", "a", false),
            ("1", "", false),
            ("1", "a-b", false),
        ] {
            assert_eq!(is_name(server, session), good, "{server}/{session}");
        }
        assert!(
            is_name("1", &"a".repeat(limits::XHR_NAME)) && !is_name("1", &"a".repeat(limits::XHR_NAME + 1))
        );
    }
}

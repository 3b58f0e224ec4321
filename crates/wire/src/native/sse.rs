//! Frames as server-sent events: `id` is the cursor, `data` the frame as on a WebSocket.
//!
//! A browser keeps the last `id` by itself and sends it as `Last-Event-ID` when it comes back. Every piece
//! written here ends with an empty line, so pieces may follow each other in any order.

use std::io::Write as _;

use deskbell_core::limits::Millis;

/// Writes one frame; a frame without a cursor leaves the reader's `id` as it is.
///
/// Data that a publisher wrote over several lines goes out in several `data:` lines. Line breaks stand
/// between JSON tokens only, so it does not matter that a reader sees each of them as a line feed.
pub fn frame(json: &[u8], cursor: Option<&str>, out: &mut Vec<u8>) {
    if let Some(cursor) = cursor {
        id(cursor, out);
    }
    lines(b"data: ", json, out);
    out.push(b'\n');
}

/// Writes a sign of life that moves the reader's cursor: an `id` without data is kept, and no event.
pub fn heartbeat(cursor: &str, out: &mut Vec<u8>) {
    id(cursor, out);
    out.push(b'\n');
}

/// Writes how long the reader waits before it comes back.
pub fn retry(after: Millis, out: &mut Vec<u8>) {
    write!(out, "retry: {after}\n\n").expect("writing into memory cannot fail");
}

/// Writes a comment, which every reader skips.
pub fn comment(text: &str, out: &mut Vec<u8>) {
    lines(b": ", text.as_bytes(), out);
    out.push(b'\n');
}

fn id(cursor: &str, out: &mut Vec<u8>) {
    debug_assert!(cursor.bytes().all(|b| b.is_ascii_graphic()), "a cursor is base64url text");
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(cursor.as_bytes());
    out.push(b'\n');
}

/// Writes each line of a text under a label. CR LF, LF and CR all end a line for a reader.
fn lines(label: &[u8], text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        out.extend_from_slice(label);
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..end]);
        out.push(b'\n');
        rest = match &rest[end..] {
            [] => return,
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
        };
    }
}

//! The answer of a long poll: frames as on a WebSocket, gathered under one cursor.

use super::encode::finish;

/// Appends a frame to a list of frames.
pub fn gather(frame: &[u8], list: &mut Vec<u8>) {
    list.reserve(frame.len() + 1);
    list.push(b',');
    list.extend_from_slice(frame);
}

/// Writes `{"events":[…],"reset":[…],"cursor":"…"}` from two lists that [`gather`] made.
///
/// `events` also holds `presence`, `joined`, `updated` and `left` frames, in their place in the order.
/// A client takes resets first: they stand for what happened before the events.
pub fn answer(events: &[u8], resets: &[u8], cursor: &str, out: &mut Vec<u8>) {
    out.reserve(events.len() + resets.len() + 256);
    out.extend_from_slice(br#"{"events":["#);
    // Each frame has a comma before it, which the first one does not need.
    out.extend_from_slice(events.get(1..).unwrap_or_default());
    out.extend_from_slice(br#"],"reset":["#);
    out.extend_from_slice(resets.get(1..).unwrap_or_default());
    out.push(b']');
    finish(cursor, out);
}

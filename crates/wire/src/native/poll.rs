//! The answer of a long poll: frames as on a WebSocket, gathered under one cursor.

use super::encode::finish;

/// Writes `{"events":[…],"reset":[…],"presence":[…],"cursor":"…"}` from encoded frames.
///
/// `presence` holds `presence`, `joined`, `updated` and `left` frames, and is left out where there are none.
/// A client takes resets first: they stand for what happened before the events.
pub fn answer<F: AsRef<[u8]>>(events: &[F], resets: &[F], presence: &[F], cursor: &str, out: &mut Vec<u8>) {
    let frames = events.iter().chain(resets).chain(presence);
    out.reserve(frames.map(|frame| frame.as_ref().len() + 1).sum::<usize>() + 256);
    out.extend_from_slice(br#"{"events":["#);
    join(events, out);
    out.extend_from_slice(br#"],"reset":["#);
    join(resets, out);
    if !presence.is_empty() {
        out.extend_from_slice(br#"],"presence":["#);
        join(presence, out);
    }
    out.push(b']');
    finish(cursor, out);
}

fn join<F: AsRef<[u8]>>(frames: &[F], out: &mut Vec<u8>) {
    for (place, frame) in frames.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(frame.as_ref());
    }
}

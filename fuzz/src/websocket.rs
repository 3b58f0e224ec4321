//! Frames: however a stream is cut into reads, it says the same; nothing is larger than its bound; and what was
//! said can be said again.

use deskbell_wire::websocket::encode::{Shape, masked_frame_into};
use deskbell_wire::websocket::{Decoder, Item, Limits, MAX_CONTROL, Opcode, Role, Violation};

const LIMITS: Limits = Limits { max_frame: 4_000, max_message: 6_000 };

#[derive(Debug, Clone, PartialEq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

type Heard = (Vec<Said>, Option<Violation>);

/// The first byte chooses role and compression, the second how the stream is cut.
pub fn check(data: &[u8]) {
    let [choice, step, stream @ ..] = data else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let deflate = choice & 2 != 0;
    let whole = hear(role, deflate, &[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*step).max(1)).collect();
    assert_eq!(whole, hear(role, deflate, &pieces), "a cut changes what is heard");
    whole.0.iter().for_each(bounded);
    let ends = whole.0.iter().position(|said| matches!(said, Said::Close(..)));
    assert!(
        ends.is_none_or(|at| at + 1 == whole.0.len() && whole.1.is_none()),
        "something came after a close"
    );
    say_again(&whole.0);
}

fn hear(role: Role, deflate: bool, pieces: &[&[u8]]) -> Heard {
    let mut decoder = Decoder::new(role, deflate);
    let mut said = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut feed = decoder.feed(&mut bytes, LIMITS);
        loop {
            match feed.next_item() {
                Ok(Some(item)) => said.push(owned(&item)),
                Ok(None) => break,
                Err(violation) => return (said, Some(violation)),
            }
        }
    }
    (said, None)
}

fn owned(item: &Item<'_>) -> Said {
    match *item {
        Item::Text(text) => Said::Text(text.to_owned()),
        Item::Binary(bytes) => Said::Binary(bytes.to_owned()),
        Item::Ping(bytes) => Said::Ping(bytes.to_owned()),
        Item::Pong(bytes) => Said::Pong(bytes.to_owned()),
        Item::Close { code, reason } => Said::Close(code, reason.to_owned()),
    }
}

fn bounded(said: &Said) {
    let (length, bound) = match said {
        Said::Text(text) => (text.len(), LIMITS.max_message),
        Said::Binary(bytes) => (bytes.len(), LIMITS.max_message),
        Said::Ping(bytes) | Said::Pong(bytes) => (bytes.len(), MAX_CONTROL),
        Said::Close(_, reason) => (reason.len(), MAX_CONTROL - 2),
    };
    assert!(length <= bound, "{length} bytes, allowed are {bound}");
}

/// What was heard, sent by a client of ours in two fragments each, is heard again.
fn say_again(said: &[Said]) {
    let mut stream = Vec::new();
    let mask = [0x12, 0, 0xff, 0x80];
    for item in said {
        match item {
            Said::Text(text) => fragments(&mut stream, Opcode::Text, text.as_bytes(), mask),
            Said::Binary(bytes) => fragments(&mut stream, Opcode::Binary, bytes, mask),
            Said::Ping(bytes) => masked_frame_into(&mut stream, Opcode::Ping, bytes, mask),
            Said::Pong(bytes) => masked_frame_into(&mut stream, Opcode::Pong, bytes, mask),
            Said::Close(..) => {}
        }
    }
    let expected: Vec<_> = said.iter().filter(|item| !matches!(item, Said::Close(..))).cloned().collect();
    assert_eq!(hear(Role::Server, false, &[&stream]), (expected, None), "what was said reads otherwise");
}

fn fragments(stream: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    let (first, second) = payload.split_at(payload.len() / 2);
    Shape { opcode, fin: false, compressed: false, mask: Some(mask) }.write_into(stream, first);
    let last = Shape { opcode: Opcode::Continuation, fin: true, compressed: false, mask: Some(mask) };
    last.write_into(stream, second);
}

//! The WebSocket layer seen from outside: conversations, properties and a second, naive decoder.
#![allow(clippy::unwrap_used)]

mod conversations;
mod naive;
mod properties;

use deskbell_wire::websocket::{Decoder, Item, Limits, Violation};

/// An [`Item`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close.
    Close(Option<u16>, String),
}

impl From<Item<'_>> for Said {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Text(text) => Self::Text(text.to_owned()),
            Item::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Item::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Item::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Item::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

/// What a decoder made of a stream: its items, and the violation that ended it.
pub type Outcome = (Vec<Said>, Option<Violation>);

/// Feeds `reads` one after the other, and checks on the way what must hold after each of them.
pub fn decode(decoder: &mut Decoder, reads: &[Vec<u8>], limits: Limits) -> Outcome {
    let mut said = Vec::new();
    for read in reads {
        let mut read = read.clone();
        let mut feed = decoder.feed(&mut read, limits);
        loop {
            match feed.next_item() {
                Ok(Some(item)) => said.push(item.into()),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(feed.next_item(), Ok(None), "nothing follows a violation");
                    assert!(decoder.has_ended());
                    return (said, Some(violation));
                }
            }
        }
        let used_up = feed.rest().is_empty();
        assert!(used_up || decoder.has_ended());
        if decoder.has_ended() {
            assert!(matches!(said.last(), Some(Said::Close(..))));
        }
    }
    (said, None)
}

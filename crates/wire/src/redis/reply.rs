//! A value from Redis as a subscriber understands it.

use bytes::Bytes;

use super::resp::Value;

/// The longest part of an error's sentence that is kept: it stands in one log line.
const LONGEST_SENTENCE: usize = 200;

/// What Redis says to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The command was taken.
    Done,
    /// The command was not taken, in Redis' own words, which fit one line.
    Refused(String),
    /// A subscription began.
    Subscribed,
    /// A subscription ended.
    Unsubscribed,
    /// It is still there.
    Pong,
    /// Somebody published something.
    Message(Message),
    /// Nothing that a subscriber is told.
    Strange,
}

/// What somebody published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The pattern by which it came here. A message comes once for each pattern that fits its channel.
    pub pattern: Bytes,
    /// The channel of Redis; nothing, where its name is longer than is kept.
    pub channel: Option<Bytes>,
    /// What was published; nothing, where it is longer than is kept.
    pub payload: Option<Bytes>,
}

impl Reply {
    /// Understands a value.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Simple(word) if &*word == b"PONG" => Self::Pong,
            Value::Simple(_) => Self::Done,
            Value::Error(sentence) => Self::Refused(shown(&sentence)),
            Value::Array(items) => told(items),
            Value::Bulk(_) | Value::TooLong(_) | Value::Integer(_) | Value::Null => Self::Strange,
        }
    }
}

fn told(items: Vec<Value>) -> Reply {
    let mut items = items.into_iter();
    let Some(Value::Bulk(kind)) = items.next() else { return Reply::Strange };
    match (&*kind, items.next(), items.next(), items.next()) {
        (b"psubscribe", ..) => Reply::Subscribed,
        (b"punsubscribe", ..) => Reply::Unsubscribed,
        (b"pong", ..) => Reply::Pong,
        (b"pmessage", Some(Value::Bulk(pattern)), Some(channel), Some(payload)) => {
            Reply::Message(Message { pattern, channel: kept(channel), payload: kept(payload) })
        }
        _ => Reply::Strange,
    }
}

fn kept(value: Value) -> Option<Bytes> {
    match value {
        Value::Bulk(bytes) => Some(bytes),
        _ => None,
    }
}

/// A sentence of somebody else's, so that it fits a line.
fn shown(sentence: &[u8]) -> String {
    let text = String::from_utf8_lossy(sentence);
    text.chars().filter(|c| !c.is_control()).take(LONGEST_SENTENCE).collect()
}

//! What Redis says: pieces make no difference, memory stays bounded, and every message is judged.

use deskbell_wire::redis::resp::{Broken, Decoder, Value};
use deskbell_wire::redis::{Kind, Reply, Row, Table, Taken, Topic};

/// Bytes that one value may hold here.
const LONGEST: usize = 4_096;

/// Any bytes as the answers of a Redis.
pub fn check(data: &[u8]) {
    let whole = values(data, data.len().max(1));
    let cut = values(data, 1 + data.first().map_or(0, |byte| usize::from(*byte) % 50));
    assert_eq!(whole, cut);
    let topic = Topic::parse("laravel_database_*", Kind::Laravel).expect("it is one");
    let table = Table::new(vec![Row { topic, kind: Kind::Laravel, app: 0 }]);
    for value in whole.0 {
        if let Reply::Message(message) = Reply::of(value)
            && let Taken::Publish(_, publish) = table.take(&message)
        {
            serde_json::from_slice::<serde_json::Value>(&publish.data.bytes).expect("data is JSON");
            let channel = message.channel.expect("it was kept");
            assert!(channel.ends_with(publish.channel.as_str().as_bytes()));
        }
    }
}

fn values(data: &[u8], piece: usize) -> (Vec<Value>, Option<Broken>) {
    let mut decoder = Decoder::new(LONGEST);
    let mut found = Vec::new();
    for part in data.chunks(piece) {
        decoder.feed(part);
        loop {
            match decoder.next() {
                Ok(Some(value)) => found.push(value),
                Ok(None) => break,
                Err(broken) => return (found, Some(broken)),
            }
        }
        assert!(decoder.waiting() <= 2 * LONGEST, "{} bytes wait", decoder.waiting());
    }
    (found, None)
}

//! Any values in any pieces, and any bytes at all.

use bytes::Bytes;
use deskbell_wire::redis::resp::{Decoder, Value, command};
use deskbell_wire::redis::{Kind, Message, Reply, Row, Table, Taken, Topic};
use proptest::prelude::*;

use super::{LONGEST, values};

/// A value as Redis writes it.
fn written(value: &Value, out: &mut Vec<u8>) {
    let mut line = |kind: char, text: &[u8]| {
        out.push(kind as u8);
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    };
    match value {
        Value::Simple(text) => line('+', text),
        Value::Error(text) => line('-', text),
        Value::Integer(number) => line(':', number.to_string().as_bytes()),
        Value::Null => line('$', b"-1"),
        Value::TooLong(length) => {
            line('$', length.to_string().as_bytes());
            out.extend(std::iter::repeat_n(b'x', *length as usize));
            out.extend_from_slice(b"\r\n");
        }
        Value::Bulk(bytes) => {
            line('$', bytes.len().to_string().as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Array(items) => {
            line('*', items.len().to_string().as_bytes());
            items.iter().for_each(|item| written(item, out));
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let word = "[ -~]{0,12}".prop_map(Bytes::from);
    let leaf = prop_oneof![
        word.clone().prop_map(Value::Simple),
        word.prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        Just(Value::Null),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bulk(bytes.into())),
        (LONGEST as u64 + 1..LONGEST as u64 + 50).prop_map(Value::TooLong),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::Array))
}

proptest! {
    #[test]
    fn values_come_out_as_they_were_written(
        sent in prop::collection::vec(value(), 0..6),
        piece in 1_usize..300,
    ) {
        let mut bytes = Vec::new();
        sent.iter().for_each(|value| written(value, &mut bytes));
        prop_assert_eq!(values(&bytes, piece).unwrap(), sent);
    }

    #[test]
    fn no_bytes_panic_and_pieces_make_no_difference(
        bytes in prop::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'$'), Just(b'*'), Just(b'1'), Just(b'3'), Just(b'-'), any::<u8>()
        ], 0..80),
        piece in 1_usize..10,
    ) {
        prop_assert_eq!(values(&bytes, piece).ok(), values(&bytes, bytes.len()).ok());
    }

    #[test]
    fn a_command_reads_as_the_list_of_its_words(words in prop::collection::vec("[ -~]{0,20}", 1..5)) {
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let mut decoder = Decoder::new(LONGEST);
        decoder.feed(&command(&words));
        let items = words.iter().map(|word| Value::Bulk(Bytes::copy_from_slice(word))).collect();
        prop_assert_eq!(decoder.next(), Ok(Some(Value::Array(items))));
        prop_assert_eq!(decoder.waiting(), 0);
    }

    #[test]
    fn no_message_panics(channel: Vec<u8>, payload: Vec<u8>, text in r#"[{}",:a-z0-9]{0,60}"#) {
        let topic = Topic::parse("*", Kind::Laravel).unwrap();
        let table = Table::new(vec![Row { topic, kind: Kind::Laravel, app: 0 }]);
        for payload in [payload, text.into_bytes()] {
            let items = [b"pmessage".to_vec(), b"*".to_vec(), channel.clone(), payload];
            let value = Value::Array(items.into_iter().map(|item| Value::Bulk(item.into())).collect());
            let Reply::Message(message) = Reply::of(value) else { panic!("it is a message") };
            prop_assert_ne!(table.take(&message), Taken::ByAnother);
        }
    }

    /// Whatever the rows are, a message that Redis sends once for each pattern is taken once.
    #[test]
    fn a_message_is_taken_once_however_patterns_overlap(
        prefixes in prop::collection::btree_set("[ab?\\[]{0,3}", 1..6),
        channel in "[ab]{0,5}",
    ) {
        let row = |prefix: &String| {
            let topic = Topic::parse(&format!("{prefix}*"), Kind::Laravel).unwrap();
            Row { topic, kind: Kind::Laravel, app: 0 }
        };
        let table = Table::new(prefixes.iter().map(row).collect());
        let payload = Bytes::from_static(br#"{"event":"e","data":1}"#);
        let taken = table.globs().into_iter().filter(|glob| fits(glob, channel.as_bytes())).map(|glob| {
            let message = Message {
                pattern: glob.into(),
                channel: Some(Bytes::copy_from_slice(channel.as_bytes())),
                payload: Some(payload.clone()),
            };
            table.take(&message)
        });
        let taken: Vec<Taken> = taken.collect();
        let decided = taken.iter().filter(|taken| **taken != Taken::ByAnother).count();
        prop_assert_eq!(decided, usize::from(!taken.is_empty()));
    }
}

/// Does Redis' pattern, of which only escapes and a last `*` are used, fit a name?
fn fits(glob: &[u8], name: &[u8]) -> bool {
    let (mut plain, mut rest) = (Vec::new(), glob);
    while let [first, behind @ ..] = rest {
        match (first, behind) {
            (b'\\', [escaped, behind @ ..]) => {
                plain.push(*escaped);
                rest = behind;
            }
            (b'*', []) => return name.starts_with(&plain),
            _ => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    name == plain
}

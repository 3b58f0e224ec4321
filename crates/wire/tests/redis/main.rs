//! What Redis says, cut anywhere, and what backends publish through it.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

mod messages;
mod properties;

use bytes::Bytes;
use deskbell_wire::redis::resp::{Broken, Decoder, Value};

/// Bytes that one value may hold in these tests.
const LONGEST: usize = 1_000;

/// Every value of these bytes, given in pieces of this size.
fn values(bytes: &[u8], piece: usize) -> Result<Vec<Value>, Broken> {
    let mut decoder = Decoder::new(LONGEST);
    let mut found = Vec::new();
    for part in bytes.chunks(piece.max(1)) {
        decoder.feed(part);
        while let Some(value) = decoder.next()? {
            found.push(value);
        }
        assert!(decoder.waiting() <= LONGEST + 2_048, "{} bytes wait", decoder.waiting());
    }
    Ok(found)
}

fn bulk(text: &str) -> Value {
    Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn every_kind_of_value_is_read_however_it_is_cut() {
    let bytes = b"+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n_\r\n*0\r\n\
                  *3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n>2\r\n$4\r\npong\r\n$0\r\n\r\n";
    let whole = values(bytes, bytes.len()).unwrap();
    assert_eq!(
        whole,
        [
            Value::Simple(Bytes::from_static(b"OK")),
            Value::Error(Bytes::from_static(b"ERR no")),
            Value::Integer(-7),
            bulk("a\r\n"),
            bulk(""),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Array(vec![]),
            Value::Array(vec![bulk("message"), bulk("c"), Value::Array(vec![Value::Integer(1)])]),
            Value::Array(vec![bulk("pong"), bulk("")]),
        ]
    );
    for piece in 1..20 {
        assert_eq!(values(bytes, piece).unwrap(), whole, "pieces of {piece}");
    }
}

#[test]
fn what_is_too_long_is_read_over_and_the_next_value_is_whole() {
    let long = "x".repeat(LONGEST + 1);
    let half = "y".repeat(LONGEST / 2 + 1);
    let mut bytes = format!("*3\r\n$1\r\na\r\n${}\r\n{long}\r\n$1\r\nb\r\n", long.len());
    // Together they are more than one value may hold, so the second is not kept.
    bytes += &format!("*2\r\n${0}\r\n{half}\r\n${0}\r\n{half}\r\n+OK\r\n", half.len());
    for piece in [1, 7, 500, bytes.len()] {
        let found = values(bytes.as_bytes(), piece).unwrap();
        assert_eq!(
            found,
            [
                Value::Array(vec![bulk("a"), Value::TooLong(long.len() as u64), bulk("b")]),
                Value::Array(vec![bulk(&half), Value::TooLong(half.len() as u64)]),
                Value::Simple(Bytes::from_static(b"OK")),
            ]
        );
    }
}

#[test]
fn a_length_beyond_every_memory_takes_none() {
    let mut decoder = Decoder::new(LONGEST);
    decoder.feed(b"$9223372036854775807\r\n");
    for _ in 0..1_000 {
        decoder.feed(&[b'x'; 4_096]);
        assert_eq!(decoder.next(), Ok(None));
        assert_eq!(decoder.waiting(), 0);
    }
}

#[test]
fn what_redis_never_says_ends_the_connection() {
    let long = format!("+{}", "x".repeat(1_100));
    let nested = "*1\r\n".repeat(6);
    for (bytes, broken) in [
        ("HTTP/1.1 400 Bad Request\r\n", Broken::Kind(b'H')),
        ("\r\n", Broken::Kind(b'\r')),
        ("$x\r\n", Broken::Number),
        ("$-2\r\n", Broken::Number),
        (":1.5\r\n", Broken::Number),
        ("*65\r\n", Broken::List),
        ("*-2\r\n", Broken::List),
        (&nested, Broken::List),
        (&long, Broken::LongLine),
        ("$1\r\nabc\r\n", Broken::End),
    ] {
        assert_eq!(values(bytes.as_bytes(), 3), Err(broken), "{bytes}");
    }
}

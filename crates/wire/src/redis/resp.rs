//! Redis' protocol (RESP) without any I/O: bytes in any pieces become values, commands become bytes.
//!
//! Version 2 is read, which every Redis and its relatives speak, and the push of version 3, which differs by its
//! first byte alone. What is larger than the bound is read over and not kept, so that one message that nobody
//! wants does not end the connection.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use deskbell_core::limits;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A word, as `OK`.
    Simple(Bytes),
    /// An error with its sentence.
    Error(Bytes),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Bytes),
    /// Bytes that were more than may be kept: only how many they were.
    TooLong(u64),
    /// Nothing.
    Null,
    /// Several values.
    Array(Vec<Value>),
}

/// Why these bytes are none that Redis sends. The connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// No value begins with this byte.
    Kind(u8),
    /// A line without an end.
    LongLine,
    /// A length or number that is none.
    Number,
    /// A list that is longer or deeper than any answer to a subscriber.
    List,
    /// Bytes that do not end where they should.
    End,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(byte) => write!(f, "no value begins with {:?}", char::from(*byte)),
            Self::LongLine => f.write_str("a line has no end"),
            Self::Number => f.write_str("a length is no number"),
            Self::List => f.write_str("a list is too long or too deep"),
            Self::End => f.write_str("bytes do not end where they should"),
        }
    }
}

impl std::error::Error for Broken {}

/// Bytes become values.
#[derive(Debug)]
pub struct Decoder {
    /// Bytes of one value that are kept at most, over all of its parts.
    longest: usize,
    buffer: BytesMut,
    /// Lists that are not complete, the outermost first.
    open: Vec<Open>,
    /// Bytes that the open lists hold.
    held: usize,
    skipping: Option<Skip>,
}

#[derive(Debug)]
struct Open {
    wanted: usize,
    items: Vec<Value>,
}

/// Bytes that are read over, with the line's end behind them.
#[derive(Debug, Clone, Copy)]
struct Skip {
    length: u64,
    left: u64,
}

/// A part of a value, as it stands in the bytes.
enum Part {
    Whole(Value),
    List(usize),
}

impl Decoder {
    /// A decoder that keeps at most so many bytes of one value.
    pub fn new(longest: usize) -> Self {
        Self { longest, buffer: BytesMut::new(), open: Vec::new(), held: 0, skipping: None }
    }

    /// Takes bytes in. Whoever reads first takes every value out, then feeds again: so never more waits here
    /// than one value and one reading.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait for the rest of their value.
    pub fn waiting(&self) -> usize {
        self.buffer.len() + self.held
    }

    /// The next value; nothing, where more bytes are needed.
    #[expect(clippy::should_implement_trait, reason = "a decoder does not end where its bytes do")]
    pub fn next(&mut self) -> Result<Option<Value>, Broken> {
        while let Some(part) = self.part()? {
            let value = match part {
                Part::Whole(value) => value,
                Part::List(0) => Value::Array(Vec::new()),
                Part::List(wanted) if self.open.len() < limits::RESP_DEPTH => {
                    self.open.push(Open { wanted, items: Vec::with_capacity(wanted) });
                    continue;
                }
                Part::List(_) => return Err(Broken::List),
            };
            if let Some(whole) = self.fit(value) {
                self.held = 0;
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    /// Puts a value into the innermost list; gives what is complete by that.
    fn fit(&mut self, mut value: Value) -> Option<Value> {
        while let Some(mut open) = self.open.pop() {
            open.items.push(value);
            if open.items.len() < open.wanted {
                self.open.push(open);
                return None;
            }
            value = Value::Array(open.items);
        }
        Some(value)
    }

    fn part(&mut self) -> Result<Option<Part>, Broken> {
        if let Some(skip) = self.skipping.take() {
            return Ok(self.skip(skip));
        }
        let Some(end) = line(&self.buffer)? else { return Ok(None) };
        let Some((kind, rest)) = self.buffer[..end].split_first() else { return Err(Broken::Kind(b'\r')) };
        let part = match *kind {
            b'+' => Part::Whole(Value::Simple(Bytes::copy_from_slice(rest))),
            b'-' => Part::Whole(Value::Error(Bytes::copy_from_slice(rest))),
            b':' => Part::Whole(Value::Integer(number(rest)?)),
            b'_' => Part::Whole(Value::Null),
            b'*' | b'>' => match number(rest)? {
                -1 => Part::Whole(Value::Null),
                count => Part::List(count_of(count)?),
            },
            b'$' => match number(rest)? {
                -1 => Part::Whole(Value::Null),
                length => {
                    let length = u64::try_from(length).map_err(|_| Broken::Number)?;
                    return self.bulk(end + 2, length);
                }
            },
            kind => return Err(Broken::Kind(kind)),
        };
        // Also small values take memory, and a list of lists has many.
        self.held += end;
        if self.held > self.longest {
            return Err(Broken::List);
        }
        self.buffer.advance(end + 2);
        Ok(Some(part))
    }

    /// Bytes of a known length, behind their line.
    fn bulk(&mut self, start: usize, length: u64) -> Result<Option<Part>, Broken> {
        let room = self.longest.saturating_sub(self.held);
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= room) else {
            self.buffer.advance(start);
            return Ok(self.skip(Skip { length, left: length.saturating_add(2) }));
        };
        let Some(end) = self.buffer.get(start + length..start + length + 2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(Broken::End);
        }
        self.buffer.advance(start);
        let bytes = self.buffer.split_to(length).freeze();
        self.buffer.advance(2);
        self.held += length;
        Ok(Some(Part::Whole(Value::Bulk(bytes))))
    }

    fn skip(&mut self, skip: Skip) -> Option<Part> {
        let here = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX).min(skip.left);
        // It is not more than the buffer holds.
        self.buffer.advance(usize::try_from(here).unwrap_or_default());
        let left = skip.left - here;
        if left == 0 {
            return Some(Part::Whole(Value::TooLong(skip.length)));
        }
        self.skipping = Some(Skip { left, ..skip });
        None
    }
}

/// Where the first line ends; nothing, where its end is not there yet.
fn line(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let seen = &bytes[..bytes.len().min(limits::RESP_LINE + 2)];
    match memchr::memmem::find(seen, b"\r\n") {
        Some(end) => Ok(Some(end)),
        None if seen.len() == limits::RESP_LINE + 2 => Err(Broken::LongLine),
        None => Ok(None),
    }
}

fn number(digits: &[u8]) -> Result<i64, Broken> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Broken::Number)
}

fn count_of(count: i64) -> Result<usize, Broken> {
    usize::try_from(count).ok().filter(|count| *count <= limits::RESP_LIST).ok_or(Broken::List)
}

/// A command with its arguments.
///
/// ```
/// use deskbell_wire::redis::resp::command;
/// assert_eq!(command(&[b"PING"]), b"*1\r\n$4\r\nPING\r\n");
/// ```
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + words.iter().map(|word| word.len() + 16).sum::<usize>());
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

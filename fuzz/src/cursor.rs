//! Cursors: what was sealed opens to the same, and nothing else opens.

use deskbell_core::cursor::{Cursor, CursorKey, Late};
use deskbell_core::ids::AppId;
use deskbell_core::limits;
use deskbell_core::parts::Part;
use deskbell_core::position::{Epoch, Position};

const STORED: &[u8] = b"the stored secret of an installation";

/// The input once as a token, once as the numbers of a cursor.
pub fn check(data: &[u8]) {
    let key = CursorKey::derive(STORED, AppId(1_001));
    if let Some((token, cursor)) =
        std::str::from_utf8(data).ok().and_then(|token| Some((token, key.open(token)?)))
    {
        assert_eq!(key.seal(&cursor), token, "two tokens open to one cursor");
    }
    let mut numbers = Numbers(data);
    let at = numbers.position();
    let cursor = match numbers.next() % 3 {
        0 => Cursor::from(at),
        1 => Cursor::behind(at, Late { channel: numbers.next(), at: numbers.position() }),
        _ => Cursor::from(at).within(numbers.part()),
    };
    let token = key.seal(&cursor);
    assert!(token.len() <= limits::CURSOR, "{} characters: {token}", token.len());
    assert_eq!(key.open(&token), Some(cursor));
    assert_eq!(CursorKey::derive(STORED, AppId(1_002)).open(&token), None, "another app's key opens it");
    assert_eq!(key.open(&damaged(&token, numbers.next())), None, "a damaged token opens");
}

/// The token with one character that is another one.
fn damaged(token: &str, choice: u64) -> String {
    let at = choice as usize % token.len();
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> u64 {
        let (bytes, rest) = self.0.split_at(self.0.len().min(8));
        self.0 = rest;
        bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn position(&mut self) -> Position {
        Position {
            epoch: Epoch(self.next()),
            seq: self.next(),
            ledger: self.next(),
            check: self.next() as u32,
            ledger_check: self.next() as u32,
        }
    }

    fn part(&mut self) -> Part {
        Part { count: (self.next() as u16).max(1), durable: self.next() & 1 == 1, check: self.next() as u32 }
    }
}

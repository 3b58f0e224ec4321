//! The token that a client sees for its position.
//!
//! It is short, bounded, and deterministically encrypted (AES-SIV): equal positions give equal
//! tokens, nobody reads a business's booking volume out of it, and nobody forges one. A token that
//! does not open is a `reset` for its reader, never an error of the transport.

use aes_siv::siv::Aes128Siv;
use aes_siv::{KeyInit, KeySizeUser};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::{AppId, ChannelName};
use crate::limits;
use crate::mac;
use crate::parts::Part;
use crate::position::{Epoch, Position, fnv};

const VERSION: u8 = 2;
const POSITION_BYTES: usize = 32;
const LATE_BYTES: usize = 8 + POSITION_BYTES;
const PART_BYTES: usize = 7;

/// What of a connection still catches up from an older place than the rest: one channel, or the
/// values of all its `latest` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Which channel, by hash: names are longer than a token may be. [`Self::LATEST`] is no channel.
    pub channel: u64,
    /// Where that channel stands.
    pub at: Position,
}

impl Late {
    /// Stands for every `latest` channel of the connection.
    const LATEST: u64 = 0;

    /// The exception for all `latest` channels together, whose values are owed to a new reader.
    pub fn of_latest(at: Position) -> Self {
        Self { channel: Self::LATEST, at }
    }

    /// Does this exception speak of all `latest` channels?
    pub fn is_of_latest(&self) -> bool {
        self.channel == Self::LATEST
    }

    /// The exception for a channel.
    pub fn new(channel: &ChannelName, at: Position) -> Self {
        Self { channel: Self::hash(channel), at }
    }

    /// Does this exception speak of that channel?
    pub fn is(&self, channel: &ChannelName) -> bool {
        self.channel == Self::hash(channel)
    }

    fn hash(channel: &ChannelName) -> u64 {
        fnv(channel.as_str().as_bytes()).max(Self::LATEST + 1)
    }
}

/// A position, and at most one exception: something is still behind it, or a part of the next event was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Where the connection stands.
    pub at: Position,
    /// What is still behind.
    pub late: Option<Late>,
    /// What was told of the next event. Where something is behind, that alone is kept, and the event comes whole again.
    pub part: Option<Part>,
}

impl From<Position> for Cursor {
    fn from(at: Position) -> Self {
        Self { at, late: None, part: None }
    }
}

/// The key that seals an app's cursors. All nodes of an installation derive the same one.
#[derive(Clone)]
pub struct CursorKey {
    key: [u8; 32],
    app: AppId,
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CursorKey(app {})", self.app)
    }
}

impl CursorKey {
    /// Derives the app's key from the installation's stored secret.
    pub fn derive(stored: &[u8], app: AppId) -> Self {
        Self { key: mac::tag(stored, &[b"deskbell cursor v1", &app.0.to_be_bytes()]), app }
    }

    /// Seals a cursor into its token.
    ///
    /// ```
    /// use deskbell_core::{cursor::CursorKey, ids::AppId, position::{Epoch, Position}};
    /// let key = CursorKey::derive(b"stored secret", AppId(1001));
    /// let at = Position::start(Epoch(7), 0, 0);
    /// let token = key.seal(&at.into());
    /// assert_eq!(key.open(&token).unwrap().at, at);
    /// assert!(CursorKey::derive(b"stored secret", AppId(1002)).open(&token).is_none());
    /// ```
    pub fn seal(&self, cursor: &Cursor) -> String {
        let mut plain = Vec::with_capacity(1 + POSITION_BYTES + LATE_BYTES);
        plain.push(VERSION);
        write_position(&mut plain, &cursor.at);
        match (&cursor.late, &cursor.part) {
            (Some(late), _) => {
                plain.extend_from_slice(&late.channel.to_be_bytes());
                write_position(&mut plain, &late.at);
            }
            (None, Some(part)) => write_part(&mut plain, *part),
            (None, None) => {}
        }
        let sealed = self.cipher().encrypt([b"cursor"], &plain).expect("a short text always fits");
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a token; `None` for whatever this key did not seal.
    pub fn open(&self, token: &str) -> Option<Cursor> {
        if token.len() > limits::CURSOR {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let plain = self.cipher().decrypt([b"cursor"], &sealed).ok()?;
        let (version, rest) = plain.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (at, rest) = read_position(rest)?;
        if rest.is_empty() {
            return Some(at.into());
        }
        if rest.len() == PART_BYTES {
            return Some(Cursor { part: Some(read_part(rest)?), ..at.into() });
        }
        let (channel, rest) = rest.split_first_chunk::<8>()?;
        let (late, rest) = read_position(rest)?;
        let late = Late { channel: u64::from_be_bytes(*channel), at: late };
        rest.is_empty().then_some(Cursor { late: Some(late), ..at.into() })
    }

    fn cipher(&self) -> Aes128Siv {
        debug_assert_eq!(Aes128Siv::key_size(), self.key.len());
        Aes128Siv::new(&self.key.into())
    }
}

/// Fixed widths, so that a token's length says nothing about the numbers in it.
fn write_position(out: &mut Vec<u8>, at: &Position) {
    out.extend_from_slice(&at.epoch.0.to_be_bytes());
    out.extend_from_slice(&at.seq.to_be_bytes());
    out.extend_from_slice(&at.ledger.to_be_bytes());
    out.extend_from_slice(&at.check.to_be_bytes());
    out.extend_from_slice(&at.ledger_check.to_be_bytes());
}

fn read_position(bytes: &[u8]) -> Option<(Position, &[u8])> {
    let (epoch, bytes) = bytes.split_first_chunk::<8>()?;
    let (seq, bytes) = bytes.split_first_chunk::<8>()?;
    let (ledger, bytes) = bytes.split_first_chunk::<8>()?;
    let (check, bytes) = bytes.split_first_chunk::<4>()?;
    let (ledger_check, bytes) = bytes.split_first_chunk::<4>()?;
    let at = Position {
        epoch: Epoch(u64::from_be_bytes(*epoch)),
        seq: u64::from_be_bytes(*seq),
        ledger: u64::from_be_bytes(*ledger),
        check: u32::from_be_bytes(*check),
        ledger_check: u32::from_be_bytes(*ledger_check),
    };
    Some((at, bytes))
}

fn write_part(out: &mut Vec<u8>, part: Part) {
    out.extend_from_slice(&part.count.to_be_bytes());
    out.push(u8::from(part.durable));
    out.extend_from_slice(&part.check.to_be_bytes());
}

fn read_part(bytes: &[u8]) -> Option<Part> {
    let (count, bytes) = bytes.split_first_chunk::<2>()?;
    let (durable, bytes) = bytes.split_first()?;
    let count = Some(u16::from_be_bytes(*count)).filter(|count| *count > 0)?;
    let durable = Some(*durable).filter(|durable| *durable <= 1)? == 1;
    Some(Part { count, durable, check: u32::from_be_bytes(bytes.try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> CursorKey {
        CursorKey::derive(b"a stored secret", AppId(1))
    }

    prop_compose! {
        fn positions()(epoch: u64, seq: u64, ledger: u64, check: u32, ledger_check: u32) -> Position {
            Position { epoch: Epoch(epoch), seq, ledger, check, ledger_check }
        }
    }

    proptest! {
        #[test]
        fn every_cursor_survives_and_fits(
            at in positions(),
            late in proptest::option::of((any::<u64>(), positions())),
            part in proptest::option::of((1..=u16::MAX, any::<bool>(), any::<u32>())),
        ) {
            let late = late.map(|(channel, at)| Late { channel, at });
            let part = part.map(|(count, durable, check)| Part { count, durable, check });
            let cursor = Cursor { at, late, part: part.filter(|_| late.is_none()) };
            let token = key().seal(&cursor);
            prop_assert!(token.len() <= limits::CURSOR);
            prop_assert_eq!(&token, &key().seal(&cursor));
            prop_assert_eq!(key().open(&token), Some(cursor));
        }

        #[test]
        fn no_other_text_opens(at in positions(), place in 0usize..64, flip in 1u8..64) {
            let token = key().seal(&at.into());
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            let place = place % bytes.len();
            bytes[place] ^= flip;
            prop_assert_eq!(key().open(&URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn garbage_never_panics(text in ".{0,200}") {
            prop_assert_eq!(key().open(&text), None);
        }
    }

    #[test]
    fn another_installation_cannot_open() {
        let token = key().seal(&Position::start(Epoch(1), 2, 3).into());
        assert_eq!(CursorKey::derive(b"another", AppId(1)).open(&token), None);
    }
}

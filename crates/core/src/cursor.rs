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
use crate::position::{Epoch, Position, fnv};

const VERSION: u8 = 1;
const POSITION_BYTES: usize = 34;
const LATE_BYTES: usize = 8 + POSITION_BYTES;

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

/// A position, and at most one exception that is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Where the connection stands.
    pub at: Position,
    /// What is still behind.
    pub late: Option<Late>,
}

impl From<Position> for Cursor {
    fn from(at: Position) -> Self {
        Self { at, late: None }
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
        if let Some(late) = &cursor.late {
            plain.extend_from_slice(&late.channel.to_be_bytes());
            write_position(&mut plain, &late.at);
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
            return Some(Cursor { at, late: None });
        }
        let (channel, rest) = rest.split_first_chunk::<8>()?;
        let (late, rest) = read_position(rest)?;
        rest.is_empty()
            .then_some(Cursor { at, late: Some(Late { channel: u64::from_be_bytes(*channel), at: late }) })
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
    out.extend_from_slice(&at.part.to_be_bytes());
    out.extend_from_slice(&at.ledger.to_be_bytes());
    out.extend_from_slice(&at.check.to_be_bytes());
    out.extend_from_slice(&at.ledger_check.to_be_bytes());
}

fn read_position(bytes: &[u8]) -> Option<(Position, &[u8])> {
    let (epoch, bytes) = bytes.split_first_chunk::<8>()?;
    let (seq, bytes) = bytes.split_first_chunk::<8>()?;
    let (part, bytes) = bytes.split_first_chunk::<2>()?;
    let (ledger, bytes) = bytes.split_first_chunk::<8>()?;
    let (check, bytes) = bytes.split_first_chunk::<4>()?;
    let (ledger_check, bytes) = bytes.split_first_chunk::<4>()?;
    let at = Position {
        epoch: Epoch(u64::from_be_bytes(*epoch)),
        seq: u64::from_be_bytes(*seq),
        part: u16::from_be_bytes(*part),
        ledger: u64::from_be_bytes(*ledger),
        check: u32::from_be_bytes(*check),
        ledger_check: u32::from_be_bytes(*ledger_check),
    };
    Some((at, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> CursorKey {
        CursorKey::derive(b"a stored secret", AppId(1))
    }

    prop_compose! {
        fn positions()(epoch: u64, seq: u64, part: u16, ledger: u64, check: u32, ledger_check: u32) -> Position {
            Position { epoch: Epoch(epoch), seq, part, ledger, check, ledger_check }
        }
    }

    proptest! {
        #[test]
        fn every_cursor_survives_and_fits(at in positions(), late in proptest::option::of((any::<u64>(), positions()))) {
            let cursor = Cursor { at, late: late.map(|(channel, at)| Late { channel, at }) };
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

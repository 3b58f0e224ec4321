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

/// How the truth about a connection differs from "everything up to here, and nothing beyond".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// Something is still behind.
    Late(Late),
    /// A part of the next event was told.
    Part(Part),
}

/// A position, and at most one exception from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Where the connection stands.
    pub at: Position,
    /// What of it does not stand there.
    pub exception: Option<Exception>,
}

impl From<Position> for Cursor {
    fn from(at: Position) -> Self {
        Self { at, exception: None }
    }
}

impl Cursor {
    /// The cursor of a connection of which something is still behind.
    pub fn behind(at: Position, late: Late) -> Self {
        Self { at, exception: Some(Exception::Late(late)) }
    }

    /// This place, and a part of the next event told. Where something is behind, that alone is kept, and the event
    /// comes whole again.
    pub fn within(self, part: Part) -> Self {
        Self { exception: self.exception.or(Some(Exception::Part(part))), ..self }
    }

    /// What is still behind.
    pub fn late(&self) -> Option<Late> {
        match self.exception {
            Some(Exception::Late(late)) => Some(late),
            _ => None,
        }
    }

    /// What was told of the next event.
    pub fn part(&self) -> Option<Part> {
        match self.exception {
            Some(Exception::Part(part)) => Some(part),
            _ => None,
        }
    }

    /// Where a channel stands, which may be a `latest` one.
    pub fn place_of(&self, channel: &ChannelName, latest: bool) -> Position {
        match self.late() {
            Some(late) if late.is(channel) || latest && late.is_of_latest() => late.at,
            _ => self.at,
        }
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
        match cursor.exception {
            Some(Exception::Late(late)) => {
                plain.extend_from_slice(&late.channel.to_be_bytes());
                write_position(&mut plain, &late.at);
            }
            Some(Exception::Part(part)) => write_part(&mut plain, part),
            None => {}
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
            return Some(Cursor::from(at).within(read_part(rest)?));
        }
        let (channel, rest) = rest.split_first_chunk::<8>()?;
        let (late, rest) = read_position(rest)?;
        let late = Late { channel: u64::from_be_bytes(*channel), at: late };
        rest.is_empty().then_some(Cursor::behind(at, late))
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

    fn exceptions() -> impl Strategy<Value = Exception> {
        let late =
            (any::<u64>(), positions()).prop_map(|(channel, at)| Exception::Late(Late { channel, at }));
        let part = (1..=u16::MAX, any::<bool>(), any::<u32>())
            .prop_map(|(count, durable, check)| Exception::Part(Part { count, durable, check }));
        prop_oneof![late, part]
    }

    proptest! {
        #[test]
        fn every_cursor_survives_and_fits(
            at in positions(),
            exception in proptest::option::of(exceptions()),
        ) {
            let cursor = Cursor { at, exception };
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
    fn what_is_behind_is_told_before_a_part_and_has_a_place_of_its_own() {
        let [at, behind] = [5, 3].map(|seq| Position::start(Epoch(1), seq, 0));
        let [a, b] = ["a", "latest-b"].map(|name| ChannelName::parse(name).unwrap());
        let part = Part { count: 1, durable: false, check: 7 };
        let cursor = Cursor::behind(at, Late::new(&a, behind)).within(part);
        assert_eq!((cursor.late(), cursor.part()), (Some(Late::new(&a, behind)), None));
        assert_eq!((cursor.place_of(&a, false), cursor.place_of(&b, true)), (behind, at));
        let cursor = Cursor::behind(at, Late::of_latest(behind));
        assert_eq!((cursor.place_of(&b, true), cursor.place_of(&b, false)), (behind, at));
        assert_eq!(Cursor::from(at).within(part).part(), Some(part));
    }

    #[test]
    fn another_installation_cannot_open() {
        let token = key().seal(&Position::start(Epoch(1), 2, 3).into());
        assert_eq!(CursorKey::derive(b"another", AppId(1)).open(&token), None);
    }
}

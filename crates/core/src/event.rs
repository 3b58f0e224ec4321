//! The immutable event, and the log entry that carries it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::ids::{ChannelName, EventId, EventName, Key, PublicId};
use crate::limits::Millis;
use crate::parts::Part;
use crate::position::{Epoch, Position, check_of, ledger};

/// In which form the data came, so that it leaves one dialect as it entered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One JSON value.
    Json,
    /// A text that is no JSON (Pusher allows it). Across dialects it is a JSON string.
    Text,
    /// Several Socket.IO arguments, kept as a JSON array. Across dialects it is that array.
    Args,
}

impl Form {
    /// The one-letter form that is stored.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Json => "j",
            Self::Text => "t",
            Self::Args => "a",
        }
    }

    /// Reads the stored letter.
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "j" => Some(Self::Json),
            "t" => Some(Self::Text),
            "a" => Some(Self::Args),
            _ => None,
        }
    }
}

/// Opaque bytes with the form they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// The form.
    pub form: Form,
    /// The bytes, exactly as they came.
    pub bytes: Bytes,
}

impl Data {
    /// One JSON value, already checked by the decoder that read it.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self { form: Form::Json, bytes: bytes.into() }
    }
}

/// What happened: five fields and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's id; the publisher's idempotency id where it gave one.
    pub id: EventId,
    /// The channel on which it happened.
    pub channel: ChannelName,
    /// What happened.
    pub name: EventName,
    /// The opaque data.
    pub data: Data,
    /// When the server took it in.
    pub at: Millis,
}

/// What an entry of the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody published an event.
    Message,
    /// Members came; the data is a JSON array of them.
    Joined,
    /// A member changed its data; the data is a JSON array with it.
    Updated,
    /// Members went; the data is a JSON array of them.
    Left,
    /// A client says something to those who listen now, and nobody else is owed it: typing, pointers.
    Whisper,
    /// How many subscriptions the channel has; only a dialect whose clients ask for it shows it.
    Count,
}

impl Kind {
    /// Does it say who is here? Only those get it who may see that.
    pub const fn is_presence(self) -> bool {
        matches!(self, Self::Joined | Self::Updated | Self::Left)
    }

    /// Is it for those alone who listen at this moment, whatever the channel keeps?
    pub const fn is_momentary(self) -> bool {
        matches!(self, Self::Whisper | Self::Count)
    }
}

/// An event on its way into the log.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The event.
    pub event: Event,
    /// What it says.
    pub kind: Kind,
    /// The key on a `latest` channel; the event's name where the publisher gave none.
    pub key: Option<Key>,
    /// The session that must not get it, as the publisher named it.
    pub except: Option<PublicId>,
    /// The member who says it, where the others may know.
    pub by: Option<Arc<str>>,
}

impl Draft {
    /// A published event without further wishes.
    pub fn message(event: Event) -> Self {
        Self { event, kind: Kind::Message, key: None, except: None, by: None }
    }
}

/// A draft that has its place in the log.
#[derive(Debug)]
pub struct Entry {
    /// The event.
    pub event: Event,
    /// What it says.
    pub kind: Kind,
    /// The key on a `latest` channel.
    pub key: Option<Key>,
    /// The session that must not get it.
    pub except: Option<PublicId>,
    /// The member who says it, where the others may know.
    pub by: Option<Arc<str>>,
    /// The epoch in which `seq` counts.
    pub epoch: Epoch,
    /// The place in the order; 0 for an ephemeral event, which takes none, and for a durable event
    /// that was read from the ledger and has no place in this epoch.
    pub seq: u64,
    /// Its own ledger position, where the ledger made it; otherwise 0.
    pub ledger: u64,
    /// Where a reader stands who has this entry and all before it.
    pub after: Position,
    /// Encoded forms, each made at most once on this node.
    pub frames: Frames,
}

impl Entry {
    /// The check value that cursors at this entry carry.
    pub fn check(&self) -> u32 {
        check_of(&self.event.id)
    }

    /// Where a reader stands who has everything before this entry, and nothing of it.
    pub fn before(&self) -> Position {
        let mut at = self.after;
        if self.seq > 0 {
            (at.seq, at.check) = (self.seq - 1, 0);
        }
        if self.ledger > 0 {
            at.ledger = self.ledger - 1;
            // Before the first event of a row stands another row.
            if ledger::row(at.ledger) != ledger::row(self.ledger) {
                at.ledger_check = 0;
            }
        }
        at
    }

    /// Where a reader stands who has everything before this entry, and a part of it.
    pub fn within(&self, part: Part) -> Cursor {
        Cursor::from(self.before()).within(part)
    }

    /// Does one change of the ledger tell of both?
    pub fn is_of_one_change(&self, other: &Entry) -> bool {
        self.ledger > 0 && ledger::row(self.ledger) == ledger::row(other.ledger)
    }

    /// Does the log owe this entry to nobody who was not there?
    pub fn is_ephemeral(&self) -> bool {
        self.seq == 0 && self.ledger == 0
    }

    /// Bytes that the entry is charged with in the bounds of ring and history.
    pub fn weight(&self) -> usize {
        // The fixed part is the entry, its ids and one encoded frame's overhead.
        256 + self.event.data.bytes.len()
    }
}

/// The encoded forms of one entry, one for each dialect variant that asked.
#[derive(Debug, Default)]
pub struct Frames(Mutex<Vec<(u16, Bytes)>>);

impl Frames {
    /// The frame of a variant; `encode` runs only where nobody has asked for it yet.
    ///
    /// The lock is not held while encoding, so `encode` may ask for another variant. Two shards
    /// that ask at the same moment may both encode; the first one's bytes are kept.
    pub fn get(&self, variant: u16, encode: impl FnOnce() -> Bytes) -> Bytes {
        if let Some(frame) = self.find(variant) {
            return frame;
        }
        let frame = encode();
        let mut frames = self.lock();
        if let Some((_, first)) = frames.iter().find(|(v, _)| *v == variant) {
            return first.clone();
        }
        frames.push((variant, frame.clone()));
        frame
    }

    fn find(&self, variant: u16) -> Option<Bytes> {
        self.lock().iter().find(|(v, _)| *v == variant).map(|(_, frame)| frame.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u16, Bytes)>> {
        // The list is whole between any two of its steps, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries are shared between the ring, the history and every shard.
pub type SharedEntry = Arc<Entry>;

//! The one total order of an app's events, and its recent past.
//!
//! One act orders an event and remembers it: [`Log::append`] for memory channels,
//! [`Log::append_if`] for rows of the ledger. Shards follow the [`Ring`]; everybody who is behind
//! uses [`Log::read`], which answers with every event or says why it cannot.

mod carry;
mod once;
mod read;
mod record;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use carry::{CarriedChannel, CarriedEntry, CarriedMember, Carry};
pub use once::Once;
pub use read::{Bounds, Page, Reset, ResetReason, Want};
pub use ring::Pull;

use crate::class::{Class, Classes, Shape};
use crate::event::{Draft, Entry, Event, Frames, Kind, SharedEntry};
use crate::ids::{ChannelName, EventId};
use crate::limits::Millis;
use crate::position::{Epoch, Position, check_of, ledger};
use crate::presence::{Change, Holder, Presence};
use crate::refusal::Refusal;
use once::Remembered;
use record::Record;
use ring::Ring;

/// The log of one app.
#[derive(Debug)]
pub struct Log {
    head: Position,
    ring: Ring,
    records: HashMap<ChannelName, Record>,
    /// Every record's name once, in the order in which the sweep looks at them.
    sweep: VecDeque<ChannelName>,
    /// The floor of every channel without a record.
    forgotten: u64,
    /// The same in ledger coordinates.
    ledger_forgotten: u64,
    classes: Classes,
    remembered: Remembered,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The event's id.
    pub id: EventId,
    /// Where a reader stands who has this event and all before it.
    pub at: Position,
    /// The same publish was taken before; this is its first answer again.
    pub repeated: bool,
}

/// One committed row of the ledger, on its way into the log.
#[derive(Debug, Clone)]
pub struct Row {
    /// The row's dense position.
    pub row: u64,
    /// What it says, one draft for each audience.
    pub drafts: Vec<Draft>,
}

/// Somebody else has taken these rows in: read again after this row and go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenElsewhere {
    /// The last row that the log has.
    pub taken: u64,
}

impl Log {
    /// An empty log in a new epoch, standing at the ledger's head.
    pub fn new(epoch: Epoch, ledger_row: u64, ledger_check: u32, classes: Classes) -> Self {
        let taken = ledger::end(ledger_row);
        Self {
            head: Position::start(epoch, taken, ledger_check),
            ring: Ring::default(),
            records: HashMap::new(),
            sweep: VecDeque::new(),
            forgotten: 0,
            ledger_forgotten: taken,
            classes,
            remembered: Remembered::default(),
        }
    }

    /// Where a reader stands who has everything.
    pub fn head(&self) -> Position {
        self.head
    }

    /// The class of a channel.
    pub fn class(&self, channel: &str) -> Arc<Class> {
        self.classes.of(channel).clone()
    }

    /// Changes the class rules. Channels that have a record keep their class until it is dropped,
    /// because what they hold was kept under it.
    pub fn set_classes(&mut self, classes: Classes) {
        self.classes = classes;
    }

    /// Takes a memory or ephemeral event in. `once` lets a retry find its first answer.
    pub fn append(&mut self, draft: Draft, once: Option<Once>, now: Millis) -> Result<Appended, Refusal> {
        if let Some(once) = once
            && let Some(first) = self.remembered.find(once, now)?
        {
            return Ok(Appended { repeated: true, ..first });
        }
        let entry = self.place(draft, None, now);
        let appended = Appended { id: entry.event.id.clone(), at: entry.after, repeated: false };
        if let Some(once) = once {
            self.remembered.add(once, appended.clone(), now);
        }
        Ok(appended)
    }

    /// Takes committed ledger rows in, if exactly the rows before them are here already.
    pub fn append_if(&mut self, rows: Vec<Row>, now: Millis) -> Result<(), TakenElsewhere> {
        let taken = ledger::row(self.head.ledger);
        if rows.first().is_some_and(|first| first.row != taken + 1) {
            return Err(TakenElsewhere { taken });
        }
        for Row { row, drafts } in rows {
            let last = drafts.len().saturating_sub(1);
            let check = drafts.last().map_or(0, |draft| check_of(&draft.event.id));
            for (place, draft) in drafts.into_iter().enumerate() {
                let after = if place == last { ledger::end(row) } else { ledger::event(row, place) };
                self.place(draft, Some((ledger::event(row, place), after, check)), now);
            }
            // A row without events moves the log on all the same, so that positions stay dense.
            self.head.ledger = ledger::end(row);
            self.head.ledger_check = check;
        }
        Ok(())
    }

    /// Gives a draft its place, remembers it and hands it to the ring.
    fn place(&mut self, draft: Draft, row: Option<(u64, u64, u32)>, now: Millis) -> SharedEntry {
        let class = self.records.get(draft.event.channel.as_str()).map(|record| record.class.clone());
        let class = class.unwrap_or_else(|| self.class(draft.event.channel.as_str()));
        let ephemeral = class.shape == Shape::Ephemeral && draft.kind == Kind::Message && row.is_none();
        if !ephemeral {
            self.head.seq += 1;
            self.head.part = 0;
            self.head.check = check_of(&draft.event.id);
        }
        if let Some((_, after, check)) = row {
            self.head.ledger = after;
            self.head.ledger_check = check;
        }
        let entry = Arc::new(Entry {
            event: draft.event,
            kind: draft.kind,
            key: draft.key,
            except: draft.except,
            epoch: self.head.epoch,
            seq: if ephemeral { 0 } else { self.head.seq },
            ledger: row.map_or(0, |(own, _, _)| own),
            after: self.head,
            frames: Frames::default(),
        });
        if !ephemeral {
            self.record(&entry.event.channel, class).push(entry.clone(), now);
        }
        self.ring.push(entry.clone());
        entry
    }

    fn record(&mut self, channel: &ChannelName, class: Arc<Class>) -> &mut Record {
        if !self.records.contains_key(channel.as_str()) {
            let record = Record::new(class, self.forgotten, self.ledger_forgotten);
            self.records.insert(channel.clone(), record);
            self.sweep.push_back(channel.clone());
        }
        self.records.get_mut(channel.as_str()).expect("the record was made in the line above")
    }

    /// Looks at up to `budget` channels: drops what is too old, and the records of silent ones.
    pub fn sweep(&mut self, budget: usize, now: Millis) {
        self.remembered.expire(now);
        for _ in 0..budget.min(self.sweep.len()) {
            let Some(channel) = self.sweep.pop_front() else { return };
            let Some(record) = self.records.get_mut(channel.as_str()) else { continue };
            record.trim(now);
            if record.is_silent() {
                self.forgotten = self.forgotten.max(record.last_seq);
                self.ledger_forgotten = self.ledger_forgotten.max(record.last_ledger);
                self.records.remove(channel.as_str());
            } else {
                self.sweep.push_back(channel);
            }
        }
    }

    /// The place in the ring behind the newest entry, and the log's head there.
    pub fn ring_end(&self) -> (u64, Position) {
        (self.ring.end(), self.head)
    }

    /// What came into the ring at or after a place.
    pub fn pull(&self, from: u64, most: usize, into: &mut Vec<SharedEntry>) -> Pull {
        self.ring.pull(from, most, into)
    }

    /// A session enters a channel's presence, or shows other data there.
    pub fn enter(
        &mut self,
        channel: &ChannelName,
        member: &str,
        holder: Holder,
        data: bytes::Bytes,
        note: PresenceNote,
    ) -> Result<Change, Refusal> {
        let class = self.class(channel.as_str());
        let record = self.record(channel, class);
        let change = record.presence.enter(member, holder, data)?;
        self.note(channel, member, change, note);
        Ok(change)
    }

    /// A session leaves a channel's presence; an older generation changes nothing.
    pub fn leave(
        &mut self,
        channel: &ChannelName,
        member: &str,
        holder: Holder,
        note: PresenceNote,
    ) -> Change {
        let Some(record) = self.records.get_mut(channel.as_str()) else { return Change::None };
        let change = record.presence.leave(member, holder);
        self.note(channel, member, change, note);
        change
    }

    /// Writes what the others see of a change.
    fn note(&mut self, channel: &ChannelName, member: &str, change: Change, note: PresenceNote) {
        let (kind, name) = match change {
            Change::None => return,
            Change::Joined => (Kind::Joined, "joined"),
            Change::Updated => (Kind::Updated, "updated"),
            Change::Left => (Kind::Left, "left"),
        };
        let data = self.presence(channel.as_str()).and_then(|p| p.get(member)).map(|m| m.data.clone());
        let event = Event {
            id: note.id,
            channel: channel.clone(),
            name: crate::ids::EventName::parse(name).expect("the built-in names are well formed"),
            data: crate::event::Data::json(record::member_json(member, data.as_deref())),
            at: note.now,
        };
        self.place(Draft { event, kind, key: None, except: None }, None, note.now);
    }

    /// Who is in a channel now.
    pub fn presence(&self, channel: &str) -> Option<&Presence> {
        self.records.get(channel).map(|record| &record.presence)
    }

    /// How many entries of a channel are kept.
    pub fn kept(&self, channel: &str) -> usize {
        self.records.get(channel).map_or(0, |record| record.history.len())
    }

    /// Where a reader of this channel begins who wants everything that is kept: with what the ledger
    /// has of it, and with what memory has.
    pub fn beginnings(&self, channel: &str) -> (Position, Position) {
        let record = self.records.get(channel).map(|record| &record.history);
        let seq = record.map_or(self.forgotten, |history| history.floor);
        let ledger = record.map_or(self.ledger_forgotten, |history| history.ledger_floor);
        let memory = Position { seq, check: 0, ledger, ledger_check: 0, ..self.head };
        (Position { ledger: 0, ..memory }, memory)
    }

    /// Channels that have a record, with how many entries each keeps.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.records.iter().map(|(name, record)| (name, record.history.len()))
    }
}

/// The id and time of the entry that a presence change may make.
#[derive(Debug, Clone)]
pub struct PresenceNote {
    /// The entry's id.
    pub id: EventId,
    /// The time.
    pub now: Millis,
}

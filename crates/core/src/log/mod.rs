//! The one total order of an app's events, and its recent past.
//!
//! One act orders an event and remembers it: [`Log::append`] for memory channels,
//! [`Log::append_if`] for rows of the ledger. Shards follow the ring by [`Log::pull`]; everybody
//! who is behind uses [`Log::read`], which answers with every event or says why it cannot.

mod carry;
mod checks;
mod members;
mod once;
mod read;
mod record;
mod recover;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use carry::{CarriedAnswer, CarriedChannel, CarriedEntry, CarriedMember, Carry};
pub use members::PresenceNote;
pub use once::Once;
pub use read::{Bounds, Members, Older, Page, Reset, ResetReason, Want};
pub use record::Floors;
pub use ring::Pull;

use crate::class::{Class, Classes, Shape};
use crate::event::{Draft, Entry, Frames, Kind, SharedEntry};
use crate::ids::{ChannelName, EventId};
use crate::limits::{self, Millis};
use crate::position::{Epoch, Position, check_of, ledger};
use crate::refusal::{Code, Refusal};
use checks::Checks;
use members::Gather;
use once::Remembered;
use record::Record;
use ring::Ring;

/// Channels that every channel without a record before pays the sweep of. With two there are never many more
/// records than channels that have something to keep, however fast new ones come.
const SWEPT_FOR_NEW: usize = 2;

/// The log of one app.
#[derive(Debug)]
pub struct Log {
    head: Position,
    ring: Ring,
    records: HashMap<ChannelName, Record>,
    /// Every record's name once, in the order in which the sweep looks at them.
    sweep: VecDeque<ChannelName>,
    /// The floors of every channel without a record.
    floors: Floors,
    /// Check values by `seq`, and by ledger row.
    seqs: Checks,
    rows: Checks,
    classes: Classes,
    remembered: Remembered,
    gather: Gather,
    /// What it holds was written down, so nothing more may come.
    closed: bool,
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
    /// Its check value as the ledger gives it to whoever asks: a hash of something that no other
    /// row has, nor one that takes this row's place after a rollback. 0 would say nothing.
    pub check: u32,
    /// What it says, one draft for each audience, at most [`ledger::EVENTS_PER_ROW`].
    pub drafts: Vec<Draft>,
}

/// Somebody else has taken these rows in: read again after this row and go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenElsewhere {
    /// The last row that the log has.
    pub taken: u64,
}

/// What the ledger says of an event: its own position, where a reader stands behind it, and the
/// check value of its row.
#[derive(Debug, Clone, Copy)]
struct InRow {
    own: u64,
    after: u64,
    check: u32,
}

impl Log {
    /// An empty log in a new epoch, standing at the ledger's head. `ledger_check` is the check value
    /// of that row.
    pub fn new(epoch: Epoch, ledger_row: u64, ledger_check: u32, classes: Classes) -> Self {
        let taken = ledger::end(ledger_row);
        Self {
            head: Position::start(epoch, taken, ledger_check),
            ring: Ring::default(),
            records: HashMap::new(),
            sweep: VecDeque::new(),
            floors: Floors { ledger: taken, ..Floors::default() },
            seqs: Checks::starting(0, 0),
            rows: Checks::starting(ledger_row, ledger_check),
            classes,
            remembered: Remembered::default(),
            gather: Gather::default(),
            closed: false,
        }
    }

    /// Where a reader stands who has everything.
    pub fn head(&self) -> Position {
        self.head
    }

    /// The class of a channel.
    pub fn class(&self, channel: &str) -> Arc<Class> {
        self.records
            .get(channel)
            .map_or_else(|| self.classes.of(channel).clone(), |record| record.class.clone())
    }

    /// Changes the class rules. Channels that have a record keep their class until it is dropped,
    /// because what they hold was kept under it.
    ///
    /// Where channels are now kept in another way, the floors of those without a record rise to the
    /// head, because nobody knows any more what they once held. One way is not safe: events that a
    /// memory channel held before it became durable are not in the ledger, and a reader who was
    /// away over both the change and their age is not told.
    pub fn set_classes(&mut self, classes: Classes) {
        if classes.kinds() != self.classes.kinds() {
            self.floors = Floors { stream: self.head.seq, latest: self.head.seq, ..self.floors };
        }
        self.classes = classes;
    }

    /// Takes a memory or ephemeral event in. `once` lets a retry find its first answer. An event of
    /// a durable channel must go through the ledger and come as a [`Row`].
    pub fn append(&mut self, draft: Draft, once: Option<Once>, now: Millis) -> Result<Appended, Refusal> {
        if let Some(once) = once
            && let Some(first) = self.remembered.find(once, now)?
        {
            return Ok(Appended { repeated: true, ..first });
        }
        if self.closed {
            return Err(Refusal::new(
                Code::Draining,
                "the server is shutting down; connect again and repeat with the same id",
            ));
        }
        let entry = self.place(draft, None, now);
        let appended = Appended { id: entry.event.id.clone(), at: entry.after, repeated: false };
        if let Some(once) = once {
            self.remembered.add(once, appended.clone(), now);
        }
        Ok(appended)
    }

    /// Takes committed ledger rows in, if exactly the rows before them are here already. All of
    /// them or none.
    pub fn append_if(&mut self, rows: Vec<Row>, now: Millis) -> Result<(), TakenElsewhere> {
        let taken = ledger::row(self.head.ledger);
        if rows.iter().zip(taken + 1..).any(|(row, next)| row.row != next) {
            return Err(TakenElsewhere { taken });
        }
        for Row { row, check, drafts } in rows {
            assert!(drafts.len() <= ledger::EVENTS_PER_ROW, "a ledger row holds too many events");
            let last = drafts.len().saturating_sub(1);
            for (place, draft) in drafts.into_iter().enumerate() {
                let own = ledger::event(row, place);
                let after = if place == last { ledger::end(row) } else { own };
                self.place(draft, Some(InRow { own, after, check }), now);
            }
            // A row without events moves the log on all the same, so that positions stay dense.
            self.head.ledger = ledger::end(row);
            self.head.ledger_check = check;
            self.rows.push(check);
        }
        Ok(())
    }

    /// Gives a draft its place, remembers it and hands it to the ring.
    fn place(&mut self, draft: Draft, row: Option<InRow>, now: Millis) -> SharedEntry {
        let class = self.class(draft.event.channel.as_str());
        debug_assert!(
            !class.durable || row.is_some() || draft.kind != Kind::Message,
            "an event of a durable channel came past the ledger"
        );
        let momentary = class.shape == Shape::Ephemeral && draft.kind == Kind::Message;
        let ephemeral = row.is_none() && (momentary || draft.kind.is_momentary());
        if !ephemeral {
            self.head.seq += 1;
            self.head.check = check_of(&draft.event.id);
            self.seqs.push(self.head.check);
        }
        if let Some(row) = row {
            self.head.ledger = row.after;
            self.head.ledger_check = row.check;
        }
        let entry = Arc::new(Entry {
            event: draft.event,
            kind: draft.kind,
            key: draft.key,
            except: draft.except,
            by: draft.by,
            epoch: self.head.epoch,
            seq: if ephemeral { 0 } else { self.head.seq },
            ledger: row.map_or(0, |row| row.own),
            after: self.head,
            frames: Frames::default(),
        });
        if !ephemeral {
            let known = self.records.len();
            self.record(&entry.event.channel, class).push(entry.clone(), now);
            if self.records.len() > known {
                self.sweep_records(SWEPT_FOR_NEW, now);
            }
        }
        self.ring.push(entry.clone());
        while let Some(oldest) = self.ring.overflow() {
            self.leave_to_the_ledger(&oldest);
        }
        entry
    }

    /// Memory keeps no more of a durable channel than the ring does: the ledger has it all, and there is no
    /// bound on how many channels a busy ledger writes to.
    fn leave_to_the_ledger(&mut self, oldest: &SharedEntry) {
        if oldest.ledger > 0
            && let Some(record) = self.records.get_mut(oldest.event.channel.as_str())
            && record.class.durable
        {
            record.history.drop_through(oldest.ledger);
        }
    }

    fn record(&mut self, channel: &ChannelName, class: Arc<Class>) -> &mut Record {
        self.record_above(channel, class, self.floors)
    }

    fn record_above(&mut self, channel: &ChannelName, class: Arc<Class>, floors: Floors) -> &mut Record {
        self.records.entry(channel.clone()).or_insert_with(|| {
            self.sweep.push_back(channel.clone());
            Record::new(class, &floors)
        })
    }

    /// Looks at up to `budget` channels: drops what is too old, and the records of silent ones.
    pub fn sweep(&mut self, budget: usize, now: Millis) {
        self.remembered.expire(now);
        self.sweep_records(budget, now);
    }

    fn sweep_records(&mut self, budget: usize, now: Millis) {
        for _ in 0..budget.min(self.sweep.len()) {
            let Some(channel) = self.sweep.pop_front() else { return };
            let Some(record) = self.records.get_mut(channel.as_str()) else { continue };
            record.trim(now);
            if record.is_silent(&self.classes, now) {
                self.floors.raise(&record.class, record.last);
                self.floors.changes = self.floors.changes.max(record.changes_floor);
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

    /// What came into the ring at or after a place and is still there.
    pub fn since(&self, from: u64) -> impl Iterator<Item = &SharedEntry> + Clone {
        self.ring.since(from)
    }

    /// How many entries of a channel are kept.
    pub fn kept(&self, channel: &str) -> usize {
        self.records.get(channel).map_or(0, |record| record.history.len())
    }

    /// The newest event of a cached channel, for as long as it is given to whoever comes.
    pub fn cached(&self, channel: &str, now: Millis) -> Option<SharedEntry> {
        let newest = self.records.get(channel)?.cached.as_ref()?;
        (newest.event.at.saturating_add(limits::CACHED_AGE) > now).then(|| newest.clone())
    }

    /// Takes back in what a durable channel gave to whoever came, before this log began.
    pub fn recall(&mut self, entry: SharedEntry) {
        let class = self.class(entry.event.channel.as_str());
        if class.durable {
            let record = self.record(&entry.event.channel, class);
            record.cached.get_or_insert(entry);
        }
    }

    /// Channels that have a record, with how many entries each keeps.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.records.iter().map(|(name, record)| (name, record.history.len()))
    }
}

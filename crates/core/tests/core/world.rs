//! The naive model: every event that ever happened in a plain list for each channel, and a ledger
//! that is a list of rows. Beside it stands the log under test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deskbell_core::class::{Class, Classes, Retention, Shape};
use deskbell_core::event::{Data, Draft, Entry, Event, Frames, Kind, SharedEntry};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key};
use deskbell_core::log::{Carry, Log, PresenceNote, Pull, Row};
use deskbell_core::pattern::Pattern;
use deskbell_core::position::{Epoch, Position, check_of_text, ledger};
use deskbell_core::presence::Holder;

pub const CHANNELS: [&str; 7] = ["few", "light", "latest", "rows", "rows-brief", "rows-latest", "typing"];
pub const MEMORY: [usize; 3] = [0, 1, 2];
pub const DURABLE: [usize; 3] = [3, 4, 5];
pub const TYPING: usize = 6;

/// The class of each channel, small enough that every bound is met often.
pub fn class_of(channel: usize) -> Class {
    let kept = |shape, durable, events, bytes, age| Class {
        shape,
        durable,
        presence: true,
        retention: Retention { events, bytes, age },
    };
    match channel {
        0 => kept(Shape::Stream, false, 4, 1 << 20, 30_000),
        1 => kept(Shape::Stream, false, 100, 1_000, 60_000),
        2 => kept(Shape::Latest, false, 3, 1 << 20, 45_000),
        3 => kept(Shape::Stream, true, 3, 1 << 20, 1 << 40),
        4 => kept(Shape::Stream, true, 100, 1 << 20, 20_000),
        5 => kept(Shape::Latest, true, 2, 1 << 20, 1 << 40),
        _ => kept(Shape::Ephemeral, false, 0, 0, 0),
    }
}

pub fn classes() -> Classes {
    let rule = |place: usize| (Pattern::parse(CHANNELS[place]).unwrap(), class_of(place));
    Classes::new((0..CHANNELS.len()).map(rule).collect(), class_of(0))
}

pub fn name(channel: usize) -> ChannelName {
    ChannelName::parse(CHANNELS[channel]).unwrap()
}

/// One event that happened, whether or not anybody still remembers it.
#[derive(Debug, Clone)]
pub struct Fact {
    pub id: String,
    pub key: u8,
    pub size: usize,
    pub at: u64,
    pub epoch: u64,
    /// `seq` for a memory channel, the ledger position for a durable one.
    pub place: u64,
}

/// A position that some reader may come back with, and whether what it says of each coordinate is
/// part of what is still true, or of what was rolled back.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub at: Position,
    pub memory_holds: bool,
    pub ledger_holds: bool,
}

type Tabs = BTreeMap<(usize, u8), BTreeSet<u64>>;

pub struct World {
    pub log: Log,
    pub now: u64,
    pub truth: Vec<Vec<Fact>>,
    /// The check value and drafts of each committed row; row numbers begin at 1.
    pub ledger: Vec<(u32, Vec<Draft>)>,
    pub marks: Vec<Mark>,
    /// Who sits in which channel with which tabs.
    pub tabs: Tabs,
    pub saved: Option<(String, Tabs)>,
    last_epoch: u64,
    ids: u64,
    recorder: u64,
    recorded: Position,
}

impl World {
    pub fn new() -> Self {
        let log = Log::new(Epoch(1), 0, 0, classes());
        let recorded = log.head();
        let mut world = Self {
            log,
            now: 1_000_000,
            truth: vec![Vec::new(); CHANNELS.len()],
            ledger: Vec::new(),
            marks: Vec::new(),
            tabs: BTreeMap::new(),
            saved: None,
            last_epoch: 1,
            ids: 0,
            recorder: 0,
            recorded,
        };
        world.mark(recorded);
        world
    }

    fn mark(&mut self, at: Position) {
        self.marks.push(Mark { at, memory_holds: true, ledger_holds: true });
    }

    pub fn draft(&mut self, channel: usize, key: u8, size: usize) -> Draft {
        self.ids += 1;
        let id = format!("e{}", self.ids);
        let data = format!("\"{id}{}\"", "x".repeat(size));
        let event = Event {
            id: EventId::parse(&id).unwrap(),
            channel: name(channel),
            name: EventName::parse("changed").unwrap(),
            data: Data::json(data),
            at: self.now,
        };
        Draft { key: Some(Key::parse(&key.to_string()).unwrap()), ..Draft::message(event) }
    }

    fn fact(&mut self, channel: usize, draft: &Draft, place: u64) {
        self.truth[channel].push(Fact {
            id: draft.event.id.to_string(),
            key: draft.key.as_ref().unwrap().as_str().parse().unwrap(),
            size: draft.event.data.bytes.len(),
            at: self.now,
            epoch: self.log.head().epoch.0,
            place,
        });
    }

    pub fn append(&mut self, channel: usize, key: u8, size: usize) {
        let draft = self.draft(channel, key, size);
        if channel != TYPING {
            self.fact(channel, &draft, self.log.head().seq + 1);
        }
        let appended = self.log.append(draft, None, self.now).unwrap();
        assert!(!appended.repeated);
        assert_eq!(appended.at, self.log.head());
        self.record();
    }

    /// Commits a row: it is true from now on, but the log does not know it yet.
    pub fn commit(&mut self, drafts: &[(usize, u8)]) {
        let row = self.ledger.len() as u64 + 1;
        let mut made = Vec::new();
        for (place, (channel, key)) in drafts.iter().enumerate() {
            let draft = self.draft(*channel, *key, 0);
            self.fact(*channel, &draft, ledger::event(row, place));
            made.push(draft);
        }
        self.ids += 1;
        self.ledger.push((check_of_text(&format!("c{}", self.ids)), made));
    }

    /// Lets the log take some committed rows in.
    pub fn take_in(&mut self, most: usize) {
        let taken = ledger::row(self.log.head().ledger);
        let rows = self.ledger.iter().enumerate().skip(taken as usize).take(most);
        let rows = rows.map(|(place, (check, drafts))| Row {
            row: place as u64 + 1,
            check: *check,
            drafts: drafts.clone(),
        });
        self.log.append_if(rows.collect(), self.now).unwrap();
        self.record();
    }

    pub fn check(&self, row: u64) -> u32 {
        let row = row.checked_sub(1).and_then(|row| self.ledger.get(row as usize));
        row.map_or(0, |(check, _)| *check)
    }

    /// A position as a snapshot takes it: the log's head, then the ledger's own.
    pub fn snapshot(&mut self) {
        let row = self.ledger.len() as u64;
        let ledger_check = self.check(row);
        self.mark(Position { ledger: ledger::end(row), ledger_check, ..self.log.head() });
    }

    /// Follows the ring as a shard does and keeps every position on the way.
    fn record(&mut self) {
        let mut entries = Vec::new();
        let Pull::Next(next) = self.log.pull(self.recorder, usize::MAX, &mut entries) else {
            panic!("the recorder follows at once and never falls off")
        };
        self.recorder = next;
        for entry in entries {
            assert!(entry.after.covers(&self.recorded), "the log goes on: {entry:?}");
            self.recorded = entry.after;
            self.mark(entry.after);
        }
        self.recorded = self.log.head();
        self.mark(self.recorded);
    }

    fn note(&mut self) -> PresenceNote {
        self.ids += 1;
        PresenceNote { id: EventId::parse(&format!("p{}", self.ids)).unwrap(), now: self.now }
    }

    pub fn seat(&mut self, channel: usize, member: u8, tab: u64, enters: bool) {
        let holder = Holder { session: u64::from(member) * 10 + tab, generation: 1 };
        let (id, note) = (member.to_string(), self.note());
        let tabs = self.tabs.entry((channel, member)).or_default();
        if enters {
            tabs.insert(tab);
            self.log.enter(&name(channel), &id, holder, "{}".into(), note).unwrap();
        } else {
            tabs.remove(&tab);
            self.log.leave(&name(channel), &id, holder, note);
        }
        self.record();
    }

    pub fn flush(&mut self) -> bool {
        let mut ids = self.ids;
        let again = self.log.flush_joins(self.now, || {
            ids += 1;
            EventId::parse(&format!("p{ids}")).unwrap()
        });
        self.ids = ids;
        self.record();
        again
    }

    /// Who sits in a channel, by the tabs.
    pub fn members(&self, channel: usize) -> BTreeSet<String> {
        let here = self.tabs.iter().filter(|((at, _), tabs)| *at == channel && !tabs.is_empty());
        here.map(|((_, member), _)| member.to_string()).collect()
    }

    fn restarted(&mut self, log: Log) {
        self.log = log;
        (self.recorder, self.recorded) = (self.log.ring_end().0, self.log.head());
        self.mark(self.recorded);
    }

    /// Everything in memory is gone.
    pub fn crash(&mut self, gather: bool) {
        self.last_epoch += 1;
        let row = self.ledger.len() as u64;
        let mut log = Log::new(Epoch(self.last_epoch), row, self.check(row), classes());
        if gather {
            log.gather_joins(self.now + 1_000);
        }
        self.tabs.clear();
        self.restarted(log);
    }

    /// A clean stop and start.
    pub fn deploy(&mut self) {
        let carry = serde_json::to_string(&self.log.carry()).unwrap();
        self.start_with(&carry);
    }

    fn start_with(&mut self, carry: &str) {
        let carry: Carry = serde_json::from_str(carry).unwrap();
        let row = self.ledger.len() as u64;
        self.restarted(Log::resume(carry, row, self.check(row), classes(), self.now));
    }

    pub fn save(&mut self) {
        self.saved = Some((serde_json::to_string(&self.log.carry()).unwrap(), self.tabs.clone()));
    }

    /// Somebody starts the server with an old data file: memory is rolled back.
    pub fn restore(&mut self) {
        let Some((carry, tabs)) = self.saved.clone() else { return };
        let head = serde_json::from_str::<Carry>(&carry).unwrap().head;
        let lost = |epoch: u64, seq: u64| (epoch, seq) > (head.epoch.0, head.seq);
        for channel in MEMORY {
            self.truth[channel].retain(|fact| !lost(fact.epoch, fact.place));
        }
        for mark in &mut self.marks {
            mark.memory_holds &= !lost(mark.at.epoch.0, mark.at.seq);
        }
        self.tabs = tabs;
        self.start_with(&carry);
    }

    /// The ledger loses its newest rows and others take their numbers.
    pub fn roll_ledger_back(&mut self, lost: usize, clean: bool) {
        let kept = self.ledger.len().saturating_sub(lost);
        let end = ledger::end(kept as u64);
        self.ledger.truncate(kept);
        for channel in DURABLE {
            self.truth[channel].retain(|fact| fact.place <= end);
        }
        for mark in &mut self.marks {
            mark.ledger_holds &= mark.at.ledger <= end;
        }
        if clean {
            self.deploy();
        } else {
            self.crash(false);
        }
    }

    /// Rows as the ledger itself serves them: in its order, after a position, some channels.
    pub fn serve(&self, after: u64, until: u64, channels: &[ChannelName]) -> Vec<SharedEntry> {
        let mut entries = Vec::new();
        for (row, (_, drafts)) in (1u64..).zip(&self.ledger) {
            for (place, draft) in drafts.iter().enumerate() {
                let own = ledger::event(row, place);
                if own <= after || own > until || !channels.contains(&draft.event.channel) {
                    continue;
                }
                let start = Position::start(Epoch(0), own, self.check(row));
                entries.push(Arc::new(Entry {
                    event: draft.event.clone(),
                    kind: Kind::Message,
                    key: draft.key.clone(),
                    except: None,
                    by: None,
                    epoch: Epoch(0),
                    seq: 0,
                    ledger: own,
                    after: start,
                    frames: Frames::default(),
                }));
            }
        }
        entries
    }

    /// The place in a channel's list of the first event after a position.
    pub fn first_after(&self, channel: usize, at: &Position) -> usize {
        let facts = &self.truth[channel];
        if class_of(channel).durable {
            facts.partition_point(|fact| fact.place <= at.ledger)
        } else {
            facts.partition_point(|fact| (fact.epoch, fact.place) <= (at.epoch.0, at.seq))
        }
    }

    /// The newest value of every key.
    pub fn newest(&self, channel: usize) -> BTreeMap<u8, String> {
        self.truth[channel].iter().map(|fact| (fact.key, fact.id.clone())).collect()
    }

    /// May the log have forgotten something that a reader at this place is owed? By the bounds of
    /// the class, or because a record is gone whose floor counts for all of its shape.
    pub fn may_be_expired(&self, channel: usize, place: u64) -> bool {
        let (class, epoch) = (class_of(channel), self.log.head().epoch.0);
        let keep = class.retention;
        let (mut events, mut bytes, mut keys) = (0, 0, BTreeSet::new());
        for fact in self.truth[channel].iter().rev().filter(|fact| fact.epoch == epoch) {
            if class.shape == Shape::Latest && !keys.insert(fact.key) {
                continue;
            }
            (events, bytes) = (events + 1, bytes + 256 + fact.size);
            let kept = events <= keep.events && bytes <= keep.bytes && fact.at + keep.age >= self.now;
            if fact.place > place && !kept {
                return true;
            }
        }
        let of_shape = MEMORY.into_iter().filter(|other| class_of(*other).shape == class.shape);
        let longest = of_shape.clone().map(|other| class_of(other).retention.age).max().unwrap();
        of_shape
            .flat_map(|other| &self.truth[other])
            .any(|fact| fact.epoch == epoch && fact.place > place && fact.at + longest < self.now)
    }
}

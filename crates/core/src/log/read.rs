//! The one read: every event after a position, or why not.
//!
//! Reconnect, slow reader, poll, SSE resume, transport switch and a shard that fell behind all
//! come here. An answer is never partial in silence and never a guess.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

use super::Log;
use super::record::Record;
use crate::class::{Class, Shape};
use crate::event::SharedEntry;
use crate::ids::ChannelName;
use crate::position::Position;

/// Why a reader must load its state anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// What follows the position is no longer kept.
    Expired,
    /// The log began a new life since.
    Epoch,
    /// The position is newer than the log: something was rolled back.
    Ahead,
    /// The log has another event at that position: it was rolled back and grew again.
    Diverged,
    /// The reader may not read this channel any more.
    Denied,
    /// The token is no cursor of this installation and app.
    Foreign,
}

impl ResetReason {
    /// Every reason, for documents and tests.
    pub const ALL: [Self; 6] =
        [Self::Expired, Self::Epoch, Self::Ahead, Self::Diverged, Self::Denied, Self::Foreign];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Epoch => "epoch",
            Self::Ahead => "ahead",
            Self::Diverged => "diverged",
            Self::Denied => "denied",
            Self::Foreign => "foreign",
        }
    }
}

/// One channel that a reader wants.
#[derive(Debug, Clone)]
pub struct Want {
    /// Which channel.
    pub channel: ChannelName,
    /// Where this channel starts, if later than the reader's own position.
    pub after: Option<Position>,
    /// The reader sees who is here: changes after this `seq`.
    pub presence_after: Option<u64>,
}

impl Want {
    /// A channel read from the reader's own position, without presence.
    pub fn plain(channel: ChannelName) -> Self {
        Self { channel, after: None, presence_after: None }
    }
}

/// How much one page may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events.
    pub events: usize,
    /// Bytes of events.
    pub bytes: usize,
}

/// One channel's "no", and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Which channel.
    pub channel: ChannelName,
    /// Why.
    pub reason: ResetReason,
    /// From here on the channel is complete again.
    pub after: Position,
}

/// An answer of the one read.
#[derive(Debug)]
pub struct Page {
    /// Events in log order, all of them up to `at`.
    pub entries: Vec<SharedEntry>,
    /// Channels that cannot go on; the caller takes each `after` over and reads again.
    pub resets: Vec<Reset>,
    /// Channels whose whole member list is owed, because the changes since are not kept.
    pub rosters: Vec<ChannelName>,
    /// Durable channels whose past memory does not hold: the ledger must be read first, each
    /// after its coordinate. No entries come with it.
    pub older: Vec<(ChannelName, u64)>,
    /// Where the reader stands after this page.
    pub at: Position,
    /// The reader has reached `until`, or the head.
    pub complete: bool,
}

impl Log {
    /// Reads the wanted channels after a position, up to `until` or the head.
    pub fn read(&self, at: &Position, wants: &[Want], until: Option<&Position>, bounds: Bounds) -> Page {
        let until = until.copied().unwrap_or(self.head);
        let mut page = Page {
            entries: Vec::new(),
            resets: Vec::new(),
            rosters: Vec::new(),
            older: Vec::new(),
            at: *at,
            complete: false,
        };
        let mut sources = Vec::new();
        for want in wants {
            let record = self.records.get(want.channel.as_str());
            let class = record.map_or_else(|| self.classes.of(want.channel.as_str()), |r| &r.class);
            match self.recover(class, record, at, want) {
                Found::After(place) => sources.extend(record.map(|r| messages(r, class, place, &until))),
                Found::Older(place) => page.older.push((want.channel.clone(), place)),
                Found::Reset(reason) => page.resets.push(self.reset(&want.channel, class, at, reason)),
                Found::Nothing => {}
            }
            if let (Some(seen), Some(record)) = (want.presence_after, record) {
                let seen = seen.max(if at.epoch == self.head.epoch { at.whole_seq() } else { 0 });
                if at.epoch != self.head.epoch && want.presence_after == Some(0)
                    || seen < record.changes_floor
                {
                    page.rosters.push(want.channel.clone());
                } else {
                    sources.push(changes(record, seen, &until));
                }
            }
        }
        self.settle_epoch(&mut page, wants);
        if page.older.is_empty() {
            merge(sources, bounds, &until, &mut page);
        }
        page
    }

    /// The decision for one channel.
    fn recover(&self, class: &Class, record: Option<&Record>, at: &Position, want: &Want) -> Found {
        let own = want.after.as_ref();
        if class.shape == Shape::Ephemeral {
            return Found::Nothing;
        }
        if class.durable {
            let after = own.map_or(at.ledger, |own| own.ledger.max(at.ledger));
            let strict = own.filter(|own| own.ledger >= at.ledger).unwrap_or(at);
            return self.recover_durable(record, after, strict.ledger_check);
        }
        let from = own.filter(|own| {
            own.epoch == self.head.epoch && (at.epoch != own.epoch || own.whole_seq() >= at.whole_seq())
        });
        self.recover_memory(class, record, from.unwrap_or(at))
    }

    fn recover_memory(&self, class: &Class, record: Option<&Record>, after: &Position) -> Found {
        if after.epoch != self.head.epoch {
            return Found::Reset(ResetReason::Epoch);
        }
        if after.seq > self.head.seq {
            return Found::Reset(ResetReason::Ahead);
        }
        let check = self.ring.at_seq(after.seq).map_or(0, |entry| entry.check());
        if after.check != 0 && check != 0 && after.check != check {
            return Found::Reset(ResetReason::Diverged);
        }
        let place = after.whole_seq();
        // A `latest` reader who starts at zero is owed the values that are there, not the past.
        let from_nothing = class.shape == Shape::Latest && after.seq == 0;
        let floor = record.map_or(self.forgotten, |record| record.history.floor);
        if place < floor && !from_nothing {
            return Found::Reset(ResetReason::Expired);
        }
        Found::After(place)
    }

    fn recover_durable(&self, record: Option<&Record>, after: u64, check: u32) -> Found {
        if after > self.head.ledger {
            return Found::Reset(ResetReason::Ahead);
        }
        let known = if after == self.head.ledger {
            self.head.ledger_check
        } else {
            self.ring.at_ledger(after).map_or(0, |entry| entry.after.ledger_check)
        };
        if check != 0 && known != 0 && check != known {
            return Found::Reset(ResetReason::Diverged);
        }
        let floor = record.map_or(self.ledger_forgotten, |record| record.history.ledger_floor);
        if after < floor { Found::Older(after) } else { Found::After(after) }
    }

    /// Where a channel goes on after its reset: a stream at the head, `latest` with all its values.
    fn reset(&self, channel: &ChannelName, class: &Class, at: &Position, reason: ResetReason) -> Reset {
        let mut after = self.head;
        if class.shape == Shape::Latest && !class.durable {
            after = Position::start(self.head.epoch, at.ledger, at.ledger_check);
        }
        Reset { channel: channel.clone(), reason, after }
    }

    /// A reader from another life, or from beyond the head, takes its place in this one.
    ///
    /// Its memory streams were all reset to the head. Only where `latest` values are still owed
    /// does it stay at the beginning, so that a cut before they arrive loses none of them.
    fn settle_epoch(&self, page: &mut Page, wants: &[Want]) {
        let broken = page.at.epoch != self.head.epoch || page.at.seq > self.head.seq;
        let diverged = page.resets.iter().any(|reset| reset.reason == ResetReason::Diverged);
        if !broken && !diverged {
            return;
        }
        let owed = wants.iter().any(|want| {
            let class = self.classes.of(want.channel.as_str());
            class.shape == Shape::Latest && !class.durable
        });
        let (own, check) = (page.at.ledger.min(self.head.ledger), page.at.ledger_check);
        page.at = if owed { Position::start(self.head.epoch, 0, 0) } else { self.head };
        (page.at.ledger, page.at.ledger_check) = (own, if own == page.at.ledger { check } else { 0 });
    }
}

enum Found {
    After(u64),
    Older(u64),
    Reset(ResetReason),
    Nothing,
}

type Source<'a> = Peekable<Box<dyn Iterator<Item = &'a SharedEntry> + 'a>>;

fn messages<'a>(record: &'a Record, class: &Class, place: u64, until: &Position) -> Source<'a> {
    let (durable, seq, ledger) = (class.durable, until.whole_seq(), until.ledger);
    let within = move |e: &&SharedEntry| if durable { e.ledger <= ledger } else { e.seq <= seq };
    let entries: Box<dyn Iterator<Item = &SharedEntry>> =
        Box::new(record.history.after(place, durable).take_while(within));
    entries.peekable()
}

fn changes<'a>(record: &'a Record, seen: u64, until: &Position) -> Source<'a> {
    let seq = until.whole_seq();
    let first = record.changes.partition_point(|entry| entry.seq <= seen);
    let entries: Box<dyn Iterator<Item = &SharedEntry>> =
        Box::new(record.changes.range(first..).take_while(move |entry| entry.seq <= seq));
    entries.peekable()
}

/// Takes entries of all sources in log order until a bound is reached.
fn merge(mut sources: Vec<Source<'_>>, bounds: Bounds, until: &Position, page: &mut Page) {
    let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for (place, source) in sources.iter_mut().enumerate() {
        next.extend(source.peek().map(|entry| Reverse((entry.seq, place))));
    }
    let mut bytes = 0;
    while let Some(Reverse((_, place))) = next.pop() {
        let Some(entry) = sources[place].next() else { continue };
        if page.entries.len() >= bounds.events || (bytes > 0 && bytes + entry.weight() > bounds.bytes) {
            return;
        }
        bytes += entry.weight();
        page.at.advance(&entry.after);
        page.entries.push(entry.clone());
        next.extend(sources[place].peek().map(|entry| Reverse((entry.seq, place))));
    }
    page.at.advance(until);
    page.complete = true;
}

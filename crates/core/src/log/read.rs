//! The one read: every event after a position, or why not.
//!
//! Reconnect, slow reader, poll, SSE resume, transport switch and a shard that fell behind all
//! come here. An answer is never partial in silence and never a guess.
//!
//! A caller reads page after page until one is complete. Of each page it first tells the resets and
//! takes over what they say; it serves `older` from the ledger; it sends the entries and stands at
//! `at`; and last it sends the rosters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Log;
use super::recover::{Found, Settling, Standing, Told};
use crate::event::SharedEntry;
use crate::history::Entries;
use crate::ids::ChannelName;
use crate::position::Position;

/// Why a reader must load its state anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// What follows the position is no longer kept.
    Expired,
    /// The log began a new life since.
    Epoch,
    /// The position is newer than the log: something was rolled back. Or the log has not yet taken
    /// in what the ledger holds, and a snapshot or another node has: a caller to whom a durable
    /// channel is reset with this reason first takes those rows in and reads again.
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
    /// Where this channel starts, if later than the reader's own position: a grant's `from`, a
    /// `since` that is ahead, or the place after a reset.
    pub after: Option<Position>,
    /// What the reader knows of who is in the channel.
    pub members: Members,
}

impl Want {
    /// A channel read from the reader's own position, without presence.
    pub fn plain(channel: ChannelName) -> Self {
        Self { channel, after: None, members: Members::Ignored }
    }
}

/// What a reader knows of who is in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Members {
    /// It does not ask.
    #[default]
    Ignored,
    /// It asks and has no list: the whole one is owed.
    Unknown,
    /// It has a list with every change up to this position, or up to its own where that is later:
    /// the changes since are owed, or the whole list where they are gone. A reader of whom only the
    /// cursor is known has a list up to there, or [`Members::Unknown`].
    Listed(Position),
}

/// How much one page may hold. A page holds at least one event, however large it is.
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
    /// The channel's own place from now on, see [`Want::after`]: from here it is complete again. A
    /// stream goes on at the head, `latest` with all its values.
    pub after: Position,
}

/// A durable channel whose past memory does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// Which channel.
    pub channel: ChannelName,
    /// The ledger position after which its events are owed.
    pub after: u64,
    /// What the reader's position says of the row there, or 0: if the ledger has another check value
    /// for it, it was rolled back, and the answer is [`Log::read_without_ledger`].
    pub check: u32,
}

/// An answer of the one read.
#[derive(Debug)]
pub struct Page {
    /// Events in log order, all of them up to `at`. A reader who was cut behind one of them goes on
    /// from its own position, advanced by the `after` of each that it got.
    pub entries: Vec<SharedEntry>,
    /// Channels that cannot go on; the caller takes each `after` over and reads again. No entries
    /// come with them. They belong together: until the last of them is told, the reader stands
    /// where it stood before this page.
    pub resets: Vec<Reset>,
    /// Channels whose whole member list is owed, so that their want becomes [`Members::Unknown`]. The
    /// list is sent on the complete page, when everything else has come: as [`Log::presence`] gives
    /// it under the same lock, and the want becomes [`Members::Listed`] at [`Log::head`].
    pub rosters: Vec<ChannelName>,
    /// Where memory does not hold the past of a durable channel: all wanted durable channels, since
    /// one coordinate counts for all of them. The ledger must be read first, in its own order over
    /// all of them and no further than the log's head. No entries come with it.
    pub older: Vec<Older>,
    /// Where the reader stands after this page.
    pub at: Position,
    /// The reader has reached `until`, or the head.
    pub complete: bool,
}

impl Page {
    fn at(at: Position) -> Self {
        Self {
            entries: Vec::new(),
            resets: Vec::new(),
            rosters: Vec::new(),
            older: Vec::new(),
            at,
            complete: false,
        }
    }
}

impl Log {
    /// Reads the wanted channels after a position, up to `until` or the head.
    ///
    /// With `until` the wanted channels are those that catch up with a connection which stands
    /// there; an entry's `after` then counts only in the coordinate of those channels.
    ///
    /// A reader at the head costs one look at each want and none at its channel.
    pub fn read(&self, at: &Position, wants: &[Want], until: Option<&Position>, bounds: Bounds) -> Page {
        Reading::new(self, *at, until, self.standing(at)).page(wants, bounds)
    }

    /// The page of a reader whose token says nothing: every channel is reset.
    pub fn read_nowhere(&self, wants: &[Want], reason: ResetReason) -> Page {
        let at = Position::start(self.head.epoch, 0, 0);
        let standing = Standing::worthless(reason);
        Reading::new(self, at, None, standing).page(wants, Bounds { events: 0, bytes: 0 })
    }

    /// The page of a reader to whom the ledger itself cannot give what [`Page::older`] asked of it,
    /// because the rows are gone (`expired`) or others (`diverged`): the durable channels are reset.
    pub fn read_without_ledger(&self, at: &Position, wants: &[Want], reason: ResetReason) -> Page {
        let standing = self.standing(at).ledger_says(reason);
        Reading::new(self, *at, None, standing).page(wants, Bounds { events: 0, bytes: 0 })
    }

    /// The end of a read: where it was asked to end, but never beyond the head.
    fn end_of(&self, until: Option<&Position>) -> Position {
        until.map_or(self.head, |until| self.head.no_further_than(until))
    }
}

/// A read on its way over the wants.
struct Reading<'a> {
    log: &'a Log,
    at: Position,
    end: Position,
    standing: Standing,
    at_head: bool,
    settling: Settling,
    sources: Vec<Source<'a>>,
    durable: Vec<Older>,
    from_ledger: bool,
    page: Page,
}

impl<'a> Reading<'a> {
    fn new(log: &'a Log, at: Position, until: Option<&Position>, standing: Standing) -> Self {
        Self {
            at_head: standing.is_sound() && at.covers(&log.head),
            log,
            at,
            end: log.end_of(until),
            standing,
            settling: Settling::default(),
            sources: Vec::new(),
            durable: Vec::new(),
            from_ledger: false,
            page: Page::at(at),
        }
    }

    /// Is there certainly nothing for this want?
    fn has_all(&self, want: &Want) -> bool {
        let knows = match want.members {
            Members::Ignored => true,
            Members::Unknown => false,
            Members::Listed(list) => self.log.memory_standing(&list).is_none(),
        };
        self.at_head && knows && want.after.is_none_or(|own| self.at.covers(&own))
    }

    fn take(&mut self, want: &Want) {
        let log = self.log;
        let record = log.records.get(want.channel.as_str());
        let class = record.map_or_else(|| log.classes.of(want.channel.as_str()), |record| &record.class);
        let found = log.recover(class, record, &self.at, self.standing, want);
        match found {
            Found::After(place, by) => {
                self.settling.keep(class, by);
                let last = if class.durable { self.end.ledger } else { self.end.seq };
                let entries = record.map(|record| record.history.after(place));
                self.sources.extend(entries.and_then(|it| Source::new(it, last, class.durable)));
            }
            Found::Older(by) => {
                self.settling.keep(class, by);
                // Whoever ends before the ledger is needed does not need it.
                self.from_ledger |= by.ledger < self.end.ledger;
            }
            Found::Reset(reason) => {
                let after = log.after_reset(class, record, &self.at);
                self.settling.keep(class, after);
                self.page.resets.push(Reset { channel: want.channel.clone(), reason, after });
            }
            Found::Nothing => {}
        }
        if let (true, Found::After(_, by) | Found::Older(by)) = (class.durable, found) {
            let (after, check) = (by.ledger, by.ledger_check);
            self.durable.push(Older { channel: want.channel.clone(), after, check });
        }
        match log.told(record, &self.at, self.standing, want.members) {
            Told::Nothing => {}
            Told::List => self.page.rosters.push(want.channel.clone()),
            Told::Changes(seen) => {
                let entries = record.map(|record| record.changes_after(seen));
                let last = self.end.seq;
                self.sources.extend(entries.and_then(|it| Source::new(it, last, false)));
            }
        }
    }

    fn page(mut self, wants: &[Want], bounds: Bounds) -> Page {
        for want in wants {
            if !self.has_all(want) {
                self.take(want);
            }
        }
        self.log.settle(&mut self.page.at, self.standing, &self.settling);
        if self.from_ledger {
            self.page.older = self.durable;
        }
        if self.page.resets.is_empty() && self.page.older.is_empty() {
            merge(self.sources, bounds, &self.end, &mut self.page);
        }
        self.page
    }
}

/// The entries of one channel that a page may take, in log order.
struct Source<'a> {
    next: &'a SharedEntry,
    rest: Entries<'a>,
    last: u64,
    durable: bool,
}

impl<'a> Source<'a> {
    /// The entries up to a last place, if there is any.
    fn new(mut entries: Entries<'a>, last: u64, durable: bool) -> Option<Self> {
        let next = entries.next()?;
        let source = Self { next, rest: entries, last, durable };
        source.allows(next).then_some(source)
    }

    fn allows(&self, entry: &SharedEntry) -> bool {
        let place = if self.durable { entry.ledger } else { entry.seq };
        place <= self.last
    }

    /// Goes on to the next entry, if there is one.
    fn step(&mut self) -> bool {
        match self.rest.next() {
            Some(next) if self.allows(next) => {
                self.next = next;
                true
            }
            _ => false,
        }
    }
}

/// Takes entries of all sources in log order until a bound is reached.
fn merge(mut sources: Vec<Source<'_>>, bounds: Bounds, end: &Position, page: &mut Page) {
    let order = |(place, source): (usize, &Source<'_>)| Reverse((source.next.seq, place));
    let mut next: BinaryHeap<_> = sources.iter().enumerate().map(order).collect();
    let mut bytes = 0;
    while let Some(Reverse((_, place))) = next.pop() {
        let source = &mut sources[place];
        let weight = source.next.weight();
        let full = page.entries.len() >= bounds.events || bytes + weight > bounds.bytes;
        if full && !page.entries.is_empty() {
            return;
        }
        bytes += weight;
        page.at.advance(&source.next.after.no_further_than(end));
        page.entries.push(source.next.clone());
        if source.step() {
            next.push(Reverse((source.next.seq, place)));
        }
    }
    page.at.advance(end);
    page.complete = true;
}

//! What a backend is told of its channels: who came and went, what was said, what was missed.
//!
//! Whoever goes and comes back within a moment was never away, so what ends is kept back for that long; and so is
//! the end of everybody who was here when the server went. What an endpoint does not take fast enough is bounded,
//! and beyond the bound lost and counted: the state can be asked for at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::event::Data;
use crate::ids::{ChannelName, EventName, PublicId};
use crate::limits::{self, Millis};

/// One thing that a backend may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A channel has its first subscription.
    Occupied(ChannelName),
    /// It has lost its last.
    Vacated(ChannelName),
    /// A user came into a presence channel.
    Came(ChannelName, Arc<str>),
    /// It went.
    Went(ChannelName, Arc<str>),
    /// A client said something to the others.
    Said(Said),
    /// Somebody came to a cached channel that has nothing to give.
    Missed(ChannelName),
    /// A channel has so many subscriptions.
    Count(ChannelName, usize),
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub channel: ChannelName,
    /// What it is called.
    pub event: EventName,
    /// The data.
    pub data: Data,
    /// By which socket.
    pub socket: PublicId,
    /// As whom, where the channel knows.
    pub user: Option<Arc<str>>,
}

impl News {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Occupied(_) => Kind::Occupied,
            Self::Vacated(_) => Kind::Vacated,
            Self::Came(..) => Kind::Came,
            Self::Went(..) => Kind::Went,
            Self::Said(_) => Kind::Said,
            Self::Missed(_) => Kind::Missed,
            Self::Count(..) => Kind::Count,
        }
    }

    /// Which channel it is about.
    pub fn channel(&self) -> &ChannelName {
        match self {
            Self::Occupied(channel)
            | Self::Vacated(channel)
            | Self::Missed(channel)
            | Self::Came(channel, _)
            | Self::Went(channel, _)
            | Self::Count(channel, _) => channel,
            Self::Said(said) => &said.channel,
        }
    }
}

/// A kind of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A channel is occupied.
    Occupied,
    /// It is vacated.
    Vacated,
    /// A member came.
    Came,
    /// It went.
    Went,
    /// A client said something.
    Said,
    /// A cached channel had nothing to give.
    Missed,
    /// There are so many subscriptions.
    Count,
}

/// The kinds that an endpoint wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u8))
    }
}

impl Kinds {
    /// Is this one of them?
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// A channel, or a user in it.
pub type Subject = (ChannelName, Option<Arc<str>>);

/// Where a subject stands, as an endpoint knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// It is here.
    Here,
    /// It is gone.
    Gone,
}

/// What is kept of a desk over the end of its process.
#[derive(Debug, Default)]
pub struct Kept {
    /// Who was here, as far as the endpoint was told or is about to be.
    pub here: Vec<Subject>,
    /// What it was not told yet, by its number.
    pub waiting: Vec<(u64, News)>,
}

/// What is to be noted of a desk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What waits since the last note.
    pub new: Vec<(u64, News)>,
    /// Who has come or gone since then.
    pub moved: BTreeMap<Subject, Stands>,
    /// What has this number, and all before it, waits no more.
    pub told: u64,
}

/// What waits for one endpoint. Nothing of it is told before it is noted, so that whatever ends the process takes
/// nothing with it that was about to be told.
#[derive(Debug, Default)]
pub struct Desk {
    kinds: Kinds,
    waiting: VecDeque<(u64, News)>,
    /// The number of the last one that came to wait.
    last: u64,
    /// The last one that is noted.
    noted: u64,
    /// The last one that waits no more, and the last of those of which that is noted.
    told: u64,
    told_noted: u64,
    moved: BTreeMap<Subject, Stands>,
    /// Who has gone, and from when on that is told.
    going: BTreeMap<Subject, Millis>,
    /// The same in the order of time.
    order: BTreeSet<(Millis, Subject)>,
    missed: BTreeMap<ChannelName, Millis>,
    lost: u64,
    closing: bool,
}

impl Desk {
    /// A desk where the last one stood. Whoever was here then is away now, and has until this moment to come back.
    pub fn open(kinds: Kinds, kept: Kept, until: Millis) -> Self {
        let last = kept.waiting.last().map_or(0, |(number, _)| *number);
        Self {
            kinds,
            waiting: kept.waiting.into(),
            last,
            noted: last,
            order: kept.here.iter().map(|subject| (until, subject.clone())).collect(),
            going: kept.here.into_iter().map(|subject| (subject, until)).collect(),
            ..Self::default()
        }
    }

    /// Takes something in.
    pub fn take(&mut self, news: News, now: Millis) {
        match &news {
            News::Occupied(channel) => self.come((channel.clone(), None), news),
            News::Came(channel, user) => self.come((channel.clone(), Some(user.clone())), news),
            // Whoever is sent away by a stop is expected back after it.
            News::Vacated(_) | News::Went(..) if self.closing => {}
            News::Vacated(channel) => self.keep_back((channel.clone(), None), now),
            News::Went(channel, user) => self.keep_back((channel.clone(), Some(user.clone())), now),
            News::Missed(channel) => {
                // A thousand who come at once have missed it once.
                self.missed.retain(|_, told| *told + limits::NEWS_MISSED_GAP > now);
                if self.missed.len() < limits::NEWS_WAITING && !self.missed.contains_key(channel.as_str()) {
                    self.missed.insert(channel.clone(), now);
                    self.push(news);
                }
            }
            News::Said(_) | News::Count(..) => self.push(news),
        }
    }

    fn come(&mut self, subject: Subject, news: News) {
        if let Some(at) = self.going.remove(&subject) {
            self.order.remove(&(at, subject));
            return;
        }
        self.moves(subject, Stands::Here);
        self.push(news);
    }

    fn keep_back(&mut self, subject: Subject, now: Millis) {
        if self.order.len() >= limits::NEWS_WAITING {
            self.end(subject);
            return;
        }
        let at = now + limits::NEWS_GRACE;
        self.going.insert(subject.clone(), at);
        self.order.insert((at, subject));
    }

    fn end(&mut self, subject: Subject) {
        self.moves(subject.clone(), Stands::Gone);
        self.push(gone(subject));
    }

    fn moves(&mut self, subject: Subject, stands: Stands) {
        // Where nothing is noted for long, those beyond the bound are told twice after a crash, or not at all.
        if self.moved.len() < limits::NEWS_WAITING || self.moved.contains_key(&subject) {
            self.moved.insert(subject, stands);
        }
    }

    fn push(&mut self, news: News) {
        if !self.kinds.has(news.kind()) {
            return;
        }
        if self.waiting.len() < limits::NEWS_WAITING {
            self.last += 1;
            self.waiting.push_back((self.last, news));
        } else {
            self.lost += 1;
        }
    }

    /// The server stops: whoever goes from here on is expected back after its next start.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Lets those who have not come back in time be gone, as many as there is room for.
    pub fn settle(&mut self, now: Millis) {
        while !self.closing
            && self.waiting.len() < limits::NEWS_WAITING
            && self.order.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, subject)) = self.order.pop_first()
        {
            self.going.remove(&subject);
            self.end(subject);
        }
    }

    /// What is to be noted, a bounded part of it.
    pub fn changes(&mut self) -> Changes {
        // Numbers are dense, so those that are noted are so many.
        let noted = self.waiting.front().map_or(0, |(first, _)| (self.noted + 1).saturating_sub(*first));
        let new = self.waiting.iter().skip(noted as usize).take(limits::NEWS_NOTED).cloned().collect();
        Changes { new, moved: std::mem::take(&mut self.moved), told: self.told }
    }

    /// They are noted.
    pub fn noted(&mut self, changes: &Changes) {
        self.noted = changes.new.last().map_or(self.noted, |(number, _)| *number);
        self.told_noted = changes.told;
    }

    /// They could not be noted.
    pub fn take_back(&mut self, changes: Changes) {
        for (subject, stands) in changes.moved {
            self.moved.entry(subject).or_insert(stands);
        }
    }

    /// What is told next, of what is noted.
    pub fn next(&self, most: usize) -> Vec<News> {
        let noted = self.waiting.iter().take_while(|(number, _)| *number <= self.noted);
        noted.take(most).map(|(_, news)| news.clone()).collect()
    }

    /// So many were told, or given up.
    pub fn told(&mut self, count: usize) {
        for (number, _) in self.waiting.drain(..count.min(self.waiting.len())) {
            self.told = number;
        }
    }

    /// Is there anything to be noted that must be before something is told?
    pub fn is_new(&self) -> bool {
        self.last > self.noted || !self.moved.is_empty()
    }

    /// Is anything noted as waiting that waits no more?
    pub const fn is_stale(&self) -> bool {
        self.told > self.told_noted
    }

    /// When somebody is gone who has not come back.
    pub fn wake(&self) -> Option<Millis> {
        let has_room = !self.closing && self.waiting.len() < limits::NEWS_WAITING;
        self.order.first().map(|(at, _)| *at).filter(|_| has_room)
    }

    /// How much was lost since it was last asked.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

/// How long to wait before something is told again that was not taken so many times, since the first of them;
/// nothing, where that would be too late.
pub fn again(times: u32, since_first: Millis, patience: Millis) -> Option<Millis> {
    let wait = limits::NEWS_FIRST_WAIT << times.saturating_sub(1).min(32);
    (since_first + wait <= patience).then_some(wait)
}

fn gone((channel, user): Subject) -> News {
    match user {
        None => News::Vacated(channel),
        Some(user) => News::Went(channel, user),
    }
}

#[cfg(test)]
mod tests;

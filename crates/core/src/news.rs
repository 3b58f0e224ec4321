//! What a backend is told of its channels: who came and went, what was said, what was missed.
//!
//! Whoever goes and comes back within a moment was never away, so what ends is kept back for that long. What
//! an endpoint does not take fast enough is bounded, and beyond the bound lost and counted: the state can be
//! asked for at any time.

use std::collections::{BTreeMap, VecDeque};
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

/// A channel, or a user in it.
type Subject = (ChannelName, Option<Arc<str>>);

/// What waits for one endpoint.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: VecDeque<News>,
    /// Who has gone, and from when on that is told.
    going: BTreeMap<Subject, Millis>,
    /// The same in the order of time; those that came back are passed over.
    order: VecDeque<(Millis, Subject)>,
    missed: BTreeMap<ChannelName, Millis>,
    lost: u64,
}

impl Desk {
    /// Takes something in.
    pub fn take(&mut self, news: News, now: Millis) {
        match &news {
            News::Occupied(channel) if self.going.remove(&(channel.clone(), None)).is_some() => {}
            News::Came(channel, user)
                if self.going.remove(&(channel.clone(), Some(user.clone()))).is_some() => {}
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
            _ => self.push(news),
        }
    }

    fn keep_back(&mut self, subject: Subject, now: Millis) {
        if self.order.len() >= limits::NEWS_WAITING {
            self.push(gone(subject));
            return;
        }
        let at = now + limits::NEWS_GRACE;
        self.going.insert(subject.clone(), at);
        self.order.push_back((at, subject));
    }

    fn push(&mut self, news: News) {
        if self.waiting.len() < limits::NEWS_WAITING {
            self.waiting.push_back(news);
        } else {
            self.lost += 1;
        }
    }

    /// Takes out what is to be told now.
    pub fn due(&mut self, now: Millis, most: usize) -> Vec<News> {
        while let Some((_, subject)) = self.order.pop_front_if(|(at, _)| *at <= now) {
            if self.going.get(&subject).is_some_and(|at| *at <= now) {
                self.going.remove(&subject);
                self.push(gone(subject));
            }
        }
        let count = self.waiting.len().min(most);
        self.waiting.drain(..count).collect()
    }

    /// When there is something to be told; `None` where nothing waits.
    pub fn next(&self) -> Option<Millis> {
        if self.waiting.is_empty() { self.order.front().map(|(at, _)| *at) } else { Some(0) }
    }

    /// How much was lost since it was last asked.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

fn gone((channel, user): Subject) -> News {
    match user {
        None => News::Vacated(channel),
        Some(user) => News::Went(channel, user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name).unwrap()
    }

    #[test]
    fn whoever_comes_back_in_time_was_never_away() {
        let mut desk = Desk::default();
        let user: Arc<str> = "7".into();
        desk.take(News::Occupied(channel("a")), 0);
        desk.take(News::Came(channel("a"), user.clone()), 0);
        assert_eq!(desk.due(0, 10).len(), 2);
        desk.take(News::Went(channel("a"), user.clone()), 10);
        desk.take(News::Vacated(channel("a")), 10);
        desk.take(News::Occupied(channel("a")), 11);
        assert_eq!(desk.next(), Some(10 + limits::NEWS_GRACE));
        assert!(desk.due(9 + limits::NEWS_GRACE, 10).is_empty());
        assert_eq!(desk.due(10 + limits::NEWS_GRACE, 10), [News::Went(channel("a"), user)]);
        assert_eq!(desk.next(), None);
    }

    #[test]
    fn a_second_leaving_waits_its_own_time() {
        let mut desk = Desk::default();
        desk.take(News::Vacated(channel("a")), 0);
        desk.take(News::Occupied(channel("a")), 1);
        desk.take(News::Vacated(channel("a")), 2);
        assert!(desk.due(limits::NEWS_GRACE + 1, 10).is_empty());
        assert_eq!(desk.due(limits::NEWS_GRACE + 2, 10), [News::Vacated(channel("a"))]);
    }

    #[test]
    fn a_miss_is_told_once_in_a_while_and_what_waits_is_bounded() {
        let mut desk = Desk::default();
        desk.take(News::Missed(channel("cache-a")), 0);
        desk.take(News::Missed(channel("cache-a")), 1);
        desk.take(News::Missed(channel("cache-a")), limits::NEWS_MISSED_GAP);
        assert_eq!(desk.due(0, 10).len(), 2);
        for n in 0..limits::NEWS_WAITING + 5 {
            desk.take(News::Count(channel("a"), n), 0);
        }
        assert_eq!(desk.lost(), 5);
        assert_eq!(desk.due(0, usize::MAX).len(), limits::NEWS_WAITING);
    }
}

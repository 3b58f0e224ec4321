//! What is on its way to one endpoint.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::verdict::{Answer, Terms, Tries, Verdict, judge};
use crate::limits::Millis;

/// Where an event on its way comes from. What is born in memory and stands in no ledger would be a third kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The ledger, at this coordinate.
    Ledger(u64),
    /// The dead letters, where the one of this coordinate was taken up again.
    Letter(u64),
}

/// One event on its way.
#[derive(Debug, Clone)]
struct Item {
    place: Place,
    lane: Lane,
    tried: Option<Tries>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It may start at this time.
    Due(Millis),
    /// It has started and has no answer yet.
    Going,
}

/// An attempt that is to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Of which event.
    pub place: Place,
    /// The how manieth it is.
    pub attempt: u32,
}

/// What is kept of a queue over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The ledger was read up to this coordinate.
    pub read_to: u64,
    /// What was read and is not settled yet. Everything else up to `read_to` is.
    pub open: Vec<Open>,
    /// The endpoint was switched off, and by what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<String>,
}

/// One event that is not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its coordinate.
    pub at: u64,
    /// How often it was tried.
    #[serde(default)]
    pub count: u32,
    /// When for the first time.
    #[serde(default)]
    pub since: Millis,
}

/// The events that are on their way to one endpoint, in the order in which they came.
#[derive(Debug)]
pub struct Queue {
    terms: Terms,
    items: Vec<Item>,
    read_to: u64,
    paused: Millis,
    off: Option<String>,
}

impl Queue {
    /// A queue that goes on behind a coordinate. What was open comes in again with [`Self::take_in`].
    pub fn new(terms: Terms, read_to: u64, off: Option<String>) -> Self {
        Self { terms, items: Vec::new(), read_to, paused: 0, off }
    }

    /// The ledger was read up to this coordinate.
    pub const fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Notes that the ledger was read so far.
    pub fn set_read_to(&mut self, coordinate: u64) {
        self.read_to = self.read_to.max(coordinate);
    }

    /// How many more events it looks at.
    pub fn room(&self) -> usize {
        self.terms.window.saturating_sub(self.items.len())
    }

    /// Events that are not settled.
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Is everything settled?
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Attempts without an answer.
    pub fn going(&self) -> usize {
        self.items.iter().filter(|item| item.state == State::Going).count()
    }

    /// Does it have this event?
    pub fn has(&self, place: Place) -> bool {
        self.items.iter().any(|item| item.place == place)
    }

    /// By what the endpoint was switched off.
    pub fn off(&self) -> Option<&str> {
        self.off.as_deref()
    }

    /// Switches the endpoint off or on. What is under way gets its answer.
    pub fn switch(&mut self, off: Option<String>) {
        self.off = off;
    }

    /// Takes an event in, behind all others.
    pub fn take_in(&mut self, place: Place, lane: Lane, tried: Option<Tries>) {
        self.items.push(Item { place, lane, tried, state: State::Due(0) });
    }

    /// The next attempt to be made, which counts as under way from here on. An event starts when its time has
    /// come, nothing of its lane stands before it, and not too much is under way.
    pub fn start(&mut self, now: Millis) -> Option<Start> {
        if self.off.is_some() || now < self.paused || self.going() >= self.terms.concurrency {
            return None;
        }
        let index = self.heads().find(|(_, at)| *at <= now)?.0;
        let item = &mut self.items[index];
        let before = item.tried.map_or(0, |tries| tries.count);
        let since = item.tried.map_or(now, |tries| tries.since);
        item.tried = Some(Tries { count: before + 1, since });
        item.state = State::Going;
        Some(Start { place: item.place, attempt: before + 1 })
    }

    /// When the next attempt may start, if nothing else happens.
    pub fn next(&self) -> Option<Millis> {
        if self.off.is_some() || self.going() >= self.terms.concurrency {
            return None;
        }
        let soonest = self.heads().map(|(_, at)| at).min()?;
        Some(soonest.max(self.paused))
    }

    /// The first of each lane, if it is not under way, with its time.
    fn heads(&self) -> impl Iterator<Item = (usize, Millis)> {
        let mut seen = HashSet::new();
        let firsts = self.items.iter().enumerate().filter(move |(_, item)| seen.insert(&item.lane));
        firsts.filter_map(|(index, item)| match item.state {
            State::Due(at) => Some((index, at)),
            State::Going => None,
        })
    }

    /// Takes the answer of an attempt. What is done or dead leaves the queue.
    pub fn finish(
        &mut self,
        place: Place,
        answer: Answer,
        now: Millis,
        dice: u64,
    ) -> Option<(Verdict, Tries)> {
        let index = self.items.iter().position(|item| item.place == place && item.state == State::Going)?;
        let tries = self.items[index].tried.unwrap_or(Tries { count: 1, since: now });
        let verdict = judge(answer, tries, &self.terms, now, dice);
        match verdict {
            Verdict::Done | Verdict::Dead => {
                self.items.remove(index);
            }
            Verdict::Again { at, pause } => {
                self.items[index].state = State::Due(at);
                self.paused = self.paused.max(pause.unwrap_or(0));
            }
            Verdict::Gone => {
                self.items[index].state = State::Due(now);
                self.off = Some("it answered 410".to_owned());
            }
        }
        Some((verdict, tries))
    }

    /// What is kept over a restart. Dead letters are kept elsewhere, also those that were taken up again.
    pub fn kept(&self) -> Kept {
        let open = self.items.iter().filter_map(|item| {
            let Place::Ledger(at) = item.place else { return None };
            let (count, since) = item.tried.map_or((0, 0), |tries| (tries.count, tries.since));
            Some(Open { at, count, since })
        });
        Kept { read_to: self.read_to, open: open.collect(), off: self.off.clone() }
    }
}

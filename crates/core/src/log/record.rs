//! What the log knows of one channel: its history and who is present.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::class::{Class, Classes, Shape, is_cached};
use crate::event::{Kind, SharedEntry};
use crate::history::{Entries, History};
use crate::limits::{self, Millis};
use crate::presence::Presence;

#[derive(Debug)]
pub(super) struct Record {
    pub(super) class: Arc<Class>,
    pub(super) history: History,
    pub(super) presence: Presence,
    /// Recent joins and leaves, so that a returning reader gets changes instead of the whole list.
    pub(super) changes: VecDeque<SharedEntry>,
    /// The highest `seq` of a dropped presence change: an older reader gets the whole list.
    pub(super) changes_floor: u64,
    /// The place of the newest message, in the channel's own coordinate.
    pub(super) last: u64,
    /// When it came.
    pub(super) last_at: Millis,
    /// The newest message, where the channel gives it to whoever comes: longer than its history may last.
    pub(super) cached: Option<SharedEntry>,
}

/// The floors of every channel without a record: what the dropped records had seen. Streams and
/// `latest` channels stand apart because their ages differ by far, and messages apart from
/// presence, so that nobody loads a channel anew because of something that was never owed to it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floors {
    /// Of memory streams, a `seq`.
    pub stream: u64,
    /// Of memory `latest` channels, a `seq`.
    pub latest: u64,
    /// Of durable channels, a ledger position.
    pub ledger: u64,
    /// Of presence changes, a `seq`.
    pub changes: u64,
}

impl Floors {
    pub(super) fn of(&self, class: &Class) -> u64 {
        match class.shape {
            _ if class.durable => self.ledger,
            Shape::Latest => self.latest,
            Shape::Stream | Shape::Ephemeral => self.stream,
        }
    }

    pub(super) fn raise(&mut self, class: &Class, to: u64) {
        let floor = match class.shape {
            _ if class.durable => &mut self.ledger,
            Shape::Latest => &mut self.latest,
            Shape::Stream | Shape::Ephemeral => &mut self.stream,
        };
        *floor = (*floor).max(to);
    }
}

/// Presence changes that one channel keeps; more than this is no cheaper than the whole list.
const CHANGES: usize = 1_000;

impl Record {
    pub(super) fn new(class: Arc<Class>, floors: &Floors) -> Self {
        let floor = floors.of(&class);
        Self {
            history: History::new(&class, floor),
            class,
            presence: Presence::default(),
            changes: VecDeque::new(),
            changes_floor: floors.changes,
            last: floor,
            last_at: 0,
            cached: None,
        }
    }

    pub(super) fn push(&mut self, entry: SharedEntry, now: Millis) {
        if entry.kind == Kind::Message {
            self.last = self.history.place(&entry);
            self.last_at = self.last_at.max(now);
            if is_cached(entry.event.channel.as_str()) {
                self.cached = Some(entry.clone());
            }
            self.history.push(entry, &self.class, now);
        } else {
            self.changes.push_back(entry);
            self.trim_changes(now);
        }
    }

    pub(super) fn trim(&mut self, now: Millis) {
        self.history.trim(&self.class, now);
        self.cached.take_if(|entry| entry.event.at.saturating_add(limits::CACHED_AGE) <= now);
        self.trim_changes(now);
    }

    fn trim_changes(&mut self, now: Millis) {
        while let Some(oldest) = self.changes.front() {
            if self.changes.len() <= CHANGES && oldest.event.at.saturating_add(limits::RESUME_WINDOW) >= now {
                break;
            }
            self.changes_floor = oldest.seq;
            self.changes.pop_front();
        }
    }

    /// The presence changes after a `seq`, in log order.
    pub(super) fn changes_after(&self, seen: u64) -> Entries<'_> {
        let first = self.changes.partition_point(|entry| entry.seq <= seen);
        Entries::Row(self.changes.range(first..))
    }

    /// Nothing is kept and nobody is here: the record can go.
    ///
    /// The floor of a dropped memory record counts for all channels without one, so it waits until
    /// no channel of its shape could still serve a reader from below it.
    pub(super) fn is_silent(&self, classes: &Classes, now: Millis) -> bool {
        let age = if self.class.durable { 0 } else { classes.longest_age(self.class.shape) };
        self.history.is_empty()
            && self.presence.is_empty()
            && self.changes.is_empty()
            && self.cached.is_none()
            && self.last_at.saturating_add(age) < now
    }
}

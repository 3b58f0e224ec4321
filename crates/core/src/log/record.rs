//! What the log knows of one channel: its history and who is present.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::class::Class;
use crate::event::{Kind, SharedEntry};
use crate::history::History;
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
    pub(super) last_seq: u64,
    pub(super) last_ledger: u64,
}

/// Presence changes that one channel keeps; more than this is no cheaper than the whole list.
const CHANGES: usize = 1_000;

impl Record {
    pub(super) fn new(class: Arc<Class>, floor: u64, ledger_floor: u64) -> Self {
        Self {
            history: History::new(class.shape, floor, ledger_floor),
            class,
            presence: Presence::default(),
            changes: VecDeque::new(),
            changes_floor: floor,
            last_seq: floor,
            last_ledger: ledger_floor,
        }
    }

    pub(super) fn push(&mut self, entry: SharedEntry, now: Millis) {
        self.last_seq = entry.seq;
        if entry.kind == Kind::Message {
            self.last_ledger = self.last_ledger.max(entry.ledger);
            self.history.push(entry, &self.class, now);
        } else {
            self.changes.push_back(entry);
            self.trim_changes(now);
        }
    }

    pub(super) fn trim(&mut self, now: Millis) {
        self.history.trim(&self.class, now);
        self.trim_changes(now);
    }

    fn trim_changes(&mut self, now: Millis) {
        while let Some(oldest) = self.changes.front() {
            if self.changes.len() <= CHANGES && oldest.event.at + limits::RESUME_WINDOW >= now {
                break;
            }
            self.changes_floor = oldest.seq;
            self.changes.pop_front();
        }
    }

    /// Nothing is kept and nobody is here: the record can go.
    pub(super) fn is_silent(&self) -> bool {
        self.history.is_empty() && self.presence.is_empty() && self.changes.is_empty()
    }
}

/// A JSON array with one member.
pub(super) fn member_json(id: &str, data: Option<&[u8]>) -> String {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
    }
    let data = data.and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    serde_json::to_string(&[Shown { id, data }]).unwrap_or_else(|_| "[]".to_owned())
}

//! One channel as a reader follows it, and what the oracle knows of it.

use std::collections::{BTreeMap, BTreeSet};

use deskbell_core::event::{Entry, Kind};
use deskbell_core::log::Members;
use deskbell_core::position::Position;

use crate::world::{Mark, World};

/// One channel that the reader wants, and what the oracle knows of it.
pub struct Followed {
    pub channel: usize,
    pub after: Option<Mark>,
    pub members: Members,
    /// The list of members as the reader would show it.
    pub list: BTreeSet<String>,
    /// The place of the next event that is owed; `None` where a reset is owed before any event.
    pub next: Option<usize>,
    /// The place behind the last event that was given or stood behind the reader from the start.
    pub seen: usize,
    /// The newest value of each key that came; below them what the app loaded at a reset.
    pub values: BTreeMap<u8, String>,
    pub loaded: BTreeMap<u8, String>,
    /// What was loaded is newer than the reader's position: the app has loaded it, or its start of
    /// its own stood for it.
    pub own_affair: bool,
    pub epoch_resets: u32,
}

impl Followed {
    /// Some of what was loaded may have been rolled back.
    pub fn rolled_back(&mut self, world: &World, at: &Position) {
        let (facts, newest) = (&world.truth[self.channel], world.newest(self.channel));
        if self.own_affair {
            // What the app loaded itself is newer than its cursor, and no affair of the log.
            let now = |(key, id): (u8, String)| {
                let holds = facts.iter().any(|fact| fact.id == id);
                let id = if holds { Some(id) } else { newest.get(&key).cloned() };
                Some((key, id?))
            };
            self.loaded = std::mem::take(&mut self.loaded).into_iter().filter_map(now).collect();
        }
        // The one thing that is not promised: a reader on its way passes over a value that a newer
        // one has replaced; if the newer one is then rolled back, nobody owes it the older one.
        for fact in &facts[..world.first_after(self.channel, at).min(facts.len())] {
            if newest.get(&fact.key) == Some(&fact.id) {
                self.values.remove(&fact.key);
                self.loaded.insert(fact.key, fact.id.clone());
            }
        }
    }

    /// A change of members that the reader is told.
    pub fn change(&mut self, entry: &Entry) {
        #[derive(serde::Deserialize)]
        struct Shown {
            id: String,
        }
        let shown: Vec<Shown> = serde_json::from_slice(&entry.event.data.bytes).unwrap();
        assert!(matches!(self.members, Members::Listed(_)), "changes come before the list");
        for Shown { id } in shown {
            match entry.kind {
                Kind::Joined => self.list.insert(id),
                Kind::Left => self.list.remove(&id),
                Kind::Updated | Kind::Message | Kind::Whisper | Kind::Count => continue,
            };
        }
    }
}

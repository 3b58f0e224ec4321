//! What one endpoint sends later: the events that wait for their hour.

use deskbell_core::limits::{self, Millis};

use crate::store::Later;

/// Events that wait for their hour. They stand in the store, so they take no room from what is sent meanwhile;
/// here is how much of that is not noted yet, and when the next one comes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Those that wait since the last note.
    new: Vec<Later>,
    /// Those whose hour has come since the last note.
    came: Vec<Later>,
    /// The last one whose hour has come. What waits behind it comes later, because time does not go back.
    last: Later,
    /// The first hour to come.
    hour: Option<Millis>,
    count: u64,
}

impl Waiting {
    /// So many wait in the store, the first of them for this hour.
    pub(super) fn new(count: u64, hour: Option<Millis>) -> Self {
        Self { hour, count, ..Self::default() }
    }

    /// How many wait.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The first hour to come.
    pub(super) const fn hour(&self) -> Option<Millis> {
        self.hour
    }

    /// Those behind this one have not come.
    pub(super) const fn last(&self) -> Later {
        self.last
    }

    /// One more waits.
    pub(super) fn put(&mut self, later: Later) {
        self.new.push(later);
        self.count += 1;
        self.hour = Some(self.hour.map_or(later.hour, |hour| hour.min(later.hour)));
    }

    /// There are some that the store does not know.
    pub(super) const fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// There are so many of which the store does not know that they must be noted.
    pub(super) const fn is_full(&self) -> bool {
        self.new.len() >= limits::WEBHOOK_LATER
    }

    /// The hour of these has come, and that of the next one is this.
    pub(super) fn take_out(&mut self, came: Vec<Later>, next: Option<Millis>) {
        self.last = came.last().copied().unwrap_or(self.last);
        self.count = self.count.saturating_sub(came.len() as u64);
        self.came.extend(came);
        self.hour = next;
    }

    /// What is to be noted: those that wait, and those whose hour has come.
    pub(super) fn take_news(&mut self) -> (Vec<Later>, Vec<Later>) {
        (std::mem::take(&mut self.new), std::mem::take(&mut self.came))
    }

    /// It was not noted.
    pub(super) fn take_back(&mut self, new: Vec<Later>, came: Vec<Later>) {
        (self.new, self.came) = (new, came);
    }
}

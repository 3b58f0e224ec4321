//! What the loop knows of one app's ledger.

use deskbell_core::ids::{AppId, ReservationId};
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::reservation::{Owed, Slice, State, Touched, next_due};

use super::load;
use super::timers::{Holds, Timers};
use crate::store::database::Database;
use crate::store::failure::Failure;

/// Things that a slice keeps from one batch to the next, about half a kilobyte each. Beyond it, it is
/// dropped, and what is needed is loaded anew.
const KEPT: usize = 100_000;
/// Time before the head in which rows can have changed what nobody was told of. It is told within
/// [`limits::SLOTS_JOIN`]; the rest is for a disk that is slow.
const UNTOLD: Millis = SECOND;

/// What the loop knows of one app's ledger.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) app: AppId,
    pub(super) slice: Slice,
    pub(super) timers: Timers,
    pub(super) holds: Holds,
    pub(super) owed: Owed,
    /// What this batch tells; it is owed again if the batch fails.
    telling: Touched,
    /// When nobody's commit is waited for to tell what is owed, after one that failed.
    tell_at: Millis,
    /// Holds of the run before that need a little time, before anything else is decided.
    pub(super) restarts: Vec<ReservationId>,
    /// When they are tried again, after a commit of theirs that failed.
    restart_at: Millis,
}

impl Book {
    /// What an app without any past has.
    pub(super) fn empty(app: AppId) -> Self {
        Self {
            app,
            slice: Slice::default(),
            timers: Timers::default(),
            holds: Holds::default(),
            owed: Owed::default(),
            telling: Touched::new(),
            tell_at: 0,
            restarts: Vec::new(),
            restart_at: 0,
        }
    }

    /// What the tables say at a start. Costs as much as there are holds and things with a time,
    /// whatever there has been.
    pub(super) fn open(db: &Database, app: AppId, head_at: Millis, now: Millis) -> Result<Self, Failure> {
        let mut book = Self::empty(app);
        for reservation in load::standing(db, app)? {
            book.timers.set(&reservation.id, next_due(&reservation));
            if reservation.state == State::Held {
                book.holds.add(&reservation.holder, &reservation.id);
                if reservation.expires_at.is_some_and(|at| at < now.saturating_add(limits::HOLD_RESTART)) {
                    book.restarts.push(reservation.id);
                }
            }
        }
        // It is absolute, so it does no harm to tell it twice.
        for touched in load::untold(db, app, head_at.saturating_sub(UNTOLD))? {
            book.owed.add(touched);
        }
        Ok(book)
    }

    /// What of the usage that changed is to be told now.
    pub(super) fn take_owed(&mut self, now: Millis) -> Touched {
        let due = self.owed.take_due(now);
        for (resource, span) in &due {
            let telling = self.telling.entry(resource.clone()).or_insert(*span);
            *telling = telling.hull(*span);
        }
        due
    }

    /// The batch is on the disk: timers and holds follow what it changed.
    pub(super) fn committed(&mut self) {
        for (_, new) in self.slice.unsaved().reservations.values() {
            self.timers.set(&new.id, next_due(new));
            if new.state == State::Held {
                self.holds.add(&new.holder, &new.id);
            } else {
                self.holds.remove(&new.holder, &new.id);
            }
        }
        self.telling.clear();
        self.tell_at = 0;
        if self.slice.entries() > KEPT {
            self.slice = Slice::default();
        } else {
            self.slice.saved();
        }
    }

    /// The batch is not on the disk: what was decided did not happen. The next row that is tells what is owed,
    /// because after a crash only the last moments before the head are looked through for it.
    pub(super) fn failed(&mut self, now: Millis) {
        self.slice = Slice::default();
        self.owed.add_untold(std::mem::take(&mut self.telling));
        self.tell_at = now.saturating_add(limits::SLOTS_JOIN);
    }

    /// A hold's time after the restart could not be written. Until it is, its end does not come either.
    pub(super) fn restart_again(&mut self, id: &ReservationId, at: Millis) {
        self.timers.set(id, None);
        self.restarts.push(id.clone());
        self.restart_at = at;
    }

    /// Something must be done that waits for no command.
    pub(super) fn next(&self) -> Option<Millis> {
        if !self.restarts.is_empty() {
            return Some(self.restart_at);
        }
        let owed = self.owed.next().map(|at| at.max(self.tell_at));
        self.timers.next().into_iter().chain(owed).min()
    }
}

//! What the loop knows of one app's ledger.

use std::collections::{BTreeMap, BTreeSet};

use deskbell_core::ids::{AppId, ReservationId, ResourceId};
use deskbell_core::limits::{self, Millis, SECOND};
use deskbell_core::log::Row;
use deskbell_core::post;
use deskbell_core::reservation::{Owed, Reservation, Slice, Span, State, Touched, next_due};

use super::load;
use super::timers::{Holds, Timers};
use crate::store::database::Database;
use crate::store::failure::Failure;
use crate::store::post::{Moved, load as post_load};
use crate::store::tables::Head;

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
    /// The same of inboxes and conversations.
    pub(super) post: post::Slice,
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
    /// The row up to which all of this is true. Only a shared database has rows that somebody else wrote.
    pub(super) seen: u64,
    /// The row up to which the log was told.
    pub(super) told: u64,
    /// What others wrote and the log was not told of yet.
    pub(super) news: Vec<Row>,
    /// Memberships that others began or ended and nobody was told of yet.
    pub(super) moved: Vec<Moved>,
    /// Usage that others changed and are to tell, since when, and where. If they do not, this process does.
    elsewhere: BTreeMap<ResourceId, (Millis, Span)>,
}

impl Book {
    /// What an app without any past has.
    pub(super) fn empty(app: AppId) -> Self {
        Self {
            app,
            slice: Slice::default(),
            post: post::Slice::default(),
            timers: Timers::default(),
            holds: Holds::default(),
            owed: Owed::default(),
            telling: Touched::new(),
            tell_at: 0,
            restarts: Vec::new(),
            restart_at: 0,
            seen: 0,
            told: 0,
            news: Vec::new(),
            moved: Vec::new(),
            elsewhere: BTreeMap::new(),
        }
    }

    /// What the tables say at a start. Costs as much as there are holds and things with a time,
    /// whatever there has been.
    pub(super) fn open(db: &Database, app: AppId, head: Head, now: Millis) -> Result<Self, Failure> {
        let mut book = Self::empty(app);
        (book.seen, book.told) = (head.row, head.row);
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
        for touched in load::untold(db, app, head.at.saturating_sub(UNTOLD))? {
            book.owed.add(touched);
        }
        Ok(book)
    }

    /// Is there usage that is to be told by now, this process's own or what another one has not told in time?
    pub(super) fn owes_by(&self, now: Millis) -> bool {
        let late = |(since, _): &(Millis, Span)| since.saturating_add(UNTOLD) <= now;
        self.owed.next().is_some_and(|at| at <= now) || self.elsewhere.values().any(late)
    }

    /// What of the usage that changed is to be told now.
    pub(super) fn take_owed(&mut self, now: Millis) -> Touched {
        self.owe_for_others(now);
        let due = self.owed.take_due(now);
        for (resource, span) in &due {
            let telling = self.telling.entry(resource.clone()).or_insert(*span);
            *telling = telling.hull(*span);
        }
        due
    }

    /// Others have written up to this row: what is known by heart follows them, and what they told is kept for
    /// the log. Nothing of it hangs on the transaction in which it is read.
    pub(super) fn catch_up(&mut self, db: &Database, head: u64) -> Result<(), Failure> {
        if head <= self.seen {
            return Ok(());
        }
        for reservation in load::changed(db, self.app, self.seen)? {
            know(&mut self.timers, &mut self.holds, &reservation);
        }
        self.slice = Slice::default();
        let mut changed = BTreeSet::new();
        for told in load::rows_between(db, self.app, self.told, head)? {
            for draft in &told.row.drafts {
                if let Some(resource) = draft.event.channel.as_str().strip_prefix("slots:") {
                    self.elsewhere.retain(|id, _| id.as_str() != resource);
                }
                changed.extend(post_load::membership_told(&draft.event));
            }
            for (resource, span) in told.touched {
                let owed = self.elsewhere.entry(resource).or_insert((told.at, span));
                owed.1 = owed.1.hull(span);
            }
            self.told = told.row.row;
            self.news.push(told.row);
        }
        for (conversation, user) in changed {
            self.moved.push((self.app, post_load::membership(db, self.app, conversation, user)?));
        }
        self.seen = head;
        Ok(())
    }

    /// What another process has not told in time, perhaps because it is no more.
    fn owe_for_others(&mut self, now: Millis) {
        let late = |since: Millis| since.saturating_add(UNTOLD) <= now;
        let due = self.elsewhere.iter().filter(|(_, (since, _))| late(*since));
        let due: Touched = due.map(|(resource, (_, span))| (resource.clone(), *span)).collect();
        self.elsewhere.retain(|_, (since, _)| !late(*since));
        self.owed.add(due);
    }

    /// The batch is on the disk, up to this row: timers and holds follow what it changed.
    pub(super) fn committed(&mut self, head: Option<u64>) {
        for (_, new) in self.slice.unsaved().reservations.values() {
            know(&mut self.timers, &mut self.holds, new);
        }
        if let Some(head) = head.filter(|head| *head > self.seen) {
            (self.seen, self.told) = (head, head);
        }
        self.telling.clear();
        self.tell_at = 0;
        if self.slice.entries() > KEPT {
            self.slice = Slice::default();
        } else {
            self.slice.saved();
        }
        self.post.saved();
    }

    /// The batch is not on the disk: what was decided did not happen. The next row that is tells what is owed,
    /// because after a crash only the last moments before the head are looked through for it.
    pub(super) fn failed(&mut self, now: Millis) {
        self.slice = Slice::default();
        self.post = post::Slice::default();
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
        let others = self.elsewhere.values().map(|(since, _)| since.saturating_add(UNTOLD)).min();
        self.timers.next().into_iter().chain(owed).chain(others).min()
    }
}

/// Timers and holds follow a change.
fn know(timers: &mut Timers, holds: &mut Holds, new: &Reservation) {
    timers.set(&new.id, next_due(new));
    if new.state == State::Held {
        holds.add(&new.holder, &new.id);
    } else {
        holds.remove(&new.holder, &new.id);
    }
}

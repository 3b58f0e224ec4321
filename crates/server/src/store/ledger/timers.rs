//! When something happens by itself, and who holds what: in memory, made anew from the tables at start.
//!
//! Only the process that writes the file decides anything, so what it keeps in memory beside the file
//! is as true as the file, and costs no row.

use std::collections::{BTreeSet, HashMap};

use deskbell_core::ids::{Principal, ReservationId};
use deskbell_core::limits::Millis;

/// One timer for each reservation that does something by itself.
#[derive(Debug, Default)]
pub(super) struct Timers {
    in_order: BTreeSet<(Millis, ReservationId)>,
    by_id: HashMap<ReservationId, Millis>,
}

impl Timers {
    /// Sets a reservation's timer, or ends it.
    pub(super) fn set(&mut self, id: &ReservationId, due: Option<Millis>) {
        let old = match due {
            Some(due) => self.by_id.insert(id.clone(), due),
            None => self.by_id.remove(id),
        };
        if old == due {
            return;
        }
        if let Some(old) = old {
            self.in_order.remove(&(old, id.clone()));
        }
        if let Some(due) = due {
            self.in_order.insert((due, id.clone()));
        }
    }

    /// Takes out whose time has come, the earliest first.
    pub(super) fn take_due(&mut self, now: Millis, most: usize) -> Vec<ReservationId> {
        let mut taken = Vec::new();
        while taken.len() < most
            && self.in_order.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, id)) = self.in_order.pop_first()
        {
            self.by_id.remove(&id);
            taken.push(id);
        }
        taken
    }

    /// When the next one's time comes.
    pub(super) fn next(&self) -> Option<Millis> {
        self.in_order.first().map(|(due, _)| *due)
    }
}

/// Who holds what.
#[derive(Debug, Default)]
pub(in crate::store) struct Holds(HashMap<Principal, BTreeSet<ReservationId>>);

impl Holds {
    pub(super) fn add(&mut self, holder: &Principal, id: &ReservationId) {
        self.0.entry(holder.clone()).or_default().insert(id.clone());
    }

    pub(super) fn remove(&mut self, holder: &Principal, id: &ReservationId) {
        if let Some(holds) = self.0.get_mut(holder) {
            holds.remove(id);
            if holds.is_empty() {
                self.0.remove(holder);
            }
        }
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = &Principal> {
        self.0.keys()
    }

    pub(in crate::store) fn of(&self, holder: &Principal) -> BTreeSet<ReservationId> {
        self.0.get(holder).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ReservationId {
        ReservationId::parse(text).unwrap()
    }

    #[test]
    fn a_timer_is_set_once_and_taken_once() {
        let mut timers = Timers::default();
        timers.set(&id("a"), Some(10));
        timers.set(&id("b"), Some(5));
        timers.set(&id("a"), Some(20));
        timers.set(&id("c"), Some(7));
        timers.set(&id("c"), None);
        assert_eq!(timers.next(), Some(5));
        assert_eq!(timers.take_due(4, 10), []);
        assert_eq!(timers.take_due(20, 1), [id("b")]);
        assert_eq!(timers.take_due(20, 10), [id("a")]);
        assert_eq!(timers.next(), None);
        timers.set(&id("a"), Some(30));
        assert_eq!(timers.next(), Some(30), "what was taken can be set again");
    }
}

//! Who looks at which time: counts for a moment, never names, and only in memory.
//!
//! A viewer is a connection. What it looks at is forgotten after [`limits::SELECTION`], if it does not say
//! so again, and at once when it has gone.

use std::collections::{BTreeMap, HashMap};

use crate::limits::{self, Millis};
use crate::refusal::{Code, Refusal};
use crate::vocabulary::Slot;

/// A connection that looks at times: a number that no other connection of the app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Viewer(pub u128);

/// How many look at a time now, where that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// At which time.
    pub slot: Slot,
    /// How many.
    pub viewers: usize,
}

/// All selections of an app.
#[derive(Debug, Default)]
pub struct Selections {
    counts: HashMap<Slot, usize>,
    viewers: HashMap<Viewer, Vec<Selected>>,
    /// When to look whether a selection is over, with its number: each stands here once.
    ends: BTreeMap<(Millis, u64), (Viewer, Slot)>,
    /// Selections that there were.
    made: u64,
}

#[derive(Debug)]
struct Selected {
    slot: Slot,
    until: Millis,
    number: u64,
}

impl Selections {
    /// Somebody looks at a time, or still does.
    ///
    /// ```
    /// use deskbell_core::ids::ResourceId;
    /// use deskbell_core::reservation::Span;
    /// use deskbell_core::selection::{Selections, Viewer};
    /// use deskbell_core::vocabulary::Slot;
    /// let slot = Slot { resource: ResourceId::parse("dr-7").unwrap(), span: Span { start: 0, end: 9 } };
    /// let mut selections = Selections::default();
    /// assert_eq!(selections.select(Viewer(1), slot.clone(), 0).unwrap().unwrap().viewers, 1);
    /// assert_eq!(selections.select(Viewer(2), slot.clone(), 0).unwrap().unwrap().viewers, 2);
    /// assert_eq!(selections.select(Viewer(2), slot.clone(), 20_000).unwrap(), None, "it still does");
    /// assert_eq!(selections.expire(30_000)[0].viewers, 1);
    /// assert_eq!(selections.gone(Viewer(2))[0].viewers, 0);
    /// ```
    pub fn select(&mut self, viewer: Viewer, slot: Slot, now: Millis) -> Result<Option<Changed>, Refusal> {
        let until = now.saturating_add(limits::SELECTION);
        let own = self.viewers.get_mut(&viewer);
        if let Some(known) = own.and_then(|own| own.iter_mut().find(|known| known.slot == slot)) {
            known.until = until;
            return Ok(None);
        }
        if self.viewers.get(&viewer).is_some_and(|own| own.len() >= limits::SELECTIONS_PER_CONNECTION) {
            return Err(Refusal::new(
                Code::LimitReached,
                "a connection looks at 16 times at most; deselect one of them first",
            ));
        }
        // Those that were deselected stand among the ends until then, so that is what is bounded.
        if self.ends.len() >= limits::SELECTIONS {
            return Err(Refusal::new(
                Code::LimitReached,
                "too many look at something now; try again in a moment",
            ));
        }
        self.made += 1;
        let number = self.made;
        self.viewers.entry(viewer).or_default().push(Selected { slot: slot.clone(), until, number });
        self.ends.insert((until, number), (viewer, slot.clone()));
        let viewers = self.counts.entry(slot.clone()).or_default();
        *viewers += 1;
        Ok(Some(Changed { viewers: *viewers, slot }))
    }

    /// It does not any more.
    pub fn deselect(&mut self, viewer: Viewer, slot: &Slot) -> Option<Changed> {
        let own = self.viewers.get_mut(&viewer)?;
        let place = own.iter().position(|known| known.slot == *slot)?;
        own.swap_remove(place);
        if own.is_empty() {
            self.viewers.remove(&viewer);
        }
        Some(self.one_less(slot.clone()))
    }

    /// The connection has ended.
    pub fn gone(&mut self, viewer: Viewer) -> Vec<Changed> {
        let own = self.viewers.remove(&viewer).unwrap_or_default();
        own.into_iter().map(|one| self.one_less(one.slot)).collect()
    }

    /// What nobody has said again for too long is over.
    pub fn expire(&mut self, now: Millis) -> Vec<Changed> {
        let mut changed = Vec::new();
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= now) {
            let ((_, number), (viewer, slot)) = first.remove_entry();
            let own = self.viewers.get(&viewer);
            // One that was deselected meanwhile has left its number behind.
            match own.and_then(|own| own.iter().find(|known| known.number == number)) {
                Some(known) if known.until <= now => changed.extend(self.deselect(viewer, &slot)),
                // It was said again, and is looked at again then.
                Some(known) => drop(self.ends.insert((known.until, number), (viewer, slot))),
                None => {}
            }
        }
        changed
    }

    fn one_less(&mut self, slot: Slot) -> Changed {
        let viewers = self.counts.get_mut(&slot).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if viewers == 0 {
            self.counts.remove(&slot);
        }
        Changed { slot, viewers }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::ResourceId;
    use crate::reservation::Span;

    fn slot(n: u64) -> Slot {
        Slot { resource: ResourceId::parse("r").unwrap(), span: Span { start: n, end: n + 1 } }
    }

    #[test]
    fn a_connection_looks_at_a_bounded_number_of_times() {
        let mut selections = Selections::default();
        for n in 0..limits::SELECTIONS_PER_CONNECTION as u64 {
            assert!(selections.select(Viewer(1), slot(n), 0).is_ok());
        }
        let no = selections.select(Viewer(1), slot(99), 0).unwrap_err();
        assert_eq!(no.code, Code::LimitReached);
        assert_eq!(
            selections.select(Viewer(1), slot(0), 0),
            Ok(None),
            "what it looks at already it may repeat"
        );
        assert!(selections.deselect(Viewer(1), &slot(0)).is_some());
        assert!(selections.select(Viewer(1), slot(99), 0).is_ok());
    }

    #[derive(Debug, Clone)]
    enum Act {
        Select(u128, u64),
        Deselect(u128, u64),
        Gone(u128),
        Wait(Millis),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4u128, 0..4u64).prop_map(|(v, s)| Act::Select(v, s)),
            (0..4u128, 0..4u64).prop_map(|(v, s)| Act::Deselect(v, s)),
            (0..4u128).prop_map(Act::Gone),
            (0..20_000u64).prop_map(Act::Wait),
        ]
    }

    proptest! {
        /// Whatever happens, what was told of each time is what a plain list of who looks says.
        #[test]
        fn what_is_told_is_what_is_so(acts in prop::collection::vec(act(), 1..200)) {
            let mut selections = Selections::default();
            let mut plain: BTreeMap<(u128, u64), Millis> = BTreeMap::new();
            let mut told: BTreeMap<u64, usize> = BTreeMap::new();
            let mut now = 0;
            for act in acts {
                let changed = match act {
                    Act::Select(v, s) => {
                        plain.insert((v, s), now + limits::SELECTION);
                        selections.select(Viewer(v), slot(s), now).unwrap().into_iter().collect()
                    }
                    Act::Deselect(v, s) => {
                        plain.remove(&(v, s));
                        selections.deselect(Viewer(v), &slot(s)).into_iter().collect()
                    }
                    Act::Gone(v) => {
                        plain.retain(|(viewer, _), _| *viewer != v);
                        selections.gone(Viewer(v))
                    }
                    Act::Wait(ms) => {
                        now += ms;
                        plain.retain(|_, until| *until > now);
                        selections.expire(now)
                    }
                };
                for one in changed {
                    told.insert(one.slot.span.start, one.viewers);
                }
                told.retain(|_, viewers| *viewers > 0);
                let mut counted: BTreeMap<u64, usize> = BTreeMap::new();
                plain.keys().for_each(|(_, s)| *counted.entry(*s).or_default() += 1);
                prop_assert_eq!(&told, &counted);
            }
            selections.expire(now + limits::SELECTION);
            prop_assert!(selections.counts.is_empty() && selections.viewers.is_empty() && selections.ends.is_empty());
        }
    }
}

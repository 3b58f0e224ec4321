//! A store in memory: it loads what a decision asks for, and writes what was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deskbell_core::ids::{Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::limits;
use deskbell_core::reservation::{
    Belongings, Change, Command, Decision, Key, Moment, Piece, Refused, Reply, Reservation, Resource, Slice,
    State, Strikes, Wait, WaitState, decide,
};

/// Everything that was ever written.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pub resources: BTreeMap<ResourceId, Arc<Resource>>,
    pub reservations: BTreeMap<ReservationId, Arc<Reservation>>,
    pub waits: BTreeMap<WaitId, Arc<Wait>>,
    pub strikes: BTreeMap<(Principal, ResourceId), Strikes>,
}

/// How a decision ended.
#[derive(Debug, Clone)]
pub enum Ended {
    Change(Box<Change>),
    Same(Box<Reply>),
    Refused(Box<Refused>),
}

impl Book {
    /// Decides with a slice, to which it loads what is asked for: only what is not known, and not for ever.
    pub fn decide(&self, slice: &mut Slice, moment: Moment, command: &Command) -> Ended {
        for _ in 0..limits::LEDGER_ASKS {
            match decide(slice, moment, command) {
                Decision::Change(change) => return Ended::Change(change),
                Decision::Same(reply) => return Ended::Same(reply),
                Decision::Refused(refused) => return Ended::Refused(refused),
                Decision::NeedMore(keys) => {
                    assert!(!keys.is_empty(), "{command:?} asks for nothing");
                    for key in &keys {
                        assert!(!slice.knows(key), "{command:?} asks for {key:?}, which is known");
                        self.load(slice, key);
                        assert!(slice.knows(key), "{key:?} was loaded and is not known");
                    }
                }
            }
        }
        panic!("{command:?} asks without an end");
    }

    fn load(&self, slice: &mut Slice, key: &Key) {
        match key {
            Key::Resource(id) => slice.put_resource(id, self.resources.get(id).cloned()),
            Key::Reservation(id) => slice.put_reservation(id, self.reservations.get(id).cloned()),
            Key::Day(resource, day) => {
                let pieces = self.pieces(resource).filter(|(of, _)| of == day).map(|(_, piece)| piece);
                slice.put_day(resource, *day, pieces.collect());
            }
            Key::Days(resource) => slice.put_days(resource, self.pieces(resource)),
            Key::Principal(principal) => slice.put_principal(principal, self.belongings(principal)),
            Key::Strikes(principal, resource) => {
                let strikes = self.strikes.get(&(principal.clone(), resource.clone()));
                slice.put_strikes(principal, resource, strikes.cloned().unwrap_or_default());
            }
            Key::Wait(id) => slice.put_wait(id, self.waits.get(id).cloned()),
            Key::Waiting(resource) => {
                let waiting = self.waits.values().filter(|wait| wait.waits_for(resource));
                slice.put_waiting(resource, waiting.cloned().collect());
            }
        }
    }

    /// The table of live claims.
    pub fn pieces(&self, resource: &ResourceId) -> impl Iterator<Item = (u64, Piece)> {
        let all = self.reservations.values().flat_map(|reservation| reservation.pieces());
        all.filter(move |(of, ..)| of == resource).map(|(_, day, piece)| (day, piece))
    }

    fn belongings(&self, principal: &Principal) -> Belongings {
        let held = |r: &&Arc<Reservation>| r.holder == *principal && r.state == State::Held;
        let holds: BTreeSet<_> =
            self.reservations.values().filter(held).map(|reservation| reservation.id.clone()).collect();
        let open = |wait: &&Arc<Wait>| {
            wait.principal == *principal && matches!(wait.state, WaitState::Waiting | WaitState::Offered)
        };
        let waits = self.waits.values().filter(open).map(|wait| wait.id.clone()).collect();
        Belongings { holds, waits }
    }

    /// Writes what a slice has decided. What the slice takes for written must be what is.
    pub fn save(&mut self, slice: &mut Slice) {
        let unsaved = slice.unsaved();
        for (id, resource) in &unsaved.resources {
            self.resources.insert(id.clone(), resource.clone());
        }
        for (id, (old, new)) in &unsaved.reservations {
            let before = self.reservations.insert(id.clone(), new.clone());
            assert_eq!(before.as_ref(), old.as_ref(), "the store has another version of this reservation");
        }
        for (id, (old, new)) in &unsaved.waits {
            let before = self.waits.insert(id.clone(), new.clone());
            assert_eq!(before.as_ref(), old.as_ref(), "the store has another version of this entry");
        }
        for (whose, strikes) in &unsaved.strikes {
            self.strikes.insert(whose.clone(), strikes.clone());
        }
        slice.saved();
    }
}

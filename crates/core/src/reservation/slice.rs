//! The part of a ledger that decisions are made on: what was loaded, with all that was decided since.
//!
//! A batch works on one slice, so the second command sees what the first one did. A store whose file
//! nobody else writes may keep its slice from one batch to the next, and is then asked for nothing
//! that it was asked for before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::model::{Piece, Reservation, Resource, State, Strikes, Wait, WaitState};
use super::outcome::{Change, Stop};
use crate::calendar::Span;
use crate::ids::{Principal, ReservationId, ResourceId, WaitId};

/// A part of the ledger that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A resource.
    Resource(ResourceId),
    /// A reservation.
    Reservation(ReservationId),
    /// The live claims of a resource in one UTC day.
    Day(ResourceId, u64),
    /// All live claims of a resource.
    Days(ResourceId),
    /// The holds and the waits of a principal.
    Principal(Principal),
    /// The expiries of a principal on a resource.
    Strikes(Principal, ResourceId),
    /// An entry of a waitlist.
    Wait(WaitId),
    /// Who waits for a resource.
    Waiting(ResourceId),
}

/// What a principal has at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belongings {
    /// Its reservations that are held.
    pub holds: BTreeSet<ReservationId>,
    /// Its entries that wait or have an offer.
    pub waits: BTreeSet<WaitId>,
}

/// Every command looks up a dozen things, by ids that this server made or a backend named, so the hash is a
/// quick one.
type Map<K, V> = HashMap<K, V, FixedState>;

/// What is known of a ledger.
#[derive(Debug, Default)]
pub struct Slice {
    resources: Map<ResourceId, Option<Arc<Resource>>>,
    reservations: Map<ReservationId, Option<Arc<Reservation>>>,
    days: Map<ResourceId, Map<u64, Vec<Piece>>>,
    /// Resources of which every day is known: one that is not there has no claims.
    whole: HashSet<ResourceId, FixedState>,
    principals: Map<Principal, Belongings>,
    strikes: Map<(Principal, ResourceId), Strikes>,
    waits: Map<WaitId, Option<Arc<Wait>>>,
    waiting: Map<ResourceId, BTreeMap<u64, Arc<Wait>>>,
    unsaved: Unsaved,
    /// Which of the unsaved reservations may have claims on a resource: a batch asks for it with each command.
    unsaved_on: Map<ResourceId, BTreeSet<ReservationId>>,
    entries: usize,
}

/// What was decided since the store wrote last: of each thing the version that the store has, and
/// the newest. A store writes the difference and nothing else.
#[derive(Debug, Default)]
pub struct Unsaved {
    /// Resources.
    pub resources: BTreeMap<ResourceId, Arc<Resource>>,
    /// Reservations: as the store has them, and as they are now.
    pub reservations: BTreeMap<ReservationId, (Option<Arc<Reservation>>, Arc<Reservation>)>,
    /// Entries of waitlists: as the store has them, and as they are now.
    pub waits: BTreeMap<WaitId, (Option<Arc<Wait>>, Arc<Wait>)>,
    /// The ledger positions at which those entries changed last.
    pub waits_changed: BTreeMap<WaitId, u64>,
    /// Expiries.
    pub strikes: BTreeMap<(Principal, ResourceId), Strikes>,
}

/// Where a resource's usage changed.
pub type Touched = BTreeMap<ResourceId, Span>;

impl Unsaved {
    /// There is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
            && self.reservations.is_empty()
            && self.waits.is_empty()
            && self.strikes.is_empty()
    }
}

impl Slice {
    /// Is it known?
    pub fn knows(&self, key: &Key) -> bool {
        match key {
            Key::Resource(id) => self.resources.contains_key(id),
            Key::Reservation(id) => self.reservations.contains_key(id),
            Key::Day(resource, day) => {
                self.whole.contains(resource)
                    || self.days.get(resource).is_some_and(|days| days.contains_key(day))
            }
            Key::Days(resource) => self.whole.contains(resource),
            Key::Principal(principal) => self.principals.contains_key(principal),
            Key::Strikes(principal, resource) => {
                self.strikes.contains_key(&(principal.clone(), resource.clone()))
            }
            Key::Wait(id) => self.waits.contains_key(id),
            Key::Waiting(resource) => self.waiting.contains_key(resource),
        }
    }

    /// Goes on only if all of these are known.
    pub(super) fn need(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Stop> {
        let missing: BTreeSet<Key> = keys.into_iter().filter(|key| !self.knows(key)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::NeedMore(missing.into_iter().collect())) }
    }

    /// How much it holds: a store that keeps its slice drops it beyond some bound.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// A resource, or that there is none. Loaded.
    pub fn put_resource(&mut self, id: &ResourceId, resource: Option<Arc<Resource>>) {
        self.entries += 1;
        self.resources.insert(id.clone(), resource);
    }

    /// A reservation, or that there is none. Loaded.
    pub fn put_reservation(&mut self, id: &ReservationId, reservation: Option<Arc<Reservation>>) {
        self.entries += 1;
        self.reservations.insert(id.clone(), reservation);
    }

    /// All live claims of a resource in one UTC day, as the store has them. Loaded.
    pub fn put_day(&mut self, resource: &ResourceId, day: u64, mut pieces: Vec<Piece>) {
        pieces.retain(|piece| !self.unsaved.reservations.contains_key(&piece.reservation));
        pieces.extend(self.unsaved_pieces(resource).filter(|(of, _)| *of == day).map(|(_, piece)| piece));
        self.entries += 1 + pieces.len();
        self.days.entry(resource.clone()).or_default().insert(day, pieces);
    }

    /// All live claims of a resource, by UTC day. Loaded.
    pub fn put_days(&mut self, resource: &ResourceId, days: impl IntoIterator<Item = (u64, Piece)>) {
        let stored =
            days.into_iter().filter(|(_, piece)| !self.unsaved.reservations.contains_key(&piece.reservation));
        let mut all: Map<u64, Vec<Piece>> = Map::default();
        for (day, piece) in stored.chain(self.unsaved_pieces(resource)) {
            all.entry(day).or_default().push(piece);
        }
        self.entries += all.values().map(Vec::len).sum::<usize>();
        self.days.insert(resource.clone(), all);
        self.whole.insert(resource.clone());
    }

    /// The live claims that the store does not have yet, by UTC day.
    fn unsaved_pieces(&self, resource: &ResourceId) -> impl Iterator<Item = (u64, Piece)> {
        let ids = self.unsaved_on.get(resource).into_iter().flatten();
        let newest = ids.filter_map(|id| self.unsaved.reservations.get(id)).flat_map(|(_, new)| new.pieces());
        newest.filter(move |(of, ..)| of == resource).map(|(_, day, piece)| (day, piece))
    }

    /// What a principal has, as the store has it. Loaded.
    pub fn put_principal(&mut self, principal: &Principal, mut belongings: Belongings) {
        self.entries += 1;
        for (_, new) in self.unsaved.reservations.values().filter(|(_, new)| new.holder == *principal) {
            belongings.note(new);
        }
        for (_, new) in self.unsaved.waits.values().filter(|(_, new)| new.principal == *principal) {
            belongings.note_wait(new);
        }
        self.principals.insert(principal.clone(), belongings);
    }

    /// A principal's expiries on a resource. Loaded.
    pub fn put_strikes(&mut self, principal: &Principal, resource: &ResourceId, strikes: Strikes) {
        self.entries += 1;
        self.strikes.insert((principal.clone(), resource.clone()), strikes);
    }

    /// An entry of a waitlist, or that there is none. Loaded.
    pub fn put_wait(&mut self, id: &WaitId, wait: Option<Arc<Wait>>) {
        self.entries += 1;
        self.waits.insert(id.clone(), wait);
    }

    /// Everybody whose entry is `waiting` and names the resource, as the store has it. Loaded.
    pub fn put_waiting(&mut self, resource: &ResourceId, mut waiting: Vec<Arc<Wait>>) {
        waiting.retain(|wait| !self.unsaved.waits.contains_key(&wait.id));
        let unsaved = self.unsaved.waits.values().map(|(_, new)| new);
        waiting.extend(unsaved.filter(|wait| wait.waits_for(resource)).cloned());
        self.entries += 1 + waiting.len();
        for wait in &waiting {
            // Whoever is offered something was loaded here, and the store must know what it has of it.
            self.waits.entry(wait.id.clone()).or_insert_with(|| Some(wait.clone()));
        }
        let in_order = waiting.into_iter().map(|wait| (wait.joined, wait)).collect();
        self.waiting.insert(resource.clone(), in_order);
    }

    /// A resource.
    pub fn resource(&self, id: &ResourceId) -> Option<&Arc<Resource>> {
        self.resources.get(id)?.as_ref()
    }

    /// A reservation.
    pub fn reservation(&self, id: &ReservationId) -> Option<&Arc<Reservation>> {
        self.reservations.get(id)?.as_ref()
    }

    /// The live claims of a resource in one UTC day.
    pub fn day(&self, resource: &ResourceId, day: u64) -> &[Piece] {
        self.days.get(resource).and_then(|days| days.get(&day)).map_or(&[], Vec::as_slice)
    }

    /// Every known live claim of a resource.
    pub fn all_days(&self, resource: &ResourceId) -> impl Iterator<Item = &Piece> {
        self.days.get(resource).into_iter().flat_map(HashMap::values).flatten()
    }

    /// What a principal has.
    pub fn belongings(&self, principal: &Principal) -> Option<&Belongings> {
        self.principals.get(principal)
    }

    /// A principal's expiries on a resource.
    pub fn strikes(&self, principal: &Principal, resource: &ResourceId) -> Option<&Strikes> {
        self.strikes.get(&(principal.clone(), resource.clone()))
    }

    /// An entry of a waitlist.
    pub fn wait(&self, id: &WaitId) -> Option<&Arc<Wait>> {
        self.waits.get(id)?.as_ref()
    }

    /// Who waits for a resource, who came first first.
    pub fn waiting(&self, resource: &ResourceId) -> impl Iterator<Item = &Arc<Wait>> {
        self.waiting.get(resource).into_iter().flat_map(BTreeMap::values)
    }

    /// What the store has to write.
    pub fn unsaved(&self) -> &Unsaved {
        &self.unsaved
    }

    /// The store has written it.
    pub fn saved(&mut self) {
        self.unsaved = Unsaved::default();
        self.unsaved_on.clear();
    }

    /// A reservation or an entry of a waitlist that was over is not known any more: the store has deleted it.
    pub fn forget(&mut self, id: &str) {
        if let Ok(id) = ReservationId::parse(id) {
            self.reservations.remove(&id);
        }
        if let Ok(id) = WaitId::parse(id) {
            self.waits.remove(&id);
        }
    }

    /// Takes a decided change in, and says whose usage changed when.
    ///
    /// Days, principals and waitlists that are not known stay unknown. What is loaded of them later
    /// is as the store has it, and what was decided since is added to it.
    pub fn apply(&mut self, change: &Change) -> Touched {
        let mut touched = Touched::new();
        for resource in &change.resources {
            self.put_resource(&resource.id, Some(resource.clone()));
            self.unsaved.resources.insert(resource.id.clone(), resource.clone());
        }
        for reservation in &change.reservations {
            self.replace(reservation, &mut touched);
        }
        for wait in &change.waits {
            self.replace_wait(wait);
            self.unsaved.waits_changed.insert(wait.id.clone(), change.reply.position);
        }
        for (principal, resource, strikes) in &change.strikes {
            self.put_strikes(principal, resource, strikes.clone());
            self.unsaved.strikes.insert((principal.clone(), resource.clone()), strikes.clone());
        }
        touched
    }

    fn replace(&mut self, new: &Arc<Reservation>, touched: &mut Touched) {
        let old = self.reservations.insert(new.id.clone(), Some(new.clone())).flatten();
        if old.is_none() {
            self.entries += 1;
        }
        let unsaved = self.unsaved.reservations.entry(new.id.clone());
        unsaved.or_insert_with(|| (old.clone(), new.clone())).1 = new.clone();
        for granted in &new.claims {
            self.unsaved_on.entry(granted.claim.resource.clone()).or_default().insert(new.id.clone());
        }
        for (resource, day, piece) in old.iter().flat_map(|old| old.pieces()) {
            if let Some(pieces) = self.days.get_mut(&resource).and_then(|days| days.get_mut(&day)) {
                pieces.retain(|there| there.reservation != piece.reservation);
            }
            touch(touched, resource, piece.span);
        }
        for (resource, day, piece) in new.pieces() {
            touch(touched, resource.clone(), piece.span);
            if self.knows(&Key::Day(resource.clone(), day)) {
                self.days.entry(resource).or_default().entry(day).or_default().push(piece);
                self.entries += 1;
            }
        }
        if let Some(belongings) = self.principals.get_mut(&new.holder) {
            belongings.note(new);
        }
    }

    fn replace_wait(&mut self, wait: &Arc<Wait>) {
        let old = self.waits.insert(wait.id.clone(), Some(wait.clone())).flatten();
        let unsaved = self.unsaved.waits.entry(wait.id.clone());
        unsaved.or_insert_with(|| (old, wait.clone())).1 = wait.clone();
        for resource in wait.any_of.iter().flatten().map(|claim| &claim.resource) {
            let Some(waiting) = self.waiting.get_mut(resource) else { continue };
            if wait.state == WaitState::Waiting {
                waiting.insert(wait.joined, wait.clone());
            } else {
                waiting.remove(&wait.joined);
            }
        }
        if let Some(belongings) = self.principals.get_mut(&wait.principal) {
            belongings.note_wait(wait);
        }
    }
}

impl Belongings {
    fn note(&mut self, reservation: &Reservation) {
        if reservation.state == State::Held {
            self.holds.insert(reservation.id.clone());
        } else {
            self.holds.remove(&reservation.id);
        }
    }

    fn note_wait(&mut self, wait: &Wait) {
        if matches!(wait.state, WaitState::Waiting | WaitState::Offered) {
            self.waits.insert(wait.id.clone());
        } else {
            self.waits.remove(&wait.id);
        }
    }
}

impl Wait {
    /// Is it waiting, and would something of this resource do?
    pub fn waits_for(&self, resource: &ResourceId) -> bool {
        self.state == WaitState::Waiting
            && self.any_of.iter().flatten().any(|claim| claim.resource == *resource)
    }
}

fn touch(touched: &mut Touched, resource: ResourceId, span: Span) {
    touched.entry(resource).and_modify(|all| *all = all.hull(span)).or_insert(span);
}

//! The decisions: one command on what is known, at one moment.

mod booking;
mod claims;
mod confirm;
mod hold;
mod hours;
mod staff;
mod time;
mod waitlist;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Act, Actor, Command, Due};
use super::model::{Granted, Piece, Reservation, Resource, Wait};
use super::outcome::{Change, Decision, Reply, Stop, Told, What, no};
use super::slice::{Key, Slice};
use super::steps;
use crate::access::Action;
use crate::calendar::Span;
use crate::ids::{Principal, ReservationId, ResourceId, WaitId};
use crate::limits::Millis;
use crate::refusal::{Code, Refusal};

/// What a decision is given beside the ledger: the world outside as arguments.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The server's time.
    pub now: Millis,
    /// The ledger position that the change will have. It is the fence of what is granted.
    pub position: u64,
    /// Random, and never used twice: new ids are made of it.
    pub seed: [u8; 16],
}

/// Decides one command.
///
/// ```
/// use deskbell_core::reservation::{Act, Actor, Command, Decision, Key, Moment, Slice, decide};
/// use deskbell_core::ids::ReservationId;
/// let id = ReservationId::parse("r_1").unwrap();
/// let release = Command::Ask { actor: Actor::backend(), act: Act::Release { id: id.clone(), fence: None } };
/// let moment = Moment { now: 0, position: 1, seed: [0; 16] };
/// let Decision::NeedMore(keys) = decide(&Slice::default(), moment, &release) else { panic!() };
/// assert_eq!(keys, [Key::Reservation(id)]);
/// ```
pub fn decide(slice: &Slice, moment: Moment, command: &Command) -> Decision {
    let mut work = Work { slice, moment, change: Change::default(), made: 0, looser: BTreeMap::new() };
    let done = match command {
        Command::Ask { actor, act } => work.ask(actor, act),
        Command::Due(due) => work.due(due),
    };
    match done.and_then(|done| work.finish(done)) {
        Ok(decision) => decision,
        Err(Stop::NeedMore(keys)) => Decision::NeedMore(keys),
        Err(Stop::Refused(refused)) => Decision::Refused(refused),
    }
}

/// How a decision ended that was not stopped.
enum Done {
    /// What the work's change says happens.
    Changed,
    /// It is so already.
    Same(Reply),
}

/// A decision under way: what is known, and what it has decided so far.
struct Work<'a> {
    slice: &'a Slice,
    moment: Moment,
    change: Change,
    /// Ids that were made.
    made: u32,
    /// Where resources may take more than they did, beside what the change frees.
    looser: BTreeMap<ResourceId, Vec<Span>>,
}

impl Work<'_> {
    fn ask(&mut self, actor: &Actor, act: &Act) -> Result<Done, Stop> {
        match act {
            Act::Hold { wish, ttl, replace } => self.hold(actor, wish, *ttl, replace.as_ref()),
            Act::Extend { id, fence, ttl } => self.extend(actor, id, *fence, *ttl),
            Act::Release { id, fence } => self.release(actor, id, *fence),
            Act::Confirm { .. } => self.confirm(actor, act),
            Act::Book { wish, external_ref } => self.book(actor, wish, external_ref.as_ref()),
            Act::Step { id, step, version } => self.step(actor, id, *step, *version),
            Act::Reschedule { id, claims, version } => self.reschedule(actor, id, claims, *version),
            Act::Link { id, external_ref } => self.link(actor, id, external_ref),
            Act::Override { .. } => self.override_all(actor, act),
            Act::Block { source, as_of, spans } => self.block(actor, source, *as_of, spans),
            Act::PutResource(wish) => self.put_resource(actor, wish),
            Act::Join { wish } => self.join(actor, wish),
            Act::Leave { id } => self.leave(actor, id),
            Act::Accept { id } => self.accept(actor, id),
        }
    }

    fn due(&mut self, due: &Due) -> Result<Done, Stop> {
        match due {
            Due::Reservation(id) => self.time_has_come(id),
            Due::Departed(principal) => self.departed(principal),
            Due::Restarted(id) => self.restarted(id),
        }
    }

    /// Gives what became free to whoever waits for it, and fills in the reply.
    fn finish(&mut self, done: Done) -> Result<Decision, Stop> {
        match done {
            Done::Same(mut reply) => {
                reply.now = self.moment.now;
                reply.position = self.moment.position.saturating_sub(1);
                Ok(Decision::Same(Box::new(reply)))
            }
            Done::Changed => {
                self.settle()?;
                self.change.reservations.sort_by_key(|new| !new.state.is_over());
                self.change.reply.now = self.moment.now;
                self.change.reply.position = self.moment.position;
                Ok(Decision::Change(Box::new(std::mem::take(&mut self.change))))
            }
        }
    }

    fn now(&self) -> Millis {
        self.moment.now
    }

    /// The newest version of a reservation; what does not exist is refused.
    fn reservation(&self, id: &ReservationId) -> Result<Arc<Reservation>, Stop> {
        if let Some(new) = self.change.reservations.iter().rev().find(|new| new.id == *id) {
            return Ok(new.clone());
        }
        self.slice.need([Key::Reservation(id.clone())])?;
        match self.slice.reservation(id) {
            Some(found) => Ok(found.clone()),
            None => no(Code::NotFound, "there is no such reservation; use an id that the server gave"),
        }
    }

    /// A resource; what does not exist is refused.
    fn resource(&self, id: &ResourceId) -> Result<Arc<Resource>, Stop> {
        if let Some(new) = self.change.resources.iter().rev().find(|new| new.id == *id) {
            return Ok(new.clone());
        }
        self.slice.need([Key::Resource(id.clone())])?;
        match self.slice.resource(id) {
            Some(found) => Ok(found.clone()),
            None => Err(Refusal::new(
                Code::NotFound,
                format!("there is no resource `{id}`; make it with PUT /v1/resources/{id}"),
            )
            .into()),
        }
    }

    /// The newest version of an entry of a waitlist; what does not exist is refused.
    fn wait(&self, id: &WaitId) -> Result<Arc<Wait>, Stop> {
        match self.known_wait(id)? {
            Some(found) => Ok(found),
            None => {
                no(Code::NotFound, "there is no such entry of a waitlist; use an id that the server gave")
            }
        }
    }

    /// The same, where it may be gone: an entry that was taken can be forgotten before its hold is over.
    fn known_wait(&self, id: &WaitId) -> Result<Option<Arc<Wait>>, Stop> {
        if let Some(new) = self.change.waits.iter().rev().find(|new| new.id == *id) {
            return Ok(Some(new.clone()));
        }
        self.slice.need([Key::Wait(id.clone())])?;
        Ok(self.slice.wait(id).cloned())
    }

    /// The live claims of a resource in a span, as they are after what was decided so far.
    fn pieces(&self, resource: &ResourceId, span: Span) -> Result<Vec<Piece>, Stop> {
        self.slice.need(span.days().map(|day| Key::Day(resource.clone(), day)))?;
        let counts = |piece: &Piece| piece.span.overlaps(span) && steps::counts(piece, self.now());
        let known = span.days().flat_map(|day| self.slice.day(resource, day));
        let known = known.filter(|piece| counts(piece) && !self.is_changed(&piece.reservation));
        let mut pieces: Vec<Piece> = known.cloned().collect();
        for (place, new) in self.change.reservations.iter().enumerate() {
            let replaced = self.change.reservations[place + 1..].iter().any(|later| later.id == new.id);
            if !replaced {
                let here = |granted: &Granted| {
                    granted.claim.resource == *resource && granted.padded().overlaps(span)
                };
                pieces.extend(new.pieces_of(here).map(|(.., piece)| piece).filter(counts));
            }
        }
        // What is said of them does not hang on the order in which they were loaded.
        pieces.sort_unstable_by(Piece::in_order);
        Ok(pieces)
    }

    fn is_changed(&self, id: &ReservationId) -> bool {
        self.change.reservations.iter().any(|new| new.id == *id)
    }

    /// Takes a new version of a reservation in and tells what became of it.
    fn put(&mut self, mut new: Reservation, what: What, why: Option<&str>) -> Arc<Reservation> {
        new.version = self.moment.position;
        let (id, new) = (new.id.clone(), Arc::new(new));
        self.change.reservations.push(new.clone());
        self.change.told.push(Told::Reservation { what, id, why: why.map(Arc::from) });
        new
    }

    /// The same, and it is what the actor asked for.
    fn put_and_reply(&mut self, new: Reservation, what: What, why: Option<&str>) -> Done {
        let new = self.put(new, what, why);
        self.change.reply.reservation = Some(new);
        Done::Changed
    }

    fn next_reservation_id(&mut self) -> ReservationId {
        self.made += 1;
        ReservationId::derive(self.moment.now, self.moment.seed, self.made)
    }

    /// Is the actor somebody who may do everything with this reservation?
    fn is_staff(&self, actor: &Actor, reservation: &Reservation) -> bool {
        let mut claims = reservation.claims.iter();
        // A set of blocks may be empty, and is still nobody's but the backend's.
        actor.is_backend()
            || (!reservation.claims.is_empty()
                && claims.all(|granted| actor.may(Action::Manage, &granted.claim.resource, self.now())))
    }

    /// The holder, or staff. Nobody else may touch it.
    fn of_holder_or_staff(&self, actor: &Actor, reservation: &Reservation) -> Result<(), Stop> {
        if actor.identity.principal == reservation.holder || self.is_staff(actor, reservation) {
            return Ok(());
        }
        no(Code::NotHolder, "this is somebody else's; use the id of a hold of your own")
    }
}

/// The answer that what was asked for is so already.
fn same(reservation: &Arc<Reservation>) -> Done {
    Done::Same(Reply { reservation: Some(reservation.clone()), ..Reply::default() })
}

/// The principal for whom somebody acts. Naming one needs the app's secret.
fn principal(actor: &Actor, holder: Option<&crate::ids::UserId>) -> Result<Principal, Stop> {
    match holder {
        None => Ok(actor.identity.principal.clone()),
        Some(user) if actor.is_backend() || actor.identity.principal == Principal::User(user.clone()) => {
            Ok(Principal::User(user.clone()))
        }
        Some(_) => no(Code::Denied, "only a backend may name a `holder`; leave it out to act for yourself"),
    }
}

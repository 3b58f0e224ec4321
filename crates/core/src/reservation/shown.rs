//! An answer of the ledger as whoever asked may see it: never another person, never somebody's fence.

use serde::Serialize;

use super::announce::{Sight, View, WaitView};
use super::command::Actor;
use super::model::{Reservation, Resource, Wait};
use super::outcome::{Conflict, Reply};
use super::policy::Policy;
use crate::access::Action;
use crate::calendar::Hours;
use crate::ids::{Principal, ReservationId, ResourceId, UserId};
use crate::limits::Millis;
use crate::session::Seals;

/// Somebody who is given an answer, and the moment at which it is given.
#[derive(Debug, Clone, Copy)]
pub struct Onlooker<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// Seals the fences that are no business of theirs.
    pub seals: &'a Seals,
    /// The time now.
    pub now: Millis,
}

/// A reservation in an answer.
#[derive(Debug, Serialize)]
pub struct ShownReservation<'a> {
    #[serde(flatten)]
    view: View<'a>,
    #[serde(rename = "fence", skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<Millis>,
}

/// A resource in an answer.
#[derive(Debug, Serialize)]
pub struct ShownResource<'a> {
    id: &'a ResourceId,
    capacity: u32,
    before_ms: Millis,
    after_ms: Millis,
    time_zone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<&'a Hours>,
    provider: Option<&'a UserId>,
    policy: &'a Policy,
    version: u64,
}

/// A whole answer.
#[derive(Debug, Serialize)]
pub struct ShownReply<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<ShownReservation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<WaitView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<ShownResource<'a>>,
    /// Of blocks, which are no reservation of anybody's: the ledger position of their last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "<[Conflict]>::is_empty")]
    conflicts: &'a [Conflict],
    #[serde(skip_serializing_if = "<[ReservationId]>::is_empty")]
    evicted: &'a [ReservationId],
    now: Millis,
    /// Of backends alone: it tells how much is booked here.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

impl Onlooker<'_> {
    /// How much of a reservation this one may see; `serves` says that it serves at every resource of it.
    pub fn sight(&self, reservation: &Reservation, serves: bool) -> Option<Sight> {
        let principal = &self.actor.identity.principal;
        if self.is_staff(reservation) {
            Some(Sight::Everything)
        } else if reservation.block.is_some() {
            None
        } else if reservation.holder == *principal {
            Some(Sight::Own)
        } else {
            serves.then_some(Sight::Holder)
        }
    }

    /// May it do everything with this reservation? What claims nothing is nobody's but a backend's.
    pub fn is_staff(&self, reservation: &Reservation) -> bool {
        let mut resources = reservation.claims.iter().map(|granted| &granted.claim.resource);
        let manages = |id: &ResourceId| self.actor.may(Action::Manage, id, self.now);
        self.actor.is_backend() || (!reservation.claims.is_empty() && resources.all(manages))
    }

    /// A reservation as it is seen with this sight.
    pub fn reservation<'a>(&self, reservation: &'a Reservation, sight: Sight) -> ShownReservation<'a> {
        let sealed = (sight == Sight::Own).then(|| self.seals.fence(&reservation.id, reservation.fence));
        let ttl_ms = reservation.expires_at.map(|at| at.saturating_sub(self.now));
        ShownReservation { view: View::of(reservation, sight), sealed, ttl_ms }
    }

    /// An entry of a waitlist, as far as it may be seen.
    pub fn wait<'a>(&self, wait: &'a Wait) -> Option<WaitView<'a>> {
        if self.actor.is_backend() {
            return Some(WaitView::of(wait, Sight::Everything));
        }
        (wait.principal == self.actor.identity.principal).then(|| WaitView::of(wait, Sight::Own))
    }

    /// The answer to a command of its own. `serves` says that only its service can have allowed it.
    pub fn reply<'a>(&self, reply: &'a Reply, serves: bool) -> ShownReply<'a> {
        let (blocks, reservation) = match reply.reservation.as_deref() {
            Some(blocks) if blocks.block.is_some() => (Some(blocks), None),
            other => (None, other),
        };
        let seen = |one: &'a Reservation| Some(self.reservation(one, self.sight(one, serves)?));
        ShownReply {
            reservation: reservation.and_then(seen),
            version: blocks.map(|blocks| blocks.version),
            wait: reply.wait.as_deref().and_then(|wait| self.wait(wait)),
            resource: reply.resource.as_deref().map(ShownResource::of),
            conflicts: &reply.conflicts,
            evicted: &reply.evicted,
            now: self.now,
            position: self.actor.is_backend().then_some(reply.position),
        }
    }
}

impl<'a> ShownResource<'a> {
    /// A resource with everything of it: for backends and whoever manages it.
    pub fn of(resource: &'a Resource) -> Self {
        Self {
            id: &resource.id,
            capacity: resource.capacity,
            before_ms: resource.before,
            after_ms: resource.after,
            time_zone: resource.time_zone.id(),
            hours: Some(&resource.hours).filter(|hours| !hours.is_always()),
            provider: resource.provider.as_ref(),
            policy: &resource.policy,
            version: resource.version,
        }
    }

    /// Does this principal serve there?
    pub fn is_served_by(resource: &Resource, principal: &Principal) -> bool {
        matches!(principal, Principal::User(user) if resource.provider.as_ref() == Some(user))
    }
}

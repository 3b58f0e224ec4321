//! What an event of a client waits for: whose a booking is, and whether the site gives a channel.

use deskbell_core::ids::{Principal, ReservationId};
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::Reservation;

use super::super::Shard;
use super::super::waiting::Answer;
use super::rooms::{Right, Room};
use crate::socketio::NotApproved;
use crate::store::{Look, Seen};

/// What has come for an event that waited.
#[derive(Debug)]
pub enum Told {
    /// Whether the client is a party of the booking whose room it wants.
    Party {
        /// The room.
        room: Room,
        /// The number under which an answer is expected.
        id: Option<u64>,
        /// It is, or why it does not get the room.
        outcome: Result<(), Refusal>,
    },
    /// Whether the site gives a channel of Laravel Echo's.
    Approved {
        /// The channel.
        room: Room,
        /// Who the client is there, or why it does not get it.
        outcome: Result<Option<String>, NotApproved>,
    },
}

impl Shard {
    /// The rules do not open the room of a booking: its parties may have it, and who they are stands in the ledger.
    pub(super) fn ask_whose(
        &mut self,
        slot: u32,
        room: Room,
        id: Option<u64>,
        booking: ReservationId,
        no: Refusal,
    ) {
        let Some((app, identity, answer)) = self.owe(slot) else { return };
        let (hub, app) = (self.hub.clone(), self.hub.apps[app].id);
        let principal = identity.principal.clone();
        let later = hub.clone();
        let tell = move |is_party: bool| {
            let outcome = if is_party { Ok(()) } else { Err(no) };
            answer(Answer::Told(Box::new(Told::Party { room, id, outcome })));
        };
        let found =
            move |seen: Result<crate::store::Sighting, Refusal>| match seen.map(|sighting| sighting.seen) {
                Ok(Seen::Reservation(Some(booking))) if booking.holder == principal => tell(true),
                Ok(Seen::Reservation(Some(booking))) => match served_at(&booking) {
                    Some(resource) => {
                        let provider = move |seen: Result<crate::store::Sighting, Refusal>| {
                            let seen = seen.map(|sighting| sighting.seen);
                            let Ok(Seen::Resource(Some(resource))) = seen else { return tell(false) };
                            tell(resource.provider.clone().map(Principal::User) == Some(principal));
                        };
                        later.store.look(app, Look::Resource(resource), Box::new(provider));
                    }
                    None => tell(false),
                },
                _ => tell(false),
            };
        hub.store.look(app, Look::Reservation(booking), Box::new(found));
    }

    /// What an event waited for has come.
    pub(in super::super) fn hear_told(&mut self, slot: u32, told: Told) {
        match told {
            Told::Party { room, id, outcome } => {
                self.come_to_now(slot);
                let given = Room { right: Right::Given, ..room.clone() };
                let outcome = outcome.and_then(|()| self.take_room(slot, &given, None));
                match outcome {
                    Ok(()) => self.outcome(slot, &room.namespace, id, Ok(())),
                    Err(no) => self.refuse_room(slot, &room.namespace, id, Some(&room.name), &no),
                }
            }
            Told::Approved { room, outcome } => self.approved(slot, &room, outcome),
        }
    }
}

/// A resource at which a booking is served, while it claims one.
fn served_at(booking: &Reservation) -> Option<deskbell_core::ids::ResourceId> {
    booking.claims.first().map(|granted| granted.claim.resource.clone())
}

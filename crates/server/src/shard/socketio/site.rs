//! What an event of a client waits for: whose a booking is, whether the site gives a channel, what its backend
//! answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskbell_core::ids::{EventId, Principal, ReservationId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Reservation;
use deskbell_wire::socketio::{Args, encode};
use serde_json::value::RawValue;

use super::super::Shard;
use super::super::waiting::Answer;
use super::rooms::{Right, Room};
use crate::clock;
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
    /// What the site's backend says to an event.
    Replied {
        /// Of which namespace.
        namespace: Box<str>,
        /// The number under which an answer is expected.
        id: Option<u64>,
        /// The arguments of the answer.
        outcome: Result<String, Refusal>,
    },
}

/// A client's event as the site's backend is told of it.
#[derive(serde::Serialize)]
struct Passed<'a> {
    id: &'a str,
    r#type: &'static str,
    at: u64,
    app: u64,
    namespace: &'a str,
    event: &'a str,
    args: &'a RawValue,
    socket: &'a str,
    user: Option<&'a str>,
    roles: &'a [String],
    /// Bytes as base64; where one belongs, the arguments have a placeholder.
    attachments: Vec<String>,
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

    /// Tells the site's backend of an event that nobody here knows, if it wants to hear of such.
    pub(super) fn pass_on(
        &mut self,
        slot: u32,
        namespace: &str,
        id: Option<u64>,
        name: &str,
        args: Args<'_>,
        attachments: &[Bytes],
    ) {
        let backend = self.socketio_terms(slot).backend.clone().filter(|backend| backend.events.is_some());
        let Some(backend) = backend else {
            let sentence = "nobody here knows this event; publish over HTTP, or name your backend in \
                            socketio.events_url";
            self.outcome(slot, namespace, id, Err(&Refusal::new(Code::UnknownType, sentence)));
            return;
        };
        let event = EventId::from_random(clock::random_bytes());
        let Some(body) = self.passed(slot, &event, namespace, name, args, attachments) else { return };
        let Some((app, _, answer)) = self.owe(slot) else { return };
        let (hub, namespace) = (self.hub.clone(), namespace.into());
        self.hub.runtime.spawn(async move {
            let secret = hub.apps[app].secret.expose();
            let outcome = backend.answers(&secret, event.as_str(), body).await;
            answer(Answer::Told(Box::new(Told::Replied { namespace, id, outcome })));
        });
    }

    fn passed(
        &self,
        slot: u32,
        id: &EventId,
        namespace: &str,
        event: &str,
        args: Args<'_>,
        attachments: &[Bytes],
    ) -> Option<Vec<u8>> {
        let client = self.clients.get(slot)?;
        // They were found to be JSON values with commas between them.
        let args = RawValue::from_string(format!("[{}]", args.text())).ok()?;
        let passed = Passed {
            id: id.as_str(),
            r#type: "client.event",
            at: self.now,
            app: self.hub.apps[usize::from(client.app)].id.0,
            namespace,
            event,
            args: &args,
            socket: &client.session.public_id().to_string(),
            user: client.session.identity.user_id(),
            roles: &client.session.identity.roles,
            attachments: attachments.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        };
        serde_json::to_vec(&passed).ok()
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
            Told::Replied { namespace, id, outcome } => match (outcome, id) {
                (Ok(args), Some(id)) => self.utter(slot, |out| encode::ack(&namespace, id, &args, 0, out)),
                (Ok(_), None) => {}
                (Err(refusal), id) => self.outcome(slot, &namespace, id, Err(&refusal)),
            },
        }
    }
}

/// A resource at which a booking is served, while it claims one.
fn served_at(booking: &Reservation) -> Option<deskbell_core::ids::ResourceId> {
    booking.claims.first().map(|granted| granted.claim.resource.clone())
}

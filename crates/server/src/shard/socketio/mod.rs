//! What clients of the Socket.IO dialect ask: each packet becomes an act on the same sessions, channels and log
//! that all other clients use.
//!
//! | file | what |
//! |---|---|
//! | `mod` | packets come in, answers go out |
//! | [`engine`] | the session below: signs of life, requests that wait, the change to a WebSocket |
//! | [`outlet`] | the answer of such a request as a sink |
//! | [`enter`] | a client comes into a namespace, also as who it was |
//! | [`rooms`] | rooms are channels, and show others in their own words |
//! | [`own_room`] | a connection's public name is a room of its own |
//! | [`echo`] | channels of Laravel Echo's connector |
//! | [`site`] | what waits for the ledger or for the site |
//! | [`prove`] | who a client is |
//! | [`handle`] | events that the application's backend handles |
//! | [`ask`] | what a backend asks clients |
//! | [`page`] | pages of the Portico dialect, which say everything in one event |
//! | [`missed`] | what was told while nobody of a user was there |
//! | [`admin`] | the namespace of the admin UI |

mod admin;
mod ask;
mod echo;
mod engine;
mod enter;
mod handle;
mod missed;
mod outlet;
mod own_room;
mod page;
mod prove;
mod rooms;
mod site;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::Data;
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::engineio::packet::Packet as EnginePacket;
use deskbell_wire::engineio::{Session, Sid, Step};
use deskbell_wire::portico::session::Hail;
use deskbell_wire::socketio::echo as echo_frames;
use deskbell_wire::socketio::marketplace::asked::{self, Asked};
use deskbell_wire::socketio::{Args, Asks, Assembly, Fault, Namespaces, Packet, encode};
use deskbell_wire::websocket::{Opcode, encode as websocket};

use super::Shard;
use super::mailbox::Handle;
use crate::app::App;
use crate::socketio::{Place, Terms};

pub use engine::{Opening, Request};
pub use enter::Entering;
pub use handle::Handled;
pub use missed::Missed;
pub use outlet::Outlet;
pub use prove::Proving;
pub use rooms::{Kind, Right, Room};
pub use site::Told;

/// What a client of this dialect has beside its session.
#[derive(Debug)]
pub struct Talker {
    /// The secret name of the session below.
    pub sid: Sid,
    /// The session below.
    engine: Session,
    /// When it is looked at next.
    alarm: Millis,
    /// What its cookies say, where it is a page of the Portico dialect.
    hail: Option<Box<Hail>>,
    /// The cookies of its connection, for the site's backend.
    cookie: Option<Box<str>>,
    /// Whether each event may say where its reader stands: for who comes anew, and for who comes back.
    takes: [bool; 2],
    /// The same, as it was decided with the first namespace.
    offsets: Option<bool>,
    /// A packet whose attachments have not come yet.
    assembly: Assembly,
    spaces: Namespaces,
    inside: Vec<Inside>,
    /// Rooms of an earlier connection in namespaces that the client has not asked for yet.
    owed: Vec<Room>,
    /// Events that a backend handles, the one under way first. Each is a parked frame, so there are few.
    handled: VecDeque<Handled>,
    /// Questions that it has not answered, the oldest first.
    questions: Vec<Place>,
    /// It was looked whether something waits for its user.
    has_looked: bool,
    /// What was found, while the client still reads what its rooms were told.
    missed: Option<Box<Missed>>,
    /// The WebSocket that is tried beside polling.
    trial: Option<Handle>,
    /// It is such a WebSocket itself, of that client.
    tries: Option<Handle>,
    /// It has been accepted, and moves over to the client.
    moves: bool,
}

/// A namespace that a client is in.
#[derive(Debug)]
struct Inside {
    namespace: Arc<str>,
    /// The rooms it is in.
    rooms: Vec<Room>,
}

impl Talker {
    fn new(opening: &Opening, engine: Session, now: Millis) -> Self {
        Self {
            sid: opening.sid,
            engine,
            alarm: 0,
            hail: opening.hail.clone(),
            cookie: opening.cookie.clone(),
            takes: opening.takes,
            offsets: None,
            assembly: Assembly::new(),
            spaces: Namespaces::new(now),
            inside: Vec::new(),
            owed: Vec::new(),
            handled: VecDeque::new(),
            questions: Vec::new(),
            has_looked: false,
            missed: None,
            trial: None,
            tries: None,
            moves: false,
        }
    }

    /// A talker that only keeps rooms for a client that will come back.
    pub fn absent(rooms: Vec<Room>, now: Millis) -> Self {
        let sid = Sid::from_random([0; 16]);
        let opening = Opening { sid, takes: [true; 2], upgrades: false, cookie: None, hail: None };
        let engine = Session::new(
            deskbell_wire::engineio::asked::Transport::Polling,
            deskbell_wire::engineio::Timing::default(),
            now,
        );
        Self { owed: rooms, ..Self::new(&opening, engine, now) }
    }

    /// Every room that the client has, or is still to get back.
    pub fn rooms(&self) -> Vec<Room> {
        let here = self.inside.iter().flat_map(|inside| {
            // A namespace without rooms is one that its client was in all the same.
            std::iter::once(Room::itself(&inside.namespace)).chain(inside.rooms.iter().cloned())
        });
        here.chain(self.owed.iter().cloned()).collect()
    }

    /// It was asked something. What nobody waits for any more is forgotten by the way.
    fn note_question(&mut self, place: Place) {
        self.questions.retain(Place::is_awaited);
        if self.questions.len() == limits::QUESTIONS_PER_CONNECTION {
            self.questions.remove(0);
        }
        self.questions.push(place);
    }

    /// It is about to move over to another client.
    pub fn is_moving(&self) -> bool {
        self.moves
    }

    fn inside(&self, namespace: &str) -> Option<&Inside> {
        self.inside.iter().find(|inside| &*inside.namespace == namespace)
    }

    fn inside_mut(&mut self, namespace: &str) -> Option<&mut Inside> {
        self.inside.iter_mut().find(|inside| &*inside.namespace == namespace)
    }
}

impl Shard {
    /// Takes one text message in.
    pub(super) fn take_socketio(&mut self, slot: u32, text: &str) {
        match deskbell_wire::engineio::packet::read(text) {
            Ok(packet) => self.take_engine(slot, &packet),
            Err(bad) => self.misunderstood(slot, bad.sentence()),
        }
    }

    /// Takes one message of bytes in.
    pub(super) fn take_socketio_bytes(&mut self, slot: u32, bytes: &[u8]) {
        self.take_engine(slot, &EnginePacket::Binary(bytes.into()));
    }

    fn take_engine(&mut self, slot: u32, packet: &EnginePacket<'_>) {
        let now = self.now;
        let Some(talker) = self.talker(slot) else { return };
        if let Some(of) = talker.tries {
            self.tried(slot, of, packet);
            return;
        }
        match talker.engine.heard(packet, now) {
            Ok(Step::Message) => match packet {
                EnginePacket::Message(text) => self.take_message(slot, text),
                EnginePacket::Binary(bytes) => self.take_attachment(slot, bytes),
                _ => {}
            },
            Ok(_) if matches!(packet, EnginePacket::Pong(_)) => {
                // Whoever answers a sign of life has what was sent before it.
                self.portico_proves(slot);
                // The next one may be due before the time for this answer would have been over.
                self.look_at_life(slot);
            }
            Ok(_) => {}
            Err(ending) => self.end_engine(slot, ending, "the packet is not one that a client sends"),
        }
    }

    fn take_message(&mut self, slot: u32, text: &str) {
        let now = self.now;
        let Some(talker) = self.talker(slot) else { return };
        match talker.assembly.text(text, now) {
            Ok(Some(packet)) => self.take_packet(slot, packet, &[]),
            Ok(None) => self.look_at_life(slot),
            Err(fault) => self.faulty(slot, fault),
        }
    }

    fn take_attachment(&mut self, slot: u32, bytes: &[u8]) {
        let (now, most) = (self.now, self.socketio_terms(slot).max_payload);
        let Some(talker) = self.talker(slot) else { return };
        match talker.assembly.binary(bytes.to_vec().into(), most, now) {
            Ok(Some(whole)) => self.take_packet(slot, whole.packet(), whole.attachments()),
            Ok(None) => {}
            Err(fault) => self.faulty(slot, fault),
        }
    }

    fn take_packet(&mut self, slot: u32, packet: Packet<'_>, attachments: &[Bytes]) {
        let now = self.now;
        let namespace = packet.namespace;
        let Some(talker) = self.talker(slot) else { return };
        match talker.spaces.hear(packet, now) {
            Err(fault) => self.faulty(slot, fault),
            Ok(Asks::Enter { data }) => self.ask_to_enter(slot, namespace, data),
            Ok(Asks::EnterTooMany) => {
                let sentence =
                    "a connection is in at most 16 namespaces; leave one, or open another connection";
                self.refuse_entry(slot, namespace, &Refusal::new(Code::LimitReached, sentence));
            }
            Ok(Asks::Left) if self.is_portico_page(slot) => self.leave_as_page(slot),
            Ok(Asks::Left) => {
                self.leave_namespace(slot, namespace);
                self.look_at_life(slot);
            }
            Ok(Asks::Event { id, name, args }) => {
                self.take_event(slot, namespace, id, &name, args, attachments);
            }
            Ok(Asks::Answer { id, args }) => {
                self.take_answer(slot, namespace, id, (args, attachments));
            }
            Ok(Asks::Nothing) => {}
        }
    }

    fn take_event(
        &mut self,
        slot: u32,
        namespace: &str,
        id: Option<u64>,
        name: &str,
        args: Args<'_>,
        attachments: &[Bytes],
    ) {
        let plain = attachments.is_empty();
        if self.is_portico_page(slot) {
            self.take_page_event(slot, id, name, args.one().filter(|_| plain));
            return;
        }
        if let Err(refusal) = self.charge(slot) {
            self.outcome(slot, namespace, id, Err(&refusal));
            return;
        }
        if let Some(asked) = plain.then(|| echo_frames::read(name, args)).flatten() {
            self.take_echo(slot, namespace, id, asked);
            return;
        }
        match plain.then(|| asked::read(name, args)).flatten() {
            Some(Ok(Asked::Authenticate { token, user, role })) => {
                let text = |text: std::borrow::Cow<'_, str>| text.into_owned();
                let proving = Proving {
                    namespace: namespace.into(),
                    id,
                    token: token.map(text),
                    user: user.map(text),
                    role: role.map(text),
                };
                self.authenticate_site(slot, proving, super::hello::Keys::Known);
            }
            Some(Ok(Asked::Join(room))) => self.join_room(slot, namespace, id, &room),
            Some(Ok(Asked::Leave(room))) => {
                self.leave_room(slot, &Room::named(&namespace.into(), &room));
                self.outcome(slot, namespace, id, Ok(()));
            }
            Some(Err(refusal)) if name == "authenticate" => {
                self.fail_proof(slot, namespace, id, &refusal);
            }
            Some(Err(refusal)) => self.refuse_room(slot, namespace, id, None, &refusal),
            None => self.hand_over(slot, namespace, id, (name, args, attachments)),
        }
    }

    /// Answers an event that waits for it. What is refused is counted in any case.
    fn outcome(&mut self, slot: u32, namespace: &str, id: Option<u64>, outcome: Result<(), &Refusal>) {
        if let Err(refusal) = outcome {
            self.hub.metrics.refused(refusal.code);
        }
        if let Some(id) = id {
            let answer = asked::outcome(outcome);
            self.utter(slot, |out| encode::ack(namespace, id, &answer, 0, out));
        }
    }

    /// Tells a client something of its own.
    fn tell(&mut self, slot: u32, namespace: &str, name: &str, json: String) {
        let event = encode::Event { namespace, id: None, name, offset: None };
        self.utter(slot, |out| encode::event(&event, &Data::json(json), out));
    }

    /// Adds a packet to the replies of the client that is being served.
    fn utter(&mut self, _slot: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let mut packet = Vec::with_capacity(128);
        write(&mut packet);
        websocket::frame_into(&mut self.out, Opcode::Text, &packet);
    }

    fn faulty(&mut self, slot: u32, fault: Fault) {
        tracing::debug!(code = fault.code(), "a packet was no packet");
        self.misunderstood(slot, fault.sentence());
    }

    fn talker(&mut self, slot: u32) -> Option<&mut Talker> {
        self.clients.get_mut(slot)?.socketio.as_deref_mut()
    }

    fn app_of_talker(&self, slot: u32) -> Option<&App> {
        self.clients.get(slot).map(|client| &self.hub.apps[usize::from(client.app)])
    }

    /// The terms of a client's app.
    pub(super) fn socketio_terms(&self, slot: u32) -> Arc<Terms> {
        self.app_of_talker(slot).map(|app| app.socketio.load_full()).unwrap_or_default()
    }
}

//! Connections end; their sessions are parked, taken over, forgotten, or carried to the next run.

use std::net::IpAddr;
use std::sync::Arc;

use deskbell_core::ids::{ChannelName, Principal, PublicId};
use deskbell_core::limits;
use deskbell_core::session::SessionId;
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;
use tokio::sync::oneshot;

use super::client::Client;
use super::frames::Variant;
use super::lens::PLAIN;
use super::mailbox::{Claim, SessionFacts, Whom};
use super::session::{CarriedIdentity, CarriedSession, Entered, Moved, Session, Start, Sub};
use super::socketio::{Room, Talker};
use super::timers::What;
use super::{Shard, flag};
use crate::clock;

/// Why a connection was closed, in the range that WebSockets leave to applications. Clients come
/// back after each of them but `DISCONNECTED` and `NO_APP`.
pub mod code {
    /// The server restarts: come back after the time that `closing` gave.
    pub const RESTART: u16 = 1012;
    /// Something outside does not answer: come back later.
    pub const TRY_AGAIN: u16 = 1013;
    /// The token has expired: come back with a new one.
    pub const EXPIRED: u16 = 4401;
    /// The operator ended the session: do not come back by yourself.
    pub const DISCONNECTED: u16 = 4403;
    /// The app was taken away: do not come back.
    pub const NO_APP: u16 = 4404;
    /// The client gave no sign of life.
    pub const SILENT: u16 = 4408;
    /// Another connection has taken the session over.
    pub const SUPERSEDED: u16 = 4409;
    /// The client reads too slowly: come back and resume.
    pub const SLOW: u16 = 4429;
}

impl Shard {
    /// Makes the session findable.
    pub(super) fn enter_session(&mut self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        self.sessions.insert(client.session.id, slot);
        for id in client.session.public.as_slice() {
            self.public.insert(*id, slot);
        }
        self.hub.directory.enter(client.session.id, self.number);
    }

    /// Makes it unfindable, as far as it is still this slot's.
    pub(super) fn leave_session(&mut self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        let id = client.session.id;
        if self.sessions.get(&id) == Some(&slot) {
            self.sessions.remove(&id);
            self.hub.directory.leave(id, self.number);
        }
        for id in client.session.public.as_slice() {
            if self.public.get(id) == Some(&slot) {
                self.public.remove(id);
            }
        }
    }

    /// Ends the connections that this turn has marked.
    pub(super) fn bury(&mut self) {
        for slot in std::mem::take(&mut self.doomed) {
            self.disconnect_slot(slot);
            if self.may_park(slot) {
                self.park(slot);
            } else {
                self.forget(slot);
            }
        }
    }

    /// Takes the connection away from its session.
    fn disconnect_slot(&mut self, slot: u32) {
        self.live -= 1;
        self.leave_engine(slot);
        self.close_portico(slot);
        self.stay_away(slot);
        self.look_away(slot);
        self.close_page(slot);
        let mut sink = std::mem::take(&mut self.sinks[slot as usize]);
        self.xhr_ended(slot, &sink);
        if let Some(source) = sink.source() {
            // A socket that was never watched has nothing to be taken off.
            let _ = self.poll.registry().deregister(source);
        }
        self.masks[slot as usize] = 0;
        let mut subs =
            self.clients.get_mut(slot).map(|c| std::mem::take(&mut c.session.subs)).unwrap_or_default();
        for sub in &mut subs {
            self.unlist(slot, sub);
            sub.place = None;
        }
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.session.subs = subs;
        if let Some(pipe) = client.pipe.take() {
            pipe.end();
        }
        client.seat = None;
        client.backlog = None;
        client.unread = None;
        client.waiting = None;
        client.catching = None;
        if std::mem::take(&mut client.everything) {
            let app = usize::from(client.app);
            self.bell.forget_everything();
            self.cohort_mut(app, slot).everything.retain(|other| *other != slot);
        }
    }

    fn may_park(&self, slot: u32) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        // Its clients come back as somebody new, with another socket's name.
        if client.variant.is_pusher() || client.variant.is_portico() || client.variant == Variant::AppointEase
        {
            return false;
        }
        let present = client.session.entered.is_some();
        (present || !client.transient)
            && client.session.is_worth_parking()
            && self.sessions.get(&client.session.id) == Some(&slot)
            && client.session.identity.principal != Principal::Backend
    }

    /// Keeps the session for its client, within the bounds of the address and of the shard.
    fn park(&mut self, slot: u32) {
        let (window, grace) = (self.tuning.resume_window, self.tuning.presence_grace);
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.parked = true;
        let (peer, stamp, present) = (client.peer, client.stamp, client.session.entered.is_some());
        if present {
            self.set_alarm(slot, grace.min(window), What::Grace);
        }
        self.set_alarm(slot, window, What::Forget);
        self.parked.push_back((slot, stamp));
        self.parked_count += 1;
        let of_address = self.parked_by_address.entry(peer).or_default();
        *of_address += 1;
        // Sessions of an earlier version's run have no address, and must not crowd each other out.
        if *of_address > self.tuning.parked_per_address && !peer.is_unspecified() {
            let oldest = self.parked.iter().copied().find(|place| {
                self.is_parked(*place) && self.clients.get(place.0).is_some_and(|client| client.peer == peer)
            });
            oldest.into_iter().for_each(|(slot, _)| self.forget(slot));
        }
        while self.parked_count > self.tuning.parked {
            let Some(place) = self.parked.pop_front() else { break };
            if self.is_parked(place) {
                self.forget(place.0);
            }
        }
        if self.parked.len() > 2 * self.parked_count + 1_024 {
            let parked = std::mem::take(&mut self.parked);
            self.parked = parked.into_iter().filter(|place| self.is_parked(*place)).collect();
        }
    }

    fn is_parked(&self, (slot, stamp): (u32, u32)) -> bool {
        self.clients.get(slot).is_some_and(|client| client.stamp == stamp && client.parked)
    }

    /// Ends the session for good: whoever was present leaves now.
    pub(super) fn forget(&mut self, slot: u32) {
        self.forsake_presence(slot);
        self.leave_session(slot);
        self.free(slot);
    }

    /// Takes the session out of every presence.
    pub(super) fn forsake_presence(&mut self, slot: u32) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let entered = client.session.entered.take();
        for presence in entered.into_iter().flat_map(|entered| *entered) {
            self.leave_as(slot, &presence);
        }
    }

    /// Gives the slot and its channels back.
    fn free(&mut self, slot: u32) {
        let Some(client) = self.clients.remove(slot) else { return };
        for sub in &client.session.subs {
            let view = &mut self.views[usize::from(client.app)];
            view.channels.give_back(sub.channel);
            view.lenses.give_back(sub.lens);
        }
        self.flags[slot as usize] = flag::GONE;
        if client.parked {
            self.parked_count -= 1;
            if let Some(count) = self.parked_by_address.get_mut(&client.peer) {
                *count -= 1;
                if *count == 0 {
                    self.parked_by_address.remove(&client.peer);
                }
            }
        }
    }

    /// Takes a session out of its slot for a newer connection of its client.
    pub(super) fn release(&mut self, claim: &Claim) -> Option<Moved> {
        let slot = *self.sessions.get(&claim.session)?;
        let own = claim.client == self.handle(slot);
        let client = self.clients.get(slot)?;
        if own || usize::from(client.app) != claim.app {
            return None;
        }
        let subs = self.sub_list(slot);
        self.leave_session(slot);
        let client = self.clients.get_mut(slot)?;
        let rooms = client.socketio.as_ref().map(|talker| talker.rooms()).unwrap_or_default();
        let session = &mut client.session;
        let moved = Moved {
            app: usize::from(client.app),
            peer: client.peer,
            id: session.id,
            generation: session.generation.wrapping_add(1),
            public: session.public.clone(),
            identity: session.identity.clone(),
            subs,
            entered: session.entered.take().map(|entered| *entered).unwrap_or_default(),
            rooms,
        };
        if self.flagged(slot, flag::GONE) {
            self.free(slot);
        } else {
            // The older connection may still live in a sleeping tab; it must not speak any more.
            self.close(slot, code::SUPERSEDED, "superseded: another connection has resumed this session");
        }
        Some(moved)
    }

    /// A session without a connection waits here for its client.
    pub(super) fn park_moved(&mut self, moved: Moved) {
        let (app, peer) = (moved.app, moved.peer);
        let mut session = Session::new(moved.id, PublicId(0), moved.identity);
        session.public = moved.public;
        session.generation = moved.generation;
        session.entered = (!moved.entered.is_empty()).then(|| Box::new(moved.entered));
        for (channel, start) in &moved.subs {
            let channel = self.views[app].channels.take(channel);
            session.subs.push(Sub {
                channel,
                lens: PLAIN,
                watch: false,
                words: 0,
                place: None,
                start: Some(Box::new(start.clone())),
            });
        }
        let mut client = Client::new(app as u16, Variant::NativeWs, peer, session, self.now);
        if !moved.rooms.is_empty() {
            client.variant = Variant::SocketIo(0);
            client.socketio = Some(Box::new(Talker::absent(moved.rooms, self.now)));
        }
        let slot = self.clients.insert(client);
        self.grow();
        self.flags[slot as usize] = flag::GONE;
        self.enter_session(slot);
        let client = self.clients.get(slot);
        let again: Vec<Entered> =
            client.and_then(|c| c.session.entered.as_deref().cloned()).unwrap_or_default();
        for presence in again {
            // Presence continues under the new generation until the grace is over.
            let _ = self.enter_as(slot, &presence.channel, presence.data);
        }
        self.park(slot);
    }

    /// Sessions of the run before wait for their clients.
    pub(super) fn adopt(&mut self, sessions: Vec<CarriedSession>) {
        for carried in sessions {
            let app = self.hub.apps.of_id(carried.app).map(|app| app.index);
            let (Some(app), Some(identity)) = (app, carried.identity.identity()) else {
                self.hub.directory.leave(SessionId(carried.id), self.number);
                continue;
            };
            let mut public = deskbell_core::session::PublicIds::default();
            carried.public.iter().for_each(|id| public.push(PublicId(*id)));
            let name = |text: &String| ChannelName::parse(text).ok();
            let moved = Moved {
                app,
                peer: carried.peer.unwrap_or(IpAddr::from([0, 0, 0, 0])),
                id: SessionId(carried.id),
                generation: carried.generation.wrapping_add(1),
                public,
                identity: Arc::new(identity),
                subs: carried.subs.iter().filter_map(name).map(|name| (name, Start::default())).collect(),
                entered: carried
                    .entered
                    .iter()
                    .filter_map(|(channel, data)| {
                        Some(Entered { channel: name(channel)?, data: data.clone().into(), member: None })
                    })
                    .collect(),
                rooms: carried
                    .rooms
                    .iter()
                    .map(|(namespace, name, kind, right)| Room {
                        namespace: (&**namespace).into(),
                        name: (&**name).into(),
                        kind: *kind,
                        right: *right,
                    })
                    .collect(),
            };
            self.park_moved(moved);
        }
    }

    /// Ends the sessions that fit, for good.
    pub(super) fn disconnect(&mut self, whom: &Whom, done: oneshot::Sender<usize>) {
        let fits = |client: &Client| match whom {
            Whom::User(app, user) => {
                usize::from(client.app) == *app
                    && (client.session.identity.user_id() == Some(user) || client.session.is_there_as(user))
            }
            Whom::Session(app, id) => usize::from(client.app) == *app && client.session.public.contains(*id),
        };
        let slots: Vec<u32> =
            self.clients.iter().filter(|(_, client)| fits(client)).map(|(slot, _)| slot).collect();
        for slot in &slots {
            self.end_session(*slot, code::DISCONNECTED, "disconnected by the operator");
        }
        // Whoever asked may have given up; the sessions are ended all the same.
        let _ = done.send(slots.len());
    }

    /// Ends everything of an app that was taken away.
    pub(super) fn leave_app(&mut self, app: usize) {
        let own = |client: &Client| usize::from(client.app) == app;
        let slots: Vec<u32> =
            self.clients.iter().filter(|(_, client)| own(client)).map(|(slot, _)| slot).collect();
        for slot in slots {
            self.end_session(slot, code::NO_APP, "the app was taken away");
        }
    }

    /// Ends a session for good, with its connection if it has one.
    pub(super) fn end_session(&mut self, slot: u32, code: u16, reason: &str) {
        let live = !self.flagged(slot, flag::GONE);
        if live {
            self.show_out(slot);
            self.close(slot, code, reason);
        }
        self.leave_session(slot);
        if !live {
            self.forget(slot);
        }
    }

    /// Tells operators about the sessions here.
    pub(super) fn tell_sessions(
        &mut self,
        app: usize,
        limit: usize,
        done: oneshot::Sender<Vec<SessionFacts>>,
    ) {
        let facts = |(slot, client): (u32, &Client)| SessionFacts {
            session: client.session.public_id().to_string(),
            principal: client.session.identity.principal.to_string(),
            transport: if self.flagged(slot, flag::GONE) { "parked" } else { client.variant.transport() },
            address: client.peer.to_string(),
            channels: self.sub_list(slot).into_iter().map(|(name, _)| name.to_string()).collect(),
            catching: self.flagged(slot, flag::CATCHING),
        };
        let here = self.clients.iter().filter(|(_, client)| usize::from(client.app) == app);
        let _ = done.send(here.take(limit).map(facts).collect());
    }

    /// Tells operators which channels are listened to here.
    pub(super) fn tell_occupancy(&self, app: usize, done: oneshot::Sender<Vec<(String, usize)>>) {
        let occupied = self.views[app].channels.occupied();
        let _ = done.send(occupied.map(|(name, listeners)| (name.to_string(), listeners)).collect());
    }

    /// Closes everybody, each at its own moment within the given time, or less where few are here.
    pub(super) fn start_drain(&mut self, over_ms: u64, done: oneshot::Sender<Vec<CarriedSession>>) {
        self.drain = Some(done);
        let live: Vec<u32> = self
            .clients
            .iter()
            .map(|(slot, _)| slot)
            .filter(|slot| !self.flagged(*slot, flag::GONE))
            .collect();
        let spread = (over_ms - over_ms / 10).min(live.len() as u64 * limits::DRAIN_PER_CONNECTION);
        for slot in live {
            let moment = clock::random_below(spread.max(1));
            self.set_alarm(slot, moment, What::Drain);
        }
    }

    /// Is everybody being closed?
    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// It is this client's turn to go.
    pub(super) fn drain_client(&mut self, slot: u32) {
        if self.flagged(slot, flag::POLL) {
            self.answer_poll(slot);
            return;
        }
        let reconnect_in_ms = 500 + clock::random_below(3_000);
        self.say(slot, &Notice::Closing { reconnect_in_ms }, &Reference::none());
        self.flush(slot);
        self.close(slot, code::RESTART, "restart: come back and resume");
    }

    /// Everybody has gone, so the sessions can be carried over.
    pub(super) fn has_drained(&mut self) -> bool {
        if self.drain.is_none() || self.live > 0 {
            return false;
        }
        let sessions = self.clients.iter().filter_map(|(slot, client)| self.carried(slot, client)).collect();
        if let Some(done) = self.drain.take() {
            // A server that no longer waits for the list starts anew: clients resume by cursor.
            let _ = done.send(sessions);
        }
        true
    }

    fn carried(&self, slot: u32, client: &Client) -> Option<CarriedSession> {
        let entered = client.session.entered.iter().flat_map(|entered| entered.iter());
        Some(CarriedSession {
            app: self.hub.apps[usize::from(client.app)].id.0,
            id: client.session.id.0,
            generation: client.session.generation,
            peer: Some(client.peer),
            public: client.session.public.as_slice().iter().map(|id| id.0).collect(),
            identity: CarriedIdentity::of(&client.session.identity)?,
            subs: self.sub_list(slot).into_iter().map(|(name, _)| name.to_string()).collect(),
            entered: entered
                .map(|e| (e.channel.to_string(), String::from_utf8_lossy(&e.data).into_owned()))
                .collect(),
            rooms: client
                .socketio
                .iter()
                .flat_map(|talker| talker.rooms())
                .map(|room| (room.namespace.to_string(), room.name.to_string(), room.kind, room.right))
                .collect(),
        })
    }
}

//! Sessions without a connection: they wait for their clients within bounds, move to newer connections, and are
//! taken over from the run before.

use std::net::IpAddr;
use std::sync::Arc;

use deskbell_core::ids::{ChannelName, Principal, PublicId};
use deskbell_core::session::{PublicIds, SessionId};

use super::client::Client;
use super::depart::code;
use super::frames::Variant;
use super::lens::PLAIN;
use super::mailbox::Claim;
use super::session::{CarriedSession, Entered, Moved, Session, Start, Sub};
use super::socketio::{Room, Talker};
use super::timers::What;
use super::{Shard, flag};

impl Shard {
    pub(super) fn may_park(&self, slot: u32) -> bool {
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
    pub(super) fn park(&mut self, slot: u32) {
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
            let mut public = PublicIds::default();
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
}

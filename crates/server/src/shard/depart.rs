//! Connections end, and with them the sessions that wait for nobody.

use tokio::sync::oneshot;

use super::client::Client;
use super::mailbox::{SessionFacts, Whom};
use super::{Shard, flag};

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
    pub(super) fn free(&mut self, slot: u32) {
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
}

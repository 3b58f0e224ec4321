//! A stop: everybody is closed at a moment of their own, and the sessions are carried to the next run.

use deskbell_core::limits;
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;
use tokio::sync::oneshot;

use super::client::Client;
use super::depart::code;
use super::session::{CarriedIdentity, CarriedSession};
use super::timers::What;
use super::{Shard, flag};
use crate::clock;

impl Shard {
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

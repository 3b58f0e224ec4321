//! Clients that come by requests instead of a WebSocket. To a shard they are clients like all others: what differs
//! is that their sink is one body after the other, and that between two of them it blocks.

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::limits::{self, Millis};
use deskbell_wire::native::Reference;
use deskbell_wire::pusher::xhr;
use tokio::sync::oneshot;

use super::super::body::{Ending, Pipe, Piped};
use super::super::mailbox::XhrName;
use super::super::sink::{Sink, Wrote};
use super::super::timers::What;
use super::super::{Shard, flag};

/// What such a client receives by.
#[derive(Debug)]
pub struct Receiving {
    name: XhrName,
    pipe: Arc<Pipe>,
    /// How much went out on this body, as the client counts.
    sent: usize,
    /// Since when it has no body.
    away: Option<Millis>,
    /// An alarm is set that looks at that.
    watched: bool,
}

impl Receiving {
    /// Writes without waiting. A body that is over or long enough takes nothing more: the next one does.
    pub fn write(&mut self, bytes: &Bytes) -> Wrote {
        if self.sent > limits::XHR_STREAM {
            return Wrote::Part(0);
        }
        match self.pipe.push(bytes.clone()) {
            Piped::Taken => {
                self.sent += xhr::units(bytes);
                Wrote::All
            }
            Piped::Full | Piped::Gone => Wrote::Part(0),
        }
    }
}

impl Shard {
    /// A new client, with its first body.
    pub(in super::super) fn arrive_by_request(&mut self, slot: u32, name: XhrName, pipe: Arc<Pipe>) {
        if let Some(earlier) = self.by_request.get(&name).copied() {
            // Two first requests of one client have met: it is told that this one lost its connection.
            self.doom(earlier);
        }
        self.by_request.insert(name.clone(), slot);
        pipe.belongs_to(self.mailbox.clone(), self.handle(slot));
        if let Some(client) = self.clients.get_mut(slot) {
            client.pipe = Some(pipe.clone());
        }
        let receiving = Receiving { name, pipe, sent: 0, away: None, watched: false };
        self.sinks[slot as usize] = Sink::Xhr(Box::new(receiving));
        self.watch_life(slot);
        if let Some(variant) = self.clients.get(slot).map(|client| client.variant) {
            variant.greet(&mut self.out);
        }
        let cursor = self.cursor(slot);
        self.welcome(slot, &cursor, false, &Reference::none());
        self.flush(slot);
    }

    /// Who has this name, if it is still there.
    fn by_request(&self, name: &XhrName) -> Option<u32> {
        self.by_request.get(name).copied().filter(|slot| !self.flagged(*slot, flag::GONE))
    }

    /// The next body of a client.
    pub(in super::super) fn xhr_receive(
        &mut self,
        name: &XhrName,
        pipe: Arc<Pipe>,
        done: oneshot::Sender<bool>,
    ) {
        let Some(slot) = self.by_request(name) else {
            // Whoever asked may have given up.
            let _ = done.send(false);
            return;
        };
        let handle = self.handle(slot);
        let (Some(client), Sink::Xhr(receiving)) =
            (self.clients.get_mut(slot), &mut self.sinks[slot as usize])
        else {
            return;
        };
        if receiving.pipe.ending() == Ending::Lost {
            // What was on its way is gone, so this client must not go on as if nothing had happened.
            let _ = done.send(false);
            self.doom(slot);
            return;
        }
        let _ = done.send(true);
        pipe.belongs_to(self.mailbox.clone(), handle);
        client.heard = self.now;
        client.pipe = Some(pipe.clone());
        let earlier = std::mem::replace(&mut receiving.pipe, pipe);
        (receiving.sent, receiving.away) = (0, None);
        for unread in earlier.retire() {
            // A fresh body takes as much as the one before it held.
            let _ = receiving.write(&unread);
        }
        self.writable(slot);
    }

    /// What a client says.
    pub(in super::super) fn xhr_send(
        &mut self,
        name: &XhrName,
        frames: &[String],
        done: oneshot::Sender<bool>,
    ) {
        let slot = self.by_request(name);
        let _ = done.send(slot.is_some());
        let Some(slot) = slot else { return };
        if let Some(client) = self.clients.get_mut(slot) {
            client.heard = self.now;
        }
        if frames.is_empty() {
            self.out.extend_from_slice(xhr::ALIVE);
        }
        for frame in frames {
            if self.flagged(slot, flag::GONE | flag::CLOSING) {
                break;
            }
            self.take_text(slot, frame);
            if self.out.len() >= limits::READ_PER_TURN {
                self.flush(slot);
            }
        }
        self.flush(slot);
        // On a socket it would not be read any more; here it goes on asking without taking the answers.
        if self.waiting_bytes(slot) > self.tuning.backlog {
            self.hub.metrics.slow_closed.inc();
            self.doom(slot);
        }
    }

    /// A body has room, or is over. True where it was such a client's.
    pub(in super::super) fn xhr_event(&mut self, slot: u32) -> bool {
        let Sink::Xhr(receiving) = &mut self.sinks[slot as usize] else { return false };
        match receiving.pipe.ending() {
            Ending::Open => self.writable(slot),
            Ending::Lost => self.doom(slot),
            Ending::Over => {
                receiving.away = Some(self.now);
                if !std::mem::replace(&mut receiving.watched, true) {
                    self.set_alarm(slot, limits::XHR_AWAY, What::Away);
                }
            }
        }
        true
    }

    /// Whoever does not come back for the next body has gone.
    pub(in super::super) fn check_away(&mut self, slot: u32) {
        let Sink::Xhr(receiving) = &mut self.sinks[slot as usize] else { return };
        let Some(since) = receiving.away else {
            receiving.watched = false;
            return;
        };
        let until = since + limits::XHR_AWAY;
        if until <= self.now {
            self.doom(slot);
        } else {
            self.set_alarm(slot, until - self.now, What::Away);
        }
    }

    /// The connection is over, and its name with it.
    pub(in super::super) fn xhr_ended(&mut self, slot: u32, sink: &Sink) {
        if let Sink::Xhr(receiving) = sink
            && self.by_request.get(&receiving.name) == Some(&slot)
        {
            self.by_request.remove(&receiving.name);
        }
    }
}

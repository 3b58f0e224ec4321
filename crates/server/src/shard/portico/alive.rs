//! Signs of life: this dialect's own, and those of WebSockets, which prove how far a page has come.

use deskbell_wire::portico::pulse::{Beat, Rooms};
use deskbell_wire::portico::said;

use super::super::Shard;
use super::super::depart::code;
use super::super::timers::What;
use crate::clock;

impl Shard {
    /// Asks a page for what is due, and gives up one that has gone.
    pub(in super::super) fn check_portico(&mut self, slot: u32) {
        let Some(client) = self.clients.get(slot) else { return };
        let (heard, variant) = (client.heard, client.variant);
        // A session of Engine.IO looks after its client itself.
        let own = !variant.is_socketio();
        if own && self.now.saturating_sub(heard) > self.tuning.silence {
            self.close(slot, code::SILENT, "silent: no sign of life; come back");
            return;
        }
        let (rooms, now) = (self.in_rooms(slot), self.now);
        // One that an earlier visit of the same connection has set goes off for nothing.
        let Some(page) = self.portico_mut(slot).filter(|page| page.alarm <= now) else { return };
        page.pulse.heard(heard);
        for beat in page.pulse.due(rooms, now) {
            match beat {
                Beat::ServerPing => {
                    let random = clock::random_u64();
                    self.tell_portico(slot, |stamp| said::server_ping(random, stamp));
                }
                Beat::RoomPing => {
                    for room in self.entities_of(slot) {
                        self.tell_portico(slot, |stamp| said::room_ping(room.as_str(), stamp));
                    }
                }
                Beat::LeaveRooms => {
                    for room in self.entities_of(slot) {
                        self.drop_sub(slot, &room);
                    }
                }
            }
        }
        if own {
            variant.heartbeat("", &mut self.out);
            self.portico_is_asked(slot);
        }
        self.flush(slot);
        self.watch_portico(slot);
    }

    /// Looks again when the next thing is due.
    pub(in super::super) fn watch_portico(&mut self, slot: u32) {
        let (rooms, now, rhythm) = (self.in_rooms(slot), self.now, self.tuning.portico);
        // A page may enter a room in the meantime, and nothing wakes this up for it.
        let longest = self.tuning.heartbeat.min(rhythm.room_ping).min(rhythm.silence);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let heard = client.heard;
        let Some(page) = client.portico.as_deref_mut() else { return };
        page.pulse.heard(heard);
        let after = page.pulse.next(rooms).saturating_sub(now).clamp(1, longest);
        page.alarm = now + after;
        let what = if client.variant.is_socketio() { What::Pulse } else { What::Life };
        self.set_alarm(slot, after, what);
    }

    /// A sign of life was just asked for, behind everything that was sent so far: whoever answers has all of that.
    pub(in super::super) fn portico_is_asked(&mut self, slot: u32) {
        let stands = self.stands_at(slot);
        if let (Some(page), Some(at)) = (self.portico_mut(slot), stands) {
            page.pinged = at;
        }
    }

    fn in_rooms(&self, slot: u32) -> Rooms {
        if self.entities_of(slot).is_empty() { Rooms::None } else { Rooms::Some }
    }

    /// The answer to such a question has come.
    pub(in super::super) fn portico_proves(&mut self, slot: u32) {
        if let Some(page) = self.portico_mut(slot) {
            page.sure = page.pinged;
        }
    }

    /// A page says goodbye by itself: it has read what came before, and what is told from here on it does not hear.
    pub(in super::super) fn portico_parts(&mut self, slot: u32) {
        if !self.is_portico(slot) || self.waiting_bytes(slot) > 0 {
            return;
        }
        let stands = self.stands_at(slot);
        if let (Some(page), Some(at)) = (self.portico_mut(slot), stands) {
            (page.sure, page.pinged) = (at, at);
        }
    }
}

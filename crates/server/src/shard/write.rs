//! Sinks that block, and the bounded backlog that waits for them.

use std::collections::VecDeque;

use bytes::Bytes;
use deskbell_core::limits::{self, Millis};
use deskbell_core::position::Position;

use super::mailbox::Handle;
use super::sink::Wrote;
use super::timers::What;
use super::{Shard, flag};

/// Bytes that a sink did not take yet.
#[derive(Debug)]
pub struct Backlog {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    /// Since when nothing went out.
    pub stuck_since: Millis,
}

impl Shard {
    /// Writes bytes that belong to this client alone. They are never dropped: a client is not read
    /// while it is blocked, so what it can ask for in that time is bounded.
    pub(super) fn send(&mut self, slot: u32, bytes: Bytes) {
        if self.flagged(slot, flag::GONE | flag::CLOSING) || bytes.is_empty() {
            return;
        }
        if self.flagged(slot, flag::BLOCKED) {
            self.queue(slot, bytes);
            return;
        }
        if self.flagged(slot, flag::PACKETS) {
            self.polls.push(slot);
        }
        match self.sinks[slot as usize].write(&bytes) {
            Wrote::All => {}
            other => self.stalled(slot, other, &bytes),
        }
    }

    /// Hands joined frames of a turn to one subscriber. `before` is where it stood before them.
    pub(super) fn hand(&mut self, slot: u32, bytes: &Bytes, before: &Position) {
        // Not every dialect has a frame for every entry.
        if bytes.is_empty() {
            return;
        }
        if self.flags[slot as usize] != 0 {
            self.hand_slowly(slot, bytes, before);
            return;
        }
        match self.sinks[slot as usize].write(bytes) {
            Wrote::All => {}
            other => self.stalled(slot, other, bytes),
        }
    }

    fn hand_slowly(&mut self, slot: u32, bytes: &Bytes, before: &Position) {
        if self.flagged(slot, flag::GONE | flag::CLOSING | flag::CATCHING) {
            return;
        }
        if self.flagged(slot, flag::POLL) {
            // A poll's sink only collects, so it takes everything.
            let _ = self.sinks[slot as usize].write(bytes);
            self.polls.push(slot);
            return;
        }
        if self.flagged(slot, flag::PACKETS) && !self.flagged(slot, flag::BLOCKED) {
            self.send(slot, bytes.clone());
            return;
        }
        if self.waiting_bytes(slot) + bytes.len() > self.tuning.backlog {
            self.fall_behind(slot, *before);
            return;
        }
        self.queue(slot, bytes.clone());
    }

    /// The sink took less than it was given.
    pub(super) fn stalled(&mut self, slot: u32, wrote: Wrote, bytes: &Bytes) {
        match wrote {
            Wrote::All => {}
            Wrote::Gone => self.doom(slot),
            Wrote::Part(taken) => {
                self.flags[slot as usize] |= flag::BLOCKED;
                self.queue(slot, bytes.slice(taken..));
            }
        }
    }

    /// How many bytes wait for a client's sink.
    pub(super) fn waiting_bytes(&self, slot: u32) -> usize {
        self.clients.get(slot).and_then(|client| client.backlog.as_ref()).map_or(0, |backlog| backlog.bytes)
    }

    /// What waits here now waits behind what another backlog has.
    pub(super) fn put_before(&mut self, slot: u32, first: Option<Box<Backlog>>) {
        let (Some(client), Some(mut first)) = (self.clients.get_mut(slot), first) else { return };
        if let Some(mut then) = client.backlog.take() {
            first.bytes += then.bytes;
            first.chunks.append(&mut then.chunks);
        }
        client.backlog = Some(first);
    }

    fn queue(&mut self, slot: u32, bytes: Bytes) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(slot) else { return };
        let backlog = client
            .backlog
            .get_or_insert_with(|| Box::new(Backlog { chunks: VecDeque::new(), bytes: 0, stuck_since: now }));
        backlog.bytes += bytes.len();
        backlog.chunks.push_back(bytes);
    }

    /// The sink has room again.
    pub(super) fn writable(&mut self, slot: u32) {
        if self.flagged(slot, flag::GONE) || !self.flagged(slot, flag::BLOCKED) {
            if self.sinks[slot as usize].has_ciphertext() {
                let _ = self.sinks[slot as usize].write(&Bytes::new());
            }
            return;
        }
        let now = self.now;
        if self.flagged(slot, flag::PACKETS) {
            self.polls.push(slot);
        }
        let Some(client) = self.clients.get_mut(slot) else { return };
        let mut backlog = client.backlog.take();
        while let Some(chunk) = backlog.as_mut().and_then(|b| b.chunks.pop_front()) {
            let wrote = self.sinks[slot as usize].write(&chunk);
            let Some(waiting) = backlog.as_mut() else { break };
            match wrote {
                Wrote::All => waiting.bytes -= chunk.len(),
                Wrote::Gone => {
                    self.doom(slot);
                    return;
                }
                Wrote::Part(taken) => {
                    waiting.bytes -= taken;
                    if taken > 0 {
                        waiting.stuck_since = now;
                    }
                    waiting.chunks.push_front(chunk.slice(taken..));
                    if let Some(client) = self.clients.get_mut(slot) {
                        client.backlog = backlog;
                    }
                    return;
                }
            }
            waiting.stuck_since = now;
        }
        self.unblocked(slot);
    }

    fn unblocked(&mut self, slot: u32) {
        self.flags[slot as usize] &= !flag::BLOCKED;
        let Some(client) = self.clients.get(slot) else { return };
        if self.flagged(slot, flag::CLOSING) {
            self.hang_up(slot);
            return;
        }
        if client.catching.is_some() {
            self.catch.push_back(slot);
        }
        if client.readable || client.unread.is_some() {
            self.ready.push_back(slot);
        }
    }

    /// A body has room again, or its reader is gone.
    pub(super) fn pipe_event(&mut self, handle: Handle) {
        if !self.is_here(handle) || self.xhr_event(handle.slot) {
            return;
        }
        let gone =
            self.clients.get(handle.slot).and_then(|c| c.pipe.as_ref()).is_none_or(|pipe| pipe.is_gone());
        if gone {
            self.doom(handle.slot);
        } else {
            self.writable(handle.slot);
        }
    }

    /// Does the client make no progress for too long?
    pub(super) fn is_stuck(&self, slot: u32, patience: Millis) -> bool {
        let backlog = self.clients.get(slot).and_then(|client| client.backlog.as_ref());
        backlog.is_some_and(|backlog| backlog.stuck_since + patience < self.now)
    }

    /// Ends the connection with this turn.
    pub(super) fn doom(&mut self, slot: u32) {
        if !self.flagged(slot, flag::GONE) {
            self.flags[slot as usize] |= flag::GONE;
            self.doomed.push(slot);
        }
    }

    /// Says goodbye; nothing more is said after it.
    pub(super) fn close(&mut self, slot: u32, code: u16, reason: &str) {
        if self.flagged(slot, flag::GONE | flag::CLOSING) {
            return;
        }
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        variant.close(code, reason, &mut self.out);
        self.flush(slot);
        if self.flagged(slot, flag::GONE) {
            return;
        }
        self.flags[slot as usize] |= flag::CLOSING;
        // Whoever does not read does not get its goodbye either, and is not waited for.
        self.set_alarm(slot, limits::LINGER, What::Linger);
        if !self.flagged(slot, flag::BLOCKED) {
            self.hang_up(slot);
        }
    }

    /// The goodbye has gone out: our side of the connection ends. The other side is read to its end,
    /// because closing over unread bytes would be a reset, which can destroy the goodbye on its way.
    fn hang_up(&mut self, slot: u32) {
        if self.sinks[slot as usize].end() {
            self.ready.push_back(slot);
        } else {
            self.doom(slot);
        }
    }
}

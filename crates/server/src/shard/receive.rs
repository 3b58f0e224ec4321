//! Bytes from sockets become commands.

use deskbell_core::ids::Principal;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::{Command, Notice};
use deskbell_wire::native::{self, Reference};
use deskbell_wire::websocket::encode as websocket;
use deskbell_wire::websocket::{Decoder, Item, Limits, Opcode, Role, Violation};
use mio::event::Event;
use std::io::ErrorKind;

use super::frames::Variant;
use super::sink::Sink;
use super::{Shard, flag};
use crate::limiter::Purpose;

/// The most that an echo test may send: the conformance suite's largest message.
const ECHO_LIMITS: Limits = Limits { max_frame: 16 * 1024 * 1024, max_message: 16 * 1024 * 1024 };

impl Shard {
    /// The poll saw something on a socket.
    pub(super) fn socket_event(&mut self, slot: u32, event: &Event) {
        if self.clients.get(slot).is_none() {
            return;
        }
        if event.is_writable() {
            self.writable(slot);
        }
        if event.is_readable() || event.is_read_closed() {
            if let Some(client) = self.clients.get_mut(slot) {
                client.readable = true;
                client.ended |= event.is_read_closed() || event.is_error();
            }
            self.receive(slot);
        }
    }

    /// Reads and acts, up to a bound, then lets the others have their turn.
    pub(super) fn receive(&mut self, slot: u32) {
        if self.flagged(slot, flag::CLOSING) {
            self.read_to_end(slot);
            return;
        }
        if self.is_held(slot) {
            return;
        }
        if let Some(unread) = self.clients.get_mut(slot).and_then(|client| client.unread.take()) {
            let mut bytes = *unread;
            self.take_bytes(slot, &mut bytes);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut taken = 0;
        while !self.is_held(slot) && self.clients.get(slot).is_some_and(|client| client.readable) {
            if taken >= limits::READ_PER_TURN {
                self.ready.push_back(slot);
                break;
            }
            match self.sinks[slot as usize].read(&mut scratch) {
                Ok(0) => self.doom(slot),
                Ok(n) => {
                    taken += n;
                    self.take_bytes(slot, &mut scratch[..n]);
                    let is_short = n < scratch.len() && matches!(self.sinks[slot as usize], Sink::Tcp(_));
                    // The poll tells of what comes after a short read, but of an end once only.
                    if is_short && self.clients.get(slot).is_some_and(|client| !client.ended) {
                        self.has_read(slot);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.has_read(slot),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.doom(slot),
            }
        }
        self.scratch = scratch;
        self.flush(slot);
        self.move_over(slot);
    }

    /// Nothing more is there: the poll will tell of what comes.
    fn has_read(&mut self, slot: u32) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.readable = false;
        }
    }

    /// Reads and drops what still comes after our goodbye, until the other side ends.
    fn read_to_end(&mut self, slot: u32) {
        if self.flagged(slot, flag::GONE) {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.sinks[slot as usize].read(&mut scratch) {
            Ok(n) if n > 0 => self.ready.push_back(slot),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.ready.push_back(slot),
            Ok(_) | Err(_) => self.doom(slot),
        }
        self.scratch = scratch;
    }

    /// Nothing is read from a client that is gone, says goodbye, is slow to take its replies, or
    /// waits for something that its next frames depend on.
    fn is_held(&self, slot: u32) -> bool {
        let Some(client) = self.clients.get(slot) else { return true };
        // A client that polls sends and takes by turns.
        let full = self.flagged(slot, flag::BLOCKED) && !self.flagged(slot, flag::PACKETS);
        self.flagged(slot, flag::GONE | flag::CLOSING)
            || full
            || client.socketio.as_ref().is_some_and(|talker| talker.is_moving())
            || client.waiting.is_some()
            || client.catching.as_ref().is_some_and(|catching| catching.asked || catching.late.is_some())
            || usize::from(client.parked_frames) >= limits::PARKED_FRAMES
    }

    pub(super) fn take_bytes(&mut self, slot: u32, bytes: &mut [u8]) {
        let most = self.socketio_terms(slot).max_payload;
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.heard = self.now;
        let variant = client.variant;
        let echo = matches!(variant, Variant::Echo | Variant::EchoDeflate);
        let most = if variant.is_socketio() { most } else { self.tuning.frame };
        let bound = Limits { max_frame: most, max_message: most };
        // The decoder is lent out, because acting on an item needs the whole shard.
        let mut decoder = std::mem::replace(&mut client.decoder, Decoder::new(Role::Server, false));
        let mut feed = decoder.feed(bytes, if echo { ECHO_LIMITS } else { bound });
        while !self.is_held(slot) {
            match feed.next_item() {
                Ok(Some(item)) if echo => self.echo(slot, &item),
                Ok(Some(item)) => {
                    self.take_item(slot, item);
                    if self.out.len() >= limits::READ_PER_TURN {
                        // Small questions can have large answers: whoever does not take these gets no more.
                        self.flush(slot);
                    }
                }
                Ok(None) => break,
                Err(violation) => self.violated(slot, violation),
            }
        }
        let rest = feed.rest();
        let unread = (!rest.is_empty() && !self.flagged(slot, flag::GONE | flag::CLOSING))
            .then(|| Box::new(rest.to_vec()));
        if let Some(client) = self.clients.get_mut(slot) {
            client.decoder = decoder;
            client.unread = unread;
        }
    }

    fn violated(&mut self, slot: u32, violation: Violation) {
        self.hub.metrics.violations.inc();
        self.flush(slot);
        self.close(slot, violation.close_code(), violation.sentence());
    }

    fn take_item(&mut self, slot: u32, item: Item<'_>) {
        match item {
            Item::Text(text) => self.take_text(slot, text),
            Item::Binary(bytes)
                if self.clients.get(slot).is_some_and(|client| client.variant.is_socketio()) =>
            {
                self.hub.metrics.messages_in.inc();
                self.take_socketio_bytes(slot, bytes);
            }
            // What is no JSON harms nothing in this dialect, and nobody is told.
            Item::Binary(_) if self.clients.get(slot).is_some_and(|client| client.variant.is_portico()) => {
                let _ = self.charge(slot);
            }
            Item::Binary(_) => {
                let no =
                    Refusal::new(Code::BadMessage, "this dialect has text messages only; send JSON as text");
                self.say(slot, &Notice::Error(&no), &Reference::none());
            }
            Item::Ping(payload) => websocket::pong_into(&mut self.out, payload),
            Item::Pong(_) => self.portico_proves(slot),
            Item::Close { code, .. } => {
                self.portico_parts(slot);
                self.flush(slot);
                self.close(slot, code.unwrap_or(1000), "");
            }
        }
    }

    pub(super) fn take_text(&mut self, slot: u32, text: &str) {
        self.hub.metrics.messages_in.inc();
        if self.clients.get(slot).is_some_and(|client| client.variant.is_pusher()) {
            self.take_pusher(slot, text);
            return;
        }
        if self.clients.get(slot).is_some_and(|client| client.variant.is_socketio()) {
            self.take_socketio(slot, text);
            return;
        }
        if self.clients.get(slot).is_some_and(|client| client.variant.is_portico()) {
            self.take_portico(slot, text);
            return;
        }
        if self.is_page(slot) {
            self.take_page(slot, text);
            return;
        }
        match native::decode_within(text, self.tuning.frame) {
            Err(rejected) => {
                if self.may_send(slot, &rejected.reference) {
                    self.say(slot, &Notice::Error(&rejected.refusal), &rejected.reference);
                }
            }
            // The answer to a sign of life costs less than its refusal would.
            Ok((Command::Ping, reference)) => self.say(slot, &Notice::Pong, &reference),
            Ok((command, reference)) => {
                if self.may_send(slot, &reference) {
                    self.act(slot, command, reference);
                }
            }
        }
    }

    /// Rates of the connection, the identity and the address.
    pub(super) fn may_send(&mut self, slot: u32, reference: &Reference) -> bool {
        match self.charge(slot) {
            Ok(()) => true,
            Err(no) => {
                self.say(slot, &Notice::Error(&no), reference);
                false
            }
        }
    }

    /// The same for whoever says no in other words.
    pub(super) fn charge(&mut self, slot: u32) -> Result<(), Refusal> {
        let (now, tuning) = (self.now, self.tuning.clone());
        let Some(client) = self.clients.get_mut(slot) else { return Ok(()) };
        let mut verdict = client.bucket.take(tuning.rate, now).map_err(|wait| ("connection", wait));
        let limiter = &self.hub.limiter;
        if verdict.is_ok() {
            let address = limiter.take(Purpose::Address, client.peer, tuning.address_rate, now);
            verdict = address.map_err(|wait| ("address", wait));
        }
        if verdict.is_ok() && !matches!(client.session.identity.principal, Principal::Backend) {
            let identity = &client.session.identity.principal;
            let identity = limiter.take(Purpose::Identity, identity, tuning.identity_rate, now);
            verdict = identity.map_err(|wait| ("identity", wait));
        }
        verdict.map_err(|(whose, wait)| {
            let sentence = format!("this {whose} sends too fast; wait {wait} ms and send this message again");
            Refusal::new(Code::RateLimited, sentence)
        })
    }

    fn echo(&mut self, slot: u32, item: &Item<'_>) {
        let deflate = self.clients.get(slot).is_some_and(|client| client.variant == Variant::EchoDeflate);
        match item {
            Item::Text(text) => {
                let frame = super::frames::echo(Opcode::Text, text.as_bytes(), deflate);
                self.send(slot, frame);
            }
            Item::Binary(bytes) => {
                let frame = super::frames::echo(Opcode::Binary, bytes, deflate);
                self.send(slot, frame);
            }
            Item::Ping(payload) => {
                let mut out = Vec::new();
                websocket::pong_into(&mut out, payload);
                self.send_frames(slot, out);
            }
            Item::Pong(_) => {}
            Item::Close { code, .. } => self.close(slot, code.unwrap_or(1000), ""),
        }
    }
}

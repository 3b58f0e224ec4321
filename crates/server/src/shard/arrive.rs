//! A new connection takes its place on the shard.

use bytes::Bytes;
use deskbell_core::ids::PublicId;
use deskbell_core::session::SessionId;
use deskbell_core::vocabulary::{Hello, Notice};
use deskbell_wire::appointease::hail::Who;
use deskbell_wire::engineio::asked::Transport;
use deskbell_wire::native::Reference;
use deskbell_wire::portico::session::Hail;
use deskbell_wire::route::Dialect;
use mio::{Interest, Token};

use super::client::Client;
use super::depart::code;
use super::frames::Variant;
use super::hello::Keys;
use super::mailbox::{Arrival, Ask, Way};
use super::session::Session;
use super::sink::{PollAnswer, Sink, Socket};
use super::socketio::{Opening, Outlet};
use super::timers::{Alarm, What};
use super::{Shard, flag};
use crate::clock;

impl Shard {
    /// Takes a connection in.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let variant = variant(&arrival.way);
        let session =
            Session::new(SessionId(clock::random_u64()), PublicId(clock::random_u64()), arrival.identity);
        let mut client = Client::new(arrival.app as u16, variant, arrival.peer, session, self.now);
        self.hub.metrics.connected.inc();
        client.seat = Some(Box::new(arrival.seat));
        client.transient = !variant.is_websocket();
        let slot = self.clients.insert(client);
        self.grow();
        self.flags[slot as usize] = 0;
        self.live += 1;
        self.attend(slot);
        self.enter_session(slot);
        if self.is_draining() {
            // It was let in before the door knew; it goes with the last of the others.
            self.set_alarm(slot, 0, What::Drain);
        }
        match arrival.way {
            Way::WebSocket { socket, greeting, read, opening, hail, who, .. } => {
                self.out = greeting;
                self.arrive_websocket(slot, socket, read, (opening.as_ref(), hail.as_deref(), who));
            }
            Way::Polling { answer, opening } => {
                let mut outlet = Outlet::new(self.hub.apps[arrival.app].polling.clone());
                outlet.wait(0, answer);
                self.sinks[slot as usize] = Sink::Packets(Box::new(outlet));
                self.flags[slot as usize] |= flag::PACKETS;
                self.set_expiry(slot);
                self.open_engine(slot, &opening, Transport::Polling);
            }
            Way::Xhr { name, pipe } => self.arrive_by_request(slot, name, pipe),
            Way::Stream { pipe, ask } => {
                if let Some(client) = self.clients.get_mut(slot) {
                    client.pipe = Some(pipe.clone());
                }
                pipe.belongs_to(self.mailbox.clone(), self.handle(slot));
                self.sinks[slot as usize] = Sink::Body(pipe);
                self.arrive_asking(slot, ask);
            }
            Way::Poll { answer, ask } => {
                // Without a cursor the answer is the head, at once.
                let at_once = ask.cursor.is_none();
                let answer = PollAnswer { to: Some(answer), events: Vec::new(), resets: Vec::new(), at_once };
                self.sinks[slot as usize] = Sink::Poll(Box::new(answer));
                self.flags[slot as usize] |= flag::POLL;
                self.set_alarm(slot, ask.wait, What::Poll);
                if at_once {
                    self.polls.push(slot);
                }
                self.arrive_asking(slot, ask);
            }
        }
        if !self.hub.apps[arrival.app].is_there() {
            // It was let in before the door knew.
            self.end_session(slot, code::NO_APP, "the app was taken away");
        }
    }

    /// The dense tables have a place for each slot.
    pub(super) fn grow(&mut self) {
        let slots = self.clients.slots();
        self.sinks.resize_with(slots, Sink::default);
        self.flags.resize(slots, 0);
        self.masks.resize(slots, 0);
        for (view, app) in self.views.iter_mut().zip(self.hub.apps.ever()) {
            view.grow(slots, &app.cursors);
        }
    }

    fn arrive_websocket(
        &mut self,
        slot: u32,
        socket: Socket,
        read: Vec<u8>,
        (opening, hail, who): (Option<&Opening>, Option<&Hail>, Option<Who>),
    ) {
        let mut sink = match socket {
            Socket::Plain(stream) => Sink::Tcp(stream),
            Socket::Tls(tls) => Sink::Tls(tls),
        };
        if let Some(source) = sink.source() {
            let both = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().register(source, Token(slot as usize), both) {
                tracing::error!(%error, "a socket could not be watched");
                self.doom(slot);
                return;
            }
        }
        self.sinks[slot as usize] = sink;
        self.set_expiry(slot);
        let echo =
            self.clients.get(slot).is_some_and(|c| matches!(c.variant, Variant::Echo | Variant::EchoDeflate));
        if let Some(opening) = opening {
            self.open_engine(slot, opening, Transport::WebSocket);
        } else if let Some(hail) = hail {
            self.open_portico(slot, hail);
        } else if let Some(who) = who {
            self.open_page(slot, who);
        } else if !echo {
            let cursor = self.cursor(slot);
            self.welcome(slot, &cursor, false, &Reference::none());
        }
        if opening.is_none() {
            self.watch_life(slot);
        }
        self.flush(slot);
        let is_tls = matches!(self.sinks[slot as usize], Sink::Tls(_));
        if let Some(client) = self.clients.get_mut(slot) {
            // The poll tells of what a socket has when it is watched, but TLS may hold plain text.
            client.readable = is_tls;
            client.unread = (!read.is_empty()).then(|| Box::new(read));
        }
        self.ready.push_back(slot);
    }

    /// SSE and poll say everything in their request: it is a hello.
    fn arrive_asking(&mut self, slot: u32, ask: Ask) {
        let stream = !self.flagged(slot, flag::POLL);
        if stream {
            let variant = self.clients.get(slot).map_or(Variant::NativeSse, |client| client.variant);
            self.watch_life(slot);
            let rotation = self.tuning.sse_rotation;
            self.set_alarm(slot, rotation * 8 / 10 + clock::random_below(rotation * 4 / 10), What::Rotate);
            let mut out = std::mem::take(&mut self.out);
            variant.greet(&mut out);
            self.out = out;
            self.flush(slot);
        }
        self.set_expiry(slot);
        if ask.all {
            self.follow_everything(slot);
            return;
        }
        let hello = Hello { token: None, resume: ask.resume, cursor: ask.cursor, channels: ask.channels };
        self.hello(slot, hello, Reference::none(), Keys::Known);
        self.flush(slot);
    }

    fn follow_everything(&mut self, slot: u32) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.everything = true;
        let app = usize::from(client.app);
        self.bell.listen_to_everything();
        self.cohort_mut(app, slot).everything.push(slot);
        let cursor = self.cursor(slot);
        self.welcome(slot, &cursor, false, &Reference::none());
        self.flush(slot);
    }

    /// Says who the client is now and where it stands.
    pub(super) fn welcome(&mut self, slot: u32, cursor: &str, resumed: bool, reference: &Reference) {
        let Some(client) = self.clients.get(slot) else { return };
        let (public, id) = (client.session.public_id(), client.session.id);
        let resume = self.hub.seals.resume_key(id);
        let is_pusher = client.variant.is_pusher();
        let heartbeat_ms = if is_pusher { self.tuning.pusher_activity } else { self.tuning.heartbeat };
        let notice = Notice::Welcome { session: public, resume: &resume, cursor, heartbeat_ms, resumed };
        self.say(slot, &notice, reference);
    }

    /// Adds a notice to the replies of the client that is being served.
    pub(super) fn say(&mut self, slot: u32, notice: &Notice<'_>, reference: &Reference) {
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        if variant == Variant::NativePoll {
            self.say_to_poll(slot, notice);
            return;
        }
        if variant.is_portico() {
            self.notify_portico(slot, notice);
            return;
        }
        if let (Variant::AppointEase, Notice::Error(refusal)) = (variant, notice) {
            self.refuse_page(slot, refusal);
            return;
        }
        if let Notice::Error(refusal) = notice {
            self.hub.metrics.refused(refusal.code);
        }
        let mut out = std::mem::take(&mut self.out);
        variant.notice(notice, reference, &mut out);
        self.out = out;
    }

    /// A poll's answer has events and resets; whatever else is said concerns only a session.
    fn say_to_poll(&mut self, slot: u32, notice: &Notice<'_>) {
        let Sink::Poll(answer) = &mut self.sinks[slot as usize] else { return };
        let part = match notice {
            Notice::Reset { .. } => &mut answer.resets,
            Notice::Event { .. } | Notice::Members { .. } => &mut answer.events,
            _ => return,
        };
        Variant::NativePoll.notice(notice, &Reference::none(), part);
        self.polls.push(slot);
    }

    /// Answers the polls that have something, and ends them.
    pub(super) fn answer_polls(&mut self) {
        for slot in std::mem::take(&mut self.polls) {
            if self.flagged(slot, flag::PACKETS) {
                self.answer_packets(slot);
                continue;
            }
            // While it reads, only events are worth an answer: behind them stands a cursor that it can
            // go on from, and behind a reset alone there is none yet.
            if !self.flagged(slot, flag::CATCHING) || self.has_poll_events(slot) {
                self.answer_poll(slot);
            }
        }
    }

    fn has_poll_events(&self, slot: u32) -> bool {
        matches!(&self.sinks[slot as usize], Sink::Poll(answer) if !answer.events.is_empty())
    }

    /// A poll has read everything; an answer that has waited for that goes out now.
    pub(super) fn poll_is_live(&mut self, slot: u32) {
        if matches!(&self.sinks[slot as usize], Sink::Poll(answer) if answer.at_once || !answer.resets.is_empty())
        {
            self.polls.push(slot);
        }
    }

    /// Answers one poll with what it has.
    pub(super) fn answer_poll(&mut self, slot: u32) {
        let cursor = self.cursor(slot);
        let Sink::Poll(answer) = &mut self.sinks[slot as usize] else { return };
        let Some(to) = answer.to.take() else { return };
        let mut body = Vec::with_capacity(answer.events.len() + answer.resets.len() + 160);
        deskbell_wire::native::poll::answer(&answer.events, &answer.resets, &cursor, &mut body);
        // A poller that has gone meanwhile asks again from its own cursor.
        let _ = to.send(body);
        self.doom(slot);
    }

    /// Sets an alarm for a client.
    pub(super) fn set_alarm(&mut self, slot: u32, after: u64, what: What) {
        let stamp = self.clients.get(slot).map_or(0, |client| client.stamp);
        self.timers.set(self.now, self.now + after, Alarm { slot, stamp, what });
    }

    /// Sends bytes that are already frames, for the echo mode.
    pub(super) fn send_frames(&mut self, slot: u32, frames: Vec<u8>) {
        self.send(slot, Bytes::from(frames));
    }
}

fn variant(way: &Way) -> Variant {
    match way {
        Way::WebSocket { echo: true, deflate: true, .. } => Variant::EchoDeflate,
        Way::WebSocket { echo: true, .. } => Variant::Echo,
        Way::Polling { opening, .. } | Way::WebSocket { opening: Some(opening), .. }
            if opening.hail.is_some() =>
        {
            Variant::PorticoIo
        }
        Way::Polling { .. } | Way::WebSocket { dialect: Dialect::SocketIo, .. } => Variant::SocketIo(0),
        Way::WebSocket { dialect: Dialect::Portico, deflate: true, .. } => Variant::PorticoWsDeflate,
        Way::WebSocket { dialect: Dialect::Portico, .. } => Variant::PorticoWs,
        Way::WebSocket { dialect: Dialect::AppointEase, .. } => Variant::AppointEase,
        Way::WebSocket { dialect: Dialect::Pusher, deflate: true, .. } => Variant::PusherWsDeflate,
        Way::WebSocket { dialect: Dialect::Pusher, .. } => Variant::PusherWs,
        Way::WebSocket { deflate: true, .. } => Variant::NativeWsDeflate,
        Way::WebSocket { .. } => Variant::NativeWs,
        Way::Xhr { .. } => Variant::PusherXhr,
        Way::Stream { .. } => Variant::NativeSse,
        Way::Poll { .. } => Variant::NativePoll,
    }
}

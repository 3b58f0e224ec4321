//! The session below: how it opens, its signs of life, the requests of a polling client, and the change to a
//! WebSocket.
//!
//! A polling client between two requests is a client whose sink is full: what it is told waits in its backlog, and
//! beyond the backlog's bound it reads on from the log, as every slow client does. A WebSocket that such a client
//! tries has a place of its own until it is accepted.

use bytes::Bytes;
use deskbell_core::limits::Millis;
use deskbell_wire::engineio::answer::Answer;
use deskbell_wire::engineio::asked::{Fault, Transport};
use deskbell_wire::engineio::open::Open;
use deskbell_wire::engineio::packet::{PROBE_ANSWER, Packet};
use deskbell_wire::engineio::{Due, Ending, Get, Over, Session, Sid, Step, payload};
use deskbell_wire::portico::session::Hail;
use deskbell_wire::websocket::{Opcode, encode as websocket};
use mio::{Interest, Token};
use tokio::sync::oneshot;

use super::super::depart::code;
use super::super::mailbox::Handle;
use super::super::sink::Sink;
use super::super::timers::What;
use super::super::{Shard, flag};
use super::Talker;

/// Codes of a close that WebSockets have themselves.
const BAD_PROTOCOL: u16 = 1002;
const NORMAL: u16 = 1000;

/// How a session begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its secret name; that of an earlier one, if the request goes on with it.
    pub sid: Sid,
    /// Whether each event may say where its reader stands: for who comes anew, and for who comes back.
    pub takes: [bool; 2],
    /// The cookies of the request, where the site's backend may be asked.
    pub cookie: Option<Box<str>>,
    /// What the cookies of a page of the Portico dialect say, where it is one.
    pub hail: Option<Box<Hail>>,
    /// The request is a WebSocket that goes on with a polling session.
    pub upgrades: bool,
}

/// What a polling client's request wants of its session.
#[derive(Debug)]
pub enum Request {
    /// What there is to say. The number names the request.
    Get(u64, oneshot::Sender<Answer>),
    /// To say something.
    Post(Bytes, oneshot::Sender<Answer>),
    /// The client has gone away from a request that waited.
    Gone(u64),
    /// It sent what is no body, or two at once: the session is over.
    Broken,
}

impl Shard {
    /// A session begins: the client is told its name.
    pub(in super::super) fn open_engine(&mut self, slot: u32, opening: &Opening, transport: Transport) {
        let (now, terms) = (self.now, self.socketio_terms(slot));
        let mut talker = Talker::new(opening, Session::new(transport, terms.timing, now), now);
        if opening.upgrades {
            self.try_websocket(slot, opening, talker);
            return;
        }
        talker.alarm = 0;
        if let Some(client) = self.clients.get_mut(slot) {
            client.socketio = Some(Box::new(talker));
            // Until it is known that its client can come back as who it was.
            client.transient = true;
        }
        let polls = transport == Transport::Polling;
        if polls {
            self.engines.insert(opening.sid, slot);
        }
        let open =
            Open { sid: opening.sid, upgrades: polls, timing: terms.timing, max_payload: terms.max_payload };
        self.utter(slot, |out| open.write_into(out));
        self.flush(slot);
        self.look_at_life(slot);
    }

    /// A WebSocket names a session of ours. While it is tried it is a client that nothing is told.
    fn try_websocket(&mut self, slot: u32, opening: &Opening, mut talker: Talker) {
        let (now, own) = (self.now, self.handle(slot));
        let main = self.engines.get(&opening.sid).copied();
        talker.tries = main.map(|main| self.handle(main));
        let may = main.and_then(|main| self.talker(main)).is_some_and(|main| {
            let may = main.engine.try_websocket(now);
            if may {
                main.trial = Some(own);
            }
            may
        });
        if let Some(client) = self.clients.get_mut(slot) {
            client.socketio = Some(Box::new(talker));
            client.transient = true;
        }
        match main.filter(|_| may) {
            Some(main) => self.look_at_life(main),
            None => self.close(slot, BAD_PROTOCOL, "this session is unknown, or has its WebSocket already"),
        }
    }

    /// A packet came over a WebSocket that is tried.
    pub(super) fn tried(&mut self, slot: u32, of: Handle, packet: &Packet<'_>) {
        let now = self.now;
        if !self.is_here(of) {
            self.close(slot, NORMAL, "the session has ended");
            return;
        }
        let Some(main) = self.talker(of.slot) else { return };
        match main.engine.tried(packet, now) {
            Step::Probe => {
                websocket::frame_into(&mut self.out, Opcode::Text, PROBE_ANSWER.as_bytes());
                self.flush(slot);
                // Whatever was handed over by now goes out with it; everything later waits for the WebSocket.
                self.answer_get(of.slot, &Packet::Noop);
            }
            Step::Upgraded => {
                if let Some(talker) = self.talker(slot) {
                    talker.moves = true;
                }
            }
            Step::Message | Step::Nothing | Step::Abandon => {
                self.close(slot, BAD_PROTOCOL, "a WebSocket that is tried says 2probe and then 5");
            }
        }
    }

    /// A WebSocket was accepted: its socket becomes the sink of the client that has polled so far. What it has
    /// said already comes along.
    pub(in super::super) fn move_over(&mut self, slot: u32) {
        let Some(of) = self.talker(slot).filter(|talker| talker.moves).and_then(|talker| talker.tries) else {
            return;
        };
        let mut sink = std::mem::take(&mut self.sinks[slot as usize]);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let decoder = std::mem::replace(
            &mut client.decoder,
            deskbell_wire::websocket::Decoder::new(deskbell_wire::websocket::Role::Server, false),
        );
        let (unread, backlog, seat) = (client.unread.take(), client.backlog.take(), client.seat.take());
        self.doom(slot);
        // Who was told goodbye while it moved hears it over the WebSocket, because it polls no more.
        if !self.is_here(of) || self.flagged(of.slot, flag::GONE) {
            return;
        }
        let main = of.slot;
        if let Some(source) = sink.source() {
            let both = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().reregister(source, Token(main as usize), both) {
                tracing::error!(%error, "a socket could not be watched");
                self.doom(main);
                return;
            }
        }
        self.answer_get(main, &Packet::Noop);
        self.sinks[main as usize] = sink;
        self.flags[main as usize] &= !flag::PACKETS;
        let Some(client) = self.clients.get_mut(main) else { return };
        client.decoder = decoder;
        client.readable = true;
        client.seat = match (seat, client.seat.take()) {
            (Some(new), Some(old)) => Some(Box::new(new.instead_of(*old))),
            (one, other) => one.or(other),
        };
        // It polled without a word behind its answer, so nothing of it can be unread.
        client.unread = unread;
        if let Some(talker) = client.socketio.as_deref_mut() {
            talker.trial = None;
        }
        // A probe's answer that the socket has not taken yet comes first.
        self.put_before(main, backlog);
        self.flags[main as usize] |= flag::BLOCKED;
        self.writable(main);
        self.look_at_life(main);
        self.ready.push_back(main);
    }

    /// A request of a polling client.
    pub(in super::super) fn engine_request(&mut self, sid: &Sid, request: Request) {
        let slot = self.engines.get(sid).copied();
        let Some(slot) = slot.filter(|slot| !self.flagged(*slot, flag::GONE)) else {
            if let Request::Get(_, to) | Request::Post(_, to) = request {
                let _ = to.send(Answer::fault(Fault::SessionUnknown));
            }
            return;
        };
        self.check_engine(slot);
        match request {
            Request::Get(number, to) => self.get(slot, number, to),
            Request::Post(body, to) => self.post(slot, &body, to),
            Request::Gone(number) => self.gone(slot, number),
            Request::Broken => {
                self.end_engine(slot, Ending::TransportError, "the body of a request was no body of packets");
            }
        }
        self.flush(slot);
    }

    fn get(&mut self, slot: u32, number: u64, to: oneshot::Sender<Answer>) {
        let Some(talker) = self.talker(slot) else { return };
        match talker.engine.get(false) {
            Ok(Get::Wait | Get::Answer) => {
                if let Sink::Packets(outlet) = &mut self.sinks[slot as usize] {
                    outlet.wait(number, to);
                    self.polls.push(slot);
                }
                self.writable(slot);
            }
            Ok(Get::Noop) => {
                let _ = to.send(Answer::poll(b"6".to_vec()));
            }
            Err(over) => self.refuse_request(slot, over, to),
        }
    }

    fn refuse_request(&mut self, slot: u32, over: Over, to: oneshot::Sender<Answer>) {
        let gone = self.talker(slot).is_none_or(|talker| talker.engine.is_over());
        let fault = match over {
            // It had ended before this request came.
            Over::Ended(Ending::TransportClose | Ending::PingTimeout) if gone => Fault::SessionUnknown,
            _ => Fault::BadRequest,
        };
        let _ = to.send(Answer::fault(fault));
        if let Over::Ended(ending) = over {
            self.end_engine(slot, ending, "two requests of one session came at once");
        }
    }

    fn post(&mut self, slot: u32, body: &Bytes, to: oneshot::Sender<Answer>) {
        let Some(talker) = self.talker(slot) else { return };
        if let Err(over) = talker.engine.post() {
            self.refuse_request(slot, over, to);
            return;
        }
        let read = payload::read(body);
        let answer = match read {
            Err(bad) => {
                self.misunderstood(slot, &bad.to_string());
                Answer::fault(Fault::BadRequest)
            }
            Ok(_) if self.owes_too_much(slot) => {
                self.end_engine(slot, Ending::TransportError, "ask for the answers before you ask for more");
                Answer::fault(Fault::BadRequest)
            }
            Ok(packets) => {
                let closes = packets.last() == Some(&Packet::Close);
                self.take_posted(slot, &packets);
                let over = self.talker(slot).is_none_or(|talker| talker.engine.is_over());
                // Whoever closes is told that it was heard.
                if over && !closes { Answer::fault(Fault::BadRequest) } else { Answer::posted() }
            }
        };
        if let Some(talker) = self.talker(slot) {
            talker.engine.posted();
        }
        let _ = to.send(answer);
    }

    /// Is more waiting for a client than it may ask for without taking it, or than may wait behind a question?
    fn owes_too_much(&self, slot: u32) -> bool {
        self.waiting_bytes(slot) > self.tuning.backlog
            || self.clients.get(slot).is_some_and(|client| client.unread.is_some())
    }

    /// What was posted is read as a WebSocket's messages are: the same bounds, and the same waiting behind what
    /// depends on something outside.
    fn take_posted(&mut self, slot: u32, packets: &[Packet<'_>]) {
        let mut frames = Vec::new();
        for packet in packets {
            if let Packet::Binary(bytes) = packet {
                websocket::masked_frame_into(&mut frames, Opcode::Binary, bytes, [0; 4]);
                continue;
            }
            let mut text = Vec::new();
            deskbell_wire::engineio::packet::write(packet, &mut text);
            websocket::masked_frame_into(&mut frames, Opcode::Text, &text, [0; 4]);
        }
        self.take_bytes(slot, &mut frames);
    }

    fn gone(&mut self, slot: u32, number: u64) {
        let waits = matches!(&self.sinks[slot as usize], Sink::Packets(outlet) if outlet.waits(number));
        if !waits {
            return;
        }
        if let Some(ending) = self.talker(slot).and_then(|talker| talker.engine.aborted()) {
            self.end_engine(slot, ending, "the client went away from its request");
        }
    }

    /// Answers the request that waits with a packet behind whatever there is for it.
    pub(super) fn answer_get(&mut self, slot: u32, packet: &Packet<'_>) {
        let Sink::Packets(outlet) = &mut self.sinks[slot as usize] else { return };
        if outlet.answer_with(packet) {
            self.has_answered(slot);
        }
    }

    /// Answers the request that waits, if there is something for it.
    pub(in super::super) fn answer_packets(&mut self, slot: u32) {
        let Sink::Packets(outlet) = &mut self.sinks[slot as usize] else { return };
        if outlet.answer() {
            self.has_answered(slot);
        }
    }

    fn has_answered(&mut self, slot: u32) {
        self.flags[slot as usize] |= flag::BLOCKED;
        if let Some(talker) = self.talker(slot) {
            talker.engine.answered();
        }
    }

    /// What the client says is not this protocol. It does not come back as who it was, because it would only say
    /// it again.
    pub(super) fn misunderstood(&mut self, slot: u32, why: &str) {
        self.end_engine(slot, Ending::ParseError, why);
    }

    /// The session has ended.
    pub(super) fn end_engine(&mut self, slot: u32, ending: Ending, why: &str) {
        if self.flagged(slot, flag::GONE | flag::CLOSING) {
            return;
        }
        tracing::debug!(ending = ending.as_str(), why, "a Socket.IO session ends");
        if let Ending::ParseError | Ending::TransportError = ending {
            self.hub.metrics.violations.inc();
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.transient |= !ending.is_recoverable();
            if let Some(talker) = client.socketio.as_deref_mut() {
                talker.engine.end_now(ending);
            }
        }
        self.flush(slot);
        if self.flagged(slot, flag::PACKETS) {
            // A client that has closed by itself is told nothing more than that.
            let last = if ending == Ending::TransportClose { Packet::Noop } else { Packet::Close };
            self.answer_get(slot, &last);
            self.doom(slot);
            return;
        }
        let code = match ending {
            Ending::TransportClose => NORMAL,
            Ending::PingTimeout => code::SILENT,
            Ending::TransportError | Ending::ParseError => BAD_PROTOCOL,
        };
        self.close(slot, code, why);
    }

    /// The connection is over: nobody finds it under its name any more, and a WebSocket that was tried is given
    /// up.
    pub(in super::super) fn leave_engine(&mut self, slot: u32) {
        let now = self.now;
        self.answer_get(slot, &Packet::Close);
        let Some(talker) = self.talker(slot) else { return };
        (talker.questions, talker.missed) = (Vec::new(), None);
        let (sid, trial, tries) = (talker.sid, talker.trial.take(), talker.tries.take());
        if self.engines.get(&sid) == Some(&slot) {
            self.engines.remove(&sid);
        }
        if let Some(trial) = trial.filter(|trial| self.is_here(*trial)) {
            self.close(trial.slot, NORMAL, "the session has ended");
        }
        if let Some(main) = tries.filter(|main| self.is_here(*main))
            && let Some(main) = self.talker(main.slot)
        {
            main.trial = None;
            main.engine.abandon(now);
        }
    }

    /// Looks what the time demands now.
    pub(in super::super) fn check_engine(&mut self, slot: u32) {
        let now = self.now;
        loop {
            let Some(talker) = self.talker(slot).filter(|talker| talker.tries.is_none()) else { return };
            match talker.engine.due(now) {
                Due::Until(_) => break,
                Due::Ping => {
                    self.utter(slot, |out| out.push(b'2'));
                    self.portico_is_asked(slot);
                    self.flush(slot);
                }
                Due::Abandon => {
                    if let Some(trial) = talker.trial.take() {
                        self.close(trial.slot, NORMAL, "the change to this WebSocket took too long");
                    }
                }
                Due::End(ending) => {
                    self.end_engine(slot, ending, "no sign of life came");
                    return;
                }
            }
        }
        let Some(talker) = self.talker(slot) else { return };
        if talker.assembly.deadline().is_some_and(|at| at <= now) {
            self.faulty(slot, deskbell_wire::socketio::Fault::AttachmentsLate);
        } else if talker.spaces.deadline().is_some_and(|at| at <= now) {
            self.end_engine(slot, Ending::TransportClose, "the client asked for no namespace");
        } else {
            self.look_at_life(slot);
        }
    }

    /// Sets the alarm for what is due next, unless one is set that goes off before.
    pub(in super::super) fn look_at_life(&mut self, slot: u32) {
        let now = self.now;
        let Some(talker) = self.talker(slot) else { return };
        let Due::Until(life) = talker.engine.clone().due(now) else { return };
        let others = [talker.assembly.deadline(), talker.spaces.deadline()];
        let at: Millis = others.into_iter().flatten().fold(life, Millis::min).max(now + 1);
        if talker.alarm > now && talker.alarm <= at {
            return;
        }
        talker.alarm = at;
        self.set_alarm(slot, at - now, What::Life);
    }

    /// An alarm has gone off.
    pub(in super::super) fn engine_alarm(&mut self, slot: u32) {
        let now = self.now;
        // One that was set earlier may go off while a later one counts.
        if let Some(talker) = self.talker(slot).filter(|talker| talker.alarm <= now) {
            talker.alarm = 0;
        }
        self.check_engine(slot);
    }
}

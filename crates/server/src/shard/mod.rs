//! A shard: one thread, one event loop, and it alone owns its clients.
//!
//! It reads frames, acts on them through the hub, follows every app's log from the ring, and hands
//! out what its clients may see. It never waits for anything but its own poll: what waits
//! elsewhere comes back as a [`Letter`]. There is no task, no queue and no lock per connection.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the loop: one turn after the other |
//! | [`client`] | the table of clients |
//! | [`arrive`] | a new connection takes its place |
//! | [`receive`] | bytes become commands |
//! | [`act`] | commands become answers |
//! | [`ledger`], [`post`] | what clients ask of the ledger |
//! | [`portico`] | what pages of the Portico dialect ask |
//! | [`pusher`] | what clients of the Pusher dialect ask |
//! | [`socketio`] | what clients of the Socket.IO dialect ask |
//! | [`appointease`] | what pages of the AppointEase dialect ask |
//! | [`hello`] | who, which session, from where |
//! | [`subscribe`], [`listing`], [`recheck`] | subscriptions: begun, in the lists of their channels, and as rights change |
//! | [`lens`] | log channels as a dialect's clients see them |
//! | [`cohort`] | clients that stand at one place of the log |
//! | [`deliver`], [`chunk`] | new entries of a log go out, joined |
//! | [`catching`] | whoever is behind reads pages |
//! | [`write`] | sinks that block, and the backlog |
//! | [`depart`] | connections and sessions end |
//! | [`parked`] | sessions wait for their clients |
//! | [`drain`] | everybody goes, and the sessions are carried over |
//! | [`alarm`] | signs of life, expiry, rotation, grace |

mod act;
mod alarm;
mod appointease;
mod arrive;
mod body;
mod catching;
mod channels;
mod chunk;
mod client;
mod cohort;
mod deliver;
mod depart;
mod directory;
mod drain;
mod frames;
mod hello;
mod ledger;
mod lens;
mod listing;
mod mailbox;
mod parked;
mod portico;
mod post;
mod pusher;
mod receive;
mod recheck;
mod session;
mod sink;
mod socketio;
mod subscribe;
mod timers;
mod tuning;
mod waiting;
mod write;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deskbell_core::event::SharedEntry;
use deskbell_core::ids::PublicId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::session::SessionId;
use deskbell_wire::engineio::Sid;
use mio::{Events, Poll, Token, Waker};
use tokio::sync::oneshot;

pub use body::{Pipe, PipeBody};
pub use directory::Directory;
pub use mailbox::{Arrival, Ask, Claim, Handle, Letter, Mailbox, SessionFacts, Way, Whom, XhrName};
pub use session::{CarriedIdentity, CarriedSession};
pub use sink::{Socket, TlsSocket};
pub use socketio::{Opening, Request};
pub use tuning::Tuning;
pub use waiting::Answer;

use crate::bell::Bell;
use crate::clock;
use crate::hub::Hub;
use client::Clients;
use cohort::View;
use sink::Sink;
use timers::{Alarm, Timers};

/// The token of the bell; clients have their slot's.
const BELL: Token = Token(usize::MAX);

/// Pages served in one turn, so that a herd of returning clients does not hold the others up.
const PAGES_PER_TURN: usize = 64;

/// The longest sleep: a bell that could not be rung is heard this much later.
const LONGEST_SLEEP: Millis = 1_000;

/// What a shard is made of before the hub exists.
#[derive(Debug)]
pub struct Cradle {
    poll: Poll,
    /// Its bell.
    pub bell: Arc<Bell>,
    /// Its mailbox.
    pub mailbox: Arc<Mailbox>,
}

impl Cradle {
    /// Makes the poll, the bell and the mailbox of one shard.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell::new(Waker::new(poll.registry(), BELL)?));
        let mailbox = Arc::new(Mailbox::new(bell.clone()));
        Ok(Self { poll, bell, mailbox })
    }
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    number: u16,
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    bell: Arc<Bell>,
    poll: Poll,
    tuning: Arc<Tuning>,
    now: Millis,
    views: Vec<View>,
    clients: Clients,
    // Dense beside the clients, so that a delivery touches a few bytes of each.
    sinks: Vec<Sink>,
    flags: Vec<u8>,
    masks: Vec<u64>,
    sessions: HashMap<SessionId, u32>,
    public: HashMap<PublicId, u32>,
    /// Clients that come by requests.
    by_request: HashMap<XhrName, u32>,
    /// Socket.IO clients that polled at first, by the secret name of their session.
    engines: HashMap<Sid, u32>,
    /// Connections that are not over.
    live: usize,
    /// Sessions without a connection, oldest first; some have been taken up since.
    parked: VecDeque<(u32, u32)>,
    parked_count: usize,
    parked_by_address: HashMap<IpAddr, usize>,
    timers: Timers,
    /// Clients with input that was not read yet.
    ready: VecDeque<u32>,
    /// Clients with a page to be served.
    catch: VecDeque<u32>,
    /// Polls that have something to answer.
    polls: Vec<u32>,
    /// Clients whose connection ends with this turn.
    doomed: Vec<u32>,
    /// Replies to the client that is being served.
    out: Vec<u8>,
    scratch: Vec<u8>,
    letters: Vec<Letter>,
    alarms: Vec<Alarm>,
    entries: Vec<SharedEntry>,
    drain: Option<oneshot::Sender<Vec<CarriedSession>>>,
}

/// Flags of a client that keep a delivery off the short way.
mod flag {
    /// The sink is full: bytes wait in the backlog.
    pub const BLOCKED: u8 = 1;
    /// It reads pages; live entries are not for it.
    pub const CATCHING: u8 = 2;
    /// A poll: it is answered at the end of the turn.
    pub const POLL: u8 = 4;
    /// The connection is over or parked.
    pub const GONE: u8 = 8;
    /// The goodbye was said.
    pub const CLOSING: u8 = 16;
    /// It polls again and again: its sink is the request that waits.
    pub const PACKETS: u8 = 32;
}

impl Shard {
    /// A shard that is ready to run.
    pub fn new(number: u16, cradle: Cradle, hub: Arc<Hub>) -> Self {
        let mut shard = Self {
            number,
            views: Vec::new(),
            mailbox: cradle.mailbox,
            bell: cradle.bell,
            poll: cradle.poll,
            tuning: hub.tuning.load_full(),
            hub,
            now: clock::now_ms(),
            clients: Clients::default(),
            sinks: Vec::new(),
            flags: Vec::new(),
            masks: Vec::new(),
            sessions: HashMap::new(),
            public: HashMap::new(),
            by_request: HashMap::new(),
            engines: HashMap::new(),
            live: 0,
            parked: VecDeque::new(),
            parked_count: 0,
            parked_by_address: HashMap::new(),
            timers: Timers::default(),
            ready: VecDeque::new(),
            catch: VecDeque::new(),
            polls: Vec::new(),
            doomed: Vec::new(),
            out: Vec::new(),
            scratch: vec![0; limits::READ_PER_TURN],
            letters: Vec::new(),
            alarms: Vec::new(),
            entries: Vec::new(),
            drain: None,
        };
        shard.look_at_apps();
        shard
    }

    /// Begins to follow the apps that were added since.
    fn look_at_apps(&mut self) {
        for app in self.hub.apps.ever().skip(self.views.len()) {
            let mut view = View::new(app.log.with(|log| log.ring_end()), &app.cursors, self.bell.clone());
            view.grow(self.clients.slots(), &app.cursors);
            self.views.push(view);
        }
    }

    /// Runs until the drain is over.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        while !self.has_drained() {
            match self.poll.poll(&mut events, Some(self.sleep())) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            self.turn(&events);
        }
        Ok(())
    }

    /// One turn: what came in, what the logs have, who is behind, what is due.
    fn turn(&mut self, events: &Events) {
        self.now = clock::now_ms();
        self.tuning = self.hub.tuning.load_full();
        // Answered before looking: whatever comes while we look rings again.
        self.bell.answered();
        for event in events {
            if event.token() != BELL {
                self.socket_event(event.token().0 as u32, event);
            }
        }
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { break };
            self.receive(slot);
        }
        self.open_letters();
        for app in 0..self.views.len() {
            self.deliver(app);
        }
        self.serve_pages();
        self.answer_polls();
        self.ring_alarms();
        // An alarm may have had something to say to a client that polls.
        self.answer_polls();
        self.bury();
    }

    fn sleep(&self) -> Duration {
        let mut views = self.views.iter().zip(self.hub.apps.ever());
        if views.any(|(view, app)| view.is_behind(app.log.end()))
            || !self.ready.is_empty()
            || !self.catch.is_empty()
        {
            return Duration::ZERO;
        }
        let idle = self.timers.idle(clock::now_ms()).unwrap_or(LONGEST_SLEEP);
        Duration::from_millis(idle.min(LONGEST_SLEEP))
    }

    fn open_letters(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.mailbox.take(&mut letters);
        // Behind the taking: whoever arrives for a new app comes after the app.
        self.look_at_apps();
        for letter in letters.drain(..) {
            self.open(letter);
        }
        self.letters = letters;
    }

    fn open(&mut self, letter: Letter) {
        match letter {
            Letter::Arrived(arrival) => self.arrive(*arrival),
            Letter::Receive { name, pipe, done } => self.xhr_receive(&name, pipe, done),
            Letter::Send { name, frames, done } => self.xhr_send(&name, &frames, done),
            Letter::Claim(claim) => self.give_up(&claim),
            Letter::Moved { client, session } => self.take_over(client, session.map(|moved| *moved)),
            Letter::Answer { client, answer } => self.answered(client, answer),
            Letter::Page { client, page } => self.ledger_page(client, page),
            Letter::Followed { client } => self.followed(client),
            Letter::Pipe { client } => self.pipe_event(client),
            Letter::Engine { session, request } => self.engine_request(&session, request),
            Letter::Leave { app } => self.leave_app(app),
            Letter::Disconnect { whom, done } => self.disconnect(&whom, done),
            Letter::Question { question, done } => self.put_question(&question, done),
            Letter::Sessions { app, limit, done } => self.tell_sessions(app, limit, done),
            Letter::Occupancy { app, done } => self.tell_occupancy(app, done),
            Letter::Here { done } => drop(done.send(())),
            Letter::Recheck => self.recheck_all(),
            Letter::Adopt(sessions) => self.adopt(sessions),
            Letter::Drain { over_ms, done } => self.start_drain(over_ms, done),
        }
    }

    /// Does this message mean the client that is in the slot now?
    fn is_here(&self, client: Handle) -> bool {
        self.clients.get(client.slot).is_some_and(|c| c.stamp == client.stamp)
    }

    fn handle(&self, slot: u32) -> Handle {
        let stamp = self.clients.get(slot).map_or(0, |client| client.stamp);
        Handle { shard: self.number, slot, stamp }
    }

    fn flagged(&self, slot: u32, flags: u8) -> bool {
        self.flags[slot as usize] & flags != 0
    }

    /// Sends the collected replies.
    fn flush(&mut self, slot: u32) {
        if self.out.is_empty() {
            return;
        }
        let bytes = Bytes::copy_from_slice(&self.out);
        self.out.clear();
        self.send(slot, bytes);
    }
}

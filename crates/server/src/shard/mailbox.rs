//! What the control plane and other shards send to a shard, and the bounded box it arrives in.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use deskbell_core::access::Identity;
use deskbell_core::ids::{ChannelName, PublicId};
use deskbell_core::refusal::Refusal;
use deskbell_core::session::SessionId;
use deskbell_wire::appointease::hail::Who;
use deskbell_wire::engineio::Sid;
use deskbell_wire::engineio::answer::Answer as Answered;
use deskbell_wire::portico::session::Hail;
use deskbell_wire::route::Dialect;
use tokio::sync::oneshot;

use super::body::Pipe;
use super::session::{CarriedSession, Moved};
use super::sink::Socket;
use super::socketio::{Opening, Request};
use super::waiting::Answer;
use crate::bell::Bell;
use crate::socketio::Question;
use crate::store::LedgerPage;

/// A connected client of the front door or of an HTTP handler.
#[derive(Debug)]
pub struct Arrival {
    /// Which app.
    pub app: usize,
    /// Who, as far as the request proved it.
    pub identity: Arc<Identity>,
    /// From where.
    pub peer: IpAddr,
    /// How its frames go out.
    pub way: Way,
    /// Counts the connection until it is dropped.
    pub seat: crate::door::Seat,
}

/// How a client is connected.
#[derive(Debug)]
pub enum Way {
    /// An upgraded WebSocket, with bytes that came behind its request.
    WebSocket {
        /// The socket.
        socket: Socket,
        /// The 101 answer, where the shard is to send it.
        greeting: Vec<u8>,
        /// Bytes already read.
        read: Vec<u8>,
        /// What is spoken on it.
        dialect: Dialect,
        /// permessage-deflate was agreed on.
        deflate: bool,
        /// Every message is sent back: for conformance suites only.
        echo: bool,
        /// How a session of Engine.IO begins on it, or which one goes on.
        opening: Option<Opening>,
        /// What the cookies of a page of the Portico dialect say.
        hail: Option<Box<Hail>>,
        /// Who a page of the AppointEase dialect is.
        who: Option<Who>,
    },
    /// A session of Engine.IO that polls; its first request.
    Polling {
        /// Where the answer goes.
        answer: oneshot::Sender<Answered>,
        /// How it begins.
        opening: Opening,
    },
    /// The body of an SSE response.
    Stream {
        /// The body.
        pipe: Arc<Pipe>,
        /// What the request asked for.
        ask: Ask,
    },
    /// A client of the Pusher dialect that receives by requests.
    Xhr {
        /// What it calls its connection.
        name: XhrName,
        /// The body of its first response.
        pipe: Arc<Pipe>,
    },
    /// A long poll that waits for one answer.
    Poll {
        /// Where the answer goes.
        answer: oneshot::Sender<Vec<u8>>,
        /// What the request asked for.
        ask: Ask,
    },
}

/// What an SSE or poll request asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The channels.
    pub channels: Vec<ChannelName>,
    /// Follow every channel: only for the secret.
    pub all: bool,
    /// Where the client stands.
    pub cursor: Option<String>,
    /// The resume key of its session.
    pub resume: Option<String>,
    /// How long a poll waits, in milliseconds.
    pub wait: u64,
}

/// What a client that comes by requests calls its connection: nobody else can guess it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct XhrName {
    /// The app's index.
    pub app: usize,
    /// The name.
    pub name: String,
}

/// One message to a shard.
#[derive(Debug)]
pub enum Letter {
    /// A new client.
    Arrived(Box<Arrival>),
    /// A client that comes by requests receives by this body from now on.
    Receive {
        /// Which.
        name: XhrName,
        /// The body of the response.
        pipe: Arc<Pipe>,
        /// Whether it is here.
        done: oneshot::Sender<bool>,
    },
    /// Such a client sends messages.
    Send {
        /// Which.
        name: XhrName,
        /// The messages; none of them is a sign of life.
        frames: Vec<String>,
        /// Whether it is here.
        done: oneshot::Sender<bool>,
    },
    /// Another shard's client wants a session that lives here.
    Claim(Claim),
    /// The session that a client here asked for, or nothing.
    Moved {
        /// Who asked.
        client: Handle,
        /// The session.
        session: Option<Box<Moved>>,
    },
    /// A request of a session of Engine.IO that polls.
    Engine {
        /// The session's secret name.
        session: Sid,
        /// What it wants.
        request: Request,
    },
    /// What a parked frame waited for.
    Answer {
        /// Whose.
        client: Handle,
        /// What.
        answer: Answer,
    },
    /// A page of the ledger.
    Page {
        /// Whose.
        client: Handle,
        /// The page, or a failure that closes the client so that it comes back.
        page: Result<LedgerPage, Refusal>,
    },
    /// The log was brought up to a shared ledger.
    Followed {
        /// Who waits.
        client: Handle,
    },
    /// A body has room again, or its reader is gone.
    Pipe {
        /// Whose.
        client: Handle,
    },
    /// The app was taken away: end everything of it.
    Leave {
        /// Which.
        app: usize,
    },
    /// End the connections and sessions that fit.
    Disconnect {
        /// Which.
        whom: Whom,
        /// How many there were.
        done: oneshot::Sender<usize>,
    },
    /// Put a question to the sockets here that are in its room.
    Question {
        /// The question.
        question: Arc<Question>,
        /// They were asked.
        done: oneshot::Sender<()>,
    },
    /// Tell about the sessions here.
    Sessions {
        /// Of which app.
        app: usize,
        /// At most so many.
        limit: usize,
        /// The list.
        done: oneshot::Sender<Vec<SessionFacts>>,
    },
    /// Tell which channels have connected listeners here.
    Occupancy {
        /// Of which app.
        app: usize,
        /// Their names, and how many listeners each has.
        done: oneshot::Sender<Vec<(String, usize)>>,
    },
    /// Say that this was read.
    Here {
        /// Whom to say it to.
        done: oneshot::Sender<()>,
    },
    /// Rules or keys have changed: look at every subscription again.
    Recheck,
    /// Sessions of the run before.
    Adopt(Vec<CarriedSession>),
    /// Close everybody, spread over the given milliseconds, then answer with the sessions.
    Drain {
        /// The time to spread over.
        over_ms: u64,
        /// The sessions to carry over.
        done: oneshot::Sender<Vec<CarriedSession>>,
    },
}

/// Names a client of a shard so that a late message for its predecessor in the slot is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// The shard.
    pub shard: u16,
    /// The slot.
    pub slot: u32,
    /// How often the slot was used.
    pub stamp: u32,
}

/// A wish for a session.
#[derive(Debug)]
pub struct Claim {
    /// Which session.
    pub session: SessionId,
    /// Of which app; a key of another app opens nothing.
    pub app: usize,
    /// Who wants it.
    pub client: Handle,
}

/// Whom to disconnect.
#[derive(Debug, Clone)]
pub enum Whom {
    /// Every session of a user.
    User(usize, String),
    /// One session.
    Session(usize, PublicId),
}

/// What operators see of a session.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SessionFacts {
    /// The public id.
    pub session: String,
    /// Who.
    pub principal: String,
    /// `websocket`, `sse`, `poll`, `xhr` or `parked`.
    pub transport: &'static str,
    /// The address.
    pub address: String,
    /// The channels.
    pub channels: Vec<String>,
    /// Is it catching up?
    pub catching: bool,
}

/// The mailbox of one shard.
#[derive(Debug)]
pub struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: Arc<Bell>,
}

/// New work that may wait for a shard; more than this means that the shard is stuck.
const LETTERS: usize = 65_536;

impl Mailbox {
    /// An empty mailbox that rings this bell.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { letters: Mutex::new(Vec::new()), bell }
    }

    /// Brings new work, unless too much of it is waiting already.
    pub fn post(&self, letter: Letter) -> Result<(), Letter> {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.len() >= LETTERS {
            return Err(letter);
        }
        letters.push(letter);
        drop(letters);
        self.bell.ring();
        Ok(())
    }

    /// Brings the answer to a question that the shard has asked. It always has room: a client has
    /// a bounded number of open questions, so answers are bounded by the number of clients.
    pub fn answer(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        self.bell.ring();
    }

    /// Takes everything that has come.
    pub fn take(&self, into: &mut Vec<Letter>) {
        into.append(&mut self.letters.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

//! The table of a shard's clients. A client is a session and, most of the time, its connection.

use std::net::IpAddr;
use std::sync::Arc;

use deskbell_core::cursor::{Cursor, Late};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits::Millis;
use deskbell_core::position::Position;
use deskbell_core::rate::Bucket;
use deskbell_wire::websocket::{Decoder, Role};

use super::appointease::Page;
use super::body::Pipe;
use super::frames::Variant;
use super::portico::Visit;
use super::pusher::Speaker;
use super::session::Session;
use super::socketio::Talker;
use super::waiting::Waiting;
use super::write::Backlog;
use crate::door::Seat;
use crate::socketio::Shown;

/// One client.
#[derive(Debug)]
pub struct Client {
    /// How often the slot was used; a message for an earlier use is ignored.
    pub stamp: u32,
    /// The app's index.
    pub app: u16,
    /// How its frames leave.
    pub variant: Variant,
    /// The socket may have input that was not read.
    pub readable: bool,
    /// The other side says no more: what it has said is read up to its end.
    pub ended: bool,
    /// It has no connection and waits for its client.
    pub parked: bool,
    /// The transport may not be kept for later: a poll, or a stream that nobody resumed.
    pub transient: bool,
    /// Follows every channel.
    pub everything: bool,
    /// It has looked at some time.
    pub selects: bool,
    /// It was asked for a sign of life, in its dialect's words.
    pub asked: bool,
    /// Frames that wait for an answer from outside.
    pub parked_frames: u8,
    /// When the client last gave a sign of life.
    pub heard: Millis,
    /// How much it may send.
    pub bucket: Bucket,
    /// From where.
    pub peer: IpAddr,
    /// The session.
    pub session: Session,
    /// Reads its WebSocket.
    pub decoder: Decoder,
    /// Bytes that were read but wait behind a parked frame.
    // Boxed: hardly any client has it, and every client pays for its size.
    #[allow(clippy::box_collection)]
    pub unread: Option<Box<Vec<u8>>>,
    /// Bytes that wait for the sink.
    pub backlog: Option<Box<Backlog>>,
    /// What it still has to read, while it is behind.
    pub catching: Option<Box<Catching>>,
    /// The identity command that waits.
    pub waiting: Option<Box<Waiting>>,
    /// The pipe, where the sink is a body: kept to end it.
    pub pipe: Option<Arc<Pipe>>,
    /// Counts the connection while it lives.
    pub seat: Option<Box<Seat>>,
    /// What only few clients of the Pusher dialect have.
    pub speaker: Option<Box<Speaker>>,
    /// What pages of the Portico dialect have.
    pub portico: Option<Box<Visit>>,
    /// What pages of the AppointEase dialect have.
    pub page: Option<Box<Page>>,
    /// What clients of the Socket.IO dialect have.
    pub socketio: Option<Box<Talker>>,
}

/// Where a client stands that does not follow the shard.
#[derive(Debug)]
pub struct Catching {
    /// Where the connection stands.
    pub at: Position,
    /// What is served first, alone. There is only one, because a cursor can name only one: while it
    /// is served the client's next frames wait.
    pub late: Option<LateRead>,
    /// A page of the ledger was asked for.
    pub asked: bool,
    /// The log was brought up to a ledger that others write, too; who is ahead of it now is ahead of everybody.
    pub followed: bool,
    /// What the client was shown before, where it is told in words of its own.
    pub shown: Shown,
}

/// What is behind its connection.
#[derive(Debug, Clone, PartialEq)]
pub struct LateRead {
    /// Which subscriptions.
    pub whose: Whose,
    /// Where they stand.
    pub at: Position,
}

/// Subscriptions that are behind their connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// One channel.
    Channel(ChannelName),
    /// All `latest` channels: a new reader is owed their values.
    Latest,
}

impl LateRead {
    /// The exception in the cursor of a connection that stands elsewhere.
    pub fn exception(&self) -> Late {
        match &self.whose {
            Whose::Channel(channel) => Late::new(channel, self.at),
            Whose::Latest => Late::of_latest(self.at),
        }
    }
}

impl Catching {
    /// The place for a client to come back to.
    pub fn cursor(&self) -> Cursor {
        match &self.late {
            Some(late) => Cursor::behind(self.at, late.exception()),
            None => self.at.into(),
        }
    }
}

impl Client {
    /// A connection with its fresh session.
    pub fn new(app: u16, variant: Variant, peer: IpAddr, session: Session, now: Millis) -> Self {
        let deflate = variant.is_compressed();
        Self {
            stamp: 0,
            app,
            variant,
            readable: true,
            ended: false,
            parked: false,
            transient: false,
            everything: false,
            selects: false,
            asked: false,
            parked_frames: 0,
            heard: now,
            bucket: Bucket::default(),
            peer,
            session,
            decoder: Decoder::new(Role::Server, deflate),
            unread: None,
            backlog: None,
            catching: None,
            waiting: None,
            pipe: None,
            seat: None,
            speaker: None,
            page: None,
            portico: None,
            socketio: None,
        }
    }
}

/// Clients by slot. A slot is used again, with the next stamp.
#[derive(Debug, Default)]
pub struct Clients {
    slots: Vec<Option<Client>>,
    stamps: Vec<u32>,
    free: Vec<u32>,
}

impl Clients {
    /// Puts a client into a slot.
    pub fn insert(&mut self, mut client: Client) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.stamps.push(0);
            self.slots.len() as u32 - 1
        });
        let stamp = &mut self.stamps[slot as usize];
        *stamp = stamp.wrapping_add(1);
        client.stamp = *stamp;
        self.slots[slot as usize] = Some(client);
        slot
    }

    /// Takes a client out.
    pub fn remove(&mut self, slot: u32) -> Option<Client> {
        let client = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(client)
    }

    /// The client of a slot.
    pub fn get(&self, slot: u32) -> Option<&Client> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The client of a slot, to change.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Client> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Everybody.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Client)> {
        self.slots.iter().enumerate().filter_map(|(slot, client)| Some((slot as u32, client.as_ref()?)))
    }

    /// How many slots there are, used or not.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }
}

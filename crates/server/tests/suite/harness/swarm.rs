//! Thousands of WebSocket subscribers in one thread, each counting what it gets.
//!
//! A member opens its connection, subscribes, and checks every event's number. When its connection
//! ends it comes back by itself with resume key, cursor and channels, as a good client does.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use deskbell_server::clock::{monotonic_us, random_below};
use deskbell_wire::websocket::encode::masked_frame_into;
use deskbell_wire::websocket::{Decoder, Item, Limits, Opcode, Role, handshake};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::DEADLINE;
use super::tally::{Frame, Tally};

const LIMITS: Limits = Limits { max_frame: 32 * 1024 * 1024, max_message: 32 * 1024 * 1024 };

/// Connections that may be on their way at once, as the accept queue of any system has a bound.
const OPENING: usize = 256;

/// Pause before a lost connection is opened again, in microseconds; spread as good clients do.
const RETRY: u64 = 50_000;

/// How far a member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Absent,
    Upgrading,
    /// So many welcomes and confirmed subscriptions are still owed.
    Opening(usize, usize),
    Live,
}

/// One subscriber.
pub struct Member {
    link: Option<TcpStream>,
    decoder: Decoder,
    head: Vec<u8>,
    unsent: Vec<u8>,
    stage: Stage,
    /// What it subscribes to.
    pub channels: Vec<String>,
    receive_buffer: Option<usize>,
    /// It does not read by itself.
    pub paused: bool,
    /// What it will come back with.
    pub cursor: String,
    /// Where it began.
    pub first_cursor: String,
    resume: String,
    /// What it got.
    pub tally: Tally,
}

/// All of them.
pub struct Swarm {
    poll: Poll,
    address: SocketAddr,
    members: Vec<Member>,
    /// Members without a connection, by the time of their next attempt.
    absent: BTreeMap<(u64, usize), ()>,
    opening: usize,
    live: usize,
    /// Lost connections are opened again.
    pub comes_back: bool,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Nobody yet.
    pub fn new(address: SocketAddr) -> Self {
        deskbell_server::open_files::raise();
        Self {
            poll: Poll::new().unwrap(),
            address,
            members: Vec::new(),
            absent: BTreeMap::new(),
            opening: 0,
            live: 0,
            comes_back: true,
            buffer: vec![0; 1 << 20],
        }
    }

    /// One more subscriber of some channels. It connects during the next turns.
    pub fn join(&mut self, channels: &[&str]) -> usize {
        self.join_with(channels, None)
    }

    /// One more, whose system keeps few bytes for it.
    pub fn join_with(&mut self, channels: &[&str], receive_buffer: Option<usize>) -> usize {
        let index = self.members.len();
        self.members.push(Member {
            link: None,
            decoder: Decoder::new(Role::Client, false),
            head: Vec::new(),
            unsent: Vec::new(),
            stage: Stage::Absent,
            channels: channels.iter().map(|&name| name.to_owned()).collect(),
            receive_buffer,
            paused: false,
            cursor: String::new(),
            first_cursor: String::new(),
            resume: String::new(),
            tally: Tally::default(),
        });
        self.absent.insert((0, index), ());
        index
    }

    /// The members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One member, to change.
    pub fn member(&mut self, index: usize) -> &mut Member {
        &mut self.members[index]
    }

    /// Members whose subscriptions stand.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Everybody is there.
    pub fn is_complete(&self) -> bool {
        self.live == self.members.len()
    }

    /// Forgets what all members have counted so far about closes, resets and resumes.
    pub fn forget_incidents(&mut self) {
        self.members.iter_mut().for_each(|member| member.tally.forget_incidents());
    }

    /// Turns until something is true; fails when that takes too long.
    pub fn until(&mut self, what: &str, done: impl FnMut(&Self) -> bool) {
        self.until_within(what, DEADLINE, done);
    }

    /// The same with another patience.
    pub fn until_within(&mut self, what: &str, patience: Duration, mut done: impl FnMut(&Self) -> bool) {
        let end = monotonic_us() + patience.as_micros() as u64;
        while !done(self) {
            assert!(monotonic_us() < end, "not within {patience:?}: {what}; {}", self.summary());
            self.turn(Duration::from_millis(5));
        }
    }

    /// Turns for a while.
    pub fn run_for(&mut self, time: Duration) {
        let end = monotonic_us() + time.as_micros() as u64;
        while monotonic_us() < end {
            self.turn(Duration::from_millis(5));
        }
    }

    /// One turn: connects who is absent, and takes what has come.
    pub fn turn(&mut self, wait: Duration) {
        self.open();
        let mut events = Events::with_capacity(1_024);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            other => other.unwrap(),
        }
        for event in &events {
            let index = event.token().0;
            self.write(index);
            if !self.members[index].paused {
                self.read(index, usize::MAX);
            }
        }
    }

    /// Reads at most so many bytes of one member, who may be paused.
    pub fn sip(&mut self, index: usize, bytes: usize) {
        self.read(index, bytes);
    }

    /// Ends one member's pause.
    pub fn go_on(&mut self, index: usize) {
        self.members[index].paused = false;
        self.read(index, usize::MAX);
    }

    /// Sends a JSON message of one member.
    pub fn say(&mut self, index: usize, message: &serde_json::Value) {
        let text = message.to_string();
        masked_frame_into(&mut self.members[index].unsent, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
        self.write(index);
    }

    /// Lets everybody who is gone come back, now and from now on.
    pub fn call_back(&mut self) {
        self.comes_back = true;
        let gone = self.members.iter().enumerate().filter(|(_, member)| member.stage == Stage::Absent);
        let gone: Vec<usize> = gone.map(|(index, _)| index).collect();
        self.absent.clear();
        self.absent.extend(gone.into_iter().map(|index| ((0, index), ())));
    }

    /// What all members have in all, in one line.
    pub fn summary(&self) -> String {
        let total = |count: fn(&Tally) -> usize| self.members.iter().map(|m| count(&m.tally)).sum::<usize>();
        format!(
            "{} of {} live, {} events, {} resets, {} closed, {} errors; first wrong: {:?}",
            self.live,
            self.members.len(),
            total(|t| t.events),
            total(|t| t.resets.len()),
            total(|t| t.closes.len()),
            total(|t| t.errors.values().sum()),
            self.members.iter().flat_map(|m| &m.tally.wrong).next(),
        )
    }

    /// Fails when any member has lost, doubled or swapped an event.
    pub fn assert_exact(&self) {
        let wrong: Vec<_> =
            self.members.iter().enumerate().filter(|(_, m)| !m.tally.wrong.is_empty()).take(5).collect();
        let shown: Vec<_> = wrong.iter().map(|(index, m)| (index, &m.tally.wrong)).collect();
        assert!(wrong.is_empty(), "events lost, doubled or out of order: {shown:?}; {}", self.summary());
    }

    /// Fails when any member was reset.
    pub fn assert_no_resets(&self) {
        let first = self.members.iter().flat_map(|m| &m.tally.resets).next();
        assert!(first.is_none(), "{first:?}; {}", self.summary());
    }

    /// Has every member of these channels their event of this number?
    pub fn all_have(&self, last: &HashMap<String, u64>) -> bool {
        self.members.iter().all(|member| {
            member.channels.iter().all(|channel| {
                last.get(channel).is_none_or(|n| member.tally.last.get(channel).copied().unwrap_or(0) >= *n)
            })
        })
    }

    fn open(&mut self) {
        while self.opening < OPENING {
            let now = monotonic_us();
            let due = self.absent.first_key_value().map(|(key, ())| *key).filter(|(at, _)| *at <= now);
            let Some((at, index)) = due else { return };
            self.absent.remove(&(at, index));
            self.dial(index);
        }
    }

    fn dial(&mut self, index: usize) {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        if let Some(bytes) = self.members[index].receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        self.opening += 1;
        self.members[index].stage = Stage::Upgrading;
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return self.lost(index, None),
            _ => {}
        }
        let mut link = TcpStream::from_std(socket.into());
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut link, Token(index), both).unwrap();
        let host = self.address.to_string();
        let member = &mut self.members[index];
        member.link = Some(link);
        member.decoder = Decoder::new(Role::Client, false);
        member.head.clear();
        member.unsent.clear();
        handshake::write_request(&mut member.unsent, &host, "/v1/ws", [7; 16], &[]).unwrap();
    }

    fn write(&mut self, index: usize) {
        let member = &mut self.members[index];
        let Some(link) = &mut member.link else { return };
        while !member.unsent.is_empty() {
            match link.write(&member.unsent) {
                Ok(n) => drop(member.unsent.drain(..n)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return;
                }
                // Whatever is wrong shows again, and better, when it is read.
                Err(_) => return member.unsent.clear(),
            }
        }
    }

    fn read(&mut self, index: usize, most: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut left = most;
        while left > 0 {
            let Some(link) = &mut self.members[index].link else { break };
            let room = left.min(buffer.len());
            match link.read(&mut buffer[..room]) {
                Ok(0) => self.lost(index, None),
                Ok(n) => {
                    left -= n;
                    self.take(index, &mut buffer[..n]);
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.lost(index, None),
            }
        }
        self.buffer = buffer;
        self.write(index);
    }

    fn take(&mut self, index: usize, bytes: &mut [u8]) {
        let member = &mut self.members[index];
        if member.stage != Stage::Upgrading {
            return self.take_frames(index, bytes);
        }
        member.head.extend_from_slice(bytes);
        let used = match handshake::check_response(&member.head, [7; 16]) {
            Ok(Some(accepted)) => accepted.len,
            Ok(None) => return,
            // Refused while the server starts or drains, or because of a limit: later then.
            Err(_) => {
                let status =
                    String::from_utf8_lossy(&member.head).lines().next().unwrap_or_default().to_owned();
                *member.tally.errors.entry(status).or_default() += 1;
                return self.lost(index, None);
            }
        };
        let mut rest = member.head.split_off(used);
        member.head.clear();
        self.greet(index);
        self.take_frames(index, &mut rest);
    }

    /// A new member subscribes; one that comes back says all in its hello.
    fn greet(&mut self, index: usize) {
        let member = &mut self.members[index];
        let channels = member.channels.clone();
        if member.cursor.is_empty() {
            member.stage = Stage::Opening(1, channels.len());
            for channel in channels {
                self.say(index, &json!({"type": "subscribe", "channel": channel}));
            }
            return;
        }
        member.stage = Stage::Opening(2, channels.len());
        let hello =
            json!({"type": "hello", "resume": member.resume, "cursor": member.cursor, "channels": channels});
        self.say(index, &hello);
    }

    fn take_frames(&mut self, index: usize, bytes: &mut [u8]) {
        let member = &mut self.members[index];
        let mut decoder = std::mem::replace(&mut member.decoder, Decoder::new(Role::Client, false));
        let mut feed = decoder.feed(bytes, LIMITS);
        let mut close = None;
        while let Some(item) = feed.next_item().unwrap() {
            match item {
                Item::Text(text) => {
                    let frame: Frame<'_> =
                        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
                    if member.heard(&frame) {
                        self.opening -= 1;
                        self.live += 1;
                    }
                }
                Item::Ping(payload) => {
                    masked_frame_into(&mut member.unsent, Opcode::Pong, payload, [1, 2, 3, 4]);
                }
                Item::Close { code, .. } => {
                    close = Some(code);
                    break;
                }
                Item::Binary(_) | Item::Pong(_) => {}
            }
        }
        member.decoder = decoder;
        if let Some(code) = close {
            self.lost(index, code);
        }
    }

    fn lost(&mut self, index: usize, code: Option<u16>) {
        let member = &mut self.members[index];
        member.link = None;
        match std::mem::replace(&mut member.stage, Stage::Absent) {
            Stage::Live => {
                self.live -= 1;
                member.tally.closes.push((code, monotonic_us()));
            }
            Stage::Absent => return,
            Stage::Upgrading | Stage::Opening(..) => self.opening -= 1,
        }
        if self.comes_back {
            self.absent.insert((monotonic_us() + RETRY / 2 + random_below(RETRY), index), ());
        }
    }
}

impl Member {
    /// Takes one frame; says whether this one made the member live.
    fn heard(&mut self, frame: &Frame<'_>) -> bool {
        let (mut welcomes, mut subs) = match self.stage {
            Stage::Opening(welcomes, subs) => (welcomes, subs),
            _ => (0, 0),
        };
        // The welcome before the hello's own speaks of a session that ends at once.
        let passing = frame.kind == "welcome" && welcomes == 2;
        match &*frame.kind {
            "welcome" => {
                welcomes = welcomes.saturating_sub(1);
                if !passing {
                    self.resume = frame.resume.as_deref().unwrap_or_default().to_owned();
                    self.tally.resumed = frame.resumed;
                }
            }
            "subscribed" => subs = subs.saturating_sub(1),
            _ => self.tally.take(frame),
        }
        if let Some(cursor) = frame.cursor.as_deref().filter(|_| !passing && frame.kind != "ok") {
            cursor.clone_into(&mut self.cursor);
            if self.first_cursor.is_empty() {
                cursor.clone_into(&mut self.first_cursor);
            }
        }
        if !matches!(self.stage, Stage::Opening(..)) {
            return false;
        }
        let stands = (welcomes, subs) == (0, 0);
        self.stage = if stands { Stage::Live } else { Stage::Opening(welcomes, subs) };
        stands
    }
}

//! The subscribers: opens them, answers the server, and counts what each of them gets.

use std::collections::VecDeque;
use std::io::{self, Read};

use mio::event::Event;
use mio::{Registry, Token};

use super::dialect::{Control, Dialect, Keepsake, cursor_of};
use super::frames::{self, Kind, broken};
use super::histogram::Histogram;
use super::layout::Layout;
use super::link::{Dialer, Link, waits};
use super::sequence::{Sequence, Tally};
use super::stamp::Stamp;
use super::stopwatch::Stopwatch;

/// Larger than two of the largest frames, so that one that is still incomplete always has room to grow.
const READ_BUFFER: usize = 4 << 20;
/// Pause after a failed attempt to come back, in microseconds: the server may still be starting.
const RETRY: u64 = 20_000;

/// How far a subscriber has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not connected.
    Absent,
    /// The upgrade is on its way.
    Upgrading,
    /// So many welcomes are still to come.
    Greeting(u8),
    /// So many subscriptions are still unanswered.
    Subscribing(u32),
    /// Everything stands.
    Live,
}

struct Subscriber {
    link: Option<Link>,
    stage: Stage,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

/// What went on, apart from the sequences.
#[derive(Debug, Default, Clone, Copy)]
pub struct Incidents {
    /// Events on a connection that had not subscribed to their channel.
    pub misrouted: u64,
    /// `reset` frames.
    pub resets: u64,
    /// Connections that the server ended.
    pub disconnects: u64,
}

/// All subscribers of a run.
pub struct Swarm {
    layout: Layout,
    dialer: Dialer,
    watch: Stopwatch,
    members: Vec<Subscriber>,
    sequences: Vec<Sequence>,
    /// Filled only in a restart test.
    keepsakes: Vec<Keepsake>,
    waiting: VecDeque<usize>,
    opening: usize,
    live: usize,
    coming_back: bool,
    not_before: u64,
    buffer: Vec<u8>,
    hint: usize,
    /// Publish to receive, in microseconds.
    pub latency: Histogram,
    /// What the sequences add up to.
    pub tally: Tally,
    /// What else happened.
    pub incidents: Incidents,
}

impl Swarm {
    /// None of the subscribers is connected yet. With `keep`, cursors are kept for coming back.
    pub fn new(layout: Layout, dialer: Dialer, watch: Stopwatch, keep: bool) -> Self {
        let absent =
            || Subscriber { link: None, stage: Stage::Absent, unread: Vec::new(), unsent: Vec::new() };
        Self {
            layout,
            dialer,
            watch,
            members: std::iter::repeat_with(absent).take(layout.connections).collect(),
            sequences: vec![Sequence::default(); layout.connections * layout.per_connection],
            keepsakes: vec![Keepsake::default(); if keep { layout.connections } else { 0 }],
            waiting: (0..layout.connections).collect(),
            opening: 0,
            live: 0,
            coming_back: false,
            not_before: 0,
            buffer: vec![0; READ_BUFFER],
            hint: 0,
            latency: Histogram::default(),
            tally: Tally::default(),
            incidents: Incidents::default(),
        }
    }

    /// Subscribers whose subscriptions stand.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Opens waiting subscribers until `most` are on their way.
    pub fn open(&mut self, most: usize, dialect: &Dialect, registry: &Registry) -> io::Result<()> {
        if self.waiting.is_empty() || self.watch.micros() < self.not_before {
            return Ok(());
        }
        while self.opening < most {
            let Some(index) = self.waiting.pop_front() else { break };
            self.opening += 1;
            self.members[index].stage = Stage::Upgrading;
            let mut unsent = dialect.upgrade(index);
            let opened = self.dialer.dial(index, Token(index), registry).and_then(|mut link| {
                link.flush_from(&mut unsent)?;
                Ok(link)
            });
            match opened {
                Ok(link) => {
                    let member = &mut self.members[index];
                    (member.link, member.unsent) = (Some(link), unsent);
                    member.unread.clear();
                }
                Err(error) => return self.ended(index, Some(error)),
            }
        }
        Ok(())
    }

    /// Drops every connection that is left and queues all for coming back with their keepsakes.
    pub fn come_back(&mut self) {
        self.coming_back = true;
        for member in &mut self.members {
            member.link = None;
            member.stage = Stage::Absent;
        }
        self.waiting = (0..self.members.len()).collect();
        self.opening = 0;
        self.live = 0;
    }

    /// Something happened on a subscriber's socket.
    pub fn ready(&mut self, event: &Event, dialect: &Dialect) -> io::Result<()> {
        let index = event.token().0;
        if self.members[index].link.is_none() {
            return Ok(());
        }
        match self.serve(index, event.is_read_closed(), dialect) {
            Ok(true) => Ok(()),
            Ok(false) => self.ended(index, None),
            Err(error) => self.ended(index, Some(error)),
        }
    }

    /// Reads and writes what can be; false when the server has ended the connection.
    fn serve(&mut self, index: usize, to_the_end: bool, dialect: &Dialect) -> io::Result<bool> {
        let member = &mut self.members[index];
        let Some(link) = &mut member.link else { return Ok(true) };
        if !member.unsent.is_empty() {
            if let Some(error) = link.failure() {
                return Err(error);
            }
            link.flush_from(&mut member.unsent)?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(index, to_the_end, dialect, &mut buffer);
        self.buffer = buffer;
        result
    }

    fn read(
        &mut self,
        index: usize,
        to_the_end: bool,
        dialect: &Dialect,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        loop {
            let member = &mut self.members[index];
            let Some(link) = &mut member.link else { return Ok(true) };
            let held = member.unread.len();
            buffer[..held].copy_from_slice(&member.unread);
            let room = buffer.len() - held;
            let got = match link.read(&mut buffer[held..]) {
                Ok(0) => return Ok(false),
                Ok(got) => got,
                Err(error) if waits(&error) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let emptied = link.emptied(got, room) && !to_the_end;
            member.unread.clear();
            let used = self.take(index, &buffer[..held + got], dialect)?;
            let member = &mut self.members[index];
            member.unread.extend_from_slice(&buffer[used..held + got]);
            if emptied || member.link.is_none() {
                return Ok(true);
            }
        }
    }

    /// Takes what is whole off the bytes of one connection; says how many bytes that was.
    fn take(&mut self, index: usize, bytes: &[u8], dialect: &Dialect) -> io::Result<usize> {
        let now = self.watch.micros();
        let mut used = 0;
        if self.members[index].stage == Stage::Upgrading {
            let Some(end) = frames::head_end(bytes) else { return Ok(0) };
            if frames::status(bytes) != Some(101) {
                let answer = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
                return Err(broken(format!("the upgrade was answered with: {answer}")));
            }
            used = end;
            self.upgraded(index, dialect)?;
        }
        while let Some(frame) = frames::first(&bytes[used..])? {
            used += frame.length;
            match frame.kind {
                Kind::Message => match Stamp::find(frame.payload, &mut self.hint) {
                    Some(stamp) => self.deliver(index, stamp, now, frame.payload),
                    None => self.act(index, dialect.control(frame.payload), dialect)?,
                },
                Kind::Ping => {
                    let mut pong = Vec::new();
                    frames::append_pong(&mut pong, frame.payload);
                    self.send(index, &pong)?;
                }
                Kind::Pong => {}
                Kind::Close => {
                    let (code, reason) = frame.payload.split_at(frame.payload.len().min(2));
                    let code = code.iter().fold(0, |code, &byte| code << 8 | u32::from(byte));
                    let reason = String::from_utf8_lossy(reason);
                    return Err(broken(format!("the server closed with {code} {reason}")));
                }
            }
        }
        Ok(used)
    }

    fn deliver(&mut self, index: usize, stamp: Stamp, now: u64, payload: &[u8]) {
        let Some(slot) = self.layout.slot(index, stamp.channel as usize) else {
            self.incidents.misrouted += 1;
            return;
        };
        let fresh = self.sequences[slot].see(stamp.number, &mut self.tally);
        if fresh {
            self.latency.record(now.saturating_sub(stamp.micros));
        }
        if let Some(keepsake) = self.keepsakes.get_mut(index)
            && let Some(cursor) = cursor_of(payload)
        {
            keepsake.cursor.clear();
            keepsake.cursor.push_str(cursor);
        }
    }

    fn upgraded(&mut self, index: usize, dialect: &Dialect) -> io::Result<()> {
        if self.coming_back {
            // One welcome is sent to everybody at once, the other answers the hello.
            self.members[index].stage = Stage::Greeting(2);
            let hello = dialect.hello(&self.keepsakes[index], self.layout.channels_of(index));
            self.send(index, &hello)
        } else if dialect.waits_for_welcome() {
            self.members[index].stage = Stage::Greeting(1);
            Ok(())
        } else {
            self.subscribe(index, dialect)
        }
    }

    fn subscribe(&mut self, index: usize, dialect: &Dialect) -> io::Result<()> {
        let channels = self.layout.channels_of(index);
        self.members[index].stage = Stage::Subscribing(channels.len() as u32);
        let frames = dialect.subscribe(channels);
        self.send(index, &frames)
    }

    fn act(&mut self, index: usize, control: Control, dialect: &Dialect) -> io::Result<()> {
        let stage = self.members[index].stage;
        match (control, stage) {
            (Control::Welcome(keepsake), Stage::Greeting(left)) => {
                if let Some(kept) = self.keepsakes.get_mut(index) {
                    kept.resume = keepsake.resume;
                    if !self.coming_back {
                        kept.cursor = keepsake.cursor;
                    }
                }
                match (left, self.coming_back) {
                    (2.., _) => self.members[index].stage = Stage::Greeting(left - 1),
                    (_, true) => self.stands(index),
                    (_, false) => self.subscribe(index, dialect)?,
                }
            }
            (Control::Subscribed, Stage::Subscribing(left)) if left > 1 => {
                self.members[index].stage = Stage::Subscribing(left - 1);
            }
            (Control::Subscribed, Stage::Subscribing(_)) => self.stands(index),
            (Control::Answer(message), _) => {
                let mut answer = Vec::new();
                frames::append_text(&mut answer, message.as_bytes());
                self.send(index, &answer)?;
            }
            (Control::Reset(channel), _) => self.reset(index, channel),
            (Control::Refused(sentence), _) => return Err(broken(format!("the server refused: {sentence}"))),
            _ => {}
        }
        Ok(())
    }

    fn stands(&mut self, index: usize) {
        self.members[index].stage = Stage::Live;
        self.opening -= 1;
        self.live += 1;
    }

    fn reset(&mut self, index: usize, channel: Option<usize>) {
        self.incidents.resets += 1;
        let channels = self.layout.channels_of(index);
        for channel in channel.map_or(channels, |one| one..one + 1) {
            if let Some(slot) = self.layout.slot(index, channel) {
                self.sequences[slot].reset();
            }
        }
    }

    fn send(&mut self, index: usize, bytes: &[u8]) -> io::Result<()> {
        let member = &mut self.members[index];
        member.unsent.extend_from_slice(bytes);
        match &mut member.link {
            Some(link) => link.flush_from(&mut member.unsent),
            None => Ok(()),
        }
    }

    /// A connection is gone. Before it stood that ends the run, unless the server is being restarted.
    fn ended(&mut self, index: usize, error: Option<io::Error>) -> io::Result<()> {
        let restarts = !self.keepsakes.is_empty();
        let stage = std::mem::replace(&mut self.members[index].stage, Stage::Absent);
        self.members[index].link = None;
        match stage {
            Stage::Live => {
                self.live -= 1;
                self.incidents.disconnects += 1;
                if let Some(error) = error.filter(|_| !restarts && self.incidents.disconnects == 1) {
                    eprintln!("connection {index} ended: {error}");
                }
                Ok(())
            }
            _ if restarts && self.coming_back => {
                self.opening -= 1;
                self.waiting.push_back(index);
                self.not_before = self.watch.micros() + RETRY;
                Ok(())
            }
            _ => {
                let why = error.map_or("the server ended it".into(), |error| error.to_string());
                Err(io::Error::other(format!("connection {index} did not come up: {why}")))
            }
        }
    }

    /// Adds what never came to the tally; `published` tells how many events each channel had.
    pub fn finish(&mut self, published: &[u32]) {
        for index in 0..self.members.len() {
            for channel in self.layout.channels_of(index) {
                if let Some(slot) = self.layout.slot(index, channel) {
                    self.sequences[slot].finish(published[channel], &mut self.tally);
                }
            }
        }
    }
}

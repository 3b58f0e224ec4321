//! Publishes: gives every event its channel and number, and keeps requests on their way over a few lanes.

use std::io;

use mio::event::Event;
use mio::{Registry, Token};

use super::dialect::Dialect;
use super::lane::{Lane, Outcome};
use super::layout::Layout;
use super::link::Dialer;
use super::options::{Options, Protocol};
use super::sequence::SPAN;
use super::stamp::Stamp;

/// Pause before a publish that a restarting server refused is sent again, in microseconds.
const RETRY: u64 = 20_000;

/// The publishing side of a run.
pub struct Publisher {
    layout: Layout,
    dialer: Dialer,
    lanes: Vec<Lane>,
    batch: usize,
    /// The most requests that may lie between the oldest on its way and the newest.
    spread: u64,
    /// A restart test sends again what was not answered; otherwise a refusal ends the run.
    retries: bool,
    first_token: usize,
    next_event: u64,
    next_request: u64,
    numbers: Vec<u32>,
    answered: u64,
}

impl Publisher {
    /// Ready to open its lanes, which report under tokens from `first_token`.
    pub fn new(options: &Options, layout: Layout, dialer: Dialer, first_token: usize) -> Self {
        // The yardstick never answers, so one connection takes any number of its publishes.
        let lanes = if options.target.protocol == Protocol::Limit { 1 } else { options.outstanding };
        Self {
            layout,
            dialer,
            lanes: std::iter::repeat_with(Lane::default).take(lanes).collect(),
            batch: options.events_per_request(),
            spread: u64::from(SPAN) / options.numbers_per_request() as u64,
            retries: options.resume,
            first_token,
            next_event: 0,
            next_request: 0,
            numbers: vec![0; layout.channels],
            answered: 0,
        }
    }

    /// Events given out so far.
    pub fn published(&self) -> u64 {
        self.next_event
    }

    /// Events that the server has confirmed (the yardstick: that were sent).
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// How many events each channel has had.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// Events in one request.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Whether every request has been answered.
    pub fn quiet(&self) -> bool {
        self.lanes.iter().all(|lane| lane.request().is_none())
    }

    /// Opens lanes that have no connection, and sends again what is due.
    pub fn tend(&mut self, now: u64, dialect: &Dialect, registry: &Registry) -> io::Result<()> {
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            if lane.wants_connection(now) {
                let token = Token(self.first_token + at);
                let opened = self.dialer.dial(at, token, registry);
                let outcome = opened.and_then(|link| lane.opened(link, dialect));
                Self::settle(outcome, lane, self.retries, now)?;
            }
        }
        Ok(())
    }

    /// Sends one request if a lane is free, its events due at `due`. Says how many deliveries that makes.
    pub fn publish(&mut self, due: u64, dialect: &Dialect) -> io::Result<Option<u64>> {
        let oldest = self.lanes.iter().filter_map(Lane::request).min().unwrap_or(self.next_request);
        if self.next_request - oldest >= self.spread {
            return Ok(None);
        }
        let Some(at) = self.lanes.iter().position(Lane::free) else { return Ok(None) };
        let first = self.next_event;
        let mut owed = 0;
        let mut events = Vec::with_capacity(self.batch);
        for n in first..first + self.batch as u64 {
            let channel = self.layout.channel_of_event(n);
            let number = self.numbers[channel];
            self.numbers[channel] += 1;
            owed += self.layout.audience(channel);
            events.push(Stamp { channel: channel as u32, number, micros: due });
        }
        let bytes = dialect.publish(&events, first);
        let lane = &mut self.lanes[at];
        let outcome = lane.send(self.next_request, bytes, dialect.protocol);
        self.next_event += self.batch as u64;
        self.next_request += 1;
        if Self::settle(outcome, lane, self.retries, due)? {
            self.answered += self.batch as u64;
        }
        Ok(Some(owed))
    }

    /// Something happened on a lane's socket.
    pub fn ready(&mut self, event: &Event, now: u64) -> io::Result<()> {
        let lane = &mut self.lanes[event.token().0 - self.first_token];
        let outcome = lane.ready();
        if Self::settle(outcome, lane, self.retries, now)? {
            self.answered += self.batch as u64;
        }
        Ok(())
    }

    /// True when a request was answered with success.
    fn settle(outcome: io::Result<Outcome>, lane: &mut Lane, retries: bool, now: u64) -> io::Result<bool> {
        match outcome {
            Ok(Outcome::Waiting) => Ok(false),
            Ok(Outcome::Done) => Ok(true),
            Ok(Outcome::Refused { status, body }) => {
                if retries && (status >= 500 || status == 429) {
                    lane.try_again_at(now + RETRY);
                    return Ok(false);
                }
                Err(io::Error::other(format!("a publish was answered with {status}: {body}")))
            }
            Err(_) if retries => {
                lane.try_again_at(now + RETRY);
                Ok(false)
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("a publish failed: {error}"))),
        }
    }
}

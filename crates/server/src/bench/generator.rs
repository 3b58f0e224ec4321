//! The event loop that subscribers and publisher share.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};

use super::dialect::Dialect;
use super::layout::Layout;
use super::link::Dialer;
use super::options::Options;
use super::process::Usage;
use super::publisher::Publisher;
use super::report::{Idle, Published, Report};
use super::stopwatch::Stopwatch;
use super::swarm::Swarm;

/// Sockets looked at per turn.
const EVENTS: usize = 1024;

/// Everything of a run.
pub struct Generator {
    /// How it was called.
    pub options: Options,
    /// Its clock.
    pub watch: Stopwatch,
    /// The subscribers.
    pub swarm: Swarm,
    /// The publishing side.
    pub publisher: Publisher,
    /// What is spoken.
    pub dialect: Dialect,
    /// Deliveries that the publishes so far should make.
    pub owed: u64,
    poll: Poll,
    events: Events,
}

/// A point in time, with everything that is compared between two of them.
pub struct Mark {
    /// Microseconds.
    pub at: u64,
    /// Deliveries so far.
    pub delivered: u64,
    /// Events confirmed so far.
    pub answered: u64,
    /// CPU time of the server so far.
    pub usage: Option<Usage>,
}

impl Generator {
    /// Nothing is connected yet.
    pub fn new(options: Options) -> io::Result<Self> {
        let layout = Layout::new(&options);
        let watch = Stopwatch::start();
        let publisher = Publisher::new(&options, layout, Dialer::new(&options)?, layout.connections);
        Ok(Self {
            swarm: Swarm::new(layout, Dialer::new(&options)?, watch, options.resume),
            publisher,
            dialect: Dialect::new(&options),
            owed: 0,
            watch,
            options,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
        })
    }

    /// Opens subscribers that wait for it, as many at once as the options allow.
    pub fn open(&mut self) -> io::Result<()> {
        self.swarm.open(self.options.opening, &self.dialect, self.poll.registry())
    }

    /// Keeps the publishing lanes connected.
    pub fn tend(&mut self) -> io::Result<()> {
        self.publisher.tend(self.watch.micros(), &self.dialect, self.poll.registry())
    }

    /// One turn of the loop: waits at most so many microseconds and serves what is ready.
    pub fn turn(&mut self, micros: u64) -> io::Result<()> {
        let wait = Duration::from_micros(if self.options.spin { 0 } else { micros });
        match self.poll.poll(&mut self.events, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for event in &self.events {
            if event.token().0 < self.options.connections {
                self.swarm.ready(event, &self.dialect)?;
            } else {
                self.publisher.ready(event, self.watch.micros())?;
            }
        }
        Ok(())
    }

    /// Publishes one request that was due at `due`; false when no lane is free.
    pub fn publish(&mut self, due: u64) -> io::Result<bool> {
        let made = self.publisher.publish(due, &self.dialect)?;
        self.owed += made.unwrap_or(0);
        Ok(made.is_some())
    }

    /// Whether all that was published has been answered and delivered.
    pub fn settled(&self) -> bool {
        self.swarm.tally.fresh >= self.owed && self.publisher.quiet()
    }

    /// Reads the server's CPU time.
    pub fn usage(&self) -> Option<Usage> {
        Usage::read(&self.options.server_pids)
    }

    /// Everything that is counted, now.
    pub fn mark(&self) -> Mark {
        Mark {
            at: self.watch.micros(),
            delivered: self.swarm.tally.fresh,
            answered: self.publisher.answered(),
            usage: self.usage(),
        }
    }

    /// Closes the books.
    pub fn report(mut self, idle: Idle, published: Option<Published>) -> Report {
        self.swarm.finish(self.publisher.numbers());
        Report::new(self.options, idle, published, &self.swarm, self.publisher.published())
    }
}

impl Mark {
    /// CPU seconds of the server since `before`, where they could be read.
    pub fn cpu_since(&self, before: &Self) -> Option<f64> {
        Some(self.usage.as_ref()?.seconds_since(before.usage.as_ref()?))
    }
}

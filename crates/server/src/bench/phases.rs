//! The phases of an ordinary run: connect and subscribe, settle, warm up, measure, drain.

use std::io;

use super::generator::{Generator, Mark};
use super::process;
use super::report::{Idle, Published, Step};
use super::stopwatch::{micros, seconds};

/// Longest wait in one turn when nothing is due, in microseconds.
pub const NAP: u64 = 10_000;
/// A run whose next connection or delivery does not come for so long gives up on it, in microseconds.
const STALL: u64 = 5_000_000;
/// Deliveries that come later than this after the one before are not waited for at the end, in microseconds.
const SILENCE: u64 = 2_000_000;
/// Connections between two readings of the server's CPU time while connecting.
const STEP: usize = 1000;

/// Opens and subscribes all connections, lets them settle, and reads what they cost.
pub fn connect(generator: &mut Generator) -> io::Result<Idle> {
    let wanted = generator.options.connections;
    let process = generator.options.server_pids.first().copied();
    let before = process.and_then(process::resident);
    let start = generator.mark();
    let mut steps = Vec::new();
    let (mut last, mut seen) = (start.at, 0);
    while generator.swarm.live() < wanted {
        generator.open()?;
        generator.turn(NAP)?;
        let live = generator.swarm.live();
        let now = generator.watch.micros();
        if live > seen {
            (last, seen) = (now, live);
        } else if now - last > STALL {
            return Err(io::Error::other(format!(
                "no answer for 5 s with {live} of {wanted} connections up"
            )));
        }
        if live / STEP > steps.len() {
            let mark = generator.mark();
            steps.push(Step {
                connections: live,
                seconds: seconds(mark.at - start.at),
                cpu_s: mark.cpu_since(&start),
            });
        }
    }
    let end = generator.mark();
    let quiet = generator.watch.micros() + micros(generator.options.settle);
    while generator.watch.micros() < quiet {
        generator.turn(NAP)?;
    }
    Ok(Idle {
        seconds: seconds(end.at - start.at),
        cpu_s: end.cpu_since(&start),
        steps,
        resident_before: before,
        resident_after: process.and_then(process::resident),
    })
}

/// Publishes as the options say and measures it.
pub fn publish(generator: &mut Generator) -> io::Result<Published> {
    generator.tend()?;
    if generator.options.rate > 0.0 { at_a_rate(generator) } else { flat_out(generator) }
}

/// Closed loop: the next window of requests goes out when everything from the one before has arrived.
fn flat_out(generator: &mut Generator) -> io::Result<Published> {
    let warm = generator.watch.micros() + micros(generator.options.warmup);
    let duration = micros(generator.options.duration);
    let mut from: Option<Mark> = None;
    let mut stalls = 0;
    loop {
        let now = generator.watch.micros();
        match &from {
            None if now >= warm => from = Some(begin(generator)),
            Some(from) if now >= from.at + duration => {
                let to = generator.mark();
                return Ok(Published::between(
                    from,
                    &to,
                    generator.owed - generator.swarm.tally.fresh,
                    stalls,
                ));
            }
            _ => {}
        }
        stalls += u64::from(!window(generator)?);
    }
}

/// From here on it counts.
fn begin(generator: &mut Generator) -> Mark {
    generator.swarm.latency.clear();
    generator.mark()
}

/// One window; false when it was given up because nothing came any more.
fn window(generator: &mut Generator) -> io::Result<bool> {
    let mut left = generator.options.outstanding;
    let mut last = (generator.watch.micros(), generator.swarm.tally.fresh, generator.publisher.answered());
    loop {
        while left > 0 && generator.publish(generator.watch.micros())? {
            left -= 1;
        }
        if left == 0 && generator.settled() {
            return Ok(true);
        }
        generator.turn(NAP)?;
        generator.tend()?;
        let (now, delivered, answered) =
            (generator.watch.micros(), generator.swarm.tally.fresh, generator.publisher.answered());
        if (delivered, answered) != (last.1, last.2) {
            last = (now, delivered, answered);
        } else if now - last.0 > STALL {
            if answered == 0 {
                return Err(io::Error::other("the server does not answer a publish"));
            }
            // What is missing is counted as lost at the end; the next window must not wait for it.
            generator.owed = delivered;
            return Ok(false);
        }
    }
}

/// Open loop: events are due at fixed times, whatever the server does. Time spent waiting for a free lane
/// is part of their latency.
fn at_a_rate(generator: &mut Generator) -> io::Result<Published> {
    let mut pace = Pace::new(generator);
    let warm = pace.start + micros(generator.options.warmup);
    let duration = micros(generator.options.duration);
    let mut from: Option<Mark> = None;
    loop {
        let now = generator.watch.micros();
        match &from {
            None if now >= warm => from = Some(begin(generator)),
            Some(from) if now >= from.at + duration => {
                let to = generator.mark();
                let behind = generator.owed.saturating_sub(generator.swarm.tally.fresh);
                drain(generator)?;
                return Ok(Published::between(from, &to, behind, 0));
            }
            _ => {}
        }
        generator.tend()?;
        let nap = pace.publish(generator, now)?;
        generator.turn(nap)?;
    }
}

/// When the next request is due.
pub struct Pace {
    start: u64,
    between: f64,
    sent: u64,
}

impl Pace {
    /// Starts now, at the rate of the options.
    pub fn new(generator: &Generator) -> Self {
        let between = generator.publisher.batch() as f64 / generator.options.rate * 1e6;
        Self { start: generator.watch.micros(), between, sent: 0 }
    }

    /// Publishes what is due and says how long nothing more is.
    pub fn publish(&mut self, generator: &mut Generator, now: u64) -> io::Result<u64> {
        loop {
            let due = self.start + (self.sent as f64 * self.between) as u64;
            if due > now {
                return Ok((due - now).min(NAP));
            }
            if !generator.publish(due)? {
                return Ok(NAP);
            }
            self.sent += 1;
        }
    }
}

/// Waits for late deliveries, until all have come, nothing comes any more, or the time is up.
pub fn drain(generator: &mut Generator) -> io::Result<()> {
    let end = generator.watch.micros() + micros(generator.options.drain);
    let mut last = (generator.watch.micros(), generator.swarm.tally.fresh);
    loop {
        let (now, delivered) = (generator.watch.micros(), generator.swarm.tally.fresh);
        if delivered != last.1 {
            last = (now, delivered);
        }
        if generator.settled() || now >= end || now - last.0 > SILENCE {
            return Ok(());
        }
        generator.tend()?;
        generator.turn(NAP)?;
    }
}

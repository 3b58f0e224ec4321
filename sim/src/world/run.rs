//! One run: what happens when, all of it from one seed.

use std::fmt;

use deskbell_core::limits::{HOUR, MINUTE, Millis, SECOND};
use deskbell_core::position::fnv;
use deskbell_server::store::Done;

use super::ground::Ground;
use super::program::{Call, Notice, Program, RESOURCES};
use super::site::{Process, Site};
use super::watch::Watch;
use crate::check::{Candidates, Checked, Checker};
use crate::disk::dice::{Dice, Purpose};
use crate::disk::{Cut, Dirty, Loss, Plan};
use crate::postgres::Database;

/// Steps of a run where nobody says otherwise.
pub const STEPS: u64 = 40;
/// When every run begins.
const BEGINNING: Millis = 1_700_000_000_000;
/// Batches between two moments at which a caller asks; more of them mean that the ledger never comes to rest.
const UNREST: usize = 400;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A hash of everything that was answered and told, and of every byte on the disk.
    pub hash: u64,
    /// Requests that were answered.
    pub answers: u64,
    /// Rows of the ledger.
    pub rows: u64,
    /// Ends of the process.
    pub ends: u64,
}

/// A run that showed something wrong.
#[derive(Debug)]
pub struct Failed {
    /// Its seed.
    pub seed: u64,
    /// The step at which it showed.
    pub step: u64,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, why } = self;
        write!(
            f,
            "seed {seed}, step {step}: {why}\nalone: cargo run -p deskbell-sim -- --seed {seed} --steps {step}"
        )
    }
}

/// How a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Everybody is answered.
    Answered,
    /// The process dies when the disk has it, before anybody hears of it.
    DiesSilent,
    /// It dies when the log has it, before anybody is answered.
    DiesFed,
}

/// Everything that there is in a run.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) process: Option<Process>,
    pub(super) program: Program,
    pub(super) dice: Dice,
    pub(super) checker: Checker,
    pub(super) watch: Watch,
    /// The time that a perfect clock shows.
    pub(super) real: Millis,
    /// The server's time.
    pub(super) now: Millis,
    /// A fault lies ahead, until this step.
    pub(super) fault: Option<u64>,
    /// Requests that were not answered, and will be sent again.
    pub(super) unanswered: Vec<Call>,
    pub(super) ends: u64,
    hash: u64,
    step: u64,
}

/// Runs a seed over the disk in memory.
pub fn run(seed: u64, steps: u64) -> Result<Report, Failed> {
    run_on(seed, steps, None)
}

/// Runs a seed over an empty database.
pub fn run_shared(seed: u64, steps: u64, database: &Database<'_>) -> Result<Report, Failed> {
    run_on(seed, steps, Some(Ground::new(database)))
}

fn run_on(seed: u64, steps: u64, ground: Option<Ground>) -> Result<Report, Failed> {
    let failed = |step, why| Failed { seed, step, why };
    let mut world = World::new(seed, ground).map_err(|why| failed(0, why))?;
    for step in 1..=steps {
        world.step = step;
        world.step().map_err(|why| failed(step, why))?;
    }
    world.end().map_err(|why| failed(steps, why))
}

impl World {
    fn new(seed: u64, ground: Option<Ground>) -> Checked<Self> {
        let site = Site::new(seed, ground);
        let process = site.start(BEGINNING).ok_or("a working disk does not let the store start")?;
        let mut world = Self {
            watch: Watch::new(process.head),
            site,
            process: Some(process),
            program: Program::new(seed),
            dice: Dice::new(seed, Purpose::Program, 0),
            checker: Checker::default(),
            real: BEGINNING,
            now: BEGINNING,
            fault: None,
            unanswered: Vec::new(),
            ends: 0,
            hash: 0,
            step: 0,
        };
        let resources = (0..RESOURCES).map(|nth| world.program.resource(nth, false)).collect();
        world.batch(resources, Vec::new(), End::Answered)?;
        Ok(world)
    }

    fn step(&mut self) -> Checked {
        if self.fault.is_some_and(|until| until <= self.step) {
            self.site.plan(Plan::NONE)?;
            self.fault = None;
        }
        match self.dice.below(100) {
            0..46 => self.ask(End::Answered),
            46..50 => self.index(),
            50..61 => {
                let time = 1 + self.dice.below(3 * SECOND);
                self.pass(time)
            }
            61..72 => {
                let time = MINUTE + self.dice.below(20 * MINUTE);
                self.pass(time)
            }
            72..75 => self.pause(),
            75..83 => {
                self.plan_a_fault()?;
                self.ask(End::Answered)
            }
            83..87 => {
                let loss = self.loss();
                self.restart(loss)
            }
            87..89 => self.stop_and_start(),
            89..92 => self.ask(End::DiesSilent),
            92..94 => self.ask(End::DiesFed),
            94..96 => self.checkpoint(),
            96..98 => self.housekeeping(),
            _ => self.quiet(),
        }
    }

    /// Several people ask at once, and somebody may publish.
    fn ask(&mut self, end: End) -> Checked {
        let (calls, notices) = self.requests();
        self.tick(40);
        self.batch(calls, notices, end)?;
        self.settle()?;
        if self.dice.one_in(3) { self.follow() } else { Ok(()) }
    }

    pub(super) fn requests(&mut self) -> (Vec<Call>, Vec<Notice>) {
        let mut calls = Vec::new();
        for _ in 0..=self.dice.below(6) {
            let call = self.program.call(&self.checker.naive, self.now);
            if self.dice.one_in(12) {
                calls.push(call.clone());
            }
            calls.push(call);
        }
        let notices = (0..self.dice.below(5) / 3).map(|_| self.program.notice()).collect();
        (calls, notices)
    }

    fn tick(&mut self, most: Millis) {
        let time = self.dice.below(most);
        self.real += time;
        self.now += time;
    }

    /// One batch, with whatever becomes of it.
    pub(super) fn batch(&mut self, calls: Vec<Call>, notices: Vec<Notice>, end: End) -> Checked {
        let Some(process) = self.process.as_mut() else { return Err("there is no process".to_owned()) };
        let petitions: Vec<_> = calls.iter().map(Call::petition).collect();
        let publishes: Vec<_> = notices.iter().map(|notice| notice.publish(self.now)).collect();
        process.set_time(self.now)?;
        let done = process.ledger.batch(self.now, &petitions, &publishes);
        let (seeds, until) = self.site.issued(self.checker.learned());
        self.checker.learn(seeds, until);
        if self.site.disk.crashed() || end != End::Answered {
            if end == End::DiesFed && !self.site.disk.crashed() {
                self.feed(&done)?;
                self.follow()?;
            }
            self.unanswered.extend(calls.iter().filter(|call| call.once.is_some()).cloned());
            self.checker.unanswered(self.now, Candidates { calls, notices });
            let loss = self.loss();
            return self.restart(loss);
        }
        match self.fault {
            Some(_) => self.checker.disk_failed(self.now),
            None => self.checker.disk_works(self.now),
        }
        self.note(&format!("{done:?}"));
        self.checker.batch(self.now, &calls, &notices, &done)?;
        self.feed(&done)
    }

    fn feed(&mut self, done: &Done) -> Checked {
        self.watch.feed(done.rows.iter().map(|(_, row)| row.clone()).collect(), self.now)
    }

    pub(super) fn note(&mut self, text: &str) {
        self.hash = self.hash.rotate_left(5) ^ fnv(text.as_bytes());
    }

    /// When something is due although nobody asks.
    fn next(&self) -> Option<Millis> {
        self.process.as_ref().and_then(|process| process.ledger.next())
    }

    /// Lets happen what is due by now, as the store's writer does.
    pub(super) fn settle(&mut self) -> Checked {
        for _ in 0..UNREST {
            if self.fault.is_some() {
                return Ok(());
            }
            if self.next().is_none_or(|at| at > self.now) {
                return self.checker.nothing_is_due(self.now);
            }
            self.batch(Vec::new(), Vec::new(), End::Answered)?;
        }
        Err("the ledger never comes to rest".to_owned())
    }

    /// Time goes by, and the writer wakes when something is due.
    fn pass(&mut self, time: Millis) -> Checked {
        let ends = self.ends;
        let until = self.real + time;
        for _ in 0..UNREST {
            self.settle()?;
            let Some(at) = self.next().filter(|at| *at <= self.now + (until - self.real)) else { break };
            let ahead = at.saturating_sub(self.now) + self.dice.below(3);
            (self.real, self.now) = (self.real + ahead, self.now + ahead);
            self.batch(Vec::new(), Vec::new(), End::Answered)?;
            if self.ends != ends || self.real >= until {
                return Ok(());
            }
        }
        let ahead = until - self.real;
        (self.real, self.now) = (until, self.now + ahead);
        Ok(())
    }

    /// The process stands still for longer than most holds last.
    fn pause(&mut self) -> Checked {
        let time = SECOND + self.dice.below(2 * HOUR);
        (self.real, self.now) = (self.real + time, self.now + time);
        self.ask(End::Answered)
    }

    pub(super) fn plan_a_fault(&mut self) -> Checked {
        let counts = self.site.disk.counts();
        let ahead = 1 + self.dice.below(40);
        let first = self.dice.one_in(2);
        let dirty = if first { Dirty::Waits } else { Dirty::Dropped };
        let cut = if first { Cut::Short } else { Cut::Whole };
        let plan = match self.dice.below(8) {
            0..4 => Plan::crash_at(counts.operations + ahead),
            4 => Plan { sync: Some((counts.syncs + 1 + ahead % 3, dirty)), ..Plan::NONE },
            5 => Plan { write: Some((counts.writes + ahead, cut)), ..Plan::NONE },
            6 => Plan { read: Some(counts.reads + ahead), ..Plan::NONE },
            _ => Plan { room: Some(self.dice.below(40_000)), ..Plan::NONE },
        };
        self.site.plan(plan)?;
        self.fault = Some(self.step + 1 + self.dice.below(3));
        Ok(())
    }

    pub(super) fn loss(&mut self) -> Loss {
        if self.dice.one_in(2) { Loss::Power } else { Loss::Kill }
    }

    /// Committed pages move into the data file. After a failure only a new start is safe.
    fn checkpoint(&mut self) -> Checked {
        let how = if self.dice.one_in(3) { "TRUNCATE" } else { "PASSIVE" };
        let works = self.process.as_ref().is_some_and(|process| process.checkpoint(how));
        if works && !self.site.disk.crashed() {
            return Ok(());
        }
        let loss = self.loss();
        self.restart(loss)
    }

    /// Nobody asks for anything for a moment, so the index of events comes nearer to the commits. Whoever reads
    /// the file in between is told the same.
    fn index(&mut self) -> Checked {
        if self.dice.one_in(3) {
            self.plan_a_fault()?;
        }
        let pages = [0, 1, 2, UNREST];
        let (before, after) = (pages[self.dice.below(4) as usize], pages[self.dice.below(4) as usize]);
        self.come_by(before)?;
        if let Some(process) = self.process.as_mut()
            && process.ledger.is_behind()
        {
            process.ledger.index();
        }
        if !self.site.disk.crashed() {
            self.come_by(after)?;
        }
        if !self.site.disk.crashed() {
            return Ok(());
        }
        let loss = self.loss();
        self.restart(loss)
    }

    /// Somebody reads so many pages of the file.
    fn come_by(&mut self, pages: usize) -> Checked {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        match self.watch.come_by(&mut process.ledger, &self.checker.told, pages) {
            Ok(told) => told,
            Err(_) if self.fault.is_some() => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// What is too old goes, when everybody has read it, and nothing else.
    fn housekeeping(&mut self) -> Checked {
        if self.fault.is_some() {
            return Ok(());
        }
        self.follow()?;
        self.come_by(UNREST)?;
        let now = self.now;
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        let done = process.ledger.expire(now, deskbell_core::limits::IDEMPOTENCY);
        done.map_err(|failure| format!("housekeeping fails: {failure}"))?;
        self.checker.tables(process)
    }

    /// The follower reads on; what it was told is what happened.
    pub(super) fn follow(&mut self) -> Checked {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        match self.watch.read(&mut process.ledger) {
            Err(why) if self.fault.is_none() => Err(why),
            _ => Ok(()),
        }
    }

    /// Was the follower told everything once and in order?
    pub(super) fn followed(&self) -> Checked {
        let (seen, told) = (&self.watch.seen, &self.checker.told);
        let first = seen.iter().zip(told).position(|(seen, told)| seen != told);
        match first {
            Some(place) => Err(format!("a follower is told {:?} for {:?}", seen[place], told[place])),
            None if seen.len() > told.len() => Err(format!("a follower is told of {:?}", seen[told.len()])),
            None => Ok(()),
        }
    }

    /// Nothing happens for a moment: everybody catches up, and every screen shows what there is.
    fn quiet(&mut self) -> Checked {
        let ends = self.ends;
        self.pass(100)?;
        self.settle()?;
        if self.fault.is_some() || self.ends != ends {
            return Ok(());
        }
        self.follow()?;
        self.followed()?;
        if self.watch.seen.len() != self.checker.told.len() {
            return Err("a follower at the head was not told everything".to_owned());
        }
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        self.watch.compare(&mut process.ledger, self.now)?;
        self.come_by(UNREST)
    }

    fn end(mut self) -> Checked<Report> {
        self.site.plan(Plan::NONE)?;
        self.fault = None;
        self.restart(Loss::Power)?;
        self.site.plan(Plan::NONE)?;
        self.fault = None;
        self.pass(2 * SECOND)?;
        self.quiet()?;
        let Some(process) = self.process.as_mut() else { return Err("there is no process".to_owned()) };
        self.checker.tables(process)?;
        drop(self.process.take());
        for (name, bytes) in self.site.files() {
            self.note(&format!("{name} {}", fnv(&bytes)));
        }
        let (answers, rows) = (self.checker.compared, self.checker.head);
        Ok(Report { hash: self.hash, answers, rows, ends: self.ends })
    }
}

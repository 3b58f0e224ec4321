//! One run: what happens when, all of it from one seed, and what it is compared with.

use std::collections::HashMap;

use deskbell_core::limits::{MINUTE, Millis, SECOND};
use deskbell_core::log::Row;
use deskbell_core::position::fnv;
use deskbell_core::refusal::Code;
use deskbell_server::store::{Asked, Done, Errand};
use serde_json::Value;

use super::look::look;
use super::naive::{Answer, Naive, Said};
use super::program::{Call, Program};
use crate::check::Checked;
use crate::disk::dice::{Dice, Purpose};
use crate::disk::{Dirty, Loss, Plan};
use crate::world::{Failed, Process, Site};

/// Steps of a run where nobody says otherwise.
pub const STEPS: u64 = 30;
/// When every run begins. All of a run lies within the life of an idempotency key.
const BEGINNING: Millis = 1_700_000_000_000;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// A hash of everything that was answered and told.
    pub hash: u64,
    /// Requests whose answer was compared.
    pub answers: u64,
    /// Rows of the ledger.
    pub rows: u64,
    /// Ends of the process.
    pub ends: u64,
}

struct World {
    site: Site,
    process: Option<Process>,
    program: Program,
    dice: Dice,
    naive: Naive,
    now: Millis,
    /// The last row of which it is known what it says.
    head: u64,
    /// Requests of which nobody was told what became of them, and what was answered where somebody was.
    unsure: HashMap<(u128, u64), (Call, Option<Said>, Millis)>,
    /// The last row that somebody was answered about.
    least: u64,
    /// Those of them that ask again.
    again: Vec<Call>,
    report: Report,
}

/// Runs a seed.
pub fn run(seed: u64, steps: u64) -> Result<Report, Failed> {
    let failed = |step, why| Failed { seed, step, why: format!("{why} (of inboxes: add --post)") };
    let mut world = World::new(seed).map_err(|why| failed(0, why))?;
    for step in 1..=steps {
        world.step().map_err(|why| failed(step, why))?;
    }
    world.end(Loss::Power).map_err(|why| failed(steps, why))?;
    Ok(world.report)
}

impl World {
    fn new(seed: u64) -> Checked<Self> {
        let site = Site::new(seed, None);
        let process = site.start(BEGINNING).ok_or("a working disk does not let the store start")?;
        Ok(Self {
            head: process.head.0,
            site,
            process: Some(process),
            program: Program::new(seed),
            dice: Dice::new(seed, Purpose::Program, 2),
            naive: Naive::default(),
            now: BEGINNING,
            unsure: HashMap::new(),
            least: 0,
            again: Vec::new(),
            report: Report { hash: 0, answers: 0, rows: 0, ends: 0 },
        })
    }

    fn step(&mut self) -> Checked {
        self.now += self.dice.below(MINUTE);
        let loss = if self.dice.one_in(2) { Loss::Power } else { Loss::Kill };
        match self.dice.below(20) {
            0..11 => self.ask(),
            11..14 => {
                self.plan_a_fault();
                self.ask()
            }
            14 | 15 => self.end(loss),
            16 => {
                drop(self.process.take());
                self.start()
            }
            17 | 18 => self.dies_silent(loss),
            _ => {
                let how = if self.dice.one_in(2) { "TRUNCATE" } else { "PASSIVE" };
                let works = self.process.as_ref().is_some_and(|process| process.checkpoint(how));
                if works { Ok(()) } else { self.end(loss) }
            }
        }
    }

    fn plan_a_fault(&mut self) {
        let counts = self.site.disk.counts();
        let ahead = 1 + self.dice.below(25);
        let dirty = if self.dice.one_in(2) { Dirty::Waits } else { Dirty::Dropped };
        let plan = match self.dice.below(6) {
            0..4 => Plan::crash_at(counts.operations + ahead),
            4 => Plan { sync: Some((counts.syncs + 1 + ahead % 3, dirty)), ..Plan::NONE },
            _ => Plan { room: Some(self.dice.below(20_000)), ..Plan::NONE },
        };
        self.site.disk.plan(plan);
    }

    fn calls(&mut self) -> Vec<Call> {
        let mut calls = std::mem::take(&mut self.again);
        for _ in 0..=self.dice.below(6) {
            calls.push(self.program.call(&self.naive));
        }
        calls
    }

    fn batch(&mut self, calls: &[Call]) -> Checked<Done> {
        let errands: Vec<Errand> = calls.iter().map(Call::errand).collect();
        let Some(process) = self.process.as_mut() else { return Err("there is no process".to_owned()) };
        let done = process.ledger.batch_of(self.now, &Asked { errands: &errands, ..Asked::default() });
        self.report.hash = self.report.hash.rotate_left(5) ^ fnv(format!("{:?}", done.settled).as_bytes());
        Ok(done)
    }

    /// Several ask at once, and each is answered what the lists say.
    fn ask(&mut self) -> Checked {
        let calls = self.calls();
        let done = self.batch(&calls)?;
        let fails = |answer: &Result<_, deskbell_core::refusal::Refusal>| {
            answer.as_ref().is_err_and(|no| no.code == Code::Unavailable)
        };
        if self.site.disk.crashed() || done.settled.iter().any(fails) {
            // Whoever was answered holds it in hand, also where the disk has failed under the others.
            let told = !self.site.disk.crashed();
            for (call, answer) in calls.into_iter().zip(&done.settled) {
                let said = answer.as_ref().ok().filter(|_| told).map(|settled| Said::of(&settled.reply));
                self.unsure.entry((call.once.key, call.once.body)).or_insert((call, said, self.now));
            }
            if let Some((_, row)) = done.rows.last().filter(|_| told) {
                self.least = row.row;
            }
            return self.end(Loss::Power);
        }
        self.site.disk.plan(Plan::NONE);
        let mut rows = done.rows.iter();
        for (call, answer) in calls.iter().zip(&done.settled) {
            let (expected, makes_a_row) = self.naive.call(call, self.now);
            let said: Answer = match answer {
                Ok(settled) => Ok(Said::of(&settled.reply)),
                Err(no) => Err(no.code),
            };
            if said != expected {
                return Err(format!("{call:?} is answered {said:?} for {expected:?}"));
            }
            self.report.answers += 1;
            if makes_a_row {
                let (_, row) = rows.next().ok_or_else(|| format!("{call:?} makes no row"))?;
                self.tells(row)?;
            }
        }
        match rows.next() {
            None => Ok(()),
            Some((_, row)) => Err(format!("nobody asked for {row:?}")),
        }
    }

    /// A row comes next, and every count that it tells is right at that moment.
    fn tells(&mut self, row: &Row) -> Checked {
        self.head += 1;
        self.report.rows += 1;
        if row.row != self.head {
            return Err(format!("row {} comes behind {}", row.row, self.head - 1));
        }
        for event in row.drafts.iter().map(|draft| &draft.event) {
            let Some(user) = event.channel.as_str().strip_prefix("user:") else { continue };
            let data: Value = serde_json::from_slice(&event.data.bytes).map_err(|error| error.to_string())?;
            let Some(told) = data["unread"].as_u64() else { continue };
            let expected = match data["conversation_id"].as_str() {
                None => self.naive.inboxes.get(user).map(super::naive::Inbox::unread),
                Some(id) => {
                    self.naive.talks.get(id).and_then(|talk| Some(talk.unread(*talk.members.get(user)?)))
                }
            };
            if Some(told) != expected {
                return Err(format!("{user} is told {told} are unread for {expected:?}: {data}"));
            }
        }
        Ok(())
    }

    /// The process dies when the disk has it, before anybody hears of it.
    fn dies_silent(&mut self, loss: Loss) -> Checked {
        let calls = self.calls();
        self.batch(&calls)?;
        for call in calls {
            self.unsure.entry((call.once.key, call.once.body)).or_insert((call, None, self.now));
        }
        self.end(loss)
    }

    /// The process ends without a word, and another one starts.
    fn end(&mut self, loss: Loss) -> Checked {
        if let Some(process) = self.process.take() {
            self.site.kill(process, loss);
        }
        self.start()
    }

    fn start(&mut self) -> Checked {
        self.report.ends += 1;
        self.site.disk.plan(Plan::NONE);
        self.now += self.dice.below(10 * SECOND);
        let mut process = self.site.start(self.now).ok_or("a working disk does not let the store start")?;
        self.now = process.opened_at;
        let least = self.head.max(self.least);
        if process.head.0 < least {
            return Err(format!("row {least} was acknowledged, the last is {}", process.head.0));
        }
        // What nobody was told of is wholly there or not at all, in the order of the rows.
        let found = process.keys(self.head).map_err(|error| format!("keys cannot be read: {error}"))?;
        for (row, once) in found {
            let known = once.and_then(|once| self.unsure.remove(&(once.key, once.body)));
            let (call, said, at) = known.ok_or_else(|| format!("nobody asked for row {row}"))?;
            let (expected, makes_a_row) = self.naive.call(&call, at);
            if !makes_a_row || said.is_some_and(|said| Ok(said) != expected) {
                return Err(format!("row {row} says {call:?}, answered {said:?} for {expected:?}"));
            }
            self.head = row;
            self.report.rows += 1;
        }
        let left = std::mem::take(&mut self.unsure).into_values();
        let mut left: Vec<Call> = left.map(|(call, ..)| call).collect();
        left.sort_by_key(|call| (call.once.key, call.once.body));
        self.again = left.into_iter().filter(|_| !self.dice.one_in(4)).collect();
        look(&mut process, &self.naive)?;
        self.process = Some(process);
        Ok(())
    }
}

//! Ends and new starts of the process: after a crash, in the middle of a start, with a wall clock that is wrong.

use std::collections::BTreeMap;

use deskbell_core::event::Event;
use deskbell_core::ids::ChannelName;
use deskbell_core::limits::{DAY, HOUR, MINUTE, Millis, SECOND};
use deskbell_core::log::{Bounds, Once};
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_server::store::{LedgerRead, LedgerWant};

use super::program::{NEWS, RESOURCES, resource};
use super::run::{End, World};
use super::site::{APP, Process};
use crate::check::{Checked, RowSeen};
use crate::disk::{Dirty, Loss, Plan};

/// Starts that may fail before one must not.
const TRIES: usize = 4;

/// Rows that a new process found, each with its key.
type Found = Vec<(RowSeen, Option<Once>)>;

impl World {
    /// The process ends without a word, and another one starts.
    pub(super) fn restart(&mut self, loss: Loss) -> Checked {
        if let Some(process) = self.process.take() {
            self.site.kill(process, loss);
        }
        self.start()
    }

    /// The process is asked to end, and does.
    pub(super) fn stop_and_start(&mut self) -> Checked {
        drop(self.process.take());
        if !self.site.is_shared() && (self.dice.one_in(2) || self.site.disk.crashed()) {
            self.site.disk.reboot(Loss::Power);
        }
        self.start()
    }

    fn start(&mut self) -> Checked {
        self.ends += 1;
        self.fault = None;
        let downtime = [10, SECOND, 20 * SECOND, 10 * MINUTE, 3 * HOUR];
        self.real += downtime[self.dice.below(5) as usize];
        let wrong = [0, 0, 0, HOUR.cast_signed(), -HOUR.cast_signed(), DAY.cast_signed(), -DAY.cast_signed()];
        let wall = self.real.saturating_add_signed(wrong[self.dice.below(7) as usize]);
        let (mut process, rows) = self.started(wall)?;
        if process.head.0 < self.checker.head {
            return Err(format!(
                "row {} was acknowledged, and the last is {}",
                self.checker.head, process.head.0
            ));
        }
        self.now = process.opened_at;
        let (seeds, until) = self.site.issued(self.checker.learned());
        self.checker.learn(seeds, until);
        self.checker.found(rows)?;
        self.checker.started(self.now)?;
        self.checker.tables(&mut process)?;
        self.watch.restarted(process.head);
        self.process = Some(process);
        self.first_batch()
    }

    /// Most of those who were not answered ask again, beside others.
    fn first_batch(&mut self) -> Checked {
        let mut calls = std::mem::take(&mut self.unanswered);
        calls.retain(|_| !self.dice.one_in(4));
        if self.dice.one_in(3) {
            calls.extend(self.requests().0);
        }
        if self.dice.one_in(6) {
            self.plan_a_fault()?;
        }
        let end = if self.dice.one_in(16) { End::DiesSilent } else { End::Answered };
        self.batch(calls, Vec::new(), end)?;
        self.settle()?;
        self.follow()?;
        self.followed()
    }

    /// A process that has started, after some that could not.
    fn started(&mut self, wall: Millis) -> Checked<(Process, Found)> {
        if self.site.is_shared() {
            self.site.plan(Plan::NONE)?;
            let mut process = self.site.start(wall).ok_or("a database does not let the store start")?;
            let rows = self.look_for_lost(&mut process).ok_or("a database cannot be read")?;
            return Ok((process, rows));
        }
        for nth in 0..=TRIES {
            let counts = self.site.disk.counts();
            let mut plan = Plan::NONE;
            let ahead = 1 + self.dice.below(30);
            match self.dice.below(12) {
                _ if nth == TRIES => {}
                0..3 => plan.crash = Some(counts.operations + ahead),
                3 => plan.sync = Some((counts.syncs + 1 + ahead % 3, Dirty::Dropped)),
                4 => plan.read = Some(counts.reads + ahead),
                _ => {}
            }
            self.site.disk.plan(plan);
            if let Some(mut process) = self.site.start(wall) {
                if let Some(rows) = self.look_for_lost(&mut process).filter(|_| !self.site.disk.crashed()) {
                    self.site.disk.plan(Plan::NONE);
                    return Ok((process, rows));
                }
                drop(process);
            }
            if plan == Plan::NONE {
                return Err("a working disk does not let the store start".to_owned());
            }
            let loss = self.loss();
            self.site.disk.reboot(loss);
        }
        Err("the store does not start".to_owned())
    }

    /// Rows behind the last one that anybody heard of. Nothing, where they cannot be read now.
    fn look_for_lost(&self, process: &mut Process) -> Option<Found> {
        let known = self.checker.head;
        let keys = process.keys(known).ok()?;
        let names = (0..RESOURCES).map(|nth| format!("slots:{}", resource(nth)));
        let names = names.chain([format!("staff:{APP}"), NEWS.to_owned()]);
        let want = |name: String| {
            let channel = ChannelName::parse(&name).ok()?;
            Some(LedgerWant { channel, after: ledger::end(known), latest: false })
        };
        let read = LedgerRead {
            app: APP,
            at: Position::start(Epoch(1), ledger::end(known), 0),
            wants: names.filter_map(want).collect(),
            until: u64::MAX >> 1,
            bounds: Bounds { events: 10_000, bytes: usize::MAX },
        };
        let page = if keys.is_empty() { Vec::new() } else { process.ledger.read(&read).ok()?.entries };
        let mut rows: BTreeMap<u64, Vec<(u64, Event)>> = BTreeMap::new();
        for entry in page {
            rows.entry(ledger::row(entry.ledger)).or_default().push((entry.ledger, entry.event.clone()));
        }
        let row = |(row, key)| {
            let (places, events) = rows.remove(&row).unwrap_or_default().into_iter().unzip();
            (RowSeen { row, events, places }, key)
        };
        Some(keys.into_iter().map(row).collect())
    }
}

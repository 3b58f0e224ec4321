//! The one thread that writes: gathers what came in, commits it at once, then feeds and answers.
//!
//! Nobody hears of a row before the disk has it: first the commit, then the log, then the answers.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::log::Row;
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::Refusal;

use super::checkpoint::Checkpointer;
use super::expiry::Expiry;
use super::lane::{Lane, Patience, Taken};
use super::ledger::{Decided, Done, Ledger};
use super::notes::{self, Note};
use super::ruling::{Hearing, Petition, Ruled};
use super::submission::{Answer, Publish, Receipt, broken};
use super::tables::Outcome;

/// Takes committed rows into the log, and says where a reader stands after each of them.
pub type Feed = Box<dyn FnMut(AppId, Vec<Row>) -> Vec<Position> + Send>;

/// Tells the server's time.
pub type Clock = Box<dyn FnMut() -> Millis + Send>;

/// Commands and publishes of one commit. More saves little, because the fsync is then a small part of
/// it, and makes the first of them wait longer.
const BATCH: usize = 512;
/// Bytes of one commit.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches between two slices of expiry while there is always something to write.
const BATCHES_PER_SLICE: u32 = 8;

/// What the writer is asked to do.
pub(super) enum Task {
    Rule(Petition, Hearing),
    Publish(Publish, Answer<Receipt>),
    Note(Note, Answer<u64>),
    /// Delete what is too old at this time, a slice now and then.
    Expire(Millis),
    /// Write the little that a checkpoint left behind, so that the side file starts anew.
    Settle,
}

pub(super) struct Writer {
    pub(super) ledger: Ledger,
    pub(super) lane: Arc<Lane<Task>>,
    pub(super) feed: Feed,
    pub(super) clock: Clock,
    pub(super) checkpointer: Arc<Checkpointer>,
    pub(super) durable_age: Millis,
    /// Time without anything to write after which the index of events is brought up to date.
    pub(super) quiet: Duration,
    pub(super) expiry: Option<Expiry>,
    pub(super) batches: u32,
}

thread_local! {
    /// Pages in the side file after this thread's last commit. SQLite tells it to a plain function.
    static SIDE_FILE: Cell<u32> = const { Cell::new(0) };
}

/// Closes the lane however the writer ends, so that nobody waits for an answer that cannot come.
struct Ending(Arc<Lane<Task>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

impl Writer {
    pub(super) fn run(mut self) {
        let _ending = Ending(self.lane.clone());
        self.ledger.tables.connection.wal_hook(Some(|_, pages| {
            SIDE_FILE.set(pages.unsigned_abs());
            Ok(())
        }));
        let mut tasks = Vec::new();
        loop {
            let wait = self.patience();
            let taken = self.lane.take(BATCH, BATCH_BYTES, wait, &mut tasks);
            if self.checkpointer.is_halted() {
                // Who waits for an answer hears that the store is unavailable.
                return;
            }
            match taken {
                Taken::Closed => return,
                Taken::Nothing if self.is_something_due() => self.work(&mut tasks),
                Taken::Nothing if self.expiry.is_some() => self.expire(),
                Taken::Nothing => self.ledger.index(),
                Taken::Some => self.work(&mut tasks),
            }
            self.checkpointer.grown(SIDE_FILE.get());
        }
    }

    /// How long nothing has to be done if nobody asks.
    fn patience(&mut self) -> Patience {
        if self.expiry.is_some() {
            return Patience::None;
        }
        let due = self.ledger.next().map(|at| Duration::from_millis(at.saturating_sub((self.clock)())));
        let quiet = self.ledger.is_behind().then_some(self.quiet);
        match due.into_iter().chain(quiet).min() {
            None => Patience::Endless,
            Some(Duration::ZERO) => Patience::None,
            Some(wait) => Patience::For(wait),
        }
    }

    fn is_something_due(&mut self) -> bool {
        self.ledger.next().is_some_and(|at| at <= (self.clock)())
    }

    fn work(&mut self, tasks: &mut Vec<Task>) {
        let (mut petitions, mut hearings) = (Vec::new(), Vec::new());
        let (mut publishes, mut answers) = (Vec::new(), Vec::new());
        let mut notes = Vec::new();
        for task in tasks.drain(..) {
            match task {
                Task::Rule(petition, hearing) => {
                    petitions.push(petition);
                    hearings.push(hearing);
                }
                Task::Publish(publish, answer) => {
                    publishes.push(publish);
                    answers.push(answer);
                }
                Task::Note(note, answer) => notes.push((note, answer)),
                Task::Expire(now) => self.expiry = Some(Expiry::new(now, self.durable_age)),
                Task::Settle => self.checkpointer.settle(&self.ledger.tables.connection),
            }
        }
        if self.checkpointer.is_halted() {
            return;
        }
        let now = (self.clock)();
        let mut done = self.ledger.batch(now, &petitions, &publishes);
        let positions = self.feed(std::mem::take(&mut done.rows));
        let Done { rulings, outcomes, .. } = done;
        for (hearing, ruling) in hearings.into_iter().zip(rulings) {
            hearing.give(ruling.map(|decided| ruled(decided, &positions)));
        }
        for ((publish, answer), outcome) in publishes.into_iter().zip(answers).zip(outcomes) {
            answer.give(receipt(&publish, outcome, &positions));
        }
        self.note(notes);
        self.batches += 1;
        if self.expiry.is_some() && self.batches >= BATCHES_PER_SLICE {
            self.expire();
        }
    }

    /// Writes notes down, behind the commands that came with them, all of them in one transaction.
    fn note(&mut self, notes: Vec<(Note, Answer<u64>)>) {
        if notes.is_empty() {
            return;
        }
        let written = self.ledger.tables.transact(|tables| {
            let write = |(note, _): &(Note, _)| notes::write(&tables.connection, note);
            notes.iter().map(write).collect::<Result<Vec<_>, _>>()
        });
        let said = match written {
            Ok(said) => said.into_iter().map(Ok).collect(),
            Err(failure) => {
                tracing::error!(%failure, "notes of webhooks and calendars could not be written");
                vec![Err(broken()); notes.len()]
            }
        };
        for ((_, answer), said) in notes.into_iter().zip(said) {
            answer.give(said);
        }
    }

    /// The rows are on the disk: the log takes them in.
    fn feed(&mut self, rows: Vec<(AppId, Row)>) -> Positions {
        let mut by_app: Vec<(AppId, Vec<Row>)> = Vec::new();
        for (app, row) in rows {
            match by_app.iter_mut().find(|(of, _)| *of == app) {
                Some((_, rows)) => rows.push(row),
                None => by_app.push((app, vec![row])),
            }
        }
        let mut positions = HashMap::new();
        for (app, rows) in by_app {
            let numbers: Vec<u64> = rows.iter().map(|row| row.row).collect();
            let after = (self.feed)(app, rows);
            positions.extend(numbers.into_iter().map(|row| (app, row)).zip(after));
        }
        Positions(positions)
    }

    /// One slice of expiry in a transaction of its own.
    fn expire(&mut self) {
        self.batches = 0;
        let Some(mut expiry) = self.expiry.take() else { return };
        match self.ledger.expire_slice(&mut expiry) {
            Ok(true) => self.expiry = Some(expiry),
            Ok(false) => {}
            // It is asked for again in a minute or so, and goes on where it was.
            Err(failure) => tracing::warn!(%failure, "old rows could not be deleted"),
        }
    }
}

/// Where a reader stands after each new row.
struct Positions(HashMap<(AppId, u64), Position>);

impl Positions {
    /// Of a row of an earlier commit only the ledger half is known any more.
    fn after(&self, app: AppId, row: u64, check: u32) -> Position {
        let known = self.0.get(&(app, row)).copied();
        known.unwrap_or_else(|| Position::start(Epoch(0), ledger::end(row), check))
    }
}

fn ruled(decided: Decided, positions: &Positions) -> Ruled {
    let Decided { app, reply, row, check, repeated } = decided;
    Ruled { reply, at: positions.after(app, row, check), repeated }
}

fn receipt(publish: &Publish, outcome: Outcome, positions: &Positions) -> Result<Receipt, Refusal> {
    let (row, check, ids, repeated) = match outcome {
        Outcome::New { row, check } => {
            let ids = publish.drafts.iter().map(|draft| draft.event.id.clone()).collect();
            (row, check, ids, false)
        }
        Outcome::Repeated { row, check, ids } => (row, check, ids, true),
        Outcome::Refused(refusal) => return Err(refusal),
    };
    Ok(Receipt { ids, at: positions.after(publish.app, row, check), repeated })
}

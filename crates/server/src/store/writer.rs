//! The one thread that writes: gathers what came in, commits it at once, then feeds and answers.
//!
//! Nobody hears of a row before the disk has it: first the commit, then the log, then the answers.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::log::Row;
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::Refusal;
use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::codec;
use super::expiry::Expiry;
use super::failure::Failure;
use super::lane::{Lane, Taken};
use super::submission::{Answer, Publish, Receipt, broken};
use super::tables::{Outcome, Tables};

/// Takes committed rows into the log, and says where a reader stands after each of them.
pub type Feed = Box<dyn FnMut(AppId, Vec<Row>) -> Vec<Position> + Send>;

/// Publishes of one commit. More saves little, because the fsync is then a small part of it, and
/// makes the first of them wait longer.
const BATCH: usize = 512;
/// Bytes of one commit.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches between two slices of expiry while there is always something to write.
const BATCHES_PER_SLICE: u32 = 8;

/// What the writer is asked to do.
pub(super) enum Task {
    Publish(Publish, Answer<Receipt>),
    /// Delete what is too old at this time, a slice now and then.
    Expire(Millis),
    /// Write the little that a checkpoint left behind, so that the side file starts anew.
    Settle,
}

pub(super) struct Writer {
    tables: Tables,
    lane: Arc<Lane<Task>>,
    feed: Feed,
    checkpointer: Arc<Checkpointer>,
    durable_age: Millis,
    expiry: Option<Expiry>,
    batches: u32,
    /// The last transaction failed; said once, not for every publish.
    failing: bool,
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
    pub(super) fn new(
        connection: Connection,
        lane: Arc<Lane<Task>>,
        feed: Feed,
        checkpointer: Arc<Checkpointer>,
        durable_age: Millis,
    ) -> Self {
        let tables = Tables::new(connection);
        Self { tables, lane, feed, checkpointer, durable_age, expiry: None, batches: 0, failing: false }
    }

    pub(super) fn run(mut self) {
        let _ending = Ending(self.lane.clone());
        self.tables.connection.wal_hook(Some(|_, pages| {
            SIDE_FILE.set(pages.unsigned_abs());
            Ok(())
        }));
        let mut tasks = Vec::new();
        loop {
            let wait = self.expiry.is_none();
            match self.lane.take(BATCH, BATCH_BYTES, wait, &mut tasks) {
                Taken::Closed => return,
                Taken::Nothing => self.expire(),
                Taken::Some => self.work(&mut tasks),
            }
            self.checkpointer.grown(SIDE_FILE.get());
        }
    }

    fn work(&mut self, tasks: &mut Vec<Task>) {
        let mut batch = Vec::with_capacity(tasks.len());
        for task in tasks.drain(..) {
            match task {
                Task::Publish(publish, answer) => batch.push((publish, answer)),
                Task::Expire(now) => self.expiry = Some(Expiry::new(now, self.durable_age)),
                Task::Settle => Checkpointer::settle(&self.tables.connection),
            }
        }
        self.batch(batch);
        self.batches += 1;
        if self.expiry.is_some() && self.batches >= BATCHES_PER_SLICE {
            self.expire();
        }
    }

    /// One commit for all of them; if it fails, one for each, so that one that cannot be written
    /// takes no other with it.
    fn batch(&mut self, batch: Vec<(Publish, Answer<Receipt>)>) {
        if batch.is_empty() {
            return;
        }
        let publishes: Vec<&Publish> = batch.iter().map(|(publish, _)| publish).collect();
        match self.tables.commit(&publishes) {
            Ok(outcomes) => {
                self.failing = false;
                self.committed(batch, outcomes);
            }
            Err(failure) if batch.len() == 1 => {
                self.note(&failure);
                for (_, answer) in batch {
                    answer.give(Err(broken()));
                }
            }
            Err(failure) => {
                self.note(&failure);
                for one in batch {
                    self.batch(vec![one]);
                }
            }
        }
    }

    fn note(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%failure, "the store cannot write; publishes are refused until it can");
        }
    }

    /// The rows are on the disk: the log takes them in, then everybody is answered.
    fn committed(&mut self, batch: Vec<(Publish, Answer<Receipt>)>, outcomes: Vec<Outcome>) {
        let mut rows: Vec<(AppId, Vec<Row>)> = Vec::new();
        let mut owed = Vec::with_capacity(batch.len());
        for ((publish, answer), outcome) in batch.into_iter().zip(outcomes) {
            let due = Due::new(&publish, outcome);
            if let Ok(Due { row, repeated: false, .. }) = due {
                let row = Row { row, check: codec::drafts_check(&publish.drafts), drafts: publish.drafts };
                match rows.iter_mut().find(|(app, _)| *app == publish.app) {
                    Some((_, rows)) => rows.push(row),
                    None => rows.push((publish.app, vec![row])),
                }
            }
            owed.push((answer, due));
        }
        let mut positions = HashMap::new();
        for (app, rows) in rows {
            let numbers: Vec<u64> = rows.iter().map(|row| row.row).collect();
            let after = (self.feed)(app, rows);
            positions.extend(numbers.into_iter().map(|row| (app, row)).zip(after));
        }
        for (answer, due) in owed {
            answer.give(due.map(|due| due.receipt(&positions)));
        }
    }

    /// One slice of expiry in a transaction of its own.
    fn expire(&mut self) {
        self.batches = 0;
        let Some(mut expiry) = self.expiry.take() else { return };
        match self.tables.transact(|tables| expiry.slice(tables)) {
            Ok(true) => self.expiry = Some(expiry),
            Ok(false) => {}
            // It is asked for again in a minute or so, and goes on where it was.
            Err(failure) => tracing::warn!(%failure, "old rows could not be deleted"),
        }
    }
}

/// What one publish's answer will be made of.
struct Due {
    app: AppId,
    row: u64,
    check: u32,
    ids: Vec<deskbell_core::ids::EventId>,
    repeated: bool,
}

impl Due {
    fn new(publish: &Publish, outcome: Outcome) -> Result<Self, Refusal> {
        let app = publish.app;
        match outcome {
            Outcome::New { row, check } => {
                let ids = publish.drafts.iter().map(|draft| draft.event.id.clone()).collect();
                Ok(Self { app, row, check, ids, repeated: false })
            }
            Outcome::Repeated { row, check, ids } => Ok(Self { app, row, check, ids, repeated: true }),
            Outcome::Refused(refusal) => Err(refusal),
        }
    }

    fn receipt(self, positions: &HashMap<(AppId, u64), Position>) -> Receipt {
        let at = positions.get(&(self.app, self.row)).copied();
        let at = at.unwrap_or_else(|| Position::start(Epoch(0), ledger::end(self.row), self.check));
        Receipt { ids: self.ids, at, repeated: self.repeated }
    }
}

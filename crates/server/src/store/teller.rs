//! The thread that tells what was committed: the log takes the rows in, then everybody is answered.
//!
//! It has a thread of its own because telling costs as much as writing a third of a batch, and the next
//! batch need not wait for it. There is one, with a queue of one batch, so rows and answers keep their order.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;

use deskbell_core::ids::AppId;
use deskbell_core::log::Row;
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::Refusal;

use super::ledger::{Decided, Done};
use super::post::{self, Settled};
use super::ruling::{Hearing, Petition, Ruled};
use super::submission::{Answer, Publish, Receipt};
use super::tables::Outcome;

/// Takes committed rows into the log, and says where a reader stands after each of them.
pub type Feed = Box<dyn FnMut(AppId, Vec<Row>) -> Vec<Position> + Send>;

/// A batch that is on the disk, and who waits for it.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) done: Done,
    /// They are dropped with the rest, by the thread that has the time for it.
    pub(super) petitions: Vec<Petition>,
    pub(super) hearings: Vec<Hearing>,
    pub(super) returns: Vec<Answer<post::Done>>,
    pub(super) publishes: Vec<Publish>,
    pub(super) answers: Vec<Answer<Receipt>>,
    /// They wait until the log has what other processes wrote.
    pub(super) followed: Vec<Answer<()>>,
}

impl Committed {
    /// Nothing was written, and nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.done.rows.is_empty()
            && self.hearings.is_empty()
            && self.returns.is_empty()
            && self.answers.is_empty()
            && self.followed.is_empty()
    }
}

pub(super) struct Teller {
    pub(super) feed: Feed,
}

impl Teller {
    /// Tells until the writer is gone.
    pub(super) fn run(mut self, committed: &Receiver<Committed>) {
        while let Ok(batch) = committed.recv() {
            self.tell(batch);
        }
    }

    fn tell(&mut self, batch: Committed) {
        let Committed { done, petitions, hearings, returns, publishes, answers, followed } = batch;
        let Done { rulings, settled, outcomes, rows, .. } = done;
        let positions = self.feed(rows);
        for (hearing, ruling) in hearings.into_iter().zip(rulings) {
            hearing.give(ruling.map(|decided| ruled(decided, &positions)));
        }
        for (answer, settled) in returns.into_iter().zip(settled) {
            answer.give(settled.map(|settled| returned(settled, &positions)));
        }
        for ((publish, answer), outcome) in publishes.into_iter().zip(answers).zip(outcomes) {
            answer.give(receipt(&publish, outcome, &positions));
        }
        followed.into_iter().for_each(|answer| answer.give(Ok(())));
        drop(petitions);
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

fn returned(settled: Settled, positions: &Positions) -> post::Done {
    let Settled { app, reply, row, check, repeated } = settled;
    post::Done { reply, at: positions.after(app, row, check), repeated }
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

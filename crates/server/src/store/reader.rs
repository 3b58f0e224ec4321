//! The thread that reads pages, so that nobody who must not wait touches the disk.

use std::sync::Arc;

use deskbell_core::ids::AppId;

use super::database::Database;
use super::failure::Failure;
use super::lane::{Lane, Patience, Taken};
use super::look::look;
use super::notes::{self, Found, Question};
use super::page::{LedgerPage, LedgerRead, page};
use super::ruling::{Look, Sighting};
use super::submission::{Answer, refusal_of};

/// What the reader is asked for.
pub(super) enum Reading {
    Page(LedgerRead, Answer<LedgerPage>),
    Look(AppId, Look, Answer<Sighting>),
    Notes(Question, Answer<Found>),
}

/// Works until the lane is closed and empty.
pub(super) fn run(db: Database, lane: &Arc<Lane<Reading>>) {
    let mut readings = Vec::with_capacity(1);
    // One at a time: what waits stays in the lane, where it is counted.
    while lane.take(1, usize::MAX, Patience::Endless, &mut readings) != Taken::Closed {
        for reading in readings.drain(..) {
            match reading {
                Reading::Page(read, answer) => give(answer, page(&db, &read)),
                Reading::Look(app, wanted, answer) => give(answer, look(&db, app, &wanted)),
                Reading::Notes(question, answer) => give(answer, notes::answer(&db, &question)),
            }
        }
    }
}

fn give<T>(answer: Answer<T>, found: Result<T, Failure>) {
    answer.give(found.map_err(|failure| {
        if !failure.is_outage() {
            tracing::error!(%failure, "the ledger could not be read");
        }
        refusal_of(&failure)
    }));
}

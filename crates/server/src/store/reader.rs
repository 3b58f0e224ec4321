//! The thread that reads pages, so that nobody who must not wait touches the disk.

use std::sync::Arc;

use rusqlite::Connection;

use super::lane::{Lane, Taken};
use super::page::{LedgerPage, LedgerRead, page};
use super::submission::{Answer, broken};

pub(super) type Reading = (LedgerRead, Answer<LedgerPage>);

/// Works until the lane is closed and empty.
pub(super) fn run(mut connection: Connection, lane: &Arc<Lane<Reading>>) {
    let mut readings = Vec::with_capacity(1);
    // One at a time: what waits stays in the lane, where it is counted.
    while lane.take(1, usize::MAX, true, &mut readings) != Taken::Closed {
        for (read, answer) in readings.drain(..) {
            let read = page(&mut connection, &read);
            answer.give(read.map_err(|failure| {
                tracing::error!(%failure, "a page of the ledger could not be read");
                broken()
            }));
        }
    }
}

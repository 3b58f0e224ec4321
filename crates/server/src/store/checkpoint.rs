//! Moves committed pages from SQLite's side file into the data file, away from the commits.
//!
//! A passive checkpoint copies while commits go on, so under a constant load it never gets quite
//! to the end, and only at the end may the side file start anew. When it has grown long, the
//! writer is asked to copy the last few pages itself between two commits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::lane::{Lane, Side};
use super::writer::Task;

#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Pages between two checkpoints.
    step: u32,
    /// Pages from which on the writer finishes a checkpoint.
    long: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Pages in the side file.
    pages: u32,
    /// Pages at which the last checkpoint began.
    last: u32,
    ended: bool,
}

impl Default for Checkpointer {
    /// A checkpoint for every 8 MiB, finished by the writer from 64 MiB on.
    fn default() -> Self {
        Self::new(2_048, 16_384)
    }
}

impl Checkpointer {
    pub(super) fn new(step: u32, long: u32) -> Self {
        Self { step, long, state: Mutex::default(), changed: Condvar::new() }
    }

    fn is_due(&self, state: &State) -> bool {
        state.pages >= state.last.saturating_add(self.step)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer says how long the side file is after a commit.
    pub(super) fn grown(&self, pages: u32) {
        let mut state = self.state();
        if pages < state.pages {
            state.last = 0;
        }
        state.pages = pages;
        if self.is_due(&state) {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// Works until [`Self::end`].
    pub(super) fn run(&self, connection: &Connection, writer: &Arc<Lane<Task>>) {
        while let Some(pages) = self.next() {
            passive(connection);
            if pages >= self.long {
                // The first pass took long and much was written meanwhile; the second is short,
                // and leaves next to nothing to the writer.
                passive(connection);
                // A full lane means a busy writer; the next checkpoint asks again.
                let _ = writer.offer(Side::Second, Task::Settle, 0);
            }
        }
    }

    /// Waits until a checkpoint is due. `None` at the end.
    fn next(&self) -> Option<u32> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            if self.is_due(&state) {
                state.last = state.pages;
                return Some(state.pages);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The writer's part.
    pub(super) fn settle(connection: &Connection) {
        passive(connection);
    }
}

fn passive(connection: &Connection) {
    // The pages stay safe in the side file if this fails, and the next one takes them too.
    if let Err(error) = checkpoint(connection, "PASSIVE") {
        tracing::warn!(%error, "a checkpoint failed; the side file grows until one succeeds");
    }
}

/// Runs a checkpoint. Says how many pages the side file has and how many of them were copied.
pub(super) fn checkpoint(connection: &Connection, how: &str) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| Ok((row.get(1)?, row.get(2)?)))
}

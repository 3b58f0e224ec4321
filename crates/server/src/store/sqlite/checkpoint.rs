//! Moves committed pages from SQLite's side file into the data file, away from the commits.
//!
//! A passive checkpoint copies while commits go on, so under a constant load it never gets quite
//! to the end, and only at the end may the side file start anew. When it has grown long, the
//! writer is asked to copy the last few pages itself between two commits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::halt::{Alarm, Halt};
use crate::store::failure::Failure;
use crate::store::lane::{Lane, Side};
use crate::store::writer::Task;

#[derive(Debug)]
pub(in crate::store) struct Checkpointer {
    /// Pages between two checkpoints.
    step: u32,
    /// Pages from which on the writer finishes a checkpoint.
    long: u32,
    halt: Halt,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Pages in the side file.
    pages: u32,
    /// Pages at which the last checkpoint began.
    last: u32,
    /// The writer is to finish a checkpoint, and has not yet.
    finishing: bool,
    ended: bool,
}

impl Default for Checkpointer {
    /// A checkpoint for every 8 MiB, finished by the writer from 64 MiB on.
    fn default() -> Self {
        Self::new(2_048, 16_384)
    }
}

impl Checkpointer {
    pub(in crate::store) fn new(step: u32, long: u32) -> Self {
        Self { step, long, halt: Halt::default(), state: Mutex::default(), changed: Condvar::new() }
    }

    fn is_due(&self, state: &State) -> bool {
        state.pages >= state.last.saturating_add(self.step)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer says how long the side file is after a commit.
    pub(in crate::store) fn grown(&self, pages: u32) {
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
    pub(in crate::store) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// A checkpoint has failed, and nothing may be written any more.
    pub(in crate::store) fn is_halted(&self) -> bool {
        self.halt.is_halted()
    }

    /// As [`Self::is_halted`], with the reason.
    pub(in crate::store) fn check(&self) -> Result<(), Failure> {
        self.halt.check()
    }

    /// Calls the alarm once, when a checkpoint fails or if one has.
    pub(in crate::store) fn tell(&self, alarm: Alarm) {
        self.halt.tell(alarm);
    }

    /// Works until [`Self::end`], or until nothing may be written any more.
    pub(in crate::store) fn run(&self, connection: &Connection, writer: &Arc<Lane<Task>>) {
        while let Some(pages) = self.next() {
            self.settle(connection);
            if pages >= self.long {
                // The first pass took long and much was written meanwhile; the second is short,
                // and leaves next to nothing to the writer.
                self.settle(connection);
                self.leave_the_rest_to(writer);
            }
            if self.is_halted() {
                // Wakes the writer, who looks whether it may go on.
                return writer.close();
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

    /// Asks the writer to finish, and rests until it has: only one at a time may copy, so that a pass of
    /// this thread just then would leave the side file without an end once more.
    fn leave_the_rest_to(&self, writer: &Lane<Task>) {
        self.state().finishing = true;
        if writer.offer(Side::Second, Task::Settle, 0).is_err() {
            // A full lane means a busy writer; the next checkpoint asks again.
            self.state().finishing = false;
        }
        let mut state = self.state();
        while state.finishing && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The writer copies what a checkpoint has left, between two commits.
    pub(in crate::store) fn settle_the_rest(&self, connection: &Connection) {
        self.settle(connection);
        self.state().finishing = false;
        self.changed.notify_one();
    }

    /// Copies what can be copied without waiting for anybody.
    fn settle(&self, connection: &Connection) {
        match self.halt.copy(connection, "PASSIVE") {
            // What there is to say of the second has been said.
            Ok(()) | Err(Failure::Halted(_)) => {}
            // The pages stay safe in the side file, and the next one takes them too.
            Err(failure) => {
                tracing::warn!(%failure, "a checkpoint failed; the side file grows until one succeeds");
            }
        }
    }

    /// Copies everything and cuts the side file to nothing. For the end, when nobody works any more.
    pub(in crate::store) fn finish(&self, connection: &Connection) -> Result<(), Failure> {
        self.halt.copy(connection, "TRUNCATE")
    }
}

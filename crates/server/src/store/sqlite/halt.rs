//! Stops the store for good where going on could lose what was acknowledged.
//!
//! A checkpoint that does not reach the end of the side file copies pages without a sync, and
//! SQLite counts them as copied. The sync comes with a later checkpoint. If that one fails, the
//! system may have dropped the pages of both, and SQLite copies only those of the second again;
//! then the side file starts anew, and the others are nowhere. A new process counts nothing as
//! copied. So after the first error of the disk in a checkpoint there is no second checkpoint in
//! this process, and no commit either: the side file could only grow.
//!
//! A commit whose sync fails is another matter: SQLite takes it back, says so, and the next commit
//! writes over the same place.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode};

use crate::store::failure::Failure;

/// Hears, once, why the store has stopped for good. It runs on a thread of the store.
pub type Alarm = Box<dyn FnOnce(&Failure) + Send>;

/// The only door to a checkpoint of a store at work.
#[derive(Default)]
pub(in crate::store) struct Halt {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A connection is in a checkpoint. A second one that began between the first one's failure
    /// and the note of it would be the one that must not be.
    copying: bool,
    /// What the disk said to the checkpoint that failed.
    why: Option<String>,
    alarm: Option<Alarm>,
}

impl Halt {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing may be written any more.
    pub(in crate::store) fn is_halted(&self) -> bool {
        self.state().why.is_some()
    }

    /// Why nothing may be written any more, if so.
    pub(in crate::store) fn check(&self) -> Result<(), Failure> {
        self.state().why.clone().map_or(Ok(()), |why| Err(Failure::Halted(why)))
    }

    /// Calls the alarm when the store stops for good, or now if it has.
    pub(in crate::store) fn tell(&self, alarm: Alarm) {
        let mut state = self.state();
        match state.why.clone() {
            Some(why) => {
                drop(state);
                alarm(&Failure::Halted(why));
            }
            None => state.alarm = Some(alarm),
        }
    }

    /// Copies pages of the side file into the data file. Does nothing where another connection
    /// does the same just now, and never again after the disk has failed one of them.
    pub(in crate::store) fn copy(&self, connection: &Connection, how: &str) -> Result<(), Failure> {
        {
            let mut state = self.state();
            if let Some(why) = state.why.clone() {
                return Err(Failure::Halted(why));
            }
            if std::mem::replace(&mut state.copying, true) {
                return Ok(());
            }
        }
        let copied = checkpoint(connection, how);
        let mut state = self.state();
        state.copying = false;
        let error = match copied {
            Ok(_) => return Ok(()),
            Err(error) if is_of_the_disk(&error) => error,
            Err(error) => return Err(error.into()),
        };
        state.why = Some(error.to_string());
        let alarm = state.alarm.take();
        drop(state);
        let failure = Failure::Halted(error.to_string());
        tracing::error!("{failure}");
        if let Some(alarm) = alarm {
            alarm(&failure);
        }
        Err(failure)
    }
}

/// Any error of reading, writing or syncing. A full disk has a number of its own: it is told before
/// anything is lost, and the next checkpoint tries again.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Runs a checkpoint. Says how many pages the side file has and how many of them were copied; both
/// are less than nothing where the file has no write-ahead log.
pub(in crate::store) fn checkpoint(connection: &Connection, how: &str) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| Ok((row.get(1)?, row.get(2)?)))
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halt").field("is_halted", &self.is_halted()).finish()
    }
}

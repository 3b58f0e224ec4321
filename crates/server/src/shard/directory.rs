//! Which shard each session lives on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::session::SessionId;

/// Session → shard. A session is entered by the shard that has it and by nobody else.
#[derive(Debug, Default)]
pub struct Directory {
    homes: Mutex<HashMap<SessionId, u16>>,
}

impl Directory {
    /// The session lives here from now on.
    pub fn enter(&self, session: SessionId, shard: u16) {
        self.lock().insert(session, shard);
    }

    /// The session is gone, unless another shard has it by now.
    pub fn leave(&self, session: SessionId, shard: u16) {
        let mut homes = self.lock();
        if homes.get(&session) == Some(&shard) {
            homes.remove(&session);
        }
    }

    /// Where the session lives.
    pub fn home(&self, session: SessionId) -> Option<u16> {
        self.lock().get(&session).copied()
    }

    /// How many sessions there are, with those that wait for their client.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, u16>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

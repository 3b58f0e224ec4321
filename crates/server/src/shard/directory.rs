//! Which shard each session lives on, and whose client is sending a body just now.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskbell_core::session::SessionId;
use deskbell_wire::engineio::Sid;

/// Session → shard. A session is entered by the shard that has it, and at a start by who hands it to that shard.
#[derive(Debug, Default)]
pub struct Directory {
    homes: Mutex<HashMap<SessionId, u16>>,
    /// As many as there are requests at most.
    bodies: Mutex<HashSet<Sid>>,
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

    /// A session's client begins to send a body; `None`, if it has not ended with another one. Its libraries send
    /// one after the other, so whoever sends two at once is none of them.
    pub fn begin_body(&self, session: Sid) -> Option<Body<'_>> {
        let is_first = self.bodies.lock().unwrap_or_else(PoisonError::into_inner).insert(session);
        is_first.then_some(Body { directory: self, session })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, u16>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is on its way, until its answer is.
#[derive(Debug)]
pub struct Body<'a> {
    directory: &'a Directory,
    session: Sid,
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.directory.bodies.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.session);
    }
}

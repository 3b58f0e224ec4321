//! Who holds a file: SQLite's five levels between connections, and the shared memory of a
//! side file with its eight locks. The rules are those of SQLite's own layer for Unix.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rusqlite::ffi;

/// The levels at which connections hold one file, by the number of the open file.
#[derive(Debug, Default)]
pub(super) struct Levels(BTreeMap<u64, c_int>);

impl Levels {
    fn highest_of_others(&self, me: u64) -> c_int {
        let others = self.0.iter().filter(|(open, _)| **open != me).map(|(_, level)| *level);
        others.max().unwrap_or(ffi::SQLITE_LOCK_NONE)
    }

    /// Goes up to the level, or says that somebody is in the way.
    pub(super) fn raise(&mut self, me: u64, level: c_int) -> Result<(), c_int> {
        if self.0.get(&me).is_some_and(|held| *held >= level) {
            return Ok(());
        }
        let others = self.highest_of_others(me);
        let free = match level {
            ffi::SQLITE_LOCK_SHARED => others < ffi::SQLITE_LOCK_PENDING,
            _ => others < ffi::SQLITE_LOCK_RESERVED,
        };
        if !free {
            return Err(ffi::SQLITE_BUSY);
        }
        if level == ffi::SQLITE_LOCK_EXCLUSIVE && others >= ffi::SQLITE_LOCK_SHARED {
            // No new readers come in while the present ones finish.
            self.0.insert(me, ffi::SQLITE_LOCK_PENDING);
            return Err(ffi::SQLITE_BUSY);
        }
        self.0.insert(me, level);
        Ok(())
    }

    /// Goes down to the level.
    pub(super) fn lower(&mut self, me: u64, level: c_int) {
        if level == ffi::SQLITE_LOCK_NONE {
            self.0.remove(&me);
        } else if let Some(held) = self.0.get_mut(&me) {
            *held = level.min(*held);
        }
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.0.values().any(|level| *level >= ffi::SQLITE_LOCK_RESERVED)
    }

    pub(super) fn is_free(&self) -> bool {
        self.0.is_empty()
    }
}

const SLOTS: usize = ffi::SQLITE_SHM_NLOCK as usize;

/// The memory that the connections of one file share, and its locks.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Atomics, because SQLite writes to them behind Rust's back and from several threads; behind
    /// an `Arc`, so that a region stays where it is while the list grows.
    regions: Vec<Arc<[AtomicU32]>>,
    /// Which locks each user holds.
    users: BTreeMap<u64, Held>,
}

/// The locks of one user, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    shared: u32,
    exclusive: u32,
}

impl Shared {
    /// The region's first word. `None` where it is not there and may not be made.
    pub(super) fn map(
        &mut self,
        me: u64,
        region: usize,
        bytes: usize,
        extend: bool,
    ) -> Option<*const AtomicU32> {
        self.users.entry(me).or_default();
        while extend && self.regions.len() <= region {
            let words = bytes.div_ceil(size_of::<AtomicU32>());
            self.regions.push((0..words).map(|_| AtomicU32::new(0)).collect());
        }
        self.regions.get(region).map(|region| region.as_ptr())
    }

    /// Takes or frees the locks from `first` on.
    pub(super) fn lock(&mut self, me: u64, first: usize, count: usize, how: c_int) -> Result<(), c_int> {
        if count == 0 || first + count > SLOTS || !self.users.contains_key(&me) {
            return Err(ffi::SQLITE_IOERR_SHMLOCK);
        }
        let mask = ((1_u32 << count) - 1) << first;
        let shared = how & ffi::SQLITE_SHM_SHARED != 0;
        if how & ffi::SQLITE_SHM_LOCK != 0 {
            let others = self.users.iter().filter(|(user, _)| **user != me);
            let in_the_way =
                others.fold(0, |sum, (_, held)| sum | held.exclusive | if shared { 0 } else { held.shared });
            if in_the_way & mask != 0 {
                return Err(ffi::SQLITE_BUSY);
            }
        }
        let held = self.users.entry(me).or_default();
        match (how & ffi::SQLITE_SHM_LOCK != 0, shared) {
            (true, true) => held.shared |= mask,
            (true, false) => held.exclusive |= mask,
            (false, _) => {
                held.shared &= !mask;
                held.exclusive &= !mask;
            }
        }
        Ok(())
    }

    /// The user goes. The memory can go too, once this says that nobody is left.
    pub(super) fn leave(&mut self, me: u64) -> bool {
        self.users.remove(&me);
        self.users.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_and_many_readers() {
        let mut levels = Levels::default();
        for reader in 1..=3 {
            levels.raise(reader, ffi::SQLITE_LOCK_SHARED).unwrap();
        }
        levels.raise(1, ffi::SQLITE_LOCK_RESERVED).unwrap();
        assert_eq!(levels.raise(2, ffi::SQLITE_LOCK_RESERVED), Err(ffi::SQLITE_BUSY));
        assert_eq!(levels.raise(1, ffi::SQLITE_LOCK_EXCLUSIVE), Err(ffi::SQLITE_BUSY));
        assert_eq!(levels.raise(4, ffi::SQLITE_LOCK_SHARED), Err(ffi::SQLITE_BUSY), "one is pending");
        levels.lower(2, ffi::SQLITE_LOCK_NONE);
        levels.lower(3, ffi::SQLITE_LOCK_NONE);
        levels.raise(1, ffi::SQLITE_LOCK_EXCLUSIVE).unwrap();
        assert!(levels.is_reserved());
        levels.lower(1, ffi::SQLITE_LOCK_SHARED);
        assert!(!levels.is_reserved());
        levels.raise(4, ffi::SQLITE_LOCK_SHARED).unwrap();
    }

    #[test]
    fn locks_of_the_shared_memory_exclude_each_other() {
        let (take, free) = (ffi::SQLITE_SHM_LOCK, ffi::SQLITE_SHM_UNLOCK);
        let (shared, exclusive) = (ffi::SQLITE_SHM_SHARED, ffi::SQLITE_SHM_EXCLUSIVE);
        let mut memory = Shared::default();
        assert_eq!(memory.map(1, 0, 32_768, false), None);
        let first = memory.map(1, 0, 32_768, true).unwrap();
        assert_eq!(memory.map(2, 0, 32_768, true), Some(first), "both see the same memory");
        memory.lock(1, 3, 1, take | shared).unwrap();
        memory.lock(2, 3, 1, take | shared).unwrap();
        assert_eq!(memory.lock(2, 3, 5, take | exclusive), Err(ffi::SQLITE_BUSY));
        memory.lock(1, 3, 1, free | shared).unwrap();
        memory.lock(2, 3, 1, free | shared).unwrap();
        memory.lock(2, 3, 5, take | exclusive).unwrap();
        assert_eq!(memory.lock(1, 7, 1, take | shared), Err(ffi::SQLITE_BUSY));
        assert!(!memory.leave(2));
        memory.lock(1, 7, 1, take | shared).unwrap();
        assert!(memory.leave(1));
    }
}

//! A disk in memory that SQLite works on, and that fails where it is told to.
//!
//! | part | what |
//! |---|---|
//! | `dice` | chance that can be repeated |
//! | `file` | one file: what is seen of it, and what a loss of power leaves |
//! | `locks` | who holds a file |
//! | `plan` | which faults happen when, and the counts that they are named by |
//! | `state` | the disk: names, files, counts, faults |
//! | `vfs`, `calls` | the two files with `unsafe`: how SQLite finds the disk, and how it calls it |
//!
//! The disk is honest about what it promises, and promises no more than a plain one: what was
//! synced is safe, and what was not may be there, be gone, be torn between sectors, or be there
//! without what was written before it.

mod calls;
pub(crate) mod dice;
mod file;
mod locks;
mod plan;
mod state;
mod vfs;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use plan::{Counts, Cut, Dirty, Plan};

use state::State;
use vfs::Registered;

/// How a machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process is killed. The system keeps what was written and may still write it; what was
    /// not synced is as unsafe afterwards as before.
    Kill,
    /// The power is lost, and with it an arbitrary part of what was not synced.
    Power,
}

/// When the deletion of a file is safe. SQLite makes none safe by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// With the next sync of any file: what file systems with a journal do (ext4, XFS, APFS).
    #[default]
    InOrder,
    /// Not before another file is made and synced under that name: all that POSIX promises.
    Loose,
}

/// A disk. SQLite finds it by its [`Self::name`] until it is dropped; who has a file open then can
/// go on with that file, and open no other.
///
/// On one thread the same seed and the same calls give the same bytes. Several threads may use a
/// disk at once, and then their order is what the system makes it.
#[derive(Debug)]
pub struct Disk {
    device: Arc<Device>,
    registered: Registered,
}

impl Disk {
    /// An empty disk whose names are safe in order.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Names::InOrder)
    }

    /// An empty disk.
    pub fn with(seed: u64, names: Names) -> Self {
        let device = Arc::new(Device { state: Mutex::new(State::new(seed, names)) });
        let registered = Registered::new(&device);
        Self { device, registered }
    }

    /// The name by which SQLite opens files on it.
    pub fn name(&self) -> &str {
        self.registered.name()
    }

    /// Makes an empty file that is safely there, where none is: what the store's start does with
    /// the data file.
    pub fn create(&self, file: &Path) {
        self.device.state().create(&file.to_string_lossy());
    }

    /// Sets the faults ahead, in place of those of an earlier plan.
    pub fn plan(&self, plan: Plan) {
        self.device.state().set_plan(plan);
    }

    /// Stops the machine now, as a planned crash does, between two operations.
    pub fn crash(&self) {
        self.device.state().crash();
    }

    /// Stops the machine, here if it has not crashed yet, and starts it again without any plan.
    /// Connections from before can only be dropped.
    pub fn reboot(&self, loss: Loss) {
        self.device.state().reboot(loss);
    }

    /// How many operations there were. A plan may name the next as this and one.
    pub fn operations(&self) -> u64 {
        self.counts().operations
    }

    /// Everything that is counted.
    pub fn counts(&self) -> Counts {
        self.device.state().counts()
    }

    /// The machine has stopped, and nothing works until [`Self::reboot`].
    pub fn crashed(&self) -> bool {
        self.device.state().crashed()
    }

    /// Every file and its bytes as programs see them, in the order of their names.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.device.state();
        state.all().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
    }
}

/// What the disk, SQLite's entry for it and every open file have in common.
#[derive(Debug)]
struct Device {
    state: Mutex<State>,
}

impl Device {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside ends the process, because it would have to pass through SQLite.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call of SQLite's.
    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (seed, done) = {
            let mut state = self.state();
            (state.call(), act(&mut state))
        };
        // Outside the lock: SQLite takes one of its own for this.
        vfs::seed_random(seed);
        done
    }
}

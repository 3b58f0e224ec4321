//! A data directory whose database is on a disk that breaks, and the ledger that works there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use deskbell_core::ids::AppId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::log::Once;
use deskbell_server::store::{Ledger, Opened, Options, Seed};
use rusqlite::{Connection, OpenFlags};

use super::ground::{Beside, Ground, Trouble};
use crate::disk::dice::{Dice, Purpose};
use crate::disk::{Disk, Loss, Plan};

/// The one app.
pub const APP: AppId = AppId(1001);

/// The store's directory and disk, and its process while there is one.
pub struct Site {
    /// The disk.
    pub disk: Disk,
    data: PathBuf,
    ground: Option<Ground>,
    seed: u64,
    issued: Arc<AtomicU64>,
}

/// A process that has the data file open.
pub struct Process {
    /// The ledger.
    pub ledger: Ledger,
    /// A second connection, as the store has one for its checkpoints.
    beside: Beside,
    /// The server's time at its start.
    pub opened_at: Millis,
    /// The head that it found: row and check value.
    pub head: (u64, u32),
}

impl Site {
    /// An empty directory on an empty disk, and an empty database where there is one.
    pub fn new(seed: u64, ground: Option<Ground>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("deskbell-world-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let data = folder().join(name);
        let disk = Disk::new(seed);
        disk.create(&data.join("deskbell.db"));
        Self { disk, data, ground, seed, issued: Arc::default() }
    }

    /// Starts a process. The server's time goes on from the last row, whatever the wall clock says. Nothing,
    /// where the disk does not let it.
    pub fn start(&self, wall: Millis) -> Option<Process> {
        let seed = Seed { secret: [7; 32], app_key: [0xab; 10], app_secret: [0xcd; 20] };
        let disk = self.ground.is_none().then(|| self.disk.name().to_owned());
        let options = Options {
            data: self.data.clone(),
            seed,
            durable_age: limits::IDEMPOTENCY,
            disk: disk.clone(),
            shared: self.ground.as_ref().map(Ground::shared),
        };
        let opened = Opened::open(&options).ok()?;
        let opened_at = wall.max(opened.last_at().ok()?);
        let head = opened.head(APP).ok()?;
        let beside = match &self.ground {
            None => Beside::File(self.connect().ok()?),
            Some(ground) => {
                ground.set_time(opened_at).ok()?;
                Beside::Shared(ground.clone())
            }
        };
        let (seed, issued) = (self.seed, self.issued.clone());
        let seeds = move || bytes(seed, issued.fetch_add(1, Ordering::Relaxed));
        let ledger = opened.ledger(opened_at, Box::new(seeds)).ok()?;
        Some(Process { ledger, beside, opened_at, head })
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = self.data.join("deskbell.db");
        let connection = Connection::open_with_flags_and_vfs(file, flags, self.disk.name())?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
        Ok(connection)
    }

    /// Ends a process without a word.
    pub fn kill(&self, process: Process, loss: Loss) {
        if self.ground.is_some() {
            return drop(process);
        }
        self.disk.crash();
        drop(process);
        self.disk.reboot(loss);
    }

    /// Faults lie ahead, or none do. A database has faults of its own, and none while a process starts.
    pub fn plan(&self, plan: Plan) -> Result<(), String> {
        let Some(ground) = &self.ground else {
            self.disk.plan(plan);
            return Ok(());
        };
        match plan {
            Plan::NONE => ground.works(),
            Plan { crash: Some(at), .. } => ground.trouble(Trouble::Hangs(at % 7)),
            _ => ground.trouble(Trouble::Refuses(1 + plan.room.unwrap_or(3) % 6)),
        }
    }

    /// Is it a database?
    pub fn is_shared(&self) -> bool {
        self.ground.is_some()
    }

    /// The random bytes that were handed out from one count on, and the next count.
    pub fn issued(&self, from: u64) -> (Vec<[u8; 16]>, u64) {
        let until = self.issued.load(Ordering::Relaxed);
        ((from..until).map(|nth| bytes(self.seed, nth)).collect(), until)
    }

    /// Every file as it is now, without the directory's name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let folder = format!("{}/", self.data.display());
        self.disk.files().into_iter().map(|(name, bytes)| (name.replace(&folder, ""), bytes)).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Where the lock and the credentials stand, which are no part of the disk in memory. Where the system has a folder in
/// memory, their syncs cost nothing.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn bytes(seed: u64, nth: u64) -> [u8; 16] {
    let mut dice = Dice::new(seed, Purpose::Seed, nth);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&nth.to_le_bytes());
    bytes[8..].copy_from_slice(&dice.roll().to_le_bytes());
    bytes
}

impl Process {
    /// Moves committed pages into the data file, as the store's copier does. Says whether it worked: after one
    /// that did not, only a new start is safe.
    pub fn checkpoint(&self, how: &str) -> bool {
        match &self.beside {
            Beside::File(file) => {
                file.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).is_ok()
            }
            Beside::Shared(_) => true,
        }
    }

    /// The texts of one column, in the order of a question.
    pub fn texts(&self, question: &str) -> Result<Vec<String>, String> {
        self.beside.texts(question)
    }

    /// The keys under which rows after one were asked for.
    pub fn keys(&self, after: u64) -> Result<Vec<(u64, Option<Once>)>, String> {
        self.beside.keys(after)
    }

    /// It is so late where the ledger looks for the time.
    pub fn set_time(&self, now: Millis) -> Result<(), String> {
        match &self.beside {
            Beside::File(_) => Ok(()),
            Beside::Shared(ground) => ground.set_time(now),
        }
    }
}

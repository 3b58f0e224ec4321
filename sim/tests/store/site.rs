//! A data directory whose database is on a disk that breaks, and the store that works there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event};
use deskbell_core::ids::{AppId, ChannelName, EventId, EventName};
use deskbell_core::limits::{DURABLE_AGE, Millis};
use deskbell_core::log::{Bounds, Log, Once};
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::Refusal;
use deskbell_server::store::{
    Failure, LedgerRead, LedgerWant, Opened, Options, Publish, Receipt, Seed, Store, World,
};
use deskbell_sim::disk::Disk;
use rusqlite::{Connection, OpenFlags};

pub const APP: AppId = AppId(1001);
const EPOCH: Epoch = Epoch(77);
const NOW: Millis = 1_700_000_000_000;
const CHANNEL: &str = "slots";

/// The directory, which goes when its owner goes.
pub struct Site<'a> {
    disk: &'a Disk,
    data: PathBuf,
}

impl<'a> Site<'a> {
    pub fn new(disk: &'a Disk) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("deskbell-sim-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let data = std::env::temp_dir().join(name);
        disk.create(&data.join("deskbell.db"));
        Self { disk, data }
    }

    /// The name of the data file.
    fn file(&self) -> PathBuf {
        self.data.join("deskbell.db")
    }

    /// The bytes of the data file as programs see them.
    pub fn bytes(&self) -> Vec<u8> {
        let file = self.file().to_string_lossy().into_owned();
        let found = self.disk.files().into_iter().find(|(name, _)| *name == file);
        found.expect("the file is made with the site").1
    }

    /// Another program's way to the file, as that of a backup.
    pub fn connect(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags_and_vfs(self.file(), flags, self.disk.name()).expect("the file is there")
    }

    /// Opens the store, and does not start it.
    pub fn open(&self) -> Result<Opened, Failure> {
        let seed = Seed { secret: [7; 32], app_key: [0xab; 10], app_secret: [0xcd; 20] };
        let disk = Some(self.disk.name().to_owned());
        let options = Options { data: self.data.clone(), seed, durable_age: DURABLE_AGE, disk, shared: None };
        Opened::open(&options)
    }

    /// Starts the store with a real log behind it. `None` if the disk does not let it.
    pub fn start(&self) -> Option<Store> {
        let opened = self.open().ok()?;
        let (row, check) = opened.head(APP).ok()?;
        let mut log = Log::new(EPOCH, row, check, Classes::default());
        let feed = move |_, rows: Vec<_>| {
            rows.into_iter()
                .map(|row| {
                    log.append_if(vec![row], NOW).expect("rows come in order");
                    log.head()
                })
                .collect()
        };
        let mut granted = 0_u128;
        let seeds = move || {
            granted += 1;
            granted.to_be_bytes()
        };
        // A disk that fails the next sync must not meet that of the index.
        let quiet = Duration::from_hours(1);
        let world = World { feed: Box::new(feed), clock: Box::new(|| NOW), seeds: Box::new(seeds), quiet };
        opened.start(world).ok()
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// How many events a publish has.
pub fn events(number: u64) -> u64 {
    1 + number % 3
}

pub fn id(number: u64, part: u64) -> String {
    format!("{number}-{part}")
}

/// Publishes under a key of its own, and says whether the store acknowledged it.
pub fn publish(store: &Store, number: u64) -> bool {
    send(store, number, events(number), 1_000 * number as usize).is_ok()
}

/// Publishes so many events of so many bytes each.
pub fn send(store: &Store, number: u64, events: u64, bytes: usize) -> Result<Receipt, Refusal> {
    let draft = |part| {
        Draft::message(Event {
            id: EventId::parse(&id(number, part)).expect("digits"),
            channel: ChannelName::parse(CHANNEL).expect("letters"),
            name: EventName::parse("slot.taken").expect("letters"),
            data: Data::json("7".repeat(bytes)),
            at: NOW,
        })
    };
    let drafts = (1..=events).map(draft).collect();
    let once = Some(Once { key: u128::from(number), body: number });
    let (sender, receiver) = mpsc::sync_channel(1);
    let answered = Box::new(move |answer| sender.send(answer).unwrap_or(()));
    store.submit(Publish { app: APP, drafts, once, now: NOW }, answered);
    receiver.recv().expect("the store answers everybody")
}

/// The ids of all events.
pub fn read_all(store: &Store) -> BTreeSet<String> {
    let want = LedgerWant {
        channel: ChannelName::parse(CHANNEL).expect("letters"),
        after: ledger::end(0),
        latest: false,
    };
    let at = Position::start(EPOCH, ledger::end(0), 0);
    let bounds = Bounds { events: 10_000, bytes: usize::MAX };
    let read = LedgerRead { app: APP, at, wants: vec![want], until: u64::MAX >> 1, bounds };
    let (sender, receiver) = mpsc::sync_channel(1);
    store.read(read, Box::new(move |answer| sender.send(answer).unwrap_or(())));
    let page = receiver.recv().expect("the store answers everybody").expect("the file can be read");
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

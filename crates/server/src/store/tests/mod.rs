//! The store on real files with real fsyncs: what is acknowledged is there afterwards, once.

mod child;
#[allow(clippy::duplicate_mod)] // One suite, two stores.
mod commands;
/// The same suite once more, over the other store.
#[allow(clippy::duplicate_mod)]
#[path = "commands/mod.rs"]
mod commands_shared;
mod full;
#[allow(clippy::duplicate_mod)]
mod keeping;
mod kill;
mod killed;
#[allow(clippy::duplicate_mod)] // Two stores, as above.
mod notes;
mod on_postgres;
#[allow(clippy::duplicate_mod)]
mod post;
#[path = "../../../tests/suite/harness/postgres.rs"]
#[allow(dead_code)] // The outside tests use the rest of it.
pub(super) mod postgres;
#[allow(clippy::duplicate_mod)]
mod reading;
mod rows;
mod side_file;
mod start;
mod two;
#[allow(clippy::duplicate_mod)]
mod writing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event};
use deskbell_core::ids::{AppId, ChannelName, EventId, EventName, Key};
use deskbell_core::limits::{DURABLE_AGE, Millis};
use deskbell_core::log::{Bounds, Log, Once};
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::Refusal;

use super::database::Database;
use super::postgres::session;
use super::sqlite::schema::{self, Place};
use super::{
    Feed, LedgerPage, LedgerRead, LedgerWant, Opened, Options, Publish, QUIET, Receipt, Seed, Seeds, Shared,
    Store, World,
};

pub(super) const APP: AppId = AppId(1001);
pub(super) const EPOCH: Epoch = Epoch(77);
pub(super) const NOW: Millis = 1_700_000_000_000;

/// A directory that goes when its owner goes; and a database, where the test's own name says that it is over one.
pub(super) struct Scratch {
    path: PathBuf,
    database: Option<postgres::Database<'static>>,
}

/// Is this one of the tests that run over PostgreSQL?
pub(super) fn is_over_postgres() -> bool {
    std::thread::current().name().is_some_and(|test| test.contains("::on_postgres::"))
}

impl Scratch {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("deskbell-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { path, database: is_over_postgres().then(|| postgres::shared().database()) }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    fn shared(&self) -> Option<Shared> {
        self.database.as_ref().map(|database| Shared(database.url()))
    }

    /// A database has its own time, which stands still, too.
    pub(super) fn set_time(&self, now: Millis) {
        if let Some(database) = &self.database {
            database.run(&format!(
                "CREATE OR REPLACE FUNCTION deskbell.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
                 AS 'SELECT {now}::bigint'"
            ));
        }
    }

    /// Statements that differ from store to store.
    pub(super) fn in_words_of_the_store<'a>(&self, file: &'a str, shared: &'a str) -> &'a str {
        if self.database.is_some() { shared } else { file }
    }

    pub(super) fn place(&self) -> Place {
        Place { file: self.data().join("deskbell.db"), disk: None }
    }

    pub(super) fn connect(&self) -> Database {
        match self.shared() {
            None => Database::Sqlite(schema::connect(&self.place()).unwrap()),
            Some(Shared(url)) => {
                let place = session::Place::parse(&url).unwrap();
                Database::Postgres(Box::new(session::Session::new(&place).unwrap()))
            }
        }
    }

    pub(super) fn connect_reader(&self) -> Database {
        match self.database {
            None => Database::Sqlite(schema::connect_reader(&self.place()).unwrap()),
            Some(_) => self.connect(),
        }
    }

    pub(super) fn open(&self) -> Opened {
        Opened::open(&Options { shared: self.shared(), ..options(&self.data()) }).unwrap()
    }

    pub(super) fn start(&self) -> Store {
        start(self.open())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

pub(super) fn options(data: &Path) -> Options {
    let seed = Seed { secret: [7; 32], app_key: [0xab; 10], app_secret: [0xcd; 20] };
    Options { data: data.to_owned(), seed, durable_age: DURABLE_AGE, disk: None, shared: None }
}

/// A real log behind the store, as the server has one.
pub(super) fn start(opened: Opened) -> Store {
    let log = log(&opened);
    opened.start(world(feed(log))).unwrap()
}

pub(super) fn log(opened: &Opened) -> Arc<Mutex<Log>> {
    let (row, check) = opened.head(APP).unwrap();
    Arc::new(Mutex::new(Log::new(EPOCH, row, check, Classes::default())))
}

pub(super) fn feed(log: Arc<Mutex<Log>>) -> Feed {
    Box::new(move |_, rows| {
        let mut log = log.lock().unwrap();
        rows.into_iter()
            .map(|row| {
                log.append_if(vec![row], NOW).unwrap();
                log.head()
            })
            .collect()
    })
}

/// A world whose time stands still.
pub(super) fn world(feed: Feed) -> World {
    World { feed, clock: Box::new(|| NOW), seeds: seeds(), quiet: QUIET }
}

/// Different ones for every store of the process.
pub(super) fn seeds() -> Seeds {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let store = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let mut number = u128::from(store) << 96 | u128::from(process) << 64;
    Box::new(move || {
        number += 1;
        number.to_be_bytes()
    })
}

pub(super) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(super) fn draft(on: &str, id: &str) -> Draft {
    Draft::message(Event {
        id: EventId::parse(id).unwrap(),
        channel: channel(on),
        name: EventName::parse("slot.taken").unwrap(),
        data: Data::json(format!("{{\"of\":\"{id}\"}}")),
        at: NOW,
    })
}

pub(super) fn keyed(on: &str, id: &str, key: &str) -> Draft {
    Draft { key: Some(Key::parse(key).unwrap()), ..draft(on, id) }
}

pub(super) fn publish(drafts: Vec<Draft>) -> Publish {
    Publish { app: APP, drafts, once: None, now: NOW }
}

pub(super) fn once(key: u128, body: u64, drafts: Vec<Draft>) -> Publish {
    Publish { once: Some(Once { key, body }), ..publish(drafts) }
}

pub(super) type Waiting<T> = Receiver<Result<T, Refusal>>;

/// Submits; the answer comes out of what is returned.
pub(super) fn submit(store: &Store, publish: Publish) -> Waiting<Receipt> {
    let (sender, receiver) = mpsc::sync_channel(1);
    store.submit(publish, Box::new(move |answer| sender.send(answer).unwrap_or(())));
    receiver
}

pub(super) fn submit_and_wait(store: &Store, publish: Publish) -> Result<Receipt, Refusal> {
    submit(store, publish).recv().unwrap()
}

/// One event on one channel, and its receipt.
pub(super) fn put(store: &Store, on: &str, id: &str) -> Receipt {
    submit_and_wait(store, publish(vec![draft(on, id)])).unwrap()
}

pub(super) const ALL: Bounds = Bounds { events: 10_000, bytes: usize::MAX };

pub(super) fn reading(wants: &[(&str, u64, bool)], until: u64) -> LedgerRead {
    let wants = wants.iter().map(|(name, after, latest)| LedgerWant {
        channel: channel(name),
        after: *after,
        latest: *latest,
    });
    let at = Position { seq: 5, ..Position::start(EPOCH, ledger::end(0), 0) };
    LedgerRead { app: APP, at, wants: wants.collect(), until, bounds: ALL }
}

pub(super) fn read(store: &Store, read: LedgerRead) -> LedgerPage {
    let (sender, receiver) = mpsc::sync_channel(1);
    store.read(read, Box::new(move |answer| sender.send(answer).unwrap_or(())));
    receiver.recv().unwrap().unwrap()
}

pub(super) fn ids(page: &LedgerPage) -> Vec<String> {
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

/// Everything that a stream channel has.
pub(super) fn all(store: &Store, on: &str) -> Vec<String> {
    ids(&read(store, reading(&[(on, ledger::end(0), false)], u64::MAX >> 1)))
}

pub(super) fn assert_sound(store: &Store) {
    assert_eq!(store.verify().unwrap().problems, Vec::<String>::new());
}

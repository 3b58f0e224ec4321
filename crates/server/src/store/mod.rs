//! The embedded durable store: what was acknowledged is on the disk, in one order, once.
//!
//! | part | what |
//! |---|---|
//! | `files` | the data directory and its lock |
//! | `database` | a connection to whatever keeps the ledger, and how it is asked |
//! | `sqlite` | what only the embedded store has: its schema, its checkpoints, how it writes a difference |
//! | `installation` | secret and credentials, made at the first start |
//! | `codec`, `tables` | events as bytes, and publishes as rows |
//! | `index` | which channel has which events, brought up to date behind the commits |
//! | `lane`, `writer` | the one writing thread: many commands and publishes, one fsync, then the log, then answers |
//! | `ledger` | what one commit consists of: commands decided on a slice, and publishes |
//! | `post` | inboxes and conversations |
//! | `members` | who is in which conversation, kept in memory for whoever decides about access |
//! | `ruling`, `submission` | what is handed in, and what comes back |
//! | `page`, `tail`, `reader` | the durable half of the one read |
//! | `look`, `listing` | what there is in the ledger, and what is free |
//! | `expiry` | housekeeping that no commit waits for |
//! | `notes` | what webhooks and calendars keep, and the rows that webhooks read |
//! | `carried` | what a clean stop hands to the next start |
//! | `verify`, `audit` | does the file still say one thing everywhere |
//!
//! It knows nothing of sockets, sessions and the log's inside: rows go out through a [`Feed`].

mod audit;
mod carried;
mod codec;
mod database;
mod expiry;
mod failure;
mod files;
mod index;
mod installation;
mod lane;
mod ledger;
mod listing;
mod look;
mod members;
mod notes;
mod page;
mod post;
mod reader;
mod ruling;
mod sqlite;
mod submission;
mod tables;
mod tail;
mod teller;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::position::ledger::EVENTS_PER_ROW;
use deskbell_core::refusal::{Code, Refusal};

pub use failure::Failure;
pub use installation::{Credentials, Installation, Seed};
pub use ledger::{Asked, Decided, Done, Ledger, Seeds};
pub use members::Members;
pub use notes::{Fate, Found, Later, Letter, Note, Question, Rows, Standing, Which};
pub use page::{LedgerPage, LedgerRead, LedgerWant};
pub use post::look::{MessagePage, NotificationPage, PostLook, PostSeen, ShownMessage, ShownNotification};
pub use post::{Done as Ran, Errand, Settled};
pub use ruling::{Filter, Heard, Look, Petition, Ruled, Ruling, Seen, Sighting, Watched, plainly};
pub use sqlite::halt::Alarm;
pub use submission::{Answered, Publish, Receipt};
pub use tables::Outcome;
pub use teller::Feed;
pub use verify::{Verdict, inspect};
pub use writer::Clock;

use carried::What;
use database::Database;
use files::Paths;
use lane::{Lane, Refused, Side};
use reader::Reading;
use ruling::Hearing;
use sqlite::checkpoint::Checkpointer;
use sqlite::schema::{self, Place};
use submission::{Answer, broken, busy, ending};
use teller::Teller;
use writer::{Task, Writer};

/// Publishes that wait for the writer: eight full commits.
const WRITES: usize = 4_096;
/// Bytes of publishes that wait for the writer.
const WRITE_BYTES: usize = 64 * 1024 * 1024;
/// Pages that wait to be read. A page takes about a millisecond, so who comes later than this
/// would wait for seconds and had better come again.
const READS: usize = 2_048;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// The directory in which everything is kept.
    pub data: PathBuf,
    /// Random bytes, used at the first start only.
    pub seed: Seed,
    /// How long events of durable channels are kept; never less than idempotency keys are.
    pub durable_age: Millis,
    /// The disk that the database is on, as SQLite knows it. `None` is the system's own, and every
    /// other one belongs to a test.
    pub disk: Option<String>,
}

/// A store whose file is open and locked, and that does not work yet: what a log is begun with is
/// read from it, and with the log's feed it is started.
#[derive(Debug)]
pub struct Opened {
    paths: Paths,
    place: Place,
    control: Database,
    installation: Installation,
    first_start: bool,
    clean: bool,
    durable_age: Millis,
    members: Members,
    lock: File,
}

/// Time without anything to write after which the index of events is brought up to date, for everybody else: a
/// person does not notice it, and a burst is over by then.
pub const QUIET: Duration = Duration::from_millis(20);

/// What a store is given of the world outside.
pub struct World {
    /// Takes committed rows into the log.
    pub feed: Feed,
    /// The server's time. It must not be earlier than [`Opened::last_at`].
    pub clock: Clock,
    /// Random bytes for what is granted.
    pub seeds: Seeds,
    /// Time without anything to write after which the index of events is brought up to date: [`QUIET`], except for
    /// who counts what is written.
    pub quiet: Duration,
}

/// The store at work.
pub struct Store {
    writes: Arc<Lane<Task>>,
    reads: Arc<Lane<Reading>>,
    checkpointer: Arc<Checkpointer>,
    threads: Mutex<Threads>,
    /// Writes what the writer has no part in: the notes of a clean stop. Nothing, once closed.
    control: Mutex<Option<Control>>,
    installation: Installation,
    database: Place,
}

/// The connection beside the writer's, and what keeps other processes out.
struct Control {
    db: Database,
    _lock: File,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    /// A thread ended by a panic, so that the end of this run is no clean one.
    panicked: bool,
    others: Vec<JoinHandle<()>>,
}

impl Opened {
    /// Opens the data directory, and makes what is missing in it.
    pub fn open(options: &Options) -> Result<Self, Failure> {
        let paths = Paths::new(&options.data);
        paths.create()?;
        let lock = paths.lock()?;
        paths.create_database()?;
        let place = Place { file: paths.database.clone(), disk: options.disk.clone() };
        let mut control = schema::connect(&place)?;
        schema::migrate(&mut control, &paths.database)?;
        paths.keep_names()?;
        // Before anything is answered from what is found here.
        schema::secure(&control, &paths.database)?;
        let control = Database::Sqlite(control);
        let (installation, first_start) = installation::settle(&control, &paths, &options.seed)?;
        let clean = carried::begin(&control)?;
        let durable_age = options.durable_age;
        let members = Members::load(&control)?;
        Ok(Self { paths, place, control, installation, first_start, clean, durable_age, members, lock })
    }

    /// The facts of this installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The facts were made just now.
    pub fn is_first_start(&self) -> bool {
        self.first_start
    }

    /// The last run ended cleanly.
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// Who is in which conversation of any app, now and from now on.
    pub fn members(&self) -> Members {
        self.members.clone()
    }

    /// Where the credentials were written down.
    pub fn credentials_file(&self) -> &Path {
        &self.paths.credentials
    }

    /// The last row of an app with its check value, or zeros: what a log begins with.
    pub fn head(&self, app: AppId) -> Result<(u64, u32), Failure> {
        let head = tables::head(&self.control, app)?;
        Ok((head.row, head.check))
    }

    /// When the last row of all was written. The server's time goes on from there, whatever the
    /// machine's clock says: time never goes back over a restart.
    pub fn last_at(&self) -> Result<Millis, Failure> {
        let apps = tables::apps(&self.control)?.into_iter();
        let times = apps.map(|app| tables::head(&self.control, app).map(|head| head.at));
        Ok(times.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(0))
    }

    /// The ledger of this file without any thread, for whoever drives it alone. The directory is
    /// this process's as long as nobody drops what is returned with it.
    pub fn ledger(self, now: Millis, seeds: Seeds) -> Result<Ledger, Failure> {
        let mut ledger = Ledger::open(Database::Sqlite(schema::connect(&self.place)?), now, seeds)?;
        ledger.keep(self.lock);
        Ok(ledger)
    }

    /// Takes out what a clean stop wrote down of an app's log. A second call finds nothing, so
    /// everything else that can stop a start should be done before.
    pub fn take_carry(&mut self, app: AppId) -> Result<Option<String>, Failure> {
        carried::take(&self.control, app, What::Log)
    }

    /// The same for the app's sessions.
    pub fn take_sessions(&mut self, app: AppId) -> Result<Option<String>, Failure> {
        carried::take(&self.control, app, What::Sessions)
    }

    /// Starts the threads. Every committed row goes through the world's feed before it is
    /// acknowledged.
    pub fn start(self, world: World) -> Result<Store, Failure> {
        self.start_with(world, Checkpointer::default())
    }

    fn start_with(self, world: World, checkpointer: Checkpointer) -> Result<Store, Failure> {
        let World { feed, mut clock, seeds, quiet } = world;
        let database = self.place;
        let writing = Database::Sqlite(schema::connect(&database)?);
        let copying = schema::connect(&database)?;
        let reading = Database::Sqlite(schema::connect_reader(&database)?);
        let store = Store {
            writes: Arc::new(Lane::new(WRITES, WRITE_BYTES)),
            reads: Arc::new(Lane::new(READS, usize::MAX)),
            checkpointer: Arc::new(checkpointer),
            threads: Mutex::default(),
            control: Mutex::new(Some(Control { db: self.control, _lock: self.lock })),
            installation: self.installation,
            database,
        };
        let (writes, reads) = (store.writes.clone(), store.reads.clone());
        let checkpointer = store.checkpointer.clone();
        // What is started before a failure is ended by the store's drop.
        let writer = Writer {
            ledger: Ledger::open(writing, clock(), seeds)?,
            lane: writes.clone(),
            clock,
            checkpointer: store.checkpointer.clone(),
            durable_age: self.durable_age,
            members: self.members,
            quiet,
            expiry: None,
            batches: 0,
        };
        store.threads().writer = Some(spawn("deskbell-writer", move || writer.run(Teller { feed }))?);
        let others = spawn("deskbell-copier", move || checkpointer.run(&copying, &writes))?;
        store.threads().others.push(others);
        let others = spawn("deskbell-reader", move || reader::run(reading, &reads))?;
        store.threads().others.push(others);
        Ok(store)
    }
}

fn refuse(refused: Refused<Reading>) {
    let (reading, refusal) = match refused {
        Refused::Full(reading) => (reading, busy()),
        Refused::Closed(reading) => (reading, ending()),
    };
    match reading {
        Reading::Page(_, answer) => answer.give(Err(refusal)),
        Reading::Look(_, _, answer) => answer.give(Err(refusal)),
        Reading::Notes(_, answer) => answer.give(Err(refusal)),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(Failure::Thread)
}

impl Store {
    /// Hands a publish to the writer and returns at once. `answered` is called exactly once: on
    /// the teller's thread when the disk and the log have it, or here and now with a refusal.
    pub fn submit(&self, publish: Publish, answered: Answered<Receipt>) {
        let answer = Answer::new(answered);
        if publish.drafts.is_empty() || publish.drafts.len() > EVENTS_PER_ROW {
            return answer.give(Err(Refusal::new(
                Code::LimitReached,
                "one publish holds 1 to 4,095 events; send the others in another one",
            )));
        }
        let weight = publish.weight();
        self.hand_in(Side::Second, Task::Publish(publish, answer), weight);
    }

    /// Puts a task into the writer's lane, or refuses it here and now.
    fn hand_in(&self, side: Side, task: Task, weight: usize) {
        match self.writes.offer(side, task, weight) {
            Ok(()) => {}
            Err(Refused::Full(task)) => task.refuse(busy()),
            Err(Refused::Closed(task)) => task.refuse(self.closed()),
        }
    }

    /// Hands a reading to the reader and returns at once; `answered` as in [`Self::submit`].
    pub fn read(&self, read: LedgerRead, answered: Answered<LedgerPage>) {
        let reading = Reading::Page(read, Answer::new(answered));
        if let Err(refused) = self.reads.offer(Side::First, reading, 0) {
            refuse(refused);
        }
    }

    /// Hands a command for the ledger to the writer and returns at once. `heard` is called exactly
    /// once: on the teller's thread when the disk and the log have what was decided, or here and now
    /// with a refusal.
    pub fn rule(&self, petition: Petition, heard: Heard) {
        let weight = petition.weight();
        self.hand_in(Side::First, Task::Rule(petition, Hearing::new(heard)), weight);
    }

    /// Hands a command about inboxes or conversations to the writer; `answered` as in [`Self::submit`].
    pub fn run(&self, errand: Errand, answered: Answered<Ran>) {
        let weight = errand.weight();
        self.hand_in(Side::First, Task::Run(errand, Answer::new(answered)), weight);
    }

    /// Looks at the ledger; `watched` as in [`Self::submit`].
    pub fn look(&self, app: AppId, look: Look, watched: Watched) {
        let reading = Reading::Look(app, look, Answer::new(watched));
        if let Err(refused) = self.reads.offer(Side::First, reading, 0) {
            refuse(refused);
        }
    }

    /// Deletes, bit by bit and behind what is written, what is too old at `now`. For a timer.
    pub fn expire(&self, now: Millis) {
        // A full lane means a busy writer; the next tick asks again.
        let _ = self.writes.offer(Side::First, Task::Expire(now), 0);
    }

    /// The refusal of who comes too late.
    fn closed(&self) -> Refusal {
        if self.checkpointer.is_halted() { broken() } else { ending() }
    }

    /// The facts of this installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Calls the alarm once, when the disk has failed in such a way that only a new process is safe:
    /// see [`Failure::Halted`]. Nothing is written or acknowledged from then on, and what remains to
    /// be done is to end this process.
    pub fn on_halt(&self, alarm: Alarm) {
        self.checkpointer.tell(alarm);
    }

    /// The writer is there and may write. If not, there was a bug or the disk has failed, and only
    /// a new start helps.
    pub fn is_writing(&self) -> bool {
        !self.checkpointer.is_halted()
            && self.threads().writer.as_ref().is_some_and(|writer| !writer.is_finished())
    }

    /// The last row of an app with its check value, or zeros.
    pub fn head(&self, app: AppId) -> Result<(u64, u32), Failure> {
        self.with_control(|control| tables::head(control, app)).map(|head| (head.row, head.check))
    }

    /// Checks the whole file. Takes as long as reading it takes.
    pub fn verify(&self) -> Result<Verdict, Failure> {
        verify::verify(&Database::Sqlite(schema::connect_reader(&self.database)?))
    }

    /// Takes nothing more in, writes and answers what waits, and returns when it is done. Pages
    /// can still be read.
    pub fn drain(&self) {
        self.writes.close();
        let writer = self.threads().writer.take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer ended by a panic");
            self.threads().panicked = true;
        }
    }

    /// Writes down an app's log for the next start. It counts only if [`Self::close`] follows.
    pub fn save_carry(&self, app: AppId, json: &str) -> Result<(), Failure> {
        self.checkpointer.check()?;
        self.with_control(|control| carried::save(control, app, What::Log, json))
    }

    /// The same for the app's sessions.
    pub fn save_sessions(&self, app: AppId, json: &str) -> Result<(), Failure> {
        self.checkpointer.check()?;
        self.with_control(|control| carried::save(control, app, What::Sessions, json))
    }

    /// Ends cleanly: drains, ends all threads, marks what was carried as true, and leaves no
    /// side files. After a panic of the writer nothing is marked: the log may not have what the
    /// file has. Nor is it after a checkpoint that the disk has failed, here or before.
    pub fn close(&self) -> Result<(), Failure> {
        self.end();
        let clean = !self.threads().panicked;
        self.with_control(|control| {
            if let Some(file) = control.file() {
                self.checkpointer.finish(file)?;
            }
            if clean {
                carried::end(control)?;
            }
            // The mark is safe in the side file. As the last one, this connection copies it when it
            // is let go of; if that fails, the side file stays, and the next start copies it.
            control.file().map_or(Ok(()), schema::copy_at_the_end)
        })?;
        // The file and the directory's lock are let go of here, whoever still holds the store.
        self.control().take();
        Ok(())
    }

    fn end(&self) {
        self.drain();
        self.reads.close();
        self.checkpointer.end();
        let others = std::mem::take(&mut self.threads().others);
        for thread in others {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended by a panic");
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing is left half done in there by a panic.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_control<T>(&self, act: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        match self.control().as_ref() {
            Some(control) => act(&control.db),
            None => Err(Failure::Closed),
        }
    }

    fn control(&self) -> MutexGuard<'_, Option<Control>> {
        // An unfinished transaction is rolled back when its owner is dropped by a panic.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

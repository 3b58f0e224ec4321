//! The embedded durable store: what was acknowledged is on the disk, in one order, once.
//!
//! | part | what |
//! |---|---|
//! | `files` | the data directory and its lock |
//! | `database` | a connection to whatever keeps the ledger, and how it is asked |
//! | `postgres` | what only a database has that several processes share |
//! | `sqlite` | what only the embedded store has: its schema, its checkpoints, how it writes a difference |
//! | `installation` | secret and credentials, made at the first start |
//! | `codec`, `tables` | events as bytes, and publishes as rows |
//! | `index` | which channel has which events, brought up to date behind the commits |
//! | `kept`, `opened` | where the ledger is kept, and what a start reads from it |
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
mod cached;
mod carried;
mod codec;
mod database;
mod expiry;
mod failure;
mod files;
mod index;
mod installation;
mod kept;
mod lane;
mod ledger;
mod listing;
mod look;
mod members;
mod notes;
mod opened;
mod page;
mod post;
mod postgres;
mod reader;
mod ruling;
mod sqlite;
mod submission;
mod tables;
mod tail;
mod teller;
mod tenants;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use deskbell_core::ids::{AppId, Principal};
use deskbell_core::limits::Millis;
use deskbell_core::position::ledger::EVENTS_PER_ROW;
use deskbell_core::refusal::{Code, Refusal};

pub use failure::Failure;
pub use installation::{Credentials, Installation, Seed};
pub use kept::{Shared, connect};
pub use ledger::{Asked, Decided, Done, IsHere, Ledger, Seeds};
pub use members::Members;
pub use notes::{
    Fate, Found, KeptNews, Later, LeaseWish, Letter, NewsNote, Note, Owner, Question, Rows, Standing, Turn,
    Which,
};
pub use opened::{Opened, Options};
pub use page::{LedgerPage, LedgerRead, LedgerWant};
pub use post::look::{MessagePage, NotificationPage, PostLook, PostSeen, ShownMessage, ShownNotification};
pub use post::{Done as Ran, Errand, Settled};
pub use postgres::migrate::migrate;
pub use ruling::{Filter, Heard, Look, Petition, Ruled, Ruling, Seen, Sighting, Watched, plainly};
pub use sqlite::halt::Alarm;
pub use submission::{Answered, Publish, Receipt};
pub use tables::Outcome;
pub use teller::Feed;
pub use tenants::{Filed, Tenant, TenantNote};
pub use verify::{Verdict, inspect, inspect_shared};
pub use writer::Clock;

use carried::What;
use database::Database;
use kept::Kept;
use lane::{Lane, Refused, Side};
use postgres::follow::Follower;
use reader::Reading;
use ruling::Hearing;
use sqlite::checkpoint::Checkpointer;
use sqlite::schema;
use submission::{Answer, broken, busy, ending};
use writer::Task;

/// Publishes that wait for the writer: eight full commits.
const WRITES: usize = 4_096;
/// Bytes of publishes that wait for the writer.
const WRITE_BYTES: usize = 64 * 1024 * 1024;
/// Pages that wait to be read. A page takes about a millisecond, so who comes later than this
/// would wait for seconds and had better come again.
const READS: usize = 2_048;

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
    kept: Kept,
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
    follower: Option<Follower>,
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

    /// Others write this ledger, too.
    pub fn is_shared(&self) -> bool {
        matches!(self.kept, Kept::Shared(..))
    }

    /// Takes what others wrote by now into the logs; `answered` as in [`Self::submit`].
    pub fn follow(&self, answered: Answered<()>) {
        self.hand_in(Side::First, Task::FollowFor(Answer::new(answered)), 0);
    }

    /// Tells the other processes of a shared ledger which holders are connected to this one, and tells who asks, and
    /// whom a dead process has left behind;
    /// `answered` as in [`Self::submit`].
    pub fn attend(&self, is_here: IsHere, answered: Answered<Vec<(AppId, Principal)>>) {
        self.hand_in(Side::First, Task::Attend(is_here, Answer::new(answered)), 0);
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

    /// The shared database answers, where the ledger is in one.
    pub fn is_reachable(&self) -> bool {
        match &self.kept {
            Kept::File(_) => true,
            Kept::Shared(place, _) => place.is_reachable(),
        }
    }

    /// The last row of an app with its check value, or zeros.
    pub fn head(&self, app: AppId) -> Result<(u64, u32), Failure> {
        self.with_control(|control| tables::head(control, app)).map(|head| (head.row, head.check))
    }

    /// Checks the whole file. Takes as long as reading it takes.
    pub fn verify(&self) -> Result<Verdict, Failure> {
        verify::verify(&self.kept.connect_reader()?)
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
        self.with_control(|control| self.kept.save(control, app, What::Log, json))
    }

    /// The same for the app's sessions.
    pub fn save_sessions(&self, app: AppId, json: &str) -> Result<(), Failure> {
        self.checkpointer.check()?;
        self.with_control(|control| self.kept.save(control, app, What::Sessions, json))
    }

    /// The same for the places of pages that are away.
    pub fn save_pages(&self, app: AppId, json: &str) -> Result<(), Failure> {
        self.checkpointer.check()?;
        self.with_control(|control| self.kept.save(control, app, What::Pages, json))
    }

    /// Ends cleanly: drains, ends all threads, marks what was carried as true, and leaves no
    /// side files. After a panic of the writer nothing is marked: the log may not have what the
    /// file has. Nor is it after a checkpoint that the disk has failed, here or before.
    pub fn close(&self) -> Result<(), Failure> {
        self.end();
        let clean = !self.threads().panicked;
        self.with_control(|control| {
            let Some(file) = control.file() else { return Ok(()) };
            self.checkpointer.finish(file)?;
            if clean {
                carried::end(control)?;
            }
            // The mark is safe in the side file. As the last one, this connection copies it when it
            // is let go of; if that fails, the side file stays, and the next start copies it.
            schema::copy_at_the_end(file)
        })?;
        if let (Kept::Shared(_, notes), true) = (&self.kept, clean) {
            notes.end()?;
        }
        // The file and the directory's lock are let go of here, whoever still holds the store.
        self.control().take();
        Ok(())
    }

    fn end(&self) {
        self.drain();
        self.reads.close();
        self.checkpointer.end();
        let follower = self.threads().follower.take();
        follower.into_iter().for_each(Follower::end);
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
        f.debug_struct("Store").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

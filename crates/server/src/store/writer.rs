//! The one thread that writes: gathers what came in and commits it at once.
//!
//! Nobody hears of a row before the disk has it: first the commit, then the [`Teller`].

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use deskbell_core::ids::{AppId, Principal};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::Refusal;

use super::expiry::Expiry;
use super::lane::{Lane, Patience, Taken};
use super::ledger::{Asked, IsHere, Ledger};
use super::members::Members;
use super::notes::{self, Note};
use super::post::{self, Errand};
use super::postgres::follow::Woken;
use super::ruling::{Hearing, Petition, plainly};
use super::sqlite::checkpoint::Checkpointer;
use super::submission::{Answer, Publish, Receipt, refusal_of};
use super::teller::{Committed, Teller};

/// Tells the server's time.
pub type Clock = Box<dyn FnMut() -> Millis + Send>;

/// Commands and publishes of one commit. More saves little, because the fsync is then a small part of
/// it, and makes the first of them wait longer.
const BATCH: usize = 512;
/// Bytes of one commit.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches between two slices of expiry while there is always something to write.
const BATCHES_PER_SLICE: u32 = 8;

/// What the writer is asked to do.
pub(super) enum Task {
    Rule(Petition, Hearing),
    Run(Errand, Answer<post::Done>),
    Publish(Publish, Answer<Receipt>),
    Note(Note, Answer<u64>),
    /// Delete what is too old at this time, a slice now and then.
    Expire(Millis),
    /// Write the little that a checkpoint left behind, so that the side file starts anew.
    Settle,
    /// Look for what other processes wrote.
    Follow,
    /// The same for somebody who waits for it.
    FollowFor(Answer<()>),
    /// Tell other processes which holders are connected to this one.
    Attend(IsHere, Answer<Vec<(AppId, Principal)>>),
}

impl Task {
    /// Tells whoever waits for it that it is not taken.
    pub(super) fn refuse(self, refusal: Refusal) {
        match self {
            Self::Rule(_, hearing) => hearing.give(Err(plainly(refusal))),
            Self::Run(_, answer) => answer.give(Err(refusal)),
            Self::Publish(_, answer) => answer.give(Err(refusal)),
            Self::Note(_, answer) => answer.give(Err(refusal)),
            Self::FollowFor(answer) => answer.give(Err(refusal)),
            Self::Attend(_, answer) => answer.give(Err(refusal)),
            // Nobody waits for housekeeping.
            Self::Expire(_) | Self::Settle | Self::Follow => {}
        }
    }
}

pub(super) struct Writer {
    pub(super) ledger: Ledger,
    pub(super) lane: Arc<Lane<Task>>,
    pub(super) clock: Clock,
    pub(super) checkpointer: Arc<Checkpointer>,
    pub(super) durable_age: Millis,
    /// Who is in which conversation, for whoever decides about access.
    pub(super) members: Members,
    /// Time without anything to write after which the index of events is brought up to date.
    pub(super) quiet: Duration,
    pub(super) expiry: Option<Expiry>,
    pub(super) batches: u32,
    /// Another thread asked to look for what others wrote.
    pub(super) woken: Woken,
}

thread_local! {
    /// Pages in the side file after this thread's last commit. SQLite tells it to a plain function.
    static SIDE_FILE: Cell<u32> = const { Cell::new(0) };
}

/// Closes the lane however the writer or the teller ends, so that nobody waits for an answer that cannot come.
struct Ending(Arc<Lane<Task>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

impl Writer {
    /// Works until the lane is closed, with the teller on a thread of its own: what was committed is told
    /// while the next batch is decided and written.
    pub(super) fn run(self, teller: Teller) {
        let _ending = Ending(self.lane.clone());
        let telling_ends = Ending(self.lane.clone());
        // One batch waits at most, so that the log is never further behind the disk than that.
        let (tell, told) = sync_channel(1);
        std::thread::scope(|threads| {
            let telling = std::thread::Builder::new().name("deskbell-teller".to_owned()).spawn_scoped(
                threads,
                move || {
                    let _ending = telling_ends;
                    teller.run(&told);
                },
            );
            match telling {
                Ok(_) => self.write(&tell),
                Err(error) => tracing::error!(%error, "the store has no thread to tell what it wrote"),
            }
            drop(tell);
        });
    }

    fn write(mut self, tell: &SyncSender<Committed>) {
        if let Some(file) = self.ledger.tables.db.file() {
            file.wal_hook(Some(|_, pages| {
                SIDE_FILE.set(pages.unsigned_abs());
                Ok(())
            }));
        }
        let mut tasks = Vec::new();
        loop {
            let wait = self.patience();
            let taken = self.lane.take(BATCH, BATCH_BYTES, wait, &mut tasks);
            if self.checkpointer.is_halted() {
                // Who waits for an answer hears that the store is unavailable.
                return;
            }
            let told = match taken {
                Taken::Closed => return,
                Taken::Nothing if self.is_something_due() => self.work(&mut tasks, tell),
                Taken::Nothing if self.expiry.is_some() => {
                    self.expire();
                    true
                }
                Taken::Nothing => {
                    self.ledger.index();
                    true
                }
                Taken::Some => self.work(&mut tasks, tell),
            };
            if !told {
                // The teller has panicked, and nothing more is written. Its panic becomes this thread's.
                return;
            }
            self.checkpointer.grown(SIDE_FILE.get());
        }
    }

    /// How long nothing has to be done if nobody asks.
    fn patience(&mut self) -> Patience {
        if self.expiry.is_some() {
            return Patience::None;
        }
        let now = self.now();
        let due = self.ledger.next().map(|at| Duration::from_millis(at.saturating_sub(now)));
        let quiet = self.ledger.is_behind().then_some(self.quiet);
        match due.into_iter().chain(quiet).min() {
            None => Patience::Endless,
            Some(Duration::ZERO) => Patience::None,
            Some(wait) => Patience::For(wait),
        }
    }

    fn is_something_due(&mut self) -> bool {
        let now = self.now();
        self.ledger.next().is_some_and(|at| at <= now)
    }

    /// What time it is for the ledger.
    fn now(&mut self) -> Millis {
        let clock = (self.clock)();
        self.ledger.time_at(clock)
    }

    /// What other processes wrote goes to the teller, for the logs. Says whether there is somebody to tell it.
    fn follow(&mut self, followed: Vec<Answer<()>>, tell: &SyncSender<Committed>) -> bool {
        self.woken.store(false, Ordering::Relaxed);
        let clock = (self.clock)();
        let mut done = match self.ledger.follow(clock) {
            Ok(done) => done,
            Err(failure) => {
                if !failure.is_outage() {
                    tracing::error!(%failure, "what other processes wrote cannot be read");
                }
                followed.into_iter().for_each(|answer| answer.give(Err(refusal_of(&failure))));
                return true;
            }
        };
        self.members.take(std::mem::take(&mut done.moved));
        if done.rows.is_empty() && followed.is_empty() {
            return true;
        }
        tell.send(Committed { done, followed, ..Committed::default() }).is_ok()
    }

    /// Commits what was asked for and passes it on to be told. Says whether there is somebody to tell it.
    fn work(&mut self, tasks: &mut Vec<Task>, tell: &SyncSender<Committed>) -> bool {
        let (mut petitions, mut hearings) = (Vec::new(), Vec::new());
        let (mut errands, mut returns) = (Vec::new(), Vec::new());
        let (mut publishes, mut answers) = (Vec::new(), Vec::new());
        let (mut notes, mut followed, mut follow) = (Vec::new(), Vec::new(), false);
        for task in tasks.drain(..) {
            match task {
                Task::Rule(petition, hearing) => {
                    petitions.push(petition);
                    hearings.push(hearing);
                }
                Task::Run(errand, answer) => {
                    errands.push(errand);
                    returns.push(answer);
                }
                Task::Publish(publish, answer) => {
                    publishes.push(publish);
                    answers.push(answer);
                }
                Task::Note(note, answer) => notes.push((note, answer)),
                Task::Follow => follow = true,
                Task::FollowFor(answer) => {
                    follow = true;
                    followed.push(answer);
                }
                Task::Attend(is_here, answer) => {
                    let here = self.ledger.attend(&is_here);
                    answer.give(here.map_err(|failure| refusal_of(&failure)));
                }
                Task::Expire(now) => self.expiry = Some(Expiry::new(now, self.durable_age)),
                Task::Settle => {
                    if let Some(file) = self.ledger.tables.db.file() {
                        self.checkpointer.settle(file);
                    }
                }
            }
        }
        if self.checkpointer.is_halted() {
            return true;
        }
        if follow && !self.follow(followed, tell) {
            return false;
        }
        let now = (self.clock)();
        let asked = Asked { petitions: &petitions, errands: &errands, publishes: &publishes };
        let mut done = self.ledger.batch_of(now, &asked);
        // Before the log has the rows: whoever is no member any more is shown nothing that follows.
        self.members.take(std::mem::take(&mut done.moved));
        let committed =
            Committed { done, petitions, hearings, returns, publishes, answers, followed: Vec::new() };
        // Looking for what others wrote finds nothing most of the time.
        let told = committed.is_empty() || tell.send(committed).is_ok();
        self.note(notes);
        self.batches += 1;
        if self.expiry.is_some() && self.batches >= BATCHES_PER_SLICE {
            self.expire();
        }
        told
    }

    /// Writes notes down, behind the commands that came with them, all of them in one transaction.
    fn note(&mut self, notes: Vec<(Note, Answer<u64>)>) {
        if notes.is_empty() {
            return;
        }
        let tables = &self.ledger.tables;
        let write = |db: &_, notes: &[(Note, _)]| {
            let write = |(note, _): &(Note, _)| notes::write(db, &tables.process, note);
            notes.iter().map(write).collect::<Result<Vec<_>, _>>()
        };
        let said = match tables.db.write(|db| write(db, &notes)) {
            Ok(said) => said.into_iter().map(Ok).collect(),
            // One that cannot be written takes no other with it.
            Err(_) if notes.len() > 1 => return notes.into_iter().for_each(|note| self.note(vec![note])),
            Err(failure) => {
                if !failure.is_outage() {
                    tracing::error!(%failure, "notes of webhooks and calendars could not be written");
                }
                vec![Err(refusal_of(&failure)); notes.len()]
            }
        };
        for ((_, answer), said) in notes.into_iter().zip(said) {
            answer.give(said);
        }
    }

    /// One slice of expiry in a transaction of its own.
    fn expire(&mut self) {
        self.batches = 0;
        let Some(mut expiry) = self.expiry.take() else { return };
        match self.ledger.expire_slice(&mut expiry) {
            Ok(true) => self.expiry = Some(expiry),
            Ok(false) => {}
            // It is asked for again in a minute or so, and goes on where it was.
            Err(failure) => tracing::warn!(%failure, "old rows could not be deleted"),
        }
    }
}

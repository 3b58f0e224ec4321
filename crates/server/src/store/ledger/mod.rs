//! The loop of the ledger: commands are decided one after the other on one slice, and committed
//! together.
//!
//! | part | what |
//! |---|---|
//! | `batch` | what a commit consists of, in which order, and what becomes of each part |
//! | `book` | what the loop knows of one app between two batches |
//! | `timers` | when something happens by itself, and who holds what |
//! | `load` | parts of the ledger from the tables; the difference goes back through [`Tables::save`] |
//! | `recount` | the second look before the commit |
//! | `rows` | values as columns |
//!
//! The rule itself is `deskbell_core::reservation::decide`. Of this folder only `load`, `recount`
//! and `rows` know SQL.

mod batch;
mod book;
pub(super) mod load;
mod recount;
pub(super) mod rows;
mod timers;

use std::collections::BTreeMap;
use std::fs::File;

use deskbell_core::ids::{AppId, ReservationId};
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::log::Row;
use deskbell_core::reservation::{Due, Refused, Reply};

use super::database::Database;
use super::expiry::Expiry;
use super::failure::Failure;
use super::index::{BEHIND, CHUNK};
use super::look::look;
use super::page::{LedgerPage, LedgerRead, page};
use super::ruling::{Look, Petition, Sighting, plainly};
use super::submission::{Publish, broken};
use super::tables::{self, Outcome, Tables};
use super::verify::{Verdict, verify};
use batch::{Fruit, Item};
use book::Book;

/// Gives random bytes, none of them twice.
pub type Seeds = Box<dyn FnMut() -> [u8; 16] + Send>;

/// Timers of one app that one batch decides; the others follow in the next.
const DUE: usize = 512;
/// Time after which something is tried again that could not be written.
const AGAIN: Millis = SECOND;

/// The ledger and the durable publishes of a data file, without any thread: one [`Self::batch`] after
/// the other. The store's writer drives it, and so can whoever wants to say what time it is.
///
/// ```no_run
/// # use deskbell_server::store::{Opened, Options, Seed};
/// # fn example(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
/// let mut n = 0_u128;
/// let seeds = Box::new(move || { n += 1; n.to_be_bytes() });
/// let opened = Opened::open(options)?;
/// let mut ledger = opened.ledger(1_700_000_000_000, seeds)?;
/// let done = ledger.batch(1_700_000_000_005, &[], &[]);
/// assert!(done.rulings.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Ledger {
    pub(super) tables: Tables,
    books: BTreeMap<AppId, Book>,
    seeds: Seeds,
    /// The latest time that it was told, or that stands in a row. It never goes back.
    time: Millis,
    /// The last commit failed; said once, not for every batch.
    failing: bool,
    /// Keeps other processes out, where nothing else does.
    lock: Option<File>,
}

/// What became of a batch. All of it is on the disk.
#[derive(Debug, Default)]
pub struct Done {
    /// Of each command, in order.
    pub rulings: Vec<Result<Decided, Box<Refused>>>,
    /// Of each publish, in order.
    pub outcomes: Vec<Outcome>,
    /// New rows, in the order of their positions.
    pub rows: Vec<(AppId, Row)>,
}

/// A command was decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The app.
    pub app: AppId,
    /// The answer.
    pub reply: Reply,
    /// The row that the answer reflects.
    pub row: u64,
    /// The row's check value.
    pub check: u32,
    /// It was decided before.
    pub repeated: bool,
}

impl Ledger {
    /// Reads what happens by itself from the tables.
    pub(super) fn open(db: Database, now: Millis, seeds: Seeds) -> Result<Self, Failure> {
        let mut books = BTreeMap::new();
        let mut time = now;
        for app in tables::apps(&db)? {
            time = time.max(tables::head(&db, app)?.at);
        }
        for app in tables::apps(&db)? {
            let head = tables::head(&db, app)?;
            books.insert(app, Book::open(&db, app, head.at, time)?);
        }
        Ok(Self { tables: Tables::new(db), books, seeds, time, failing: false, lock: None })
    }

    /// Holds the directory's lock as long as it lives.
    pub(super) fn keep(&mut self, lock: File) {
        self.lock = Some(lock);
    }

    /// Decides and commits: first what the clock wants, then the commands, then the publishes, then
    /// what is owed to those who watch slots. If the commit fails, each of them is tried alone, and
    /// what still fails is refused.
    pub fn batch(&mut self, now: Millis, petitions: &[Petition], publishes: &[Publish]) -> Done {
        self.time = self.time.max(now);
        let apps = petitions.iter().map(|petition| petition.app);
        for app in apps.chain(publishes.iter().map(|publish| publish.app)) {
            self.books.entry(app).or_insert_with(|| Book::empty(app));
        }
        let mut done = Done::default();
        self.index_beyond(BEHIND);
        self.restart(&mut done);
        let mut items = Vec::with_capacity(petitions.len() + publishes.len() + self.books.len());
        for (app, book) in &mut self.books {
            let due = book.timers.take_due(self.time, DUE);
            items.extend(due.into_iter().map(|id| Item::Due(*app, Due::Reservation(id))));
        }
        items.extend(petitions.iter().map(Item::Petition));
        items.extend(publishes.iter().map(Item::Publish));
        let is_owed = |book: &&Book| book.owed.next().is_some_and(|at| at <= self.time);
        items.extend(self.books.values().filter(is_owed).map(|book| Item::Owed(book.app)));
        self.run(&items, &mut done);
        done
    }

    /// Brings the index of events nearer to the commits, by one chunk per app. For a moment in which
    /// nobody asks for anything.
    pub fn index(&mut self) {
        self.index_beyond(1);
    }

    /// The index is behind the commits, and nothing speaks against going on with it.
    pub fn is_behind(&mut self) -> bool {
        !self.failing && self.books.keys().any(|app| self.tables.behind(*app).is_ok_and(|behind| behind > 0))
    }

    /// One chunk of each app whose index is so many rows behind. If it cannot be written now, nothing is
    /// lost: it is tried again, and readers look at the rows instead.
    fn index_beyond(&mut self, behind: u64) {
        let Self { tables, books, .. } = self;
        for app in books.keys() {
            if !tables.behind(*app).is_ok_and(|rows| rows >= behind) {
                continue;
            }
            if let Err(failure) = tables.transact(|tables| tables.index(*app, CHUNK)) {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%failure, "the index of events cannot be written; reading becomes slower until it can");
                }
                return;
            }
        }
    }

    /// Deletes what is too old at `now`, all of it.
    pub fn expire(&mut self, now: Millis, durable_age: Millis) -> Result<(), Failure> {
        while self.is_behind() {
            self.index();
        }
        let mut expiry = Expiry::new(now, durable_age);
        while self.expire_slice(&mut expiry)? {}
        Ok(())
    }

    /// Deletes one slice of it, and forgets what was deleted: no answer hangs on what is known by heart.
    pub(super) fn expire_slice(&mut self, expiry: &mut Expiry) -> Result<bool, Failure> {
        let more = self.tables.transact(|tables| expiry.slice(tables))?;
        for (app, id) in expiry.take_gone() {
            if let Some(book) = self.books.get_mut(&app) {
                book.slice.forget(&id);
            }
        }
        Ok(more)
    }

    /// Checks the whole file.
    pub fn verify(&mut self) -> Result<Verdict, Failure> {
        verify(&self.tables.db)
    }

    /// Looks at what is committed.
    pub fn look(&mut self, app: AppId, wanted: &Look) -> Result<Sighting, Failure> {
        look(&self.tables.db, app, wanted)
    }

    /// Reads a page of the durable channels.
    pub fn read(&mut self, read: &LedgerRead) -> Result<LedgerPage, Failure> {
        page(&self.tables.db, read)
    }

    /// When something is to be done although nobody asks; at once, if that is past.
    pub fn next(&self) -> Option<Millis> {
        self.books.values().filter_map(Book::next).min()
    }

    /// Gives the holds of the run before a little time, before anything else is decided. Those for whom it
    /// cannot be written now wait for the next batch.
    fn restart(&mut self, done: &mut Done) {
        let mut items = Vec::new();
        for (app, book) in &mut self.books {
            let ids = std::mem::take(&mut book.restarts);
            items.extend(ids.into_iter().map(|id| Item::Due(*app, Due::Restarted(id))));
        }
        for items in items.chunks(DUE) {
            self.run(items, done);
        }
    }

    /// One commit for all of them; if it fails, one for each, so that one that cannot be written
    /// takes no other with it.
    fn run(&mut self, items: &[Item<'_>], done: &mut Done) {
        if items.is_empty() {
            return;
        }
        match self.commit(items) {
            Ok(fruits) => {
                self.failing = false;
                fruits.into_iter().for_each(|fruit| done.take(fruit));
            }
            Err(failure) => {
                self.note(&failure);
                if items.len() == 1 {
                    items.iter().for_each(|item| self.give_up(item, done));
                } else {
                    items.iter().for_each(|item| self.run(std::slice::from_ref(item), done));
                }
            }
        }
    }

    fn note(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%failure, "the store cannot write; publishes and commands are refused until it can");
        }
    }

    /// What is asked is refused, what the clock wants is tried again.
    fn give_up(&mut self, item: &Item<'_>, done: &mut Done) {
        let again = self.time.saturating_add(AGAIN);
        match item {
            Item::Petition(_) => done.rulings.push(Err(plainly(broken()))),
            Item::Publish(_) => done.outcomes.push(Outcome::Refused(broken())),
            Item::Due(app, Due::Restarted(id)) => {
                if let Some(book) = self.books.get_mut(app) {
                    book.restart_again(id, again);
                }
            }
            Item::Due(app, due) => {
                if let Some(book) = self.books.get_mut(app) {
                    book.timers.set(of(due), Some(again));
                }
            }
            Item::Owed(_) => {}
        }
    }
}

/// The reservation that a timer is for.
fn of(due: &Due) -> &ReservationId {
    match due {
        Due::Reservation(id) | Due::Restarted(id) => id,
        Due::Departed(_) => unreachable!("departures come as commands"),
    }
}

impl Done {
    fn take(&mut self, fruit: Fruit) {
        let row = match fruit {
            Fruit::Nothing => return,
            Fruit::Row(row) => row,
            Fruit::Ruling(ruling, row) => {
                self.rulings.push(ruling);
                row
            }
            Fruit::Outcome(outcome, row) => {
                self.outcomes.push(outcome);
                row
            }
        };
        self.rows.extend(row);
    }
}

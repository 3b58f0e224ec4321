//! The loop of the ledger: commands are decided one after the other on one slice, and committed
//! together.
//!
//! | part | what |
//! |---|---|
//! | `batch` | what a commit consists of, in which order, and what becomes of each part |
//! | `errand` | the part of it that is about inboxes and conversations |
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
mod errand;
pub(super) mod load;
mod recount;
pub(super) mod rows;
pub(super) mod timers;

use std::collections::BTreeMap;
use std::fs::File;

use deskbell_core::ids::{AppId, Principal, ReservationId};
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::log::Row;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::{Due, Refused, Reply};

use super::database::Database;
use super::expiry::Expiry;
use super::failure::Failure;
use super::index::{BEHIND, CHUNK};
use super::look::look;
use super::page::{LedgerPage, LedgerRead, page};
use super::post::{Errand, Moved, Settled};
use super::postgres::{attend, lock};
use super::ruling::{Look, Petition, Sighting, plainly};
use super::submission::{Publish, refusal_of};
use super::tables::{self, Outcome, Scope, Tables};
use super::verify::{Verdict, verify};
use batch::{Fruit, Item};
use book::Book;

/// Says whether somebody is connected to this process.
pub type IsHere = Box<dyn Fn(AppId, &Principal) -> bool + Send>;

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
    /// How far the shared database's clock is ahead of this machine's.
    skew: i64,
    /// Keeps other processes out, where nothing else does.
    lock: Option<File>,
}

/// What became of a batch. All of it is on the disk.
#[derive(Debug, Default)]
pub struct Done {
    /// Of each command, in order.
    pub rulings: Vec<Result<Decided, Box<Refused>>>,
    /// Of each command about inboxes and conversations, in order.
    pub settled: Vec<Result<Settled, Refusal>>,
    /// Of each publish, in order.
    pub outcomes: Vec<Outcome>,
    /// New rows, in the order of their positions.
    pub rows: Vec<(AppId, Row)>,
    /// Memberships that have begun and ended, in this order.
    pub moved: Vec<Moved>,
}

/// What a batch decides and commits beside what the clock wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Commands about resources and reservations.
    pub petitions: &'a [Petition],
    /// Commands about inboxes and conversations.
    pub errands: &'a [Errand],
    /// Durable publishes.
    pub publishes: &'a [Publish],
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
        let there = db.shared().map(lock::time).transpose()?;
        let skew = there.map_or(0, |there| there.cast_signed() - now.cast_signed());
        let mut time = there.unwrap_or(now);
        for app in tables::apps(&db)? {
            time = time.max(tables::head(&db, app)?.at);
        }
        for app in tables::apps(&db)? {
            let head = tables::head(&db, app)?;
            books.insert(app, Book::open(&db, app, head, time)?);
        }
        Ok(Self { tables: Tables::new(db), books, seeds, time, failing: false, skew, lock: None })
    }

    /// Holds the directory's lock as long as it lives.
    pub(super) fn keep(&mut self, lock: File) {
        self.lock = Some(lock);
    }

    /// A batch without anything for inboxes and conversations.
    pub fn batch(&mut self, now: Millis, petitions: &[Petition], publishes: &[Publish]) -> Done {
        self.batch_of(now, &Asked { petitions, errands: &[], publishes })
    }

    /// Decides and commits: first what the clock wants, then the commands, then the publishes, then
    /// what is owed to those who watch slots. If the commit fails, each of them is tried alone, and
    /// what still fails is refused.
    pub fn batch_of(&mut self, now: Millis, asked: &Asked<'_>) -> Done {
        let Asked { petitions, errands, publishes } = *asked;
        self.time = self.time.max(self.time_at(now));
        let apps = petitions.iter().map(|petition| petition.app);
        let apps = apps.chain(errands.iter().map(|errand| errand.app));
        for app in apps.chain(publishes.iter().map(|publish| publish.app)) {
            self.books.entry(app).or_insert_with(|| Book::empty(app));
        }
        let mut done = Done::default();
        self.index_beyond(BEHIND);
        self.restart(&mut done);
        let all = petitions.len() + errands.len() + publishes.len();
        let mut items = Vec::with_capacity(all + self.books.len());
        for (app, book) in &mut self.books {
            let due = book.timers.take_due(self.time, DUE);
            items.extend(due.into_iter().map(|id| Item::Due(*app, Due::Reservation(id))));
        }
        items.extend(petitions.iter().map(Item::Petition));
        items.extend(errands.iter().map(Item::Errand));
        items.extend(publishes.iter().map(Item::Publish));
        let is_owed = |book: &&Book| book.owes_by(self.time);
        items.extend(self.books.values().filter(is_owed).map(|book| Item::Owed(book.app)));
        self.run(&items, &mut done);
        self.move_news(&mut done);
        self.tell_news(&mut done);
        done
    }

    /// What time it is for the ledger, when this machine's clock says this.
    pub fn time_at(&self, clock: Millis) -> Millis {
        clock.saturating_add_signed(self.skew)
    }

    /// Looks for what other processes wrote, and gives it as rows for the log. `clock` is what this machine's
    /// clock says.
    pub(super) fn follow(&mut self, clock: Millis) -> Result<Done, Failure> {
        let mut done = Done::default();
        let Some(session) = self.tables.db.shared() else { return Ok(done) };
        self.skew = lock::time(session)?.cast_signed() - clock.cast_signed();
        let db = &self.tables.db;
        let heads = db.all("SELECT app, position FROM apps", &[], |row| {
            Ok((AppId(row.unsigned(0)?), row.unsigned(1)?))
        })?;
        for (app, head) in heads {
            self.books.entry(app).or_insert_with(|| Book::empty(app)).catch_up(db, head)?;
        }
        self.tables.marks.clear();
        self.move_news(&mut done);
        self.tell_news(&mut done);
        Ok(done)
    }

    /// Tells the others which holders are connected to this process, and gives them, with those whom a dead process
    /// has left behind.
    pub(super) fn attend(&mut self, is_here: &IsHere) -> Result<Vec<(AppId, Principal)>, Failure> {
        let Some(session) = self.tables.db.shared() else { return Ok(Vec::new()) };
        let mut here = Vec::new();
        for (app, book) in &self.books {
            let holders = book.holds.holders().filter(|holder| is_here(*app, holder));
            here.extend(holders.map(|holder| (*app, holder.clone())));
        }
        let left = attend::renew(session, &self.tables.process, &here)?;
        here.extend(left);
        Ok(here)
    }

    /// The app's log has the rows up to this one; what came behind it before the ledger was opened is news.
    pub(super) fn log_has(&mut self, app: AppId, row: u64) -> Result<(), Failure> {
        let Some(book) = self.books.get_mut(&app).filter(|book| book.seen > row) else { return Ok(()) };
        let rows = load::rows_between(&self.tables.db, app, row, book.seen)?;
        book.news.extend(rows.into_iter().map(|told| told.row));
        Ok(())
    }

    /// Memberships that others changed go before those that this process changed knowing of them.
    fn move_news(&mut self, done: &mut Done) {
        self.books.values_mut().for_each(|book| done.moved.append(&mut book.moved));
    }

    /// Rows of others go before those of this batch, which come behind them in the order of positions.
    fn tell_news(&mut self, done: &mut Done) {
        let mut news = Vec::new();
        for (app, book) in &mut self.books {
            news.extend(std::mem::take(&mut book.news).into_iter().map(|row| (*app, row)));
        }
        if !news.is_empty() {
            done.rows.append(&mut news);
            done.rows.sort_by_key(|(app, row)| (*app, row.row));
        }
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
            if let Err(failure) = tables
                .transact(&Scope { apps: Some(&[*app]), batch: [0; 16] }, |tables| tables.index(*app, CHUNK))
            {
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
        let more = self.tables.transact(&Scope::ALL, |tables| expiry.slice(tables))?;
        for (app, id) in expiry.take_gone() {
            if let Some(book) = self.books.get_mut(&app) {
                book.slice.forget(&id);
            }
        }
        if expiry.take_post() {
            self.books.values_mut().for_each(|book| book.post = deskbell_core::post::Slice::default());
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
                self.move_news(done);
                fruits.into_iter().for_each(|fruit| done.take(fruit));
            }
            Err(failure) => {
                self.note(&failure);
                if items.len() == 1 || failure.is_outage() {
                    items.iter().for_each(|item| self.give_up(item, &failure, done));
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
    fn give_up(&mut self, item: &Item<'_>, failure: &Failure, done: &mut Done) {
        let again = self.time.saturating_add(AGAIN);
        match item {
            Item::Petition(_) => done.rulings.push(Err(plainly(refusal_of(failure)))),
            Item::Errand(_) => done.settled.push(Err(refusal_of(failure))),
            Item::Publish(_) => done.outcomes.push(Outcome::Refused(refusal_of(failure))),
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
            Fruit::Settled(settled, row, moved) => {
                self.settled.push(settled);
                self.moved.extend(moved);
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

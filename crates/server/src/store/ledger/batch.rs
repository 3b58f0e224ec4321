//! What a commit consists of, and what becomes of each part.

use std::collections::{BTreeMap, BTreeSet};

use deskbell_core::ids::{AppId, ReservationId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::log::{Once, Row};
use deskbell_core::position::ledger::EVENTS_PER_ROW;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{
    Announcement, Change, Command, Decision, Due, Key, Moment, Refused, Reply, Touched, decide, next_due,
};

use super::book::Book;
use super::load::load;
use super::recount::recount;
use super::{AGAIN, Decided, Ledger, Seeds};
use crate::store::database::Database;
use crate::store::failure::Failure;
use crate::store::post::{self, Errand, Moved, Settled};
use crate::store::ruling::{Petition, plainly};
use crate::store::submission::Publish;
use crate::store::tables::{Earlier, Head, NewRow, Outcome, Scope, Tables};

/// One part of a commit.
pub(super) enum Item<'a> {
    /// The clock wants something.
    Due(AppId, Due),
    /// Somebody does.
    Petition(&'a Petition),
    /// Somebody wants something of inboxes or conversations.
    Errand(&'a Errand),
    /// A durable publish.
    Publish(&'a Publish),
    /// What those are owed who watch the app's slots.
    Owed(AppId),
}

/// What became of it.
pub(super) enum Fruit {
    Nothing,
    Row(Option<(AppId, Row)>),
    Ruling(Result<Decided, Box<Refused>>, Option<(AppId, Row)>),
    Settled(Result<Settled, Refusal>, Option<(AppId, Row)>, Vec<Moved>),
    Outcome(Outcome, Option<(AppId, Row)>),
}

/// What a decision came to, once it is written.
enum Written {
    Change(Reply, Head, Row),
    Same(Reply),
    Refused(Box<Refused>),
}

impl Ledger {
    /// Decides all of them in order and commits what came of it, or nothing.
    pub(super) fn commit(&mut self, items: &[Item<'_>]) -> Result<Vec<Fruit>, Failure> {
        let Self { tables, books, seeds, time, .. } = self;
        let (mut now, mut late) = (*time, Vec::new());
        let scope = Scope { apps: Some(&apps(items)), batch: batch(tables, seeds) };
        let done = tables.transact(&scope, |tables| {
            now = tables.time(now);
            foresee(tables, books, items, now)?;
            late = overdue(tables, books, items, now);
            let mut fruits = Vec::with_capacity(late.len() + items.len());
            for (app, id) in &late {
                let Some(book) = books.get_mut(app) else { continue };
                let mut desk = Desk { tables: &mut *tables, book, now, seed: seeds() };
                fruits.push(desk.due(&Due::Reservation(id.clone()))?);
            }
            for item in items {
                let app = match item {
                    Item::Due(app, _) | Item::Owed(app) => *app,
                    Item::Petition(petition) => petition.app,
                    Item::Errand(errand) => errand.app,
                    Item::Publish(publish) => {
                        fruits.push(take_publish(tables, publish)?);
                        continue;
                    }
                };
                let Some(book) = books.get_mut(&app) else {
                    return Err(Failure::Damaged(format!("nothing is known of app {app}")));
                };
                let mut desk = Desk { tables: &mut *tables, book, now, seed: seeds() };
                fruits.push(match item {
                    Item::Due(_, due) => desk.due(due)?,
                    Item::Petition(petition) => desk.petition(petition)?,
                    Item::Errand(errand) => desk.errand(errand)?,
                    Item::Publish(_) | Item::Owed(_) => desk.owed()?,
                });
            }
            for book in books.values().filter(|book| !book.slice.unsaved().is_empty()) {
                tables.save(book.app, &book.slice)?;
                recount(&tables.db, book.app, now, &book.slice)?;
            }
            for book in books.values().filter(|book| !book.post.unsaved().is_empty()) {
                post::save::save(&tables.db, book.app, book.post.unsaved())?;
            }
            Ok(fruits)
        });
        *time = now;
        for book in books.values_mut() {
            if done.is_ok() {
                book.committed(tables.heads.get(&book.app).map(|head| head.row));
            } else {
                book.failed(now);
            }
        }
        if done.is_err() {
            for (app, id) in &late {
                let again = Some(now.saturating_add(AGAIN));
                books.get_mut(app).into_iter().for_each(|book| book.timers.set(id, again));
            }
        }
        done
    }
}

/// The apps for which a commit writes something.
fn apps(items: &[Item<'_>]) -> Vec<AppId> {
    let app = |item: &Item<'_>| match item {
        Item::Owed(app) | Item::Due(app, _) => *app,
        Item::Petition(petition) => petition.app,
        Item::Errand(errand) => errand.app,
        Item::Publish(publish) => publish.app,
    };
    items.iter().map(app).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A value by which a shared database knows this batch.
fn batch(tables: &Tables, seeds: &mut Seeds) -> [u8; 16] {
    if tables.db.shared().is_some() { seeds() } else { [0; 16] }
}

/// Where each question is a way to another machine and back, all of a batch are asked together: first what
/// others wrote meanwhile, then the keys, then what the decisions will want to know. Each command is decided
/// without any effect until none of them asks for more; what is left is asked for one by one.
fn foresee(
    tables: &mut Tables,
    books: &mut BTreeMap<AppId, Book>,
    items: &[Item<'_>],
    now: Millis,
) -> Result<(), Failure> {
    if tables.db.shared().is_none() {
        return Ok(());
    }
    let heads = tables.heads.clone();
    for (app, head) in &heads {
        let book = books.entry(*app).or_insert_with(|| Book::empty(*app));
        // Others delete what is too old of inboxes, and that is no row.
        book.post = deskbell_core::post::Slice::default();
        book.catch_up(&tables.db, head.row)?;
    }
    let keys = items.iter().filter_map(|item| match item {
        Item::Petition(petition) => petition.once.map(|once| (petition.app, once.key)),
        Item::Errand(errand) => errand.once.map(|once| (errand.app, once.key)),
        Item::Publish(publish) => publish.once.map(|once| (publish.app, once.key)),
        Item::Due(..) | Item::Owed(_) => None,
    });
    tables.foresee(&keys.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())?;
    for _ in 0..limits::LEDGER_ASKS {
        let mut wanted: BTreeMap<AppId, Vec<Key>> = BTreeMap::new();
        for item in items {
            let due;
            let (app, command) = match item {
                Item::Petition(petition) => (petition.app, &petition.command),
                Item::Due(app, wanted) => {
                    due = Command::Due(wanted.clone());
                    (*app, &due)
                }
                Item::Errand(_) | Item::Publish(_) | Item::Owed(_) => continue,
            };
            let Some(book) = books.get(&app) else { continue };
            let position = heads.get(&app).map_or(0, |head| head.row) + 1;
            let moment = Moment { now, position, seed: [0; 16] };
            if let Decision::NeedMore(keys) = decide(&book.slice, moment, command) {
                wanted.entry(app).or_default().extend(keys);
            }
        }
        if wanted.is_empty() {
            break;
        }
        for (app, keys) in wanted {
            if let Some(book) = books.get_mut(&app) {
                load(&tables.db, book, &keys)?;
            }
        }
    }
    Ok(())
}

/// What the clock wants by the shared database's time. It comes before everything else, so that nothing is
/// granted over a hold whose end was not written.
fn overdue(
    tables: &Tables,
    books: &mut BTreeMap<AppId, Book>,
    items: &[Item<'_>],
    now: Millis,
) -> Vec<(AppId, ReservationId)> {
    // Holds of the run before get their time first, in commits that grant nothing.
    let is_start = items.iter().any(|item| matches!(item, Item::Due(_, Due::Restarted(_))));
    if is_start || tables.db.shared().is_none() {
        return Vec::new();
    }
    let of_book = |book: &mut Book| {
        let due = book.timers.take_due(now, usize::MAX);
        due.into_iter().map(|id| (book.app, id)).collect::<Vec<_>>()
    };
    books.values_mut().filter(|book| tables.heads.contains_key(&book.app)).flat_map(of_book).collect()
}

fn take_publish(tables: &mut Tables, publish: &Publish) -> Result<Fruit, Failure> {
    let outcome = tables.apply(publish)?;
    let row = match outcome {
        Outcome::New { row, check } => {
            Some((publish.app, Row { row, check, drafts: publish.drafts.clone() }))
        }
        _ => None,
    };
    Ok(Fruit::Outcome(outcome, row))
}

/// One decision: where it is made and written down.
pub(super) struct Desk<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) book: &'a mut Book,
    pub(super) now: Millis,
    pub(super) seed: [u8; 16],
}

impl Desk<'_> {
    fn petition(&mut self, petition: &Petition) -> Result<Fruit, Failure> {
        if let Some(once) = petition.once
            && let Some(earlier) = self.tables.earlier(self.book.app, once, self.now)?
        {
            return Ok(Fruit::Ruling(self.again(earlier)?, None));
        }
        if let Command::Due(Due::Departed(principal)) = &petition.command
            && self.tables.is_elsewhere(self.book.app, principal)?
        {
            let sentence = "the holder is connected to another server; ask again later";
            return Ok(Fruit::Ruling(Err(plainly(Refusal::new(Code::Unavailable, sentence))), None));
        }
        Ok(match self.rule(&petition.command, petition.once)? {
            Written::Change(reply, head, row) => {
                let decided = self.decided(reply, head, false);
                Fruit::Ruling(Ok(decided), Some((self.book.app, row)))
            }
            Written::Same(reply) => {
                let head = self.tables.head(self.book.app)?;
                let decided = self.decided(reply, head, false);
                Fruit::Ruling(Ok(decided), None)
            }
            Written::Refused(refused) => Fruit::Ruling(Err(refused), None),
        })
    }

    fn decided(&self, reply: Reply, head: Head, repeated: bool) -> Decided {
        Decided { app: self.book.app, reply, row: head.row, check: head.check, repeated }
    }

    /// The first answer again.
    fn again(&self, earlier: Earlier) -> Result<Result<Decided, Box<Refused>>, Failure> {
        let Earlier::Row(row) = earlier else { return Ok(Err(plainly(Once::reused()))) };
        let (reply, check) = self.tables.reply(self.book.app, row)?;
        let Some(reply) = reply else { return Ok(Err(plainly(Once::reused()))) };
        let reply = serde_json::from_slice(&reply)
            .map_err(|error| Failure::Damaged(format!("the reply of row {row} cannot be read ({error})")))?;
        Ok(Ok(self.decided(reply, Head { row, check, at: 0 }, true)))
    }

    fn due(&mut self, due: &Due) -> Result<Fruit, Failure> {
        let id = super::of(due);
        Ok(match self.rule(&Command::Due(due.clone()), None)? {
            Written::Change(_, _, row) => Fruit::Row(Some((self.book.app, row))),
            Written::Same(_) if matches!(due, Due::Restarted(_)) => {
                // It needs no more time. What is due of it by now is done in this batch.
                let next = self.book.slice.reservation(id).and_then(|found| next_due(found));
                self.book.timers.set(id, next);
                Fruit::Nothing
            }
            Written::Same(_) => {
                // It came too early, or what it was for has changed.
                let next = self.book.slice.reservation(id).and_then(|found| next_due(found));
                self.book.timers.set(id, next.filter(|at| *at > self.now));
                Fruit::Nothing
            }
            Written::Refused(refused) => {
                tracing::error!(reservation = %id, refusal = %refused.refusal, "a timer was refused");
                Fruit::Nothing
            }
        })
    }

    /// Tells what nobody's change told, because it came too soon behind another one.
    fn owed(&mut self) -> Result<Fruit, Failure> {
        let due = self.book.take_owed(self.now);
        if due.is_empty() {
            return Ok(Fruit::Nothing);
        }
        let mut announcement = Announcement::new(self.book.app, self.now, self.seed);
        self.slots(&mut announcement, &due)?;
        let drafts = announcement.into_drafts();
        if drafts.is_empty() {
            return Ok(Fruit::Nothing);
        }
        let new = NewRow {
            app: self.book.app,
            at: self.now,
            once: None,
            reply: None,
            touched: None,
            drafts: &drafts,
        };
        let head = self.tables.append(&new)?;
        Ok(Fruit::Row(Some((self.book.app, Row { row: head.row, check: head.check, drafts }))))
    }

    fn rule(&mut self, command: &Command, once: Option<Once>) -> Result<Written, Failure> {
        let position = self.tables.head(self.book.app)?.row + 1;
        let moment = Moment { now: self.now, position, seed: self.seed };
        match decision(&self.tables.db, self.book, moment, command)? {
            Decision::Change(change) => self.write(*change, once),
            Decision::Same(reply) => Ok(Written::Same(*reply)),
            Decision::Refused(refused) => Ok(Written::Refused(refused)),
            Decision::NeedMore(keys) => {
                tracing::error!(?keys, "a decision asks for more and more of the ledger");
                let refusal = Refusal::new(
                    Code::Unavailable,
                    "this command cannot be decided; tell the operator, who finds the reason in the log",
                );
                Ok(Written::Refused(plainly(refusal)))
            }
        }
    }

    fn write(&mut self, change: Change, once: Option<Once>) -> Result<Written, Failure> {
        let touched = self.book.slice.apply(&change);
        self.know_resources(&change)?;
        let mut announcement = Announcement::new(self.book.app, self.now, self.seed);
        announcement.tell(&change, &self.book.slice);
        self.book.owed.add(touched.clone());
        let due = self.book.take_owed(self.now);
        self.slots(&mut announcement, &due)?;
        let drafts = announcement.into_drafts();
        if drafts.len() > EVENTS_PER_ROW {
            return Err(Failure::Damaged(format!("one command would tell {} events", drafts.len())));
        }
        let untold: Touched =
            touched.into_iter().filter(|(resource, _)| !due.contains_key(resource)).collect();
        let new = NewRow {
            app: self.book.app,
            at: self.now,
            once,
            // Only a retry reads it.
            reply: once.map(|_| bytes(&change.reply)).transpose()?,
            touched: if untold.is_empty() { None } else { Some(bytes(&untold)?) },
            drafts: &drafts,
        };
        let head = self.tables.append(&new)?;
        Ok(Written::Change(change.reply, head, Row { row: head.row, check: head.check, drafts }))
    }

    /// Who serves at a resource is told of its reservations.
    fn know_resources(&mut self, change: &Change) -> Result<(), Failure> {
        for reservation in &change.reservations {
            for granted in &reservation.claims {
                self.know(Key::Resource(granted.claim.resource.clone()))?;
            }
        }
        Ok(())
    }

    fn slots(&mut self, announcement: &mut Announcement, due: &Touched) -> Result<(), Failure> {
        for (resource, span) in due {
            self.know(Key::Resource(resource.clone()))?;
            if span.length() <= limits::SLOTS_WINDOW {
                for day in span.days() {
                    self.know(Key::Day(resource.clone(), day))?;
                }
            }
        }
        announcement.slots(due, &self.book.slice);
        Ok(())
    }

    fn know(&mut self, key: Key) -> Result<(), Failure> {
        if self.book.slice.knows(&key) {
            return Ok(());
        }
        load(&self.tables.db, self.book, &[key])
    }
}

/// Decides, and loads what the decision asks for, a bounded number of times.
fn decision(db: &Database, book: &mut Book, moment: Moment, command: &Command) -> Result<Decision, Failure> {
    let mut asks = 0;
    loop {
        let decision = decide(&book.slice, moment, command);
        let Decision::NeedMore(keys) = &decision else { return Ok(decision) };
        asks += 1;
        if asks > limits::LEDGER_ASKS {
            return Ok(decision);
        }
        load(db, book, keys)?;
    }
}

pub(super) fn bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Damaged(format!("a row cannot be written ({error})")))
}

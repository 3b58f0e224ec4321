//! What a commit consists of, and what becomes of each part.

use deskbell_core::ids::AppId;
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
use super::{Decided, Ledger};
use crate::store::database::Database;
use crate::store::failure::Failure;
use crate::store::ruling::{Petition, plainly};
use crate::store::submission::Publish;
use crate::store::tables::{Earlier, Head, NewRow, Outcome, Tables};

/// One part of a commit.
pub(super) enum Item<'a> {
    /// The clock wants something.
    Due(AppId, Due),
    /// Somebody does.
    Petition(&'a Petition),
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
        let now = *time;
        let done = tables.transact(|tables| {
            let mut fruits = Vec::with_capacity(items.len());
            for item in items {
                let app = match item {
                    Item::Due(app, _) | Item::Owed(app) => *app,
                    Item::Petition(petition) => petition.app,
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
                    Item::Publish(_) | Item::Owed(_) => desk.owed()?,
                });
            }
            for book in books.values().filter(|book| !book.slice.unsaved().is_empty()) {
                tables.save(book.app, book.slice.unsaved())?;
                recount(&tables.db, book.app, now, &book.slice)?;
            }
            Ok(fruits)
        });
        for book in books.values_mut() {
            if done.is_ok() { book.committed() } else { book.failed(now) }
        }
        done
    }
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
struct Desk<'a> {
    tables: &'a mut Tables,
    book: &'a mut Book,
    now: Millis,
    seed: [u8; 16],
}

impl Desk<'_> {
    fn petition(&mut self, petition: &Petition) -> Result<Fruit, Failure> {
        if let Some(once) = petition.once
            && let Some(earlier) = self.tables.earlier(self.book.app, once, self.now)?
        {
            return Ok(Fruit::Ruling(self.again(earlier)?, None));
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

fn bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Damaged(format!("a row cannot be written ({error})")))
}

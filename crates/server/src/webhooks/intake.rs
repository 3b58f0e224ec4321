//! What an endpoint takes in: letters that are resent, events whose hour has come, and new rows.

use deskbell_core::limits;
use deskbell_core::position::ledger;
use deskbell_core::webhook::{Place, not_before};

use super::cargo::Cargo;
use super::endpoint::{AGAIN, Endpoint, question};
use crate::clock;
use crate::store::{Found, Later, Letter, Question, Rows, Which};

impl Endpoint {
    /// Is there room for further events, and anybody who would take them?
    pub(super) fn has_room(&self) -> bool {
        self.queue.off().is_none() && self.queue.room() > 0 && self.hold.bytes() < limits::WEBHOOK_BYTES
    }

    /// Takes in letters that are resent, what has waited for its hour, and new rows, while there is room. What has
    /// waited is taken in before every row: it is older.
    pub(super) async fn read_in(&mut self) {
        if clock::now_ms() < self.wait_until {
            return;
        }
        self.wait_until = 0;
        if self.letters && self.queue.room() > 0 {
            self.letters = false;
            self.read_letters().await;
        }
        while self.has_room() && (self.read_later().await || self.read_rows().await) {}
    }

    /// Takes in events whose hour has come; says whether there were any.
    async fn read_later(&mut self) -> bool {
        let now = clock::now_ms();
        if self.waiting.hour().is_none_or(|hour| hour > now) {
            return false;
        }
        // The store is asked for them, so it must know all of them.
        if self.waiting.has_new() && !self.note().await {
            self.wait_until = now + AGAIN;
            return false;
        }
        let (app, name, after) = (self.app, self.hook.name.clone(), self.waiting.last());
        let wanted = Question::Later { app, name, after, until: now, limit: limits::WEBHOOK_ROWS };
        let Ok(Found::Later(found, next)) = question(&self.hub, wanted).await else {
            self.wait_until = now + AGAIN;
            return false;
        };
        let mut came = Vec::with_capacity(found.len());
        for (later, draft) in found {
            let cargo = draft.and_then(|draft| Cargo::of_draft(self.app, &draft, later.at));
            let cargo = cargo.unwrap_or_else(|| self.gap(later.at));
            self.load(Place::Ledger(later.at), cargo, None);
            came.push(later);
        }
        self.waiting.take_out(came, next);
        self.changed = true;
        true
    }

    /// Reads rows, and says whether there were any. Those without any event for this endpoint pass quickly.
    async fn read_rows(&mut self) -> bool {
        if self.wait_until > 0 || ledger::whole_row(self.queue.read_to()) >= *self.rows.borrow_and_update() {
            return false;
        }
        let again = clock::now_ms() + AGAIN;
        if self.waiting.is_full() && !self.note().await {
            self.wait_until = again;
            return false;
        }
        let wanted = Question::Rows {
            app: self.app,
            after: self.queue.read_to(),
            rows: limits::WEBHOOK_ROWS,
            bytes: limits::WEBHOOK_BYTES / 8,
        };
        let Ok(Found::Rows(rows)) = question(&self.hub, wanted).await else {
            self.wait_until = again;
            return false;
        };
        self.take_rows(rows);
        true
    }

    fn take_rows(&mut self, rows: Rows) {
        if rows.floor > ledger::whole_row(self.queue.read_to()) {
            tracing::error!(
                webhook = self.hook.name,
                "this endpoint was behind for longer than history.durable_age: rows up to {} are deleted and \
                 were not all delivered; it is told so by webhook.gap",
                rows.floor
            );
            self.hub.metrics.webhook(&self.hook.name, "gap");
            let gap = Cargo::of_gap(self.app, rows.floor, clock::now_ms());
            self.load(Place::Ledger(ledger::end(rows.floor)), gap, None);
            self.queue.set_read_to(ledger::end(rows.floor));
        }
        let last = rows.rows.last().map_or(rows.head, |(row, _)| *row);
        let now = clock::now_ms();
        for (row, drafts) in rows.rows {
            for (place, draft) in drafts.iter().enumerate() {
                let at = ledger::event(row, place);
                if self.hook.wants.takes(&draft.event)
                    && let Some(cargo) = Cargo::of_draft(self.app, draft, at)
                {
                    match not_before(&draft.event).filter(|hour| *hour > now) {
                        Some(hour) => self.waiting.put(Later { hour, at }),
                        None => self.load(Place::Ledger(at), cargo, None),
                    }
                }
            }
        }
        self.queue.set_read_to(ledger::end(last));
        self.changed = true;
    }

    /// Letters that are tried again, as many as there is room for.
    async fn read_letters(&mut self) {
        let wanted = Question::Letters {
            app: self.app,
            name: self.hook.name.clone(),
            after: 0,
            limit: self.hook.terms.window,
            which: Which::Due,
        };
        let Ok(Found::Letters(letters, _)) = question(&self.hub, wanted).await else {
            self.letters = true;
            self.wait_until = clock::now_ms() + AGAIN;
            return;
        };
        // Behind a full page there may be others, for which whoever lands makes room.
        self.letters = letters.len() >= self.hook.terms.window;
        // What landed since the last note is marked in the store as it was before.
        let landed = |at: u64| self.delivered.contains(&at) || self.died.iter().any(|dead| dead.at == at);
        let is_new = |letter: &Letter| !self.queue.has(Place::Letter(letter.at)) && !landed(letter.at);
        let new: Vec<Letter> = letters.into_iter().filter(is_new).collect();
        for letter in new {
            if self.queue.room() == 0 || self.hold.bytes() >= limits::WEBHOOK_BYTES {
                // Whoever lands makes room.
                self.letters = true;
                return;
            }
            self.load(Place::Letter(letter.at), Cargo::of_letter(letter), None);
        }
    }
}

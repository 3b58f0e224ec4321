//! Commands about inboxes and conversations: another kind of item of the same batch.

use deskbell_core::limits;
use deskbell_core::log::{Once, Row};
use deskbell_core::position::ledger::EVENTS_PER_ROW;
use deskbell_core::post::{Change, Decision, Reply, announce, decide};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Moment;

use super::batch::{Desk, Fruit, bytes};
use crate::store::failure::Failure;
use crate::store::post::load::load;
use crate::store::post::{Errand, Settled};
use crate::store::tables::{Earlier, Head, NewRow};

impl Desk<'_> {
    pub(super) fn errand(&mut self, errand: &Errand) -> Result<Fruit, Failure> {
        if let Some(once) = errand.once
            && let Some(earlier) = self.tables.earlier(self.book.app, once, self.now)?
        {
            return Ok(Fruit::Settled(self.settled_before(earlier)?, None, Vec::new()));
        }
        let position = self.tables.head(self.book.app)?.row + 1;
        let moment = Moment { now: self.now, position, seed: self.seed };
        let mut asks = 0;
        let decision = loop {
            let decision = decide(&self.book.post, moment, &errand.command);
            let Decision::NeedMore(keys) = &decision else { break decision };
            asks += 1;
            if asks > limits::LEDGER_ASKS {
                break decision;
            }
            load(&self.tables.db, self.book.app, &mut self.book.post, keys)?;
        };
        Ok(match decision {
            Decision::Change(change) => self.write_post(*change, errand.once)?,
            Decision::Same(reply) => {
                let head = self.tables.head(self.book.app)?;
                Fruit::Settled(Ok(self.settled(*reply, head, false)), None, Vec::new())
            }
            Decision::Refused(refusal) => Fruit::Settled(Err(refusal), None, Vec::new()),
            Decision::NeedMore(keys) => {
                tracing::error!(?keys, "a decision asks for more and more of an inbox");
                let sentence =
                    "this command cannot be decided; tell the operator, who finds the reason in the log";
                Fruit::Settled(Err(Refusal::new(Code::Unavailable, sentence)), None, Vec::new())
            }
        })
    }

    fn write_post(&mut self, change: Change, once: Option<Once>) -> Result<Fruit, Failure> {
        let drafts = announce(self.book.app, self.now, self.seed, &change);
        if drafts.len() > EVENTS_PER_ROW {
            return Err(Failure::Damaged(format!("one command would tell {} events", drafts.len())));
        }
        self.book.post.apply(&change);
        let new = NewRow {
            app: self.book.app,
            at: self.now,
            once,
            // Only a retry reads it.
            reply: once.map(|_| bytes(&change.reply)).transpose()?,
            touched: None,
            drafts: &drafts,
        };
        let head = self.tables.append(&new)?;
        let settled = self.settled(change.reply, head, false);
        let row = (self.book.app, Row { row: head.row, check: head.check, drafts });
        let moved = change.memberships.into_iter().map(|membership| (self.book.app, membership)).collect();
        Ok(Fruit::Settled(Ok(settled), Some(row), moved))
    }

    fn settled(&self, reply: Reply, head: Head, repeated: bool) -> Settled {
        Settled { app: self.book.app, reply, row: head.row, check: head.check, repeated }
    }

    /// The first answer again.
    fn settled_before(&self, earlier: Earlier) -> Result<Result<Settled, Refusal>, Failure> {
        let Earlier::Row(row) = earlier else { return Ok(Err(Once::reused())) };
        let (reply, check) = self.tables.reply(self.book.app, row)?;
        let Some(reply) = reply else { return Ok(Err(Once::reused())) };
        let reply = serde_json::from_slice(&reply)
            .map_err(|error| Failure::Damaged(format!("the reply of row {row} cannot be read ({error})")))?;
        Ok(Ok(self.settled(reply, Head { row, check, at: 0 }, true)))
    }
}

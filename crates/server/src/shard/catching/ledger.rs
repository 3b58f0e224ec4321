//! What memory no longer has, read from the ledger: asked for here, and back as a letter.

use deskbell_core::class::Shape;
use deskbell_core::event::SharedEntry;
use deskbell_core::log::{Page, ResetReason};
use deskbell_core::position::Position;
use deskbell_core::refusal::Refusal;

use super::super::Shard;
use super::super::depart::code;
use super::super::mailbox::{Handle, Letter};
use super::PAGE;
use super::turn::Turn;
use crate::store::{LedgerPage, LedgerRead, LedgerWant};

impl Shard {
    /// The ledger has what memory no longer has: its page comes back as a letter.
    pub(super) fn ask_ledger(&mut self, slot: u32, page: &Page, until: Position) {
        let handle = self.handle(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(catching) = client.catching.as_mut() else { return };
        catching.asked = true;
        let at = catching.late.as_ref().map_or(catching.at, |late| late.at);
        let app = &self.hub.apps[usize::from(client.app)];
        let wants = page.older.iter().map(|older| {
            let class = app.log.with(|log| log.class(older.channel.as_str()));
            LedgerWant {
                channel: older.channel.clone(),
                after: older.after,
                latest: class.shape == Shape::Latest,
            }
        });
        // The ledger proves the row where its client stood, and not the one where it is read from.
        let at = if catching.late.is_some() { at } else { catching.shown.had.proven(&at) };
        let read = LedgerRead { app: app.id, at, wants: wants.collect(), until: until.ledger, bounds: PAGE };
        let mailbox = self.mailbox.clone();
        self.hub
            .store
            .read(read, Box::new(move |page| mailbox.answer(Letter::Page { client: handle, page })));
    }

    /// The ledger's page is here.
    pub(in super::super) fn ledger_page(&mut self, handle: Handle, page: Result<LedgerPage, Refusal>) {
        if !self.is_here(handle) {
            return;
        }
        let slot = handle.slot;
        let Some(catching) = self.catching(slot) else { return };
        catching.asked = false;
        let (turn, mut at) = match &catching.late {
            Some(late) => (Turn::Late(late.clone()), late.at),
            None => (Turn::All, catching.at),
        };
        // Its frames have waited for this.
        self.ready.push_back(slot);
        let page = match page {
            Ok(page) => page,
            Err(refusal) => {
                tracing::error!(%refusal, "the data file could not be read");
                let why = "unavailable: the data file could not be read; come back later";
                self.close(slot, code::TRY_AGAIN, why);
                return;
            }
        };
        let page = match page.resets.first() {
            // What the ledger cannot give, nobody can: its channels begin anew.
            Some((_, reason)) => self.without_ledger(slot, &turn, &at, *reason),
            None => {
                for entry in &page.entries {
                    at.advance(&entry.after);
                }
                if page.at_ledger > at.ledger {
                    (at.ledger, at.ledger_check) = (page.at_ledger, 0);
                }
                // A right may have been lost while the file was read.
                let kept = |entry: &SharedEntry| self.hears(slot, &entry.event.channel);
                let entries = page.entries.into_iter().filter(kept).collect();
                // Memory's part is read by the next page, so this one is never complete.
                let (resets, rosters, older) = (Vec::new(), Vec::new(), Vec::new());
                Page { entries, resets, rosters, older, at, complete: false }
            }
        };
        if !self.write_page(slot, &turn, &page) {
            return;
        }
        self.write_resets(slot, &turn, &page);
        self.flush(slot);
        self.serve_again(slot);
    }

    fn without_ledger(&self, slot: u32, turn: &Turn, at: &Position, reason: ResetReason) -> Page {
        let wants = self.wants(slot, turn);
        let app = self.clients.get(slot).map_or(0, |client| usize::from(client.app));
        self.hub.apps[app].log.with(|log| log.read_without_ledger(at, &wants, reason))
    }
}

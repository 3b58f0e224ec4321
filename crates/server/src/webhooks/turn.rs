//! Where several servers share a ledger, one of them serves an endpoint, and the others stand by until its lease
//! is over: rows are sent in one order, and a server that dies is replaced by another.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::position::ledger;
use deskbell_core::refusal::Refusal;
use tokio::sync::mpsc;

use super::endpoint::{question, write};
use super::{Ask, Hook, Shown};
use crate::clock;
use crate::hub::Hub;
use crate::store::{Found, LeaseWish, Note, Question, Standing, Turn, Which};

/// Time between two askings for a lease, by whoever has it and whoever waits for it.
const EVERY: Millis = 2 * SECOND;

/// The lease of an endpoint, as the process that has it knows it. By this machine's own steady clock.
pub(super) struct Lease {
    until: Millis,
    renew_at: Millis,
}

/// What became of waiting for a lease.
pub(super) enum Waited {
    Ours(Lease),
    Stopped,
}

fn steady() -> Millis {
    clock::monotonic_us() / 1_000
}

async fn ask(hub: &Hub, hook: &Hook, wish: LeaseWish) -> Result<Turn, Refusal> {
    let (app, name) = (hub.apps[hook.app].id, hook.name.clone());
    write(hub, Note::Lease { app, name, wish }).await.map(Turn::of)
}

/// Waits until this process has the lease. A ledger of its own is always its own.
pub(super) async fn wait(
    hub: &Hub,
    hook: &Hook,
    shown: &Mutex<Shown>,
    asks: &mut mpsc::Receiver<Ask>,
) -> Waited {
    if !hub.store.is_shared() {
        return Waited::Ours(Lease { until: Millis::MAX, renew_at: Millis::MAX });
    }
    loop {
        // Before the asking: the database's lease begins after it.
        let now = steady();
        let turn = ask(hub, hook, LeaseWish::Hold).await;
        if turn.is_ok_and(|turn| turn != Turn::Elsewhere) {
            // What somebody wished is heard at the next asking, which comes at once.
            return Waited::Ours(Lease { until: now + Turn::LASTS, renew_at: now });
        }
        look(hub, hook, shown).await;
        let next = tokio::time::sleep(Duration::from_millis(EVERY));
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                ask = asks.recv() => match ask {
                    None => return Waited::Stopped,
                    Some(Ask::Stop(done)) => {
                        // Whoever asked may have gone.
                        let _ = done.send(());
                        return Waited::Stopped;
                    }
                    Some(ask) => pass_on(hub, hook, ask).await,
                },
            }
        }
    }
}

/// What is asked here is for the process that has the lease.
async fn pass_on(hub: &Hub, hook: &Hook, asked: Ask) {
    // Letters that are to be tried again are looked for by whoever has the lease, with each renewal.
    let Ask::Switch(off, done) = asked else { return };
    let wish = if off.is_some() { LeaseWish::LetRest } else { LeaseWish::LetGoOn };
    if ask(hub, hook, wish).await.is_ok() {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

/// Shows what the process with the lease has noted.
async fn look(hub: &Hub, hook: &Hook, shown: &Mutex<Shown>) {
    let (app, name) = (hub.apps[hook.app].id, hook.name.clone());
    let asked = Question::Endpoint(app, name.clone());
    let Ok(Found::Endpoint(Standing { kept: Some(kept), head, later, .. })) = question(hub, asked).await
    else {
        return;
    };
    let letters = Question::Letters { app, name, after: 0, limit: 0, which: Which::All };
    let Ok(Found::Letters(_, dead)) = question(hub, letters).await else { return };
    let position = ledger::whole_row(kept.read_to);
    // What is shown is whole between any two changes.
    *shown.lock().unwrap_or_else(PoisonError::into_inner) =
        Shown { position, head, open: kept.open.len(), later, dead, off: kept.off, ..Shown::default() };
}

impl Lease {
    /// When it is to be asked for again, by the server's clock.
    pub(super) fn next(&self) -> Option<Millis> {
        (self.renew_at < Millis::MAX).then(|| clock::now_ms() + self.renew_at.saturating_sub(steady()))
    }

    /// Asks for more time where it is time. Nothing, where there was no need; a lost one is another process's.
    pub(super) async fn renew(&mut self, hub: &Hub, hook: &Hook) -> Option<Turn> {
        let now = steady();
        if now < self.renew_at {
            return None;
        }
        match ask(hub, hook, LeaseWish::Hold).await {
            Ok(turn) => {
                (self.until, self.renew_at) = (now + Turn::LASTS, now + EVERY);
                Some(turn)
            }
            Err(_) if steady() < self.until => {
                self.renew_at = now + SECOND;
                None
            }
            // The database has been away for so long that another process may have it.
            Err(_) => Some(Turn::Elsewhere),
        }
    }

    /// Lets another process have it at once.
    pub(super) async fn free(self, hub: &Hub, hook: &Hook) {
        if self.renew_at < Millis::MAX {
            // It ends by itself where that cannot be said.
            let _ = ask(hub, hook, LeaseWish::Free).await;
        }
    }
}

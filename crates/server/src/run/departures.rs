//! Holds that were made over a connection end when their holder has stayed away for the grace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deskbell_core::ids::{Principal, ReservationId};
use deskbell_core::limits::{Millis, SECOND};
use deskbell_core::reservation::{Command, Due, State};
use tokio::sync::oneshot;

use crate::clock;
use crate::hub::Hub;
use crate::store::{Filter, Look, Petition, Seen};

/// Holds that are looked through at once after a start.
const PAGE: usize = 500;

/// Time until what the ledger could not take is tried again.
const AGAIN: Millis = SECOND;

/// Watches until the process ends.
pub async fn watch(hub: Arc<Hub>) {
    for app in 0..hub.apps.count() {
        recall(&hub, app).await;
    }
    loop {
        let grace = grace(&hub);
        let now = clock::now_ms();
        let wait = hub.attendance.next(grace).map(|at| Duration::from_millis(at.saturating_sub(now)));
        tokio::select! {
            () = hub.attendance.changed.notified() => {}
            // A reload may have made the grace shorter, so nobody sleeps for longer than a minute.
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX).min(Duration::from_mins(1))) => {}
        }
        // Whoever a stop sends away is expected back after it.
        if hub.draining.load(Ordering::Relaxed) {
            return;
        }
        for (app, principal) in hub.attendance.departed(grace, clock::now_ms()) {
            depart(&hub, app, principal);
        }
    }
}

/// Time between two tellings of who is connected here.
const TELL: Duration = Duration::from_secs(2);
/// The least grace where several servers share a ledger: whoever comes back at another one has to be told of.
const SHARED_GRACE: Millis = 3 * SECOND + SECOND;

/// The grace that counts.
fn grace(hub: &Hub) -> Millis {
    let grace = hub.tuning.load().hold_grace;
    if hub.store.is_shared() { grace.max(SHARED_GRACE) } else { grace }
}

/// Tells the other servers of a shared ledger who is connected here, and watches holders from elsewhere who are, or
/// whose server is no more.
pub async fn tell(hub: Arc<Hub>) {
    while hub.store.is_shared() {
        let (tell, told) = oneshot::channel();
        let here = hub.clone();
        let is_here: crate::store::IsHere = Box::new(move |app, principal| {
            let index = here.apps.of_id(app.0).map(|app| app.index);
            index.is_some_and(|index| here.attendance.is_here(index, principal))
        });
        hub.store.attend(is_here, Box::new(move |holders| drop(tell.send(holders))));
        if let Ok(Ok(holders)) = told.await {
            for (app, holder) in holders {
                let index = hub.apps.of_id(app.0).map(|app| app.index);
                index.into_iter().for_each(|index| hub.attendance.tie(index, &holder, clock::now_ms()));
            }
        }
        tokio::time::sleep(TELL).await;
    }
}

/// Tells the ledger that somebody has gone.
fn depart(hub: &Arc<Hub>, app: usize, principal: Principal) {
    let command = Command::Due(Due::Departed(principal.clone()));
    let later = hub.clone();
    let heard = move |ruling: Result<_, _>| {
        if ruling.is_ok() {
            return;
        }
        let again = later.clone();
        later.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(AGAIN)).await;
            again.attendance.tie(app, &principal, clock::now_ms());
        });
    };
    hub.store.rule(Petition { app: hub.apps[app].id, command, once: None }, Box::new(heard));
}

/// Holders from before the start have the grace to come back, too.
async fn recall(hub: &Arc<Hub>, app: usize) {
    let mut after: Option<ReservationId> = None;
    loop {
        let (tell, told) = oneshot::channel();
        let filter = Filter { states: vec![State::Held], ..Filter::default() };
        let look = Look::Reservations { filter, after: after.take(), limit: PAGE };
        hub.store.look(hub.apps[app].id, look, Box::new(move |seen| drop(tell.send(seen))));
        let found = match told.await {
            Ok(Ok(sighting)) => sighting.seen,
            // Their holds still end by themselves.
            other => {
                tracing::warn!(?other, "holders from before the start are not watched");
                return;
            }
        };
        let Seen::Reservations(found) = found else { return };
        let now = clock::now_ms();
        for hold in found.iter().filter(|hold| hold.tied) {
            hub.attendance.tie(app, &hold.holder, now);
        }
        match found.last() {
            Some(last) if found.len() == PAGE => after = Some(last.id.clone()),
            _ => return,
        }
    }
}

//! A clean stop: nobody loses an event, and the next start resets nobody.

use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use deskbell_core::ids::AppId;
use tokio::sync::oneshot;

use super::{Running, StartError};
use crate::hub::Hub;
use crate::shard::{CarriedSession, Letter};

/// Time for the answers of requests that are under way, after everybody else has gone.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Time between two looks at threads that are about to end.
const LOOK: Duration = Duration::from_millis(10);

/// Drains, then writes down what memory holds.
pub async fn stop(running: Running) -> Result<(), StartError> {
    let Running { settings, hub, shards, stop, doors, spool, .. } = running;
    hub.draining.store(true, Ordering::Relaxed);
    hub.hooks.close();
    // Files wait for the next start, whoever writes them.
    if let Some(spool) = spool {
        spool.stop().await;
    }
    // Nobody new comes in; HTTP connections end with the request that is under way.
    stop.send_replace(true);
    // Whoever polls for appointments is answered now.
    hub.apps.iter().for_each(|app| app.appointease.newest.send_modify(|_| {}));
    let sessions = drain_shards(&hub, settings.drain_ms).await;
    for door in doors {
        // A door that was still opening has nothing to keep.
        let _ = door.await;
    }
    // Every HTTP connection holds a receiver, and lets go of it when its last answer is out.
    if tokio::time::timeout(LAST_ANSWERS, stop.closed()).await.is_err() {
        tracing::warn!("requests that did not end are cut; their clients will repeat them");
    }
    end_shards(shards).await;
    hub.webhooks.stop().await;
    hub.hooks.stop().await;
    // As late as can be: Redis keeps nothing for those who are away.
    hub.redis.stop().await;
    write_down(&hub, &sessions)?;
    tracing::info!("stopped cleanly with {} sessions to resume", sessions.len());
    Ok(())
}

async fn drain_shards(hub: &Hub, over_ms: u64) -> Vec<CarriedSession> {
    let mut answers = Vec::new();
    for mailbox in &hub.mailboxes {
        let (done, answer) = oneshot::channel();
        mailbox.answer(Letter::Drain { over_ms, done });
        answers.push(answer);
    }
    let patience = Duration::from_millis(over_ms + 5_000);
    let mut sessions = Vec::new();
    for answer in answers {
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(list)) => sessions.extend(list),
            _ => tracing::error!("a shard did not finish its drain in time"),
        }
    }
    sessions
}

/// Waits for the shards' threads. One that has not drained in time is left behind: what its clients
/// have is safe all the same, because they come back with their cursors.
async fn end_shards(shards: Vec<JoinHandle<()>>) {
    let mut looks = 0;
    while !shards.iter().all(JoinHandle::is_finished) && looks < 100 {
        tokio::time::sleep(LOOK).await;
        looks += 1;
    }
    for shard in shards.into_iter().filter(JoinHandle::is_finished) {
        // A failed shard has ended the process already.
        let _ = shard.join();
    }
}

fn write_down(hub: &Hub, sessions: &[CarriedSession]) -> Result<(), StartError> {
    hub.store.drain();
    for app in hub.apps.iter() {
        let carry = app.log.with(|log| {
            // In one act, because what came between the two would be acknowledged and then missing.
            log.close();
            log.carry()
        });
        let carry = serde_json::to_string(&carry).map_err(StartError::new)?;
        hub.store.save_carry(app.id, &carry).map_err(StartError::new)?;
        let own: Vec<_> = sessions.iter().filter(|session| AppId(session.app) == app.id).collect();
        let own = serde_json::to_string(&own).map_err(StartError::new)?;
        hub.store.save_sessions(app.id, &own).map_err(StartError::new)?;
        let pages = serde_json::to_string(&app.away.carry()).map_err(StartError::new)?;
        hub.store.save_pages(app.id, &pages).map_err(StartError::new)?;
    }
    hub.store.close().map_err(StartError::new)
}

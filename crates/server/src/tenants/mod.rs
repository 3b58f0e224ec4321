//! Apps that come, change and go while the server runs. What is stored decides; this brings the apps of this
//! process into line with it, after each change that was asked for here, and every now and then where other
//! servers work on the same database.
//!
//! | file | what |
//! |---|---|
//! | `mod` | which apps are to be there, and which are not |
//! | `record` | what is stored of one |
//! | `recipe` | how one is made |
//! | `logs` | where the ledger's rows go |

mod logs;
mod recipe;
mod record;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use deskbell_core::limits;
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use deskbell_core::refusal::{Code, Refusal};
use tokio::sync::{Mutex, oneshot, watch};

pub use logs::{Fed, Logs};
pub use recipe::{Facts, Portion, Recipe};
pub use record::Record;

use crate::app::{App, Secret};
use crate::appointease;
use crate::bell::Bells;
use crate::clock;
use crate::hub::Hub;
use crate::log::AppLog;
use crate::shard::Letter;
use crate::store::{Filed, Found, Members, Note, Question, Tenant, TenantNote};

/// What apps are made from while the server runs.
#[derive(Debug)]
pub struct Tenants {
    /// What the settings say of all apps.
    pub recipe: ArcSwap<Recipe>,
    /// Where the ledger's rows go.
    pub logs: Arc<Logs>,
    /// The shards' bells.
    pub bells: Bells,
    /// The key from which all keys are derived.
    pub stored: [u8; 32],
    /// Who is in which conversation.
    pub members: Members,
    /// What whoever may change apps shows; nobody may where there is none.
    pub operator: Option<Secret>,
    /// Held by whoever brings the apps into line.
    pub turn: Mutex<()>,
}

/// Writes down what becomes of an app, and brings the apps of this process into line; also where whoever asked
/// does not wait for the answer.
pub async fn file(hub: &Arc<Hub>, note: TenantNote) -> Result<Filed, Refusal> {
    let own = hub.clone();
    hub.runtime.spawn(async move { filed(&own, note).await }).await.unwrap_or_else(|_| Err(lost()))
}

async fn filed(hub: &Arc<Hub>, note: TenantNote) -> Result<Filed, Refusal> {
    let (tell, told) = oneshot::channel();
    hub.store.note(Note::Tenant(note), Box::new(move |said| drop(tell.send(said))));
    let filed = Filed::of(told.await.map_err(|_| lost())??);
    if filed == Filed::Done {
        agree(hub).await?;
    }
    Ok(filed)
}

/// Looks at what other servers have stored, for ever.
pub async fn follow(hub: Arc<Hub>) {
    while hub.store.is_shared() && !hub.draining.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(limits::APPS_LOOK)).await;
        // What a database that is away has to say is heard when it is back.
        let _ = agree(&hub).await;
    }
}

/// Brings the apps of this process into line with what is stored.
async fn agree(hub: &Arc<Hub>) -> Result<(), Refusal> {
    let _turn = hub.tenants.turn.lock().await;
    let Found::Tenants(stored) = ask(hub, Question::Tenants).await? else { return Err(lost()) };
    for app in hub.apps.iter().filter(|app| app.tenant.load().is_some()) {
        if !stored.iter().any(|tenant| tenant.id == app.id && tenant.key == app.key) {
            take_away(hub, app);
        }
    }
    for tenant in stored {
        let id = tenant.id;
        let there = hub.apps.iter().find(|app| app.id == tenant.id || app.key == tenant.key);
        let done = match there {
            None => add(hub, tenant).await?,
            Some(app) => change(hub, app, tenant),
        };
        if let Err(why) = done {
            tracing::error!("the stored app {id} cannot be served: {why}");
        }
    }
    Ok(())
}

async fn add(hub: &Arc<Hub>, tenant: Tenant) -> Result<Result<(), String>, Refusal> {
    let record = match Record::read(&tenant) {
        Ok(record) => record,
        Err(why) => return Ok(Err(why)),
    };
    let fed = fed(hub, &tenant).await?;
    let tenant = Arc::new(tenant);
    let facts = Facts::of_stored(&tenant, &record);
    let added = hub.apps.add(|index| hub.tenants.make(index, &facts, fed));
    Ok(added.and_then(|app| {
        let app = app.ok_or_else(full)?;
        tracing::info!("app {} with the key {} was added", app.id, app.key);
        appointease::start_one(hub, app.index);
        hub.runtime.spawn(fetch_keys(hub.clone(), app.index));
        Ok(())
    }))
}

/// Fetches the keys of an app's tokens as long as it is there.
pub async fn fetch_keys(hub: Arc<Hub>, index: usize) {
    let app = &hub.apps[index];
    tokio::select! {
        () = app.left.notified() => {}
        () = app.verifier.run() => {}
    }
}

/// The log of an app that is added. Its rows go on from where the ledger is.
async fn fed(hub: &Arc<Hub>, tenant: &Tenant) -> Result<Fed, Refusal> {
    let logs = &hub.tenants.logs;
    loop {
        // It was here before.
        if let Some(fed) = logs.of(tenant.id) {
            return Ok(fed);
        }
        let Found::Head(row, check) = ask(hub, Question::Head(tenant.id)).await? else { return Err(lost()) };
        let classes = hub.tenants.recipe.load().classes.clone();
        let mut log = Log::new(Epoch(clock::random_u64()), row, check, classes);
        let since = clock::now_ms().saturating_sub(limits::CACHED_AGE);
        let cached = ask(hub, Question::Cached(tenant.id, log.head(), since)).await?;
        let Found::Cached(cached) = cached else { return Err(lost()) };
        cached.into_iter().for_each(|entry| log.recall(entry));
        let log = Arc::new(AppLog::new(log, hub.tenants.bells.clone()));
        let fed = Fed { log, rows: Arc::new(watch::Sender::new(row)) };
        if logs.begin(tenant.id, fed.clone(), row) {
            return Ok(fed);
        }
    }
}

fn change(hub: &Hub, app: &App, tenant: Tenant) -> Result<(), String> {
    let known = app.tenant.load_full();
    let Some(known) = known else {
        return Err(clash(app, &tenant));
    };
    if *known == tenant {
        return Ok(());
    }
    if known.id != tenant.id {
        return Err(clash(app, &tenant));
    }
    let record = Record::read(&tenant)?;
    let recipe = hub.tenants.recipe.load_full();
    recipe.serve(app, recipe.portion(&record.secret, &record.pusher)?)?;
    app.tenant.store(Some(Arc::new(tenant)));
    for mailbox in &hub.mailboxes {
        // Another secret ends sessions that the old one had proved.
        mailbox.answer(Letter::Recheck);
    }
    tracing::info!("app {} was changed", app.id);
    Ok(())
}

fn take_away(hub: &Hub, app: &App) {
    app.gone.store(true, Ordering::Relaxed);
    app.left.notify_one();
    for mailbox in &hub.mailboxes {
        mailbox.answer(Letter::Leave { app: app.index });
    }
    tracing::info!("app {} was taken away", app.id);
}

/// What an operator does about an app that stands in two places.
pub fn clash(app: &App, tenant: &Tenant) -> String {
    let what = if app.id == tenant.id { "number" } else { "key" };
    format!(
        "the app {} is stored, and another one has its {what}; take that one out of the configuration, or start \
         without it there and send DELETE /v1/apps/{}",
        tenant.id, tenant.id
    )
}

fn full() -> String {
    format!("there were {} apps since the start; restart the server", limits::APPS)
}

async fn ask(hub: &Hub, question: Question) -> Result<Found, Refusal> {
    let (tell, told) = oneshot::channel();
    hub.store.question(question, Box::new(move |found| drop(tell.send(found))));
    told.await.map_err(|_| lost())?
}

fn lost() -> Refusal {
    Refusal::new(Code::Unavailable, "the server is stopping; ask again when it is back")
}

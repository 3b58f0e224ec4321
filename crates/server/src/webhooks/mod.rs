//! Webhooks: tells other people's servers what happened, each at its own pace.
//!
//! | part | what |
//! |---|---|
//! | [`Hook`] | one endpoint as it is configured |
//! | `endpoint` | the task of one endpoint: takes in, starts attempts, notes how far it is |
//! | `intake` | what it takes in: letters, events whose hour has come, rows |
//! | `turn` | which of several servers serves it |
//! | `cargo` | what is on its way: bodies, made from rows and from letters |
//! | `waiting` | the events that wait for their hour |
//! | `delivery` | one attempt |
//! | [`Shown`] | what operators see of an endpoint |
//!
//! The rows of `changes` are the queue, and each endpoint keeps its own position in it, so a slow one delays
//! nobody and a crash loses nothing. When what is tried again is decided in `deskbell_core::webhook`.

mod cargo;
mod delivery;
mod endpoint;
mod intake;
mod turn;
mod waiting;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::webhook::{Terms, Wants};
use deskbell_wire::webhook::Secret;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::hub::Hub;
use crate::outbound::Address;
use endpoint::{Ended, Endpoint};
use turn::Waited;

/// By what an endpoint is switched off that an operator switched off.
pub const OPERATOR: &str = "an operator switched it off";

/// Wishes that wait for one endpoint's task; it takes them one after the other.
const ASKS: usize = 16;

/// One endpoint as it is configured.
#[derive(Debug)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// The place of its app in the list of apps.
    pub app: usize,
    /// Where it is.
    pub address: Address,
    /// Its own secret; without it one follows from the app's.
    pub secret: Option<Secret>,
    /// The secret before that one, for as long as receivers may know only it.
    pub previous: Option<Secret>,
    /// What it gets.
    pub wants: Wants,
    /// How it is served.
    pub terms: Terms,
    /// Time for its answer.
    pub timeout: Duration,
}

impl Hook {
    /// The secrets that sign, the present one first.
    pub fn secrets(&self, app_secret: &str) -> Vec<Secret> {
        let own = self.secret.clone().unwrap_or_else(|| Secret::derived(app_secret, &self.name));
        [Some(own), self.previous.clone()].into_iter().flatten().collect()
    }
}

/// What operators see of an endpoint.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Shown {
    /// Rows of the ledger up to this one were looked at.
    pub position: u64,
    /// The ledger's last row.
    pub head: u64,
    /// Events that were looked at and have not arrived.
    pub open: usize,
    /// Events that wait for their hour, such as the end of somebody's quiet hours.
    pub later: u64,
    /// Attempts without an answer.
    pub going: usize,
    /// Dead letters.
    pub dead: u64,
    /// By what it is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off: Option<String>,
    /// What the last attempt met, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When something arrived last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<u64>,
}

/// A wish for an endpoint's task.
enum Ask {
    /// Switch it off, or on.
    Switch(Option<String>, oneshot::Sender<()>),
    /// Letters were marked to be tried again.
    Letters,
    /// Note how far it is, and end.
    Stop(oneshot::Sender<()>),
}

/// One endpoint, as the rest of the server knows it.
pub struct Handle {
    hook: Arc<Hook>,
    asks: mpsc::Sender<Ask>,
    seat: Mutex<Option<mpsc::Receiver<Ask>>>,
    shown: Arc<Mutex<Shown>>,
}

/// All endpoints.
#[derive(Debug, Default)]
pub struct Webhooks {
    handles: Vec<Handle>,
}

impl Webhooks {
    /// Takes the endpoints in. They do nothing before [`start`].
    pub fn new(hooks: Vec<Hook>) -> Self {
        let handle = |hook| {
            let (asks, seat) = mpsc::channel(ASKS);
            Handle { hook: Arc::new(hook), asks, seat: Mutex::new(Some(seat)), shown: Arc::default() }
        };
        Self { handles: hooks.into_iter().map(handle).collect() }
    }

    /// The endpoints of an app.
    pub fn of_app(&self, app: usize) -> impl Iterator<Item = &Handle> {
        self.handles.iter().filter(move |handle| handle.hook.app == app)
    }

    /// An endpoint of an app by its name.
    pub fn find(&self, app: usize, name: &str) -> Result<&Handle, Refusal> {
        let sentence = "there is no such webhook; GET /v1/webhooks lists those of the configuration";
        let found = self.of_app(app).find(|handle| handle.hook.name == name);
        found.ok_or_else(|| Refusal::new(Code::NotFound, sentence))
    }

    /// Lets every endpoint note how far it is. Nothing is sent after this.
    pub async fn stop(&self) {
        let mut ends = Vec::new();
        for handle in &self.handles {
            let (done, end) = oneshot::channel();
            if handle.asks.send(Ask::Stop(done)).await.is_ok() {
                ends.push(end);
            }
        }
        for end in ends {
            // A task that has failed noted what it could.
            let _ = end.await;
        }
    }
}

/// Starts the tasks of all endpoints. What happens from now on is for those that were never there before.
pub fn start(hub: &Arc<Hub>) {
    for handle in &hub.webhooks.handles {
        // A poisoned lock guards nothing but an option.
        let seat = handle.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(asks) = seat {
            let (hub, hook, shown) = (hub.clone(), handle.hook.clone(), handle.shown.clone());
            let since = *hub.apps[hook.app].rows.borrow();
            tokio::spawn(serve(hub, hook, shown, asks, since));
        }
    }
}

/// Serves an endpoint whenever it is this server's turn.
async fn serve(
    hub: Arc<Hub>,
    hook: Arc<Hook>,
    shown: Arc<Mutex<Shown>>,
    mut asks: mpsc::Receiver<Ask>,
    since: u64,
) {
    loop {
        let Waited::Ours(lease) = turn::wait(&hub, &hook, &shown, &mut asks).await else { return };
        let endpoint = Endpoint::open(hub.clone(), hook.clone(), shown.clone(), (lease, since)).await;
        match endpoint.run(&mut asks).await {
            Ended::Stopped => return,
            Ended::Lost => {
                tracing::info!(webhook = hook.name, "another server sends this webhook from now on");
            }
        }
    }
}

impl Handle {
    /// The endpoint as it is configured.
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    /// How it is.
    pub fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Switches it off with a reason, or on, and returns when that is safe.
    pub async fn switch(&self, off: Option<String>) -> Result<(), Refusal> {
        let (done, heard) = oneshot::channel();
        let ending = || Refusal::new(Code::Draining, "the server is stopping; try again in a moment");
        self.asks.send(Ask::Switch(off, done)).await.map_err(|_| ending())?;
        heard.await.map_err(|_| ending())
    }

    /// Letters were marked in the store to be tried again.
    pub async fn look_at_letters(&self) {
        // A task that is gone finds them at the next start.
        let _ = self.asks.send(Ask::Letters).await;
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({})", self.hook.name)
    }
}

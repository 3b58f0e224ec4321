//! Redis in: what backends PUBLISH there is published here.
//!
//! | part | what |
//! |---|---|
//! | [`Plan`] | which Redis, and which of its channels mean what, as configured |
//! | `follow` | the one task: connects, subscribes, comes back for ever |
//! | `link` | one connection: the handshake, and one answer after the other |
//! | `intake` | what becomes of a message |
//! | [`Shown`] | what operators see |
//!
//! Redis keeps nothing for a subscriber that is away, so the connection is missed for as short a time as can be:
//! a dead one is noticed by asking, a reload changes subscriptions on the live one, and a stop lets go of it last.
//! What comes faster than the log takes it is not read, so that it waits in the sockets and in Redis.

mod follow;
mod intake;
mod link;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deskbell_core::limits::{self, Millis};
use deskbell_wire::redis::Table;
use rustls_pki_types::ServerName;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::hub::Hub;
use crate::tls::client;
pub use link::Broken;

/// Which Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user to log in as; without one, Redis' own `default`.
    pub user: Option<String>,
    /// The password; without one nobody logs in.
    pub password: Option<Password>,
    /// Whether and how TLS is spoken.
    pub secure: Option<Secure>,
}

/// A password that no log line and no debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// TLS to a Redis.
#[derive(Clone)]
pub struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// The authorities that are trusted besides the system's, by which two are told apart.
    roots: Option<Vec<u8>>,
}

impl Secure {
    /// TLS to a host. `roots` is a PEM text with authorities to trust besides the system's.
    pub fn new(host: &str, roots: Option<Vec<u8>>) -> Result<Self, String> {
        let config = client::config(roots.as_deref()).map_err(|error| error.0)?;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("\"{host}\" is no name that a certificate can have"))?;
        Ok(Self { connector: TlsConnector::from(config), name, roots })
    }
}

impl PartialEq for Secure {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.roots) == (&other.name, &other.roots)
    }
}

impl Eq for Secure {}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure(..)")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Which Redis, and which of its channels mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where it is.
    pub place: Place,
    /// What its channels mean.
    pub table: Table,
    /// How many of the table's last rows nobody has named. Where Redis refuses those, the others are heard all the
    /// same.
    pub unnamed: usize,
}

/// What the task is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    /// Nothing: no Redis is set up.
    Rest,
    /// Follow this one.
    Follow(Arc<Plan>),
    /// End.
    Stop,
}

/// What operators see.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Shown {
    /// Whether everything that is subscribed to is heard now.
    pub connected: bool,
    /// Since when, or since when not.
    pub since: Millis,
    /// How often that began: what was published between two times is lost.
    pub connections: u64,
    /// Messages that came.
    pub received: u64,
    /// Those that were not published, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// What stands in the way, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The subscriber, as the rest of the server knows it.
#[derive(Debug)]
pub struct Redis {
    wish: watch::Sender<Wish>,
    shown: Mutex<Shown>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Redis {
    /// A subscriber for this plan, if there is one. It does nothing before [`start`].
    pub fn new(plan: Option<Plan>) -> Self {
        Self { wish: watch::Sender::new(wish(plan)), shown: Mutex::default(), task: Mutex::default() }
    }

    /// Takes another plan; the same one disturbs nothing.
    pub fn replace(&self, plan: Option<Plan>) {
        let next = wish(plan);
        self.wish.send_if_modified(|wish| {
            let changed = *wish != next;
            *wish = next;
            changed
        });
    }

    /// How it is; nothing, where no Redis is set up.
    pub fn shown(&self) -> Option<Shown> {
        let is_set_up = matches!(*self.wish.borrow(), Wish::Follow(_));
        is_set_up.then(|| self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Takes nothing more, and returns when the store has all that Redis has counted as delivered: it writes what
    /// waits before it ends.
    pub async fn stop(&self) {
        self.wish.send_replace(Wish::Stop);
        // A poisoned lock guards nothing but an option.
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && tokio::time::timeout(Duration::from_millis(limits::REDIS_ANSWER), task).await.is_err()
        {
            tracing::warn!("the store had no room in time for what came from Redis last; it is lost");
        }
    }

    fn note(&self, change: impl FnOnce(&mut Shown)) {
        // What is noted is whole between any two changes.
        change(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn wish(plan: Option<Plan>) -> Wish {
    plan.map_or(Wish::Rest, |plan| Wish::Follow(Arc::new(plan)))
}

/// Starts the task, also where no Redis is set up yet: a reload may do so.
pub fn start(hub: &Arc<Hub>) {
    let task = tokio::spawn(follow::run(hub.clone(), hub.redis.wish.subscribe()));
    *hub.redis.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
}

/// Connects once and subscribes to everything, for the doctor.
pub async fn probe(plan: &Plan) -> Result<(), Broken> {
    let time = Duration::from_millis(limits::REDIS_ANSWER);
    tokio::time::timeout(time, link::probe(plan)).await.unwrap_or(Err(Broken::TimedOut))
}

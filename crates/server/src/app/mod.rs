//! One tenant on this node: its keys, its log, its rules.

mod table;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use deskbell_core::access::{Action, Allowed, Identity, Rules};
use deskbell_core::cursor::{Cursor, CursorKey};
use deskbell_core::ids::{AppId, ChannelName};
use deskbell_core::limits::Millis;
use deskbell_core::projection::Table;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::selection::Selections;

use tokio::sync::{Notify, watch};

use crate::appointease;
use crate::identity::{Verdict, Verifier};
use crate::log::AppLog;
use crate::portico;
use crate::pusher::{Occupancy, Terms};
use crate::socketio;
use crate::store::{Members, Tenant};

pub use table::Apps;

/// An app that is open for business.
#[derive(Debug)]
pub struct App {
    /// Its place in the list of apps.
    pub index: usize,
    /// Its id.
    pub id: AppId,
    /// The key by which connections name it; public.
    pub key: String,
    /// The secret of its backend.
    pub secret: Secret,
    /// Its log.
    pub log: Arc<AppLog>,
    /// Seals its cursors.
    pub cursors: CursorKey,
    /// Who may do what.
    pub rules: ArcSwap<Rules>,
    /// Who is in which conversation.
    pub members: Members,
    /// What clients of a dialect are shown under their own names.
    pub projections: ArcSwap<Table>,
    /// The last row of its ledger, for whoever waits for the next one.
    pub rows: Arc<watch::Sender<u64>>,
    /// Checks its users' tokens.
    pub verifier: Verifier,
    /// Checks tokens as the site of Socket.IO clients signs them.
    pub site: Verifier,
    /// What it agrees to with clients of the Socket.IO dialect.
    pub socketio: ArcSwap<socketio::Terms>,
    /// In which words clients of that dialect are told of channels.
    pub words: socketio::Words,
    /// What it agrees to with clients and backends of the Pusher dialect.
    pub pusher: ArcSwap<Terms>,
    /// What it agrees to with pages of the Portico dialect.
    pub portico: ArcSwap<portico::Terms>,
    /// Where such pages stood that have gone.
    pub away: portico::Away,
    /// Pages of that dialect that are connected.
    pub pages: AtomicUsize,
    /// What it agrees to with pages of the AppointEase dialect, and what those do.
    pub appointease: appointease::Site,
    /// How many subscriptions its channels have.
    pub occupancy: Occupancy,
    /// Its connections of the Pusher dialect.
    pub connected: AtomicUsize,
    /// Who looks at which time.
    pub selections: Mutex<Selections>,
    /// As it is stored, if it was added while a server ran; the others stand in the configuration.
    pub tenant: ArcSwapOption<Tenant>,
    /// It was taken away.
    pub gone: AtomicBool,
    /// Told when that happens.
    pub left: Notify,
    /// Its connections of the Socket.IO dialect that poll.
    pub polling: Arc<AtomicUsize>,
    /// What its backends ask them.
    pub questions: socketio::Questions,
}

impl App {
    /// Was it not taken away?
    pub fn is_there(&self) -> bool {
        !self.gone.load(Ordering::Relaxed)
    }

    /// May this identity do this here?
    pub fn allows(
        &self,
        identity: &Identity,
        action: Action,
        channel: &ChannelName,
        now: Millis,
    ) -> Result<Allowed, Refusal> {
        let rules = self.rules.load();
        self.members.with(self.id, |members| rules.decide_with(members, identity, action, channel, now))
    }

    /// Decides about the token of a Socket.IO client: one of the usual kind, or one of its site's own.
    pub fn judge_site(&self, token: &str, now: Millis) -> Verdict {
        match (self.verifier.check(token, now), self.site.check(token, now)) {
            (Verdict::Unknown(_), known @ Verdict::Known(_)) => known,
            // Its signature holds there, so that its client hears what it can do something about.
            (Verdict::Unknown(_), Verdict::Unknown(late)) if late.code == Code::TokenExpired => {
                Verdict::Unknown(late)
            }
            (usual, _) => usual,
        }
    }

    /// Seals a position for a client.
    pub fn seal(&self, cursor: impl Into<Cursor>) -> String {
        self.cursors.seal(&cursor.into())
    }
}

/// A secret that no log line and no debug output shows, and that a reload may change.
pub struct Secret(ArcSwap<String>);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: &str) -> Self {
        Self(ArcSwap::from_pointee(text.to_owned()))
    }

    /// Takes another secret from now on.
    pub fn replace(&self, text: &str) {
        self.0.store(Arc::new(text.to_owned()));
    }

    /// The text, for making keys from it; never for showing it.
    pub fn expose(&self) -> Arc<String> {
        self.0.load_full()
    }

    /// Compares in constant time.
    pub fn is(&self, other: &str) -> bool {
        let tag = deskbell_core::mac::tag(b"compare", &[self.0.load().as_bytes()]);
        deskbell_core::mac::verify(b"compare", &[other.as_bytes()], &tag)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

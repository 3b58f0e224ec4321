//! The one door for users' tokens: decided in memory, without waiting.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deskbell_core::access::Identity;
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};

use super::claims;
use super::fetch::NotFetched;
use super::jwk::{self, Origin};
use super::jwks::Rounds;
use super::jwt::{Token, refuse};
use super::keys::{Algorithm, Key, KeySet, Secret};
use super::mint::{self, Order};
use super::settings::{BadSettings, Policy, Settings, Source};

/// What a token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It proves this identity.
    Known(Identity),
    /// It proves nothing.
    Unknown(Refusal),
    /// It names a key that may be in the key set by now: wait for [`Verifier::refreshed`] and check
    /// once more.
    NeedsKeys {
        /// The key it names.
        key_id: Option<String>,
        /// The answer if the key does not come.
        otherwise: Refusal,
    },
}

impl Verdict {
    /// The answer of somebody who does not wait (any more) for keys.
    pub fn settled(self) -> Result<Identity, Refusal> {
        match self {
            Self::Known(identity) => Ok(identity),
            Self::Unknown(refusal) | Self::NeedsKeys { otherwise: refusal, .. } => Err(refusal),
        }
    }
}

/// What the last fetch of a key set brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetched {
    NotYet,
    Came,
    Failed,
}

#[derive(Debug, Clone)]
struct Current {
    policy: Policy,
    signer: Option<Secret>,
    own: KeySet,
    source: Option<Arc<Source>>,
    fetched: KeySet,
    last_fetch: Fetched,
}

/// Verifies tokens against keys that may change at any time.
///
/// ```
/// use deskbell_core::ids::UserId;
/// use deskbell_server::identity::{keys::Secret, mint::Order, Settings, Verdict, Verifier};
/// let secret = Secret::new(b"a secret that is long enough to be one").unwrap();
/// let verifier = Verifier::new(Settings { secrets: vec![secret], ..Settings::default() }).unwrap();
/// let order = Order::for_user(UserId::parse("ann").unwrap(), 60_000);
/// let token = verifier.mint(&order, 1_000_000).unwrap();
/// let Verdict::Known(ann) = verifier.check(&token, 1_000_000) else { panic!() };
/// assert_eq!(ann.user_id(), Some("ann"));
/// ```
#[derive(Debug)]
pub struct Verifier {
    current: ArcSwap<Current>,
    rounds: Rounds,
}

impl Verifier {
    /// A verifier with these settings. Where they name a source, somebody must drive [`Self::run`].
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let current = Current::new(settings)?;
        Ok(Self { current: ArcSwap::from_pointee(current), rounds: Rounds::default() })
    }

    /// Takes other settings from now on. Keys that were fetched from the same address stay until
    /// the next fetch. If the settings cannot be used, nothing changes.
    pub fn replace(&self, settings: Settings) -> Result<(), BadSettings> {
        let new = Current::new(settings)?;
        let before = self.current.rcu(|old| {
            let mut new = new.clone();
            if old.has_endpoint_of(&new) {
                new.fetched = old.fetched.clone();
                new.last_fetch = old.last_fetch;
            }
            new
        });
        let is_same = before.has_endpoint_of(&new)
            && before.source.as_ref().map(|s| s.pace) == new.source.as_ref().map(|s| s.pace);
        if !is_same {
            self.rounds.source_changed();
        }
        Ok(())
    }

    /// What an operator should know about the settings: each a sentence.
    pub fn warnings(&self) -> Vec<String> {
        let current = self.current.load();
        let mut warnings = Vec::new();
        if current.signer.as_ref().is_some_and(|secret| !secret.is_strong()) {
            warnings.push(
                "the secret of HS256 tokens is shorter than 32 bytes and can be guessed from any token; \
                 make one with: openssl rand -base64 48"
                    .to_owned(),
            );
        }
        if current.own.is_empty() && current.source.is_none() {
            warnings.push("no key for tokens is configured, so that every token is refused".to_owned());
        }
        warnings
    }

    /// Decides about a token with what is in memory.
    pub fn check(&self, token: &str, now: Millis) -> Verdict {
        let current = self.current.load();
        let token = match Token::parse(token, &current.policy.algorithms) {
            Ok(token) => token,
            Err(refusal) => return Verdict::Unknown(refusal),
        };
        if token.is_signed_by(&current.own) || token.is_signed_by(&current.fetched) {
            return match claims::identity(&current.policy, &token.claims, now) {
                Ok(identity) => Verdict::Known(identity),
                Err(refusal) => Verdict::Unknown(refusal),
            };
        }
        current.unproven(&token, now)
    }

    /// Decides about a token, and waits for keys once if it needs them. `now` is read again after
    /// the wait.
    pub async fn check_and_wait(&self, token: &str, now: impl Fn() -> Millis) -> Result<Identity, Refusal> {
        match self.check(token, now()) {
            Verdict::NeedsKeys { key_id, .. } => {
                self.refreshed(key_id.as_deref()).await;
                self.check(token, now()).settled()
            }
            verdict => verdict.settled(),
        }
    }

    /// Waits until this key is known or the key set was fetched once more; for a token without a
    /// key id, until it was fetched. Bounded by the gap between fetches and the time of one.
    pub async fn refreshed(&self, key_id: Option<&str>) {
        let pace = {
            let current = self.current.load();
            let Some(source) = &current.source else { return };
            let came = match key_id {
                Some(id) => current.fetched.knows(id),
                None => current.last_fetch == Fetched::Came,
            };
            if came {
                return;
            }
            source.pace
        };
        self.rounds.next(pace).await;
    }

    /// Fetches the key set, on schedule and on demand, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            let Some(source) = self.current.load().source.clone() else {
                self.rounds.until_changed().await;
                continue;
            };
            let mut came = false;
            let install = |result| came = self.install(&source, result);
            self.rounds.fetch(&source, install).await;
            tokio::select! {
                () = self.rounds.until_due(source.pace, came) => {}
                () = self.rounds.until_changed() => {}
            }
        }
    }

    /// Signs a token that this verifier takes.
    pub fn mint(&self, order: &Order, now: Millis) -> Result<String, Refusal> {
        let current = self.current.load();
        let taken = current.policy.algorithms.contains(&Algorithm::Hs256);
        let Some(secret) = current.signer.as_ref().filter(|_| taken) else {
            return Err(Refusal::new(
                Code::Denied,
                "tokens are signed elsewhere: no shared secret is configured here, or HS256 is not taken",
            ));
        };
        mint::mint(&current.policy, secret, order, now)
    }

    fn install(&self, source: &Arc<Source>, result: Result<KeySet, NotFetched>) -> bool {
        let (name, came) = (source.endpoint.name(), result.is_ok());
        let before = self.current.rcu(|old| {
            let mut new = Current::clone(old);
            let is_current = old.source.as_ref().is_some_and(|now| now.endpoint == source.endpoint);
            match &result {
                Ok(keys) if is_current => {
                    new.fetched = keys.clone();
                    new.last_fetch = Fetched::Came;
                }
                Err(_) if is_current => new.last_fetch = Fetched::Failed,
                _ => {}
            }
            new
        });
        let failed_before = before.last_fetch == Fetched::Failed;
        match result {
            Ok(keys) if failed_before => tracing::info!(from = name, keys = keys.len(), "keys came again"),
            Ok(keys) => tracing::debug!(from = name, keys = keys.len(), "keys came"),
            Err(error) if failed_before => tracing::debug!(from = name, %error, "still no keys"),
            Err(error) => tracing::warn!(
                from = name, %error, kept = before.fetched.len(),
                "the key set did not come; the keys fetched before stay in use, and it is tried again"
            ),
        }
        came
    }
}

impl Current {
    fn new(settings: Settings) -> Result<Self, BadSettings> {
        if settings.policy.algorithms.is_empty() {
            return Err(BadSettings::new("no algorithm of tokens is taken; allow at least one"));
        }
        let mut own = match &settings.key_set {
            Some(json) => jwk::parse(json, Origin::Own)?,
            None => KeySet::default(),
        };
        for secret in &settings.secrets {
            own.push(Key::shared(None, secret.clone()))?;
        }
        for pem in &settings.public_keys {
            own.push_pem(pem)?;
        }
        Ok(Self {
            policy: settings.policy,
            signer: settings.secrets.into_iter().next(),
            own,
            source: settings.source.map(Arc::new),
            fetched: KeySet::default(),
            last_fetch: Fetched::NotYet,
        })
    }

    fn has_endpoint_of(&self, other: &Self) -> bool {
        self.source.as_ref().map(|s| &s.endpoint) == other.source.as_ref().map(|s| &s.endpoint)
    }

    /// No key here verifies the token: is it forged, or is its key still to come?
    fn unproven(&self, token: &Token<'_>, now: Millis) -> Verdict {
        let key_id = token.key_id.clone();
        let may_come = match &key_id {
            Some(id) => !self.own.knows(id) && !self.fetched.knows(id),
            None => self.last_fetch != Fetched::Came,
        };
        // Nobody can fetch a shared secret, and a key for a token that is over anyway is not
        // worth a fetch.
        if self.source.is_none() || !may_come || token.algorithm == Algorithm::Hs256 {
            return Verdict::Unknown(refuse(
                "no key here verifies the token; sign it with the key that the server knows, and send it \
                 unchanged",
            ));
        }
        if let Err(refusal) = claims::times(&self.policy, &token.claims, now) {
            return Verdict::Unknown(refusal);
        }
        let otherwise = if self.last_fetch == Fetched::Came {
            refuse("the token's key is not in the key set; sign it with a key that is published there")
        } else {
            Refusal::new(Code::Unavailable, "the keys of tokens cannot be fetched now; try again in a moment")
        };
        Verdict::NeedsKeys { key_id, otherwise }
    }
}

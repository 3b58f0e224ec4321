//! What the operator decides about tokens.

use std::fmt;
use std::time::Duration;

use deskbell_core::limits::{self, Millis};

use super::fetch::Endpoint;
use super::keys::{Algorithm, Secret};

/// Why settings cannot be used: a sentence that says what to change. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSettings(pub String);

impl BadSettings {
    pub(crate) fn new(sentence: &str) -> Self {
        Self(sentence.to_owned())
    }
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadSettings {}

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Signatures that are taken.
    pub algorithms: Vec<Algorithm>,
    /// The issuers that are taken; none: any.
    pub issuers: Vec<String>,
    /// The audiences of which a token must name one; none: any.
    pub audiences: Vec<String>,
    /// How far clocks may differ, and how long after `exp` a live connection stays open.
    pub leeway: Millis,
    /// Must a token end?
    pub require_expiry: bool,
    /// The claim that is the user's id: a name, or a path with dots.
    pub user_claim: String,
    /// Others that count, in this order, where a token has not that one.
    pub other_user_claims: Vec<String>,
    /// The claim with the roles: a name, or a path with dots (`realm_access.roles`).
    pub roles_claim: String,
    /// Others that count, in this order, where a token has not that one.
    pub other_roles_claims: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            algorithms: Algorithm::ALL.to_vec(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: limits::TOKEN_GRACE,
            require_expiry: true,
            user_claim: "sub".to_owned(),
            other_user_claims: Vec::new(),
            roles_claim: "roles".to_owned(),
            other_roles_claims: Vec::new(),
        }
    }
}

/// When a key set is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two fetches on schedule.
    pub every: Duration,
    /// The least time between any two fetches.
    pub gap: Duration,
    /// Time until a failed fetch is tried again.
    pub retry: Duration,
    /// Time for one fetch.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(10 * limits::MINUTE),
            gap: Duration::from_millis(limits::KEY_FETCH_GAP),
            retry: Duration::from_millis(limits::KEY_FETCH_RETRY),
            timeout: Duration::from_millis(limits::KEY_FETCH_TIME),
        }
    }
}

/// Where keys are fetched, and when.
#[derive(Debug, Clone)]
pub struct Source {
    /// The key set's address.
    pub endpoint: Endpoint,
    /// How often.
    pub pace: Pace,
}

/// Everything that proves users' tokens of one app.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What a token must say.
    pub policy: Policy,
    /// Shared secrets of HS256; the first one also signs the tokens made here.
    pub secrets: Vec<Secret>,
    /// PEM texts with public keys.
    pub public_keys: Vec<Vec<u8>>,
    /// A key set of the operator's own, as JSON.
    pub key_set: Option<Vec<u8>>,
    /// A key set that is fetched.
    pub source: Option<Source>,
}

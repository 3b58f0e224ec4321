//! The part of the settings that is about other people's servers: webhooks, calendars, Redis.

use std::path::PathBuf;

use super::error::Secret;

/// A server that is told what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The app; `None`: the first.
    pub app: Option<u64>,
    /// What signs; `None`: it follows from the app's secret.
    pub secret: Option<Secret>,
    /// The secret before that one.
    pub previous_secret: Option<Secret>,
    /// Patterns of channels.
    pub channels: Vec<String>,
    /// Patterns of names of events.
    pub events: Vec<String>,
    /// Time for an answer.
    pub timeout_ms: u64,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Time before the second attempt.
    pub first_wait_ms: u64,
    /// Time between two attempts at most.
    pub longest_wait_ms: u64,
    /// Time from the first attempt to the last.
    pub patience_ms: u64,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// A calendar that blocks a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarSettings {
    /// The resource's id, not yet checked.
    pub resource: String,
    /// Its address.
    pub url: String,
    /// Its name among the calendars of the resource.
    pub source: String,
    /// The app; `None`: the first.
    pub app: Option<u64>,
    /// How often it is fetched.
    pub every_ms: u64,
    /// Time for an answer.
    pub timeout_ms: u64,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// A Redis through which backends publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSettings {
    /// Where it is; `None`: there is none.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// The user to log in as.
    pub user: Option<String>,
    /// The password; `None`: nobody logs in.
    pub password: Option<Secret>,
    /// Whether to speak TLS.
    pub tls: bool,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
    /// Which of its channels mean what; the first that fits decides.
    pub channels: Vec<RedisChannel>,
}

/// What channels of Redis mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisChannel {
    /// A name, or how names begin with a `*` behind it.
    pub pattern: String,
    /// What is written there.
    pub kind: String,
    /// The app that is fed; `None`: the first.
    pub app: Option<u64>,
}

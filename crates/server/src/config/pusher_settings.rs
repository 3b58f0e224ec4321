//! The part of the settings that is about the Pusher dialect.

use std::path::PathBuf;

/// The Pusher dialect, for all apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PusherSettings {
    /// Clients and backends are served.
    pub enabled: bool,
    /// Time without a message until somebody asks.
    pub activity_ms: u64,
    /// Time for the answer.
    pub pong_ms: u64,
    /// Patterns of channels without a guard that are open.
    pub public: Vec<String>,
    /// Clients may speak to each other.
    pub client_events: bool,
    /// How often in a second.
    pub client_event_rate: u32,
    /// Clients are told how many subscriptions there are.
    pub subscription_count: bool,
    /// Members of a presence channel.
    pub members: usize,
    /// Bytes of an event's data.
    pub data: usize,
    /// Channels of one event.
    pub channels: usize,
    /// Events of one batch.
    pub batch: usize,
    /// Signatures without a key are taken.
    pub bare_signatures: bool,
    /// The apps' own authorisation endpoint.
    pub auth_url: Option<String>,
}

/// A server that is told what happens in channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PusherWebhookSettings {
    /// Its address.
    pub url: String,
    /// The app; `None`: the first.
    pub app: Option<u64>,
    /// The kinds it wants.
    pub events: Vec<String>,
    /// Patterns of the channels of which it wants them.
    pub channels: Vec<String>,
    /// Events of one request at most.
    pub batch: usize,
    /// Time for an answer.
    pub timeout_ms: u64,
    /// Time from the first attempt to the last one.
    pub patience_ms: u64,
    /// Time to come back after a start.
    pub returns_ms: u64,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// What one app has otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnPusherSettings {
    /// Clients and backends are served.
    pub enabled: Option<bool>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Clients may speak to each other.
    pub client_events: Option<bool>,
    /// How often in a second.
    pub client_event_rate: Option<u32>,
    /// Clients are told how many subscriptions there are.
    pub subscription_count: Option<bool>,
    /// Members of a presence channel.
    pub members: Option<usize>,
    /// Bytes of an event's data.
    pub data: Option<usize>,
    /// Channels of one event.
    pub channels: Option<usize>,
    /// Events of one batch.
    pub batch: Option<usize>,
    /// Signatures without a key are taken.
    pub bare_signatures: Option<bool>,
    /// The app's own authorisation endpoint.
    pub auth_url: Option<String>,
}

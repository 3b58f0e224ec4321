//! The configuration as it is used: typed, resolved and checked. Each part of the server gets its own struct
//! by value and never asks for a key.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::appointease::AppointEaseSettings;
use super::error::{ConfigErrors, Secret};
use super::outward_settings::{CalendarSettings, RedisSettings, WebhookSettings};
use super::portico_settings::PorticoSettings;
use super::pusher_settings::{OwnPusherSettings, PusherSettings, PusherWebhookSettings};
use super::socketio_backend::{AdminSettings, HandlerSettings, MarketplaceSettings};
use super::socketio_settings::SocketIoSettings;
use super::sources::{SetFlag, Sources, Values};
use super::{build, rules};

/// The file in the data directory that holds the ledger, the durable channels and what a drain leaves.
pub const DATA_FILE: &str = "deskbell.db";
/// The file in the data directory that holds what was made at the first start.
pub const CREDENTIALS_FILE: &str = "credentials.toml";

/// Everything the server was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// The directory for everything that is written.
    pub data_dir: PathBuf,
    /// The URL of the database that keeps the ledger; `None`: a file in the data directory.
    pub ledger: Option<Secret>,
    /// The URL of an application's database that events are taken from.
    pub outbox: Option<Secret>,
    /// Threads that serve connections, at least 1.
    pub shards: usize,
    /// Development mode.
    pub dev: bool,
    /// Whether development mode is allowed beyond loopback.
    pub dev_force: bool,
    /// How long a stop takes at most.
    pub drain_ms: u64,
    /// How often a silent connection is asked.
    pub heartbeat_ms: u64,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The log of the process.
    pub log: LogSettings,
    /// Certificates.
    pub tls: TlsSettings,
    /// The apps; at least one. Only in a first one alone can parts be absent: they are made at first start.
    pub apps: Vec<AppSettings>,
    /// User tokens.
    pub auth: AuthSettings,
    /// Channel classes; the first that fits decides.
    pub channels: Vec<ChannelRule>,
    /// Access rules as text, for `core::access`.
    pub access: Vec<AccessRuleText>,
    /// Servers that are told what happened.
    pub webhooks: Vec<WebhookSettings>,
    /// Calendars that block resources.
    pub calendars: Vec<CalendarSettings>,
    /// The Redis through which backends publish.
    pub redis: RedisSettings,
    /// What clients of a dialect are shown under their own names, beside what is built in.
    pub projections: Vec<deskbell_core::projection::Text>,
    /// Web origins that may call the HTTP API; `*` is any.
    pub cors_origins: Vec<String>,
    /// WebSockets.
    pub websocket: WebSocketSettings,
    /// Sessions and presence.
    pub session: SessionSettings,
    /// Holds whose holder has gone.
    pub holds: HoldSettings,
    /// What channels without a rule of their own keep.
    pub history: HistorySettings,
    /// Everything under `limit`.
    pub limits: LimitSettings,
    /// The Pusher dialect.
    pub pusher: PusherSettings,
    /// The Socket.IO dialect.
    pub socketio: SocketIoSettings,
    /// The Portico dialect.
    pub portico: PorticoSettings,
    /// Servers that are told what happens in channels, as Pusher tells.
    pub pusher_webhooks: Vec<PusherWebhookSettings>,
    /// Backends that handle events of Socket.IO clients.
    pub handlers: Vec<HandlerSettings>,
    /// What whoever may add apps and take them away shows.
    pub operator_secret: Option<Secret>,
    /// The admin UI of Socket.IO.
    pub admin: Option<AdminSettings>,
    /// The marketplace's route.
    pub marketplace: MarketplaceSettings,
    /// The AppointEase dialect.
    pub appointease: AppointEaseSettings,
    /// The metrics page.
    pub metrics: MetricsSettings,
    /// What is doubtful but stops nothing; to be logged at the start.
    pub warnings: Vec<String>,
    pub(super) sources: Sources,
    pub(super) values: Values,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its address.
    pub addr: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The app of connections that name no key; `None`: the first.
    pub app: Option<u64>,
    /// Whose `/` is where nothing else tells: the dialect that a page there speaks.
    pub root: deskbell_wire::plain::Plain,
}

/// The log of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How much is written.
    pub volume: Volume,
    /// Whether lines are JSON objects.
    pub json: bool,
    /// Whether anything is logged.
    pub enabled: bool,
    /// The file; `None`: standard error.
    pub file: Option<PathBuf>,
    /// With a file: warnings and worse go to standard error as well.
    pub warnings_to_stderr: bool,
}

/// How much of the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volume {
    /// This level and what is worse: error, warn, info, debug or trace.
    Level(String),
    /// Everything of our own that helps to find a fault.
    Debug,
    /// Warnings and worse, and what says that the server is there.
    Quiet,
}

/// Certificates: own files, an authority, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSettings {
    /// No TLS.
    Off,
    /// Own files, both PEM.
    Files {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Certificates from an authority.
    Acme(AcmeSettings),
}

/// How to get certificates from an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// Host names.
    pub domains: Vec<String>,
    /// An e-mail address.
    pub contact: Option<String>,
    /// The authority's directory.
    pub directory: String,
    /// Where certificates are kept.
    pub cache: PathBuf,
    /// The root of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// One tenant, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSettings {
    /// Its id.
    pub id: Option<u64>,
    /// Its public key.
    pub key: Option<String>,
    /// Its secret.
    pub secret: Option<Secret>,
    /// A name for people.
    pub name: String,
    /// Its own web origins.
    pub origins: Vec<String>,
    /// What it has otherwise than all apps in the Pusher dialect.
    pub pusher: OwnPusherSettings,
}

/// How users' tokens are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSettings {
    /// The secret of HS256 tokens, beside the apps' own.
    pub jwt_secret: Option<Secret>,
    /// A second one.
    pub other_jwt_secret: Option<Secret>,
    /// HS256, RS256, ES256, EdDSA: those taken.
    pub jwt_algorithms: Vec<String>,
    /// A PEM file with a public key.
    pub jwt_public_key: Option<PathBuf>,
    /// Where keys are fetched.
    pub jwks_url: Option<String>,
    /// How often.
    pub jwks_refresh_ms: u64,
    /// The `iss` that must be there.
    pub issuer: Option<String>,
    /// The `aud` that must be there.
    pub audience: Option<String>,
    /// How far clocks may differ.
    pub leeway_ms: u64,
    /// The cookie with the token.
    pub cookie: Option<String>,
    /// The claim that is the user's id.
    pub user_claim: String,
    /// The claim with the roles.
    pub roles_claim: String,
}

/// What kind of channel a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRule {
    /// A name in which `*` stands for any run of characters.
    pub pattern: String,
    /// The class.
    pub class: ChannelClass,
    /// Whether events are on disk.
    pub durable: bool,
    /// Events kept.
    pub history_count: u64,
    /// Bytes kept.
    pub history_bytes: u64,
    /// How long events are kept.
    pub history_age_ms: u64,
    /// Whether the channel knows its members.
    pub presence: bool,
}

/// The class of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelClass {
    /// History, replayed in order.
    Stream,
    /// Only the newest value of each key is owed.
    Latest,
    /// For those who are there now.
    Ephemeral,
}

/// An access rule, its words checked and not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRuleText {
    /// A name in which `*` and `{name}` stand for any run of characters, `{user}` for the user's id.
    pub pattern: String,
    /// subscribe, publish, presence, hold, confirm, manage.
    pub allow: Vec<String>,
    /// everyone, user or `role:NAME`.
    pub to: String,
}

/// WebSockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// Web origins that may open one; empty: the same host, `cors_origins`, and clients without `Origin`.
    pub origins: Vec<String>,
    /// Whether compression is offered.
    pub compression: bool,
    /// Whether `/echo` is there, for conformance suites.
    pub echo: bool,
}

/// Sessions and presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a session waits for its tab.
    pub resume_window_ms: u64,
    /// How long a lost member still counts as here.
    pub presence_grace_ms: u64,
}

/// Holds whose holder has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldSettings {
    /// How long the holder has to come back.
    pub grace_ms: u64,
    /// They stay until they expire.
    pub keep: bool,
}

/// What a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// Events in memory.
    pub count: u64,
    /// Bytes in memory.
    pub bytes: u64,
    /// How long in memory.
    pub age_ms: u64,
    /// How long on disk.
    pub durable_age_ms: u64,
}

/// The bounds of a client. 0 is "off" where the table allows 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Largest frame, bytes.
    pub frame: usize,
    /// Largest HTTP body, bytes.
    pub body: usize,
    /// Largest HTTP head, bytes.
    pub header: usize,
    /// Frames per second of a connection; 0 = off.
    pub rate: u64,
    /// Frames a connection may send at once.
    pub burst: u64,
    /// Frames per second of an address; 0 = off.
    pub rate_per_address: u64,
    /// Frames per second of a user; 0 = off.
    pub rate_per_identity: u64,
    /// Channels of a connection.
    pub subscriptions: usize,
    /// Connections in all; 0 = off.
    pub connections: usize,
    /// Connections of an address; 0 = off.
    pub connections_per_address: usize,
    /// New connections per second of an address; 0 = off.
    pub connect_rate_per_address: u64,
    /// Parked sessions in all.
    pub parked_sessions: usize,
    /// Parked sessions of an address.
    pub parked_sessions_per_address: usize,
    /// Bytes that wait for a connection.
    pub backlog: usize,
    /// Longest wait of a poll.
    pub poll_wait_ms: u64,
    /// Life of an event stream, before its spread.
    pub sse_rotation_ms: u64,
    /// Time for the head of a request.
    pub header_time_ms: u64,
    /// Time after which a dead connection is closed.
    pub idle_ms: u64,
    /// Time in which a slow reader must take something.
    pub stalled_ms: u64,
}

/// The metrics page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Whether it exists.
    pub enabled: bool,
    /// Whether it needs no secret.
    pub public: bool,
}

impl Settings {
    /// Reads every source, and gives the settings or everything that is wrong with them.
    pub fn load(sources: Sources) -> Result<Settings, ConfigErrors> {
        let mut errors = Vec::new();
        let values = sources.read(&mut errors);
        // With a value that could not be read, rules between values would complain about its default.
        if errors.is_empty() {
            rules::check(&values, &mut errors);
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        let mut settings = build::settings(sources, values);
        settings.warnings = rules::warnings(&settings);
        Ok(settings)
    }

    /// Reads the same sources again, for SIGHUP. The environment and the flags of a process do not change.
    pub fn reread(&self) -> Result<Settings, ConfigErrors> {
        Settings::load(self.sources.clone())
    }

    /// The settings of these options alone, without file and environment: for tests and tools.
    pub fn of_pairs(pairs: &[(&str, &str)]) -> Result<Settings, ConfigErrors> {
        let set = |(key, words): &(&str, &str)| SetFlag {
            key: (*key).to_owned(),
            words: (*words).to_owned(),
            flag: "--set".to_owned(),
        };
        Settings::load(Sources { flags: pairs.iter().map(set).collect(), ..Sources::default() })
    }

    /// The value of every option and where it came from.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The file with the ledger and the durable channels.
    pub fn data_file(&self) -> PathBuf {
        self.data_dir.join(DATA_FILE)
    }

    /// The file with what was made at the first start.
    pub fn credentials_file(&self) -> PathBuf {
        self.data_dir.join(CREDENTIALS_FILE)
    }
}

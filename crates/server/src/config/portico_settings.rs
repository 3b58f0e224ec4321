//! The part of the settings that is about the Portico dialect.

use std::path::PathBuf;

use super::error::Secret;

/// The Portico dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PorticoSettings {
    /// Pages are served.
    pub enabled: bool,
    /// The app that Redis feeds; `None`: the first.
    pub app: Option<u64>,
    /// Pages may talk to each other.
    pub relays: bool,
    /// The clock on which times are written.
    pub time_zone: String,
    /// Time between two `server_ping`.
    pub server_ping_ms: u64,
    /// Time between two `room_ping`.
    pub room_ping_ms: u64,
    /// Silence after which a page leaves rooms.
    pub silence_ms: u64,
    /// Its channels of Redis are heard.
    pub redis: bool,
    /// The spool, if one is read.
    pub spool: Option<SpoolSettings>,
    /// Where applications come from.
    pub applications: ApplicationsFrom,
    /// Time for an answer from there.
    pub applications_timeout_ms: u64,
}

/// The folder from which files are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Where it is.
    pub folder: PathBuf,
    /// Names or numbers of users whose files are trusted.
    pub owners: Vec<String>,
    /// Time between two looks at everything in it.
    pub scan_ms: u64,
}

/// Where a session's applications that are not finished come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationsFrom {
    /// The ledger's holds.
    Ledger,
    /// A database.
    Postgres {
        /// Its URL.
        url: Secret,
        /// The query.
        query: String,
    },
    /// The site.
    Callback {
        /// Its address.
        url: String,
        /// What signs.
        secret: Option<Secret>,
    },
}

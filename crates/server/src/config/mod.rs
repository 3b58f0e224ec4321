//! The configuration: one table of options, read from flags, environment and file, checked, and given to each
//! part of the server as a struct of its own. No other module reads a file, a variable or a flag for itself.

mod build;
mod error;
mod forms;
mod limit_table;
mod options;
mod outward_table;
pub mod pages;
mod pusher_table;
mod raw;
mod read;
mod reload;
mod rules;
mod settings;
mod sources;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use error::{ConfigError, ConfigErrors, Secret, Source};
pub use options::{Group, Kind, Opt, all, find};
pub use reload::Difference;
pub use settings::{
    AccessRuleText, AcmeSettings, AppSettings, AuthSettings, CREDENTIALS_FILE, CalendarSettings,
    ChannelClass, ChannelRule, DATA_FILE, HistorySettings, LimitSettings, Listen, LogSettings,
    MetricsSettings, OwnPusherSettings, PusherSettings, PusherWebhookSettings, RedisChannel, RedisSettings,
    SessionSettings, Settings, TlsSettings, WebSocketSettings, WebhookSettings,
};
pub use sources::{SetFlag, Sources};
pub use value::{MASK, parse_time};

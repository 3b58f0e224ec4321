//! The configuration: one table of options, read from flags, environment and file, checked, and given to each
//! part of the server as a struct of its own. No other module reads a file, a variable or a flag for itself.

mod appointease;
mod build;
mod channel_table;
mod dialects;
mod error;
mod forms;
mod limit_table;
mod operator_table;
mod options;
mod outward_settings;
mod outward_table;
pub mod pages;
mod portico_settings;
mod portico_table;
mod pusher_settings;
mod pusher_table;
mod raw;
mod read;
mod reload;
mod rules;
mod settings;
mod socketio_backend;
mod socketio_settings;
mod socketio_table;
mod sources;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use appointease::AppointEaseSettings;
pub use error::{ConfigError, ConfigErrors, Secret, Source};
pub use options::{Group, Kind, Opt, all, find};
pub use outward_settings::{CalendarSettings, RedisChannel, RedisSettings, WebhookSettings};
pub use portico_settings::{ApplicationsFrom, PorticoSettings, SpoolSettings};
pub use pusher_settings::{OwnPusherSettings, PusherSettings, PusherWebhookSettings};
pub use reload::Difference;
pub use settings::{
    AccessRuleText, AcmeSettings, AppSettings, AuthSettings, CREDENTIALS_FILE, ChannelClass, ChannelRule,
    DATA_FILE, HistorySettings, LimitSettings, Listen, LogSettings, MetricsSettings, SessionSettings,
    Settings, TlsSettings, Volume, WebSocketSettings,
};
pub use socketio_backend::{AdminSettings, HandlerSettings, MarketplaceSettings};
pub use socketio_settings::SocketIoSettings;
pub use sources::{SetFlag, Sources};
pub use value::{MASK, parse_time};

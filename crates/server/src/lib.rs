//! Everything of Deskbell that waits, fails or reads the clock.
//!
//! The control plane (HTTP, storage, keys) is ordinary tokio and never fans out. The data plane is
//! one [`shard`] per core: a thread with its own event loop, which alone owns its clients.

pub mod admin;
pub mod app;
pub mod appointease;
pub mod attendance;
pub mod bell;
pub mod bench;
pub mod calendars;
pub mod cli;
pub mod clock;
pub mod config;
pub mod door;
pub mod handlers;
pub mod http;
pub mod hub;
pub mod identity;
pub mod ledger;
pub mod limiter;
pub mod log;
pub mod logging;
pub mod mariadb;
pub mod metrics;
pub mod open_files;
pub mod outbound;
pub mod outbox;
pub mod portico;
pub mod post;
pub mod pusher;
pub mod redis;
pub mod run;
pub mod selections;
pub mod shard;
pub mod socketio;
pub mod store;
mod tenants;
pub mod tls;
pub mod webhooks;

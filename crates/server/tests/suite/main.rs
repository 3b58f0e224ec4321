//! The whole server from outside: the real binary, real sockets, one test program.

// Everything here is test code: a broken step is a failed test, and deadlines need the clock.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod harness;

mod appointease;
mod bad_http;
mod bad_input;
mod calendars;
mod crash;
mod deploy;
mod drain;
mod durable;
mod first_steps;
mod herd;
mod http_api;
mod identity;
mod key_sets;
mod ledger;
mod ledger_crash;
mod limits;
mod marketplace;
mod matrix;
mod options;
mod origin;
mod outbox;
mod outside;
mod portico;
mod post;
mod presence;
mod promises;
mod proxies;
mod pusher;
mod races;
mod redis;
mod reload;
mod sessions;
mod shared;
mod slow;
mod socketio;
mod tls;
mod transcripts;
mod webhooks;

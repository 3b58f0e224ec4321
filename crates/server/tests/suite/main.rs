//! The whole server from outside: the real binary, real sockets, one test program.

mod harness;

mod bad_input;
mod crash;
mod drain;
mod first_steps;
mod herd;
mod http_api;
mod identity;
mod limits;
mod options;
mod origin;
mod outside;
mod promises;
mod proxies;
mod races;
mod reload;
mod sessions;
mod slow;
mod tls;
mod transcripts;

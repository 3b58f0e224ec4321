//! The whole server from outside: the real binary, real sockets, one test program.

mod harness;

mod bad_input;
mod crash;
mod drain;
mod first_steps;
mod herd;
mod http_api;
mod identity;
mod races;
mod sessions;
mod transcripts;

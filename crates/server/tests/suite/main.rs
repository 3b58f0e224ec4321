//! The whole server from outside: the real binary, real sockets, one test program.

mod harness;

mod bad_input;
mod crash;
mod drain;
mod durable;
mod first_steps;
mod herd;
mod identity;
mod key_sets;
mod matrix;
mod presence;
mod races;
mod sessions;
mod transcripts;

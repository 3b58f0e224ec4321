//! The whole server from outside: the real binary, real sockets, one test program.

mod harness;

mod bad_input;
mod durable;
mod first_steps;
mod identity;
mod matrix;
mod presence;
mod races;
mod sessions;

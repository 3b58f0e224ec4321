//! The whole server from outside: the real binary, real sockets, one test program.

mod harness;

mod bad_input;
mod first_steps;
mod limits;

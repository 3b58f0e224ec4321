//! The server of Deskbell: everything that waits, fails or reads the clock.

pub mod cli;
pub mod config;
pub mod run;

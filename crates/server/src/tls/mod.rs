//! Encrypted connections.

pub mod client;
pub mod der;

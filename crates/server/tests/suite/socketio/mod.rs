//! The Socket.IO dialect.

mod basics;
mod client;
mod identity;
mod marketplace;
mod polling;
mod recovery;
mod traps;

use client::{Client, Got, Poller};

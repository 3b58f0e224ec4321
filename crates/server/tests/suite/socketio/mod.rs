//! The Socket.IO dialect.

mod basics;
mod client;
mod echo;
mod identity;
mod marketplace;
mod polling;
mod recovery;
mod site;
mod traps;

use client::{Client, Got, Poller};

//! The Socket.IO dialect.

mod ask;
mod basics;
mod client;
mod echo;
mod handlers;
mod identity;
mod marketplace;
mod own_room;
mod parts;
mod polling;
mod recovery;
mod site;
mod traps;

pub use client::{Client, Got, Poller};

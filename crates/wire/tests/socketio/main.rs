//! Engine.IO and Socket.IO: their transcripts, their bounds, the rules of a session, and what holds for every
//! input.

// Clippy knows the functions of a test binary that are no tests themselves as ordinary code.
#![allow(clippy::unwrap_used)]

mod asked;
mod bounds;
mod echo;
mod marketplace;
mod namespaces;
mod properties;
mod session;
mod transcript;

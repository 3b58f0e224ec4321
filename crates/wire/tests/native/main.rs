//! The native dialect: its transcript, its bounds, and what holds for every frame.

// Clippy knows the functions of a test binary that are no tests themselves as ordinary code.
#![allow(clippy::unwrap_used)]

mod bounds;
mod properties;
mod samples;
mod sse;
mod transcript;

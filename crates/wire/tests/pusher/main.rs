//! The Pusher dialect: transcripts, signatures, and whatever bytes come.

// Clippy knows the functions of a test binary that are no tests themselves as ordinary code.
#![allow(clippy::unwrap_used)]

mod properties;
mod signatures;
mod transcripts;

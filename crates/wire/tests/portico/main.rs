//! The Portico dialect from outside: transcripts, the table of relays, and what must always hold.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

mod properties;
mod relays;
mod samples;
mod transcripts;

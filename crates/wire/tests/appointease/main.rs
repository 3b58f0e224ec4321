//! The AppointEase dialect from outside: transcripts, the suite of its own test page, and what must always hold.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

mod properties;
mod samples;
mod suite;
mod table;
mod transcripts;

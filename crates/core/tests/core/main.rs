//! The rules of core from outside, as one test binary.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

mod carry;
mod expiry;
mod followed;
mod members;
mod momentary;
mod once;
mod opening_hours;
mod post;
mod reader;
mod recover;
mod replay;
mod reservation;
mod ring;
mod webhook;
mod world;

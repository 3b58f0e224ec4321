//! Who somebody is: tokens, the keys that prove them, and how those keys are fetched and renewed.
//!
//! | module | what |
//! |---|---|
//! | [`verifier`] | the one door: [`Verifier::check`] decides in memory, without waiting |
//! | [`settings`] | what the operator decides: algorithms, claims, keys |
//! | [`jwt`] | the compact form of a token, and its signature |
//! | [`claims`] | what a token says, checked and turned into an identity |
//! | [`keys`], [`jwk`] | one key, a set of keys, and the two ways of writing them down |
//! | [`jwks`], [`fetch`] | when a key set is fetched, and how |
//! | [`mint`] | tokens that this server signs itself |
//!
//! What it must not know: channels' contents, dialects, sessions, the ledger.

pub mod claims;
pub mod fetch;
pub mod jwk;
pub mod jwks;
pub mod jwt;
pub mod keys;
pub mod mint;
pub mod settings;
pub mod verifier;

pub use settings::{BadSettings, Pace, Policy, Settings, Source};
pub use verifier::{Verdict, Verifier};

#[cfg(test)]
mod tests;

//! Drives the real store over a disk that breaks on purpose, always the same way for the same seed.
//!
//! Only tests use this crate; nothing of it is in the product.

pub mod disk;

//! Drives the real store over a disk that breaks on purpose, always the same way for the same seed, and checks
//! everything that it answers.
//!
//! | part | what |
//! |---|---|
//! | `disk` | a disk in memory that fails where it is told to |
//! | `world` | people who all want the same few times, a clock, crashes, and the store in the middle of it |
//! | `check` | replays what was answered through the naive reference, and holds it against the properties |
//! | `post` | the same for inboxes and conversations, with lists for a reference |
//! | `../naive` | the reference: the rule once more, as naive as can be |
//!
//! Only tests use this crate; nothing of it is in the product.

pub mod check;
pub mod disk;
#[path = "../naive/mod.rs"]
mod naive;
pub mod post;
pub mod world;

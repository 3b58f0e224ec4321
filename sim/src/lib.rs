//! Drives the real store over a disk that breaks on purpose, always the same way for the same seed, and checks
//! everything that it answers.
//!
//! | part | what |
//! |---|---|
//! | `disk` | a disk in memory that fails where it is told to |
//! | `world` | people who all want the same few times, a clock, crashes, and the store in the middle of it |
//! | `postgres` | a PostgreSQL server of the run's own, for the same world over a shared database |
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
#[path = "../../crates/server/tests/suite/harness/postgres.rs"]
#[allow(dead_code, missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]
// It is the outside tests'.
pub mod postgres;
pub mod world;

//! Reading, writing, keeping, notes, inboxes and conversations once more, over PostgreSQL.
//!
//! Which store a [`Scratch`] has is said by the name of the test that makes it.

use super::*;

#[allow(clippy::duplicate_mod)]
#[path = "keeping.rs"]
mod keeping;
#[allow(clippy::duplicate_mod)]
#[path = "notes.rs"]
mod notes;
#[allow(clippy::duplicate_mod)]
#[path = "post/mod.rs"]
mod post;
#[allow(clippy::duplicate_mod)]
#[path = "reading.rs"]
mod reading;
#[allow(clippy::duplicate_mod)]
#[path = "writing.rs"]
mod writing;

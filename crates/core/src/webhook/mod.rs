//! What an endpoint of somebody else is told, in which order, and when it is tried again.
//!
//! | part | what |
//! |---|---|
//! | [`Wants`], [`Lane`] | which events an endpoint gets, and which of them must not overtake each other |
//! | [`not_before`] | until when an event waits for its hour |
//! | [`Queue`] | what is on its way to one endpoint: what may start now, and what is kept over a restart |
//! | [`judge`] | what becomes of a delivery, from the answer that it got |
//!
//! The rows of the ledger are the real queue; what stands here is the small part of it that is looked at. Time
//! and dice are arguments.

mod lane;
mod queue;
mod verdict;

pub use lane::{Lane, Wants, not_before};
pub use queue::{Kept, Open, Place, Queue, Start};
pub use verdict::{Answer, Terms, Tries, Trouble, Verdict, backoff, judge};

//! What an app agrees to with clients and backends of the Pusher dialect, and how many subscriptions its
//! channels have.
//!
//! The frames are read and written in `deskbell_wire::pusher`; who gets them is the shards' business.

mod occupancy;
mod terms;

pub use occupancy::{Occupancy, Turn};
pub use terms::{Terms, rate};

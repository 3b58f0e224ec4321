//! What an app agrees to with clients and backends of the Pusher dialect, how many subscriptions its
//! channels have, which backends are told what happens in them, and which are asked who may come in.
//!
//! The frames are read and written in `deskbell_wire::pusher`; who gets them is the shards' business.

mod consent;
mod hooks;
mod occupancy;
mod terms;

pub use consent::{About, Consent, strange};
pub use hooks::{Endpoint, Hooks, start};
pub use occupancy::{Occupancy, Turn};
pub use terms::{Own, Terms, rate};

//! What clients and backends ask of the ledger, in JSON: one reading for HTTP bodies and native frames.
//!
//! | part | what |
//! |---|---|
//! | [`Kind`] | what is asked for, as far as the route or the frame's type says it |
//! | [`plea`] | the fields of a body or a frame become a plea |
//! | [`time`] | instants as text and as numbers |
//! | [`availability`] | a question for what is free |

mod answer;
mod availability;
mod kind;
mod parts;
mod read;
mod resource;
pub mod time;

pub use answer::{members_of_refusal, write_members};
pub use availability::{MOST_STARTS, availability, slot, window};
pub use kind::Kind;
pub use parts::named;
pub(crate) use parts::whole;
pub use read::{body, plea};

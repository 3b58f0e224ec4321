//! What clients and backends ask of inboxes and conversations, in JSON: one reading for HTTP bodies and native
//! frames.
//!
//! | part | what |
//! |---|---|
//! | [`Kind`] | what is asked for, as far as the route or the frame's type says it |
//! | [`body`], `read` | fields become a plea |
//! | `frames` | the frames that are about this |

pub(crate) mod frames;
mod kind;
mod read;

pub use kind::Kind;
pub use read::body;

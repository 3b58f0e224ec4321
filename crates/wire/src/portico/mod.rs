//! What PorticoEstate's pages, its PHP and its spool say: JSON messages in rooms of sessions and entities.
//!
//! | part | what |
//! |---|---|
//! | [`session`] | a session's id, out of cookies or a message, and its room |
//! | [`asked`] | a page's message becomes what it asks |
//! | [`said`] | what is said to a page |
//! | [`message`] | messages that are passed on, with what is added to them |
//! | [`relays`] | what a page may pass on to whom, in one table |
//! | [`pulse`] | signs of life, and who has been silent for too long |
//! | [`published`] | what the backend publishes through Redis |
//! | [`spool`] | what it writes into files where Redis does not answer |
//! | [`applications`] | a session's applications that are not finished |
//! | [`http`] | bodies of the few routes |
//!
//! Times are written as PHP's `date('c')` does, on the site's clock.

pub mod applications;
pub mod asked;
pub mod http;
pub mod message;
pub mod published;
pub mod pulse;
pub mod relays;
pub mod said;
pub mod session;
pub mod spool;
mod stamp;

pub use asked::{Asked, decode};
pub use session::{Session, SessionId};
pub use stamp::Stamp;

/// The channel of what everybody is told.
pub const EVERYONE: &str = "portico";

/// The event of Socket.IO in which present clients say and hear every message.
pub const EVENT: &str = "message";

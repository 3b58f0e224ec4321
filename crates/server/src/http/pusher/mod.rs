//! The HTTP API of the Pusher dialect, as its libraries for backends speak it.
//!
//! | part | what |
//! |---|---|
//! | `signed` | whose request it is: the app in its path, and the signature over it |
//! | `events` | triggers, single and in batches |
//! | `channels` | what channels there are, and who is in them |
//! | `users` | the connections of a user |
//!
//! Success is 200 with an object, exactly, because some libraries take nothing else.

pub mod channels;
pub mod events;
mod signed;
pub mod users;

pub use signed::without_prefix;

//! The HTTP API of the Pusher dialect, as its libraries for backends speak it.
//!
//! | part | what |
//! |---|---|
//! | `signed` | whose request it is: the app in its path, and the signature over it |
//! | `events` | triggers, single and in batches |
//! | `channels` | what channels there are, and who is in them |
//! | `authorize` | signatures for clients of sites that have no endpoint of their own |
//! | `xhr` | clients without a WebSocket |
//! | `users` | the connections of a user |
//!
//! Success is 200 with an object, exactly, because some libraries take nothing else.

pub mod authorize;
pub mod channels;
pub mod events;
mod signed;
pub mod users;
pub mod xhr;

pub use signed::without_prefix;

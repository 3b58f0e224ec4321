//! What Redis says to whoever subscribes there, and what backends publish through it.
//!
//! | part | what |
//! |---|---|
//! | [`resp`] | Redis' own protocol: bytes become values within bounds, commands become bytes |
//! | [`Reply`] | a value as a subscriber understands it |
//! | [`Table`] | which channel of Redis means what, and a message as the publish that it asks for |
//! | `laravel` | what Laravel's `redis` broadcaster writes |
//!
//! Only publish/subscribe is spoken: no key of the site's Redis is read or written.

mod laravel;
mod reply;
pub mod resp;
mod table;

pub use reply::{Message, Reply};
pub use table::{BadTopic, Kind, Row, Table, Taken, Topic};

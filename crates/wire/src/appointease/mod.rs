//! What the AppointEase plugin's pages and its WordPress say: JSON messages over a WebSocket, and routes of HTTP for
//! those who have none.
//!
//! | part | what |
//! |---|---|
//! | [`asked`] | a page's message becomes what it asks |
//! | [`slot`] | date, time and employee as they were written, so that an answer names them the same way |
//! | [`said`] | what is said to a page: answers and news |
//! | [`debug`] | who is there and what they look at, for the debug panel and `GET /debug` |
//! | [`hail`] | who connects, by the address that it asked for |
//! | [`poll`] | the long poll: its question, and an answer that every page understands |
//! | [`rest`] | the other routes of HTTP |
//! | [`broadcast`] | what the backend says of its appointments, in every form that it has had |
//! | [`rows`] | appointments in the shape of the plugin's table |
//! | [`table`] | that table itself, read from a file or a database |
//!
//! The first server answered every message with exactly one other, and its pages count on that. So here each message
//! gets one direct answer, also one that makes no sense; only what is no JSON gets none, and `watch_slot`. Unlike
//! there, a lock that somebody else has is refused.

pub mod asked;
pub mod broadcast;
pub mod debug;
pub mod hail;
pub mod poll;
pub mod rest;
pub mod rows;
pub mod said;
pub mod slot;
pub mod table;

pub use asked::{Asked, decode};
pub use slot::{Day, Employee, Slot};

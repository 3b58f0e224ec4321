//! Engine.IO 4, the transport below Socket.IO, without any I/O.
//!
//! * [`asked`] reads what a request wants and says the exact errors that clients know; [`answer`] is what it gets.
//! * [`packet`] and [`payload`] read and write what travels over a WebSocket and in the bodies of polling.
//! * [`open`] writes the first packet of a session.
//! * [`Session`] decides: which request may wait, when to ask for a sign of life, when a session has ended, and
//!   what happens while a client changes from polling to a WebSocket.

pub mod answer;
pub mod asked;
pub mod open;
pub mod packet;
pub mod payload;

mod session;
mod sid;

pub use session::{Due, Ending, Get, Over, Session, Step, Timing};
pub use sid::Sid;

//! The native dialect: JSON text frames over WebSocket, SSE and long polling.
//!
//! [`fn@decode`] turns a client's frame into a command, [`fn@encode`] a notice into a frame. The same frames
//! travel over all three transports: [`sse`] and [`poll`] only wrap what [`fn@encode`] wrote.

pub mod decode;
pub mod encode;
pub mod fields;
pub mod json;
pub mod poll;
pub mod reference;
pub mod sse;

pub use decode::{Rejected, decode, decode_within};
pub use encode::{encode, event_body, event_data, finish};
pub use reference::Reference;

//! The Pusher dialect, protocol 7: what pusher-js, Laravel Echo and every Pusher library speak.
//!
//! | file | what |
//! |---|---|
//! | [`mod@decode`] | a client's frame |
//! | [`encode`] | the server's frames |
//! | [`name`] | what a channel's name says: who may read it, and what it keeps |
//! | [`proof`] | signatures of channels and users |
//! | [`person`] | who a client says it is: members of channels, and signed-in users |
//! | [`code`] | error and close codes, as clients act on them |
//! | [`xhr`] | the HTTP transports, for clients without a WebSocket |
//! | [`trigger`] | the bodies of the HTTP API |
//! | [`consent`] | the authorisation endpoint: what is asked of it, and what it answers |
//! | [`hook`] | webhooks: their kinds, bodies and signatures |
//!
//! Whatever is signed is verified as the very bytes that came; it is parsed, and never written anew.

pub mod code;
pub mod consent;
pub mod decode;
pub mod encode;
pub mod hook;
pub mod name;
pub mod person;
pub mod proof;
pub mod trigger;
pub mod xhr;

pub use decode::{Asked, SignIn, Subscribe, decode};
pub use name::Guard;
pub use person::{Member, User};

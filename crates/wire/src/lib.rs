//! The wire formats of Deskbell: bytes to the neutral vocabulary and back.
//!
//! Nothing here waits, opens a socket, reads a clock or rolls dice: bytes come in as arguments and bytes go
//! out as values. The server's shards, the tests, the fuzzers and the load generator therefore run the very
//! same protocol code.
//!
//! What every connection passes first:
//!
//! * [`http_head`] reads a bounded HTTP/1 request head, so that the front door can decide where it goes;
//! * [`route`] says whose it is, [`plain`] which of the two whose place is the root;
//! * [`websocket`] upgrades such a request and turns the bytes after it into messages, and messages into frames.
//!
//! Then the dialects, each a folder of its own: [`native`], [`pusher`], [`appointease`], [`portico`], and
//! [`socketio`] over [`engineio`].
//! [`signature`] holds what backends sign, [`webhook`] what we sign for them. [`ics`] reads and writes calendars.
//! [`redis`] reads what backends publish through Redis, [`mysql`] a table of a site's MariaDB.
//!
//! Every parser has a bound that it checks before it keeps a byte, and every refusal has a stable code and a
//! sentence that says what to do.

pub mod appointease;
pub mod engineio;
pub mod http_head;
pub mod ics;
pub mod ledger;
pub mod loose;
pub mod mysql;
pub mod native;
mod object;
pub mod plain;
pub mod portico;
pub mod post;
pub mod pusher;
pub mod redis;
pub mod route;
pub mod signature;
pub mod socketio;
pub mod webhook;
pub mod websocket;

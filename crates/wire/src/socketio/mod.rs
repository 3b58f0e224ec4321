//! Socket.IO 5, without any I/O: what stands in the messages of [`engineio`](crate::engineio).
//!
//! * [`packet`] reads one message: [`read`] knows the grammar, [`Said`] what it means.
//! * [`Assembly`] puts a packet and its attachments together.
//! * [`Namespaces`] decides what a connection may say; [`Shown`] and [`Program`] read what a client shows.
//! * [`marketplace`] is what one application says in its events and to its route of HTTP, [`echo`] what Laravel
//!   Echo's connector says, [`admin`] what the admin UI asks and is told.
//! * [`handler`] is what a backend is sent that handles the events of its clients itself.
//! * [`encode`] writes packets; [`Prepared`] is one that is written once and sent to many.
//!
//! The data of an application is checked and passed on as it came, never written anew.

pub mod admin;
pub mod echo;
pub mod encode;
pub mod handler;
pub mod marketplace;
pub mod packet;

mod assembly;
mod entering;
mod fault;
mod namespaces;
mod prepared;

pub use assembly::{Assembly, Whole};
pub use entering::{Program, Shown};
pub use fault::Fault;
pub use namespaces::{Asks, Namespaces};
pub use packet::{Args, Packet, Said, read};
pub use prepared::Prepared;

//! What the marketplace's Next.js application says: events of its own for identity and rooms, and a route of HTTP
//! by which its backend tells clients something.
//!
//! * [`asked`] reads the events of its clients, and writes the answers.
//! * [`broadcast`] reads the body of its backend, in both forms that it has had, and makes the event of it.
//! * [`waiting`] makes an entry of an inbox of such an event, for users who are not there, and an event of it again.
//! * [`errors`] has the classes in which its clients sort what goes wrong.

pub mod asked;
pub mod broadcast;
pub mod errors;
pub mod waiting;

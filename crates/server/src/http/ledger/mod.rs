//! The ledger over HTTP: resources, holds, bookings, blocks, waitlists.
//!
//! | part | what |
//! |---|---|
//! | `commands` | everything that changes something: one way from a body to an answer |
//! | `read` | one resource, reservation, entry or set of blocks |
//! | `lists` | pages of them |
//! | `free` | what is free, with the cursor to go on from |
//!
//! Whoever may not see a reservation hears that there is none, so that nobody can try out ids.

pub mod commands;
pub mod free;
pub mod lists;
pub mod read;

use std::sync::Arc;

use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::Actor;
use tokio::sync::oneshot;

use super::asked::Asked;
use crate::hub::Hub;
use crate::ledger;
use crate::store::{Look, Sighting};

/// Parameters that every route of a caller takes: a browser that cannot set headers sends its token so.
pub const TOKEN: &str = "token";

/// Who asks here.
pub fn actor(hub: &Hub, asked: &Asked) -> Actor {
    ledger::actor(&hub.apps[asked.app], Arc::new(asked.identity.clone()), false)
}

/// Looks at the ledger and waits for what is seen.
pub async fn look(hub: &Hub, app: usize, look: Look) -> Result<Sighting, Refusal> {
    let (tell, told) = oneshot::channel();
    // Whoever asked may have gone; it is looked at for nobody then.
    hub.store.look(hub.apps[app].id, look, Box::new(move |seen| drop(tell.send(seen))));
    told.await.map_err(|_| stopped())?
}

pub fn stopped() -> Refusal {
    Refusal::new(Code::Draining, "the server is stopping; try again in a moment")
}

//! What is on its way: bodies, made from rows of the ledger and from letters.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::{Draft, Kind};
use deskbell_core::ids::AppId;
use deskbell_core::limits::Millis;
use deskbell_core::position::ledger;
use deskbell_core::webhook::{Lane, Place};
use deskbell_wire::webhook::{body, gap};

use crate::store::Letter;

/// One event as it is sent.
#[derive(Debug)]
pub(super) struct Cargo {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) lane: Lane,
    pub(super) body: Bytes,
}

impl Cargo {
    /// An event of the ledger. Who comes to a channel and goes is no event of the ledger.
    pub(super) fn of_draft(app: AppId, draft: &Draft, at: u64) -> Option<Self> {
        if draft.kind != Kind::Message {
            return None;
        }
        let event = &draft.event;
        Some(Self {
            id: event.id.to_string(),
            kind: event.name.to_string(),
            lane: Lane::of(event),
            body: body(app, event, ledger::row(at)).into(),
        })
    }

    /// What an endpoint hears whose rows up to this one were deleted before it had them.
    pub(super) fn of_gap(app: AppId, until: u64, now: Millis) -> Self {
        let id = format!("gap.{app}.{until}");
        let body = gap(app, &id, now, until).into();
        Self { id, kind: "webhook.gap".to_owned(), lane: Lane(Arc::from("gap")), body }
    }

    /// A dead letter that is tried again.
    pub(super) fn of_letter(letter: Letter) -> Self {
        let Letter { id, kind, lane, body, .. } = letter;
        Self { id, kind, lane: Lane(Arc::from(lane)), body: body.into() }
    }

    /// The letter that it becomes.
    pub(super) fn into_letter(self: Arc<Self>, at: u64, died: Millis, attempts: u32, why: String) -> Letter {
        Letter {
            at,
            id: self.id.clone(),
            kind: self.kind.clone(),
            lane: self.lane.0.to_string(),
            body: self.body.to_vec(),
            died,
            attempts,
            why,
            due: false,
        }
    }
}

/// All that is on its way to one endpoint, and its bytes.
#[derive(Debug, Default)]
pub(super) struct Hold {
    loaded: HashMap<Place, Arc<Cargo>>,
    bytes: usize,
}

impl Hold {
    /// Bytes of all bodies.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn load(&mut self, place: Place, cargo: Cargo) {
        self.bytes += cargo.body.len();
        if let Some(before) = self.loaded.insert(place, Arc::new(cargo)) {
            self.bytes -= before.body.len();
        }
    }

    pub(super) fn get(&self, place: Place) -> Option<Arc<Cargo>> {
        self.loaded.get(&place).cloned()
    }

    pub(super) fn unload(&mut self, place: Place) -> Option<Arc<Cargo>> {
        let cargo = self.loaded.remove(&place)?;
        self.bytes -= cargo.body.len();
        Some(cargo)
    }
}

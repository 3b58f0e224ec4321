//! What a client was shown before, so that it is shown nothing twice.

use std::sync::Arc;

use deskbell_core::cursor::Cursor;
use deskbell_core::event::Entry;
use deskbell_core::parts::{Changed, Stood};
use deskbell_core::position::Position;
use deskbell_core::projection::Told;

use super::packets::{Packet, of_one_namespace};

/// What a client was shown before that reads the log's past.
#[derive(Debug, Default)]
pub struct Shown {
    /// Of the last change, where several channels tell of it.
    pub heard: Heard,
    /// Of what it reads again.
    pub had: Had,
}

/// What a client was shown of the last change, in each of its namespaces.
#[derive(Debug, Default)]
pub struct Heard(Vec<(Arc<str>, Told)>);

impl Heard {
    /// In this namespace.
    pub(super) fn of(&mut self, namespace: &Arc<str>) -> &mut Told {
        let place = self.0.iter().position(|(known, _)| known == namespace).unwrap_or_else(|| {
            self.0.push((namespace.clone(), Told::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

/// Where each namespace of a client stood that reads again from somewhere before.
#[derive(Debug, Default)]
pub struct Had(Vec<(Arc<str>, Stood)>);

impl Had {
    /// A namespace stood here, if nothing else is known of it.
    pub fn note(&mut self, namespace: &Arc<str>, at: Cursor) {
        if self.0.iter().all(|(known, _)| known != namespace) {
            self.0.push((namespace.clone(), at.into()));
        }
    }

    /// Leaves out what was had already. The packets are those of one entry.
    pub fn leave_out(&mut self, entry: &Entry, packets: &mut Vec<Packet<'_>>) -> Result<(), Changed> {
        for (namespace, stood) in &mut self.0 {
            let own = of_one_namespace(packets, namespace);
            let things: Vec<(&str, &[u8])> = packets[own.clone()].iter().map(Packet::thing).collect();
            let had = stood.has_had(entry, &things)?;
            packets.drain(own.start..own.start + had);
        }
        Ok(())
    }

    /// Is there an event of which a part was told, and which has not come?
    pub fn is_owed(&self) -> bool {
        self.0.iter().any(|(_, stood)| stood.is_owed())
    }

    /// How far in the ledger somebody stood.
    pub fn ledger(&self) -> u64 {
        self.0.iter().map(|(_, stood)| stood.ledger()).max().unwrap_or(0)
    }

    /// The ledger must know the row where the client stood: this place with the row that proves most.
    pub fn proven(&self, at: &Position) -> Position {
        let places = self.0.iter().map(|(_, stood)| stood.at()).filter(|stood| stood.ledger_check > 0);
        let most = places.max_by_key(|stood| stood.ledger).filter(|stood| stood.ledger >= at.ledger);
        most.map_or(*at, |stood| Position { ledger: stood.ledger, ledger_check: stood.ledger_check, ..*at })
    }
}

//! Opening hours in decisions: a claim lies wholly in open time. Its buffers need not.

use std::collections::BTreeMap;

use super::super::model::{By, Granted, Piece};
use super::super::outcome::Stop;
use super::super::slice::Key;
use super::Work;
use super::claims::{InTheWay, wanted_piece};
use crate::calendar::Span;
use crate::ids::ResourceId;
use crate::limits::Millis;

/// When some resources are open within a span that was looked at once.
pub(super) struct KnownHours {
    /// Nothing is kept of what is always open.
    open: BTreeMap<ResourceId, Vec<Span>>,
}

impl KnownHours {
    /// Would all of these claims lie in open time if they began so much later?
    pub(super) fn are_open(&self, set: &[Granted], later: Millis) -> bool {
        set.iter().all(|granted| {
            let claim = &granted.claim;
            let moved = Span { start: claim.start + later, end: claim.end + later };
            self.open.get(&claim.resource).is_none_or(|open| open.iter().any(|span| span.covers(moved)))
        })
    }
}

impl Work<'_> {
    /// Claims that do not lie wholly in open time.
    pub(super) fn closed(&self, set: &[Granted]) -> Result<InTheWay, Stop> {
        self.slice.need(set.iter().map(|granted| Key::Resource(granted.claim.resource.clone())))?;
        let mut found = InTheWay::new();
        for granted in set {
            let (id, span) = (&granted.claim.resource, granted.claim.span());
            if !self.resource(id)?.is_open(span) {
                found.push((id.clone(), Piece { by: By::Closed, ..wanted_piece(span, 0) }));
            }
        }
        Ok(found)
    }

    /// When the resources of these claims are open within a span.
    pub(super) fn known_hours(&self, set: &[Granted], span: Span) -> Result<KnownHours, Stop> {
        let mut open = BTreeMap::new();
        for granted in set {
            let resource = self.resource(&granted.claim.resource)?;
            if !resource.hours.is_always() && !open.contains_key(&resource.id) {
                let spans = resource.openings(span).map(|openings| openings.spans().to_vec());
                open.insert(resource.id.clone(), spans.unwrap_or_default());
            }
        }
        Ok(KnownHours { open })
    }
}

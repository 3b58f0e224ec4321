//! What is asked for, as far as the route or the type of the frame says it.

use deskbell_core::ids::{ReservationId, ResourceId, SourceName, WaitId};
use deskbell_core::reservation::Step;

/// One thing that can be asked of the ledger, with the name of what it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Hold a time.
    Hold,
    /// Hold it longer.
    Extend(ReservationId),
    /// Let go of it.
    Release(ReservationId),
    /// Make a booking of it.
    Confirm(ReservationId),
    /// Book without a hold, or over whatever stands in the way.
    Book,
    /// Take a step of a booking's life.
    Step(ReservationId, Step),
    /// Move a booking.
    Reschedule(ReservationId),
    /// Note what the host's database calls it.
    Link(ReservationId),
    /// Replace the blocks of a source.
    Block(SourceName),
    /// Make or change a resource.
    PutResource(ResourceId),
    /// Wait for a time.
    Join,
    /// Wait no more.
    Leave(WaitId),
    /// Take an offer.
    Accept(WaitId),
}

impl Kind {
    /// The fields that a body of it may have.
    pub const fn fields(&self) -> &'static [&'static str] {
        match self {
            Self::Hold => &["claims", "any_of", "ttl_ms", "holder", "email", "meta", "replace"],
            Self::Extend(_) => &["fence", "ttl_ms"],
            Self::Release(_) => &["fence"],
            Self::Confirm(_) => &["fence", "if_still_free", "external_ref", "email", "meta"],
            Self::Book => &["claims", "any_of", "holder", "email", "meta", "external_ref", "override"],
            Self::Step(..) => &["version"],
            Self::Reschedule(_) => &["claims", "version"],
            Self::Link(_) => &["external_ref"],
            Self::Block(_) => &["as_of", "blocks"],
            Self::PutResource(_) => {
                &["capacity", "before_ms", "after_ms", "time_zone", "hours", "provider", "policy"]
            }
            Self::Join => &["claims", "any_of", "holder"],
            Self::Leave(_) | Self::Accept(_) => &[],
        }
    }

    /// What it is done to, as text: a part of what an idempotency key was used for.
    pub fn about(&self) -> &str {
        match self {
            Self::Extend(id)
            | Self::Release(id)
            | Self::Confirm(id)
            | Self::Step(id, _)
            | Self::Reschedule(id)
            | Self::Link(id) => id.as_str(),
            Self::Leave(id) | Self::Accept(id) => id.as_str(),
            Self::Block(source) => source.as_str(),
            Self::PutResource(id) => id.as_str(),
            Self::Hold | Self::Book | Self::Join => "",
        }
    }
}

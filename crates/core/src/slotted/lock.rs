//! A lock is a hold of the ledger.
//!
//! It lasts ten minutes, and whoever locks its own slot again is given what it has and no more time. A page that says
//! it is done lets go of nothing yet: its hold is replaced by one that lasts a minute at most, so that nobody else
//! gets the slot before the backend has said what became of it. The page alone never books.

use std::sync::Arc;

use crate::ids::Principal;
use crate::limits::{self, Millis, SECOND};
use crate::refusal::Code;
use crate::reservation::{Act, By, Claim, Refused, Reply, Reservation, State, Ttl, Wish};

/// What to ask for a lock.
pub fn lock(claim: Claim, email: Option<Arc<str>>) -> Act {
    let wish = Wish { any_of: vec![vec![claim]], holder: None, email, meta: None };
    Act::Hold { wish, ttl: Ttl::For(limits::HOLD_TTL), replace: None }
}

/// What an answer to a lock means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// The slot is the asker's, for so many seconds.
    Yours {
        /// Seconds that are left, the begun one included.
        expires_in: u64,
    },
    /// Something else is there.
    Taken {
        /// What.
        by: By,
        /// Seconds until that ends by itself.
        expires_in: Option<u64>,
    },
    /// The asker's own lock of another time lies over it.
    Overlaps {
        /// Seconds that are left of that one.
        expires_in: Option<u64>,
    },
}

impl Locked {
    /// The word for why it was refused.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Yours { .. } => "yours",
            Self::Taken { by: By::Held, .. } => "locked",
            Self::Taken { by: By::Pending | By::Booked, .. } => "booked",
            Self::Taken { by: By::Block | By::Closed, .. } => "closed",
            Self::Overlaps { .. } => "overlaps",
        }
    }
}

/// What it means that the ledger said yes to a lock; nothing, where its answer is none to a lock.
pub fn locked(claim: &Claim, reply: &Reply) -> Option<Locked> {
    let hold = reply.reservation.as_ref()?;
    let left = hold.expires_at.map(|at| seconds_until(at, reply.now));
    if is_of(hold, claim) {
        // One without an end was made by a backend, and lasts as long as a lock can be shown to last.
        let expires_in = left.unwrap_or(limits::HOLD_TTL / SECOND);
        return Some(Locked::Yours { expires_in });
    }
    Some(Locked::Overlaps { expires_in: left })
}

/// What it means that the ledger said no to a lock; nothing, where the slot is not the reason.
pub fn taken(refused: &Refused, now: Millis) -> Option<Locked> {
    if refused.refusal.code != Code::Conflict {
        return None;
    }
    // What ends last decides when the slot can be free.
    let last =
        refused.conflicts.iter().max_by_key(|conflict| conflict.free_at_earliest.unwrap_or(Millis::MAX))?;
    let expires_in = last.free_at_earliest.map(|at| seconds_until(at, now));
    Some(Locked::Taken { by: last.by, expires_in })
}

/// What a page says about the slot that it unlocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It does not want it any more.
    LetGo,
    /// It has sent the booking to the backend.
    Completed,
}

/// What becomes of a wish to unlock.
#[derive(Debug)]
pub enum Unlock {
    /// This is to be asked of the ledger.
    Ask(Box<Act>),
    /// There is nothing to unlock.
    Free,
    /// It is somebody else's.
    Foreign,
}

/// The live reservation that is in a slot, out of all that may be.
pub fn in_the_slot<'a>(
    reservations: impl IntoIterator<Item = &'a Reservation>,
    claim: &Claim,
    now: Millis,
) -> Option<&'a Reservation> {
    reservations.into_iter().find(|one| one.is_live(now) && is_of(one, claim))
}

/// Decides about a wish to unlock a slot, given what [is in it](in_the_slot).
pub fn unlock(found: Option<&Reservation>, who: &Principal, then: Then) -> Unlock {
    match found {
        None => Unlock::Free,
        Some(found) if found.holder != *who => Unlock::Foreign,
        // It is booked already: there is no lock any more, and the booking is not this page's to end.
        Some(found) if found.state != State::Held => Unlock::Free,
        Some(found) => Unlock::Ask(Box::new(match then {
            Then::LetGo => Act::Release { id: found.id.clone(), fence: Some(found.fence) },
            Then::Completed => kept_for_the_backend(found),
        })),
    }
}

/// The same claims held anew, but for a minute at most: a hold is never made shorter in another way.
fn kept_for_the_backend(hold: &Reservation) -> Act {
    let claims = hold.claims.iter().map(|granted| granted.claim.clone()).collect();
    Act::Hold {
        wish: Wish { any_of: vec![claims], holder: None, email: hold.email.clone(), meta: hold.meta.clone() },
        ttl: Ttl::For(limits::SLOT_COMPLETED),
        replace: Some(hold.id.clone()),
    }
}

/// Is it of this very slot?
fn is_of(reservation: &Reservation, claim: &Claim) -> bool {
    matches!(&reservation.claims[..], [only] if only.claim.resource == claim.resource && only.claim.start == claim.start)
}

/// Seconds until then, the begun one included: what is still there never shows as 0.
fn seconds_until(at: Millis, now: Millis) -> u64 {
    at.saturating_sub(now).div_ceil(SECOND)
}

//! What became of a command: a change with its reply, a wish for more of the ledger, or a refusal.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::{By, Reservation, Resource, Strikes, Wait};
use super::slice::Key;
use crate::calendar::Span;
use crate::ids::{Principal, ReservationId, ResourceId};
use crate::limits::Millis;
use crate::refusal::{Code, Refusal};

/// What `decide` says.
#[derive(Debug, Clone)]
pub enum Decision {
    /// This happens.
    Change(Box<Change>),
    /// Nothing happens, and this is the answer: what was asked for is so already.
    Same(Box<Reply>),
    /// These parts of the ledger must be known first.
    NeedMore(Vec<Key>),
    /// No.
    Refused(Box<Refused>),
}

/// Why a decision cannot go on. It makes `?` work within one.
#[derive(Debug)]
pub(super) enum Stop {
    NeedMore(Vec<Key>),
    Refused(Box<Refused>),
}

pub(super) fn no<T>(code: Code, message: impl Into<Cow<'static, str>>) -> Result<T, Stop> {
    Err(Refusal::new(code, message).into())
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(Refused {
            refusal,
            conflicts: Vec::new(),
            alternatives: Vec::new(),
            waiting: None,
        }))
    }
}

/// One committed command: everything that is new after it.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New versions of resources.
    pub resources: Vec<Arc<Resource>>,
    /// New versions of reservations, those that end before those that begin.
    pub reservations: Vec<Arc<Reservation>>,
    /// New versions of entries of waitlists.
    pub waits: Vec<Arc<Wait>>,
    /// Expiries that were counted.
    pub strikes: Vec<(Principal, ResourceId, Strikes)>,
    /// What is told of it, in order.
    pub told: Vec<Told>,
    /// What whoever asked hears.
    pub reply: Reply,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Something became of a reservation.
    Reservation {
        /// What.
        what: What,
        /// Its new version in this change.
        id: ReservationId,
        /// Why, or by whom, where that is not clear from the rest.
        why: Option<Arc<str>>,
    },
    /// Something became of an entry of a waitlist.
    Wait {
        /// Which.
        wait: Arc<Wait>,
        /// Something that it waits for may be free; nothing is held for it.
        free: bool,
    },
    /// The resource is another one now: whoever shows its free times loads them anew.
    Resource(ResourceId),
}

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// `hold.granted`
    Granted,
    /// `hold.extended`
    Extended,
    /// `hold.expiring`
    Expiring,
    /// `hold.released`
    Released,
    /// `hold.expired`
    Expired,
    /// `hold.evicted`
    Evicted,
    /// `booking.requested`
    Requested,
    /// `booking.confirmed`
    Confirmed,
    /// `booking.declined`
    Declined,
    /// `booking.rescheduled`
    Rescheduled,
    /// `booking.started`
    Started,
    /// `booking.completed`
    Completed,
    /// `booking.cancelled`
    Cancelled,
    /// `booking.no_show`
    NoShow,
    /// `booking.unlinked`
    Unlinked,
    /// `booking.linked`
    Linked,
    /// `reminder.due`
    Reminder,
    /// `blocks.replaced`
    Blocked,
}

impl What {
    /// The event's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "hold.granted",
            Self::Extended => "hold.extended",
            Self::Expiring => "hold.expiring",
            Self::Released => "hold.released",
            Self::Expired => "hold.expired",
            Self::Evicted => "hold.evicted",
            Self::Requested => "booking.requested",
            Self::Confirmed => "booking.confirmed",
            Self::Declined => "booking.declined",
            Self::Rescheduled => "booking.rescheduled",
            Self::Started => "booking.started",
            Self::Completed => "booking.completed",
            Self::Cancelled => "booking.cancelled",
            Self::NoShow => "booking.no_show",
            Self::Unlinked => "booking.unlinked",
            Self::Linked => "booking.linked",
            Self::Reminder => "reminder.due",
            Self::Blocked => "blocks.replaced",
        }
    }
}

/// What whoever asked hears. It is kept with the change, so that a retry hears the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The reservation as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Arc<Reservation>>,
    /// The entry of a waitlist as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Arc<Wait>>,
    /// The resource as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Arc<Resource>>,
    /// What is now claimed beyond the capacity: by force, by blocks, by a lowered capacity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// Holds that gave way to an override.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evicted: Vec<ReservationId>,
    /// The server's time when it was decided.
    pub now: Millis,
    /// The ledger position that it reflects.
    pub position: u64,
}

/// An expected "no" of the ledger, with what stands in the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The code and its sentence.
    pub refusal: Refusal,
    /// What is in the way.
    pub conflicts: Vec<Conflict>,
    /// Other times at which the same would fit.
    pub alternatives: Vec<Alternative>,
    /// How many wait for it, where one can join them.
    pub waiting: Option<usize>,
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Of which resource.
    pub resource: ResourceId,
    /// The time that it claims, buffers included.
    #[serde(flatten)]
    pub span: Span,
    /// What it is.
    pub by: By,
    /// When it ends by itself, if nothing is done. A hint: a hold may be extended or released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at_earliest: Option<Millis>,
    /// The reservation, where it is the actor's own or the actor is staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
    /// It is the actor's own.
    pub yours: bool,
}

/// Another time for the same claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// When the first of them would begin.
    pub start: Millis,
}

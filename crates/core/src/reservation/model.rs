//! The nouns of the ledger: resources, claims, reservations, waits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::policy::Policy;
use super::steps::{Segment, segments, within_hours};
use crate::calendar::{Hours, Openings, Span, TimeZone, Window, expand};
use crate::ids::{ExternalRef, Principal, ReservationId, ResourceId, SourceName, UserId, WaitId};
use crate::limits::{self, Millis};

/// What can be booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name.
    pub id: ResourceId,
    /// Units that can be claimed at once; 0 closes it for new claims.
    pub capacity: u32,
    /// Time before a claim that belongs to it.
    pub before: Millis,
    /// Time after a claim that belongs to it.
    pub after: Millis,
    /// The time zone in which its opening hours are meant.
    pub time_zone: TimeZone,
    /// When it is open; always, where nothing is said.
    #[serde(default)]
    pub hours: Hours,
    /// Who serves there: sees its bookings on `provider:{id}` and may approve, start and end them.
    pub provider: Option<UserId>,
    /// What holds and bookings of it may do.
    pub policy: Policy,
    /// The ledger position of its last change.
    pub version: u64,
}

impl Resource {
    /// When it is open within a span. What lies beyond the calendar is closed.
    pub fn openings(&self, span: Span) -> Option<Openings> {
        Window::new(span.start, span.end).ok().map(|window| expand(&self.hours, &self.time_zone, window))
    }

    /// What is free of it within a span, given its live claims there: what is shown to everybody.
    pub fn shown(&self, pieces: &[Piece], span: Span, now: Millis) -> Vec<Segment> {
        let segments = segments(pieces, span, self.capacity, now);
        if self.hours.is_always() {
            return segments;
        }
        let open = self.openings(span);
        within_hours(&segments, open.as_ref().map_or(&[], Openings::spans))
    }

    /// Is it open all through a span?
    pub fn is_open(&self, span: Span) -> bool {
        self.hours.is_always() || self.openings(span).is_some_and(|openings| openings.spans() == [span])
    }
}

/// What somebody wants to claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Of which resource.
    pub resource: ResourceId,
    /// From when.
    pub start: Millis,
    /// Until when.
    pub end: Millis,
    /// How many units.
    pub units: u32,
}

impl Claim {
    /// The claimed time without buffers.
    pub const fn span(&self) -> Span {
        Span { start: self.start, end: self.end }
    }
}

/// A claim with the buffers that it was granted with. They are kept, so that a change of the
/// resource's buffers never makes two granted claims overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// What was claimed.
    #[serde(flatten)]
    pub claim: Claim,
    /// The buffer before it.
    pub before: Millis,
    /// The buffer behind it.
    pub after: Millis,
}

impl Granted {
    /// The time that nobody else can have.
    pub const fn padded(&self) -> Span {
        Span {
            start: self.claim.start.saturating_sub(self.before),
            end: self.claim.end.saturating_add(self.after),
        }
    }
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody has it for a while.
    Held,
    /// Somebody asked for it, and nobody has said yes or no.
    Pending,
    /// It is somebody's.
    Booked,
    /// It is going on.
    Active,
    /// It is over, as planned.
    Completed,
    /// Its holder let go of it.
    Released,
    /// Nobody confirmed it in time.
    Expired,
    /// Nobody said yes, or somebody said no.
    Declined,
    /// It was called off.
    Cancelled,
    /// Nobody came.
    NoShow,
}

impl State {
    /// Every state, for tables of rules.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Pending,
        Self::Booked,
        Self::Active,
        Self::Completed,
        Self::Released,
        Self::Expired,
        Self::Declined,
        Self::Cancelled,
        Self::NoShow,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Booked => "booked",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// Is it over, so that nothing can happen to it any more?
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Held | Self::Pending | Self::Booked | Self::Active)
    }
}

/// One set of claims with a state: a hold while it is held, a booking once it is booked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// Whose it is.
    pub holder: Principal,
    /// Where it stands.
    pub state: State,
    /// What it claims, while it is live.
    pub claims: Vec<Granted>,
    /// The ledger position of its grant. Every change of a hold must show it.
    pub fence: u64,
    /// The ledger position of its last change.
    pub version: u64,
    /// When it was granted.
    pub granted_at: Millis,
    /// When a hold or a request ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// Until when a hold can be extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_until: Option<Millis>,
    /// It ends when its holder has been without a connection for the grace.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tied: bool,
    /// The holder was told that it will end soon.
    #[serde(default, skip_serializing_if = "is_false")]
    pub warned: bool,
    /// It claims no time although it is pending.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unclaimed: bool,
    /// It was granted although it did not fit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forced: bool,
    /// When reminders of it are still to be told, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_at: Vec<Millis>,
    /// When it is told that the host's database does not know it, if it does not by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlinked_at: Option<Millis>,
    /// The waitlist's entry to which it was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<WaitId>,
    /// It is no booking but a set of blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockSet>,
    /// What the host's database calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<ExternalRef>,
    /// The person's e-mail address, to find its bookings by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Arc<str>>,
    /// What the site wants to know with it, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
}

impl PartialEq for Reservation {
    fn eq(&self, other: &Self) -> bool {
        // The stored form has every field, and `meta` in it byte for byte.
        serde_json::to_string(self).ok() == serde_json::to_string(other).ok()
    }
}

/// Where a set of blocks comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSet {
    /// Its name.
    pub source: SourceName,
    /// The moment that it describes; an older one does not replace a newer one.
    pub as_of: Millis,
}

// Serde gives the field by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Reservation {
    /// Does it claim its time now? A hold that nobody has ended yet claims nothing once its time is over.
    pub fn is_live(&self, now: Millis) -> bool {
        match self.state {
            State::Held => self.expires_at.is_none_or(|at| now < at),
            State::Pending => !self.unclaimed,
            State::Booked | State::Active => true,
            _ => false,
        }
    }

    /// The span that holds all of its claims, without buffers.
    pub fn hull(&self) -> Option<Span> {
        self.claims.iter().map(|granted| granted.claim.span()).reduce(Span::hull)
    }

    /// Its pieces in the table of live claims: none, once it is over.
    pub fn pieces(&self) -> impl Iterator<Item = (ResourceId, u64, Piece)> {
        self.pieces_of(|_| true)
    }

    /// The pieces of some of its claims. A set of blocks has thousands, and few of them matter to one look.
    pub(super) fn pieces_of(
        &self,
        wanted: impl Fn(&Granted) -> bool,
    ) -> impl Iterator<Item = (ResourceId, u64, Piece)> {
        let claims = if self.state.is_over() || self.unclaimed { &[][..] } else { &self.claims };
        let (by, until) = self.by();
        let wanted = claims.iter().enumerate().filter(move |(_, granted)| wanted(granted));
        wanted.flat_map(move |(nth, granted)| {
            granted.padded().by_day().map(move |(day, span)| {
                let piece = Piece {
                    span,
                    reservation: self.id.clone(),
                    nth: nth as u16,
                    units: granted.claim.units,
                    by,
                    until,
                };
                (granted.claim.resource.clone(), day, piece)
            })
        })
    }

    fn by(&self) -> (By, Option<Millis>) {
        match self.state {
            _ if self.block.is_some() => (By::Block, None),
            State::Held => (By::Held, self.expires_at),
            State::Pending => (By::Pending, None),
            _ => (By::Booked, None),
        }
    }
}

/// What claims a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A hold.
    Held,
    /// A request that waits for approval.
    Pending,
    /// A booking.
    Booked,
    /// A block.
    #[serde(rename = "blocked")]
    Block,
    /// The resource is not open then.
    Closed,
}

impl By {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Booked => "booked",
            Self::Block => "blocked",
            Self::Closed => "closed",
        }
    }
}

/// The part of a live claim that lies in one UTC day: a row of the table of live claims. Every look
/// at a resource's usage is a look at some of its days, whatever its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// When, buffers included.
    pub span: Span,
    /// Whose claim.
    pub reservation: ReservationId,
    /// Which of its claims.
    pub nth: u16,
    /// How many units.
    pub units: u32,
    /// What kind of claim.
    pub by: By,
    /// When it ends by itself.
    pub until: Option<Millis>,
}

impl Piece {
    /// By time, and the same whatever made them.
    pub(super) fn in_order(&self, other: &Self) -> std::cmp::Ordering {
        let by = |piece: &Self| (piece.span.start, piece.span.end, piece.nth);
        by(self).cmp(&by(other)).then_with(|| self.reservation.cmp(&other.reservation))
    }
}

/// Units of a block: whatever the resource has.
pub const ALL_UNITS: u32 = u32::MAX;

/// An entry of a waitlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Its id.
    pub id: WaitId,
    /// Who waits.
    pub principal: Principal,
    /// What would do: the first alternative that fits.
    pub any_of: Vec<Vec<Claim>>,
    /// Where it stands.
    pub state: WaitState,
    /// The ledger position at which it joined: the order of the list.
    pub joined: u64,
    /// The hold that was offered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<ReservationId>,
}

/// Where an entry of a waitlist stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitState {
    /// Nothing has become free yet.
    Waiting,
    /// A hold was granted; it is for the principal to take it.
    Offered,
    /// It was taken.
    Accepted,
    /// It was not taken in time.
    Lapsed,
    /// The principal does not wait any more.
    Left,
}

impl WaitState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Lapsed => "lapsed",
            Self::Left => "left",
        }
    }
}

/// When a principal let holds of a resource expire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Strikes(pub Vec<Millis>);

impl Strikes {
    /// How many count at this time.
    pub fn count(&self, now: Millis) -> usize {
        self.0.iter().filter(|at| at.saturating_add(limits::STRIKE_WINDOW) > now).count()
    }

    /// One more. Those that count no longer, or more than ever matter, are dropped.
    #[must_use]
    pub fn and(&self, now: Millis) -> Self {
        let recent = self.0.iter().copied().filter(|at| at.saturating_add(limits::STRIKE_WINDOW) > now);
        let mut all: Vec<_> = recent.chain([now]).collect();
        let surplus = all.len().saturating_sub(limits::STRIKES + 1);
        all.drain(..surplus);
        Self(all)
    }
}

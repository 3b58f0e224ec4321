//! What somebody, or the clock, wants of the ledger.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::model::Claim;
use super::policy::Policy;
use crate::access::{Action, Identity, Rules};
use crate::calendar::{Hours, Span, TimeZone};
use crate::ids::{
    ChannelName, EventId, ExternalRef, Principal, ReservationId, ResourceId, SourceName, UserId, WaitId,
};
use crate::limits::Millis;

/// One command. It is decided as a whole: all of it happens, or nothing.
#[derive(Debug, Clone)]
pub enum Command {
    /// Somebody asks.
    Ask {
        /// Who.
        actor: Actor,
        /// For what.
        act: Act,
    },
    /// A time has come. Nobody needs to be allowed to do this.
    Due(Due),
}

/// Who asks, and what the rules let it do.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub identity: Arc<Identity>,
    /// The app's access rules.
    pub rules: Rules,
    /// It asks over a connection. What it holds ends when it has been without any for the grace.
    pub connected: bool,
}

impl Actor {
    /// A backend with the app's secret.
    pub fn backend() -> Self {
        Self { identity: Arc::new(Identity::backend()), rules: Rules::default(), connected: false }
    }

    /// Does it hold the app's secret?
    pub fn is_backend(&self) -> bool {
        self.identity.principal == Principal::Backend
    }

    /// May it do this with a resource? The rules of `slots:{resource}` say so.
    pub fn may(&self, action: Action, resource: &ResourceId, now: Millis) -> bool {
        self.is_backend()
            || ChannelName::parse(&format!("slots:{resource}"))
                .is_ok_and(|channel| self.rules.decide(&self.identity, action, &channel, now).is_ok())
    }
}

/// How long a hold is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// As long as the resource's policy says.
    Usual,
    /// So long, or as long as the policy allows.
    For(Millis),
    /// Until somebody ends it; for backends.
    Endless,
}

/// What somebody wants to have.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Alternatives, each of them all or nothing; the first that fits is taken.
    pub any_of: Vec<Vec<Claim>>,
    /// For whom; the actor itself, where nobody is named. Naming somebody needs the secret.
    pub holder: Option<UserId>,
    /// The person's e-mail address.
    pub email: Option<Arc<str>>,
    /// What the site wants to know with it.
    pub meta: Option<Box<RawValue>>,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub enum Act {
    /// Hold a time for a while.
    Hold {
        /// What.
        wish: Wish,
        /// How long.
        ttl: Ttl,
        /// An own hold that ends with this one's grant.
        replace: Option<ReservationId>,
    },
    /// Hold it longer.
    Extend {
        /// Which hold.
        id: ReservationId,
        /// Its fence.
        fence: u64,
        /// How long from now.
        ttl: Ttl,
    },
    /// Let go of a hold.
    Release {
        /// Which hold.
        id: ReservationId,
        /// Its fence; staff needs none.
        fence: Option<u64>,
    },
    /// Make a booking of a hold.
    Confirm {
        /// Which hold.
        id: ReservationId,
        /// Its fence.
        fence: u64,
        /// Also when the hold has expired, if nobody took its time.
        if_still_free: bool,
        /// What the host's database calls it.
        external_ref: Option<ExternalRef>,
        /// The person's e-mail address, where the hold had none.
        email: Option<Arc<str>>,
        /// Replaces the hold's `meta`.
        meta: Option<Box<RawValue>>,
    },
    /// Book without a hold.
    Book {
        /// What.
        wish: Wish,
        /// What the host's database calls it.
        external_ref: Option<ExternalRef>,
    },
    /// Take one step of a booking's life.
    Step {
        /// Which booking.
        id: ReservationId,
        /// Which step.
        step: Step,
        /// Only if this was its last change.
        version: Option<u64>,
    },
    /// Move a booking to another time, in one step.
    Reschedule {
        /// Which booking.
        id: ReservationId,
        /// Its new claims.
        claims: Vec<Claim>,
        /// Only if this was its last change.
        version: Option<u64>,
    },
    /// Note what the host's database calls a booking.
    Link {
        /// Which booking.
        id: ReservationId,
        /// What it is called there.
        external_ref: ExternalRef,
    },
    /// Book whatever stands in the way.
    Override {
        /// What.
        wish: Wish,
        /// Why: it is told to the staff.
        reason: Arc<str>,
        /// Also over bookings, which stay; otherwise only holds give way.
        force: bool,
        /// What the host's database calls it.
        external_ref: Option<ExternalRef>,
    },
    /// Replace the blocks of a source.
    Block {
        /// Which source.
        source: SourceName,
        /// The moment that the blocks describe.
        as_of: Millis,
        /// All of its blocks: resource and span.
        spans: Vec<(ResourceId, Span)>,
    },
    /// Make a resource, or change it.
    PutResource(Box<ResourceWish>),
    /// Wait for a time.
    Join {
        /// What would do.
        wish: Wish,
    },
    /// Wait no more, or turn an offer down.
    Leave {
        /// Which entry.
        id: WaitId,
    },
    /// Take an offer: it stays held, and is to be confirmed.
    Accept {
        /// Which entry.
        id: WaitId,
    },
}

impl Act {
    /// The word for it: the command of the native dialect, and the scope of its idempotency keys.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Extend { .. } => "extend",
            Self::Release { .. } => "release",
            Self::Confirm { .. } => "confirm",
            Self::Book { .. } => "book",
            Self::Step { step, .. } => step.as_str(),
            Self::Reschedule { .. } => "reschedule",
            Self::Link { .. } => "link",
            Self::Override { .. } => "override",
            Self::Block { .. } => "block",
            Self::PutResource(_) => "put_resource",
            Self::Join { .. } => "join_waitlist",
            Self::Leave { .. } => "leave_waitlist",
            Self::Accept { .. } => "accept_offer",
        }
    }
}

/// A fence as somebody shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// The number: for whoever holds the app's secret, and staff.
    Number(u64),
    /// The sealed form that everybody else gets.
    Sealed(Box<str>),
}

/// What somebody asks of the ledger, before its fence has been opened.
#[derive(Debug, Clone)]
pub struct Plea {
    /// For what. Its own fence does not count yet.
    pub act: Act,
    /// The fence that is shown with it.
    pub fence: Option<Fence>,
    /// The idempotency key, where one was given.
    pub key: Option<EventId>,
    /// A hash of what was asked for, so that the same key for something else is noticed.
    pub body: u64,
}

impl PartialEq for Plea {
    fn eq(&self, other: &Self) -> bool {
        // Opaque JSON knows no equality of its own; its debug form has every byte of it.
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Eq for Plea {}

impl Plea {
    /// The reservation whose fence is shown.
    pub const fn fenced(&self) -> Option<&ReservationId> {
        match &self.act {
            Act::Extend { id, .. } | Act::Release { id, .. } | Act::Confirm { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The act with the fence that was opened.
    #[must_use]
    pub fn with_fence(mut self, opened: u64) -> Act {
        match &mut self.act {
            Act::Extend { fence, .. } | Act::Confirm { fence, .. } => *fence = opened,
            Act::Release { fence, .. } => *fence = Some(opened),
            _ => {}
        }
        self.act
    }
}

/// What a resource shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceWish {
    /// Its name.
    pub id: ResourceId,
    /// Units that can be claimed at once.
    pub capacity: u32,
    /// The buffer before each claim.
    pub before: Millis,
    /// The buffer behind each claim.
    pub after: Millis,
    /// The zone of its opening hours.
    pub time_zone: TimeZone,
    /// When it is open.
    pub hours: Hours,
    /// Who serves there.
    pub provider: Option<UserId>,
    /// What its holds and bookings may do.
    pub policy: Policy,
}

/// One step of a booking's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Say yes to a request.
    Approve,
    /// Say no to a request.
    Decline,
    /// It begins.
    Start,
    /// It is over as planned.
    Complete,
    /// It is called off.
    Cancel,
    /// Nobody came.
    NoShow,
}

impl Step {
    /// Every step, for tables of rules.
    pub const ALL: [Self; 6] =
        [Self::Approve, Self::Decline, Self::Start, Self::Complete, Self::Cancel, Self::NoShow];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Start => "start",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::NoShow => "no_show",
        }
    }
}

/// A time that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The next thing that a reservation has to do by itself: warn, end, remind.
    Reservation(ReservationId),
    /// The principal has been without a connection for the grace.
    Departed(Principal),
    /// The server has started again: every live hold gets a little time.
    Restarted(ReservationId),
}

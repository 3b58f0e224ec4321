//! What is asked of the ledger, and what comes back.

use std::sync::Arc;

use deskbell_core::ids::{AppId, ExternalRef, Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::limits::Millis;
use deskbell_core::log::Once;
use deskbell_core::position::Position;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::{
    Act, Command, Refused, Reply, Reservation, Resource, Segment, Span, State, Wait, Wish,
};

use super::post::look::{PostLook, PostSeen};
use super::submission::broken;

/// One command for the ledger of an app.
#[derive(Debug)]
pub struct Petition {
    /// The app.
    pub app: AppId,
    /// The command.
    pub command: Command,
    /// Lets a retry find its first answer for 24 hours.
    pub once: Option<Once>,
}

/// The command was decided and is safe on the disk.
#[derive(Debug, Clone)]
pub struct Ruled {
    /// The answer.
    pub reply: Reply,
    /// Where a reader stands who has the events of the change and all before it. See
    /// [`Receipt::at`](super::Receipt) for what is known of a retry's.
    pub at: Position,
    /// The same command was decided before; this is its first answer again.
    pub repeated: bool,
}

/// What became of a command. A store that cannot write refuses with `unavailable`.
pub type Ruling = Result<Ruled, Box<Refused>>;

/// Who waits for a ruling. It runs on the teller's thread, so it hands the ruling on and returns.
pub type Heard = Box<dyn FnOnce(Ruling) + Send>;

/// A ruling that is owed: given exactly once, also when its bearer is dropped by a panic.
pub(super) struct Hearing(Option<Heard>);

impl Hearing {
    pub(super) fn new(heard: Heard) -> Self {
        Self(Some(heard))
    }

    pub(super) fn give(mut self, ruling: Ruling) {
        if let Some(heard) = self.0.take() {
            heard(ruling);
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        if let Some(heard) = self.0.take() {
            heard(Err(plainly(broken())));
        }
    }
}

impl Petition {
    /// Bytes that it is charged with while it waits.
    pub(super) fn weight(&self) -> usize {
        let wish = |wish: &Wish| {
            wish.any_of.iter().map(|set| set.len() * 128).sum::<usize>()
                + wish.meta.as_ref().map_or(0, |meta| meta.get().len())
        };
        let own = match &self.command {
            Command::Due(_) => 0,
            Command::Ask { act, .. } => match act {
                Act::Hold { wish: wanted, .. }
                | Act::Book { wish: wanted, .. }
                | Act::Override { wish: wanted, .. }
                | Act::Join { wish: wanted } => wish(wanted),
                Act::Confirm { meta, .. } => meta.as_ref().map_or(0, |meta| meta.get().len()),
                Act::Reschedule { claims, .. } => claims.len() * 128,
                Act::Block { spans, .. } => spans.len() * 128,
                _ => 0,
            },
        };
        1_024 + own
    }
}

/// What somebody wants to see of the ledger. All of it is read from one moment of the file.
#[derive(Debug, Clone)]
pub enum Look {
    /// One reservation.
    Reservation(ReservationId),
    /// One entry of a waitlist.
    Wait(WaitId),
    /// One resource.
    Resource(ResourceId),
    /// Resources in the order of their ids.
    Resources {
        /// After this one.
        after: Option<ResourceId>,
        /// How many.
        limit: usize,
    },
    /// What is free of a resource.
    Availability {
        /// Of which.
        resource: ResourceId,
        /// When.
        span: Span,
        /// The time now, at which what has expired counts no longer.
        now: Millis,
    },
    /// Reservations in the order of their ids.
    Reservations {
        /// Which.
        filter: Filter,
        /// After this one.
        after: Option<ReservationId>,
        /// How many.
        limit: usize,
    },
    /// Reservations for a calendar, with the time of each one's last change.
    Calendar {
        /// Which.
        filter: Filter,
        /// How many.
        limit: usize,
    },
    /// Entries of waitlists that wait or have an offer, in the order in which they joined.
    Waits {
        /// Of this resource, or of all.
        resource: Option<ResourceId>,
        /// Of this principal, or of all.
        principal: Option<Principal>,
        /// After this place of the list ([`Wait::joined`]).
        after: u64,
        /// How many.
        limit: usize,
    },
    /// Something of inboxes and conversations.
    Post(PostLook),
}

/// Which reservations are meant: those for which everything that is named here is so. Sets of blocks
/// are none.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states. Where none is named, in any but those in which holds end: `released`
    /// and `expired`.
    pub states: Vec<State>,
    /// Of this holder.
    pub holder: Option<Principal>,
    /// With this e-mail address, in any case.
    pub email: Option<Arc<str>>,
    /// Which the host's database calls so.
    pub external_ref: Option<ExternalRef>,
    /// With a claim of this resource.
    pub resource: Option<ResourceId>,
    /// With a claim that overlaps this.
    pub span: Option<Span>,
}

/// What was seen.
#[derive(Debug, Clone)]
pub enum Seen {
    /// One reservation, if it is there.
    Reservation(Option<Arc<Reservation>>),
    /// One entry of a waitlist, if it is there.
    Wait(Option<Arc<Wait>>),
    /// One resource, if it is there.
    Resource(Option<Arc<Resource>>),
    /// Resources.
    Resources(Vec<Arc<Resource>>),
    /// What is free, if the resource is there.
    Availability(Option<(Arc<Resource>, Vec<Segment>)>),
    /// Reservations.
    Reservations(Vec<Arc<Reservation>>),
    /// Reservations, each with the time of its last change.
    Calendar(Vec<(Arc<Reservation>, Millis)>),
    /// Entries of waitlists.
    Waits(Vec<Arc<Wait>>),
    /// Something of inboxes and conversations.
    Post(PostSeen),
}

/// What was seen, and the ledger position that it shows.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// What was seen.
    pub seen: Seen,
    /// The last ledger row that it knows of, and the check value of that row.
    pub position: u64,
    /// See [`Position::ledger_check`].
    pub check: u32,
}

/// Who waits to see something. It runs on a thread of the store, so it hands it on and returns.
pub type Watched = super::Answered<Sighting>;

/// The refusal of a ledger that has nothing more to say than its code.
pub fn plainly(refusal: Refusal) -> Box<Refused> {
    Box::new(Refused { refusal, conflicts: Vec::new(), alternatives: Vec::new(), waiting: None })
}

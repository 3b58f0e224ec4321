//! The one rule of the ledger: who may claim what, when, and what becomes of it.
//!
//! [`decide`] is pure. It is given what is known of the ledger (a [`Slice`]), the moment, and one
//! command, and answers with a [`Change`] that happens as a whole, with the parts of the ledger that
//! it must know first, or with a refusal. Every store runs the same decisions, and what is shown as
//! free comes from the same [`usage`] as what is admitted.
//!
//! | file | what |
//! |---|---|
//! | `model` | resources, claims, reservations, waits |
//! | `policy` | what holds and bookings of a resource may do |
//! | `command` | what somebody, or the clock, wants |
//! | `outcome` | what became of it |
//! | `slice` | the part of the ledger that decisions are made on |
//! | `steps` | how much of a resource is used when |
//! | `decide` | the decisions |
//! | `due` | what a reservation does by itself, and when |
//! | `announce` | what is told of a change, and to whom |
//! | `shown` | an answer as whoever asked may see it |
//! | `starts` | when a claim could begin |

mod announce;
mod command;
mod decide;
mod due;
mod model;
mod outcome;
mod policy;
mod shown;
mod slice;
mod starts;
mod steps;

pub use crate::calendar::Span;
pub use announce::{Announcement, Owed, Sight, View, WaitView};
pub use command::{Act, Actor, Command, Due, Fence, Plea, ResourceWish, Step, Ttl, Wish};
pub use decide::{Moment, decide};
pub use due::next_due;
pub use model::{
    ALL_UNITS, BlockSet, By, Claim, Granted, Piece, Reservation, Resource, State, Strikes, Wait, WaitState,
};
pub use outcome::{Alternative, Change, Conflict, Decision, Refused, Reply, Told, What};
pub use policy::{Policy, Waitlist};
pub use shown::{Onlooker, ShownReply, ShownReservation, ShownResource};
pub use slice::{Belongings, Key, Slice, Touched, Unsaved};
pub use starts::{Asked, starts};
pub use steps::{Segment, counts, peak, segments, usage, within_hours};

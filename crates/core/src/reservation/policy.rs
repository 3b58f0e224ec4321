//! What holds and bookings of a resource may do.

use serde::{Deserialize, Serialize};

use crate::limits::{self, Millis};

/// What holds and bookings of a resource may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How long a hold lasts where nobody says otherwise.
    pub hold_ttl_ms: Millis,
    /// The whole life of a hold, whatever is extended.
    pub max_life_ms: Millis,
    /// A confirmed hold waits for approval.
    pub approval: bool,
    /// What waits for approval claims its time.
    pub pending_claims: bool,
    /// A request that nobody has answered after this time is declined.
    pub approval_ttl_ms: Option<Millis>,
    /// What happens when a waited-for time becomes free.
    pub waitlist: Waitlist,
    /// How long the first of the waitlist has for its answer.
    pub offer_ttl_ms: Millis,
    /// How long before a start `reminder.due` is told.
    pub reminders_ms: Vec<Millis>,
    /// A booking without `external_ref` is told as `booking.unlinked` after this time.
    pub unlinked_after_ms: Option<Millis>,
    /// Live holds that one principal may have where it holds a time here.
    #[serde(skip_serializing_if = "is_usual_number")]
    pub holds: usize,
    /// Whoever lets holds expire gets shorter ones, and then none for a while.
    #[serde(skip_serializing_if = "is_true")]
    pub back_off: bool,
    /// Times that are over can be claimed as well: the site's own rules say what can be booked.
    #[serde(skip_serializing_if = "is_false")]
    pub past: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hold_ttl_ms: limits::HOLD_TTL,
            max_life_ms: limits::HOLD_LIFE,
            approval: false,
            pending_claims: true,
            approval_ttl_ms: None,
            waitlist: Waitlist::Offer,
            offer_ttl_ms: limits::OFFER_TTL,
            reminders_ms: Vec::new(),
            unlinked_after_ms: None,
            holds: limits::HOLDS_PER_PRINCIPAL,
            back_off: true,
            past: false,
        }
    }
}

// Serde gives the fields by reference. What is as usual is not written, so that the stored form and the answers of
// all other resources stay what they were.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_usual_number(holds: &usize) -> bool {
    *holds == limits::HOLDS_PER_PRINCIPAL
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_true(value: &bool) -> bool {
    *value
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// What happens when a waited-for time becomes free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waitlist {
    /// Nobody can wait.
    Off,
    /// The first entry that fits gets a hold of it.
    Offer,
    /// Everybody who waits for it is told, and nobody gets anything.
    Open,
}

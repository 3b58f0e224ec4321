//! What the site's backend says of its appointments. It is what has happened already: the ledger follows.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::ids::{ExternalRef, UserId};
use crate::limits::Millis;
use crate::reservation::{Act, Claim, Reservation, State, Step, Wish};

/// Why a booking was made over what was there, as the staff reads it.
const REASON: &str = "the site has booked this time";

/// An appointment as the site has it.
#[derive(Debug, Clone)]
pub struct Appointment {
    /// What the site calls it.
    pub external_ref: ExternalRef,
    /// What it takes.
    pub claim: Claim,
    /// The customer's e-mail address.
    pub email: Option<Arc<str>>,
    /// The rest of what the site said of it, as JSON.
    pub meta: Option<Box<RawValue>>,
}

/// Something that a backend says.
#[derive(Debug, Clone)]
pub enum Notice {
    /// There is this appointment: it is new, or something about it is.
    Is(Appointment),
    /// An appointment was called off.
    Cancelled(ExternalRef),
}

/// What the ledger has of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The reservation that bears the site's name for it.
    pub named: Option<&'a Reservation>,
    /// The live reservation that is in its slot.
    pub in_the_slot: Option<&'a Reservation>,
}

impl Notice {
    /// What to ask of the ledger, as a backend; nothing, where the ledger says the same already.
    pub fn act(&self, known: Known<'_>, now: Millis) -> Option<Act> {
        let named = known.named.filter(|named| !named.state.is_over() && named.is_live(now));
        match (self, named) {
            (Self::Cancelled(_), None) => None,
            (Self::Cancelled(_), Some(named)) => Some(ended(named)),
            (Self::Is(appointment), Some(named)) => appointment.moves(named),
            (Self::Is(appointment), None) => Some(appointment.takes(known.in_the_slot)),
        }
    }

    /// What to ask where that was refused because the time is taken: the site has booked it all the same. What it
    /// now lies over is told to the staff.
    pub fn all_the_same(&self) -> Option<Act> {
        let Self::Is(appointment) = self else { return None };
        Some(Act::Override {
            wish: appointment.wish(),
            reason: REASON.into(),
            force: true,
            external_ref: Some(appointment.external_ref.clone()),
        })
    }
}

/// How a reservation is called off.
fn ended(named: &Reservation) -> Act {
    let id = named.id.clone();
    if named.state == State::Held {
        return Act::Release { id, fence: Some(named.fence) };
    }
    Act::Step { id, step: Step::Cancel, version: None }
}

impl Appointment {
    /// It is known: only another time changes anything.
    fn moves(&self, named: &Reservation) -> Option<Act> {
        let same = matches!(&named.claims[..], [only] if only.claim == self.claim);
        (!same).then(|| Act::Reschedule {
            id: named.id.clone(),
            claims: vec![self.claim.clone()],
            version: None,
        })
    }

    /// It is new: a lock of its slot becomes its booking, unless the lock is another customer's.
    fn takes(&self, in_the_slot: Option<&Reservation>) -> Act {
        let external_ref = Some(self.external_ref.clone());
        match in_the_slot.filter(|found| found.state == State::Held) {
            Some(hold) if self.may_be_of(hold) => Act::Confirm {
                id: hold.id.clone(),
                fence: hold.fence,
                if_still_free: true,
                external_ref,
                email: self.email.clone(),
                meta: self.meta.clone(),
            },
            Some(_) => Act::Override { wish: self.wish(), reason: REASON.into(), force: false, external_ref },
            None => Act::Book { wish: self.wish(), external_ref },
        }
    }

    /// Nobody knows whose an anonymous lock is; one with an address is that person's alone.
    fn may_be_of(&self, hold: &Reservation) -> bool {
        match (&hold.email, &self.email) {
            (Some(locked), Some(booked)) => locked.eq_ignore_ascii_case(booked),
            (None, _) => true,
            (Some(_), None) => false,
        }
    }

    fn wish(&self) -> Wish {
        let lower = self.email.as_deref().map(str::to_ascii_lowercase);
        Wish {
            any_of: vec![vec![self.claim.clone()]],
            holder: lower.and_then(|email| UserId::parse(&email).ok()),
            email: self.email.clone(),
            meta: self.meta.clone(),
        }
    }
}

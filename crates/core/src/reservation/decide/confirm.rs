//! A hold becomes a booking, or a request for one.

use super::super::command::{Act, Actor};
use super::super::model::{Reservation, State, WaitState};
use super::super::outcome::{Stop, What, no};
use super::hold::fits_fence;
use super::{Done, Work, same};
use crate::access::Action;
use crate::limits::{self, Millis};
use crate::refusal::Code;

impl Work<'_> {
    pub(super) fn confirm(&mut self, actor: &Actor, act: &Act) -> Result<Done, Stop> {
        let Act::Confirm { id, fence, if_still_free, external_ref, email, meta } = act else {
            return no(Code::BadState, "this is no confirmation");
        };
        let old = self.reservation(id)?;
        self.of_holder_or_staff(actor, &old)?;
        let mut resources = old.claims.iter().map(|granted| &granted.claim.resource);
        if !self.is_staff(actor, &old)
            && !resources.all(|resource| actor.may(Action::Confirm, resource, self.now()))
        {
            return no(Code::Denied, "only a backend confirms here; an access rule can allow `confirm`");
        }
        fits_fence(&old, Some(*fence))?;
        match old.state {
            State::Pending | State::Booked | State::Active => return Ok(same(&old)),
            State::Held if old.is_live(self.now()) => {}
            State::Held | State::Expired if *if_still_free => {
                for granted in &old.claims {
                    let resource = self.resource(&granted.claim.resource)?;
                    self.is_in_time(granted.claim.span(), &resource)?;
                }
                let found = self.in_the_way(&old.claims, std::slice::from_ref(&old.id))?;
                if !found.is_empty() {
                    return self.conflict(actor, &old.claims, found);
                }
            }
            State::Held | State::Expired => {
                return no(
                    Code::HoldExpired,
                    "the hold was not confirmed in time; nothing is booked, so pay back or use `if_still_free`",
                );
            }
            state => return no(Code::BadState, format!("this is {}; hold the time anew", state.as_str())),
        }
        let mut new = (*old).clone();
        if !old.is_live(self.now()) {
            new.fence = self.moment.position;
        }
        new.external_ref = external_ref.clone().or(new.external_ref);
        new.email = email.clone().or(new.email);
        new.meta = meta.clone().or(new.meta);
        self.becomes_booking(new)
    }

    /// What is held, or fits, becomes a booking, or a request where somebody must say yes.
    pub(super) fn becomes_booking(&mut self, mut new: Reservation) -> Result<Done, Stop> {
        let policies = self.policies(&new.claims)?;
        let wait = new.offer.clone();
        (new.expires_at, new.life_until, new.tied) = (None, None, false);
        let mut approving = policies.iter().filter(|policy| policy.approval).peekable();
        let what = if approving.peek().is_some() {
            new.state = State::Pending;
            // Where one of several resources keeps the time of a request, the whole request keeps it.
            new.unclaimed = approving.all(|policy| !policy.pending_claims);
            let deadline = policies.iter().filter_map(|policy| policy.approval_ttl_ms).min();
            new.expires_at = deadline.map(|ttl| self.now() + ttl);
            What::Requested
        } else {
            self.set_booked(&mut new)?;
            What::Confirmed
        };
        let done = self.put_and_reply(new, what, None);
        if let Some(id) = wait {
            self.move_wait(&id, WaitState::Accepted)?;
        }
        Ok(done)
    }

    /// Sets what a booking does by itself later.
    pub(super) fn set_booked(&mut self, new: &mut Reservation) -> Result<(), Stop> {
        let policies = self.policies(&new.claims)?;
        new.state = State::Booked;
        new.unclaimed = false;
        new.expires_at = None;
        let start = new.claims.iter().map(|granted| granted.claim.start).min().unwrap_or(0);
        let offsets = policies.iter().flat_map(|policy| policy.reminders_ms.iter());
        let mut at: Vec<Millis> = offsets.map(|before| start.saturating_sub(*before)).collect();
        at.retain(|at| *at > self.now());
        at.sort_unstable_by(|a, b| b.cmp(a));
        at.dedup();
        at.truncate(limits::REMINDERS);
        new.remind_at = at;
        let patience = policies.iter().filter_map(|policy| policy.unlinked_after_ms).min();
        new.unlinked_at = patience.filter(|_| new.external_ref.is_none()).map(|after| self.now() + after);
        Ok(())
    }
}

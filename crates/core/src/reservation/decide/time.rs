//! What happens by itself: warnings, ends, reminders, the holder's absence, a restart.

use std::sync::Arc;

use super::super::model::{Reservation, State, WaitState};
use super::super::outcome::{Reply, Stop, What};
use super::super::slice::Key;
use super::{Done, Work};
use crate::ids::{Principal, ReservationId};
use crate::limits;

impl Work<'_> {
    /// The next thing that a reservation does by itself. A timer that came too early finds nothing to do.
    pub(super) fn time_has_come(&mut self, id: &ReservationId) -> Result<Done, Stop> {
        let old = self.reservation(id)?;
        let now = self.now();
        match old.state {
            State::Held if !old.is_live(now) => self.expire(&old),
            State::Held
                if !old.warned && old.expires_at.is_some_and(|at| at <= now + limits::HOLD_WARNING) =>
            {
                let new = Reservation { warned: true, ..(*old).clone() };
                Ok(self.put_and_reply(new, What::Expiring, None))
            }
            State::Pending if old.expires_at.is_some_and(|at| at <= now) => {
                let new = Reservation { state: State::Declined, expires_at: None, ..(*old).clone() };
                Ok(self.put_and_reply(new, What::Declined, Some("deadline")))
            }
            State::Booked if old.remind_at.last().is_some_and(|at| *at <= now) => {
                let mut new = (*old).clone();
                // After a long absence one reminder is enough.
                new.remind_at.retain(|at| *at > now);
                Ok(self.put_and_reply(new, What::Reminder, None))
            }
            State::Booked | State::Active if old.unlinked_at.is_some_and(|at| at <= now) => {
                let new = Reservation { unlinked_at: None, ..(*old).clone() };
                Ok(self.put_and_reply(new, What::Unlinked, None))
            }
            _ => Ok(Done::Same(Reply::default())),
        }
    }

    /// A hold's time is over. Whoever lets that happen often gets less of it.
    pub(super) fn expire(&mut self, old: &Arc<Reservation>) -> Result<Done, Stop> {
        if old.holder != Principal::Backend && self.was_wanted(old)? {
            let mut counted: Vec<_> =
                old.claims.iter().map(|granted| granted.claim.resource.clone()).collect();
            counted.sort_unstable();
            counted.dedup();
            self.slice.need(counted.iter().map(|id| Key::Resource(id.clone())))?;
            counted.retain(|id| self.resource(id).is_ok_and(|found| found.policy.back_off));
            self.slice.need(counted.iter().map(|id| Key::Strikes(old.holder.clone(), id.clone())))?;
            for resource in counted {
                let before = self.slice.strikes(&old.holder, &resource).cloned().unwrap_or_default();
                self.change.strikes.push((old.holder.clone(), resource, before.and(self.now())));
            }
        }
        let new = Reservation { state: State::Expired, ..(**old).clone() };
        let done = self.put_and_reply(new, What::Expired, None);
        self.close_offer(old, WaitState::Lapsed)?;
        Ok(done)
    }

    /// Did its holder want it? An offer that came while nobody was looking is no fault of its holder's. One that
    /// was taken, or that was free when its holder joined the list, is a hold like any other.
    fn was_wanted(&self, hold: &Reservation) -> Result<bool, Stop> {
        let Some(id) = &hold.offer else { return Ok(true) };
        let wait = self.known_wait(id)?;
        Ok(wait.is_none_or(|wait| wait.state == WaitState::Accepted || wait.joined == hold.fence))
    }

    /// Ends what a principal holds over connections that it no longer has.
    pub(super) fn departed(&mut self, principal: &Principal) -> Result<Done, Stop> {
        let mut holds = self.own_holds(principal)?;
        holds.retain(|hold| hold.tied);
        if holds.is_empty() {
            return Ok(Done::Same(Reply::default()));
        }
        for old in holds {
            let new = Reservation { state: State::Released, ..(*old).clone() };
            self.put(new, What::Released, Some("disconnected"));
            self.close_offer(&old, WaitState::Left)?;
        }
        Ok(Done::Changed)
    }

    /// Whoever held something when the server stopped gets a little time to come back, within the
    /// hold's life. What was over before that comes back only if nobody took its time meanwhile.
    pub(super) fn restarted(&mut self, id: &ReservationId) -> Result<Done, Stop> {
        let old = self.reservation(id)?;
        let now = self.now();
        let least = now + limits::HOLD_RESTART;
        let until = old.life_until.map_or(least, |life| life.min(least));
        match old.expires_at {
            Some(at) if old.state == State::Held && at < until && now < until => {
                // It may have run out meanwhile, and its time may be somebody else's by now.
                if !old.is_live(now)
                    && !self.in_the_way(&old.claims, std::slice::from_ref(&old.id))?.is_empty()
                {
                    return self.expire(&old);
                }
                let warned = old.warned || until - now <= limits::HOLD_WARNING;
                let new = Reservation { expires_at: Some(until), warned, ..(*old).clone() };
                Ok(self.put_and_reply(new, What::Extended, Some("restart")))
            }
            _ => Ok(Done::Same(Reply::default())),
        }
    }
}

//! A booking's life in naive words, and what happens by itself.

use deskbell_core::ids::{ExternalRef, Principal, ReservationId};
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Actor, Claim, Reservation, State, Step, WaitState, Wish};

use super::{Turn, Turned, live, no, whose};

impl Turn<'_> {
    /// What was held or fits is booked now, or asked for where somebody must say yes.
    pub(super) fn becomes_booking(&mut self, mut new: Reservation) {
        let resources = self.resources_of(&new.claims);
        let asking: Vec<_> = resources.iter().map(|r| &r.policy).filter(|policy| policy.approval).collect();
        let offer = new.offer.clone();
        (new.expires_at, new.life_until, new.tied) = (None, None, false);
        if asking.is_empty() {
            self.booked(&mut new);
            self.put_and_reply(new, "booking.confirmed");
        } else {
            new.state = State::Pending;
            new.unclaimed = !asking.iter().any(|policy| policy.pending_claims);
            let deadlines = resources.iter().filter_map(|resource| resource.policy.approval_ttl_ms);
            new.expires_at = deadlines.min().map(|ttl| self.now + ttl);
            self.put_and_reply(new, "booking.requested");
        }
        if let Some(id) = offer {
            self.move_wait(&id, WaitState::Accepted);
        }
    }

    pub(super) fn booked(&self, new: &mut Reservation) {
        let resources = self.resources_of(&new.claims);
        (new.state, new.unclaimed, new.expires_at) = (State::Booked, false, None);
        let start = new.claims.iter().map(|granted| granted.claim.start).min().unwrap_or(0);
        let all = resources.iter().flat_map(|resource| &resource.policy.reminders_ms);
        let mut at: Vec<_> =
            all.map(|before| start.saturating_sub(*before)).filter(|at| *at > self.now).collect();
        at.sort_unstable();
        at.dedup();
        at.reverse();
        at.truncate(limits::REMINDERS);
        new.remind_at = at;
        let patience = resources.iter().filter_map(|resource| resource.policy.unlinked_after_ms).min();
        new.unlinked_at = patience.filter(|_| new.external_ref.is_none()).map(|ms| self.now + ms);
    }

    pub(super) fn book(&mut self, actor: &Actor, wish: &Wish, link: Option<&ExternalRef>) -> Turned {
        let who = whose(actor, wish.holder.as_ref())?;
        let sets = self.sets(actor, wish)?;
        let mut ids = sets.iter().flatten().map(|granted| &granted.claim.resource);
        if !ids.all(|id| self.may(actor, "confirm", id) || self.may(actor, "manage", id)) {
            return no(Code::Denied);
        }
        self.those_who_wait_first(&sets);
        let Some(set) = sets.iter().find(|set| self.all.in_the_way(set, &[], self.now).is_empty()) else {
            let by = self.all.in_the_way(&sets[0], &[], self.now);
            return self.conflict(&sets[0], by);
        };
        let mut new = self.new_reservation(State::Held, who, set.clone());
        new.email.clone_from(&wish.email);
        new.meta.clone_from(&wish.meta);
        new.external_ref = link.cloned();
        self.becomes_booking(new);
        Ok(())
    }

    fn booking(&self, id: &ReservationId, version: Option<u64>) -> Turned<Reservation> {
        let old = self.find(id)?;
        if old.block.is_some() {
            return no(Code::BadState);
        }
        if version.is_some_and(|version| version != old.version) {
            return no(Code::StaleVersion);
        }
        Ok(old)
    }

    pub(super) fn step(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        step: Step,
        version: Option<u64>,
    ) -> Turned {
        let mut new = self.booking(id, version)?;
        let resources = self.resources_of(&new.claims);
        let provides = resources.iter().all(|resource| {
            let provider = resource.provider.clone().map(Principal::User);
            provider.as_ref() == Some(&actor.identity.principal)
        });
        if !self.staff(actor, &new) && !provides {
            if actor.identity.principal != new.holder {
                return no(Code::NotHolder);
            }
            let may = resources.iter().all(|resource| self.may(actor, "confirm", &resource.id));
            if step != Step::Cancel || !may {
                return no(Code::Denied);
            }
        }
        let (from, to, what): (&[State], _, _) = match step {
            Step::Approve => (&[State::Pending], State::Booked, "booking.confirmed"),
            Step::Decline => (&[State::Pending], State::Declined, "booking.declined"),
            Step::Start => (&[State::Booked], State::Active, "booking.started"),
            Step::Complete => (&[State::Active], State::Completed, "booking.completed"),
            Step::Cancel => {
                (&[State::Pending, State::Booked, State::Active], State::Cancelled, "booking.cancelled")
            }
            Step::NoShow => (&[State::Booked], State::NoShow, "booking.no_show"),
        };
        if new.state == to {
            self.answer.reservation = Some(new);
            return Ok(());
        }
        if !from.contains(&new.state) {
            return no(Code::BadState);
        }
        if step == Step::Approve {
            if new.expires_at.is_some_and(|deadline| deadline <= self.now) {
                return no(Code::BadState);
            }
            let by = self.all.in_the_way(&new.claims, std::slice::from_ref(id), self.now);
            if new.unclaimed && !by.is_empty() {
                return self.conflict(&new.claims, by);
            }
            self.booked(&mut new);
        } else {
            new.remind_at.clear();
            new.expires_at = None;
            if step != Step::Start {
                new.unlinked_at = None;
            }
        }
        new.state = to;
        self.put_and_reply(new, what);
        Ok(())
    }

    pub(super) fn reschedule(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        claims: &[Claim],
        version: Option<u64>,
    ) -> Turned {
        let old = self.booking(id, version)?;
        if !self.staff(actor, &old) {
            return no(Code::Denied);
        }
        if old.state != State::Booked {
            return no(Code::BadState);
        }
        let set = self.set(actor, claims)?;
        let by = self.all.in_the_way(&set, std::slice::from_ref(id), self.now);
        if !by.is_empty() {
            return self.conflict(&set, by);
        }
        let unlinked_at = old.unlinked_at;
        let mut new = Reservation { claims: set, forced: false, ..old };
        self.booked(&mut new);
        new.unlinked_at = unlinked_at;
        self.put_and_reply(new, "booking.rescheduled");
        Ok(())
    }

    pub(super) fn link(&mut self, actor: &Actor, id: &ReservationId, link: &ExternalRef) -> Turned {
        let old = self.booking(id, None)?;
        if !self.staff(actor, &old) {
            return no(Code::Denied);
        }
        if old.external_ref.as_ref() == Some(link) {
            self.answer.reservation = Some(old);
            return Ok(());
        }
        let new = Reservation { external_ref: Some(link.clone()), unlinked_at: None, ..old };
        self.put_and_reply(new, "booking.linked");
        Ok(())
    }

    pub(super) fn time_has_come(&mut self, id: &ReservationId) -> Turned {
        let mut new = self.find(id)?;
        let passed = |at: Option<u64>| at.is_some_and(|at| at <= self.now);
        match new.state {
            State::Held if passed(new.expires_at) => self.expire(&new),
            State::Held
                if !new.warned
                    && passed(new.expires_at.map(|at| at.saturating_sub(limits::HOLD_WARNING))) =>
            {
                new.warned = true;
                self.put_and_reply(new, "hold.expiring");
            }
            State::Pending if passed(new.expires_at) => {
                (new.state, new.expires_at) = (State::Declined, None);
                self.put_and_reply(new, "booking.declined");
            }
            State::Booked if new.remind_at.iter().any(|at| *at <= self.now) => {
                new.remind_at.retain(|at| *at > self.now);
                self.put_and_reply(new, "reminder.due");
            }
            State::Booked | State::Active if passed(new.unlinked_at) => {
                new.unlinked_at = None;
                self.put_and_reply(new, "booking.unlinked");
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn departed(&mut self, who: &Principal) {
        for old in self.own_holds(who).into_iter().filter(|hold| hold.tied) {
            self.put(Reservation { state: State::Released, ..old.clone() }, "hold.released");
            self.close_offer(&old, WaitState::Left);
        }
    }

    pub(super) fn restarted(&mut self, id: &ReservationId) -> Turned {
        let old = self.find(id)?;
        let least = self.now + limits::HOLD_RESTART;
        let until = old.life_until.map_or(least, |life| life.min(least));
        let Some(at) = old.expires_at.filter(|_| old.state == State::Held) else { return Ok(()) };
        if until <= at || until <= self.now {
            return Ok(());
        }
        let taken = !self.all.in_the_way(&old.claims, std::slice::from_ref(id), self.now).is_empty();
        if !live(&old, self.now) && taken {
            self.expire(&old);
            return Ok(());
        }
        let warned = old.warned || until - self.now <= limits::HOLD_WARNING;
        self.put_and_reply(Reservation { expires_at: Some(until), warned, ..old }, "hold.extended");
        Ok(())
    }
}

//! A hold's life in naive words: granted, extended, released, confirmed, run out.

use deskbell_core::ids::{Principal, ReservationId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Act, Actor, Granted, Reservation, State, Ttl, WaitState, Wish};

use super::{Turn, Turned, live, no, padded, same_time, sensible, whose};

impl Turn<'_> {
    /// The live holds of somebody in particular, the oldest first.
    pub(super) fn own_holds(&self, who: &Principal) -> Vec<Reservation> {
        let held = |r: &&Reservation| r.holder == *who && r.state == State::Held && live(r, self.now);
        let mut own: Vec<_> = self.all.reservations.iter().filter(held).cloned().collect();
        own.retain(|_| *who != Principal::Backend);
        own.sort_by(|a, b| (a.fence, &a.id).cmp(&(b.fence, &b.id)));
        own
    }

    pub(super) fn hold(
        &mut self,
        actor: &Actor,
        wish: &Wish,
        ttl: Ttl,
        replace: Option<&ReservationId>,
    ) -> Turned {
        let who = whose(actor, wish.holder.as_ref())?;
        let sets = self.sets(actor, wish)?;
        let mut own = self.own_holds(&who);
        own.retain(|own| Some(&own.id) != replace);
        // A second hold of the same time is the first one, and lasts no longer for it.
        if let Some(mine) = own.iter().find(|own| sets.iter().any(|set| same_time(own, set))) {
            self.answer.reservation = Some(mine.clone());
            return Ok(());
        }
        let most = sets.iter().flat_map(|set| self.resources_of(set)).map(|resource| resource.policy.holds);
        if own.iter().filter(|hold| hold.offer.is_none()).count() >= most.min().unwrap_or(0) {
            return no(Code::Quota);
        }
        self.those_who_wait_first(&sets);
        // Whoever waits for the time itself has its own offer now.
        let new = |r: &&Reservation| r.holder == who && r.fence == self.position;
        let padded_set = |set: &[Granted], mine: &Granted| {
            let same = |other: &&Granted| other.claim.resource == mine.claim.resource;
            set.iter().filter(same).any(|other| padded(other).overlaps(padded(mine)))
        };
        let mine = self
            .all
            .reservations
            .iter()
            .filter(new)
            .find(|offer| offer.claims.iter().any(|mine| sets.iter().any(|set| padded_set(set, mine))));
        if let Some(mine) = mine.cloned() {
            self.answer.reservation = Some(mine);
            return Ok(());
        }
        let old = replace.map(|id| self.give_up(actor, &who, id)).transpose()?;
        if let Some(set) = sets.iter().find(|set| self.all.in_the_way(set, &[], self.now).is_empty()) {
            let new = self.granted_hold(actor, who, set, wish, ttl, old.as_ref())?;
            self.put_and_reply(new, "hold.granted");
            return Ok(());
        }
        let ids: Vec<_> = own.iter().map(|own| own.id.clone()).collect();
        for set in &sets {
            let by = self.all.in_the_way(set, &[], self.now);
            let mine = own.iter().find(|own| by.iter().any(|(_, id)| *id == Some(own.id.clone())));
            if let (Some(mine), true) = (mine, self.all.in_the_way(set, &ids, self.now).is_empty()) {
                let mine = mine.clone();
                self.answer = super::Answer { reservation: Some(mine), ..super::Answer::default() };
                return Ok(());
            }
        }
        let by = self.all.in_the_way(&sets[0], &[], self.now);
        self.conflict(&sets[0], by)
    }

    fn give_up(&mut self, actor: &Actor, who: &Principal, id: &ReservationId) -> Turned<Reservation> {
        let old = self.find(id)?;
        if old.holder != *who && !self.staff(actor, &old) {
            return no(Code::NotHolder);
        }
        if old.state != State::Held || !live(&old, self.now) {
            return no(Code::HoldExpired);
        }
        self.put(Reservation { state: State::Released, ..old.clone() }, "hold.released");
        self.close_offer(&old, WaitState::Left);
        Ok(old)
    }

    fn granted_hold(
        &mut self,
        actor: &Actor,
        who: Principal,
        set: &[Granted],
        wish: &Wish,
        ttl: Ttl,
        old: Option<&Reservation>,
    ) -> Turned<Reservation> {
        let resources = self.resources_of(set);
        let life = resources.iter().map(|resource| resource.policy.max_life_ms).min().unwrap_or(0);
        let usual = resources.iter().map(|resource| resource.policy.hold_ttl_ms).min().unwrap_or(0);
        let wanted = match ttl {
            Ttl::Endless if actor.is_backend() => None,
            Ttl::Endless => return no(Code::Denied),
            Ttl::For(ms) if ms < limits::HOLD_TTL_LEAST => return no(Code::BadField),
            Ttl::For(ms) => Some(ms),
            Ttl::Usual => Some(usual),
        };
        let wanted = wanted.map(|wanted| self.backed_off(&who, set, wanted)).transpose()?;
        let mut new = self.new_reservation(State::Held, who, set.to_vec());
        new.email.clone_from(&wish.email);
        new.meta.clone_from(&wish.meta);
        new.tied = actor.connected;
        new.life_until = wanted.map(|_| self.now + life);
        // A hold that replaces another of the same time lives no longer than that one would have.
        if let Some(until) = old.filter(|old| same_time(old, set)).and_then(|old| old.life_until)
            && let Some(own) = new.life_until
        {
            new.life_until = Some(own.min(until));
        }
        let latest = new.life_until.unwrap_or(Millis::MAX);
        new.expires_at = wanted.map(|wanted| (self.now + wanted.min(life)).min(latest));
        new.warned = new.expires_at.is_none_or(|at| at - self.now <= limits::HOLD_WARNING);
        Ok(new)
    }

    /// After three expiries within an hour half of the time is left, after four nothing.
    pub(super) fn backed_off(&self, who: &Principal, set: &[Granted], wanted: Millis) -> Turned<Millis> {
        let recent = |granted: &Granted| {
            let here = |(of, resource, at): &&(Principal, _, Millis)| {
                of == who && *resource == granted.claim.resource && self.now < at + limits::STRIKE_WINDOW
            };
            let counts = self.all.resource(&granted.claim.resource).is_some_and(|r| r.policy.back_off);
            if counts { self.all.strikes.iter().filter(here).count() } else { 0 }
        };
        match set.iter().map(recent).max().unwrap_or(0) {
            0..3 => Ok(wanted),
            3 => Ok((wanted / 2).max(limits::HOLD_TTL_LEAST)),
            _ => no(Code::Quota),
        }
    }

    fn may_touch(&self, actor: &Actor, hold: &Reservation) -> Turned {
        let may = actor.identity.principal == hold.holder || self.staff(actor, hold);
        if may { Ok(()) } else { no(Code::NotHolder) }
    }

    pub(super) fn extend(&mut self, actor: &Actor, id: &ReservationId, fence: u64, ttl: Ttl) -> Turned {
        let old = self.find(id)?;
        self.may_touch(actor, &old)?;
        if fence != old.fence {
            return no(Code::StaleFence);
        }
        match old.state {
            State::Held if live(&old, self.now) => {}
            State::Held | State::Expired => return no(Code::HoldExpired),
            _ => return no(Code::BadState),
        }
        let Some(expires_at) = old.expires_at else {
            self.answer.reservation = Some(old);
            return Ok(());
        };
        let usual = self.resources_of(&old.claims).iter().map(|r| r.policy.hold_ttl_ms).min().unwrap_or(0);
        let wanted = match ttl {
            Ttl::Usual => usual,
            Ttl::For(ms) if ms >= limits::HOLD_TTL_LEAST => ms,
            _ => return no(Code::BadField),
        };
        let wanted = self.backed_off(&old.holder, &old.claims, wanted)?;
        let latest = old.life_until.unwrap_or(Millis::MAX);
        let until = (self.now + wanted).min(latest);
        if until <= expires_at {
            if latest <= expires_at {
                return no(Code::MaxLife);
            }
            self.answer.reservation = Some(old);
            return Ok(());
        }
        let warned = until <= self.now + limits::HOLD_WARNING;
        self.put_and_reply(Reservation { expires_at: Some(until), warned, ..old }, "hold.extended");
        Ok(())
    }

    pub(super) fn release(&mut self, actor: &Actor, id: &ReservationId, fence: Option<u64>) -> Turned {
        let old = self.find(id)?;
        self.may_touch(actor, &old)?;
        match fence {
            None if !self.staff(actor, &old) => return no(Code::BadField),
            Some(fence) if fence != old.fence => return no(Code::StaleFence),
            _ => {}
        }
        match old.state {
            State::Held if live(&old, self.now) => {
                self.put_and_reply(Reservation { state: State::Released, ..old.clone() }, "hold.released");
                self.close_offer(&old, WaitState::Left);
            }
            State::Held => self.expire(&old),
            State::Released | State::Expired => self.answer.reservation = Some(old),
            _ => return no(Code::BadState),
        }
        Ok(())
    }

    pub(super) fn expire(&mut self, old: &Reservation) {
        let wait = old.offer.as_ref().and_then(|id| self.all.waits.iter().find(|wait| wait.id == *id));
        let wanted = wait.is_none_or(|wait| wait.state == WaitState::Accepted || wait.joined == old.fence);
        if old.holder != Principal::Backend && wanted {
            let mut resources: Vec<_> = old.claims.iter().map(|c| c.claim.resource.clone()).collect();
            resources.sort();
            resources.dedup();
            resources.retain(|id| self.all.resource(id).is_some_and(|resource| resource.policy.back_off));
            let strikes = resources.into_iter().map(|id| (old.holder.clone(), id, self.now));
            self.all.strikes.extend(strikes);
        }
        self.put_and_reply(Reservation { state: State::Expired, ..old.clone() }, "hold.expired");
        self.close_offer(old, WaitState::Lapsed);
    }

    pub(super) fn confirm(&mut self, actor: &Actor, act: &Act) -> Turned {
        let Act::Confirm { id, fence, if_still_free, external_ref, email, meta } = act else { return Ok(()) };
        let mut new = self.find(id)?;
        self.may_touch(actor, &new)?;
        let may = new.claims.iter().all(|granted| self.may(actor, "confirm", &granted.claim.resource));
        if !may && !self.staff(actor, &new) {
            return no(Code::Denied);
        }
        if *fence != new.fence {
            return no(Code::StaleFence);
        }
        match new.state {
            State::Pending | State::Booked | State::Active => {
                self.answer.reservation = Some(new);
                return Ok(());
            }
            State::Held if live(&new, self.now) => {}
            State::Held | State::Expired if !if_still_free => return no(Code::HoldExpired),
            State::Held | State::Expired => {
                let in_time = |granted: &Granted| {
                    let past = self.all.resource(&granted.claim.resource).is_some_and(|r| r.policy.past);
                    sensible(granted.claim.span(), if past { 0 } else { self.now }, self.now)
                };
                if !new.claims.iter().all(in_time) {
                    return no(Code::BadField);
                }
                let by = self.all.in_the_way(&new.claims, std::slice::from_ref(id), self.now);
                if !by.is_empty() {
                    return self.conflict(&new.claims, by);
                }
                new.fence = self.position;
            }
            _ => return no(Code::BadState),
        }
        new.external_ref = external_ref.clone().or(new.external_ref);
        new.email = email.clone().or(new.email);
        new.meta = meta.clone().or(new.meta);
        self.becomes_booking(new);
        Ok(())
    }
}

//! A hold's life: granted, extended, released, confirmed.

use std::sync::Arc;

use super::super::command::{Actor, Ttl, Wish};
use super::super::model::{Granted, Reservation, State, WaitState};
use super::super::outcome::{Stop, What, no};
use super::super::policy::Policy;
use super::super::slice::Key;
use super::claims::InTheWay;
use super::{Done, Work, principal, same};
use crate::ids::{Principal, ReservationId, ResourceId};
use crate::limits::{self, Millis};
use crate::refusal::Code;

impl Work<'_> {
    pub(super) fn hold(
        &mut self,
        actor: &Actor,
        wish: &Wish,
        ttl: Ttl,
        replace: Option<&ReservationId>,
    ) -> Result<Done, Stop> {
        let holder = principal(actor, wish.holder.as_ref())?;
        let sets = self.sets(actor, wish)?;
        let own = self.own_holds(&holder)?;
        let others: Vec<_> = own.iter().filter(|own| replace != Some(&own.id)).collect();
        // Whoever holds a time already is given what it has, and no more time for it.
        if let Some(mine) = others.iter().find(|own| sets.iter().any(|set| overlaps(own, set))) {
            return Ok(same(mine));
        }
        let most = self.most_holds(&sets)?;
        if others.iter().filter(|own| own.offer.is_none()).count() >= most {
            let sentence = format!("you hold {most} times already; release or confirm one of them first");
            return no(Code::Quota, sentence);
        }
        self.those_who_wait_first(&sets)?;
        if let Some(mine) = self.offered_meanwhile(&holder, &sets) {
            self.change.reply.reservation = Some(mine);
            return Ok(Done::Changed);
        }
        let replaced = replace.map(|id| self.give_up(actor, &holder, id)).transpose()?;
        let mut conflicts = Vec::new();
        for set in sets {
            let found = self.in_the_way(&set, &[])?;
            if found.is_empty() {
                let new = self.new_hold(actor, holder, set, wish, ttl, replaced.as_deref())?;
                return Ok(self.put_and_reply(new, What::Granted, None));
            }
            conflicts.push((set, found));
        }
        // Nothing fits. What only an own hold keeps from fitting is the holder's already.
        let ids: Vec<ReservationId> = others.iter().map(|own| own.id.clone()).collect();
        for (set, found) in conflicts.iter().filter(|_| !ids.is_empty()) {
            let mine = others.iter().find(|own| found.iter().any(|(_, piece)| piece.reservation == own.id));
            if let Some(mine) = mine
                && self.in_the_way(set, &ids)?.is_empty()
            {
                return Ok(same(mine));
            }
        }
        self.first_conflict(actor, conflicts)
    }

    /// How many holds whoever wants these may have: as many as the strictest of their resources says.
    fn most_holds(&self, sets: &[Vec<Granted>]) -> Result<usize, Stop> {
        let mut most = usize::MAX;
        for set in sets {
            most = self.policies(set)?.iter().map(|policy| policy.holds).fold(most, usize::min);
        }
        Ok(most)
    }

    /// What was offered to the holder itself in this change, where it lies in the way of what it asks for.
    fn offered_meanwhile(&self, holder: &Principal, sets: &[Vec<Granted>]) -> Option<Arc<Reservation>> {
        let in_the_way = |offer: &&Arc<Reservation>| {
            let wanted = || sets.iter().flatten();
            offer.claims.iter().any(|mine| {
                let same = |other: &&Granted| other.claim.resource == mine.claim.resource;
                wanted().filter(same).any(|other| other.padded().overlaps(mine.padded()))
            })
        };
        self.change.reservations.iter().filter(|new| new.holder == *holder).find(in_the_way).cloned()
    }

    /// The refusal of a wish of which no alternative fits: it speaks of the first.
    pub(super) fn first_conflict<T>(
        &self,
        actor: &Actor,
        conflicts: Vec<(Vec<Granted>, InTheWay)>,
    ) -> Result<T, Stop> {
        match conflicts.into_iter().next() {
            Some((set, found)) => self.conflict(actor, &set, found),
            None => no(Code::BadField, "name at least one claim"),
        }
    }

    /// The live holds of a principal, the oldest first. A backend's are nobody's in particular, and many.
    pub(super) fn own_holds(&self, holder: &Principal) -> Result<Vec<Arc<Reservation>>, Stop> {
        if *holder == Principal::Backend {
            return Ok(Vec::new());
        }
        self.slice.need([Key::Principal(holder.clone())])?;
        let Some(belongings) = self.slice.belongings(holder) else { return Ok(Vec::new()) };
        self.slice.need(belongings.holds.iter().cloned().map(Key::Reservation))?;
        let holds = belongings.holds.iter().map(|id| self.reservation(id));
        let mut holds = holds.collect::<Result<Vec<_>, _>>()?;
        holds.retain(|hold| hold.state == State::Held && hold.is_live(self.now()));
        holds.sort_by(|a, b| (a.fence, &a.id).cmp(&(b.fence, &b.id)));
        Ok(holds)
    }

    /// Ends an own hold in favour of the one that replaces it.
    fn give_up(
        &mut self,
        actor: &Actor,
        holder: &Principal,
        id: &ReservationId,
    ) -> Result<Arc<Reservation>, Stop> {
        let old = self.reservation(id)?;
        if old.holder != *holder && !self.is_staff(actor, &old) {
            return no(Code::NotHolder, "`replace` names somebody else's hold; name one of your own");
        }
        if old.state != State::Held || !old.is_live(self.now()) {
            return no(Code::HoldExpired, "the hold to be replaced is over; hold anew without `replace`");
        }
        self.put(Reservation { state: State::Released, ..(*old).clone() }, What::Released, Some("replaced"));
        self.close_offer(&old, WaitState::Left)?;
        Ok(old)
    }

    fn new_hold(
        &mut self,
        actor: &Actor,
        holder: Principal,
        set: Vec<Granted>,
        wish: &Wish,
        ttl: Ttl,
        replaced: Option<&Reservation>,
    ) -> Result<Reservation, Stop> {
        let (lasts, life) = self.lasting(actor, &holder, &set, ttl)?;
        let now = self.now();
        let mut new = self.new_reservation(State::Held, holder, set);
        new.email.clone_from(&wish.email);
        new.meta.clone_from(&wish.meta);
        new.tied = actor.connected;
        // Replacing one hold by the next is no way to hold for ever, but for a backend that asks for it.
        let before = replaced.filter(|old| overlaps(old, &new.claims)).and_then(|old| old.life_until);
        new.life_until = life.map(|life| before.unwrap_or(Millis::MAX).min(now + life));
        new.expires_at = lasts.map(|ttl| new.life_until.map_or(now + ttl, |until| until.min(now + ttl)));
        new.warned = new.expires_at.is_none_or(|at| at <= now + limits::HOLD_WARNING);
        Ok(new)
    }

    /// How long a hold lasts, and how long it can be made to last.
    fn lasting(
        &self,
        actor: &Actor,
        holder: &Principal,
        set: &[Granted],
        ttl: Ttl,
    ) -> Result<(Option<Millis>, Option<Millis>), Stop> {
        let policies = self.policies(set)?;
        let life = policies.iter().map(|policy| policy.max_life_ms).min().unwrap_or(limits::HOLD_LIFE);
        let usual = policies.iter().map(|policy| policy.hold_ttl_ms).min().unwrap_or(limits::HOLD_TTL);
        let wanted = match ttl {
            Ttl::Endless if actor.is_backend() => return Ok((None, None)),
            Ttl::Endless => return no(Code::Denied, "only a backend may hold without an end; give `ttl_ms`"),
            Ttl::For(ms) if ms < limits::HOLD_TTL_LEAST => {
                return no(Code::BadField, "`ttl_ms` is at least 1,000; ask for a second or more");
            }
            Ttl::For(ms) => ms,
            Ttl::Usual => usual,
        };
        let wanted = self.after_strikes(holder, set, wanted)?;
        Ok((Some(wanted.clamp(limits::HOLD_TTL_LEAST, life)), Some(life)))
    }

    /// What is left of the wanted time for somebody who let holds expire here.
    pub(super) fn after_strikes<'a>(
        &self,
        holder: &Principal,
        claims: impl IntoIterator<Item = &'a Granted>,
        wanted: Millis,
    ) -> Result<Millis, Stop> {
        if *holder == Principal::Backend {
            return Ok(wanted);
        }
        let mut resources = Vec::new();
        for granted in claims {
            if self.resource(&granted.claim.resource)?.policy.back_off {
                resources.push(&granted.claim.resource);
            }
        }
        self.slice.need(resources.iter().map(|id| Key::Strikes(holder.clone(), (*id).clone())))?;
        let counts = resources.into_iter().filter_map(|id| self.slice.strikes(holder, id));
        match counts.map(|strikes| strikes.count(self.now())).max().unwrap_or(0) {
            strikes if strikes > limits::STRIKES => no(
                Code::Quota,
                "too many holds here were left to expire within an hour; confirm one, or come back later",
            ),
            limits::STRIKES => Ok((wanted / 2).max(limits::HOLD_TTL_LEAST)),
            _ => Ok(wanted),
        }
    }

    pub(super) fn policies(&self, set: &[Granted]) -> Result<Vec<Policy>, Stop> {
        let ids: Vec<&ResourceId> = set.iter().map(|granted| &granted.claim.resource).collect();
        self.slice.need(ids.iter().map(|id| Key::Resource((*id).clone())))?;
        ids.into_iter().map(|id| self.resource(id).map(|resource| resource.policy.clone())).collect()
    }

    /// A reservation that was granted just now.
    pub(super) fn new_reservation(
        &mut self,
        state: State,
        holder: Principal,
        claims: Vec<Granted>,
    ) -> Reservation {
        Reservation {
            id: self.next_reservation_id(),
            holder,
            state,
            claims,
            fence: self.moment.position,
            version: self.moment.position,
            granted_at: self.now(),
            expires_at: None,
            life_until: None,
            tied: false,
            warned: true,
            unclaimed: false,
            forced: false,
            remind_at: Vec::new(),
            unlinked_at: None,
            offer: None,
            block: None,
            external_ref: None,
            email: None,
            meta: None,
        }
    }

    pub(super) fn extend(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        fence: u64,
        ttl: Ttl,
    ) -> Result<Done, Stop> {
        let old = self.held(actor, id, Some(fence))?;
        let Some(expires_at) = old.expires_at else { return Ok(same(&old)) };
        let policies = self.policies(&old.claims)?;
        let wanted = match ttl {
            Ttl::For(ms) if ms >= limits::HOLD_TTL_LEAST => ms,
            Ttl::For(_) => return no(Code::BadField, "`ttl_ms` is at least 1,000; ask for a second or more"),
            Ttl::Usual => policies.iter().map(|policy| policy.hold_ttl_ms).min().unwrap_or(limits::HOLD_TTL),
            Ttl::Endless => return no(Code::BadField, "a hold with an end keeps one; give `ttl_ms`"),
        };
        let wanted = self.after_strikes(&old.holder, &old.claims, wanted)?;
        let latest = old.life_until.unwrap_or(Millis::MAX);
        let until = self.now().saturating_add(wanted).min(latest);
        if until <= expires_at {
            if latest <= expires_at {
                return no(Code::MaxLife, "this hold has reached its longest life; confirm it or let it go");
            }
            // It lasts longer already, and is never made shorter.
            return Ok(same(&old));
        }
        let warned = until - self.now() <= limits::HOLD_WARNING;
        let new = Reservation { expires_at: Some(until), warned, ..(*old).clone() };
        Ok(self.put_and_reply(new, What::Extended, None))
    }

    /// A live hold that the actor may change, showing this fence.
    fn held(&self, actor: &Actor, id: &ReservationId, fence: Option<u64>) -> Result<Arc<Reservation>, Stop> {
        let old = self.reservation(id)?;
        self.of_holder_or_staff(actor, &old)?;
        fits_fence(&old, fence)?;
        match old.state {
            State::Held if old.is_live(self.now()) => Ok(old),
            State::Held | State::Expired => {
                no(Code::HoldExpired, "the hold is over; hold the time again, if it is still free")
            }
            state => no(Code::BadState, format!("this is {} and no hold any more", state.as_str())),
        }
    }

    pub(super) fn release(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        fence: Option<u64>,
    ) -> Result<Done, Stop> {
        let old = self.reservation(id)?;
        self.of_holder_or_staff(actor, &old)?;
        if fence.is_none() && !self.is_staff(actor, &old) {
            return no(Code::BadField, "`fence` is missing; send the one that the hold was granted with");
        }
        fits_fence(&old, fence)?;
        match old.state {
            State::Held if old.is_live(self.now()) => {
                let new = Reservation { state: State::Released, ..(*old).clone() };
                let done = self.put_and_reply(new, What::Released, None);
                self.close_offer(&old, WaitState::Left)?;
                Ok(done)
            }
            // What is over was let go of already, and a retry needs no other answer.
            State::Held => self.expire(&old),
            State::Released | State::Expired => Ok(same(&old)),
            state => no(
                Code::BadState,
                format!("this is {} and no hold any more; cancel it instead", state.as_str()),
            ),
        }
    }
}

/// Does a hold lie over one of these claims?
pub(super) fn overlaps(own: &Reservation, set: &[Granted]) -> bool {
    own.claims.iter().any(|mine| {
        set.iter().any(|wanted| {
            mine.claim.resource == wanted.claim.resource && mine.claim.span().overlaps(wanted.claim.span())
        })
    })
}

/// A change of a hold shows the fence of its present grant, or it comes from somebody who lost it.
pub(super) fn fits_fence(reservation: &Reservation, fence: Option<u64>) -> Result<(), Stop> {
    if fence.is_some_and(|fence| fence != reservation.fence) {
        return no(Code::StaleFence, "the fence is not that of the present grant; read the hold again");
    }
    Ok(())
}

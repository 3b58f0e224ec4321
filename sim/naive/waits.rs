//! The waitlist in naive words: an offer is a hold, and who came first is asked first.

use std::collections::BTreeSet;

use deskbell_core::ids::{Principal, WaitId};
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Actor, Claim, Granted, Reservation, State, Wait, WaitState, Waitlist, Wish,
};

use super::{Turn, Turned, live, no, padded, whose};

impl Turn<'_> {
    pub(super) fn past(&self, wait: &Wait) -> bool {
        wait.any_of.iter().all(|set| self.too_late(set))
    }

    fn too_late(&self, set: &[Claim]) -> bool {
        set.iter().any(|claim| claim.end <= self.now)
    }

    pub(super) fn join(&mut self, actor: &Actor, wish: &Wish) -> Turned {
        let who = whose(actor, wish.holder.as_ref())?;
        if who == Principal::Backend {
            return no(Code::BadField);
        }
        let sets = self.sets(actor, wish)?;
        if sets.iter().flatten().map(|granted| padded(granted).days().count()).sum::<usize>()
            > limits::WAIT_DAYS
        {
            return no(Code::LimitReached);
        }
        let open = |wait: &&Wait| matches!(wait.state, WaitState::Waiting | WaitState::Offered);
        let mut own: Vec<Wait> =
            self.all.waits.iter().filter(open).filter(|w| w.principal == who).cloned().collect();
        own.sort_by(|a, b| a.id.cmp(&b.id));
        let late: Vec<Wait> =
            own.iter().filter(|w| w.state == WaitState::Waiting && self.past(w)).cloned().collect();
        // The same wish twice is one entry.
        if let Some(mine) = own.iter().find(|wait| wait.any_of == wish.any_of) {
            self.answer.reservation = mine.offer.as_ref().and_then(|id| self.all.reservation(id)).cloned();
            self.answer.wait = Some(mine.clone());
            return Ok(());
        }
        late.iter().for_each(|wait| self.move_wait(&wait.id, WaitState::Lapsed));
        let taken = self.own_holds(&who).into_iter().filter_map(|hold| hold.offer);
        let taken = taken.filter(|id| !own.iter().any(|wait| wait.id == *id)).count();
        if own.len() - late.len() + taken >= limits::WAITS_PER_PRINCIPAL {
            return no(Code::Quota);
        }
        for set in &sets {
            self.backed_off(&who, set, 0)?;
        }
        let resources: BTreeSet<_> =
            sets.iter().flatten().map(|granted| granted.claim.resource.clone()).collect();
        for id in &resources {
            if self.find_resource(id)?.policy.waitlist == Waitlist::Off {
                return no(Code::BadState);
            }
            let mut here: Vec<Wait> =
                self.all.waits.iter().filter(|wait| wait.waits_for(id)).cloned().collect();
            here.sort_by_key(|wait| wait.joined);
            let (late, waiting): (Vec<_>, Vec<_>) = here.into_iter().partition(|wait| self.past(wait));
            late.iter().for_each(|wait| self.move_wait(&wait.id, WaitState::Lapsed));
            if waiting.len() >= limits::WAITLIST {
                return no(Code::LimitReached);
            }
        }
        self.made += 1;
        let id = WaitId::derive(self.seed, self.made);
        let (any_of, state, joined) = (wish.any_of.clone(), WaitState::Waiting, self.position);
        let wait = Wait { id: id.clone(), principal: who, any_of, state, joined, offer: None };
        self.all.waits.push(wait.clone());
        self.answer.told.push(("waitlist.joined".to_owned(), id.to_string()));
        self.answer.changed = true;
        self.answer.wait = Some(wait);
        // The time may be free, and then it is offered at once.
        self.freed.extend(sets.iter().flatten().map(|c| (c.claim.resource.clone(), padded(c))));
        Ok(())
    }

    fn own_wait(&self, actor: &Actor, id: &WaitId) -> Turned<Wait> {
        let wait = self.find_wait(id)?;
        let own = wait.principal == actor.identity.principal || actor.is_backend();
        if own { Ok(wait) } else { no(Code::NotHolder) }
    }

    pub(super) fn leave(&mut self, actor: &Actor, id: &WaitId) -> Turned {
        let wait = self.own_wait(actor, id)?;
        match wait.state {
            WaitState::Accepted => return no(Code::BadState),
            WaitState::Left | WaitState::Lapsed => self.answer.wait = Some(wait),
            WaitState::Waiting | WaitState::Offered => {
                let offer = wait.offer.as_ref().and_then(|id| self.all.reservation(id)).cloned();
                if let Some(hold) = offer.filter(|hold| hold.state == State::Held) {
                    self.put(Reservation { state: State::Released, ..hold }, "hold.released");
                }
                self.move_wait(id, WaitState::Left);
                self.answer.wait = Some(self.find_wait(id)?);
            }
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, actor: &Actor, id: &WaitId) -> Turned {
        let wait = self.own_wait(actor, id)?;
        let hold = wait.offer.as_ref().and_then(|id| self.all.reservation(id)).cloned();
        let Some(hold) = hold.filter(|_| wait.state != WaitState::Waiting) else { return no(Code::BadState) };
        match wait.state {
            WaitState::Offered if live(&hold, self.now) => self.move_wait(id, WaitState::Accepted),
            WaitState::Accepted => {}
            _ => return no(Code::HoldExpired),
        }
        self.answer.wait = Some(self.find_wait(id)?);
        self.answer.reservation = Some(hold);
        Ok(())
    }

    /// A hold that has just run out blocks nobody; but those who wait for its time come before those who come by.
    pub(super) fn those_who_wait_first(&mut self, sets: &[Vec<Granted>]) {
        for wanted in sets.iter().flatten() {
            let over = |r: &&Reservation| r.state == State::Held && !live(r, self.now);
            let mut claims = self.all.reservations.iter().filter(over).flat_map(|r| &r.claims);
            let here = |claim: &Granted| {
                claim.claim.resource == wanted.claim.resource && padded(claim).overlaps(padded(wanted))
            };
            if claims.any(here) {
                self.freed.push((wanted.claim.resource.clone(), padded(wanted)));
            }
        }
        self.settle();
    }

    /// Everybody who waits for what became free is asked, in the order of joining, and has it if it fits.
    pub(super) fn settle(&mut self) {
        let mut waiting: Vec<Wait> =
            self.all.waits.iter().filter(|w| w.state == WaitState::Waiting).cloned().collect();
        waiting.sort_by_key(|wait| wait.joined);
        for wait in waiting.into_iter().filter(|wait| self.may_be_free(wait)).collect::<Vec<_>>() {
            self.offer(wait);
        }
    }

    fn may_be_free(&self, wait: &Wait) -> bool {
        wait.any_of.iter().flatten().any(|claim| {
            let Some(resource) = self.all.resource(&claim.resource) else { return false };
            let wanted = Granted { claim: claim.clone(), before: resource.before, after: resource.after };
            let mut freed = self.freed.iter().filter(|(id, _)| *id == claim.resource);
            resource.policy.waitlist != Waitlist::Off && freed.any(|(_, span)| span.overlaps(padded(&wanted)))
        })
    }

    fn offer(&mut self, wait: Wait) {
        if self.past(&wait) {
            return self.move_wait(&wait.id, WaitState::Lapsed);
        }
        // Where all who wait are told, nobody is given anything; but another alternative may be given.
        let mut open = false;
        for set in wait.any_of.iter().filter(|set| !self.too_late(set)) {
            let granted = set.iter().filter_map(|claim| {
                let resource = self.all.resource(&claim.resource)?;
                Some(Granted { claim: claim.clone(), before: resource.before, after: resource.after })
            });
            let granted: Vec<Granted> = granted.collect();
            let policies: Vec<_> =
                self.resources_of(&granted).into_iter().map(|resource| resource.policy).collect();
            let off = policies.iter().any(|policy| policy.waitlist == Waitlist::Off);
            if off || !self.all.in_the_way(&granted, &[], self.now).is_empty() {
                continue;
            }
            if policies.iter().any(|policy| policy.waitlist == Waitlist::Open) {
                open = true;
                continue;
            }
            let mut ttl = policies.iter().map(|policy| policy.offer_ttl_ms).min().unwrap_or(0);
            if wait.joined == self.position {
                ttl = policies.iter().map(|policy| policy.hold_ttl_ms).min().unwrap_or(0).min(ttl);
            }
            let mut hold = self.new_reservation(State::Held, wait.principal.clone(), granted);
            (hold.expires_at, hold.life_until) = (Some(self.now + ttl), Some(self.now + ttl));
            hold.warned = ttl <= limits::HOLD_WARNING;
            hold.offer = Some(wait.id.clone());
            let hold = self.put(hold, "hold.granted");
            let new = Wait { state: WaitState::Offered, offer: Some(hold.id.clone()), ..wait };
            self.answer.told.push(("waitlist.offered".to_owned(), new.id.to_string()));
            if self.answer.wait.as_ref().is_some_and(|own| own.id == new.id) {
                (self.answer.wait, self.answer.reservation) = (Some(new.clone()), Some(hold));
            }
            self.all.waits.retain(|old| old.id != new.id);
            self.all.waits.push(new);
            return;
        }
        if open {
            self.answer.told.push(("waitlist.free".to_owned(), wait.id.to_string()));
        }
    }
}

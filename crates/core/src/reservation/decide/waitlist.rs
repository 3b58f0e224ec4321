//! The waitlist: an offer is a hold, and who came first is asked first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::command::{Actor, Wish};
use super::super::model::{Granted, Reservation, State, Wait, WaitState, Waitlist};
use super::super::outcome::{Stop, Told, What, no};
use super::super::slice::Key;
use super::{Done, Work, principal};
use crate::ids::{Principal, ResourceId, WaitId};
use crate::limits::{self, Millis};
use crate::refusal::Code;

impl Work<'_> {
    pub(super) fn join(&mut self, actor: &Actor, wish: &Wish) -> Result<Done, Stop> {
        let principal = principal(actor, wish.holder.as_ref())?;
        if principal == Principal::Backend {
            return no(Code::BadField, "somebody must wait; name the user in `holder`");
        }
        let sets = self.sets(actor, wish)?;
        self.slice.need([Key::Principal(principal.clone())])?;
        let waits = self.slice.belongings(&principal).map_or(0, |belongings| belongings.waits.len());
        if waits >= limits::WAITS_PER_PRINCIPAL {
            return no(Code::Quota, "you wait for 5 times already; leave one of the lists first");
        }
        let resources: BTreeSet<&ResourceId> =
            sets.iter().flatten().map(|granted| &granted.claim.resource).collect();
        self.slice.need(resources.iter().map(|id| Key::Waiting((*id).clone())))?;
        for id in resources {
            if self.resource(id)?.policy.waitlist == Waitlist::Off {
                return no(Code::BadState, format!("nobody can wait for `{id}`; choose another time"));
            }
            if self.slice.waiting(id).count() >= limits::WAITLIST {
                return no(Code::LimitReached, format!("200 wait for `{id}` already; choose another time"));
            }
            self.looser.insert(id.clone());
        }
        self.made += 1;
        let wait = Arc::new(Wait {
            id: WaitId::derive(self.moment.seed, self.made),
            principal,
            any_of: wish.any_of.clone(),
            state: WaitState::Waiting,
            joined: self.moment.position,
            offer: None,
        });
        self.change.waits.push(wait.clone());
        self.change.told.push(Told::Wait { wait: wait.clone(), free: false });
        self.change.reply.wait = Some(wait);
        Ok(Done::Changed)
    }

    /// An entry of the actor's own, or any for staff.
    fn own_wait(&self, actor: &Actor, id: &WaitId) -> Result<Arc<Wait>, Stop> {
        let wait = self.wait(id)?;
        if wait.principal == actor.identity.principal || actor.is_backend() {
            return Ok(wait);
        }
        no(Code::NotHolder, "somebody else waits there; use the id of an entry of your own")
    }

    pub(super) fn leave(&mut self, actor: &Actor, id: &WaitId) -> Result<Done, Stop> {
        let wait = self.own_wait(actor, id)?;
        match (wait.state, &wait.offer) {
            (WaitState::Waiting, _) => {}
            (WaitState::Offered, Some(offer)) => {
                let hold = self.reservation(offer)?;
                if hold.state == State::Held {
                    let ended = Reservation { state: State::Released, ..(*hold).clone() };
                    self.put(ended, What::Released, Some("declined"));
                }
            }
            (WaitState::Left | WaitState::Lapsed, _) => {
                return Ok(Done::Same(super::Reply { wait: Some(wait), ..super::Reply::default() }));
            }
            _ => return no(Code::BadState, "the offer was taken; release or cancel what came of it"),
        }
        self.move_wait(id, WaitState::Left)?;
        self.change.reply.wait = Some(self.wait(id)?);
        Ok(Done::Changed)
    }

    pub(super) fn accept(&mut self, actor: &Actor, id: &WaitId) -> Result<Done, Stop> {
        let wait = self.own_wait(actor, id)?;
        let Some(offer) = wait.offer.as_ref().filter(|_| wait.state != WaitState::Waiting) else {
            return no(Code::BadState, "nothing has become free yet; `waitlist.offered` will tell");
        };
        let hold = self.reservation(offer)?;
        match wait.state {
            WaitState::Offered if hold.is_live(self.now()) => self.move_wait(id, WaitState::Accepted)?,
            WaitState::Accepted => {
                let reply =
                    super::Reply { wait: Some(wait), reservation: Some(hold), ..super::Reply::default() };
                return Ok(Done::Same(reply));
            }
            _ => return no(Code::HoldExpired, "the offer is over; join the list again"),
        }
        self.change.reply.wait = Some(self.wait(id)?);
        self.change.reply.reservation = Some(hold);
        Ok(Done::Changed)
    }

    /// Gives what became free to whoever waits for it longest, in the same change.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        let freed = self.freed()?;
        self.slice.need(freed.iter().cloned().map(Key::Waiting))?;
        let mut waiting: BTreeMap<u64, Arc<Wait>> = BTreeMap::new();
        let joined = self.change.waits.iter();
        let known = freed.iter().flat_map(|resource| self.slice.waiting(resource));
        for wait in known.chain(joined).filter(|wait| wait.state == WaitState::Waiting) {
            waiting.insert(wait.joined, wait.clone());
        }
        for wait in waiting.into_values() {
            let moved =
                self.change.waits.iter().any(|new| new.id == wait.id && new.state != WaitState::Waiting);
            if !moved {
                self.offer(&wait)?;
            }
        }
        Ok(())
    }

    /// Resources of which something may be free that was not.
    fn freed(&self) -> Result<BTreeSet<ResourceId>, Stop> {
        let mut freed = self.looser.clone();
        for new in &self.change.reservations {
            let Some(old) = self.slice.reservation(&new.id).filter(|old| !old.state.is_over()) else {
                continue;
            };
            let lets_go =
                new.state.is_over() || new.claims != old.claims || (new.unclaimed && !old.unclaimed);
            if lets_go {
                freed.extend(old.claims.iter().map(|granted| granted.claim.resource.clone()));
            }
        }
        self.slice.need(freed.iter().cloned().map(Key::Resource))?;
        freed.retain(|id| self.resource(id).is_ok_and(|found| found.policy.waitlist != Waitlist::Off));
        Ok(freed)
    }

    fn offer(&mut self, wait: &Arc<Wait>) -> Result<(), Stop> {
        let over = |set: &Vec<super::super::model::Claim>| set.iter().any(|claim| claim.end <= self.now());
        if wait.any_of.iter().all(over) {
            return self.move_wait(&wait.id, WaitState::Lapsed);
        }
        for set in wait.any_of.iter().filter(|set| !over(set)) {
            let Some((granted, ttl, policy)) = self.offered(set)? else { continue };
            if !self.in_the_way(&granted, &[])?.is_empty() {
                continue;
            }
            if policy == Waitlist::Open {
                self.change.told.push(Told::Wait { wait: wait.clone(), free: true });
                return Ok(());
            }
            let mut hold = self.new_reservation(State::Held, wait.principal.clone(), granted);
            let until = self.now() + ttl;
            (hold.expires_at, hold.life_until) = (Some(until), Some(until));
            hold.warned = ttl <= limits::HOLD_WARNING;
            hold.offer = Some(wait.id.clone());
            let hold = self.put(hold, What::Granted, Some("waitlist"));
            let offered =
                Wait { state: WaitState::Offered, offer: Some(hold.id.clone()), ..(**wait).clone() };
            let offered = Arc::new(offered);
            self.change.waits.push(offered.clone());
            if self.change.reply.wait.as_ref().is_some_and(|own| own.id == offered.id) {
                self.change.reply.wait = Some(offered.clone());
                self.change.reply.reservation = Some(hold);
            }
            self.change.told.push(Told::Wait { wait: offered, free: false });
            return Ok(());
        }
        Ok(())
    }

    /// A wish of the list as it would be granted now, how long for, and whether it is. Nothing, where it no longer
    /// makes sense.
    fn offered(
        &self,
        set: &[super::super::model::Claim],
    ) -> Result<Option<(Vec<Granted>, Millis, Waitlist)>, Stop> {
        self.slice.need(set.iter().map(|claim| Key::Resource(claim.resource.clone())))?;
        let mut granted = Vec::with_capacity(set.len());
        let (mut ttl, mut policy) = (limits::OFFER_TTL_MOST, Waitlist::Offer);
        for claim in set {
            let resource = self.resource(&claim.resource)?;
            match resource.policy.waitlist {
                Waitlist::Off => return Ok(None),
                Waitlist::Open => policy = Waitlist::Open,
                Waitlist::Offer => {}
            }
            ttl = ttl.min(resource.policy.offer_ttl_ms);
            granted.push(Granted { claim: claim.clone(), before: resource.before, after: resource.after });
        }
        Ok(Some((granted, ttl, policy)))
    }
}

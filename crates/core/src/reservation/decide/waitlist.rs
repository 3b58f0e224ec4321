//! The waitlist: an offer is a hold, and who came first is asked first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::command::{Actor, Wish};
use super::super::model::{Claim, Granted, Reservation, Resource, State, Wait, WaitState};
use super::super::outcome::{Reply, Stop, Told, What, no};
use super::super::policy::Waitlist;
use super::super::slice::Key;
use super::super::steps;
use super::{Done, Work, principal};
use crate::calendar::Span;
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
        let days: usize = sets.iter().flatten().map(|granted| granted.padded().days().count()).sum();
        if days > limits::WAIT_DAYS {
            return no(Code::LimitReached, "one can wait for 100 days at once; name fewer alternatives");
        }
        if let Some(mine) = self.waits_of(&principal, wish)? {
            let offer = mine.offer.as_ref().map(|id| self.reservation(id)).transpose()?;
            return Ok(Done::Same(Reply { wait: Some(mine), reservation: offer, ..Reply::default() }));
        }
        self.after_strikes(&principal, sets.iter().flatten(), 0)?;
        self.room_on_lists(&sets)?;
        for granted in sets.iter().flatten() {
            self.loosen(&granted.claim.resource, granted.padded());
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

    /// The principal's own entry with the same wish, where it has one. It must have room for one more otherwise.
    fn waits_of(&mut self, principal: &Principal, wish: &Wish) -> Result<Option<Arc<Wait>>, Stop> {
        let holds = self.own_holds(principal)?;
        let ids = self.slice.belongings(principal).map(|own| own.waits.clone()).unwrap_or_default();
        self.slice.need(ids.iter().cloned().map(Key::Wait))?;
        // An offer that was taken is a wait no more, but it is held all the same.
        let taken = holds.iter().filter_map(|hold| hold.offer.as_ref()).filter(|id| !ids.contains(*id));
        let mut count = taken.count();
        for id in &ids {
            let wait = self.wait(id)?;
            if wait.any_of == wish.any_of {
                return Ok(Some(wait));
            }
            // Nothing else ends an entry whose time has gone by.
            if wait.state == WaitState::Waiting && is_past(&wait, self.now()) {
                self.move_wait(id, WaitState::Lapsed)?;
            } else {
                count += 1;
            }
        }
        if count >= limits::WAITS_PER_PRINCIPAL {
            return no(Code::Quota, "you wait for 5 times already; leave one of the lists first");
        }
        Ok(None)
    }

    /// Can one more wait for these?
    fn room_on_lists(&mut self, sets: &[Vec<Granted>]) -> Result<(), Stop> {
        let resources: BTreeSet<&ResourceId> =
            sets.iter().flatten().map(|granted| &granted.claim.resource).collect();
        self.slice.need(resources.iter().map(|id| Key::Waiting((*id).clone())))?;
        for id in resources {
            if self.resource(id)?.policy.waitlist == Waitlist::Off {
                return no(Code::BadState, format!("nobody can wait for `{id}`; choose another time"));
            }
            let (past, waiting): (Vec<_>, Vec<_>) =
                self.slice.waiting(id).cloned().partition(|wait| is_past(wait, self.now()));
            for wait in past {
                self.move_wait(&wait.id, WaitState::Lapsed)?;
            }
            if waiting.len() >= limits::WAITLIST {
                return no(Code::LimitReached, format!("200 wait for `{id}` already; choose another time"));
            }
        }
        Ok(())
    }

    /// Notes that something may be free there.
    pub(super) fn loosen(&mut self, resource: &ResourceId, span: Span) {
        self.looser.entry(resource.clone()).or_default().push(span);
    }

    /// A hold whose time is over blocks nobody, also before its timer has come. But whoever waits for that time
    /// comes before whoever comes just then.
    pub(super) fn those_who_wait_first(&mut self, sets: &[Vec<Granted>]) -> Result<(), Stop> {
        self.need_days(sets.iter().flatten())?;
        let slice = self.slice;
        for granted in sets.iter().flatten() {
            let (resource, padded) = (&granted.claim.resource, granted.padded());
            let mut pieces = padded.days().flat_map(|day| slice.day(resource, day));
            if pieces.any(|piece| piece.span.overlaps(padded) && !steps::counts(piece, self.now())) {
                self.loosen(resource, padded);
            }
        }
        if self.looser.is_empty() { Ok(()) } else { self.settle() }
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
                return Ok(Done::Same(Reply { wait: Some(wait), ..Reply::default() }));
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
                let reply = Reply { wait: Some(wait), reservation: Some(hold), ..Reply::default() };
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
        self.slice.need(freed.keys().cloned().map(Key::Waiting))?;
        let mut waiting: BTreeMap<u64, Arc<Wait>> = BTreeMap::new();
        for (id, spans) in &freed {
            let resource = self.resource(id)?;
            let free = |claim: &Claim| {
                let padded = grant(claim, &resource).padded();
                claim.resource == *id && spans.iter().any(|span| span.overlaps(padded))
            };
            for wait in self.slice.waiting(id).chain(&self.change.waits) {
                let mut newer = self.change.waits.iter().filter(|new| new.id == wait.id);
                let waits =
                    newer.all(|new| new.state == WaitState::Waiting) && wait.state == WaitState::Waiting;
                if waits && wait.any_of.iter().flatten().any(free) {
                    waiting.insert(wait.joined, wait.clone());
                }
            }
        }
        self.need_for(waiting.values())?;
        waiting.into_values().try_for_each(|wait| self.offer(&wait))
    }

    /// Asks at once for all that these entries' wishes may need.
    fn need_for<'a>(&self, waiting: impl Iterator<Item = &'a Arc<Wait>> + Clone) -> Result<(), Stop> {
        let sets = || waiting.clone().flat_map(|wait| &wait.any_of).filter(|set| !is_over(set, self.now()));
        self.slice.need(sets().flatten().map(|claim| Key::Resource(claim.resource.clone())))?;
        let granted = sets().flatten().map(|claim| Ok(grant(claim, &*self.resource(&claim.resource)?)));
        let granted: Vec<Granted> = granted.collect::<Result<_, Stop>>()?;
        self.need_days(&granted)
    }

    /// Where something may be free that was not, on resources that one can wait for.
    fn freed(&self) -> Result<BTreeMap<ResourceId, Vec<Span>>, Stop> {
        let mut freed = self.looser.clone();
        for new in &self.change.reservations {
            let Some(old) =
                self.slice.reservation(&new.id).filter(|old| !old.state.is_over() && !old.unclaimed)
            else {
                continue;
            };
            let lets_go = new.state.is_over() || new.claims != old.claims || new.unclaimed;
            for granted in old.claims.iter().filter(|_| lets_go) {
                freed.entry(granted.claim.resource.clone()).or_default().push(granted.padded());
            }
        }
        self.slice.need(freed.keys().cloned().map(Key::Resource))?;
        freed.retain(|id, _| self.resource(id).is_ok_and(|found| found.policy.waitlist != Waitlist::Off));
        Ok(freed)
    }

    fn offer(&mut self, wait: &Arc<Wait>) -> Result<(), Stop> {
        if is_past(wait, self.now()) {
            return self.move_wait(&wait.id, WaitState::Lapsed);
        }
        // What can only be told of comes behind what can be given.
        let mut open = false;
        for set in wait.any_of.iter().filter(|set| !is_over(set, self.now())) {
            let Some((granted, ttl, policy)) = self.offered(set, wait)? else { continue };
            if !self.in_the_way(&granted, &[])?.is_empty() {
                continue;
            }
            if policy == Waitlist::Open {
                open = true;
                continue;
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
        if open {
            self.change.told.push(Told::Wait { wait: wait.clone(), free: true });
        }
        Ok(())
    }

    /// A wish of the list as it would be granted now, how long for, and whether it is. Nothing, where it no longer
    /// makes sense.
    fn offered(&self, set: &[Claim], wait: &Wait) -> Result<Option<(Vec<Granted>, Millis, Waitlist)>, Stop> {
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
            // Whoever joins a list and finds the time free is there to answer, and must not get around the usual time.
            if wait.joined == self.moment.position {
                ttl = ttl.min(resource.policy.hold_ttl_ms);
            }
            granted.push(grant(claim, &resource));
        }
        Ok(Some((granted, ttl, policy)))
    }

    /// Notes of a waitlist's entry what became of its offer.
    pub(super) fn close_offer(&mut self, hold: &Reservation, state: WaitState) -> Result<(), Stop> {
        match &hold.offer {
            Some(id) => self.move_wait(id, state),
            None => Ok(()),
        }
    }

    pub(super) fn move_wait(&mut self, id: &WaitId, state: WaitState) -> Result<(), Stop> {
        let Some(wait) = self.known_wait(id)? else { return Ok(()) };
        if wait.state == state || !matches!(wait.state, WaitState::Waiting | WaitState::Offered) {
            return Ok(());
        }
        let new = Arc::new(Wait { state, ..(*wait).clone() });
        self.change.waits.push(new.clone());
        self.change.told.push(Told::Wait { wait: new, free: false });
        Ok(())
    }
}

/// Is it too late for this alternative?
fn is_over(set: &[Claim], now: Millis) -> bool {
    set.iter().any(|claim| claim.end <= now)
}

/// Is it too late for everything that the entry waits for?
pub(super) fn is_past(wait: &Wait, now: Millis) -> bool {
    wait.any_of.iter().all(|set| is_over(set, now))
}

fn grant(claim: &Claim, resource: &Resource) -> Granted {
    Granted { claim: claim.clone(), before: resource.before, after: resource.after }
}

//! What staff does, in naive words: override, block, and say what a resource is.

use deskbell_core::ids::{Principal, ReservationId, ResourceId, SourceName};
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    ALL_UNITS, Act, Actor, BlockSet, Claim, Granted, Reservation, Resource, ResourceWish, Span, State,
    WaitState,
};

use super::{InTheWay, Turn, Turned, live, no, padded, sensible, whose};

impl Turn<'_> {
    pub(super) fn override_all(&mut self, actor: &Actor, act: &Act) -> Turned {
        let Act::Override { wish, reason, force, external_ref } = act else { return Ok(()) };
        let [claims] = &wish.any_of[..] else { return no(Code::BadField) };
        if reason.is_empty() || reason.len() > limits::REASON {
            return no(Code::BadField);
        }
        if !claims.iter().all(|claim| self.may(actor, "manage", &claim.resource)) {
            return no(Code::Denied);
        }
        let who = whose(actor, wish.holder.as_ref())?;
        let set = self.set(actor, claims)?;
        let before = self.all.clone();
        // Staff books outside opening hours too.
        loop {
            let by = self.all.taken(&set, &[], self.now);
            let found = by.iter().filter_map(|(_, id)| self.all.reservation(id.as_ref()?));
            let holds = found.filter(|found| found.state == State::Held);
            let Some(youngest) = holds.max_by_key(|hold| (hold.fence, hold.id.clone())).cloned() else {
                break;
            };
            self.answer.evicted.push(youngest.id.clone());
            self.put(Reservation { state: State::Released, ..youngest.clone() }, "hold.evicted");
            self.close_offer(&youngest, WaitState::Left);
        }
        let by = self.all.taken(&set, &[], self.now);
        if !by.is_empty() && !force {
            *self.all = before;
            return self.conflict(&set, by);
        }
        let mut new = self.new_reservation(State::Held, who, set);
        new.email.clone_from(&wish.email);
        new.meta.clone_from(&wish.meta);
        new.external_ref.clone_from(external_ref);
        new.forced = !by.is_empty();
        self.answer.conflicts = by;
        self.booked(&mut new);
        self.put_and_reply(new, "booking.confirmed");
        Ok(())
    }

    pub(super) fn block(
        &mut self,
        actor: &Actor,
        source: &SourceName,
        as_of: Millis,
        spans: &[(ResourceId, Span)],
    ) -> Turned {
        if !actor.is_backend() {
            return no(Code::Denied);
        }
        if as_of > self.now + limits::BLOCK_AHEAD {
            return no(Code::BadField);
        }
        let mut claims = Vec::new();
        for (id, span) in spans {
            self.find_resource(id)?;
            if span.start < span.end && span.end <= self.now {
                continue;
            }
            if !sensible(*span, self.now, self.now) {
                return no(Code::BadField);
            }
            let claim = Claim { resource: id.clone(), start: span.start, end: span.end, units: ALL_UNITS };
            claims.push(Granted { claim, before: 0, after: 0 });
        }
        let id = ReservationId::of_source(source);
        if let Some(old) = self.all.reservation(&id) {
            let known = old.block.as_ref().map_or(0, |block| block.as_of);
            if as_of < known {
                return no(Code::StaleVersion);
            }
            if as_of == known && old.claims == claims {
                self.answer.reservation = Some(old.clone());
                return Ok(());
            }
        }
        for other in self.all.reservations.iter().filter(|r| r.block.is_none() && live(r, self.now)) {
            for theirs in &other.claims {
                let lies_over = |block: &Granted| {
                    block.claim.resource == theirs.claim.resource
                        && block.claim.span().overlaps(padded(theirs))
                };
                if claims.iter().any(lies_over) {
                    self.answer.conflicts.insert((theirs.claim.resource.clone(), Some(other.id.clone())));
                }
            }
        }
        let mut new = self.new_reservation(State::Booked, Principal::Backend, claims);
        new.id = id;
        new.block = Some(BlockSet { source: source.clone(), as_of });
        self.put_and_reply(new, "blocks.replaced");
        Ok(())
    }

    /// The bounds of a resource's fields are a table of their own; here they are kept.
    pub(super) fn put_resource(&mut self, actor: &Actor, wish: &ResourceWish) -> Turned {
        if !self.may(actor, "manage", &wish.id) {
            return no(Code::Denied);
        }
        let ResourceWish { id, capacity, before, after, time_zone, hours, provider, policy } = wish.clone();
        let old = self.all.resource(&id).cloned();
        let version = old.as_ref().map_or(0, |old| old.version);
        let mut new = Resource { id, capacity, before, after, time_zone, hours, provider, policy, version };
        if old.as_ref() == Some(&new) {
            self.answer.resource = old;
            return Ok(());
        }
        new.version = self.position;
        if old.is_some_and(|old| new.capacity < old.capacity) {
            self.answer.conflicts = self.beyond(&new);
        }
        self.all.resources.retain(|resource| resource.id != new.id);
        self.all.resources.push(new.clone());
        self.freed.push((new.id.clone(), Span { start: 0, end: Millis::MAX }));
        self.answer.told.push(("slots.reset".to_owned(), new.id.to_string()));
        self.answer.changed = true;
        self.answer.resource = Some(new);
        Ok(())
    }

    /// Everything but blocks that covers an instant at which more is claimed than there is.
    fn beyond(&self, new: &Resource) -> InTheWay {
        let counts = |r: &&Reservation| r.block.is_none() && live(r, self.now);
        let claims = || {
            let all = self.all.reservations.iter().filter(counts);
            let all = all.flat_map(|r| r.claims.iter().map(move |claim| (&r.id, claim)));
            let days = all.filter(|(_, claim)| claim.claim.resource == new.id);
            // What lies wholly in the past is nobody's trouble.
            days.filter(|(_, claim)| padded(claim).end > self.now)
        };
        let covers = |claim: &Granted, at| padded(claim).start <= at && at < padded(claim).end;
        let mut found = InTheWay::new();
        for at in claims().map(|(_, claim)| padded(claim).start) {
            let used: u64 =
                claims().filter(|(_, c)| covers(c, at)).map(|(_, c)| u64::from(c.claim.units)).sum();
            if used > u64::from(new.capacity) {
                let there = claims().filter(|(_, claim)| covers(claim, at));
                found.extend(there.map(|(id, _)| (new.id.clone(), Some(id.clone()))));
            }
        }
        found
    }
}

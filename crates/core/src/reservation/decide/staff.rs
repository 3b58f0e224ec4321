//! What staff does: override, block, and say what a resource is.

use std::sync::Arc;

use super::super::command::{Act, Actor, ResourceWish};
use super::super::model::{
    ALL_UNITS, BlockSet, By, Claim, Granted, Piece, Reservation, Resource, State, WaitState,
};
use super::super::outcome::{Change, Conflict, Reply, Stop, Told, What, no};
use super::super::policy::{Policy, Waitlist};
use super::super::slice::Key;
use super::super::steps;
use super::claims::{InTheWay, sensible_span};
use super::{Done, Work, principal, same};
use crate::access::Action;
use crate::calendar::Span;
use crate::ids::{Principal, ReservationId, ResourceId, SourceName};
use crate::limits::{self, Millis};
use crate::refusal::Code;

impl Work<'_> {
    /// Books over holds, which give way, and by force over everything else, which stays.
    pub(super) fn override_all(&mut self, actor: &Actor, act: &Act) -> Result<Done, Stop> {
        let Act::Override { wish, reason, force, external_ref } = act else {
            return no(Code::BadState, "this is no override");
        };
        let [claims] = &wish.any_of[..] else {
            return no(Code::BadField, "an override has one set of claims; name it in `claims`");
        };
        if reason.is_empty() || reason.len() > limits::REASON {
            return no(Code::BadField, "`reason` has 1 to 500 bytes; say why, for those who read it later");
        }
        for claim in claims {
            self.may_manage(actor, &claim.resource)?;
        }
        let holder = principal(actor, wish.holder.as_ref())?;
        let set = self.set(actor, claims)?;
        let found = self.evict(&set, reason)?;
        if !found.is_empty() && !force {
            // Nothing was evicted, then, and what is held is no alternative.
            self.change = Change::default();
            return self.conflict(actor, &set, found);
        }
        self.change.reply.conflicts = self.conflicts(actor, found.clone())?;
        let mut new = self.new_reservation(State::Held, holder, set);
        new.email.clone_from(&wish.email);
        new.meta.clone_from(&wish.meta);
        new.external_ref.clone_from(external_ref);
        new.forced = !found.is_empty();
        self.set_booked(&mut new)?;
        Ok(self.put_and_reply(new, What::Confirmed, Some(reason)))
    }

    /// Ends holds, the youngest first, until the claims fit or no hold is left. What stays in the way
    /// is returned.
    fn evict(&mut self, set: &[Granted], reason: &str) -> Result<InTheWay, Stop> {
        loop {
            // Staff books outside opening hours without being asked why.
            let found = self.taken(set, &[])?;
            self.need_reservations(&found)?;
            let holds = found.iter().filter(|(_, piece)| piece.by == By::Held);
            let holds = holds.map(|(_, piece)| self.reservation(&piece.reservation));
            let holds = holds.collect::<Result<Vec<_>, _>>()?;
            self.slice.need(holds.iter().filter_map(|hold| hold.offer.clone()).map(Key::Wait))?;
            let Some(youngest) = holds.into_iter().max_by_key(|hold| (hold.fence, hold.id.clone())) else {
                return Ok(found);
            };
            self.change.reply.evicted.push(youngest.id.clone());
            let ended = Reservation { state: State::Released, ..(*youngest).clone() };
            self.put(ended, What::Evicted, Some(reason));
            self.close_offer(&youngest, WaitState::Left)?;
        }
    }

    fn may_manage(&self, actor: &Actor, resource: &ResourceId) -> Result<(), Stop> {
        if actor.may(Action::Manage, resource, self.now()) {
            return Ok(());
        }
        no(Code::Denied, "only a backend does this; an access rule can allow `manage`")
    }

    /// Replaces all blocks of a source. They may lie over bookings, which are named in the reply.
    pub(super) fn block(
        &mut self,
        actor: &Actor,
        source: &SourceName,
        as_of: Millis,
        spans: &[(ResourceId, Span)],
    ) -> Result<Done, Stop> {
        if !actor.is_backend() {
            return no(Code::Denied, "only a backend sets blocks; ask the site to do it");
        }
        // It would outlive every true state of its source.
        if as_of > self.now().saturating_add(limits::BLOCK_AHEAD) {
            return no(
                Code::BadField,
                "`as_of` lies in the future; send the moment that the blocks describe",
            );
        }
        let claims = self.block_claims(spans)?;
        let id = ReservationId::of_source(source);
        self.slice.need([Key::Reservation(id.clone())])?;
        let old = self.slice.reservation(&id).cloned();
        if let Some(known) = old.as_ref().and_then(|old| old.block.as_ref())
            && as_of < known.as_of
        {
            return no(
                Code::StaleVersion,
                "a newer state of this source is known; send that one, or a newer",
            );
        }
        if let Some(old) = old.as_ref()
            && old.claims == claims
            && old.block.as_ref().is_some_and(|block| block.as_of == as_of)
        {
            return Ok(same(old));
        }
        let over = self.booked_under(&claims)?;
        self.change.reply.conflicts = self.conflicts(actor, over)?;
        let mut new = self.new_reservation(State::Booked, Principal::Backend, claims);
        new.id = id;
        new.block = Some(BlockSet { source: source.clone(), as_of });
        Ok(self.put_and_reply(new, What::Blocked, None))
    }

    fn block_claims(&self, spans: &[(ResourceId, Span)]) -> Result<Vec<Granted>, Stop> {
        if spans.len() > limits::BLOCK_CLAIMS {
            return no(Code::LimitReached, "one source has 2,000 blocks at most; make several sources of it");
        }
        self.slice.need(spans.iter().map(|(resource, _)| Key::Resource(resource.clone())))?;
        let mut claims = Vec::with_capacity(spans.len());
        let mut days = 0;
        for (resource, span) in spans {
            self.resource(resource)?;
            // A feed also has what is over, which blocks nobody.
            if span.end <= self.now() && span.start < span.end {
                continue;
            }
            sensible_span(*span, self.now())?;
            days += span.days().count();
            let claim =
                Claim { resource: resource.clone(), start: span.start, end: span.end, units: ALL_UNITS };
            claims.push(Granted { claim, before: 0, after: 0 });
        }
        if days > limits::BLOCK_DAYS {
            return no(
                Code::LimitReached,
                "the blocks touch more than 4,000 days; make several sources of it",
            );
        }
        Ok(claims)
    }

    /// What else is claimed where blocks lie.
    fn booked_under(&self, blocks: &[Granted]) -> Result<InTheWay, Stop> {
        self.need_days(blocks)?;
        let mut found = InTheWay::new();
        for block in blocks {
            let pieces = self.pieces(&block.claim.resource, block.padded())?;
            let claimed = pieces.into_iter().filter(|piece| piece.by != By::Block);
            found.extend(claimed.map(|piece| (block.claim.resource.clone(), piece)));
            if found.len() > limits::CONFLICTS * 10 {
                break;
            }
        }
        Ok(found)
    }

    pub(super) fn put_resource(&mut self, actor: &Actor, wish: &ResourceWish) -> Result<Done, Stop> {
        self.may_manage(actor, &wish.id)?;
        sensible_resource(wish)?;
        self.slice.need([Key::Resource(wish.id.clone())])?;
        let old = self.slice.resource(&wish.id).cloned();
        let mut new = Resource {
            id: wish.id.clone(),
            capacity: wish.capacity,
            before: wish.before,
            after: wish.after,
            time_zone: wish.time_zone.clone(),
            hours: wish.hours.clone(),
            provider: wish.provider.clone(),
            policy: wish.policy.clone(),
            version: old.as_ref().map_or(0, |old| old.version),
        };
        if let Some(old) = old.as_ref().filter(|old| ***old == new) {
            return Ok(Done::Same(Reply { resource: Some(old.clone()), ..Reply::default() }));
        }
        new.version = self.moment.position;
        if let Some(old) = &old {
            if new.capacity < old.capacity {
                self.change.reply.conflicts = self.beyond(actor, &new)?;
            }
            self.loosen(&new.id, Span { start: 0, end: Millis::MAX });
        }
        let new = Arc::new(new);
        self.change.told.push(Told::Resource(new.id.clone()));
        self.change.resources.push(new.clone());
        self.change.reply.resource = Some(new);
        Ok(Done::Changed)
    }

    /// What is claimed beyond a lowered capacity.
    fn beyond(&self, actor: &Actor, new: &Resource) -> Result<Vec<Conflict>, Stop> {
        self.slice.need([Key::Days(new.id.clone())])?;
        let mut pieces: Vec<Piece> = self.slice.all_days(&new.id).cloned().collect();
        let now = self.now();
        pieces.retain(|piece| piece.by != By::Block && piece.span.end > now && steps::counts(piece, now));
        pieces.sort_unstable_by(Piece::in_order);
        let Some(whole) = pieces.iter().map(|piece| piece.span).reduce(Span::hull) else {
            return Ok(Vec::new());
        };
        let full = steps::beyond(pieces.iter(), whole, new.capacity);
        let over = pieces.into_iter().filter(|piece| {
            let from = full.partition_point(|span| span.end <= piece.span.start);
            full.get(from).is_some_and(|span| span.overlaps(piece.span))
        });
        self.conflicts(actor, over.map(|piece| (new.id.clone(), piece)).collect())
    }
}

fn sensible_resource(wish: &ResourceWish) -> Result<(), Stop> {
    let Policy {
        hold_ttl_ms,
        max_life_ms,
        approval_ttl_ms,
        offer_ttl_ms,
        reminders_ms,
        unlinked_after_ms,
        waitlist,
        holds,
        past,
        ..
    } = &wish.policy;
    let within = |value: Millis, least: Millis, most: Millis| (least..=most).contains(&value);
    let checks = [
        (wish.capacity <= limits::CAPACITY, "`capacity` is 0 to 1,000,000"),
        (wish.before <= limits::BUFFER && wish.after <= limits::BUFFER, "a buffer is a day at most"),
        (
            within(*max_life_ms, limits::HOLD_TTL_LEAST, limits::HOLD_LIFE_MOST),
            "`max_life_ms` is 1,000 to 7,200,000",
        ),
        (
            within(*hold_ttl_ms, limits::HOLD_TTL_LEAST, *max_life_ms),
            "`hold_ttl_ms` is 1,000 to `max_life_ms`",
        ),
        (
            within(*offer_ttl_ms, limits::HOLD_TTL_LEAST, limits::OFFER_TTL_MOST),
            "`offer_ttl_ms` is 1,000 to 259,200,000",
        ),
        (
            approval_ttl_ms.is_none_or(|ttl| within(ttl, limits::HOLD_TTL_LEAST, limits::APPROVAL_TTL_MOST)),
            "`approval_ttl_ms` is 1,000 to 2,592,000,000",
        ),
        (
            unlinked_after_ms
                .is_none_or(|ttl| within(ttl, limits::HOLD_TTL_LEAST, limits::APPROVAL_TTL_MOST)),
            "`unlinked_after_ms` is 1,000 to 2,592,000,000",
        ),
        (
            reminders_ms.len() <= limits::REMINDERS
                && reminders_ms.iter().all(|before| *before <= limits::REMINDER_BEFORE),
            "`reminders_ms` has 8 times at most, each at most 60 days before the start",
        ),
        ((1..=limits::HOLDS_PER_PRINCIPAL_MOST).contains(holds), "`holds` is 1 to 100"),
        (
            !past || *waitlist == Waitlist::Off,
            "`past` needs a `waitlist` that is `off`: nobody waits for what is over",
        ),
    ];
    match checks.into_iter().find(|(fine, _)| !fine) {
        None => Ok(()),
        Some((_, sentence)) => no(Code::BadField, sentence),
    }
}

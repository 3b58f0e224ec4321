//! The properties of the reference from their words, checked on everything that happens, beside the replay.

use std::collections::BTreeMap;

use deskbell_core::ids::Principal;
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, By, Claim, Command, Due, Granted, Moment, Refused, Reservation, State, Wait, WaitState, Waitlist,
    next_due,
};

use super::{Checked, Checker, RowSeen};
use crate::naive::{Naive, live, padded};
use crate::world::Call;

impl Checker {
    /// Everything that must hold after a change.
    pub(super) fn properties(&mut self, before: &Naive, moment: Moment) -> Checked {
        let changed: Vec<Reservation> = {
            let new = |new: &&Reservation| new.version == moment.position;
            self.naive.reservations.iter().filter(new).cloned().collect()
        };
        for new in &changed {
            let old = before.reservation(&new.id);
            self.fence_rises(old, new, moment)?;
            fits(before, &self.naive, new, moment.now)?;
            ends_for_a_reason(old, new, moment.now)?;
            life_is_bounded(&self.naive, new)?;
        }
        quotas_hold(&self.naive, moment.now)?;
        the_first_is_asked(before, &self.naive, moment)
    }

    /// P2: every grant's fence is higher than all before it, over every restart.
    fn fence_rises(&mut self, old: Option<&Reservation>, new: &Reservation, moment: Moment) -> Checked {
        if old.is_some_and(|old| old.fence == new.fence) {
            return Ok(());
        }
        if new.fence <= self.last_fence && new.fence != moment.position {
            return Err(format!("the fence {} does not rise over {}", new.fence, self.last_fence));
        }
        self.last_fence = self.last_fence.max(new.fence);
        Ok(())
    }

    /// P5 and P13: what is over by now was ended, within a second where the disk failed; and whoever held
    /// something over a restart has half a minute, within the hold's life.
    pub(super) fn nothing_is_late(&mut self, now: Millis) -> Checked {
        let patience = |at: Millis| match self.failed_at {
            Some(failed) => at.max(failed).saturating_add(1_000) < now,
            None => at <= now,
        };
        for found in &self.naive.reservations {
            let ends = matches!(found.state, State::Held | State::Pending);
            if let Some(at) = found.expires_at.filter(|at| ends && patience(*at)) {
                return Err(format!("{} was over at {at}, and it is {now}: {found:?}", found.id));
            }
        }
        if let (Some((started, head)), None) = (self.started, self.failed_at) {
            self.started = None;
            let least = started + limits::HOLD_RESTART;
            let old = |found: &&Reservation| found.state == State::Held && found.fence <= head;
            for hold in self.naive.reservations.iter().filter(old) {
                let most = hold.life_until.unwrap_or(Millis::MAX);
                if hold.expires_at.is_some_and(|at| at < least && at < most) {
                    return Err(format!("a restart at {started} leaves {hold:?} too little time"));
                }
            }
        }
        Ok(())
    }

    /// P13: whoever held something over a restart keeps it for half a minute, within the hold's life, unless
    /// somebody else has it by now.
    pub(super) fn has_its_grace(&self, command: &Command, row: &RowSeen) -> Checked {
        let Command::Due(Due::Reservation(id)) = command else { return Ok(()) };
        let (Some(hold), Some(event)) = (self.naive.reservation(id), row.events.first()) else {
            return Ok(());
        };
        let (opened, head) = self.opened;
        let most = hold.life_until.unwrap_or(Millis::MAX).min(opened + limits::HOLD_RESTART);
        let over = hold.state != State::Held || hold.fence > head || event.at >= most;
        // A warning is no end.
        if over || hold.expires_at.is_none_or(|at| event.at < at) {
            return Ok(());
        }
        if self.naive.in_the_way(&hold.claims, std::slice::from_ref(id), event.at).is_empty() {
            return Err(format!("after a restart at {opened} a hold ends at {}: {hold:?}", event.at));
        }
        Ok(())
    }

    /// P5: a ledger that has nothing to do has told everything that was to be told.
    pub fn nothing_is_due(&self, now: Millis) -> Checked {
        let due = |found: &&Reservation| next_due(found).is_some_and(|at| at <= now);
        match self.naive.reservations.iter().find(due) {
            Some(found) if self.failed_at.is_none() => Err(format!("at {now} something is due of {found:?}")),
            _ => Ok(()),
        }
    }
}

/// P6, P18: a conflict names what is in the way, and never only the asker's own hold.
pub(super) fn refusal_has_a_reason(call: &Call, refused: &Refused) -> Checked {
    if refused.refusal.code != Code::Conflict {
        return Ok(());
    }
    if refused.conflicts.is_empty() {
        return Err("it is refused, and nothing is in the way".to_owned());
    }
    let own = refused.conflicts.iter().all(|conflict| conflict.yours && conflict.by == By::Held);
    match &call.command {
        Command::Ask { act: Act::Hold { .. }, .. } if own => Err("it conflicts only with itself".to_owned()),
        _ => Ok(()),
    }
}

/// P1: what is granted without force never makes a resource be claimed beyond its capacity.
fn fits(before: &Naive, after: &Naive, new: &Reservation, now: Millis) -> Checked {
    let was = before.reservation(&new.id).filter(|old| live(old, now));
    let same = was.is_some_and(|was| was.claims == new.claims);
    if new.forced || new.block.is_some() || !live(new, now) || same {
        return Ok(());
    }
    for granted in &new.claims {
        let id = &granted.claim.resource;
        let capacity = after.resource(id).map_or(0, |resource| u64::from(resource.capacity));
        let here = padded(granted);
        let starts =
            after.reservations.iter().flat_map(|other| &other.claims).map(|claim| padded(claim).start);
        for at in starts.chain([here.start]).filter(|at| here.start <= *at && *at < here.end) {
            let used = after.used(id, at, now);
            if used > capacity {
                return Err(format!("{used} of {capacity} units of {id} are claimed at {at}"));
            }
        }
    }
    Ok(())
}

/// P4: nobody loses a hold before its time but by confirming, releasing, being evicted or staying away.
fn ends_for_a_reason(old: Option<&Reservation>, new: &Reservation, now: Millis) -> Checked {
    let Some(old) = old else { return Ok(()) };
    if old.state == State::Held && new.state == State::Expired && old.expires_at.is_none_or(|at| now < at) {
        return Err(format!("{old:?} expires too early"));
    }
    let shorter = new.expires_at.is_some_and(|new| old.expires_at.is_none_or(|old| new < old));
    if old.state == State::Held && new.state == State::Held && shorter {
        return Err(format!("{old:?} is made shorter: {new:?}"));
    }
    if old.state.is_over() && new.state != old.state && new.fence == old.fence {
        return Err(format!("{old:?} comes back: {new:?}"));
    }
    Ok(())
}

/// P9: no hold lives longer than a hold may.
fn life_is_bounded(after: &Naive, new: &Reservation) -> Checked {
    let Some(until) = new.expires_at.filter(|_| new.state == State::Held) else { return Ok(()) };
    let most = |granted: &Granted| after.resource(&granted.claim.resource).map(|r| r.policy.max_life_ms);
    let life = match &new.offer {
        None => new.claims.iter().filter_map(most).min().unwrap_or(0).max(limits::HOLD_LIFE),
        Some(_) => limits::OFFER_TTL_MOST,
    };
    if until - new.granted_at > life || new.life_until.is_none_or(|end| until > end) {
        return Err(format!("{new:?} lives too long"));
    }
    Ok(())
}

/// P10: nobody holds more than it may.
fn quotas_hold(after: &Naive, now: Millis) -> Checked {
    let mut counts: BTreeMap<&Principal, (usize, usize)> = BTreeMap::new();
    for hold in after.reservations.iter().filter(|found| found.state == State::Held && live(found, now)) {
        let (asked, offered) = counts.entry(&hold.holder).or_default();
        *if hold.offer.is_some() { offered } else { asked } += 1;
    }
    counts.remove(&Principal::Backend);
    let over = counts.into_iter().find(|(_, (asked, offered))| {
        *asked > limits::HOLDS_PER_PRINCIPAL || *offered > limits::WAITS_PER_PRINCIPAL
    });
    over.map_or(Ok(()), |(who, counts)| Err(format!("{who} has (asked, offered) {counts:?}")))
}

/// P14: while somebody waits for whom it fits, freed time is not free; and whoever came first is asked first.
fn the_first_is_asked(before: &Naive, after: &Naive, moment: Moment) -> Checked {
    // A hold that has run out and was not ended yet has not been freed yet either.
    let late = |found: &Reservation| found.state == State::Held && !live(found, moment.now);
    if before.reservations.iter().chain(&after.reservations).any(late) {
        return Ok(());
    }
    let new_offer = |wait: &&Wait| {
        let old = before.waits.iter().find(|old| old.id == wait.id);
        wait.state == WaitState::Offered && old.is_none_or(|old| old.state != WaitState::Offered)
    };
    let offered: Vec<&Wait> = after.waits.iter().filter(new_offer).collect();
    for wait in after.waits.iter().filter(|wait| wait.state == WaitState::Waiting) {
        let later = offered.iter().filter(|other| other.joined > wait.joined);
        let later: Vec<_> = later.filter_map(|other| other.offer.clone()).collect();
        for set in wait.any_of.iter().filter_map(|set| exclusive(after, set, moment.now)) {
            if after.in_the_way(&set, &later, moment.now).is_empty() {
                return Err(format!("{wait:?} waits for what is free"));
            }
        }
    }
    Ok(())
}

/// A wish that is still to be had, where the time is given to who waits for it.
fn exclusive(naive: &Naive, set: &[Claim], now: Millis) -> Option<Vec<Granted>> {
    let granted = set.iter().map(|claim| {
        let resource = naive.resource(&claim.resource)?;
        let offers = resource.policy.waitlist == Waitlist::Offer && claim.end > now;
        offers.then(|| Granted { claim: claim.clone(), before: resource.before, after: resource.after })
    });
    granted.collect()
}

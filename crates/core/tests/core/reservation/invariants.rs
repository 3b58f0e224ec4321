//! The properties of the reference, checked from their words on everything that happens.

use std::collections::BTreeMap;

use deskbell_core::ids::{ResourceId, WaitId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, By, Change, Command, Due, Granted, Key, Moment, Piece, Reservation, Slice, State, Wait, WaitState,
    Waitlist,
};

use super::book::Book;
use super::naive::{Naive, live, padded};
use super::play::Heard;

/// What must be remembered from one command to the next.
#[derive(Default)]
pub struct Seen {
    last_fence: u64,
    last_position: u64,
}

impl Seen {
    /// What was decided and not written never was.
    pub fn forget(&mut self, position: u64, naive: &Naive) {
        self.last_position = position;
        self.last_fence = naive.reservations.iter().map(|r| r.fence).max().unwrap_or(0);
    }

    /// Everything that must hold after a change.
    pub fn check(&mut self, before: &Naive, after: &Naive, change: &Change, moment: Moment) {
        self.fences_rise(before, change, moment);
        grants_fit(before, after, change, moment.now);
        holds_end_for_a_reason(before, change, moment.now);
        lives_are_bounded(after, change);
        quotas_hold(after, moment.now);
        the_first_who_fits_is_asked(before, after, change, moment);
        let ends = change.reservations.iter().position(|new| !new.state.is_over()).unwrap_or(0);
        let late = change.reservations.iter().skip(ends).any(|new| new.state.is_over());
        assert!(!late || ends == 0 && change.reservations[0].state.is_over(), "ends come before grants");
    }

    /// P2: every grant's fence is higher than all before it.
    fn fences_rise(&mut self, before: &Naive, change: &Change, moment: Moment) {
        assert!(moment.position > self.last_position, "positions are dense and rise");
        self.last_position = moment.position;
        for new in &change.reservations {
            let old = before.reservation(&new.id);
            if old.is_none_or(|old| old.fence != new.fence) {
                assert!(new.fence > self.last_fence, "the fence {} does not rise", new.fence);
                assert_eq!(new.fence, moment.position);
            }
        }
        let fences = change.reservations.iter().map(|new| new.fence);
        self.last_fence = fences.max().unwrap_or(0).max(self.last_fence);
    }
}

/// P1: what is granted without force never makes a resource be claimed beyond its capacity. Every instant at
/// which usage can rise is looked at.
fn grants_fit(before: &Naive, after: &Naive, change: &Change, now: Millis) {
    for new in change.reservations.iter().filter(|new| !new.forced && new.block.is_none()) {
        let was = before.reservation(&new.id).filter(|old| live(old, now));
        let is = after.reservation(&new.id).is_some_and(|new| live(new, now));
        if !is || was.is_some_and(|was| was.claims == new.claims) {
            continue;
        }
        for granted in &new.claims {
            let resource = after.resource(&granted.claim.resource).unwrap();
            let claims = after.reservations.iter().flat_map(|other| &other.claims);
            let here = padded(granted);
            let starts = claims.map(|claim| padded(claim).start).chain([here.start]);
            for at in starts.filter(|at| here.start <= *at && *at < here.end) {
                let used = after.used(&resource.id, at, now);
                assert!(used <= u64::from(resource.capacity), "{used} units of {} at {at}", resource.id);
            }
        }
    }
}

/// P4: nobody loses a hold before its time but by confirming, releasing, being evicted or staying away.
fn holds_end_for_a_reason(before: &Naive, change: &Change, now: Millis) {
    for new in &change.reservations {
        let Some(old) = before.reservation(&new.id) else { continue };
        if old.state == State::Held && new.state == State::Expired {
            let at = old.expires_at.expect("only what has an end expires");
            assert!(now >= at, "it expires {} ms too early", at - now);
        }
        if old.state == State::Held && new.state == State::Held && old.expires_at != new.expires_at {
            assert!(new.expires_at > old.expires_at, "a hold is never made shorter");
            assert!(new.expires_at > Some(now), "nothing is extended into the past");
        }
        assert!(
            !old.state.is_over() || new.fence != old.fence || new.state == old.state,
            "the dead stay dead"
        );
    }
}

/// P9: no hold lives longer than a hold may.
fn lives_are_bounded(after: &Naive, change: &Change) {
    for new in change.reservations.iter().filter(|new| new.state == State::Held) {
        let most = |granted: &Granted| after.resource(&granted.claim.resource).unwrap().policy.max_life_ms;
        let life = match &new.offer {
            None => new.claims.iter().map(most).min().unwrap_or(0).max(limits::HOLD_LIFE),
            Some(_) => limits::OFFER_TTL_MOST,
        };
        assert!(new.expires_at.is_none_or(|at| at - new.granted_at <= life), "{new:?} lives too long");
        assert!(new.life_until >= new.expires_at, "it ends within its life");
    }
}

/// P10: nobody holds more than it may.
fn quotas_hold(after: &Naive, now: Millis) {
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    let held = |hold: &&_| {
        let hold: &deskbell_core::reservation::Reservation = hold;
        hold.state == State::Held && live(hold, now)
    };
    for hold in after.reservations.iter().filter(held) {
        let (asked, offered) = counts.entry(&hold.holder).or_default();
        *if hold.offer.is_some() { offered } else { asked } += 1;
    }
    for (who, (asked, offered)) in counts {
        let bound = *who != deskbell_core::ids::Principal::Backend;
        let most = after.resources.iter().map(|resource| resource.policy.holds).max().unwrap_or(0);
        assert!(!bound || asked <= most, "{who} holds {asked}");
        assert!(!bound || offered <= limits::WAITS_PER_PRINCIPAL, "{who} was offered {offered}");
    }
}

/// P14: while somebody waits for whom it fits, freed time is not free; and whoever came first is asked first.
fn the_first_who_fits_is_asked(before: &Naive, after: &Naive, change: &Change, moment: Moment) {
    // A hold that has run out and was not ended yet has not been freed yet either.
    let late = |r: &deskbell_core::reservation::Reservation| r.state == State::Held && !live(r, moment.now);
    if before.reservations.iter().chain(&after.reservations).any(late) {
        return;
    }
    let offered: Vec<(u64, WaitId)> = change
        .waits
        .iter()
        .filter(|wait| wait.state == WaitState::Offered)
        .map(|wait| (wait.joined, wait.id.clone()))
        .collect();
    for wait in after.waits.iter().filter(|wait| wait.state == WaitState::Waiting) {
        let later = offered.iter().filter(|(joined, _)| *joined > wait.joined);
        let later: Vec<_> = later
            .filter_map(|(_, id)| after.waits.iter().find(|wait| wait.id == *id)?.offer.clone())
            .collect();
        for set in wait.any_of.iter().filter_map(|set| exclusive(after, set, moment.now)) {
            let by = after.in_the_way(&set, &later, moment.now);
            assert!(!by.is_empty(), "{wait:?} waits for what is free");
        }
    }
}

/// A wish that is still to be had, where the time is given to who waits for it.
fn exclusive(naive: &Naive, set: &[deskbell_core::reservation::Claim], now: Millis) -> Option<Vec<Granted>> {
    let granted = set.iter().map(|claim| {
        let resource = naive.resource(&claim.resource)?;
        let offers = resource.policy.waitlist == Waitlist::Offer && claim.end > now;
        offers.then(|| Granted { claim: claim.clone(), before: resource.before, after: resource.after })
    });
    granted.collect()
}

/// P18: a hold is never refused for nothing but own holds.
pub fn refusal(command: &Command, heard: &Heard) {
    let Heard::No(Code::Conflict, conflicts) = heard else { return };
    assert!(!conflicts.is_empty(), "{command:?} is refused and nothing is in the way");
    let own = |conflict: &deskbell_core::reservation::Conflict| conflict.yours && conflict.by == By::Held;
    if let Command::Ask { act: Act::Hold { .. }, .. } = command {
        assert!(!conflicts.iter().all(own), "{command:?} conflicts only with itself");
    }
    assert!(!matches!(command, Command::Due(Due::Reservation(_))), "time is never refused");
}

/// The days that a slice knows hold exactly what the reservations claim.
pub fn conserved(slice: &Slice, naive: &Naive) {
    let mut days: BTreeMap<(ResourceId, u64), Vec<Piece>> = BTreeMap::new();
    for (resource, day, piece) in naive.reservations.iter().flat_map(Reservation::pieces) {
        days.entry((resource, day)).or_default().push(piece);
    }
    for resource in &naive.resources {
        let all = days.keys().filter(|(of, _)| *of == resource.id).map(|(_, day)| *day);
        for day in all.chain([20_000, 20_001]) {
            if !slice.knows(&Key::Day(resource.id.clone(), day)) {
                continue;
            }
            let order = |piece: &Piece| (piece.reservation.clone(), piece.nth);
            let mut known = slice.day(&resource.id, day).to_vec();
            known.sort_by_key(order);
            let mut expected = days.get(&(resource.id.clone(), day)).cloned().unwrap_or_default();
            expected.sort_by_key(order);
            assert_eq!(known, expected, "day {day} of {}", resource.id);
        }
    }
}

/// Two stores and the reference have written the same.
pub fn same_book(one: &Book, other: &Book, naive: &Naive) {
    assert_eq!(one.reservations, other.reservations);
    assert_eq!(one.waits, other.waits);
    assert_eq!(one.strikes, other.strikes);
    assert_eq!(one.reservations.len(), naive.reservations.len());
    for reservation in &naive.reservations {
        assert_eq!(**one.reservations.get(&reservation.id).expect("it is written"), *reservation);
    }
    assert_eq!(one.waits.len(), naive.waits.len());
    let same = |wait: &Wait| one.waits.get(&wait.id).is_some_and(|written| **written == *wait);
    assert!(naive.waits.iter().all(same), "the waitlists differ");
    assert_eq!(one.resources.len(), naive.resources.len());
    assert!(naive.resources.iter().all(|resource| *one.resources[&resource.id] == *resource));
}

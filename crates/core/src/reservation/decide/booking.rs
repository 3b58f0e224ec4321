//! A booking's life: made, approved or declined, moved, begun and ended.

use super::super::command::{Actor, Step, Wish};
use super::super::model::{Claim, Reservation, State};
use super::super::outcome::{Stop, What, no};
use super::super::slice::Key;
use super::{Done, Work, principal, same};
use crate::access::Action;
use crate::ids::{ExternalRef, Principal, ReservationId};
use crate::refusal::Code;

impl Work<'_> {
    pub(super) fn book(
        &mut self,
        actor: &Actor,
        wish: &Wish,
        external_ref: Option<&ExternalRef>,
    ) -> Result<Done, Stop> {
        let holder = principal(actor, wish.holder.as_ref())?;
        let sets = self.sets(actor, wish)?;
        let mut resources = sets.iter().flatten().map(|granted| &granted.claim.resource);
        let may = |action, resource| actor.may(action, resource, self.now());
        if !resources.all(|resource| may(Action::Confirm, resource) || may(Action::Manage, resource)) {
            return no(
                Code::Denied,
                "only a backend books without a hold; an access rule can allow `confirm`",
            );
        }
        self.those_who_wait_first(&sets)?;
        let mut conflicts = Vec::new();
        for set in sets {
            let found = self.in_the_way(&set, &[])?;
            if found.is_empty() {
                let mut new = self.new_reservation(State::Held, holder, set);
                new.email.clone_from(&wish.email);
                new.meta.clone_from(&wish.meta);
                new.external_ref = external_ref.cloned();
                return self.becomes_booking(new);
            }
            conflicts.push((set, found));
        }
        self.first_conflict(actor, conflicts)
    }

    pub(super) fn step(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        step: Step,
        version: Option<u64>,
    ) -> Result<Done, Stop> {
        let old = self.booking(id, version)?;
        self.may_step(actor, &old, step)?;
        let (to, what) = target(step);
        if old.state == to {
            return Ok(same(&old));
        }
        if !leads(old.state, step) {
            let sentence =
                format!("this is {}, so it cannot be changed by `{}`", old.state.as_str(), step.as_str());
            return no(Code::BadState, sentence);
        }
        let mut new = Reservation { state: to, ..(*old).clone() };
        if step == Step::Approve {
            self.still_to_approve(actor, &old)?;
            self.set_booked(&mut new)?;
        } else {
            new.expires_at = None;
            new.remind_at.clear();
            if to.is_over() {
                new.unlinked_at = None;
            }
        }
        Ok(self.put_and_reply(new, what, None))
    }

    /// Is there still time to say yes, and is the requested time still there?
    fn still_to_approve(&self, actor: &Actor, old: &Reservation) -> Result<(), Stop> {
        // The answer does not hang on how soon the timer comes.
        if old.expires_at.is_some_and(|at| at <= self.now()) {
            return no(Code::BadState, "the time to approve this is over; book it anew, if it is still free");
        }
        // A request that claims nothing may have been overtaken.
        if old.unclaimed {
            let found = self.in_the_way(&old.claims, std::slice::from_ref(&old.id))?;
            if !found.is_empty() {
                return self.conflict(actor, &old.claims, found);
            }
        }
        Ok(())
    }

    /// A reservation that is more than a hold, unchanged since `version`.
    fn booking(&self, id: &ReservationId, version: Option<u64>) -> Result<std::sync::Arc<Reservation>, Stop> {
        let old = self.reservation(id)?;
        if old.block.is_some() {
            return no(Code::BadState, "these are blocks; replace them by their source");
        }
        if version.is_some_and(|version| version != old.version) {
            return no(Code::StaleVersion, "the booking has changed since; read it again and decide anew");
        }
        Ok(old)
    }

    /// Staff and the provider may take every step; the holder may call off what is its own.
    fn may_step(&self, actor: &Actor, booking: &Reservation, step: Step) -> Result<(), Stop> {
        if self.is_staff(actor, booking) || self.is_provider(actor, booking)? {
            return Ok(());
        }
        if actor.identity.principal != booking.holder {
            return no(Code::NotHolder, "this is somebody else's booking; use the id of one of your own");
        }
        let mut resources = booking.claims.iter().map(|granted| &granted.claim.resource);
        if step == Step::Cancel && resources.all(|id| actor.may(Action::Confirm, id, self.now())) {
            return Ok(());
        }
        no(Code::Denied, "only a backend or the provider does this; ask the site to do it")
    }

    fn is_provider(&self, actor: &Actor, booking: &Reservation) -> Result<bool, Stop> {
        let Principal::User(user) = &actor.identity.principal else { return Ok(false) };
        let resources = booking.claims.iter().map(|granted| granted.claim.resource.clone());
        self.slice.need(resources.map(Key::Resource))?;
        for granted in &booking.claims {
            if self.resource(&granted.claim.resource)?.provider.as_ref() != Some(user) {
                return Ok(false);
            }
        }
        Ok(!booking.claims.is_empty())
    }

    pub(super) fn reschedule(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        claims: &[Claim],
        version: Option<u64>,
    ) -> Result<Done, Stop> {
        let old = self.booking(id, version)?;
        if !self.is_staff(actor, &old) {
            return no(Code::Denied, "only a backend moves bookings; ask the site to do it");
        }
        if old.state != State::Booked {
            return no(
                Code::BadState,
                format!("this is {}; only what is booked can be moved", old.state.as_str()),
            );
        }
        let set = self.set(actor, claims)?;
        let found = self.in_the_way(&set, std::slice::from_ref(&old.id))?;
        if !found.is_empty() {
            return self.conflict(actor, &set, found);
        }
        let mut new = Reservation { claims: set, forced: false, ..(*old).clone() };
        self.set_booked(&mut new)?;
        new.unlinked_at = old.unlinked_at;
        Ok(self.put_and_reply(new, What::Rescheduled, None))
    }

    pub(super) fn link(
        &mut self,
        actor: &Actor,
        id: &ReservationId,
        external_ref: &ExternalRef,
    ) -> Result<Done, Stop> {
        let old = self.booking(id, None)?;
        if !self.is_staff(actor, &old) {
            return no(Code::Denied, "only a backend links bookings with its own; ask the site to do it");
        }
        if old.external_ref.as_ref() == Some(external_ref) {
            return Ok(same(&old));
        }
        let new =
            Reservation { external_ref: Some(external_ref.clone()), unlinked_at: None, ..(*old).clone() };
        Ok(self.put_and_reply(new, What::Linked, None))
    }
}

const fn target(step: Step) -> (State, What) {
    match step {
        Step::Approve => (State::Booked, What::Confirmed),
        Step::Decline => (State::Declined, What::Declined),
        Step::Start => (State::Active, What::Started),
        Step::Complete => (State::Completed, What::Completed),
        Step::Cancel => (State::Cancelled, What::Cancelled),
        Step::NoShow => (State::NoShow, What::NoShow),
    }
}

/// The arrows of the diagram of states.
const fn leads(from: State, step: Step) -> bool {
    matches!(
        (from, step),
        (State::Pending, Step::Approve | Step::Decline | Step::Cancel)
            | (State::Booked, Step::Start | Step::Cancel | Step::NoShow)
            | (State::Active, Step::Complete | Step::Cancel)
    )
}

//! Do these claims fit, and if not, what is in the way?

use std::collections::BTreeMap;

use super::super::command::{Actor, Wish};
use super::super::model::{By, Claim, Granted, Piece, Resource};
use super::super::outcome::{Alternative, Conflict, Refused, Stop, no};
use super::super::policy::Waitlist;
use super::super::slice::Key;
use super::super::steps;
use super::Work;
use super::waitlist::is_past;
use crate::access::Action;
use crate::calendar::Span;
use crate::ids::{Principal, ReservationId, ResourceId};
use crate::limits::{self, DAY};
use crate::refusal::{Code, Refusal};

/// Claims that do not fit, with what is in the way of each.
pub(super) type InTheWay = Vec<(ResourceId, Piece)>;

impl Work<'_> {
    /// The alternatives of a wish as they would be granted, each checked for sense and right.
    pub(super) fn sets(&self, actor: &Actor, wish: &Wish) -> Result<Vec<Vec<Granted>>, Stop> {
        if wish.any_of.is_empty() || wish.any_of.len() > limits::ANY_OF {
            return no(Code::BadField, "name 1 to 16 alternatives, each a list of claims");
        }
        let claims = wish.any_of.iter().flatten();
        self.slice.need(claims.map(|claim| Key::Resource(claim.resource.clone())))?;
        wish.any_of.iter().map(|set| self.set(actor, set)).collect()
    }

    /// One set of claims as it would be granted.
    pub(super) fn set(&self, actor: &Actor, claims: &[Claim]) -> Result<Vec<Granted>, Stop> {
        if claims.is_empty() || claims.len() > limits::CLAIMS {
            return no(Code::BadField, "`claims` has 1 to 64 claims");
        }
        let granted: Vec<_> =
            claims.iter().map(|claim| self.granted(actor, claim)).collect::<Result<_, _>>()?;
        let days: u64 = granted.iter().map(|granted| granted.padded().days().count() as u64).sum();
        if days > limits::CLAIM_DAYS as u64 {
            return no(Code::LimitReached, "the claims touch more than 1,000 days; make several holds of it");
        }
        Ok(granted)
    }

    fn granted(&self, actor: &Actor, claim: &Claim) -> Result<Granted, Stop> {
        let resource = self.resource(&claim.resource)?;
        let may = |action| actor.may(action, &claim.resource, self.now());
        if !may(Action::Hold) && !may(Action::Manage) {
            let sentence = format!(
                "this identity may not hold times of `{}`; an access rule can allow `hold`",
                resource.id
            );
            return no(Code::Denied, sentence);
        }
        self.has_sense(claim, &resource)?;
        Ok(Granted { claim: claim.clone(), before: resource.before, after: resource.after })
    }

    fn has_sense(&self, claim: &Claim, resource: &Resource) -> Result<(), Stop> {
        self.is_in_time(claim.span(), resource)?;
        // A resource of capacity 0 is closed, which is a conflict and no mistake.
        if claim.units == 0 || (claim.units > resource.capacity && resource.capacity > 0) {
            let sentence =
                format!("`units` of `{}` are 1 to {}; claim fewer", resource.id, resource.capacity);
            return no(Code::BadField, sentence);
        }
        Ok(())
    }

    /// May this time of the resource be claimed now?
    pub(super) fn is_in_time(&self, span: Span, resource: &Resource) -> Result<(), Stop> {
        if resource.policy.past {
            return sensible_length(span, self.now());
        }
        sensible_span(span, self.now())
    }

    /// Asks for the days of all these claims at once: one question, however many there are.
    pub(super) fn need_days<'a>(&self, claims: impl IntoIterator<Item = &'a Granted>) -> Result<(), Stop> {
        self.slice.need(claims.into_iter().flat_map(|granted| {
            granted.padded().days().map(|day| Key::Day(granted.claim.resource.clone(), day))
        }))
    }

    /// What keeps a set of claims from being granted: nothing, where it fits and is open.
    pub(super) fn in_the_way(&self, set: &[Granted], but: &[ReservationId]) -> Result<InTheWay, Stop> {
        let mut found = self.closed(set)?;
        found.extend(self.taken(set, but)?);
        Ok(found)
    }

    /// What else claims the time of a set of claims, beyond what the resources have.
    ///
    /// Claims of one set count against each other too. `but` are reservations that do not count.
    pub(super) fn taken(&self, set: &[Granted], but: &[ReservationId]) -> Result<InTheWay, Stop> {
        let mut by_resource: BTreeMap<&ResourceId, Vec<&Granted>> = BTreeMap::new();
        for granted in set {
            by_resource.entry(&granted.claim.resource).or_default().push(granted);
        }
        self.need_days(set)?;
        let mut found = InTheWay::new();
        for (id, claims) in by_resource {
            let resource = self.resource(id)?;
            for granted in &claims {
                let padded = granted.padded();
                let mut pieces = self.pieces(id, padded)?;
                pieces.retain(|piece| !but.contains(&piece.reservation));
                let wanted: Vec<Piece> = claims.iter().map(|other| wanted(other)).collect();
                let full = steps::beyond(pieces.iter().chain(&wanted), padded, resource.capacity);
                if full.is_empty() {
                    continue;
                }
                // What lies elsewhere in the claimed time is not in the way.
                pieces.retain(|piece| full.iter().any(|span| span.overlaps(piece.span)));
                // Without anything in the way it would not fit either.
                if !steps::beyond(wanted.iter(), padded, resource.capacity).is_empty() {
                    pieces.insert(0, Piece { by: By::Closed, ..wanted_piece(granted.claim.span(), 0) });
                }
                found.extend(pieces.into_iter().map(|piece| (id.clone(), piece)));
            }
        }
        Ok(found)
    }

    /// The refusal that says what is in the way, and what would do instead.
    pub(super) fn conflict<T>(&self, actor: &Actor, set: &[Granted], found: InTheWay) -> Result<T, Stop> {
        let conflicts = self.conflicts(actor, found)?;
        let alternatives = self.alternatives(set)?;
        let waiting = self.waiting_for(set)?;
        let refusal = Refusal::new(
            Code::Conflict,
            "the time is taken; `conflicts` says by what, `alternatives` are other times that are free now",
        );
        Err(Stop::Refused(Box::new(Refused { refusal, conflicts, alternatives, waiting })))
    }

    /// What is in the way, as the actor may see it.
    pub(super) fn conflicts(&self, actor: &Actor, found: InTheWay) -> Result<Vec<Conflict>, Stop> {
        self.need_reservations(&found)?;
        let mut conflicts: Vec<(ReservationId, Conflict)> = Vec::new();
        for (resource, piece) in found {
            let known = conflicts
                .iter_mut()
                .find(|(id, conflict)| *id == piece.reservation && conflict.resource == resource);
            if let Some((_, conflict)) = known {
                conflict.span = conflict.span.hull(piece.span);
            } else if conflicts.len() < limits::CONFLICTS {
                let (yours, visible) = self.whose(actor, &piece)?;
                let conflict = Conflict {
                    resource,
                    span: piece.span,
                    by: piece.by,
                    free_at_earliest: piece.until,
                    reservation: visible.then(|| piece.reservation.clone()),
                    yours,
                };
                conflicts.push((piece.reservation, conflict));
            }
        }
        Ok(conflicts.into_iter().map(|(_, conflict)| conflict).collect())
    }

    /// Asks for the reservations of all these pieces at once.
    pub(super) fn need_reservations(&self, found: &InTheWay) -> Result<(), Stop> {
        let real = found.iter().map(|(_, piece)| piece).filter(|piece| piece.by != By::Closed);
        let unchanged = real.filter(|piece| !self.is_changed(&piece.reservation));
        self.slice.need(unchanged.map(|piece| Key::Reservation(piece.reservation.clone())))
    }

    /// Is it the actor's own, and may the actor know which it is?
    fn whose(&self, actor: &Actor, piece: &Piece) -> Result<(bool, bool), Stop> {
        if piece.by == By::Closed {
            return Ok((false, false));
        }
        let reservation = self.reservation(&piece.reservation)?;
        let own = reservation.holder == actor.identity.principal && reservation.holder != Principal::Backend;
        // What would be offered to somebody else first is not there yet: the refusal leaves it to its timer.
        let is_there = self.slice.reservation(&piece.reservation).is_some();
        Ok((own, is_there && (own || self.is_staff(actor, &reservation))))
    }

    /// Later times of the same day and the next at which the whole set would fit.
    fn alternatives(&self, set: &[Granted]) -> Result<Vec<Alternative>, Stop> {
        let Some(hull) = set.iter().map(|granted| granted.claim.span()).reduce(Span::hull) else {
            return Ok(Vec::new());
        };
        let step = hull.length();
        let last = (hull.start / DAY + 2) * DAY;
        let mut found = Vec::new();
        if step == 0 || step > DAY {
            return Ok(found);
        }
        let hours = self.known_hours(set, Span { start: hull.start, end: last })?;
        // Short claims have many later times, and a thousand losers of one slot ask for them at once.
        for nth in 1..=limits::ALTERNATIVE_TRIALS {
            let start = hull.start + nth * step;
            if start + step > last || found.len() >= limits::ALTERNATIVES {
                break;
            }
            if !hours.are_open(set, start - hull.start) {
                continue;
            }
            let moved: Vec<Granted> =
                set.iter().map(|granted| shifted(granted, start - hull.start)).collect();
            if self.taken(&moved, &[])?.is_empty() {
                found.push(Alternative { start });
            }
        }
        Ok(found)
    }

    /// How many wait for the set's first resource, where one can wait at all.
    fn waiting_for(&self, set: &[Granted]) -> Result<Option<usize>, Stop> {
        let Some(first) = set.first() else { return Ok(None) };
        if self.resource(&first.claim.resource)?.policy.waitlist == Waitlist::Off {
            return Ok(None);
        }
        self.slice.need([Key::Waiting(first.claim.resource.clone())])?;
        let waiting = self.slice.waiting(&first.claim.resource);
        Ok(Some(waiting.filter(|wait| !is_past(wait, self.now())).count()))
    }
}

/// Checks a span that somebody wants to have.
pub(super) fn sensible_span(span: Span, now: limits::Millis) -> Result<(), Stop> {
    if span.start < span.end && span.end <= now {
        return no(Code::BadField, "the time is past; claim one that is not over");
    }
    sensible_length(span, now)
}

/// The same where it may be over.
fn sensible_length(span: Span, now: limits::Millis) -> Result<(), Stop> {
    if span.end <= span.start {
        return no(Code::BadField, "`end` lies before `start`, or at it; a claim takes time");
    }
    if span.length() > limits::CLAIM_LENGTH {
        return no(Code::BadField, "a claim lasts 400 days at most; make several of it");
    }
    if span.end > now.saturating_add(limits::CLAIM_AHEAD) {
        return no(Code::BadField, "the time lies more than 4,000 days ahead; claim a nearer one");
    }
    Ok(())
}

fn shifted(granted: &Granted, by: limits::Millis) -> Granted {
    let claim =
        Claim { start: granted.claim.start + by, end: granted.claim.end + by, ..granted.claim.clone() };
    Granted { claim, ..granted.clone() }
}

fn wanted(granted: &Granted) -> Piece {
    wanted_piece(granted.padded(), granted.claim.units)
}

/// A claim that is not granted yet, as a piece to be counted with the others.
pub(super) fn wanted_piece(span: Span, units: u32) -> Piece {
    Piece { span, reservation: ReservationId::nobodys(), nth: 0, units, by: By::Held, until: None }
}

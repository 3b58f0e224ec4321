//! Locks and free times, for pages without a WebSocket.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::ids::ReservationId;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{By, Piece, Reservation, Span, State as Stand};
use deskbell_core::slotted::{Grid, Locked, Standing, Unavailable};
use deskbell_wire::appointease::asked::Asked as Message;
use deskbell_wire::appointease::rest::{self, Person, Subscribe};
use deskbell_wire::loose::Loose;

use super::{Visit, terms, told};
use crate::appointease::acts;
use crate::clock;
use crate::hub::Hub;
use crate::ledger;
use crate::store::Filter;

/// Reservations of a date of an employee that are shown.
const OF_A_DATE: usize = 500;

/// Locks a slot. Whoever shows the answer's `client_id` may unlock it.
pub async fn lock(State(hub): State<Arc<Hub>>, visit: Visit) -> Response {
    let answered = try_lock(&hub, &visit).await;
    visit.answer(answered)
}

async fn try_lock(hub: &Arc<Hub>, visit: &Visit) -> Result<String, Refusal> {
    let terms = terms(hub, &visit.asked)?;
    let claim = rest::slot(visit.text()?)?.claim(&terms.grid)?;
    let app = visit.app(hub);
    let actor = ledger::actor(app, Arc::new(visit.asked.identity.clone()), false);
    let lock = told(|tell| acts::lock(hub, app, actor, claim, None, tell)).await?;
    match (lock.locked, lock.hold) {
        (Locked::Yours { .. }, Some(hold)) => {
            let until = hold.expires_at.unwrap_or(lock.now + limits::HOLD_TTL);
            Ok(rest::locked(&hold.id, until, lock.now, terms.grid.zone()))
        }
        _ => Err(Refusal::new(Code::Conflict, "somebody else has this slot; choose another")),
    }
}

/// Unlocks it. A page that is left can only send a beacon, so the body may be of any kind.
pub async fn unlock(State(hub): State<Arc<Hub>>, visit: Visit) -> Response {
    let answered = try_unlock(&hub, &visit).await;
    visit.answer(answered)
}

async fn try_unlock(hub: &Arc<Hub>, visit: &Visit) -> Result<String, Refusal> {
    let id = rest::unlock(visit.text()?)?;
    told(|tell| acts::unlock_by_id(hub, visit.app(hub), id, tell)).await?;
    Ok(rest::unlocked())
}

/// Says whether a slot can be had.
pub async fn check(State(hub): State<Arc<Hub>>, visit: Visit) -> Response {
    let answered = try_check(&hub, &visit).await;
    visit.answer(answered)
}

async fn try_check(hub: &Arc<Hub>, visit: &Visit) -> Result<String, Refusal> {
    let terms = terms(hub, &visit.asked)?;
    let claim = rest::slot(visit.text()?)?.claim(&terms.grid)?;
    let found = told(|tell| acts::of_claim(hub, visit.app(hub), &claim, tell)).await?;
    let now = clock::now_ms();
    let there = found.iter().find(|one| one.is_live(now));
    let standing = there.map(|one| standing(&terms.grid, one));
    let person = there.filter(|_| visit.asked.is_backend()).map(|one| person(one));
    Ok(rest::checked(standing.as_ref(), person.as_ref(), now))
}

/// Says which times of a date cannot be had, and what stands there.
pub async fn availability(State(hub): State<Arc<Hub>>, visit: Visit) -> Response {
    let answered = try_availability(&hub, &visit).await;
    visit.answer(answered)
}

async fn try_availability(hub: &Arc<Hub>, visit: &Visit) -> Result<String, Refusal> {
    let terms = terms(hub, &visit.asked)?;
    let (day, but) = rest::availability(visit.text()?)?;
    let (resource, date) = (day.employee.resource()?, day.date()?);
    let app = visit.app(hub);
    let unavailable = told(|tell| acts::unavailable(hub, app, resource.clone(), date, tell)).await?;
    let filter =
        Filter { resource: Some(resource), span: Some(terms.grid.window(date)), ..Filter::default() };
    let mut found = told(|tell| acts::list(hub, app, filter, OF_A_DATE, tell)).await?;
    let now = clock::now_ms();
    found.retain(|one| one.is_live(now));
    let unavailable = match &but {
        Some(but) => {
            let (own, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| is_called(one, but));
            found = others;
            without(&terms.grid, date, unavailable, &own, &found)
        }
        None => unavailable,
    };
    let pieces: Vec<Piece> = found.iter().flat_map(|one| pieces(one)).collect();
    let standing = terms.grid.standing(date, &pieces, now);
    let persons: HashMap<&ReservationId, &Arc<Reservation>> =
        found.iter().filter(|_| visit.asked.is_backend()).map(|one| (&one.id, one)).collect();
    let of = |one: &Standing| persons.get(&one.reservation).map(|one| person(one));
    Ok(rest::available(&unavailable, &standing, of, now))
}

/// Is this the appointment that is to be moved, by its own id or one of the site's?
fn is_called(one: &Reservation, name: &str) -> bool {
    let id = |meta: &serde_json::value::RawValue| {
        Loose::of(meta, &["id"])
            .and_then(|fields| fields.raw("id").map(|id| id.get().trim_matches('"') == name))
    };
    one.id.as_str() == name
        || one.external_ref.as_ref().is_some_and(|known| known.as_str() == name)
        || one.meta.as_deref().and_then(id).unwrap_or(false)
}

/// The same times, if one appointment were not there.
fn without(
    grid: &Grid,
    date: deskbell_core::calendar::Date,
    unavailable: Unavailable,
    own: &[Arc<Reservation>],
    others: &[Arc<Reservation>],
) -> Unavailable {
    let Unavailable::Times(times) = unavailable else { return unavailable };
    let touches = |all: &[Arc<Reservation>], slot: Span| {
        all.iter().flat_map(|one| &one.claims).any(|granted| granted.claim.span().overlaps(slot))
    };
    let stays = |time: &String| {
        let wall = deskbell_core::calendar::Wall::parse(&date.to_string(), time);
        let Some(start) = wall.and_then(|wall| wall.instant(grid.zone())) else { return true };
        let slot = Span { start, end: start + grid.slot() };
        !touches(own, slot) || touches(others, slot)
    };
    Unavailable::Times(times.into_iter().filter(stays).collect())
}

fn by(one: &Reservation) -> By {
    match one.state {
        Stand::Held => By::Held,
        Stand::Pending => By::Pending,
        _ => By::Booked,
    }
}

fn pieces(one: &Reservation) -> Vec<Piece> {
    let piece = |(nth, granted): (usize, &deskbell_core::reservation::Granted)| Piece {
        span: granted.claim.span(),
        reservation: one.id.clone(),
        nth: nth as u16,
        units: granted.claim.units,
        by: by(one),
        until: one.expires_at,
    };
    one.claims.iter().enumerate().map(piece).collect()
}

fn standing(grid: &Grid, one: &Reservation) -> Standing {
    let start = one.claims.first().map_or(one.granted_at, |granted| granted.claim.start);
    let time = grid.wall(start).time();
    Standing { time, by: by(one), until: one.expires_at, reservation: one.id.clone() }
}

/// Whose it is, for backends alone.
fn person(one: &Reservation) -> Person {
    let name =
        one.meta.as_deref().and_then(|meta| Loose::of(meta, &["name"])?.text("name").map(String::from));
    Person {
        name: name.unwrap_or_default(),
        email: one.email.as_deref().unwrap_or_default().to_owned(),
        reference: one.external_ref.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
    }
}

/// Takes note of a wish to be told. Whoever polls is told anyway, so nothing is kept.
pub async fn subscribe(State(_): State<Arc<Hub>>, visit: Visit) -> Response {
    let answered = visit.text().and_then(rest::subscribe).and_then(|wish| {
        let events = match wish {
            Subscribe::Events { events, .. } => events,
            Subscribe::Message(
                Message::Watch(_)
                | Message::Unwatch(_)
                | Message::Subscribe { .. }
                | Message::WatchAppointments { .. }
                | Message::UnwatchAppointments,
            ) => Vec::new(),
            Subscribe::Message(_) => {
                let sentence =
                    "this message needs a WebSocket or a route of its own; here one can only subscribe";
                return Err(Refusal::new(Code::BadMessage, sentence));
            }
        };
        Ok(rest::subscription(&format!("{:016x}", clock::random_u64()), &events))
    });
    visit.answer(answered)
}

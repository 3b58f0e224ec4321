//! Pages of resources, holds, bookings and entries of waitlists.
//!
//! Whoever is no backend sees its own, and with `resource` those of a resource at which it serves.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use deskbell_core::access::Action;
use deskbell_core::ids::{Principal, ReservationId, ResourceId, UserId};
use deskbell_core::limits::Millis;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{
    Actor, Reservation, ShownReservation, ShownResource, Sight, Span, State as Stand, WaitView,
};
use deskbell_wire::ledger::{named, time};
use serde::Serialize;

use super::super::answer;
use super::super::asked::{Asked, Backend, Caller};
use super::super::problem::{Problem, bad_field, shown};
use super::super::query::Query;
use super::read::one_resource;
use super::{TOKEN, actor, look};
use crate::clock;
use crate::hub::Hub;
use crate::ledger;
use crate::store::{Filter, Look, Seen};

/// Things in one answer, if nothing is asked for.
const USUAL: usize = 100;
/// Things in one answer at most: a page is read in one piece.
const MOST: usize = 500;
/// What a booking can be, where nobody asks for some of it.
const BOOKINGS: [Stand; 7] = [
    Stand::Pending,
    Stand::Booked,
    Stand::Active,
    Stand::Completed,
    Stand::Declined,
    Stand::Cancelled,
    Stand::NoShow,
];

#[derive(Serialize)]
struct Resources<'a> {
    resources: Vec<ShownResource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct Reservations<'a> {
    reservations: Vec<ShownReservation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    now: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

#[derive(Serialize)]
struct Waits<'a> {
    waits: Vec<WaitView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    now: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

/// Lists resources by id.
pub async fn resources(State(hub): State<Arc<Hub>>, asked: Backend) -> Result<Response, Problem> {
    let query = &asked.0.query;
    query.only(&["after", "limit"])?;
    let limit = limit(query)?;
    let after = parsed(query, "after", ResourceId::parse)?;
    let sighting = look(&hub, asked.0.app, Look::Resources { after, limit: limit + 1 }).await?;
    let Seen::Resources(mut found) = sighting.seen else { return Err(astray()) };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.as_str());
    let resources = found.iter().map(|resource| ShownResource::of(resource)).collect();
    Ok(answer::of(&Resources { resources, next }))
}

/// Lists what is held.
pub async fn holds(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Response, Problem> {
    caller.0.query.only(&["user", "email", "resource", "from", "to", "after", "limit", TOKEN])?;
    list(&hub, &caller.0, vec![Stand::Held]).await
}

/// Lists bookings, also those that are over.
pub async fn bookings(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Response, Problem> {
    let query = &caller.0.query;
    query.only(&["user", "email", "resource", "from", "to", "state", "after", "limit", TOKEN])?;
    let states = match query.get("state") {
        None => BOOKINGS.to_vec(),
        Some(words) => words.split(',').map(state).collect::<Result<_, _>>()?,
    };
    list(&hub, &caller.0, states).await
}

fn state(word: &str) -> Result<Stand, Refusal> {
    Stand::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
        let all = Stand::ALL.map(Stand::as_str).join(", ");
        bad_field("state", &format!("has `{}`; the states are {all}", shown(word)))
    })
}

async fn list(hub: &Arc<Hub>, asked: &Asked, states: Vec<Stand>) -> Result<Response, Problem> {
    let (limit, actor) = (limit(&asked.query)?, actor(hub, asked));
    let mut filter = filter(&asked.query, states)?;
    let sight = narrow(hub, asked, &actor, &mut filter).await?;
    let after = parsed(&asked.query, "after", ReservationId::parse)?;
    let sighting = look(hub, asked.app, Look::Reservations { filter, after, limit: limit + 1 }).await?;
    let Seen::Reservations(mut found) = sighting.seen else { return Err(astray()) };
    let more = found.len() > limit;
    found.truncate(limit);
    let onlooker = ledger::onlooker(hub, &actor);
    // Blocks are no bookings, and what has expired is no hold any more, although nobody has ended it yet.
    let counts = |one: &&Arc<Reservation>| {
        one.block.is_none() && (one.state != Stand::Held || one.is_live(onlooker.now))
    };
    let reservations = found.iter().filter(counts).filter_map(|one| {
        let sight = onlooker.sight(one, sight == Sight::Holder)?;
        Some(onlooker.reservation(one, sight))
    });
    Ok(answer::of(&Reservations {
        reservations: reservations.collect(),
        next: found.last().filter(|_| more).map(|last| last.id.as_str()),
        now: onlooker.now,
        position: actor.is_backend().then_some(sighting.position),
    }))
}

/// Holds the filter to what the caller may see, and says how much of it that is.
async fn narrow(hub: &Hub, asked: &Asked, actor: &Actor, filter: &mut Filter) -> Result<Sight, Problem> {
    if actor.is_backend() {
        return Ok(Sight::Everything);
    }
    if let Some(id) = &filter.resource {
        if actor.may(Action::Manage, id, clock::now_ms()) {
            return Ok(Sight::Everything);
        }
        let found = one_resource(hub, asked.app, id).await?;
        if found.is_some_and(|one| ShownResource::is_served_by(&one, &actor.identity.principal)) {
            return Ok(Sight::Holder);
        }
    }
    let own = &actor.identity.principal;
    if filter.holder.as_ref().is_some_and(|named| named != own) {
        let sentence = "only a backend lists what is somebody else's; leave `user` out to list your own";
        return Err(Problem::new(Code::Denied, sentence));
    }
    filter.holder = Some(own.clone());
    Ok(Sight::Own)
}

fn filter(query: &Query, states: Vec<Stand>) -> Result<Filter, Refusal> {
    let at = |name: &str| query.get(name).map(|text| time::of_query(name, text)).transpose();
    let span = match (at("from")?, at("to")?) {
        (None, None) => None,
        (from, to) => Some(Span { start: from.unwrap_or(0), end: to.unwrap_or(time::LATEST) }),
    };
    if span.is_some_and(|span| span.end <= span.start) {
        return Err(bad_field("to", "lies before `from`, or at it; ask for a time that lasts"));
    }
    Ok(Filter {
        states,
        holder: parsed(query, "user", UserId::parse)?.map(Principal::User),
        email: query.get("email").map(Into::into),
        external_ref: None,
        resource: parsed(query, "resource", ResourceId::parse)?,
        span,
    })
}

/// Lists entries of waitlists in the order in which they joined.
pub async fn waits(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Response, Problem> {
    let (query, actor) = (&caller.0.query, actor(&hub, &caller.0));
    query.only(&["user", "resource", "after", "limit", TOKEN])?;
    // A place in the list is a number of the ledger; whoever may not know one has few entries, on one page.
    let limit = if actor.is_backend() { limit(query)? } else { MOST };
    let mut principal = parsed(query, "user", UserId::parse)?.map(Principal::User);
    if !actor.is_backend() {
        if principal.as_ref().is_some_and(|named| *named != actor.identity.principal) {
            let sentence = "only a backend lists who else waits; leave `user` out to list your own";
            return Err(Problem::new(Code::Denied, sentence));
        }
        principal = Some(actor.identity.principal.clone());
    }
    let resource = parsed(query, "resource", ResourceId::parse)?;
    let after = query.number("after", 0, usize::MAX)? as u64;
    let wanted = Look::Waits { resource, principal, after, limit: limit + 1 };
    let sighting = look(&hub, caller.0.app, wanted).await?;
    let Seen::Waits(mut found) = sighting.seen else { return Err(astray()) };
    let more = found.len() > limit;
    found.truncate(limit);
    let onlooker = ledger::onlooker(&hub, &actor);
    Ok(answer::of(&Waits {
        waits: found.iter().filter_map(|wait| onlooker.wait(wait)).collect(),
        next: found.last().filter(|_| more && actor.is_backend()).map(|last| last.joined),
        now: onlooker.now,
        position: actor.is_backend().then_some(sighting.position),
    }))
}

fn limit(query: &Query) -> Result<usize, Refusal> {
    Ok(query.number("limit", USUAL, MOST)?.max(1))
}

fn parsed<T>(query: &Query, name: &str, parse: fn(&str) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    query.get(name).map(|text| parse(text).map_err(|no| named(name, no))).transpose()
}

/// The store answers what it was asked; anything else is a bug of it.
fn astray() -> Problem {
    Problem::new(Code::Unavailable, "the store answered another question; report this, and try again")
}

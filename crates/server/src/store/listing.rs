//! Lists of reservations, in the order of their ids.
//!
//! Bookings are found through `lookups`, holds through their claims, and requests through an index of
//! their own. Only who asks for neither of them walks over the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use deskbell_core::ids::{AppId, ReservationId, ResourceId};
use deskbell_core::reservation::{Reservation, Span, State};

use super::database::{Database, Value};
use super::failure::Failure;
use super::ledger::load;
use super::ledger::rows::Lookup;
use super::ruling::Filter;

/// Candidates that are looked up at once.
const CHUNK: usize = 256;

/// Where candidates come from, beside the holds.
enum Source {
    /// Rows of one value of `lookups`.
    Lookup(Lookup, String),
    /// Bookings that touch these days, of a resource or of all.
    Days(Option<ResourceId>, Span),
    /// Requests.
    Pending,
    /// Every reservation.
    Everything,
    /// None but holds.
    Nothing,
}

/// The reservations that fit a filter.
pub(super) fn list(
    db: &Database,
    app: AppId,
    filter: &Filter,
    after: Option<&ReservationId>,
    limit: usize,
) -> Result<Vec<Arc<Reservation>>, Failure> {
    let source = source(filter);
    let wants_holds = filter.states.is_empty() || filter.states.contains(&State::Held);
    let holds = match source {
        Source::Everything => BTreeSet::new(),
        _ if wants_holds => holds(db, app, filter.resource.as_ref())?,
        _ => BTreeSet::new(),
    };
    let mut from = after.map_or(String::new(), |id| id.as_str().to_owned());
    let mut found = Vec::new();
    loop {
        let mut chunk = candidates(db, app, &source, &from)?;
        // Behind the last of a full chunk there may be others, which have their turn later.
        let end = if chunk.len() < CHUNK { None } else { chunk.last().cloned() };
        let of_chunk = |id: &&String| **id > from && end.as_ref().is_none_or(|end| *id <= end);
        chunk.extend(holds.iter().filter(of_chunk).cloned());
        chunk.sort_unstable();
        chunk.dedup();
        for id in chunk {
            let Ok(id) = ReservationId::parse(&id) else { continue };
            let Some(reservation) = load::reservation(db, app, &id)? else { continue };
            if fits(filter, &reservation) {
                found.push(reservation);
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
        match end {
            None => return Ok(found),
            Some(end) => from = end,
        }
    }
}

fn source(filter: &Filter) -> Source {
    let is_only = |state: State| filter.states.iter().all(|wanted| *wanted == state);
    if !filter.states.is_empty() && is_only(State::Held) {
        return Source::Nothing;
    }
    if filter.states.iter().any(|state| matches!(state, State::Released | State::Expired)) {
        // What was no more than a hold is listed nowhere.
        return Source::Everything;
    }
    if let Some(name) = &filter.external_ref {
        return Source::Lookup(Lookup::Reference, name.as_str().to_owned());
    }
    if let Some(email) = &filter.email {
        return Source::Lookup(Lookup::Email, email.to_lowercase());
    }
    if let Some(holder) = &filter.holder {
        return Source::Lookup(Lookup::Holder, holder.to_string());
    }
    if let Some(span) = filter.span {
        return Source::Days(filter.resource.clone(), span);
    }
    if let Some(resource) = &filter.resource {
        return Source::Lookup(Lookup::Resource, resource.as_str().to_owned());
    }
    if !filter.states.is_empty() && is_only(State::Pending) {
        return Source::Pending;
    }
    Source::Everything
}

/// Every hold, of a resource or of all.
fn holds(db: &Database, app: AppId, resource: Option<&ResourceId>) -> Result<BTreeSet<String>, Failure> {
    let found = match resource {
        Some(resource) => db.all(
            "SELECT reservation FROM claims WHERE app = ?1 AND resource = ?2 AND by = 0",
            &[app.into(), resource.as_str().into()],
            |row| Ok(row.text(0)?.to_owned()),
        ),
        None => db.all("SELECT reservation FROM claims WHERE app = ?1 AND by = 0", &[app.into()], |row| {
            Ok(row.text(0)?.to_owned())
        }),
    };
    Ok(found?.into_iter().collect())
}

/// The next candidates behind an id, in order.
fn candidates(db: &Database, app: AppId, source: &Source, from: &str) -> Result<Vec<String>, Failure> {
    let mut values: Vec<Value<'_>> = vec![app.into(), from.into(), (CHUNK as i64).into()];
    let question = match source {
        Source::Nothing => return Ok(Vec::new()),
        Source::Lookup(kind, value) => {
            values.extend([Value::from(*kind as i64), Value::from(value)]);
            "SELECT reservation FROM lookups WHERE app = ?1 AND reservation > ?2
             AND kind = ?4 AND value = ?5 AND day = 0 ORDER BY reservation LIMIT ?3"
        }
        Source::Days(resource, span) => {
            let days = span.days();
            values.extend([
                Value::from(Lookup::Day as i64),
                Value::from(*days.start()),
                Value::from(*days.end()),
                Value::from(resource.as_ref().map(ResourceId::as_str)),
            ]);
            "SELECT DISTINCT reservation FROM resources JOIN lookups ON lookups.app = resources.app
             AND kind = ?4 AND value = resources.id AND day BETWEEN ?5 AND ?6
             WHERE resources.app = ?1 AND (?7 IS NULL OR resources.id = ?7) AND reservation > ?2
             ORDER BY reservation LIMIT ?3"
        }
        Source::Pending => {
            "SELECT id FROM reservations WHERE app = ?1 AND id > ?2 AND state = 1 ORDER BY id LIMIT ?3"
        }
        Source::Everything => "SELECT id FROM reservations WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    };
    db.all(question, &values, |row| Ok(row.text(0)?.to_owned()))
}

fn fits(filter: &Filter, reservation: &Reservation) -> bool {
    let state = if filter.states.is_empty() {
        !matches!(reservation.state, State::Released | State::Expired)
    } else {
        filter.states.contains(&reservation.state)
    };
    let email = |wanted: &Arc<str>| {
        reservation.email.as_ref().is_some_and(|email| email.to_lowercase() == wanted.to_lowercase())
    };
    let claimed = reservation.claims.iter().any(|granted| {
        filter.resource.as_ref().is_none_or(|resource| *resource == granted.claim.resource)
            && filter.span.is_none_or(|span| span.overlaps(granted.claim.span()))
    });
    state
        && reservation.block.is_none()
        && filter.external_ref.as_ref().is_none_or(|name| Some(name) == reservation.external_ref.as_ref())
        && filter.holder.as_ref().is_none_or(|holder| *holder == reservation.holder)
        && filter.email.as_ref().is_none_or(email)
        && (claimed || filter.resource.is_none() && filter.span.is_none())
}

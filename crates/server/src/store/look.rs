//! What there is in the ledger, and what is free: all of an answer from one moment of the file.

use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::reservation::{Piece, Reservation, Resource, Segment, Span, Wait, segments};
use rusqlite::{Connection, OptionalExtension as _};

use super::failure::Failure;
use super::ledger::{load, rows};
use super::listing;
use super::ruling::{Filter, Look, Seen, Sighting};
use super::tables::head;

/// Rows of one answer whatever is asked for.
const MOST: usize = 1_000;

/// Looks from one moment of the file.
pub(super) fn look(connection: &mut Connection, app: AppId, look: &Look) -> Result<Sighting, Failure> {
    let transaction = connection.transaction()?;
    let head = head(&transaction, app)?;
    let seen = see(&transaction, app, look)?;
    Ok(Sighting { seen, position: head.row, check: head.check })
}

fn see(connection: &Connection, app: AppId, look: &Look) -> Result<Seen, Failure> {
    Ok(match look {
        Look::Reservation(id) => Seen::Reservation(load::reservation(connection, app, id)?),
        Look::Wait(id) => Seen::Wait(load::wait(connection, app, id)?),
        Look::Resource(id) => Seen::Resource(load::resource(connection, app, id)?),
        Look::Resources { after, limit } => {
            Seen::Resources(resources(connection, app, after.as_ref(), (*limit).min(MOST))?)
        }
        Look::Availability { resource, span, now } => {
            Seen::Availability(availability(connection, app, resource, *span, *now)?)
        }
        Look::Reservations { filter, after, limit } => {
            let found = listing::list(connection, app, filter, after.as_ref(), (*limit).min(MOST))?;
            Seen::Reservations(found)
        }
        Look::Calendar { filter, limit } => Seen::Calendar(calendar(connection, app, filter, *limit)?),
        Look::Waits { resource, principal, after, limit } => {
            let limit = (*limit).min(MOST);
            Seen::Waits(waits(connection, app, (resource.as_ref(), principal.as_ref()), *after, limit)?)
        }
    })
}

/// Reservations with the time of their last change, which is that of the row that their version names. Of rows
/// that are deleted only the time of the grant is known any more.
fn calendar(
    connection: &Connection,
    app: AppId,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<(Arc<Reservation>, Millis)>, Failure> {
    let found = listing::list(connection, app, filter, None, limit)?;
    let mut statement =
        connection.prepare_cached("SELECT at FROM changes WHERE app = ?1 AND position = ?2")?;
    let mut dated = Vec::with_capacity(found.len());
    for reservation in found {
        let row = (app.0.cast_signed(), reservation.version.cast_signed());
        let at: Option<i64> = statement.query_row(row, |row| row.get(0)).optional()?;
        let at = at.map_or(reservation.granted_at, i64::cast_unsigned);
        dated.push((reservation, at));
    }
    Ok(dated)
}

fn resources(
    connection: &Connection,
    app: AppId,
    after: Option<&ResourceId>,
    limit: usize,
) -> Result<Vec<Arc<Resource>>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT body FROM resources WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
    let found = statement.query((app.0.cast_signed(), after.map_or("", ResourceId::as_str), limit as u32))?;
    load::all(found, |row| Ok(Arc::new(rows::body(row, 0)?)))
}

/// What is free: the same rows and the same function that decide what is granted.
fn availability(
    connection: &Connection,
    app: AppId,
    id: &ResourceId,
    span: Span,
    now: Millis,
) -> Result<Option<(Arc<Resource>, Vec<Segment>)>, Failure> {
    let Some(resource) = load::resource(connection, app, id)? else { return Ok(None) };
    let days = span.days();
    let question = format!(
        "SELECT {} FROM claims WHERE app = ?1 AND resource = ?2 AND day BETWEEN ?3 AND ?4",
        rows::PIECE
    );
    let mut statement = connection.prepare_cached(&question)?;
    let found = statement.query((
        app.0.cast_signed(),
        id.as_str(),
        days.start().cast_signed(),
        days.end().cast_signed(),
    ))?;
    let pieces: Vec<Piece> = load::all(found, rows::piece)?;
    let free = segments(&pieces, span, resource.capacity, now);
    Ok(Some((resource, free)))
}

fn waits(
    connection: &Connection,
    app: AppId,
    of: (Option<&ResourceId>, Option<&Principal>),
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Wait>>, Failure> {
    let number = app.0.cast_signed();
    let (principal, question) = match of {
        (Some(resource), None) => return load::waiting(connection, app, resource, after, limit),
        (_, Some(principal)) => (
            Some(principal.to_string()),
            "SELECT body FROM waits WHERE app = ?1 AND principal = ?2 AND state < 2 AND joined > ?3
             ORDER BY joined LIMIT ?4",
        ),
        (None, None) => (
            None,
            "SELECT body FROM waits WHERE app = ?1 AND ?2 IS NULL AND state < 2 AND joined > ?3
             ORDER BY joined LIMIT ?4",
        ),
    };
    let mut statement = connection.prepare_cached(question)?;
    let found = statement.query((number, principal, after.cast_signed(), limit as u32))?;
    let mut waits: Vec<Arc<Wait>> = load::all(found, |row| Ok(Arc::new(rows::body(row, 0)?)))?;
    // A principal waits for a handful of times at most, so nothing is lost behind the limit.
    if let Some(resource) = of.0 {
        waits.retain(|wait| wait.any_of.iter().flatten().any(|claim| claim.resource == *resource));
    }
    Ok(waits)
}

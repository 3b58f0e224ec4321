//! What there is in the ledger, and what is free: all of an answer from one moment of the file.

use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::reservation::{Piece, Reservation, Resource, Segment, Span, Wait, segments};

use super::database::Database;
use super::failure::Failure;
use super::ledger::{load, rows};
use super::listing;
use super::post;
use super::ruling::{Filter, Look, Seen, Sighting};
use super::tables::head;

/// Rows of one answer whatever is asked for.
const MOST: usize = 1_000;

/// Looks from one moment of the file.
pub(super) fn look(db: &Database, app: AppId, look: &Look) -> Result<Sighting, Failure> {
    db.at_once(|db| {
        let head = head(db, app)?;
        let seen = see(db, app, look)?;
        Ok(Sighting { seen, position: head.row, check: head.check })
    })
}

fn see(db: &Database, app: AppId, look: &Look) -> Result<Seen, Failure> {
    Ok(match look {
        Look::Reservation(id) => Seen::Reservation(load::reservation(db, app, id)?),
        Look::Wait(id) => Seen::Wait(load::wait(db, app, id)?),
        Look::Resource(id) => Seen::Resource(load::resource(db, app, id)?),
        Look::Resources { after, limit } => {
            Seen::Resources(resources(db, app, after.as_ref(), (*limit).min(MOST))?)
        }
        Look::Availability { resource, span, now } => {
            Seen::Availability(availability(db, app, resource, *span, *now)?)
        }
        Look::Reservations { filter, after, limit } => {
            let found = listing::list(db, app, filter, after.as_ref(), (*limit).min(MOST))?;
            Seen::Reservations(found)
        }
        Look::Post(look) => Seen::Post(post::look::see(db, app, look)?),
        Look::Calendar { filter, limit } => Seen::Calendar(calendar(db, app, filter, *limit)?),
        Look::Waits { resource, principal, after, limit } => {
            let limit = (*limit).min(MOST);
            Seen::Waits(waits(db, app, (resource.as_ref(), principal.as_ref()), *after, limit)?)
        }
    })
}

/// Reservations with the time of their last change, which is that of the row that their version names. Of rows
/// that are deleted only the time of the grant is known any more.
fn calendar(
    db: &Database,
    app: AppId,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<(Arc<Reservation>, Millis)>, Failure> {
    let found = listing::list(db, app, filter, None, limit)?;
    let mut dated = Vec::with_capacity(found.len());
    for reservation in found {
        let at = db.first(
            "SELECT at FROM changes WHERE app = ?1 AND position = ?2",
            &[app.into(), reservation.version.into()],
            |row| row.unsigned(0),
        )?;
        let at = at.unwrap_or(reservation.granted_at);
        dated.push((reservation, at));
    }
    Ok(dated)
}

fn resources(
    db: &Database,
    app: AppId,
    after: Option<&ResourceId>,
    limit: usize,
) -> Result<Vec<Arc<Resource>>, Failure> {
    let after = after.map_or("", ResourceId::as_str);
    db.all(
        "SELECT body FROM resources WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        &[app.into(), after.into(), (limit as u32).into()],
        |row| Ok(Arc::new(rows::body(row, 0)?)),
    )
}

/// What is free: the same rows and the same function that decide what is granted.
fn availability(
    db: &Database,
    app: AppId,
    id: &ResourceId,
    span: Span,
    now: Millis,
) -> Result<Option<(Arc<Resource>, Vec<Segment>)>, Failure> {
    let Some(resource) = load::resource(db, app, id)? else { return Ok(None) };
    let days = span.days();
    let question = format!(
        "SELECT {} FROM claims WHERE app = ?1 AND resource = ?2 AND day BETWEEN ?3 AND ?4",
        rows::PIECE
    );
    let values = [app.into(), id.as_str().into(), (*days.start()).into(), (*days.end()).into()];
    let pieces: Vec<Piece> = db.all(&question, &values, rows::piece)?;
    let free = segments(&pieces, span, resource.capacity, now);
    Ok(Some((resource, free)))
}

fn waits(
    db: &Database,
    app: AppId,
    of: (Option<&ResourceId>, Option<&Principal>),
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Wait>>, Failure> {
    let (principal, question) = match of {
        (Some(resource), None) => return load::waiting(db, app, resource, after, limit),
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
    let values = [app.into(), principal.as_deref().into(), after.into(), (limit as u32).into()];
    let mut waits: Vec<Arc<Wait>> = db.all(question, &values, |row| Ok(Arc::new(rows::body(row, 0)?)))?;
    // A principal waits for a handful of times at most, so nothing is lost behind the limit.
    if let Some(resource) = of.0 {
        waits.retain(|wait| wait.any_of.iter().flatten().any(|claim| claim.resource == *resource));
    }
    Ok(waits)
}

//! Brings parts of the ledger from the tables into a slice.

use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::reservation::{Belongings, Key, Piece, Reservation, Resource, Strikes, Wait, WaitState};

use super::book::Book;
use super::rows;
use crate::store::database::{Database, Next};
use crate::store::failure::Failure;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(super) fn load(db: &Database, book: &mut Book, keys: &[Key]) -> Result<(), Failure> {
    let app = book.app;
    for key in keys {
        match key {
            Key::Resource(id) => book.slice.put_resource(id, resource(db, app, id)?),
            Key::Reservation(id) => book.slice.put_reservation(id, reservation(db, app, id)?),
            Key::Day(resource, day) => {
                let pieces = day_of(db, app, resource, *day)?;
                book.slice.put_day(resource, *day, pieces);
            }
            Key::Days(resource) => {
                let pieces = all_days(db, app, resource)?;
                book.slice.put_days(resource, pieces);
            }
            Key::Principal(principal) => {
                let holds = book.holds.of(principal);
                let waits = waits_of(db, app, principal)?;
                book.slice.put_principal(principal, Belongings { holds, waits });
            }
            Key::Strikes(principal, resource) => {
                let strikes = strikes(db, app, principal, resource)?;
                book.slice.put_strikes(principal, resource, strikes);
            }
            Key::Wait(id) => book.slice.put_wait(id, wait(db, app, id)?),
            Key::Waiting(resource) => {
                let mut waits = waiting(db, app, resource, 0, usize::MAX)?;
                waits.retain(|wait| wait.state == WaitState::Waiting);
                book.slice.put_waiting(resource, waits);
            }
        }
    }
    Ok(())
}

fn one<T: serde::de::DeserializeOwned>(
    db: &Database,
    question: &str,
    app: AppId,
    id: &str,
) -> Result<Option<Arc<T>>, Failure> {
    db.first(question, &[app.into(), id.into()], |row| Ok(Arc::new(rows::body(row, 0)?)))
}

pub(in crate::store) fn resource(
    db: &Database,
    app: AppId,
    id: &ResourceId,
) -> Result<Option<Arc<Resource>>, Failure> {
    one(db, "SELECT body FROM resources WHERE app = ?1 AND id = ?2", app, id.as_str())
}

pub(in crate::store) fn reservation(
    db: &Database,
    app: AppId,
    id: &ReservationId,
) -> Result<Option<Arc<Reservation>>, Failure> {
    one(db, "SELECT body FROM reservations WHERE app = ?1 AND id = ?2", app, id.as_str())
}

pub(in crate::store) fn wait(db: &Database, app: AppId, id: &WaitId) -> Result<Option<Arc<Wait>>, Failure> {
    one(db, "SELECT body FROM waits WHERE app = ?1 AND id = ?2", app, id.as_str())
}

/// The live claims of a resource in one UTC day.
pub(in crate::store) fn day_of(
    db: &Database,
    app: AppId,
    resource: &ResourceId,
    day: u64,
) -> Result<Vec<Piece>, Failure> {
    let question =
        format!("SELECT {} FROM claims WHERE app = ?1 AND resource = ?2 AND day = ?3", rows::PIECE);
    db.all(&question, &[app.into(), resource.as_str().into(), day.into()], rows::piece)
}

fn all_days(db: &Database, app: AppId, resource: &ResourceId) -> Result<Vec<(u64, Piece)>, Failure> {
    let question = format!("SELECT {}, day FROM claims WHERE app = ?1 AND resource = ?2", rows::PIECE);
    let values = [app.into(), resource.as_str().into()];
    db.all(&question, &values, |row| Ok((row.unsigned(7)?, rows::piece(row)?)))
}

fn waits_of(
    db: &Database,
    app: AppId,
    principal: &Principal,
) -> Result<std::collections::BTreeSet<WaitId>, Failure> {
    let ids = db.all(
        "SELECT id FROM waits WHERE app = ?1 AND principal = ?2 AND state < 2 ORDER BY joined",
        &[app.into(), (&principal.to_string()).into()],
        |row| {
            let text = row.text(0)?;
            WaitId::parse(text).map_err(|_| Failure::Damaged(format!("{text:?} is no wait's id")))
        },
    )?;
    Ok(ids.into_iter().collect())
}

fn strikes(
    db: &Database,
    app: AppId,
    principal: &Principal,
    resource: &ResourceId,
) -> Result<Strikes, Failure> {
    let found = db.first(
        "SELECT body FROM strikes WHERE app = ?1 AND principal = ?2 AND resource = ?3",
        &[app.into(), (&principal.to_string()).into(), resource.as_str().into()],
        |row| rows::body(row, 0),
    )?;
    Ok(found.unwrap_or_default())
}

/// Live entries of a resource's waitlist, in the order in which they joined.
pub(in crate::store) fn waiting(
    db: &Database,
    app: AppId,
    resource: &ResourceId,
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Wait>>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.all(
        "SELECT body FROM waiting JOIN waits ON waits.app = waiting.app AND waits.id = waiting.wait
         WHERE waiting.app = ?1 AND resource = ?2 AND waiting.joined > ?3 ORDER BY waiting.joined LIMIT ?4",
        &[app.into(), resource.as_str().into(), after.into(), limit.into()],
        |row| Ok(Arc::new(rows::body(row, 0)?)),
    )
}

/// The latest of what an app's reservations do by themselves: every hold, and what else has a time.
pub(super) fn standing(db: &Database, app: AppId) -> Result<Vec<Reservation>, Failure> {
    db.all(
        "SELECT body FROM reservations WHERE app = ?1 AND id IN
             (SELECT reservation FROM claims WHERE app = ?1 AND by = 0)
         UNION ALL
         SELECT body FROM reservations WHERE app = ?1 AND due IS NOT NULL",
        &[app.into()],
        |row| rows::body(row, 0),
    )
}

/// What rows of the last moments before the head changed and did not tell.
pub(super) fn untold(
    db: &Database,
    app: AppId,
    since: u64,
) -> Result<Vec<deskbell_core::reservation::Touched>, Failure> {
    let mut all = Vec::new();
    let question = "SELECT at, touched FROM changes WHERE app = ?1 ORDER BY position DESC";
    db.each(question, &[app.into()], |row| {
        if row.unsigned(0)? < since {
            return Ok(Next::Stop);
        }
        if let Some(touched) = row.maybe_bytes(1)? {
            all.push(
                serde_json::from_slice(touched).map_err(|error| {
                    Failure::Damaged(format!("a row's `touched` cannot be read ({error})"))
                })?,
            );
        }
        Ok(Next::Go)
    })?;
    Ok(all)
}

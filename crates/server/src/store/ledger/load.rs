//! Brings parts of the ledger from the tables into a slice.

use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::reservation::{Belongings, Key, Piece, Reservation, Resource, Strikes, Wait, WaitState};
use rusqlite::{Connection, Row};

use super::book::Book;
use super::rows;
use crate::store::failure::Failure;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(super) fn load(connection: &Connection, book: &mut Book, keys: &[Key]) -> Result<(), Failure> {
    let app = book.app;
    for key in keys {
        match key {
            Key::Resource(id) => book.slice.put_resource(id, resource(connection, app, id)?),
            Key::Reservation(id) => book.slice.put_reservation(id, reservation(connection, app, id)?),
            Key::Day(resource, day) => {
                let pieces = day_of(connection, app, resource, *day)?;
                book.slice.put_day(resource, *day, pieces);
            }
            Key::Days(resource) => {
                let pieces = all_days(connection, app, resource)?;
                book.slice.put_days(resource, pieces);
            }
            Key::Principal(principal) => {
                let holds = book.holds.of(principal);
                let waits = waits_of(connection, app, principal)?;
                book.slice.put_principal(principal, Belongings { holds, waits });
            }
            Key::Strikes(principal, resource) => {
                let strikes = strikes(connection, app, principal, resource)?;
                book.slice.put_strikes(principal, resource, strikes);
            }
            Key::Wait(id) => book.slice.put_wait(id, wait(connection, app, id)?),
            Key::Waiting(resource) => {
                let mut waits = waiting(connection, app, resource, 0, usize::MAX)?;
                waits.retain(|wait| wait.state == WaitState::Waiting);
                book.slice.put_waiting(resource, waits);
            }
        }
    }
    Ok(())
}

/// Every row of a question.
pub(in crate::store) fn all<T>(
    mut found: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn one<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    question: &str,
    app: AppId,
    id: &str,
) -> Result<Option<Arc<T>>, Failure> {
    let mut statement = connection.prepare_cached(question)?;
    let mut found = statement.query((app.0.cast_signed(), id))?;
    Ok(match found.next()? {
        Some(row) => Some(Arc::new(rows::body(row, 0)?)),
        None => None,
    })
}

pub(in crate::store) fn resource(
    connection: &Connection,
    app: AppId,
    id: &ResourceId,
) -> Result<Option<Arc<Resource>>, Failure> {
    one(connection, "SELECT body FROM resources WHERE app = ?1 AND id = ?2", app, id.as_str())
}

pub(in crate::store) fn reservation(
    connection: &Connection,
    app: AppId,
    id: &ReservationId,
) -> Result<Option<Arc<Reservation>>, Failure> {
    one(connection, "SELECT body FROM reservations WHERE app = ?1 AND id = ?2", app, id.as_str())
}

pub(in crate::store) fn wait(
    connection: &Connection,
    app: AppId,
    id: &WaitId,
) -> Result<Option<Arc<Wait>>, Failure> {
    one(connection, "SELECT body FROM waits WHERE app = ?1 AND id = ?2", app, id.as_str())
}

/// The live claims of a resource in one UTC day.
pub(in crate::store) fn day_of(
    connection: &Connection,
    app: AppId,
    resource: &ResourceId,
    day: u64,
) -> Result<Vec<Piece>, Failure> {
    let question =
        format!("SELECT {} FROM claims WHERE app = ?1 AND resource = ?2 AND day = ?3", rows::PIECE);
    let mut statement = connection.prepare_cached(&question)?;
    let found = statement.query((app.0.cast_signed(), resource.as_str(), day.cast_signed()))?;
    all(found, rows::piece)
}

fn all_days(
    connection: &Connection,
    app: AppId,
    resource: &ResourceId,
) -> Result<Vec<(u64, Piece)>, Failure> {
    let question = format!("SELECT {}, day FROM claims WHERE app = ?1 AND resource = ?2", rows::PIECE);
    let mut statement = connection.prepare_cached(&question)?;
    let found = statement.query((app.0.cast_signed(), resource.as_str()))?;
    all(found, |row| Ok((rows::unsigned(row, 7)?, rows::piece(row)?)))
}

fn waits_of(
    connection: &Connection,
    app: AppId,
    principal: &Principal,
) -> Result<std::collections::BTreeSet<WaitId>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM waits WHERE app = ?1 AND principal = ?2 AND state < 2 ORDER BY joined",
    )?;
    let found = statement.query((app.0.cast_signed(), principal.to_string()))?;
    let ids = all(found, |row| {
        let text: String = row.get(0)?;
        WaitId::parse(&text).map_err(|_| Failure::Damaged(format!("{text:?} is no wait's id")))
    })?;
    Ok(ids.into_iter().collect())
}

fn strikes(
    connection: &Connection,
    app: AppId,
    principal: &Principal,
    resource: &ResourceId,
) -> Result<Strikes, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT body FROM strikes WHERE app = ?1 AND principal = ?2 AND resource = ?3")?;
    let mut found = statement.query((app.0.cast_signed(), principal.to_string(), resource.as_str()))?;
    match found.next()? {
        Some(row) => rows::body(row, 0),
        None => Ok(Strikes::default()),
    }
}

/// Live entries of a resource's waitlist, in the order in which they joined.
pub(in crate::store) fn waiting(
    connection: &Connection,
    app: AppId,
    resource: &ResourceId,
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Wait>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM waiting JOIN waits ON waits.app = waiting.app AND waits.id = waiting.wait
         WHERE waiting.app = ?1 AND resource = ?2 AND waiting.joined > ?3 ORDER BY waiting.joined LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query((app.0.cast_signed(), resource.as_str(), after.cast_signed(), limit))?;
    all(found, |row| Ok(Arc::new(rows::body(row, 0)?)))
}

/// The latest of what an app's reservations do by themselves: every hold, and what else has a time.
pub(super) fn standing(connection: &Connection, app: AppId) -> Result<Vec<Reservation>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM reservations WHERE app = ?1 AND id IN
             (SELECT reservation FROM claims WHERE app = ?1 AND by = 0)
         UNION ALL
         SELECT body FROM reservations WHERE app = ?1 AND due IS NOT NULL",
    )?;
    let found = statement.query([app.0.cast_signed()])?;
    all(found, |row| rows::body(row, 0))
}

/// What rows of the last moments before the head changed and did not tell.
pub(super) fn untold(
    connection: &Connection,
    app: AppId,
    since: u64,
) -> Result<Vec<deskbell_core::reservation::Touched>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT at, touched FROM changes WHERE app = ?1 ORDER BY position DESC")?;
    let mut found = statement.query([app.0.cast_signed()])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        if rows::unsigned(row, 0)? < since {
            break;
        }
        let touched: Option<Vec<u8>> = row.get(1)?;
        if let Some(touched) = touched {
            all.push(
                serde_json::from_slice(&touched).map_err(|error| {
                    Failure::Damaged(format!("a row's `touched` cannot be read ({error})"))
                })?,
            );
        }
    }
    Ok(all)
}

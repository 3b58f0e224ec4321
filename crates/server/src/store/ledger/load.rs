//! Brings parts of the ledger from the tables into a slice.

use std::sync::Arc;

use deskbell_core::ids::{AppId, Principal, ReservationId, ResourceId, WaitId};
use deskbell_core::reservation::{Belongings, Key, Piece, Reservation, Resource, Strikes, Wait, WaitState};

use super::book::Book;
use super::rows;
use crate::store::codec;
use crate::store::database::{Database, Next};
use crate::store::failure::Failure;
use crate::store::postgres;

/// Loads what is asked for. What is not there is known to be not there afterwards.
pub(super) fn load(db: &Database, book: &mut Book, keys: &[Key]) -> Result<(), Failure> {
    let app = book.app;
    if let Some(session) = db.shared() {
        return postgres::load::load(session, app, &mut book.slice, &book.holds, keys);
    }
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

/// Rows of a shared database that are looked through for what was not told: more than one second has, and few
/// enough to be sent.
const UNTOLD: i64 = 20_000;

/// The reservations that changed after a position, as they are now.
pub(super) fn changed(db: &Database, app: AppId, after: u64) -> Result<Vec<Reservation>, Failure> {
    db.all(
        "SELECT body FROM reservations WHERE app = ?1 AND version > ?2",
        &[app.into(), after.into()],
        |row| rows::body(row, 0),
    )
}

/// A row that another process wrote.
pub(super) struct Told {
    pub(super) row: deskbell_core::log::Row,
    pub(super) at: u64,
    /// Usage that it changed and does not tell.
    pub(super) touched: deskbell_core::reservation::Touched,
}

/// Rows that are read at once.
const ROWS: u32 = 1_000;

/// The rows behind a position up to another, as they go into the log.
pub(super) fn rows_between(db: &Database, app: AppId, after: u64, until: u64) -> Result<Vec<Told>, Failure> {
    let question = "SELECT position, at, events, touched FROM changes
         WHERE app = ?1 AND position > ?2 AND position <= ?3 ORDER BY position LIMIT ?4";
    let (mut all, mut after): (Vec<Told>, u64) = (Vec::new(), after);
    while after < until {
        let found = db.all(question, &[app.into(), after.into(), until.into(), ROWS.into()], |row| {
            let events = bytes::Bytes::copy_from_slice(row.bytes(2)?);
            let seen = codec::look(&events)?;
            let drafts = seen.iter().map(|event| event.draft(&events)).collect::<Result<_, _>>()?;
            let touched = row.maybe_bytes(3)?.map(touched).transpose()?.unwrap_or_default();
            let (number, at, check) = (row.unsigned(0)?, row.unsigned(1)?, codec::row_check(&seen)?);
            Ok(Told { row: deskbell_core::log::Row { row: number, check, drafts }, at, touched })
        })?;
        // Housekeeping may have deleted what this process slept through.
        let Some(last) = found.last() else { break };
        after = last.row.row;
        all.extend(found);
    }
    Ok(all)
}

fn touched(bytes: &[u8]) -> Result<deskbell_core::reservation::Touched, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::Damaged(format!("a row's `touched` cannot be read ({error})")))
}

/// What rows of the last moments before the head changed and did not tell.
pub(super) fn untold(
    db: &Database,
    app: AppId,
    since: u64,
) -> Result<Vec<deskbell_core::reservation::Touched>, Failure> {
    let mut all = Vec::new();
    let question = "SELECT at, touched FROM changes WHERE app = ?1 ORDER BY position DESC LIMIT ?2";
    let most = if db.shared().is_some() { UNTOLD } else { i64::MAX };
    db.each(question, &[app.into(), most.into()], |row| {
        if row.unsigned(0)? < since {
            return Ok(Next::Stop);
        }
        all.extend(row.maybe_bytes(1)?.map(touched).transpose()?);
        Ok(Next::Go)
    })?;
    Ok(all)
}

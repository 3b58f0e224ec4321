//! Writes what was decided into the tables: the difference and nothing else, ends before grants.

use std::collections::BTreeSet;

use deskbell_core::ids::{AppId, ResourceId};
use deskbell_core::reservation::{Piece, Reservation, Unsaved, Wait, WaitState, next_due};
use rusqlite::Connection;

use crate::store::failure::Failure;
use crate::store::ledger::rows;

/// Writes the difference between what the tables have and what was decided.
pub(in crate::store) fn save(connection: &Connection, app: AppId, unsaved: &Unsaved) -> Result<(), Failure> {
    let table = Table { connection, app: app.0.cast_signed() };
    for resource in unsaved.resources.values() {
        table.put_resource(resource.id.as_str(), &rows::json(&**resource)?)?;
    }
    for (old, new) in unsaved.reservations.values() {
        table.end_claims(old.as_deref(), new)?;
    }
    for (old, new) in unsaved.reservations.values() {
        table.put_reservation(new)?;
        table.begin_claims(old.as_deref(), new)?;
        table.lookups(old.as_deref(), new)?;
    }
    for (id, (old, new)) in &unsaved.waits {
        let version = unsaved.waits_changed.get(id).copied().unwrap_or(new.joined);
        table.put_wait(old.as_deref(), new, version)?;
    }
    for ((principal, resource), strikes) in &unsaved.strikes {
        let at = strikes.0.last().copied().unwrap_or(0);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO strikes (app, principal, resource, at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                table.app,
                principal.to_string(),
                resource.as_str(),
                at.cast_signed(),
                rows::json(strikes)?,
            ))?;
    }
    Ok(())
}

/// One app's rows.
struct Table<'a> {
    connection: &'a Connection,
    app: i64,
}

pub(in crate::store) type Placed = (ResourceId, u64, Piece);

/// Are they the same row of the table, whatever it says?
pub(in crate::store) fn same_row(one: &Placed, other: &Placed) -> bool {
    one.0 == other.0 && one.1 == other.1 && one.2.span.start == other.2.span.start && one.2.nth == other.2.nth
}

pub(in crate::store) fn pieces(of: Option<&Reservation>) -> Vec<Placed> {
    of.map(|reservation| reservation.pieces().collect()).unwrap_or_default()
}

impl Table<'_> {
    fn put_resource(&self, id: &str, body: &str) -> Result<(), Failure> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO resources (app, id, body) VALUES (?1, ?2, ?3)")?
            .execute((self.app, id, body))?;
        Ok(())
    }

    fn put_reservation(&self, new: &Reservation) -> Result<(), Failure> {
        // What a hold does by itself is found through its claims.
        let due = if new.state == deskbell_core::reservation::State::Held { None } else { next_due(new) };
        self.connection
            .prepare_cached(
                "INSERT INTO reservations (app, id, state, version, due, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET state = excluded.state, version = excluded.version,
                     due = excluded.due, body = excluded.body",
            )?
            .execute((
                self.app,
                new.id.as_str(),
                rows::state_number(new.state),
                new.version.cast_signed(),
                due.map(u64::cast_signed),
                rows::json(new)?,
            ))?;
        Ok(())
    }

    fn end_claims(&self, old: Option<&Reservation>, new: &Reservation) -> Result<(), Failure> {
        let Some(old) = old else { return Ok(()) };
        let kept = pieces(Some(new));
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM claims WHERE app = ?1 AND resource = ?2 AND day = ?3 AND start = ?4
             AND reservation = ?5 AND nth = ?6",
        )?;
        for gone in pieces(Some(old)) {
            if !kept.iter().any(|kept| same_row(kept, &gone)) {
                let (resource, day, piece) = &gone;
                delete.execute((
                    self.app,
                    resource.as_str(),
                    day.cast_signed(),
                    piece.span.start.cast_signed(),
                    piece.reservation.as_str(),
                    piece.nth,
                ))?;
            }
        }
        Ok(())
    }

    fn begin_claims(&self, old: Option<&Reservation>, new: &Reservation) -> Result<(), Failure> {
        let known = pieces(old);
        let forced_anew = old.is_some_and(|old| old.forced != new.forced);
        let mut insert = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO claims
             (app, resource, day, start, reservation, nth, \"end\", units, by, until, forced)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for placed in pieces(Some(new)) {
            if !forced_anew && known.contains(&placed) {
                continue;
            }
            let (resource, day, piece) = &placed;
            insert.execute((
                self.app,
                resource.as_str(),
                day.cast_signed(),
                piece.span.start.cast_signed(),
                piece.reservation.as_str(),
                piece.nth,
                piece.span.end.cast_signed(),
                piece.units,
                rows::by_number(piece.by),
                piece.until.map(u64::cast_signed),
                new.forced,
            ))?;
        }
        Ok(())
    }

    /// How a booking is found. Its holder never changes, its e-mail address, claims and state do.
    fn lookups(&self, old: Option<&Reservation>, new: &Reservation) -> Result<(), Failure> {
        if !rows::is_listed(new) && !old.is_some_and(rows::is_listed) {
            return Ok(());
        }
        let (before, after) = (old.map(rows::lookups).unwrap_or_default(), rows::lookups(new));
        for (statement, rows, others) in [
            (
                "DELETE FROM lookups WHERE app = ?1 AND kind = ?2 AND value = ?3 AND day = ?4 AND reservation = ?5",
                &before,
                &after,
            ),
            (
                "INSERT OR IGNORE INTO lookups (app, kind, value, day, reservation) VALUES (?1, ?2, ?3, ?4, ?5)",
                &after,
                &before,
            ),
        ] {
            let mut statement = self.connection.prepare_cached(statement)?;
            for row @ (kind, value, day) in rows {
                if others.binary_search(row).is_err() {
                    statement.execute((self.app, *kind as i64, value, day.cast_signed(), new.id.as_str()))?;
                }
            }
        }
        Ok(())
    }

    fn put_wait(&self, old: Option<&Wait>, new: &Wait, version: u64) -> Result<(), Failure> {
        self.connection
            .prepare_cached(
                "INSERT INTO waits (app, id, principal, state, joined, version, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET state = excluded.state, version = excluded.version, body = excluded.body",
            )?
            .execute((
                self.app,
                new.id.as_str(),
                new.principal.to_string(),
                rows::wait_number(new.state),
                new.joined.cast_signed(),
                version.cast_signed(),
                rows::json(new)?,
            ))?;
        let (was, is) = (old.is_some_and(is_live), is_live(new));
        let (joined, id) = (new.joined.cast_signed(), new.id.as_str());
        if was == is {
            return Ok(());
        }
        let resources: BTreeSet<&ResourceId> =
            new.any_of.iter().flatten().map(|claim| &claim.resource).collect();
        for resource in resources {
            if is {
                self.connection
                    .prepare_cached(
                        "INSERT INTO waiting (app, resource, joined, wait) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute((self.app, resource.as_str(), joined, id))?;
            } else {
                self.connection
                    .prepare_cached("DELETE FROM waiting WHERE app = ?1 AND resource = ?2 AND joined = ?3")?
                    .execute((self.app, resource.as_str(), joined))?;
            }
        }
        Ok(())
    }
}

/// Does it wait, or has it an offer?
pub(in crate::store) fn is_live(wait: &Wait) -> bool {
    matches!(wait.state, WaitState::Waiting | WaitState::Offered)
}

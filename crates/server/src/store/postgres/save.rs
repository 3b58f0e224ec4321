//! Writes what was decided into the tables: the difference and nothing else, ends before grants, one
//! statement for each table.

use std::collections::BTreeSet;

use deskbell_core::ids::AppId;
use deskbell_core::reservation::{Reservation, State, Unsaved, next_due};

use super::session::Session;
use crate::store::failure::Failure;
use crate::store::ledger::rows;
use crate::store::sqlite::save::{Placed, is_live, pieces, same_row};

/// Writes the difference between what the tables have and what was decided. `alone` says of which
/// resources there is one unit.
pub(in crate::store) fn save(
    session: &Session,
    app: AppId,
    unsaved: &Unsaved,
    alone: impl Fn(&deskbell_core::ids::ResourceId) -> bool,
) -> Result<(), Failure> {
    let table = Table { session, app: app.0.cast_signed() };
    table.resources(unsaved)?;
    table.end_claims(unsaved)?;
    table.reservations(unsaved)?;
    table.begin_claims(unsaved, alone)?;
    table.lookups(unsaved)?;
    table.waits(unsaved)?;
    table.waiting(unsaved)?;
    table.strikes(unsaved)
}

/// One app's rows.
struct Table<'a> {
    session: &'a Session,
    app: i64,
}

fn numbers<T>(of: &[T], number: impl Fn(&T) -> i64) -> Vec<i64> {
    of.iter().map(number).collect()
}

fn texts<T>(of: &[T], text: impl Fn(&T) -> &str) -> Vec<&str> {
    of.iter().map(text).collect()
}

impl Table<'_> {
    fn resources(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        if unsaved.resources.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = unsaved.resources.keys().map(deskbell_core::ids::ResourceId::as_str).collect();
        let bodies = unsaved.resources.values().map(|resource| rows::json(&**resource));
        let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
        self.session.change(
            "INSERT INTO resources (app, id, body) SELECT $1::bigint, id, body
             FROM unnest($2::text[], $3::text[]) AS new (id, body)
             ON CONFLICT (app, id) DO UPDATE SET body = excluded.body",
            &[&self.app, &ids, &bodies],
        )?;
        Ok(())
    }

    fn reservations(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let new: Vec<&Reservation> = unsaved.reservations.values().map(|(_, new)| &**new).collect();
        if new.is_empty() {
            return Ok(());
        }
        // What a hold does by itself is found through its claims.
        let due = |new: &&Reservation| if new.state == State::Held { None } else { next_due(new) };
        let due: Vec<Option<i64>> = new.iter().map(due).map(|due| due.map(u64::cast_signed)).collect();
        let bodies = new.iter().map(|new| rows::json(*new)).collect::<Result<Vec<_>, _>>()?;
        self.session.change(
            "INSERT INTO reservations (app, id, state, version, due, body)
             SELECT $1::bigint, id, state, version, due, body
             FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
                 AS new (id, state, version, due, body)
             ON CONFLICT (app, id) DO UPDATE SET state = excluded.state, version = excluded.version,
                 due = excluded.due, body = excluded.body",
            &[
                &self.app,
                &texts(&new, |new| new.id.as_str()),
                &numbers(&new, |new| rows::state_number(new.state)),
                &numbers(&new, |new| new.version.cast_signed()),
                &due,
                &bodies,
            ],
        )?;
        Ok(())
    }

    fn end_claims(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let mut gone: Vec<Placed> = Vec::new();
        for (old, new) in unsaved.reservations.values() {
            let kept = pieces(Some(new));
            let old = pieces(old.as_deref());
            gone.extend(old.into_iter().filter(|gone| !kept.iter().any(|kept| same_row(kept, gone))));
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.session.change(
            "DELETE FROM claims USING unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
                 AS gone (resource, day, start, reservation, nth)
             WHERE claims.app = $1 AND claims.resource = gone.resource AND claims.day = gone.day
             AND claims.start = gone.start AND claims.reservation = gone.reservation AND claims.nth = gone.nth",
            &[
                &self.app,
                &texts(&gone, |(resource, _, _)| resource.as_str()),
                &numbers(&gone, |(_, day, _)| day.cast_signed()),
                &numbers(&gone, |(_, _, piece)| piece.span.start.cast_signed()),
                &texts(&gone, |(_, _, piece)| piece.reservation.as_str()),
                &numbers(&gone, |(_, _, piece)| i64::from(piece.nth)),
            ],
        )?;
        Ok(())
    }

    /// A claim that stays where it is stays what it was: it may share its time with others since there were more
    /// units.
    fn begin_claims(
        &self,
        unsaved: &Unsaved,
        alone: impl Fn(&deskbell_core::ids::ResourceId) -> bool,
    ) -> Result<(), Failure> {
        let mut new: Vec<(Placed, bool, bool)> = Vec::new();
        for (old, reservation) in unsaved.reservations.values() {
            let known = pieces(old.as_deref());
            let forced_anew = old.as_deref().is_some_and(|old| old.forced != reservation.forced);
            let placed = pieces(Some(reservation)).into_iter();
            for placed in placed.filter(|placed| forced_anew || !known.contains(placed)) {
                // Where the resource changes in this batch too, the claim may be older than its one unit.
                let settled = !unsaved.resources.contains_key(&placed.0);
                let alone = settled && alone(&placed.0) && !reservation.forced && reservation.block.is_none();
                new.push((placed, reservation.forced, alone));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let until: Vec<Option<i64>> =
            new.iter().map(|((_, _, piece), ..)| piece.until.map(u64::cast_signed)).collect();
        let alone: Vec<bool> = new.iter().map(|(.., alone)| *alone).collect();
        self.session.change(
            "INSERT INTO claims
                 (app, resource, day, start, reservation, nth, \"end\", units, by, until, forced, alone)
             SELECT $1::bigint, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
                 $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
             ON CONFLICT (app, resource, day, start, reservation, nth) DO UPDATE SET \"end\" = excluded.\"end\",
                 units = excluded.units, by = excluded.by, until = excluded.until, forced = excluded.forced,
                 alone = excluded.alone AND (claims.alone OR claims.\"end\" <> excluded.\"end\")",
            &[
                &self.app,
                &texts(&new, |((resource, _, _), ..)| resource.as_str()),
                &numbers(&new, |((_, day, _), ..)| day.cast_signed()),
                &numbers(&new, |((_, _, piece), ..)| piece.span.start.cast_signed()),
                &texts(&new, |((_, _, piece), ..)| piece.reservation.as_str()),
                &numbers(&new, |((_, _, piece), ..)| i64::from(piece.nth)),
                &numbers(&new, |((_, _, piece), ..)| piece.span.end.cast_signed()),
                &numbers(&new, |((_, _, piece), ..)| i64::from(piece.units)),
                &numbers(&new, |((_, _, piece), ..)| rows::by_number(piece.by)),
                &until,
                &numbers(&new, |(_, forced, _)| i64::from(*forced)),
                &alone,
            ],
        )?;
        Ok(())
    }

    /// How a booking is found. Its holder never changes, its e-mail address, claims and state do.
    fn lookups(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (old, reservation) in unsaved.reservations.values() {
            let id = reservation.id.as_str();
            let before = old.as_deref().map(rows::lookups).unwrap_or_default();
            let after = rows::lookups(reservation);
            gone.extend(before.iter().filter(|row| !after.contains(row)).map(|row| (row.clone(), id)));
            new.extend(after.iter().filter(|row| !before.contains(row)).map(|row| (row.clone(), id)));
        }
        let statements = [
            (
                "DELETE FROM lookups USING unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[])
                     AS gone (kind, value, day, reservation)
                 WHERE lookups.app = $1 AND lookups.kind = gone.kind AND lookups.value = gone.value
                 AND lookups.day = gone.day AND lookups.reservation = gone.reservation",
                gone,
            ),
            (
                "INSERT INTO lookups (app, kind, value, day, reservation)
                 SELECT $1::bigint, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[])
                 ON CONFLICT DO NOTHING",
                new,
            ),
        ];
        for (statement, rows) in statements.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let values = rows.iter().map(|((_, value, _), _)| value.as_str()).collect::<Vec<_>>();
            let ids = rows.iter().map(|(_, id)| *id).collect::<Vec<_>>();
            let kinds = numbers(&rows, |((kind, _, _), _)| *kind as i64);
            let days = numbers(&rows, |((_, _, day), _)| day.cast_signed());
            self.session.change(statement, &[&self.app, &kinds, &values, &days, &ids])?;
        }
        Ok(())
    }

    fn waits(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let new: Vec<_> = unsaved.waits.iter().map(|(id, (_, new))| (id, &**new)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let bodies = new.iter().map(|(_, new)| rows::json(*new)).collect::<Result<Vec<_>, _>>()?;
        let principals: Vec<String> = new.iter().map(|(_, new)| new.principal.to_string()).collect();
        let version = |(id, new): &(&_, &deskbell_core::reservation::Wait)| {
            unsaved.waits_changed.get(*id).copied().unwrap_or(new.joined).cast_signed()
        };
        self.session.change(
            "INSERT INTO waits (app, id, principal, state, joined, version, body)
             SELECT $1::bigint, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
             ON CONFLICT (app, id) DO UPDATE SET state = excluded.state, version = excluded.version,
                 body = excluded.body",
            &[
                &self.app,
                &texts(&new, |(id, _)| id.as_str()),
                &principals,
                &numbers(&new, |(_, new)| rows::wait_number(new.state)),
                &numbers(&new, |(_, new)| new.joined.cast_signed()),
                &numbers(&new, version),
                &bodies,
            ],
        )?;
        Ok(())
    }

    fn waiting(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (old, wait) in unsaved.waits.values() {
            let (was, is) = (old.as_deref().is_some_and(is_live), is_live(wait));
            if was != is {
                let claims = wait.any_of.iter().flatten();
                let resources: BTreeSet<&str> = claims.map(|claim| claim.resource.as_str()).collect();
                let list = if is { &mut new } else { &mut gone };
                list.extend(
                    resources.into_iter().map(|id| (id, wait.joined.cast_signed(), wait.id.as_str())),
                );
            }
        }
        let statements = [
            (
                "DELETE FROM waiting USING unnest($2::text[], $3::bigint[], $4::text[])
                     AS gone (resource, joined, wait)
                 WHERE waiting.app = $1 AND waiting.resource = gone.resource AND waiting.joined = gone.joined
                 AND waiting.wait = gone.wait",
                gone,
            ),
            (
                "INSERT INTO waiting (app, resource, joined, wait)
                 SELECT $1::bigint, * FROM unnest($2::text[], $3::bigint[], $4::text[])",
                new,
            ),
        ];
        for (statement, rows) in statements.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let resources = texts(&rows, |(resource, _, _)| resource);
            let joined = numbers(&rows, |(_, joined, _)| *joined);
            let waits = texts(&rows, |(_, _, wait)| wait);
            self.session.change(statement, &[&self.app, &resources, &joined, &waits])?;
        }
        Ok(())
    }

    fn strikes(&self, unsaved: &Unsaved) -> Result<(), Failure> {
        if unsaved.strikes.is_empty() {
            return Ok(());
        }
        let new: Vec<_> = unsaved.strikes.iter().collect();
        let principals: Vec<String> = new.iter().map(|((principal, _), _)| principal.to_string()).collect();
        let bodies = new.iter().map(|(_, strikes)| rows::json(*strikes)).collect::<Result<Vec<_>, _>>()?;
        self.session.change(
            "INSERT INTO strikes (app, principal, resource, at, body)
             SELECT $1::bigint, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
             ON CONFLICT (app, principal, resource) DO UPDATE SET at = excluded.at, body = excluded.body",
            &[
                &self.app,
                &principals,
                &texts(&new, |((_, resource), _)| resource.as_str()),
                &numbers(&new, |(_, strikes)| strikes.0.last().copied().unwrap_or(0).cast_signed()),
                &bodies,
            ],
        )?;
        Ok(())
    }
}

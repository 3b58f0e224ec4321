//! Looks whether the ledger's tables fit together: reservations, claims, capacities, lists, waits.

use std::collections::BTreeSet;

use deskbell_core::ids::{AppId, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::reservation::{
    By, Piece, Reservation, Resource, Span, State, Wait, WaitState, counts, next_due, usage,
};
use rusqlite::{Connection, OptionalExtension as _};

use super::failure::Failure;
use super::ledger::load::{self, all};
use super::ledger::rows;
use super::tables::{Head, head};
use super::verify::Verdict;

/// One app's tables.
struct Audit<'a> {
    connection: &'a Connection,
    app: i64,
    head: Head,
    /// Claims of days before this one may be there or not.
    floor: u64,
    /// Rows that belong into `claims` (from the floor on) and into `lookups`.
    expected: [u64; 2],
}

pub(super) fn audit(connection: &Connection, app: i64, verdict: &mut Verdict) -> Result<(), Failure> {
    let head = head(connection, AppId(app.cast_unsigned()))?;
    let floor: i64 =
        connection.query_row("SELECT claims_floor FROM apps WHERE app = ?1", [app], |row| row.get(0))?;
    let mut audit = Audit { connection, app, head, floor: floor.cast_unsigned(), expected: [0, 0] };
    audit.reservations(verdict)?;
    audit.counts(verdict)?;
    audit.capacities(verdict)?;
    audit.waits(verdict)
}

impl Audit<'_> {
    fn reservations(&mut self, verdict: &mut Verdict) -> Result<(), Failure> {
        let mut statement = self
            .connection
            .prepare("SELECT body, id, state, version, due FROM reservations WHERE app = ?1 ORDER BY id")?;
        let mut found = statement.query([self.app])?;
        while let Some(row) = found.next()? {
            verdict.reservations += 1;
            let id: String = row.get(1)?;
            let Ok(reservation) = rows::body::<Reservation>(row, 0) else {
                verdict.problem(|| format!("reservation {id} cannot be read"));
                continue;
            };
            let due = next_due(&reservation).filter(|_| reservation.state != State::Held);
            let columns: (i64, i64, Option<i64>) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let expected = (
                rows::state_number(reservation.state),
                reservation.version.cast_signed(),
                due.map(u64::cast_signed),
            );
            if columns != expected || id != reservation.id.as_str() {
                verdict.problem(|| format!("reservation {id}: its columns do not say what it says"));
            }
            self.reservation(&reservation, verdict)?;
        }
        Ok(())
    }

    fn reservation(&mut self, reservation: &Reservation, verdict: &mut Verdict) -> Result<(), Failure> {
        let Reservation { id, fence, version, .. } = reservation;
        if *fence == 0 || fence > version || *version > self.head.row {
            verdict.problem(|| {
                format!("reservation {id}: fence {fence} and version {version} are no positions up to its last change")
            });
        }
        if reservation.state == State::Held && reservation.claims.is_empty() {
            verdict.problem(|| format!("reservation {id} is a hold of nothing"));
        }
        for (resource, day, piece) in reservation.pieces().filter(|(_, day, _)| *day >= self.floor) {
            self.expected[0] += 1;
            if !self.has_claim(&resource, day, &piece, reservation.forced)? {
                verdict
                    .problem(|| format!("reservation {id}: its claim of {resource} on day {day} is missing"));
            }
        }
        for (kind, value, day) in rows::lookups(reservation) {
            self.expected[1] += 1;
            let listed = self
                .connection
                .prepare_cached(
                    "SELECT 1 FROM lookups WHERE app = ?1 AND kind = ?2 AND value = ?3 AND day = ?4 AND reservation = ?5",
                )?
                .exists((self.app, kind as i64, &value, day.cast_signed(), id.as_str()))?;
            if !listed {
                verdict.problem(|| format!("reservation {id} is not found by {kind:?} {value}"));
            }
        }
        Ok(())
    }

    fn has_claim(
        &self,
        resource: &ResourceId,
        day: u64,
        piece: &Piece,
        forced: bool,
    ) -> Result<bool, Failure> {
        let question = format!(
            "SELECT {}, forced FROM claims WHERE app = ?1 AND resource = ?2 AND day = ?3 AND start = ?4
             AND reservation = ?5 AND nth = ?6",
            rows::PIECE
        );
        let mut statement = self.connection.prepare_cached(&question)?;
        let mut found = statement.query((
            self.app,
            resource.as_str(),
            day.cast_signed(),
            piece.span.start.cast_signed(),
            piece.reservation.as_str(),
            piece.nth,
        ))?;
        let Some(row) = found.next()? else { return Ok(false) };
        Ok(rows::piece(row)? == *piece && row.get::<_, bool>(7)? == forced)
    }

    /// What is there beyond what belongs there.
    fn counts(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let questions = [
            ("claims", "SELECT count(*) FROM claims WHERE app = ?1 AND day >= ?2"),
            ("lookups", "SELECT count(*) FROM lookups WHERE app = ?1 AND ?2 >= 0"),
        ];
        for ((table, question), expected) in questions.into_iter().zip(self.expected) {
            let found: i64 =
                self.connection
                    .query_row(question, (self.app, self.floor.cast_signed()), |row| row.get(0))?;
            if found.cast_unsigned() != expected {
                verdict.problem(|| {
                    format!("app {}: `{table}` has {found} rows where {expected} belong", self.app)
                });
            }
        }
        Ok(())
    }

    fn capacities(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let mut statement =
            self.connection.prepare("SELECT body FROM resources WHERE app = ?1 ORDER BY id")?;
        let mut found = statement.query([self.app])?;
        while let Some(row) = found.next()? {
            self.capacity(&rows::body(row, 0)?, verdict)?;
        }
        let question = "SELECT DISTINCT resource FROM claims WHERE app = ?1 AND resource NOT IN
             (SELECT id FROM resources WHERE app = ?1)";
        let mut statement = self.connection.prepare(question)?;
        for resource in all(statement.query([self.app])?, |row| Ok(row.get::<_, String>(0)?))? {
            verdict.problem(|| format!("{resource} is claimed and does not exist"));
        }
        Ok(())
    }

    fn capacity(&self, resource: &Resource, verdict: &mut Verdict) -> Result<(), Failure> {
        let question = format!("SELECT {}, forced FROM claims WHERE app = ?1 AND resource = ?2", rows::PIECE);
        let mut statement = self.connection.prepare_cached(&question)?;
        let found = statement.query((self.app, resource.id.as_str()))?;
        let mut pieces = all(found, |row| Ok((rows::piece(row)?, row.get::<_, bool>(7)?)))?;
        pieces.retain(|(piece, _)| counts(piece, self.head.at));
        let plain = || pieces.iter().filter(|(piece, forced)| piece.by != By::Block && !forced);
        if let Some((span, used)) = beyond(plain().map(|(piece, _)| piece), resource.capacity) {
            let over = plain().filter(|(piece, _)| piece.span.overlaps(span));
            let ids: BTreeSet<_> = over.map(|(piece, _)| piece.reservation.clone()).collect();
            let (id, capacity) = (&resource.id, resource.capacity);
            let text = format!(
                "{used} of {capacity} units of {id} are claimed between {} and {}",
                span.start, span.end
            );
            // What was granted after the resource was changed last had to fit into what it is now.
            if self.granted_after(&ids, resource.version)? {
                verdict.problem(|| text);
            } else {
                verdict.note(|| format!("{text}, since its capacity was lowered"));
            }
        } else if let Some((span, _)) = beyond(pieces.iter().map(|(piece, _)| piece), resource.capacity) {
            let over = pieces.iter().filter(|(piece, _)| piece.span.overlaps(span));
            let why = if over.clone().any(|(_, forced)| *forced) { "by force" } else { "under a block" };
            verdict.note(|| {
                let (start, end) = (span.start, span.end);
                format!("{} is claimed beyond its capacity {why} between {start} and {end}", resource.id)
            });
        }
        Ok(())
    }

    fn granted_after(
        &self,
        ids: &BTreeSet<deskbell_core::ids::ReservationId>,
        version: u64,
    ) -> Result<bool, Failure> {
        for id in ids {
            let found = load::reservation(self.connection, AppId(self.app.cast_unsigned()), id)?;
            if found.is_none_or(|found| found.fence > version) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn waits(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let mut statement =
            self.connection.prepare("SELECT body, id, state, principal, joined FROM waits WHERE app = ?1")?;
        let mut found = statement.query([self.app])?;
        let mut expected = 0;
        while let Some(row) = found.next()? {
            let id: String = row.get(1)?;
            let Ok(wait) = rows::body::<Wait>(row, 0) else {
                verdict.problem(|| format!("entry {id} of a waitlist cannot be read"));
                continue;
            };
            let columns: (i64, String, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let says = (rows::wait_number(wait.state), wait.principal.to_string(), wait.joined.cast_signed());
            if columns != says || id != wait.id.as_str() {
                verdict.problem(|| format!("entry {id} of a waitlist: its columns do not say what it says"));
            }
            self.wait(&wait, verdict)?;
            if matches!(wait.state, WaitState::Waiting | WaitState::Offered) {
                let resources: BTreeSet<_> =
                    wait.any_of.iter().flatten().map(|claim| &claim.resource).collect();
                expected += resources.len();
            }
        }
        let joined: i64 = self.connection.query_row(
            "SELECT count(*) FROM waiting JOIN waits ON waits.app = waiting.app AND waits.id = wait
             AND waits.joined = waiting.joined AND state < 2 WHERE waiting.app = ?1",
            [self.app],
            |row| row.get(0),
        )?;
        let found: i64 =
            self.connection
                .query_row("SELECT count(*) FROM waiting WHERE app = ?1", [self.app], |row| row.get(0))?;
        if joined != found || found != expected as i64 {
            verdict
                .problem(|| format!("app {}: `waiting` has {found} rows where {expected} belong", self.app));
        }
        Ok(())
    }

    /// An offer is a hold, and whoever has one has that.
    fn wait(&self, wait: &Wait, verdict: &mut Verdict) -> Result<(), Failure> {
        if wait.state != WaitState::Offered {
            return Ok(());
        }
        let state: Option<i64> = match &wait.offer {
            None => None,
            Some(offer) => self
                .connection
                .prepare_cached("SELECT state FROM reservations WHERE app = ?1 AND id = ?2")?
                .query_row((self.app, offer.as_str()), |row| row.get(0))
                .optional()?,
        };
        if state != Some(rows::state_number(State::Held)) {
            verdict.problem(|| format!("entry {} of a waitlist was offered what is no hold", wait.id));
        }
        Ok(())
    }
}

/// The first time at which more is claimed than there is, and how much.
fn beyond<'a>(pieces: impl Iterator<Item = &'a Piece> + Clone, capacity: u32) -> Option<(Span, u64)> {
    let whole = pieces.clone().map(|piece| piece.span).reduce(Span::hull)?;
    let steps: Vec<(Millis, u64)> = usage(pieces, whole);
    let place = steps.iter().position(|(_, used)| *used > u64::from(capacity))?;
    let end = steps.get(place + 1).map_or(whole.end, |(at, _)| *at);
    Some((Span { start: steps[place].0, end }, steps[place].1))
}

//! Looks whether the ledger's tables fit together: reservations, claims, capacities, lists, waits.

use std::collections::BTreeSet;

use deskbell_core::ids::{AppId, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::reservation::{
    By, Piece, Reservation, Resource, Span, State, Wait, WaitState, counts, next_due, usage,
};

use super::database::{Database, Next, Row};
use super::failure::Failure;
use super::ledger::load;
use super::ledger::rows;
use super::tables::{Head, head};
use super::verify::Verdict;

/// One app's tables.
struct Audit<'a> {
    db: &'a Database,
    app: i64,
    head: Head,
    /// Claims of days before this one may be there or not.
    floor: u64,
    /// Rows that belong into `claims` (from the floor on) and into `lookups`.
    expected: [u64; 2],
}

pub(super) fn audit(db: &Database, app: i64, verdict: &mut Verdict) -> Result<(), Failure> {
    let head = head(db, AppId(app.cast_unsigned()))?;
    let floor = db.number("SELECT claims_floor FROM apps WHERE app = ?1", &[app.into()])?;
    let mut audit = Audit { db, app, head, floor: floor.cast_unsigned(), expected: [0, 0] };
    audit.reservations(verdict)?;
    audit.counts(verdict)?;
    audit.capacities(verdict)?;
    audit.waits(verdict)
}

impl Audit<'_> {
    fn reservations(&mut self, verdict: &mut Verdict) -> Result<(), Failure> {
        let question = "SELECT body, id, state, version, due FROM reservations WHERE app = ?1 ORDER BY id";
        self.db.each(question, &[self.app.into()], |row| {
            verdict.reservations += 1;
            let id = row.text(1)?;
            let Ok(reservation) = rows::body::<Reservation>(row, 0) else {
                verdict.problem(|| format!("reservation {id} cannot be read"));
                return Ok(Next::Go);
            };
            let due = next_due(&reservation).filter(|_| reservation.state != State::Held);
            let columns = (row.int(2)?, row.int(3)?, row.maybe_int(4)?);
            let expected = (
                rows::state_number(reservation.state),
                reservation.version.cast_signed(),
                due.map(u64::cast_signed),
            );
            if columns != expected || id != reservation.id.as_str() {
                verdict.problem(|| format!("reservation {id}: its columns do not say what it says"));
            }
            self.reservation(&reservation, verdict)?;
            Ok(Next::Go)
        })
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
            let listed = self.db.exists(
                "SELECT 1 FROM lookups WHERE app = ?1 AND kind = ?2 AND value = ?3 AND day = ?4 AND reservation = ?5",
                &[self.app.into(), (kind as i64).into(), (&value).into(), day.into(), id.as_str().into()],
            )?;
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
        let place = [
            self.app.into(),
            resource.as_str().into(),
            day.into(),
            piece.span.start.into(),
            piece.reservation.as_str().into(),
            u32::from(piece.nth).into(),
        ];
        let found = self
            .db
            .first(&question, &place, |row| Ok(rows::piece(row)? == *piece && row.flag(7)? == forced))?;
        Ok(found == Some(true))
    }

    /// What is there beyond what belongs there.
    fn counts(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let questions = [
            ("claims", "SELECT count(*) FROM claims WHERE app = ?1 AND day >= ?2"),
            ("lookups", "SELECT count(*) FROM lookups WHERE app = ?1 AND ?2 >= 0"),
        ];
        for ((table, question), expected) in questions.into_iter().zip(self.expected) {
            let found = self.db.number(question, &[self.app.into(), self.floor.into()])?;
            if found.cast_unsigned() != expected {
                verdict.problem(|| {
                    format!("app {}: `{table}` has {found} rows where {expected} belong", self.app)
                });
            }
        }
        Ok(())
    }

    fn capacities(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let question = "SELECT body FROM resources WHERE app = ?1 ORDER BY id";
        self.db.each(question, &[self.app.into()], |row| {
            self.capacity(&rows::body(row, 0)?, verdict)?;
            Ok(Next::Go)
        })?;
        let question = "SELECT DISTINCT resource FROM claims WHERE app = ?1 AND resource NOT IN
             (SELECT id FROM resources WHERE app = ?1)";
        let text = |row: Row<'_>| Ok(row.text(0)?.to_owned());
        for resource in self.db.all(question, &[self.app.into()], text)? {
            verdict.problem(|| format!("{resource} is claimed and does not exist"));
        }
        Ok(())
    }

    fn capacity(&self, resource: &Resource, verdict: &mut Verdict) -> Result<(), Failure> {
        let question = format!("SELECT {}, forced FROM claims WHERE app = ?1 AND resource = ?2", rows::PIECE);
        let values = [self.app.into(), resource.id.as_str().into()];
        let mut pieces = self.db.all(&question, &values, |row| Ok((rows::piece(row)?, row.flag(7)?)))?;
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
            let found = load::reservation(self.db, AppId(self.app.cast_unsigned()), id)?;
            if found.is_none_or(|found| found.fence > version) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn waits(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let mut expected = 0;
        let question = "SELECT body, id, state, principal, joined FROM waits WHERE app = ?1";
        self.db.each(question, &[self.app.into()], |row| {
            let id = row.text(1)?;
            let Ok(wait) = rows::body::<Wait>(row, 0) else {
                verdict.problem(|| format!("entry {id} of a waitlist cannot be read"));
                return Ok(Next::Go);
            };
            let columns = (row.int(2)?, row.text(3)?.to_owned(), row.int(4)?);
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
            Ok(Next::Go)
        })?;
        let joined = self.db.number(
            "SELECT count(*) FROM waiting JOIN waits ON waits.app = waiting.app AND waits.id = wait
             AND waits.joined = waiting.joined AND state < 2 WHERE waiting.app = ?1",
            &[self.app.into()],
        )?;
        let found = self.db.number("SELECT count(*) FROM waiting WHERE app = ?1", &[self.app.into()])?;
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
            Some(offer) => self.db.first(
                "SELECT state FROM reservations WHERE app = ?1 AND id = ?2",
                &[self.app.into(), offer.as_str().into()],
                |row| row.int(0),
            )?,
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

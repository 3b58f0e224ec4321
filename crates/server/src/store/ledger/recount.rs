//! Counts again, from the tables and before the commit, whether what was granted fits.
//!
//! The decisions were made on a slice in memory. If that ever says something else than the tables, it
//! is found here, and the batch does not happen.

use std::collections::BTreeMap;

use deskbell_core::ids::{AppId, ResourceId};
use deskbell_core::limits::Millis;
use deskbell_core::reservation::{By, Piece, Reservation, Slice, Span, peak};

use super::rows;
use crate::store::database::Database;
use crate::store::failure::Failure;

/// Fails if a claim that was granted in this batch lies where more is claimed than there is.
///
/// What may go beyond the capacity is not counted: blocks, and what was granted by force. Where the
/// resource itself was changed in the batch, nothing can be said.
pub(super) fn recount(db: &Database, app: AppId, now: Millis, slice: &Slice) -> Result<(), Failure> {
    let mut granted: BTreeMap<(ResourceId, u64), Vec<Span>> = BTreeMap::new();
    for (old, new) in slice.unsaved().reservations.values() {
        if new.forced || new.block.is_some() {
            continue;
        }
        for (resource, day, piece) in new.pieces() {
            if is_new(old.as_deref(), &resource, &piece, now)
                && !slice.unsaved().resources.contains_key(&resource)
            {
                granted.entry((resource, day)).or_default().push(piece.span);
            }
        }
    }
    for ((resource, day), spans) in granted {
        let Some(capacity) = slice.resource(&resource).map(|resource| resource.capacity) else { continue };
        let Some(hull) = spans.iter().copied().reduce(Span::hull) else { continue };
        let pieces = counted(db, app, &resource, day, hull, now)?;
        for span in spans {
            let used = peak(pieces.iter(), span);
            if used > u64::from(capacity) {
                return Err(Failure::Damaged(format!(
                    "{used} of {capacity} units of {resource} would be claimed between {} and {}",
                    span.start, span.end
                )));
            }
        }
    }
    Ok(())
}

/// Did nothing of the reservation count there before?
fn is_new(old: Option<&Reservation>, resource: &ResourceId, piece: &Piece, now: Millis) -> bool {
    let Some(old) = old.filter(|old| old.is_live(now)) else { return true };
    !old.pieces().any(|(of, _, before)| {
        of == *resource && before.nth == piece.nth && before.span == piece.span && before.units == piece.units
    })
}

fn counted(
    db: &Database,
    app: AppId,
    resource: &ResourceId,
    day: u64,
    span: Span,
    now: Millis,
) -> Result<Vec<Piece>, Failure> {
    let question = format!(
        "SELECT {} FROM claims WHERE app = ?1 AND resource = ?2 AND day = ?3 AND start < ?4 AND \"end\" > ?5
         AND by <> {} AND forced = 0 AND (until IS NULL OR until > ?6)",
        rows::PIECE,
        rows::by_number(By::Block)
    );
    let values =
        [app.into(), resource.as_str().into(), day.into(), span.end.into(), span.start.into(), now.into()];
    db.all(&question, &values, rows::piece)
}

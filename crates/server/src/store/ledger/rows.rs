//! What the ledger knows as rows: states as numbers, bodies as JSON.

use deskbell_core::ids::ReservationId;
use deskbell_core::reservation::{By, Piece, Reservation, Span, State, WaitState};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::database::Row;
use crate::store::failure::Failure;

/// A state's number in the file. Numbers are never used for anything else later.
pub(in crate::store) const fn state_number(state: State) -> i64 {
    match state {
        State::Held => 0,
        State::Pending => 1,
        State::Booked => 2,
        State::Active => 3,
        State::Completed => 4,
        State::Released => 5,
        State::Expired => 6,
        State::Declined => 7,
        State::Cancelled => 8,
        State::NoShow => 9,
    }
}

/// What a wait's state is in the file. Those below 2 are live.
pub(in crate::store) const fn wait_number(state: WaitState) -> i64 {
    match state {
        WaitState::Waiting => 0,
        WaitState::Offered => 1,
        WaitState::Accepted => 2,
        WaitState::Lapsed => 3,
        WaitState::Left => 4,
    }
}

/// What claims a time, as a number in the file.
pub(in crate::store) const fn by_number(by: By) -> i64 {
    match by {
        By::Held => 0,
        By::Pending => 1,
        By::Booked => 2,
        By::Block => 3,
        By::Closed => 4,
    }
}

fn by(number: i64) -> Option<By> {
    Some(match number {
        0 => By::Held,
        1 => By::Pending,
        2 => By::Booked,
        3 => By::Block,
        _ => return None,
    })
}

/// The columns of a piece, in the order in which [`piece`] reads them.
pub(in crate::store) const PIECE: &str = "start, \"end\", reservation, nth, units, by, until";

/// A row of `claims` whose columns begin with [`PIECE`].
pub(in crate::store) fn piece(row: Row<'_>) -> Result<Piece, Failure> {
    let span = Span { start: row.unsigned(0)?, end: row.unsigned(1)? };
    let reservation = reservation_id(row, 2)?;
    let until = row.maybe_int(6)?;
    let by = by(row.int(5)?)
        .ok_or_else(|| Failure::Damaged(format!("a claim of {reservation} is of no known kind")))?;
    let (nth, units) = (row.small(3)?, row.small(4)?);
    Ok(Piece { span, reservation, nth, units, by, until: until.map(i64::cast_unsigned) })
}

/// A reservation's id.
pub(in crate::store) fn reservation_id(row: Row<'_>, column: usize) -> Result<ReservationId, Failure> {
    let text = row.text(column)?;
    ReservationId::parse(text).map_err(|_| Failure::Damaged(format!("{text:?} is no reservation's id")))
}

/// A body that this program wrote.
pub(in crate::store) fn body<T: DeserializeOwned>(row: Row<'_>, column: usize) -> Result<T, Failure> {
    serde_json::from_str(row.text(column)?)
        .map_err(|error| Failure::Damaged(format!("a body cannot be read ({error})")))
}

/// A body for the file.
pub(in crate::store) fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Damaged(format!("a body cannot be written ({error})")))
}

/// Is it, or was it, more than a hold? Those are found by holder, e-mail address, resource and time.
pub(in crate::store) fn is_listed(reservation: &Reservation) -> bool {
    !matches!(reservation.state, State::Held | State::Released | State::Expired)
        && reservation.block.is_none()
}

/// The kinds of rows of `lookups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::store) enum Lookup {
    Holder,
    Email,
    Resource,
    Day,
    Reference,
}

/// The rows of `lookups` of a reservation: kind, value and day.
pub(in crate::store) fn lookups(reservation: &Reservation) -> Vec<(Lookup, String, u64)> {
    if !is_listed(reservation) {
        return Vec::new();
    }
    let mut rows = vec![(Lookup::Holder, reservation.holder.to_string(), 0)];
    rows.extend(reservation.email.iter().map(|email| (Lookup::Email, email.to_lowercase(), 0)));
    let reference = reservation.external_ref.as_ref();
    rows.extend(reference.map(|name| (Lookup::Reference, name.as_str().to_owned(), 0)));
    for granted in &reservation.claims {
        let resource = granted.claim.resource.as_str();
        rows.push((Lookup::Resource, resource.to_owned(), 0));
        rows.extend(granted.claim.span().days().map(|day| (Lookup::Day, resource.to_owned(), day)));
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

//! What a reservation does by itself next, and when. Timers are made of this, and nothing else.

use super::model::{Reservation, State};
use crate::limits::{self, Millis};

/// When the next thing happens to a reservation that nobody does anything with.
///
/// ```
/// # use deskbell_core::reservation::*;
/// # let json = r#"{"id":"r_1","holder":"backend","state":"held","claims":[],"fence":1,"version":1,"granted_at":0}"#;
/// let mut hold: Reservation = serde_json::from_str(json).unwrap();
/// assert_eq!(next_due(&hold), None, "without an end it stays");
/// hold.expires_at = Some(600_000);
/// assert_eq!(next_due(&hold), Some(540_000), "first its holder is warned");
/// ```
pub fn next_due(reservation: &Reservation) -> Option<Millis> {
    match reservation.state {
        State::Held if !reservation.warned => {
            reservation.expires_at.map(|at| at.saturating_sub(limits::HOLD_WARNING))
        }
        State::Held | State::Pending => reservation.expires_at,
        State::Booked => {
            reservation.remind_at.last().copied().into_iter().chain(reservation.unlinked_at).min()
        }
        State::Active => reservation.unlinked_at,
        _ => None,
    }
}

//! Where a reader stands in an app's log.

use serde::{Deserialize, Serialize};

use crate::ids::EventId;

/// One life of a log. A log that may have lost something takes a new epoch, never the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// "Everything visible to me up to here has reached me."
///
/// Memory channels are compared by `(epoch, seq)`, durable ones by `ledger`, so that the end of an
/// epoch takes nothing from a durable channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The life of the log in which `seq` counts.
    pub epoch: Epoch,
    /// The last event of the log that is behind the reader.
    pub seq: u64,
    /// The last ledger position behind the reader.
    pub ledger: u64,
    /// The check value of event `seq`, or 0 where it is not known. See [`check_of`].
    pub check: u32,
    /// The check value of ledger row `ledger`, or 0 where it is not known.
    pub ledger_check: u32,
}

impl Position {
    /// The beginning of a log in which `ledger` rows had been taken in before.
    pub fn start(epoch: Epoch, ledger: u64, ledger_check: u32) -> Self {
        Self { epoch, seq: 0, ledger, check: 0, ledger_check }
    }

    /// Moves to a place that was reached by reading in order; neither coordinate ever falls.
    ///
    /// A place in another epoch moves only the ledger coordinate: from one life of the log to the
    /// next there is no way but through a read, which says what was lost on it. The same holds for
    /// an event that was read from the ledger, whose place has no `seq`.
    pub fn advance(&mut self, to: &Position) {
        if to.epoch == self.epoch && to.seq >= self.seq {
            let known = if to.seq == self.seq { self.check } else { 0 };
            self.seq = to.seq;
            self.check = if to.check == 0 { known } else { to.check };
        }
        if to.ledger >= self.ledger {
            let known = if to.ledger == self.ledger { self.ledger_check } else { 0 };
            self.ledger = to.ledger;
            self.ledger_check = if to.ledger_check == 0 { known } else { to.ledger_check };
        }
    }

    /// This place or that one, in each coordinate the earlier of the two.
    pub fn no_further_than(&self, end: &Position) -> Position {
        let mut at = *self;
        if end.epoch == at.epoch && end.seq < at.seq {
            (at.seq, at.check) = (end.seq, end.check);
        }
        if end.ledger < at.ledger {
            (at.ledger, at.ledger_check) = (end.ledger, end.ledger_check);
        }
        at
    }

    /// This place, or the one before the row of the ledger in which it lies.
    pub fn before_its_change(&self) -> Position {
        let row = ledger::row(self.ledger);
        if row == 0 || self.ledger == ledger::end(row) {
            return *self;
        }
        Position { ledger: ledger::end(row - 1), ledger_check: 0, ..*self }
    }

    /// Has a reader who stands here seen all that a reader at `other` has seen?
    pub fn covers(&self, other: &Position) -> bool {
        self.epoch == other.epoch && self.seq >= other.seq && self.ledger >= other.ledger
    }
}

/// The check value of an event: a hash of its id, never 0.
///
/// A cursor carries it, so that a log which was rolled back and grew again under the same numbers
/// is noticed (`diverged`) instead of being read on in silence.
pub fn check_of(id: &EventId) -> u32 {
    check_of_text(id.as_str())
}

/// The same of any text that nothing else has: a ledger row's change id.
pub fn check_of_text(text: &str) -> u32 {
    folded(fnv(text.as_bytes()))
}

/// A hash as a check value.
pub(crate) fn folded(hash: u64) -> u32 {
    ((hash >> 32) as u32 ^ hash as u32).max(1)
}

/// FNV-1a, 64 bits: stable over builds and machines, which std's hasher does not promise.
pub fn fnv(bytes: &[u8]) -> u64 {
    fnv_on(0xcbf2_9ce4_8422_2325, bytes)
}

/// The same of bytes that follow others.
pub fn fnv_on(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Ledger coordinates: a row may hold several events, and a reader may be cut between two of them.
pub mod ledger {
    /// Bits for the place within a row.
    const PLACE: u32 = 12;
    /// Events that one row may hold.
    pub const EVENTS_PER_ROW: usize = (1 << PLACE) - 1;

    /// The coordinate of one event of a row.
    pub const fn event(row: u64, place: usize) -> u64 {
        (row << PLACE) + place as u64
    }

    /// The coordinate of a reader who has all of the row.
    pub const fn end(row: u64) -> u64 {
        (row << PLACE) + EVENTS_PER_ROW as u64
    }

    /// The row of a coordinate.
    pub const fn row(at: u64) -> u64 {
        at >> PLACE
    }

    /// The last row of which a reader at this coordinate has every event.
    ///
    /// ```
    /// use deskbell_core::position::ledger;
    /// assert_eq!(ledger::whole_row(ledger::end(7)), 7);
    /// assert_eq!(ledger::whole_row(ledger::event(7, 0)), 6);
    /// ```
    pub const fn whole_row(at: u64) -> u64 {
        if at == end(row(at)) { row(at) } else { row(at).saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64, ledger: u64) -> Position {
        Position { epoch: Epoch(1), seq, ledger, check: 9, ledger_check: 8 }
    }

    #[test]
    fn no_coordinate_ever_falls() {
        let table = [
            (at(5, 10), at(6, 10), at(6, 10)),
            (at(5, 10), at(4, 12), at(5, 12)),
            (at(5, 10), at(7, 9), at(7, 10)),
        ];
        for (mut from, to, expected) in table {
            let before = from;
            from.advance(&to);
            assert_eq!(from, expected, "{before:?} to {to:?}");
        }
    }

    #[test]
    fn a_change_begins_before_its_row() {
        let stood = at(5, ledger::event(7, 3));
        let before = stood.before_its_change();
        assert_eq!((before.ledger, before.ledger_check), (ledger::end(6), 0));
        assert_eq!((before.seq, before.check), (5, 9));
        for whole in [ledger::end(7), 0, ledger::event(0, 3)] {
            assert_eq!(at(5, whole).before_its_change(), at(5, whole));
        }
    }

    #[test]
    fn another_epoch_moves_only_the_ledger() {
        let mut from = at(50, 10);
        from.advance(&Position { epoch: Epoch(2), ..at(3, 12) });
        assert_eq!(from, at(50, 12));
    }

    #[test]
    fn an_unknown_check_does_not_hide_a_known_one() {
        let mut from = at(5, 10);
        from.advance(&Position { check: 0, ledger_check: 0, ..at(5, 10) });
        assert_eq!(from, at(5, 10));
        from.advance(&Position { check: 0, ledger_check: 0, ..at(6, 11) });
        assert_eq!((from.check, from.ledger_check), (0, 0));
    }
}

//! How little is written for a command.

use super::commands::*;
use crate::store::Petition;

#[test]
fn a_hold_is_four_rows_and_a_release_three() {
    let mut stand = Stand::with_room();
    let written = |stand: &mut Stand, petition: Petition| {
        let before = stand.ledger().tables.db.file().unwrap().total_changes();
        let granted = stand.grant(petition);
        (granted, stand.ledger().tables.db.file().unwrap().total_changes() - before)
    };
    let (held, rows) = written(&mut stand, keyed(1, 1, hold(TEN, "ann")));
    assert_eq!(rows, 4, "the change, its key, the reservation, its claim");
    let (_, rows) = written(&mut stand, release(&held));
    assert_eq!(rows, 3, "the change, the reservation, its claim");
}

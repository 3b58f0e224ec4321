//! Holds and bookings over commits and restarts.

use super::*;

#[test]
fn a_hold_lives_over_a_restart_and_is_confirmed_or_let_go() {
    let mut stand = Stand::with_room();
    let kept = stand.grant(hold(TEN, "ann"));
    let gone = stand.grant(hold(TEN + HOUR, "ann"));
    assert_eq!(stand.ask(hold(TEN, "bob")).unwrap_err(), Code::Conflict);
    stand.restart();
    assert_eq!(stand.ask(hold(TEN, "bob")).unwrap_err(), Code::Conflict);
    assert_eq!(stand.reservation(&kept.id), kept);
    assert_eq!(stand.ask(release(&gone)).unwrap().reply.reservation.unwrap().state, State::Released);
    assert_eq!(stand.ask(confirm(&kept)).unwrap().reply.reservation.unwrap().state, State::Booked);
    stand.restart();
    assert_eq!(stand.reservation(&kept.id).state, State::Booked);
    assert_eq!(
        stand.free(TEN - HOUR, TEN + 2 * HOUR),
        [(TEN - HOUR, TEN, 1), (TEN, TEN + HOUR / 2, 0), (TEN + HOUR / 2, TEN + 2 * HOUR, 1)]
    );
    assert_eq!(stand.ask(hold(TEN + HOUR, "bob")).unwrap().reply.now, NOW);
}

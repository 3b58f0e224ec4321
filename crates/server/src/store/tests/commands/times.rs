//! What happens by itself, at its moment, also after a restart.

use deskbell_core::limits::{HOLD_LIFE, HOLD_RESTART, HOLD_TTL, HOLD_WARNING, MINUTE, SECOND, SLOTS_JOIN};

use super::*;

#[test]
fn a_hold_warns_and_ends_at_its_moment() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    assert_eq!(stand.ledger().next(), Some(NOW + HOLD_TTL - HOLD_WARNING));
    stand.wait(HOLD_TTL - HOLD_WARNING - 1);
    assert_eq!(stand.told("user:ann"), ["hold.granted"]);
    stand.wait(1);
    assert_eq!(stand.told("user:ann"), ["hold.granted", "hold.expiring"]);
    assert_eq!(stand.told("provider:doctor").last().unwrap(), "hold.expiring");
    assert_eq!(stand.ledger().next(), Some(NOW + HOLD_TTL));
    stand.wait(HOLD_WARNING - 1);
    assert_eq!(stand.reservation(&held.id).state, State::Held);
    stand.wait(1);
    assert_eq!(stand.reservation(&held.id).state, State::Expired);
    assert_eq!(stand.told("user:ann").last().unwrap(), "hold.expired");
    assert_eq!(stand.told("slots:room").last().unwrap(), "slots.delta");
    assert_eq!(stand.ledger().next(), None);
    assert_eq!(stand.count("SELECT count(*) FROM claims"), 0);
    stand.sound();
}

#[test]
fn what_is_due_is_decided_before_who_asks_in_the_same_commit() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    stand.now += HOLD_TTL;
    let taken = stand.ask(hold(TEN, "bob")).unwrap();
    assert_eq!(stand.reservation(&held.id).state, State::Expired);
    assert!(taken.row > stand.reservation(&held.id).version);
    stand.sound();
}

#[test]
fn a_hold_that_lived_at_the_end_lives_a_little_after_the_start() {
    let mut stand = Stand::with_room();
    let soon = stand.grant(hold(TEN, "ann"));
    stand.wait(HOLD_TTL - SECOND);
    let late = stand.grant(hold(TEN + HOUR, "bob"));
    stand.restart();
    stand.now += 5 * SECOND;
    stand.restart();
    assert_eq!(
        stand.ask(hold(TEN, "carl")).unwrap_err(),
        Code::Conflict,
        "it is given time before anybody asks"
    );
    let again = stand.reservation(&soon.id);
    assert_eq!((again.state, again.expires_at), (State::Held, Some(stand.now + HOLD_RESTART)));
    assert_eq!(again.fence, soon.fence);
    assert_eq!(stand.reservation(&late.id).expires_at, late.expires_at, "this one has time enough");
    assert_eq!(stand.told("user:ann").last().unwrap(), "hold.extended");
    stand.wait(HOLD_RESTART);
    assert_eq!(stand.reservation(&soon.id).state, State::Expired);
    stand.sound();
}

#[test]
fn a_hold_whose_life_was_over_while_nobody_was_there_ends_at_the_start() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    stand.now += HOLD_LIFE;
    stand.restart();
    assert_eq!(stand.ledger().next(), Some(0), "there is something to do at once");
    stand.wait(0);
    assert_eq!(stand.reservation(&held.id).state, State::Expired);
    assert!(stand.ask(hold(TEN, "bob")).is_ok());
    stand.sound();
}

#[test]
fn a_hold_whose_time_somebody_took_is_not_brought_back() {
    // One more than a batch ends by itself, so that one is over and not ended when others ask.
    const MANY: u64 = 513;
    let mut stand = Stand::with_room();
    // A shared database ends all of them, because it excludes two claims of one time by itself.
    let left = i64::from(!stand.is_shared());
    let all = |who: &'static str| (0..MANY).map(move |n| hold(TEN + n * HOUR, &format!("{who}-{n}")));
    assert!(stand.together(all("first").collect()).iter().all(Result::is_ok));
    stand.now += HOLD_TTL;
    assert!(stand.together(all("second").collect()).iter().all(Result::is_ok));
    assert_eq!(stand.count("SELECT count(*) FROM reservations WHERE state = 0"), MANY as i64 + left);
    stand.restart();
    stand.wait(0);
    assert_eq!(stand.count("SELECT count(*) FROM reservations WHERE state = 0"), MANY as i64);
    assert_eq!(stand.count("SELECT count(*) FROM claims"), MANY as i64);
    assert!(!stand.told("staff:1001").contains(&"hold.extended".to_owned()));
    stand.sound();
}

#[test]
fn reminders_and_deadlines_come_also_after_a_restart() {
    let mut stand = Stand::new();
    let policy =
        Policy { reminders_ms: vec![HOUR, 2 * HOUR], unlinked_after_ms: Some(MINUTE), ..Policy::default() };
    stand.ask(put_with(room(), 1, policy)).unwrap();
    let held = stand.grant(hold(TEN, "ann"));
    stand.ask(confirm(&held)).unwrap();
    stand.restart();
    stand.wait(MINUTE);
    assert_eq!(stand.told("user:ann").last().unwrap(), "booking.unlinked");
    stand.restart();
    let until = TEN - 2 * HOUR - stand.now;
    stand.wait(until - 1);
    assert_eq!(stand.told("user:ann").last().unwrap(), "booking.unlinked");
    stand.wait(1);
    stand.wait(HOUR);
    assert_eq!(stand.told("user:ann").iter().filter(|name| *name == "reminder.due").count(), 2);
    assert_eq!(stand.ledger().next(), None);
    stand.sound();
}

#[test]
fn whoever_departs_loses_what_was_tied_to_a_connection() {
    let mut stand = Stand::with_room();
    let Command::Ask { mut actor, act } = hold(TEN, "ann").command else { unreachable!() };
    actor.connected = true;
    let tied = stand.grant(Petition { app: APP, command: Command::Ask { actor, act }, once: None });
    let loose = stand.grant(hold(TEN + HOUR, "ann"));
    stand.restart();
    let departed = Command::Due(Due::Departed(tied.holder.clone()));
    stand.ask(Petition { app: APP, command: departed, once: None }).unwrap();
    assert_eq!(stand.reservation(&tied.id).state, State::Released);
    assert_eq!(stand.reservation(&loose.id).state, State::Held);
}

fn deltas(stand: &Stand) -> usize {
    stand.told("slots:room").iter().filter(|name| *name == "slots.delta").count()
}

#[test]
fn what_changes_often_is_told_together_and_nothing_stays_untold() {
    let mut stand = Stand::with_room();
    stand.grant(hold(TEN, "ann"));
    assert_eq!(deltas(&stand), 1, "the first change is told with its row");
    stand.now += SLOTS_JOIN - 1;
    stand.grant(hold(TEN + HOUR, "ann"));
    stand.grant(hold(TEN + 2 * HOUR, "ann"));
    assert_eq!(deltas(&stand), 1);
    assert_eq!(stand.ledger().next(), Some(NOW + SLOTS_JOIN), "it is told although nobody asks");
    let rows = stand.rows.len();
    stand.wait(1);
    assert_eq!((deltas(&stand), stand.rows.len()), (2, rows + 1), "in one row of its own");
    let last = stand.rows.last().unwrap();
    let data: serde_json::Value = serde_json::from_slice(&last.drafts[0].event.data.bytes).unwrap();
    let segments = data["segments"].as_array().unwrap();
    assert_eq!(segments.first().unwrap()["start"], TEN + HOUR);
    assert_eq!(segments.last().unwrap()["end"], TEN + 2 * HOUR + HOUR / 2);
    stand.wait(SLOTS_JOIN);
    assert_eq!(deltas(&stand), 2);
    stand.sound();
}

#[test]
fn what_was_owed_at_a_crash_is_told_after_it() {
    let mut stand = Stand::with_room();
    stand.grant(hold(TEN, "ann"));
    let held = stand.grant(hold(TEN + HOUR, "ann"));
    assert_eq!(deltas(&stand), 1);
    stand.restart();
    stand.wait(0);
    assert_eq!(deltas(&stand), 2);
    let last = stand.rows.last().unwrap().drafts[0].event.data.bytes.clone();
    let data: serde_json::Value = serde_json::from_slice(&last).unwrap();
    assert_eq!(data["segments"][0]["free"], 0);
    assert_eq!(data["segments"][0]["start"], TEN + HOUR);
    stand.wait(MINUTE);
    stand.ask(release(&held)).unwrap();
    stand.restart();
    let rows = stand.rows.len();
    stand.wait(0);
    assert_eq!(stand.rows.len(), rows, "what was told is not told again");
}

#[test]
fn a_failed_commit_owes_what_it_would_have_told() {
    let mut stand = Stand::with_room();
    stand.grant(hold(TEN, "ann"));
    stand.grant(hold(TEN + HOUR, "ann"));
    stand.now += SLOTS_JOIN;
    stand.cannot_write_key(9);
    assert_eq!(stand.ask(keyed(9, 1, hold(TEN + 2 * HOUR, "ann"))).unwrap_err(), Code::Unavailable);
    stand.wait(SLOTS_JOIN);
    assert_eq!(deltas(&stand), 2);
    stand.sound();
}

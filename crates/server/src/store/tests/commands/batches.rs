//! One commit for many commands: what they see of each other, what is written, what fails alone.

use deskbell_core::limits::IDEMPOTENCY;

use super::*;

#[test]
fn a_command_sees_what_those_before_it_did_in_the_same_commit() {
    let mut stand = Stand::with_room();
    let first = stand.grant(hold(TEN, "ann"));
    let answers = stand.together(vec![
        hold(TEN, "bob"),
        release(&first),
        hold(TEN, "bob"),
        hold(TEN, "carl"),
        hold(TEN + HOUR, "carl"),
    ]);
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().copied()).collect();
    assert_eq!(kinds, [Some(Code::Conflict), None, None, Some(Code::Conflict), None]);
    let rows: Vec<_> = answers.iter().flatten().map(|decided| decided.row).collect();
    assert_eq!(rows, [3, 4, 5], "refused commands have no row");
    stand.sound();
}

#[test]
fn a_hold_that_ends_in_its_own_commit_claims_nothing_in_the_file() {
    let mut stand = Stand::with_room();
    let first = stand.grant(hold(TEN, "ann"));
    stand.ask(release(&first)).unwrap();
    // The ids of what the second commit grants are known only afterwards, so it is made to end itself.
    let replace = |old: &Reservation, start| {
        let wish = wish(start, HOUR / 2, "ann");
        backend(Act::Hold { wish, ttl: Ttl::Usual, replace: Some(old.id.clone()) })
    };
    let held = stand.grant(hold(TEN, "ann"));
    let answers = stand.together(vec![replace(&held, TEN + HOUR), hold(TEN, "bob")]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stand.count("SELECT count(*) FROM claims"), 2);
    assert_eq!(stand.count("SELECT count(*) FROM reservations"), 4);
    assert_eq!(stand.free(TEN, TEN + HOUR / 2), [(TEN, TEN + HOUR / 2, 0)]);
    stand.sound();
}

#[test]
fn a_key_finds_the_first_answer_for_a_day_also_after_a_restart() {
    let mut stand = Stand::with_room();
    let first = stand.ask(keyed(7, 1, hold(TEN, "ann"))).unwrap();
    assert!(!first.repeated);
    for _ in 0..2 {
        let again = stand.ask(keyed(7, 1, hold(TEN, "ann"))).unwrap();
        assert!(again.repeated);
        assert_eq!((&again.reply, again.row, again.check), (&first.reply, first.row, first.check));
        assert_eq!(stand.ask(keyed(7, 2, hold(TEN, "ann"))).unwrap_err(), Code::KeyReused);
        stand.restart();
    }
    let id = first.reply.reservation.unwrap().id.clone();
    stand.now += IDEMPOTENCY - 1;
    assert!(stand.ask(keyed(7, 1, hold(TEN, "ann"))).unwrap().repeated);
    stand.now += 1;
    let anew = stand.ask(keyed(7, 1, hold(TEN, "ann"))).unwrap();
    assert!(!anew.repeated && anew.reply.reservation.unwrap().id != id, "after a day it is a new command");
}

#[test]
fn two_of_one_key_in_one_commit_are_one_and_what_changes_nothing_keeps_no_key() {
    let mut stand = Stand::with_room();
    let answers = stand.together(vec![keyed(1, 1, hold(TEN, "ann")), keyed(1, 1, hold(TEN, "ann"))]);
    let rows: Vec<_> = answers.iter().flatten().map(|decided| (decided.row, decided.repeated)).collect();
    assert_eq!(rows, [(2, false), (2, true)]);
    assert_eq!(stand.ask(keyed(2, 1, hold(TEN, "bob"))).unwrap_err(), Code::Conflict);
    let own = stand.ask(keyed(3, 1, hold(TEN, "ann"))).unwrap();
    assert_eq!((own.row, own.repeated), (2, false), "the own hold again makes no row");
    assert_eq!(stand.count("SELECT count(*) FROM keys"), 1);
    let held = own.reply.reservation.unwrap();
    stand.ask(release(&held)).unwrap();
    assert!(!stand.ask(keyed(2, 1, hold(TEN, "bob"))).unwrap().repeated, "a refused command keeps no key");
}

#[test]
fn one_that_cannot_be_written_takes_no_other_with_it() {
    let mut stand = Stand::with_room();
    stand.cannot_write_key(9);
    let batch = vec![
        hold(TEN, "ann"),
        keyed(9, 1, hold(TEN + HOUR, "bob")),
        hold(TEN, "carl"),
        hold(TEN + HOUR, "dora"),
    ];
    let answers = stand.together(batch);
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().copied()).collect();
    assert_eq!(kinds, [None, Some(Code::Unavailable), Some(Code::Conflict), None]);
    assert_eq!(answers.iter().flatten().map(|decided| decided.row).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(stand.rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2, 3]);
    stand.sound();
    stand.restart();
    assert_eq!(stand.ask(hold(TEN, "bob")).unwrap_err(), Code::Conflict);
}

#[test]
fn every_change_is_told_once_in_order_and_refusals_are_not() {
    let mut stand = Stand::with_room();
    for n in 0..20 {
        let start = TEN + n * HOUR;
        let answers = stand.together(vec![hold(start, "ann"), hold(start, "bob")]);
        let held = answers[0].as_ref().unwrap().reply.reservation.clone().unwrap();
        stand.together(vec![if n % 2 == 0 { release(&held) } else { confirm(&held) }]);
        stand.now += 30;
    }
    let numbers: Vec<u64> = stand.rows.iter().map(|row| row.row).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "dense and in order");
    assert_eq!(stand.count("SELECT max(position) FROM changes"), numbers.len() as i64);
    let staff = stand.told("staff:1001");
    assert_eq!(staff.iter().filter(|name| *name == "hold.granted").count(), 20);
    assert_eq!(staff.iter().filter(|name| *name == "hold.released").count(), 10);
    assert_eq!(staff.iter().filter(|name| *name == "booking.confirmed").count(), 10);
    assert_eq!(stand.told("user:ann").len(), 40);
    assert_eq!(stand.told("provider:doctor").len(), 40);
    assert_eq!(stand.told("user:bob"), [""; 0]);
    for row in &stand.rows {
        let ids: Vec<_> = row.drafts.iter().map(|draft| draft.event.id.as_str()).collect();
        let change = ids[0].split('.').next().unwrap();
        let of_change = |n: usize| ids[n].starts_with(change) && ids[n].ends_with(&format!(".{n}"));
        assert!((0..ids.len()).all(of_change), "the events of a change are one change: {ids:?}");
    }
}

#[test]
fn time_never_goes_back_whatever_the_clock_says() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    stand.now -= DAY;
    let later = stand.grant(hold(TEN + HOUR, "ann"));
    assert_eq!(later.granted_at, held.granted_at);
    stand.restart();
    assert_eq!(stand.ask(release(&later)).unwrap().reply.now, NOW);
    stand.sound();
}

//! Locks of slots, and what a site says of its appointments, on the ledger and its naive twin.

use std::sync::Arc;

use deskbell_core::calendar::{TimeZone, Wall};
use deskbell_core::ids::{ExternalRef, ReservationId};
use deskbell_core::limits::{self, MINUTE, SECOND};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{
    Act, By, Claim, Conflict, Due, Policy, Refused, Reservation, State, Step, Waitlist,
};
use deskbell_core::slotted::{
    Appointment, Grid, Known, Locked, Notice, Then, Unlock, employee, in_the_slot, lock, locked, taken,
    undescribed, unlock,
};

use super::play::{Heard, Play, principal};

fn grid() -> Grid {
    Grid::new(TimeZone::parse("UTC").unwrap(), limits::SLOT_LENGTH).unwrap()
}

/// The day on which everything is played.
fn at(time: &str) -> Claim {
    on("2024-10-05", time)
}

fn on(date: &str, time: &str) -> Claim {
    grid().claim(employee("1").unwrap(), Wall::parse(date, time).unwrap()).unwrap()
}

fn play() -> Play {
    Play::new(&[undescribed(employee("1").unwrap(), &grid())])
}

fn locks(play: &mut Play, who: &str, claim: &Claim) -> Locked {
    let email = (who != "a" && who != "b").then(|| Arc::from(format!("{who}@example.org")));
    match play.ask(who, lock(claim.clone(), email)) {
        Heard::No(code, conflicts) => {
            let refused = Refused {
                refusal: Refusal::new(code, ""),
                conflicts,
                alternatives: Vec::new(),
                waiting: None,
            };
            taken(&refused, play.now).unwrap_or_else(|| panic!("{code:?}"))
        }
        yes => locked(claim, yes.reply()).unwrap(),
    }
}

fn found(play: &Play, claim: &Claim) -> Option<Reservation> {
    in_the_slot(&play.naive.reservations, claim, play.now).cloned()
}

/// Says whether something was asked of the ledger.
fn unlocks(play: &mut Play, who: &str, claim: &Claim, then: Then) -> Result<bool, ()> {
    match unlock(found(play, claim).as_ref(), &principal(who), then) {
        Unlock::Ask(act) => {
            play.ask(who, *act).reply();
            Ok(true)
        }
        Unlock::Free => Ok(false),
        Unlock::Foreign => Err(()),
    }
}

const YOURS: Locked = Locked::Yours { expires_in: 600 };

#[test]
fn whoever_locks_first_has_it_for_ten_minutes_and_locking_again_gives_no_more() {
    let mut play = play();
    assert_eq!(locks(&mut play, "a", &at("10:00")), YOURS);
    play.wait(20 * SECOND);
    let other = locks(&mut play, "b", &at("10:00"));
    assert_eq!(other, Locked::Taken { by: By::Held, expires_in: Some(580) });
    assert_eq!(other.reason(), "locked");
    assert_eq!(locks(&mut play, "a", &at("10:00")), Locked::Yours { expires_in: 580 });
    play.wait(579 * SECOND + 1);
    assert_eq!(
        locks(&mut play, "a", &at("10:00")),
        Locked::Yours { expires_in: 1 },
        "the begun second counts"
    );
    play.wait(SECOND);
    assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS);
}

#[test]
fn an_own_lock_of_another_time_is_not_shown_as_this_one() {
    let mut play = play();
    locks(&mut play, "a", &at("10:00"));
    let overlapping = locks(&mut play, "a", &at("10:15"));
    assert_eq!(overlapping, Locked::Overlaps { expires_in: Some(600) });
    assert_eq!(overlapping.reason(), "overlaps");
    assert_eq!(locks(&mut play, "a", &at("10:30")), YOURS, "side by side is no overlap");
}

#[test]
fn only_the_owner_unlocks() {
    let mut play = play();
    assert_eq!(unlocks(&mut play, "a", &at("10:00"), Then::LetGo), Ok(false));
    locks(&mut play, "a", &at("10:00"));
    assert_eq!(unlocks(&mut play, "b", &at("10:00"), Then::LetGo), Err(()));
    assert_eq!(unlocks(&mut play, "b", &at("10:00"), Then::Completed), Err(()));
    assert_eq!(unlocks(&mut play, "a", &at("10:15"), Then::LetGo), Ok(false), "that is another slot");
    assert_eq!(unlocks(&mut play, "a", &at("10:00"), Then::LetGo), Ok(true));
    assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS);
}

#[test]
fn a_page_that_is_done_keeps_its_slot_for_a_minute_at_most() {
    let mut play = play();
    locks(&mut play, "a", &at("10:00"));
    assert_eq!(unlocks(&mut play, "a", &at("10:00"), Then::Completed), Ok(true));
    assert_eq!(locks(&mut play, "b", &at("10:00")), Locked::Taken { by: By::Held, expires_in: Some(60) });
    // What is left of a lock is never made longer by it.
    locks(&mut play, "a", &at("11:00"));
    play.wait(590 * SECOND);
    assert_eq!(unlocks(&mut play, "a", &at("11:00"), Then::Completed), Ok(true));
    assert_eq!(locks(&mut play, "b", &at("11:00")), Locked::Taken { by: By::Held, expires_in: Some(10) });
    assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS, "the backend said nothing, so it is free");
    let ended = play.naive.reservations.iter().filter(|one| one.state == State::Booked).count();
    assert_eq!(ended, 0, "a page alone never books");
}

#[test]
fn what_is_over_can_be_locked_here_and_nobody_is_kept_off_for_letting_locks_run_out() {
    let mut play = play();
    assert_eq!(locks(&mut play, "a", &on("2020-01-01", "10:00")), YOURS);
    for _ in 0..10 {
        assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS);
        play.wait(10 * MINUTE);
    }
    assert!(play.naive.strikes.is_empty());
}

#[test]
fn one_has_thirty_two_locks_and_no_more() {
    let mut play = play();
    let times: Vec<String> = (0..33).map(|nth| format!("{}:{:02}", 6 + nth / 2, nth % 2 * 30)).collect();
    for time in &times[..32] {
        assert_eq!(locks(&mut play, "a", &at(time)), YOURS, "{time}");
    }
    assert_eq!(play.ask("a", lock(at(&times[32]), None)).code(), Some(Code::Quota));
    assert_eq!(locks(&mut play, "a", &at(&times[5])), YOURS, "what it has it may lock again");
}

#[test]
fn locks_end_with_their_owners_last_connection() {
    let mut play = play();
    locks(&mut play, "a", &at("10:00"));
    assert_eq!(play.due(Due::Departed(principal("a"))).told(), ["hold.released"]);
    assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS);
}

#[test]
fn times_that_are_over_and_a_waitlist_exclude_each_other() {
    let mut wish = undescribed(employee("2").unwrap(), &grid());
    for (policy, code) in [
        (Policy { waitlist: Waitlist::Offer, ..wish.policy.clone() }, Some(Code::BadField)),
        (Policy { holds: 0, ..wish.policy.clone() }, Some(Code::BadField)),
        (Policy { holds: limits::HOLDS_PER_PRINCIPAL_MOST + 1, ..wish.policy.clone() }, Some(Code::BadField)),
        (wish.policy.clone(), None),
    ] {
        wish.policy = policy;
        let act = Act::PutResource(Box::new(wish.clone()));
        match code {
            // The naive twin leaves the sense of a resource to the rules.
            Some(code) => assert_eq!(refused(&act), Some(code)),
            None => drop(play().ask("backend", act).reply()),
        }
    }
}

/// The code with which a command is refused on an empty ledger.
fn refused(act: &Act) -> Option<Code> {
    use super::book::{Book, Ended};
    use deskbell_core::reservation::{Actor, Command, Moment, Slice};
    let moment = Moment { now: 1, position: 1, seed: [0; 16] };
    let command = Command::Ask { actor: Actor::backend(), act: act.clone() };
    match Book::default().decide(&mut Slice::default(), moment, &command) {
        Ended::Refused(refused) => Some(refused.refusal.code),
        _ => None,
    }
}

#[test]
fn a_policy_as_usual_is_written_as_it_always_was() {
    let text = serde_json::to_string(&Policy::default()).unwrap();
    assert!(!text.contains("past") && !text.contains("back_off") && !text.contains("\"holds\""), "{text}");
    let other = undescribed(employee("1").unwrap(), &grid()).policy;
    let text = serde_json::to_string(&other).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), other);
    assert!(text.contains(r#""holds":32,"back_off":false,"past":true"#), "{text}");
}

fn appointment(name: &str, time: &str, email: &str) -> Notice {
    Notice::Is(Appointment {
        external_ref: ExternalRef::parse(name).unwrap(),
        claim: at(time),
        email: Some(email.into()),
        meta: None,
    })
}

/// The backend says something, and the ledger follows.
fn says(play: &mut Play, notice: &Notice) -> Option<Heard> {
    let (name, slot) = match notice {
        Notice::Is(one) => (&one.external_ref, Some(&one.claim)),
        Notice::Cancelled(name) => (name, None),
    };
    let all = &play.naive.reservations;
    let named = all.iter().rev().find(|one| one.external_ref.as_ref() == Some(name)).cloned();
    let in_slot = slot.and_then(|slot| found(play, slot));
    let known = Known { named: named.as_ref(), in_the_slot: in_slot.as_ref() };
    let heard = play.ask("backend", notice.act(known, play.now)?);
    if heard.code() == Some(Code::Conflict) {
        return Some(play.ask("backend", notice.all_the_same()?));
    }
    Some(heard)
}

fn named(play: &Play, name: &str) -> Reservation {
    let all = play.naive.reservations.iter().rev();
    all.clone().find(|one| one.external_ref.as_ref().is_some_and(|own| own.as_str() == name)).unwrap().clone()
}

fn id(heard: Option<Heard>) -> ReservationId {
    heard.unwrap().reservation().id.clone()
}

#[test]
fn a_notice_makes_the_lock_of_its_slot_the_booking() {
    let mut play = play();
    locks(&mut play, "a", &at("10:00"));
    let hold = found(&play, &at("10:00")).unwrap();
    unlocks(&mut play, "a", &at("10:00"), Then::Completed).unwrap();
    let kept = found(&play, &at("10:00")).unwrap();
    assert_ne!(kept.id, hold.id);
    let created = appointment("APT-1", "10:00", "ann@example.org");
    assert_eq!(id(says(&mut play, &created)), kept.id);
    let booking = named(&play, "APT-1");
    assert_eq!((booking.state, booking.email.as_deref()), (State::Booked, Some("ann@example.org")));
    assert!(says(&mut play, &created).is_none(), "saying it again changes nothing");
    assert_eq!(locks(&mut play, "b", &at("10:00")), Locked::Taken { by: By::Booked, expires_in: None });
    assert_eq!(unlocks(&mut play, "a", &at("10:00"), Then::LetGo), Ok(false), "a booking is no lock");
}

#[test]
fn a_notice_of_another_customer_ends_the_lock_and_not_the_other_way_round() {
    let mut play = play();
    locks(&mut play, "clerk", &at("10:00"));
    says(&mut play, &appointment("APT-1", "10:00", "ann@example.org")).unwrap().reply();
    assert_eq!(named(&play, "APT-1").holder.to_string(), "user:ann@example.org");
    assert!(locks(&mut play, "clerk", &at("10:00")).reason() == "booked");
    // Addresses are the same person's in every spelling.
    locks(&mut play, "clerk", &at("11:00"));
    let hold = found(&play, &at("11:00")).unwrap();
    let own = appointment("APT-2", "11:00", "Clerk@Example.org");
    assert_eq!(id(says(&mut play, &own)), hold.id);
}

#[test]
fn what_the_site_has_booked_twice_is_there_twice_and_told_to_the_staff() {
    let mut play = play();
    says(&mut play, &appointment("APT-1", "10:00", "ann@example.org")).unwrap().reply();
    let heard = says(&mut play, &appointment("APT-2", "10:00", "bob@example.org")).unwrap();
    let conflicts: &Vec<Conflict> = &heard.reply().conflicts;
    assert_eq!(conflicts.len(), 1);
    assert!(named(&play, "APT-2").forced && named(&play, "APT-1").state == State::Booked);
}

#[test]
fn an_appointment_moves_and_is_called_off_by_its_name() {
    let mut play = play();
    says(&mut play, &appointment("APT-1", "10:00", "ann@example.org")).unwrap().reply();
    let moved = says(&mut play, &appointment("APT-1", "12:00", "ann@example.org")).unwrap();
    assert_eq!(moved.told(), ["booking.rescheduled"]);
    assert_eq!(locks(&mut play, "b", &at("10:00")), YOURS);
    let cancelled = Notice::Cancelled(ExternalRef::parse("APT-1").unwrap());
    let act = cancelled.act(Known { named: Some(&named(&play, "APT-1")), in_the_slot: None }, play.now);
    assert!(matches!(act, Some(Act::Step { step: Step::Cancel, .. })));
    says(&mut play, &cancelled).unwrap().reply();
    assert!(says(&mut play, &cancelled).is_none());
    assert!(says(&mut play, &Notice::Cancelled(ExternalRef::parse("APT-9").unwrap())).is_none());
    assert_eq!(locks(&mut play, "b", &at("12:00")), YOURS);
    // One that is there again is booked anew.
    says(&mut play, &appointment("APT-1", "10:30", "ann@example.org")).unwrap().reply();
    assert_eq!(named(&play, "APT-1").state, State::Booked);
}

//! Holds and bookings: the acceptance list, and what once went wrong elsewhere.

use deskbell_core::ids::{ReservationId, SourceName};
use deskbell_core::limits::{self, HOUR, MINUTE, SECOND};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Act, By, Claim, Due, Policy, ResourceWish, State, Step, Ttl};

use super::play::{Heard, MIDNIGHT, Play, claim, principal, resource, resource_wish, user, wish};

fn hold(play: &mut Play, who: &str, claims: Vec<Claim>) -> Heard {
    play.ask(who, Act::Hold { wish: wish(vec![claims]), ttl: Ttl::Usual, replace: None })
}

fn confirm(id: &ReservationId, fence: u64, if_still_free: bool) -> Act {
    Act::Confirm { id: id.clone(), fence, if_still_free, external_ref: None, email: None, meta: None }
}

fn book(play: &mut Play, claims: Vec<Claim>) -> Heard {
    play.ask("backend", Act::Book { wish: wish(vec![claims]), external_ref: None })
}

fn release(play: &mut Play, who: &str, id: &ReservationId) -> Heard {
    let fence = Some(play.reservation(id).fence);
    play.ask(who, Act::Release { id: id.clone(), fence })
}

#[test]
fn an_hour_blocks_what_overlaps_it_and_not_what_follows() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    hold(&mut play, "a", vec![claim(0, 0, 60, 1)]).reply();
    assert_eq!(hold(&mut play, "b", vec![claim(0, 30, 30, 1)]).code(), Some(Code::Conflict));
    hold(&mut play, "b", vec![claim(0, 60, 30, 1)]).reply();
    hold(&mut play, "b", vec![claim(0, -30, 30, 1)]).reply();
}

#[test]
fn room_doctor_and_device_are_had_together_or_not_at_all() {
    let mut play = Play::new(&[0, 1, 2].map(|nth| resource_wish(nth, 1)));
    hold(&mut play, "b", vec![claim(2, 0, 30, 1)]).reply();
    let all = vec![claim(0, 0, 30, 1), claim(1, 0, 30, 1), claim(2, 0, 30, 1)];
    assert_eq!(hold(&mut play, "a", all).code(), Some(Code::Conflict));
    hold(&mut play, "c", vec![claim(0, 0, 30, 1)]).reply();
    hold(&mut play, "c", vec![claim(1, 0, 30, 1)]).reply();
}

#[test]
fn a_class_of_twelve_takes_twelve_and_asks_the_first_waiter() {
    let mut play = Play::new(&[resource_wish(0, 12)]);
    let place = || vec![claim(0, 0, 60, 1)];
    let booked: Vec<_> = (0..12).map(|_| book(&mut play, place()).reservation()).collect();
    assert_eq!(book(&mut play, place()).code(), Some(Code::Conflict));
    let first = play.ask("a", Act::Join { wish: wish(vec![place()]) }).wait();
    play.ask("b", Act::Join { wish: wish(vec![place()]) }).reply();
    play.ask("backend", Act::Step { id: booked[3].id.clone(), step: Step::Cancel, version: None }).reply();
    let entry = play.naive.waits.iter().find(|wait| wait.id == first.id).unwrap();
    assert_eq!(entry.state.as_str(), "offered");
    assert_eq!(hold(&mut play, "c", place()).code(), Some(Code::Conflict), "what is offered is held");
}

#[test]
fn the_last_millisecond_counts_and_the_first_after_it_does_not() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    let at = mine.expires_at.unwrap();
    play.now = at;
    assert_eq!(play.ask("backend", confirm(&mine.id, mine.fence, false)).code(), Some(Code::HoldExpired));
    let booked = play.ask("backend", confirm(&mine.id, mine.fence, true)).reservation();
    assert_eq!(booked.state, State::Booked);
    assert!(booked.fence > mine.fence, "it is granted anew");
    let next = hold(&mut play, "a", vec![claim(0, 30, 30, 1)]).reservation();
    play.now = next.expires_at.unwrap() - 1;
    assert_eq!(play.ask("backend", confirm(&next.id, next.fence, false)).reservation().state, State::Booked);
}

#[test]
fn a_late_confirmation_takes_nothing_from_whoever_came_meanwhile_and_books_no_past() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let late = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    play.wait(HOUR);
    hold(&mut play, "b", vec![claim(0, 15, 30, 1)]).reply();
    assert_eq!(play.ask("backend", confirm(&late.id, late.fence, true)).code(), Some(Code::Conflict));
    play.wait(24 * HOUR);
    assert_eq!(play.ask("backend", confirm(&late.id, late.fence, true)).code(), Some(Code::BadField));
}

#[test]
fn a_reload_finds_the_same_hold_with_the_same_fence_and_end() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    play.wait(5 * MINUTE);
    assert_eq!(*hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation(), *mine);
    let heard = play.due(Due::Departed(principal("a")));
    assert_eq!(heard.told(), ["hold.released"]);
    assert!(matches!(play.due(Due::Departed(principal("a"))), Heard::Same(_)));
}

#[test]
fn what_a_backend_holds_for_somebody_outlives_its_connections() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mut for_a = wish(vec![vec![claim(0, 0, 30, 1)]]);
    for_a.holder = Some(user("a"));
    let held = play.ask("backend", Act::Hold { wish: for_a, ttl: Ttl::Usual, replace: None }).reservation();
    assert!(matches!(play.due(Due::Departed(principal("a"))), Heard::Same(_)));
    release(&mut play, "a", &held.id).reply();
}

#[test]
fn nobody_touches_the_hold_of_another() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    assert_eq!(release(&mut play, "b", &mine.id).code(), Some(Code::NotHolder));
    let extend = Act::Extend { id: mine.id.clone(), fence: mine.fence, ttl: Ttl::Usual };
    assert_eq!(play.ask("b", extend).code(), Some(Code::NotHolder));
    assert_eq!(play.ask("clerk", confirm(&mine.id, mine.fence, false)).code(), Some(Code::NotHolder));
    assert_eq!(play.ask("a", confirm(&mine.id, mine.fence, false)).code(), Some(Code::Denied));
    assert_eq!(hold(&mut play, "stranger", vec![claim(0, 60, 30, 1)]).code(), Some(Code::Denied));
    let replace = Act::Hold {
        wish: wish(vec![vec![claim(0, 0, 30, 1)]]),
        ttl: Ttl::Usual,
        replace: Some(mine.id.clone()),
    };
    assert_eq!(play.ask("b", replace).code(), Some(Code::NotHolder));
}

#[test]
fn the_clerk_confirms_its_own_and_the_chief_everybodys() {
    let mut play = Play::new(&[resource_wish(0, 2)]);
    let own = hold(&mut play, "clerk", vec![claim(0, 0, 30, 1)]).reservation();
    play.ask("clerk", confirm(&own.id, own.fence, false)).reply();
    play.ask("clerk", Act::Step { id: own.id.clone(), step: Step::Cancel, version: None }).reply();
    let other = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    play.ask("chief", confirm(&other.id, other.fence, false)).reply();
    assert_eq!(hold(&mut play, "chief", vec![claim(0, 0, 30, 1)]).reservation().state, State::Held);
}

#[test]
fn the_provider_says_yes_begins_and_ends_but_moves_nothing() {
    let policy = Policy { approval: true, ..Policy::default() };
    let doctor = ResourceWish { policy, provider: Some(user("stranger")), ..resource_wish(0, 1) };
    let mut play = Play::new(&[doctor, resource_wish(1, 1)]);
    let asked = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    let step = |play: &mut Play, who, id: &ReservationId, step| {
        play.ask(who, Act::Step { id: id.clone(), step, version: None })
    };
    assert_eq!(step(&mut play, "a", &asked.id, Step::Approve).code(), Some(Code::NotHolder));
    for next in [Step::Approve, Step::Start, Step::Complete] {
        step(&mut play, "stranger", &asked.id, next).reply();
    }
    let both = book(&mut play, vec![claim(0, 0, 30, 1), claim(1, 0, 30, 1)]).reservation();
    assert_eq!(step(&mut play, "stranger", &both.id, Step::Approve).code(), Some(Code::NotHolder), "of both");
    let claims = vec![claim(0, 60, 30, 1)];
    let moved = play.ask("stranger", Act::Reschedule { id: both.id.clone(), claims, version: None });
    assert_eq!(moved.code(), Some(Code::Denied));
}

#[test]
fn a_hold_lives_no_longer_for_being_extended_held_again_or_replaced() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mut mine = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    let end = mine.granted_at + limits::HOLD_LIFE;
    while play.now + 5 * MINUTE < end {
        play.wait(4 * MINUTE);
        let wish = wish(vec![vec![claim(0, 0, 31, 1)]]);
        mine =
            play.ask("a", Act::Hold { wish, ttl: Ttl::Usual, replace: Some(mine.id.clone()) }).reservation();
        assert!(mine.expires_at.unwrap() <= end, "it lives for ever by being replaced");
    }
    let extend = Act::Extend { id: mine.id.clone(), fence: mine.fence, ttl: Ttl::For(HOUR) };
    assert_eq!(play.ask("a", extend).code(), Some(Code::MaxLife));
}

#[test]
fn an_endless_hold_inherits_no_end_from_the_one_it_replaces() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let again = |ttl, replace| {
        let mut for_a = wish(vec![vec![claim(0, 0, 30, 1)]]);
        for_a.holder = Some(user("a"));
        Act::Hold { wish: for_a, ttl, replace }
    };
    let first = play.ask("backend", again(Ttl::Usual, None)).reservation();
    let endless = play.ask("backend", again(Ttl::Endless, Some(first.id.clone()))).reservation();
    assert_eq!((endless.expires_at, endless.life_until), (None, None));
    play.wait(limits::HOLD_LIFE + HOUR);
    let last = play.ask("backend", again(Ttl::Usual, Some(endless.id.clone()))).reservation();
    assert!(last.expires_at > Some(play.now), "it was granted dead");
}

#[test]
fn five_holds_are_enough_for_anybody_whoever_asks_for_them() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    for nth in 0..5 {
        hold(&mut play, "a", vec![claim(0, nth * 30, 30, 1)]).reply();
    }
    let mut for_a = wish(vec![vec![claim(0, 300, 30, 1)]]);
    for_a.holder = Some(user("a"));
    let heard = play.ask("backend", Act::Hold { wish: for_a, ttl: Ttl::Usual, replace: None });
    assert_eq!(heard.code(), Some(Code::Quota));
    let oldest = play.naive.reservations[0].id.clone();
    let swap =
        Act::Hold { wish: wish(vec![vec![claim(0, 300, 30, 1)]]), ttl: Ttl::Usual, replace: Some(oldest) };
    play.ask("a", swap).reply();
}

#[test]
fn whoever_lets_holds_run_out_gets_less_and_then_nothing() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let minute =
        Act::Hold { wish: wish(vec![vec![claim(0, 0, 30, 1)]]), ttl: Ttl::For(MINUTE), replace: None };
    for _ in 0..3 {
        play.ask("a", minute.clone()).reply();
        play.wait(MINUTE);
    }
    let half = play.ask("a", minute.clone()).reservation();
    assert_eq!(half.expires_at, Some(play.now + 30 * SECOND));
    let extend = Act::Extend { id: half.id.clone(), fence: half.fence, ttl: Ttl::For(2 * MINUTE) };
    assert_eq!(
        play.ask("a", extend).reservation().expires_at,
        Some(play.now + MINUTE),
        "nor by extending it"
    );
    play.wait(MINUTE);
    assert_eq!(play.ask("a", minute.clone()).code(), Some(Code::Quota));
    let join = Act::Join { wish: wish(vec![vec![claim(0, 0, 30, 1)]]) };
    assert_eq!(play.ask("a", join).code(), Some(Code::Quota), "the waitlist is no way around it");
    play.wait(HOUR);
    play.ask("a", minute).reply();
}

#[test]
fn buffers_belong_to_the_claim_that_was_granted_with_them() {
    let room = ResourceWish { before: 10 * MINUTE, after: 5 * MINUTE, ..resource_wish(0, 1) };
    let mut play = Play::new(std::slice::from_ref(&room));
    let old = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    assert_eq!(book(&mut play, vec![claim(0, 35, 30, 1)]).code(), Some(Code::Conflict));
    assert_eq!(book(&mut play, vec![claim(0, 44, 30, 1)]).code(), Some(Code::Conflict));
    play.ask("backend", Act::PutResource(Box::new(resource_wish(0, 1)))).reply();
    assert_eq!(play.reservation(&old.id).claims, old.claims);
    assert_eq!(book(&mut play, vec![claim(0, 34, 30, 1)]).code(), Some(Code::Conflict));
    book(&mut play, vec![claim(0, 35, 30, 1)]).reply();
    play.ask("backend", Act::PutResource(Box::new(ResourceWish { before: HOUR, ..room }))).reply();
    assert_eq!(play.reservation(&old.id).claims, old.claims);
}

#[test]
fn claims_of_one_set_count_against_each_other() {
    let mut play = Play::new(&[resource_wish(0, 2)]);
    let heard = book(&mut play, vec![claim(0, 0, 30, 2), claim(0, 15, 30, 1)]);
    let Heard::No(Code::Conflict, conflicts) = heard else { panic!("{heard:?}") };
    assert_eq!(conflicts[0].by, By::Closed);
    book(&mut play, vec![claim(0, 0, 30, 2), claim(0, 30, 30, 2)]).reply();
}

#[test]
fn blocks_lie_over_bookings_and_are_replaced_by_their_source() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let booked = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    let block = |as_of, minute| {
        let spans = vec![(resource(0), claim(0, minute, 60, 1).span())];
        Act::Block { source: SourceName::parse("feed").unwrap(), as_of, spans }
    };
    let heard = play.ask("backend", block(5, 0));
    assert_eq!(heard.reply().conflicts[0].reservation.as_ref(), Some(&booked.id));
    assert_eq!(hold(&mut play, "a", vec![claim(0, 45, 30, 1)]).code(), Some(Code::Conflict));
    assert_eq!(play.ask("backend", block(4, 120)).code(), Some(Code::StaleVersion));
    play.ask("backend", block(6, 120)).reply();
    hold(&mut play, "a", vec![claim(0, 45, 30, 1)]).reply();
    assert!(matches!(play.ask("backend", block(6, 120)), Heard::Same(_)));
    let ahead = play.now + 25 * HOUR;
    assert_eq!(
        play.ask("backend", block(ahead, 120)).code(),
        Some(Code::BadField),
        "it would outlive the truth"
    );
}

#[test]
fn an_override_evicts_holds_and_never_a_booking_unless_forced() {
    let mut play = Play::new(&[resource_wish(0, 2)]);
    let old = hold(&mut play, "a", vec![claim(0, 0, 60, 1)]).reservation();
    let beside = hold(&mut play, "b", vec![claim(0, 60, 30, 2)]).reservation();
    let young = hold(&mut play, "c", vec![claim(0, 0, 60, 1)]).reservation();
    let over = |force, units| {
        let (wish, reason) = (wish(vec![vec![claim(0, 0, 60, units)]]), "why".into());
        Act::Override { wish, reason, force, external_ref: None }
    };
    assert_eq!(play.ask("a", over(false, 1)).code(), Some(Code::Denied));
    let first = play.ask("chief", over(false, 1));
    assert_eq!(
        first.reply().evicted,
        std::slice::from_ref(&young.id),
        "the youngest goes, and one is enough"
    );
    let second = play.ask("chief", over(false, 2));
    assert_eq!(second.code(), Some(Code::Conflict));
    assert_eq!(play.reservation(&old.id).state, State::Held, "a refused override evicts nobody");
    let third = play.ask("chief", over(true, 2));
    assert_eq!(third.reply().conflicts.len(), 1);
    assert!(third.reservation().forced);
    assert_eq!(play.reservation(&first.reservation().id).state, State::Booked);
    assert_eq!(play.reservation(&beside.id).state, State::Held);
}

#[test]
fn a_lowered_capacity_tells_what_is_beyond_it() {
    let mut play = Play::new(&[resource_wish(0, 2)]);
    book(&mut play, vec![claim(0, 120, 30, 1)]).reply();
    let one = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    let two = book(&mut play, vec![claim(0, 15, 30, 1)]).reservation();
    let heard = play.ask("backend", Act::PutResource(Box::new(resource_wish(0, 1))));
    let beyond: Vec<_> = heard.reply().conflicts.iter().filter_map(|c| c.reservation.clone()).collect();
    assert_eq!(beyond, [one.id.clone(), two.id.clone()]);
}

#[test]
fn a_booking_moves_onto_its_own_time() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    let claims = vec![claim(0, 15, 30, 1)];
    let version = Some(mine.version);
    let moved = play.ask("backend", Act::Reschedule { id: mine.id.clone(), claims: claims.clone(), version });
    assert!(moved.reservation().version > mine.version);
    hold(&mut play, "a", vec![claim(0, 0, 15, 1)]).reply();
    let late = play.ask("backend", Act::Reschedule { id: mine.id.clone(), claims, version });
    assert_eq!(late.code(), Some(Code::StaleVersion));
}

#[test]
fn a_request_keeps_its_time_or_is_looked_at_again() {
    let asking = |pending_claims| {
        let approval_ttl_ms = Some(30 * MINUTE);
        Policy { approval: true, pending_claims, approval_ttl_ms, ..Policy::default() }
    };
    let mut play = Play::new(&[ResourceWish { policy: asking(true), ..resource_wish(0, 1) }]);
    let approve = |id: &ReservationId| Act::Step { id: id.clone(), step: Step::Approve, version: None };
    let first = book(&mut play, vec![claim(0, 0, 30, 1)]).reservation();
    assert_eq!(book(&mut play, vec![claim(0, 0, 30, 1)]).code(), Some(Code::Conflict));
    play.ask(
        "backend",
        Act::PutResource(Box::new(ResourceWish { policy: asking(false), ..resource_wish(0, 1) })),
    )
    .reply();
    let two = book(&mut play, vec![claim(0, 60, 30, 1)]).reservation();
    let three = book(&mut play, vec![claim(0, 60, 30, 1)]).reservation();
    play.ask("backend", approve(&three.id)).reply();
    assert_eq!(play.ask("backend", approve(&two.id)).code(), Some(Code::Conflict));
    play.now += 30 * MINUTE;
    assert_eq!(
        play.ask("backend", approve(&first.id)).code(),
        Some(Code::BadState),
        "the time to do so is over"
    );
    play.timers();
    assert_eq!(play.reservation(&first.id).state, State::Declined);
}

#[test]
fn a_restart_gives_time_within_the_life_and_never_what_is_somebody_elses() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", vec![claim(0, 0, 30, 1)]).reservation();
    play.now = mine.expires_at.unwrap() + 5 * MINUTE;
    let again = play.due(Due::Restarted(mine.id.clone()));
    assert_eq!(again.told(), ["hold.extended"]);
    assert_eq!(play.reservation(&mine.id).expires_at, Some(play.now + limits::HOLD_RESTART));
    play.now += MINUTE;
    hold(&mut play, "b", vec![claim(0, 15, 30, 1)]).reply();
    assert_eq!(play.due(Due::Restarted(mine.id.clone())).told(), ["hold.expired"]);
    let other = play.naive.reservations.last().unwrap().clone();
    play.now = other.life_until.unwrap() + 1;
    assert!(matches!(play.due(Due::Restarted(other.id.clone())), Heard::Same(_)), "its life is over");
}

#[test]
fn midnight_is_no_border() {
    let mut play = Play::new(&[ResourceWish { after: MINUTE, ..resource_wish(0, 1) }]);
    let mine = hold(&mut play, "a", vec![claim(0, -30, 30, 1)]).reservation();
    assert_eq!(mine.claims[0].claim.end, MIDNIGHT);
    assert_eq!(
        hold(&mut play, "b", vec![claim(0, 0, 30, 1)]).code(),
        Some(Code::Conflict),
        "the buffer crosses it"
    );
    hold(&mut play, "b", vec![claim(0, 1, 2 * 24 * 60, 1)]).reply();
    assert_eq!(hold(&mut play, "c", vec![claim(0, 36 * 60, 30, 1)]).code(), Some(Code::Conflict));
}

#[test]
fn a_thousand_losers_of_one_minute_cost_little() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    book(&mut play, vec![claim(0, 0, 2_000, 1)]).reply();
    let heard = play
        .ask("a", Act::Hold { wish: wish(vec![vec![claim(0, 0, 1, 1)]]), ttl: Ttl::Usual, replace: None });
    assert_eq!(heard.code(), Some(Code::Conflict), "and the naive reference tried 96 times as well");
}

//! The waitlist: who came first is asked first, and an offer is a hold.

use deskbell_core::ids::WaitId;
use deskbell_core::limits::{self, DAY, HOUR};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Act, Claim, Due, Policy, ResourceWish, State, Ttl, WaitState, Waitlist};

use super::play::{Heard, Play, claim, principal, resource_wish, wish};

fn hold(play: &mut Play, who: &str, claims: Vec<Claim>) -> Heard {
    play.ask(who, Act::Hold { wish: wish(vec![claims]), ttl: Ttl::Usual, replace: None })
}

fn join(play: &mut Play, who: &str, claims: Vec<Claim>) -> Heard {
    play.ask(who, Act::Join { wish: wish(vec![claims]) })
}

fn state(play: &Play, id: &WaitId) -> WaitState {
    play.naive.waits.iter().find(|wait| wait.id == *id).expect("it joined").state
}

fn slot() -> Vec<Claim> {
    vec![claim(0, 0, 30, 1)]
}

#[test]
fn offers_go_down_the_list_until_somebody_takes_one() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", slot()).reservation();
    let ids: Vec<_> = ["b", "c", "d"].map(|who| join(&mut play, who, slot()).wait().id.clone()).into();
    play.ask("a", Act::Release { id: mine.id.clone(), fence: Some(mine.fence) }).reply();
    assert_eq!(state(&play, &ids[0]), WaitState::Offered);
    play.ask("b", Act::Leave { id: ids[0].clone() }).reply();
    assert_eq!((state(&play, &ids[0]), state(&play, &ids[1])), (WaitState::Left, WaitState::Offered));
    play.wait(limits::OFFER_TTL);
    assert_eq!((state(&play, &ids[1]), state(&play, &ids[2])), (WaitState::Lapsed, WaitState::Offered));
    let taken = play.ask("d", Act::Accept { id: ids[2].clone() }).reservation();
    let (id, fence) = (taken.id.clone(), taken.fence);
    let extend = Act::Extend { id: id.clone(), fence, ttl: Ttl::Usual };
    assert_eq!(play.ask("d", extend).code(), Some(Code::MaxLife), "an offer is not extended");
    let confirm = |who: &str, play: &mut Play| {
        let (id, external_ref, email, meta) = (id.clone(), None, None, None);
        play.ask(who, Act::Confirm { id, fence, if_still_free: false, external_ref, email, meta })
    };
    assert_eq!(confirm("d", &mut play).code(), Some(Code::Denied));
    assert_eq!(confirm("backend", &mut play).reservation().state, State::Booked);
    assert_eq!(play.ask("d", Act::Leave { id: ids[2].clone() }).code(), Some(Code::BadState));
}

#[test]
fn whoever_does_not_fit_is_passed_over_and_keeps_its_place() {
    let mut play = Play::new(&[resource_wish(0, 2)]);
    let one = hold(&mut play, "a", slot()).reservation();
    hold(&mut play, "clerk", slot()).reply();
    let big = join(&mut play, "b", vec![claim(0, 0, 30, 2)]).wait();
    let small = join(&mut play, "c", slot()).wait();
    play.ask("a", Act::Release { id: one.id.clone(), fence: Some(one.fence) }).reply();
    assert_eq!((state(&play, &big.id), state(&play, &small.id)), (WaitState::Waiting, WaitState::Offered));
    play.ask("backend", Act::PutResource(Box::new(resource_wish(0, 4)))).reply();
    assert_eq!(state(&play, &big.id), WaitState::Offered, "a raised capacity is freed time too");
}

#[test]
fn a_hold_that_has_just_run_out_goes_to_who_waits_and_not_to_who_comes_by() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let mine = hold(&mut play, "a", slot()).reservation();
    let waits = join(&mut play, "b", slot()).wait();
    play.now = mine.expires_at.unwrap();
    assert_eq!(hold(&mut play, "c", slot()).code(), Some(Code::Conflict));
    let offered = hold(&mut play, "b", slot()).reservation();
    assert_eq!(offered.offer.as_ref(), Some(&waits.id));
    play.timers();
    assert_eq!(state(&play, &waits.id), WaitState::Offered);
}

#[test]
fn the_list_is_no_way_around_the_quota() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    for nth in 0..5 {
        let entry = join(&mut play, "a", vec![claim(0, 30 * nth, 30, 1)]).wait();
        let hold = play.ask("a", Act::Accept { id: entry.id.clone() }).reservation();
        assert_eq!(hold.expires_at, Some(play.now + limits::HOLD_TTL));
    }
    assert_eq!(join(&mut play, "a", vec![claim(0, 300, 30, 1)]).code(), Some(Code::Quota));
    play.wait(limits::HOLD_TTL);
    assert_eq!(join(&mut play, "a", slot()).code(), Some(Code::Quota), "five were left to run out");
}

#[test]
fn what_is_free_when_somebody_joins_is_held_no_longer_than_usual() {
    let policy = Policy { offer_ttl_ms: 2 * DAY, ..Policy::default() };
    let mut play = Play::new(&[ResourceWish { policy, ..resource_wish(0, 1) }]);
    let heard = join(&mut play, "a", slot());
    assert_eq!(heard.wait().state, WaitState::Offered);
    assert_eq!(heard.reservation().expires_at, Some(play.now + limits::HOLD_TTL));
    assert!(matches!(join(&mut play, "a", slot()), Heard::Same(_)), "the same wish twice is one entry");
    let other = join(&mut play, "b", slot()).wait();
    play.wait(limits::HOLD_TTL);
    assert_eq!(state(&play, &other.id), WaitState::Offered);
    play.wait(limits::HOLD_TTL);
    assert_eq!(state(&play, &other.id), WaitState::Offered, "who waited has as long as the resource says");
}

#[test]
fn entries_whose_time_has_gone_by_fill_no_list() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    hold(&mut play, "b", vec![claim(0, -60, 240, 1)]).reply();
    let later = |nth: i64| vec![claim(0, nth, 30, 1)];
    play.ask("backend", Act::Book { wish: wish(vec![vec![claim(0, 200, 600, 1)]]), external_ref: None })
        .reply();
    let ids: Vec<_> = (0..5).map(|nth| join(&mut play, "a", later(200 + nth)).wait().id.clone()).collect();
    assert_eq!(join(&mut play, "a", later(300)).code(), Some(Code::Quota));
    play.wait(7 * HOUR);
    let next =
        play.ask("backend", Act::Book { wish: wish(vec![vec![claim(0, 900, 60, 1)]]), external_ref: None });
    assert_eq!(next.reservation().state, State::Booked);
    join(&mut play, "a", later(900)).reply();
    assert!(ids.iter().all(|id| state(&play, id) == WaitState::Lapsed));
}

#[test]
fn an_open_list_tells_all_and_gives_nothing() {
    let policy = Policy { waitlist: Waitlist::Open, ..Policy::default() };
    let mut play = Play::new(&[ResourceWish { policy, ..resource_wish(0, 1) }]);
    let mine = hold(&mut play, "a", slot()).reservation();
    for who in ["b", "c"] {
        join(&mut play, who, slot()).reply();
    }
    let heard = play.ask("a", Act::Release { id: mine.id.clone(), fence: Some(mine.fence) });
    assert_eq!(heard.told(), ["hold.released", "waitlist.free", "waitlist.free"]);
    hold(&mut play, "d", slot()).reply();
}

#[test]
fn a_list_that_was_closed_is_asked_when_it_opens() {
    let policy =
        |waitlist| ResourceWish { policy: Policy { waitlist, ..Policy::default() }, ..resource_wish(0, 1) };
    let mut play = Play::new(&[policy(Waitlist::Offer)]);
    let mine = hold(&mut play, "a", slot()).reservation();
    let entry = join(&mut play, "b", slot()).wait();
    play.ask("backend", Act::PutResource(Box::new(policy(Waitlist::Off)))).reply();
    assert_eq!(join(&mut play, "c", slot()).code(), Some(Code::BadState));
    play.ask("a", Act::Release { id: mine.id.clone(), fence: Some(mine.fence) }).reply();
    assert_eq!(state(&play, &entry.id), WaitState::Waiting);
    play.ask("backend", Act::PutResource(Box::new(policy(Waitlist::Offer)))).reply();
    assert_eq!(state(&play, &entry.id), WaitState::Offered);
}

#[test]
fn an_offer_outlives_the_connections_of_its_holder() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    join(&mut play, "b", slot()).reply();
    assert!(matches!(play.due(Due::Departed(principal("b"))), Heard::Same(_)));
}

#[test]
fn a_change_of_a_resource_with_a_full_list_asks_a_bounded_number_of_times() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    for day in 0..40 {
        let minutes = day * 24 * 60;
        let wish = wish(vec![vec![claim(0, minutes, 30, 1)]]);
        play.ask("backend", Act::Book { wish: wish.clone(), external_ref: None }).reply();
        let mut waits = wish;
        waits.holder = Some(super::play::user(&format!("u{day}")));
        play.ask("backend", Act::Join { wish: waits }).reply();
    }
    play.commit();
    play.crash();
    let heard = play.ask("backend", Act::PutResource(Box::new(resource_wish(0, 2))));
    assert_eq!(heard.told().iter().filter(|name| *name == "waitlist.offered").count(), 40);
}

#[test]
fn alternatives_on_many_days_ask_a_bounded_number_of_times() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let day = |nth: i64| vec![claim(0, nth * 24 * 60, 30, 1)];
    for nth in 0..16 {
        play.ask("backend", Act::Book { wish: wish(vec![day(nth)]), external_ref: None }).reply();
    }
    play.commit();
    play.crash();
    let any = wish((0..16).map(day).collect());
    let heard = play.ask("a", Act::Hold { wish: any, ttl: Ttl::Usual, replace: None });
    assert_eq!(heard.code(), Some(Code::Conflict));
}

//! What is seen of the ledger.

use std::collections::BTreeSet;

use deskbell_core::ids::Principal;

use super::*;
use crate::store::Filter;

fn list(stand: &mut Stand, filter: Filter) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let look = Look::Reservations { filter: filter.clone(), after: after.clone(), limit: 2 };
        let Seen::Reservations(page) = stand.see(look) else { panic!() };
        let Some(last) = page.last() else { return found };
        assert!(page.len() <= 2 && after.as_ref().is_none_or(|after| page[0].id > *after));
        after = Some(last.id.clone());
        for one in page {
            assert!(found.insert(one.id.to_string()), "nothing is listed twice");
        }
    }
}

fn ids(of: &[&Arc<Reservation>]) -> BTreeSet<String> {
    of.iter().map(|one| one.id.to_string()).collect()
}

#[test]
fn reservations_are_found_by_holder_address_resource_time_and_state() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    let booked = stand.grant(hold(TEN + DAY, "ann"));
    let booked = stand.grant(confirm(&booked));
    let over = stand.grant(hold(TEN + 2 * DAY, "ann"));
    let over = stand.grant(release(&over));
    let of_bob = stand.grant(hold(TEN + 3 * DAY, "bob"));
    let of_bob = stand.grant(confirm(&of_bob));
    let ann = Some(Principal::User(user("ann")));
    let any = Filter::default();
    assert_eq!(list(&mut stand, any.clone()), ids(&[&held, &booked, &of_bob]));
    assert_eq!(list(&mut stand, Filter { holder: ann.clone(), ..any.clone() }), ids(&[&held, &booked]));
    let address = Some("ANN@example.ORG".into());
    assert_eq!(list(&mut stand, Filter { email: address, ..any.clone() }), ids(&[&booked, &of_bob]));
    let here = Filter { resource: Some(room()), ..any.clone() };
    assert_eq!(list(&mut stand, here.clone()), ids(&[&held, &booked, &of_bob]));
    let other = Filter { resource: Some(ResourceId::parse("other").unwrap()), ..any.clone() };
    assert_eq!(list(&mut stand, other), ids(&[]));
    let days = Some(Span { start: TEN + 1, end: TEN + 2 * DAY });
    assert_eq!(list(&mut stand, Filter { span: days, ..any.clone() }), ids(&[&held, &booked]));
    assert_eq!(list(&mut stand, Filter { span: days, ..here }), ids(&[&held, &booked]));
    let after = Some(Span { start: TEN + HOUR / 2, end: TEN + DAY + 1 });
    assert_eq!(list(&mut stand, Filter { span: after, ..any.clone() }), ids(&[&booked]));
    let state = |state| Filter { states: vec![state], holder: ann.clone(), ..Filter::default() };
    assert_eq!(list(&mut stand, state(State::Held)), ids(&[&held]));
    assert_eq!(list(&mut stand, state(State::Released)), ids(&[&over]));
    assert_eq!(list(&mut stand, state(State::Pending)), ids(&[]));
}

#[test]
fn lists_are_whole_whatever_their_length() {
    let mut stand = Stand::with_room();
    let mut all = BTreeSet::new();
    for n in 0..300 {
        let held = stand.grant(hold(TEN + n * HOUR, &format!("user-{n}")));
        if n % 50 != 0 {
            stand.ask(confirm(&held)).unwrap();
        }
        all.insert(held.id.to_string());
    }
    assert_eq!(list(&mut stand, Filter { resource: Some(room()), ..Filter::default() }), all);
    assert_eq!(list(&mut stand, Filter::default()), all);
    let span = Some(Span { start: TEN, end: TEN + 300 * HOUR });
    assert_eq!(list(&mut stand, Filter { span, ..Filter::default() }), all);
    stand.sound();
}

#[test]
fn a_sighting_shows_the_position_that_it_reflects() {
    let mut stand = Stand::with_room();
    let held = stand.ask(hold(TEN, "ann")).unwrap();
    let look = Look::Availability { resource: room(), span: Span { start: TEN, end: TEN + 1 }, now: NOW };
    let sighting = stand.ledger().look(APP, &look).unwrap();
    assert_eq!((sighting.position, sighting.check), (held.row, held.check));
    let missing = ResourceId::parse("none").unwrap();
    assert!(matches!(stand.see(Look::Resource(missing)), Seen::Resource(None)));
}

#[test]
fn what_has_expired_is_shown_as_free_before_anybody_ended_it() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    let until = held.expires_at.unwrap();
    stand.now = until - 1;
    assert_eq!(stand.free(TEN, TEN + 1), [(TEN, TEN + 1, 0)]);
    stand.now = until;
    assert_eq!(stand.free(TEN, TEN + 1), [(TEN, TEN + 1, 1)]);
}

#[test]
fn a_waitlist_is_kept_over_restarts_and_read_in_order() {
    let mut stand = Stand::with_room();
    let held = stand.grant(hold(TEN, "ann"));
    let join = |who: &str| backend(Act::Join { wish: wish(TEN, HOUR / 2, who) });
    let bob = stand.ask(join("bob")).unwrap().reply.wait.unwrap();
    let carl = stand.ask(join("carl")).unwrap().reply.wait.unwrap();
    stand.restart();
    let all = |resource, principal| Look::Waits { resource, principal, after: 0, limit: 10 };
    let see = |stand: &mut Stand, look| match stand.see(look) {
        Seen::Waits(waits) => waits.iter().map(|wait| wait.id.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let both = [bob.id.clone(), carl.id.clone()];
    assert_eq!(see(&mut stand, all(None, None)), both);
    assert_eq!(see(&mut stand, all(Some(room()), None)), both);
    assert_eq!(
        see(&mut stand, all(Some(room()), Some(carl.principal.clone()))),
        std::slice::from_ref(&carl.id)
    );
    stand.sound();
    stand.ask(release(&held)).unwrap();
    assert_eq!(stand.told("user:bob").last().unwrap(), "waitlist.offered");
    assert_eq!(stand.ask(hold(TEN, "dora")).unwrap_err(), Code::Conflict);
    stand.sound();
    stand.restart();
    stand.ask(backend(Act::Leave { id: bob.id.clone() })).unwrap();
    assert_eq!(stand.told("user:carl").last().unwrap(), "waitlist.offered");
    assert_eq!(see(&mut stand, all(None, None)), std::slice::from_ref(&carl.id));
    stand.sound();
}

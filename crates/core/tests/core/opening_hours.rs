//! Opening hours in the ledger's decisions, and in what is shown of them.

use std::sync::Arc;

use deskbell_core::calendar::{Hours, Span, TimeZone};
use deskbell_core::ids::ResourceId;
use deskbell_core::limits::{DAY, HOUR};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, Actor, By, Claim, Command, Decision, Key, Moment, Policy, Refused, Resource, Slice, Ttl, Wish,
    decide,
};

/// A Monday.
const MONDAY: u64 = 20_458 * DAY;

fn doctor() -> Resource {
    let hours =
        r#"{"weekly":[{"day":"mon","from":"09:00","to":"12:00"},{"day":"mon","from":"13:00","to":"17:00"}]}"#;
    Resource {
        id: ResourceId::parse("doctor").unwrap(),
        capacity: 1,
        before: 0,
        after: HOUR / 2,
        time_zone: TimeZone::parse("UTC").unwrap(),
        hours: Hours::from_json(hours).unwrap(),
        provider: None,
        policy: Policy::default(),
        version: 1,
    }
}

fn slice() -> Slice {
    let (mut slice, doctor) = (Slice::default(), doctor());
    slice.put_resource(&doctor.id.clone(), Some(Arc::new(doctor)));
    slice
}

fn wish(from: u64, to: u64) -> Wish {
    let claim = Claim {
        resource: doctor().id,
        start: MONDAY + from * HOUR / 2,
        end: MONDAY + to * HOUR / 2,
        units: 1,
    };
    Wish { any_of: vec![vec![claim]], holder: None, email: None, meta: None }
}

/// Decides with a ledger that has nothing but the doctor and what the slice knows.
fn ask(
    slice: &mut Slice,
    position: u64,
    act: Act,
) -> Result<Arc<deskbell_core::reservation::Reservation>, Box<Refused>> {
    let command = Command::Ask { actor: Actor::backend(), act };
    let moment = Moment { now: MONDAY, position, seed: [position as u8; 16] };
    loop {
        match decide(slice, moment, &command) {
            Decision::NeedMore(keys) => keys.into_iter().for_each(|key| match key {
                Key::Day(resource, day) => slice.put_day(&resource, day, Vec::new()),
                Key::Waiting(resource) => slice.put_waiting(&resource, Vec::new()),
                other => panic!("{other:?}"),
            }),
            Decision::Change(change) => {
                slice.apply(&change);
                return Ok(change.reply.reservation.unwrap());
            }
            Decision::Same(reply) => return Ok(reply.reservation.unwrap()),
            Decision::Refused(no) => return Err(no),
        }
    }
}

fn hold(slice: &mut Slice, position: u64, from: u64, to: u64) -> Result<(), Box<Refused>> {
    ask(slice, position, Act::Hold { wish: wish(from, to), ttl: Ttl::Usual, replace: None }).map(|_| ())
}

#[test]
fn a_claim_lies_wholly_in_open_time_and_its_buffer_need_not() {
    let mut slice = slice();
    for (from, to) in [(16, 19), (22, 25), (24, 26), (23, 27), (33, 35), (40, 42)] {
        let no = hold(&mut slice, 1, from, to).unwrap_err();
        assert_eq!((no.refusal.code, no.conflicts[0].by), (Code::Conflict, By::Closed), "{from} to {to}");
        assert!(!no.conflicts[0].yours && no.conflicts[0].reservation.is_none());
    }
    hold(&mut slice, 2, 18, 24).unwrap();
    hold(&mut slice, 3, 33, 34).unwrap();
}

#[test]
fn other_times_that_are_offered_are_open_and_free() {
    let mut slice = slice();
    hold(&mut slice, 1, 20, 22).unwrap();
    let no = hold(&mut slice, 2, 20, 22).unwrap_err();
    let offered: Vec<_> = no.alternatives.iter().map(|other| (other.start - MONDAY) / HOUR).collect();
    assert_eq!(
        offered,
        [13, 14, 15],
        "not 11, which the buffer needs, nor 12, when nobody is there but all is free"
    );
}

#[test]
fn staff_books_outside_opening_hours_without_force() {
    let mut slice = slice();
    let act =
        Act::Override { wish: wish(40, 42), reason: "an emergency".into(), force: false, external_ref: None };
    assert!(!ask(&mut slice, 1, act).unwrap().forced);
}

#[test]
fn nothing_is_shown_free_while_it_is_closed() {
    let doctor = doctor();
    let day = Span { start: MONDAY, end: MONDAY + DAY };
    let mut slice = slice();
    hold(&mut slice, 1, 18, 20).unwrap();
    let shown = doctor.shown(slice.day(&doctor.id, MONDAY / DAY), day, MONDAY);
    let segments: Vec<_> = shown
        .iter()
        .map(|s| ((s.span.start - MONDAY) * 2 / HOUR, (s.span.end - MONDAY) * 2 / HOUR, s.free))
        .collect();
    // The hold's own time and its buffer stand apart from the closed time by when they end.
    assert_eq!(segments, [(0, 18, 0), (18, 21, 0), (21, 24, 1), (24, 26, 0), (26, 34, 1), (34, 48, 0)]);
}

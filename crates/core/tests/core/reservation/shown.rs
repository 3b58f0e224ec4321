//! What is shown: free times are what is admitted, and nobody sees more than its due.

use deskbell_core::ids::{AppId, ExternalRef, ReservationId};
use deskbell_core::limits::{self, MINUTE, Millis};
use deskbell_core::reservation::{
    Act, Announcement, By, Change, Owed, Piece, Reservation, ResourceWish, Sight, Slice, Span, Touched, Ttl,
    View, Wait, WaitView, segments,
};
use proptest::prelude::*;

use super::naive::Naive;
use super::play::{Heard, MIDNIGHT, Play, claim, resource, resource_wish, user, wish};

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0u64..60, 1u64..40, 1u32..3, prop::option::of(0u64..20), any::<bool>());
    let piece = piece.prop_map(|(start, length, units, until, held)| Piece {
        span: Span { start, end: start + length },
        reservation: ReservationId::derive(0, [1; 16], units),
        nth: 0,
        units,
        by: if held { By::Held } else { By::Booked },
        until: until.filter(|_| held),
    });
    prop::collection::vec(piece, 0..8)
}

proptest! {
    /// F20: a claim fits exactly where the segments show enough that is free over its whole padded time.
    #[test]
    fn what_is_shown_as_free_is_what_is_admitted(
        pieces in pieces(), capacity in 0u32..4, units in 1u32..4, start in 0u64..80, length in 1u64..20, now in 0u64..20,
    ) {
        let whole = Span { start: 0, end: 120 };
        let wanted = Span { start, end: start + length };
        let shown = segments(&pieces, whole, capacity, now);
        prop_assert_eq!(shown.first().map(|segment| segment.span.start), Some(0));
        prop_assert_eq!(shown.last().map(|segment| segment.span.end), Some(120));
        for pair in shown.windows(2) {
            prop_assert_eq!(pair[0].span.end, pair[1].span.start);
            prop_assert!((pair[0].free, pair[0].held_until) != (pair[1].free, pair[1].held_until));
        }
        let enough = shown.iter().filter(|segment| segment.span.overlaps(wanted)).all(|s| s.free >= units);
        let used = |at: Millis| -> u64 {
            let live = pieces.iter().filter(|piece| piece.until.is_none_or(|until| now < until));
            live.filter(|p| p.span.start <= at && at < p.span.end).map(|p| u64::from(p.units)).sum()
        };
        let fits = (start..start + length).all(|at| used(at) + u64::from(units) <= u64::from(capacity));
        prop_assert_eq!(enough, fits);
        for segment in &shown {
            for at in segment.span.start..segment.span.end {
                prop_assert_eq!(u64::from(segment.free), u64::from(capacity).saturating_sub(used(at)));
            }
        }
    }

    /// What is owed is joined, told in time, and never lost.
    #[test]
    fn what_is_owed_is_told_within_its_time(steps in prop::collection::vec((0u8..3, 0u64..50, 1u64..9, 0u64..30), 1..40)) {
        let (mut owed, mut now, mut due) = (Owed::default(), 0, Touched::new());
        for (nth, start, length, later) in steps {
            let span = Span { start, end: start + length };
            owed.add(Touched::from([(resource(nth), span)]));
            due.entry(resource(nth)).and_modify(|all| *all = all.hull(span)).or_insert(span);
            for (id, told) in owed.take_due(now) {
                prop_assert_eq!(due.remove(&id), Some(told));
            }
            prop_assert_eq!(owed.next().is_some(), !due.is_empty());
            prop_assert!(owed.next().is_none_or(|at| now < at && at <= now + limits::SLOTS_JOIN));
            now += later;
        }
        let rest = owed.take_due(now + limits::SLOTS_JOIN);
        prop_assert_eq!(rest, due);
    }
}

/// A hold with a person in every field that has one.
fn personal(play: &mut Play) -> (Reservation, Wait, Vec<Change>) {
    let mut secret = wish(vec![vec![claim(0, 0, 30, 1)]]);
    secret.email = Some("secret@example.org".into());
    secret.meta = serde_json::value::RawValue::from_string("{\"name\":\"secret\"}".to_owned()).ok();
    secret.holder = Some(user("secret"));
    let mut changes = Vec::new();
    let mut heard = |heard: Heard| {
        if let Heard::Changed(change) = &heard {
            changes.push((**change).clone());
        }
    };
    let held = play.ask("backend", Act::Hold { wish: secret.clone(), ttl: Ttl::Usual, replace: None });
    let id = held.reservation().id.clone();
    heard(held);
    heard(
        play.ask(
            "backend",
            Act::Link { id: id.clone(), external_ref: ExternalRef::parse("secret-7").unwrap() },
        ),
    );
    let mut other = secret.clone();
    other.any_of = vec![vec![claim(0, 15, 30, 1)]];
    let joined = play.ask("backend", Act::Join { wish: other });
    let wait = joined.wait();
    heard(joined);
    let reason = "secret reason".into();
    let over = Act::Override {
        wish: wish(vec![vec![claim(0, 0, 10, 1)]]),
        reason,
        force: false,
        external_ref: None,
    };
    heard(play.ask("chief", over));
    let old = play.reservation(&id).clone();
    (old, (*wait).clone(), changes)
}

#[test]
fn nobody_sees_a_person_whom_it_may_not_see() {
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let (hold, wait, _) = personal(&mut play);
    let view = |sight| serde_json::to_string(&View::of(&hold, sight)).unwrap();
    assert!(!view(Sight::Nobody).contains("secret"), "{}", view(Sight::Nobody));
    assert!(view(Sight::Own).contains("secret@example.org") && !view(Sight::Own).contains("holder"));
    assert!(view(Sight::Holder).contains("user:secret") && !view(Sight::Holder).contains("fence"));
    assert!(view(Sight::Everything).contains("fence"));
    let of_wait = |sight| serde_json::to_string(&WaitView::of(&wait, sight)).unwrap();
    assert!(!of_wait(Sight::Nobody).contains("secret") && !of_wait(Sight::Own).contains("secret"));
    assert!(of_wait(Sight::Holder).contains("user:secret"));
}

#[test]
fn every_channel_is_told_only_what_its_readers_may_know() {
    let doctor = ResourceWish { provider: Some(user("doctor")), ..resource_wish(0, 1) };
    let mut play = Play::new(&[doctor]);
    let (_, _, changes) = personal(&mut play);
    let mut slice = Slice::default();
    slice.put_resource(&resource(0), Some(std::sync::Arc::new(play.naive.resources[0].clone())));
    let mut channels = std::collections::BTreeSet::new();
    for change in &changes {
        let mut told = Announcement::new(AppId(1), change.reply.now, [5; 16]);
        told.tell(change, &slice);
        for draft in told.into_drafts() {
            let (channel, text) = shown(&draft);
            let (kind, _) = channel.split_once(':').unwrap();
            channels.insert(kind.to_owned());
            match kind {
                "booking" | "slots" => assert!(!text.contains("secret"), "{channel}: {text}"),
                "user" if channel != "user:secret" => assert!(!text.contains("secret"), "{channel}: {text}"),
                "user" | "provider" => assert!(!text.contains("secret reason"), "{channel}: {text}"),
                _ => assert_eq!(kind, "staff"),
            }
        }
    }
    assert_eq!(channels.into_iter().collect::<Vec<_>>(), ["booking", "provider", "staff", "user"]);
}

fn shown(draft: &deskbell_core::event::Draft) -> (String, String) {
    let text = String::from_utf8_lossy(&draft.event.data.bytes).into_owned();
    (draft.event.channel.to_string(), text)
}

#[test]
fn a_conflict_names_the_reservation_only_to_its_holder_and_to_staff() {
    let mut play = Play::new(&[ResourceWish { after: 10 * MINUTE, ..resource_wish(0, 1) }]);
    let hold = |play: &mut Play, who, minute| {
        let wish = wish(vec![vec![claim(0, minute, 30, 1)]]);
        play.ask(who, Act::Hold { wish, ttl: Ttl::Usual, replace: None })
    };
    let mine = hold(&mut play, "a", 0).reservation();
    let Heard::No(_, conflicts) = hold(&mut play, "b", 0) else { panic!("it is taken") };
    assert_eq!((conflicts[0].yours, conflicts[0].reservation.as_ref()), (false, None));
    let Heard::No(_, conflicts) = hold(&mut play, "chief", 0) else { panic!("it is taken") };
    assert_eq!((conflicts[0].yours, conflicts[0].reservation.as_ref()), (false, Some(&mine.id)));
    assert_eq!(hold(&mut play, "a", 35).reservation().id, mine.id, "one's own buffer is one's own");
}

#[test]
fn a_delta_of_days_that_are_not_known_says_to_load_anew() {
    let play = Play::new(&[resource_wish(0, 1)]);
    let mut slice = Slice::default();
    let naive: &Naive = &play.naive;
    slice.put_resource(&resource(0), Some(std::sync::Arc::new(naive.resources[0].clone())));
    let touched = Touched::from([(resource(0), Span { start: MIDNIGHT, end: MIDNIGHT + MINUTE })]);
    let mut told = Announcement::new(AppId(1), 0, [0; 16]);
    told.slots(&touched, &slice);
    slice.put_day(&resource(0), MIDNIGHT / limits::DAY, Vec::new());
    told.slots(&touched, &slice);
    let names: Vec<_> = told.into_drafts().iter().map(|draft| draft.event.name.to_string()).collect();
    assert_eq!(names, ["slots.reset", "slots.delta"]);
}

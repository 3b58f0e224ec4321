//! What is kept in the file and for how long, and what a check finds.

use deskbell_core::limits::{DURABLE_AGE, HOLD_TTL};

use super::*;
use crate::store::Filter;

#[test]
fn what_is_long_over_goes_and_bookings_stay() {
    let mut stand = Stand::with_room();
    let gone = stand.grant(hold(TEN, "ann"));
    stand.ask(release(&gone)).unwrap();
    let lapsed = stand.grant(hold(TEN + HOUR, "ann"));
    let kept = stand.grant(hold(TEN + 2 * HOUR, "ann"));
    stand.ask(confirm(&kept)).unwrap();
    let endless =
        backend(Act::Hold { wish: wish(TEN + 3 * HOUR, HOUR, "bob"), ttl: Ttl::Endless, replace: None });
    let endless = stand.grant(endless);
    stand.wait(HOLD_TTL);
    stand.wait(HOLD_TTL);
    let counts = "SELECT (SELECT count(*) FROM reservations) * 100 + (SELECT count(*) FROM claims) * 10
                  + (SELECT count(*) FROM strikes)";
    assert_eq!(stand.count(counts), 421);
    let now = stand.now;
    stand.ledger().expire(now + HOUR, DURABLE_AGE).unwrap();
    assert_eq!(stand.count(counts), 420, "a strike counts for an hour");
    stand.ledger().expire(TEN + 4 * DAY, DURABLE_AGE).unwrap();
    assert_eq!(stand.count(counts), 410, "nobody claims the past, and a hold keeps its claim until it ends");
    stand.sound();
    // The newest row stays whatever its age, so that positions go on from there.
    stand.wait(DAY);
    stand.ask(put(room(), 2)).unwrap();
    stand.ledger().expire(now + DURABLE_AGE, DURABLE_AGE).unwrap();
    assert_eq!(stand.count(counts), 210);
    stand.sound();
    stand.restart();
    assert_eq!(stand.reservation(&kept.id).state, State::Booked);
    for id in [gone.id.clone(), lapsed.id.clone()] {
        assert!(matches!(stand.see(Look::Reservation(id)), Seen::Reservation(None)));
    }
    stand.ask(release(&endless)).unwrap();
    stand.sound();
}

#[test]
fn a_check_tells_what_is_claimed_beyond_a_capacity_and_why() {
    let mut stand = Stand::new();
    stand.ask(put(room(), 2)).unwrap();
    stand.grant(hold(TEN, "ann"));
    stand.grant(hold(TEN, "bob"));
    stand.ask(put(room(), 1)).unwrap();
    let verdict = stand.ledger().verify().unwrap();
    assert_eq!(verdict.problems, [""; 0]);
    assert!(verdict.notes[0].ends_with("since its capacity was lowered"), "{:?}", verdict.notes);
    stand.ask(put(room(), 2)).unwrap();
    assert_eq!(stand.ledger().verify().unwrap().notes, [""; 0]);
    let wish = wish(TEN, HOUR, "carl");
    let reason = "the director".into();
    let booked = confirm(&stand.grant(hold(TEN + DAY, "ann")));
    stand.ask(booked).unwrap();
    let full = Wish {
        any_of: vec![vec![Claim { start: TEN + DAY, end: TEN + DAY + HOUR, units: 2, resource: room() }]],
        ..wish
    };
    stand.ask(backend(Act::Override { wish: full, reason, force: true, external_ref: None })).unwrap();
    let verdict = stand.ledger().verify().unwrap();
    assert_eq!(verdict.problems, [""; 0]);
    assert!(verdict.notes[0].contains("by force"), "{:?}", verdict.notes);
}

#[test]
fn a_check_finds_what_does_not_fit() {
    let damages = [
        ("DELETE FROM claims", "its claim of room on day"),
        ("UPDATE claims SET units = 2", "its claim of room on day"),
        ("UPDATE claims SET until = 5 WHERE by = 0", "its claim of room on day"),
        (
            "INSERT INTO claims SELECT app, resource, day, start, reservation, 7, \"end\", units, by, until, forced FROM claims",
            "`claims` has 4 rows where 2 belong",
        ),
        (
            "INSERT INTO claims SELECT app, resource, day, start, reservation, 7, \"end\", units, by, until, forced FROM claims",
            "2 of 1 units of room are claimed",
        ),
        ("DELETE FROM lookups WHERE kind = 1", "is not found by Email"),
        ("INSERT INTO lookups VALUES (1001, 0, 'user:x', 0, 'r_1')", "`lookups` has 5 rows where 4 belong"),
        ("UPDATE reservations SET state = 5", "its columns do not say what it says"),
        ("UPDATE reservations SET body = json_set(body, '$.fence', 99)", "are no positions up to"),
        ("UPDATE reservations SET body = 'x'", "cannot be read"),
        ("DELETE FROM resources", "is claimed and does not exist"),
        ("DELETE FROM waiting", "`waiting` has 0 rows where 1 belong"),
        ("UPDATE waits SET state = 3", "its columns do not say what it says"),
        (
            "UPDATE waits SET state = 1, body = json_set(body, '$.state', 'offered')",
            "was offered what is no hold",
        ),
        ("UPDATE changes SET at = 5 WHERE position = 3", "is older than the one before it"),
    ];
    for (damage, told) in damages {
        let mut stand = Stand::with_room();
        let booked = confirm(&stand.grant(hold(TEN + HOUR, "ann")));
        stand.ask(booked).unwrap();
        stand.grant(hold(TEN, "ann"));
        stand.ask(backend(Act::Join { wish: wish(TEN, HOUR / 2, "bob") })).unwrap();
        stand.sound();
        stand.damage(&stand.in_words_of_the_store(damage));
        let problems = stand.ledger().verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(told)), "{damage}: {problems:?}");
    }
}

/// A booking that the site has a name for, with what it says beside it.
fn booked_as(stand: &mut Stand, start: Millis, name: Option<&str>, meta: &str) -> Arc<Reservation> {
    let held = stand.grant(hold(start, "ann"));
    let act = Act::Confirm {
        id: held.id.clone(),
        fence: held.fence,
        if_still_free: false,
        external_ref: name.map(|name| ExternalRef::parse(name).unwrap()),
        email: Some("Ann@Example.org".into()),
        meta: Some(serde_json::value::RawValue::from_string(meta.to_owned()).unwrap()),
    };
    stand.grant(backend(act))
}

#[test]
fn a_file_from_before_the_sites_names_were_looked_up_finds_bookings_by_them() {
    let mut stand = Stand::with_room();
    let names = ["APT-2025-000001", r#"odd "name" \ é"#, "7"];
    let meta = r#"{"external_ref":"theirs","block":1,"notes":"\u0000","meta":{"external_ref":"x"}}"#;
    let mut booked = Vec::new();
    for (nth, name) in names.iter().enumerate() {
        booked.push(booked_as(&mut stand, TEN + nth as u64 * HOUR, Some(name), meta));
    }
    booked_as(&mut stand, TEN + 5 * HOUR, None, meta);
    let step =
        Act::Step { id: booked[2].id.clone(), step: deskbell_core::reservation::Step::Cancel, version: None };
    stand.ask(backend(step)).unwrap();
    // Such rows were not written before.
    stand.damage("DELETE FROM lookups WHERE kind = 4");
    // What later steps make is not there yet.
    ["DROP TABLE news", "DROP TABLE news_here"].iter().for_each(|drop| stand.damage(drop));
    let older = if stand.is_shared() { "UPDATE version SET version = 2" } else { "PRAGMA user_version = 6" };
    stand.damage(older);
    assert!(!stand.ledger().verify().unwrap().problems.is_empty());
    stand.restart();
    stand.sound();
    for (name, booked) in names.iter().zip(&booked) {
        let filter = Filter { external_ref: Some(ExternalRef::parse(name).unwrap()), ..Filter::default() };
        match stand.see(Look::Reservations { filter, after: None, limit: 10 }) {
            Seen::Reservations(found) => {
                assert_eq!(found.iter().map(|one| &one.id).collect::<Vec<_>>(), [&booked.id], "{name}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stand.count("SELECT count(*) FROM lookups WHERE kind = 4"), 3);
}

#[test]
fn a_commit_that_would_claim_too_much_does_not_happen() {
    let mut stand = Stand::with_room();
    let booked = confirm(&stand.grant(hold(TEN + DAY, "ann")));
    let booked = stand.grant(booked);
    let held = stand.grant(hold(TEN, "ann"));
    stand.ask(release(&held)).unwrap();
    // The slice in memory knows the day. A row that it does not know stands for a bug of the loop.
    let row = format!(
        "INSERT INTO claims VALUES (1001, 'room', {}, {TEN}, '{}', 7, {}, 1, 2, NULL, 0)",
        TEN / DAY,
        booked.id,
        TEN + HOUR
    );
    stand.damage(&row);
    let answers = stand.together(vec![hold(TEN, "bob"), hold(TEN + 2 * HOUR, "bob")]);
    assert_eq!(answers[0].as_ref().unwrap_err(), &Code::Conflict, "it is decided anew, from the tables");
    assert!(answers[1].is_ok());
    assert_eq!(stand.count("SELECT count(*) FROM reservations"), 3);
}

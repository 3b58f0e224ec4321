//! Notes of webhooks and calendars, and the rows that webhooks read.

use deskbell_core::limits;
use deskbell_core::webhook::{Kept, Open};

use super::*;
use crate::store::{Fate, Found, Later, LeaseWish, Letter, Note, Question, Standing, Turn, Which};

/// Whoever notes how far an endpoint is has its lease.
fn note(store: &Store, note: Note) -> u64 {
    if let Note::Endpoint { app, name, .. } = &note {
        let hold = || Note::Lease { app: *app, name: name.clone(), wish: LeaseWish::Hold };
        // The process before may not have gone quite yet.
        while Turn::of(write(store, hold())) != Turn::Here {}
    }
    write(store, note)
}

fn write(store: &Store, note: Note) -> u64 {
    let (tell, told) = mpsc::channel();
    store.note(note, Box::new(move |said| tell.send(said).unwrap()));
    told.recv().unwrap().unwrap()
}

fn ask(store: &Store, question: Question) -> Found {
    let (tell, told) = mpsc::channel();
    store.question(question, Box::new(move |found| tell.send(found).unwrap()));
    told.recv().unwrap().unwrap()
}

fn letter(at: u64) -> Letter {
    Letter {
        at,
        id: format!("id{at}"),
        kind: "booking.confirmed".to_owned(),
        lane: "booking:r_1".to_owned(),
        body: b"{}".to_vec(),
        died: NOW,
        attempts: 3,
        why: "it answered 500".to_owned(),
        due: false,
    }
}

fn endpoint(kept: &Kept, died: Vec<Letter>, delivered: Vec<u64>) -> Note {
    let (later, came) = (Vec::new(), Vec::new());
    Note::Endpoint { app: APP, name: "shop".to_owned(), kept: kept.clone(), died, delivered, later, came }
}

fn standing(store: &Store, app: AppId) -> Standing {
    let Found::Endpoint(standing) = ask(store, Question::Endpoint(app, "shop".to_owned())) else { panic!() };
    standing
}

fn letters(store: &Store, which: Which) -> (Vec<u64>, u64) {
    let question = Question::Letters { app: APP, name: "shop".to_owned(), after: 0, limit: 50, which };
    let Found::Letters(found, total) = ask(store, question) else { panic!("another answer") };
    (found.into_iter().map(|letter| letter.at).collect(), total)
}

#[test]
fn how_far_an_endpoint_is_and_what_died_is_there_after_a_restart() {
    let scratch = Scratch::new();
    let store = scratch.start();
    assert_eq!(standing(&store, APP), Standing { kept: None, head: 0, later: 0, hour: None });
    let open = vec![Open { at: 4_096, count: 2, since: 7 }];
    let kept = Kept { read_to: 9_000, open, off: Some("it answered 410".to_owned()) };
    note(&store, endpoint(&kept, vec![letter(5), letter(9), letter(12)], Vec::new()));
    assert_eq!(
        note(
            &store,
            Note::Letters { app: APP, name: "shop".to_owned(), which: Some(vec![9, 99]), fate: Fate::Resent }
        ),
        1
    );
    store.close().unwrap();
    drop(store);
    let store = scratch.start();
    assert_eq!(standing(&store, APP).kept, Some(kept.clone()));
    assert_eq!(
        (letters(&store, Which::All), letters(&store, Which::Due)),
        ((vec![5, 9, 12], 3), (vec![9], 3))
    );
    // What is tried again is not thrown away; what was delivered goes.
    assert_eq!(
        note(&store, Note::Letters { app: APP, name: "shop".to_owned(), which: None, fate: Fate::Discarded }),
        2
    );
    note(&store, endpoint(&kept, Vec::new(), vec![9]));
    assert_eq!(letters(&store, Which::All), (vec![], 0));
    assert_eq!(standing(&store, AppId(7)).kept, None);
}

#[test]
fn what_waits_for_its_hour_comes_in_the_order_of_hours_and_is_there_until_it_came() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for number in 0..3 {
        put(&store, "a", &number.to_string());
    }
    let of = |row, hour| Later { hour, at: ledger::event(row, 0) };
    let at = |row| ledger::event(row, 0);
    let of_note = |later, came| Note::Endpoint {
        app: APP,
        name: "shop".to_owned(),
        kept: Kept::default(),
        died: Vec::new(),
        delivered: Vec::new(),
        later,
        came,
    };
    // Of the last one nothing is in the ledger any more.
    note(&store, of_note(vec![of(1, 70), of(2, 50), of(3, 50), of(9, 60)], Vec::new()));
    store.close().unwrap();
    drop(store);
    let store = scratch.start();
    let standing = standing(&store, APP);
    assert_eq!((standing.later, standing.hour), (4, Some(50)));
    let due = |after, until, limit| {
        let question = Question::Later { app: APP, name: "shop".to_owned(), after, until, limit };
        let Found::Later(found, next) = ask(&store, question) else { panic!() };
        (found.into_iter().map(|(later, draft)| (later.at, draft.is_some())).collect::<Vec<_>>(), next)
    };
    assert_eq!(due(Later::default(), 49, 9), (vec![], Some(50)));
    assert_eq!(due(Later::default(), 50, 9), (vec![(at(2), true), (at(3), true)], Some(60)));
    assert_eq!(due(Later::default(), 99, 1), (vec![(at(2), true)], Some(50)), "there is more of this hour");
    assert_eq!(due(of(2, 50), 60, 9), (vec![(at(3), true), (at(9), false)], Some(70)));
    assert_eq!(due(of(1, 70), 99, 9), (vec![], None));
    note(&store, of_note(vec![of(1, 90)], vec![of(2, 50), of(9, 60), of(1, 70)]));
    assert_eq!(due(Later::default(), 99, 9), (vec![(at(3), true), (at(1), true)], None));
}

#[test]
fn beyond_the_bound_the_oldest_letters_go_and_it_is_said_how_many() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let most = limits::DEAD_LETTERS as u64;
    let all: Vec<Letter> = (1..=most + 3).map(letter).collect();
    assert_eq!(note(&store, endpoint(&Kept::default(), all, Vec::new())), 3);
    let (found, total) = letters(&store, Which::All);
    assert_eq!((found[0], total), (4, most));
}

#[test]
fn rows_are_read_in_order_within_their_bounds_and_the_floor_is_told() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for number in 0..5 {
        put(&store, "a", &number.to_string());
    }
    let rows = |after, rows, bytes| match ask(&store, Question::Rows { app: APP, after, rows, bytes }) {
        Found::Rows(found) => {
            (found.rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), found.floor, found.head)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(rows(0, 100, usize::MAX), (vec![1, 2, 3, 4, 5], 0, 5));
    assert_eq!(rows(ledger::end(2), 2, usize::MAX), (vec![3, 4], 0, 5));
    assert_eq!(rows(ledger::event(2, 0), 1, 1), (vec![2], 0, 5), "a row is read whole, and one fits always");
    assert_eq!(rows(ledger::end(5), 9, 9), (vec![], 0, 5));
    let Found::Events(events) = ask(
        &store,
        Question::Events(APP, vec![ledger::event(3, 0), ledger::event(3, 1), ledger::event(9, 0)]),
    ) else {
        panic!()
    };
    assert_eq!(
        events.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [ledger::event(3, 0)],
        "what is gone is left out"
    );
    store.close().unwrap();
    drop(store);
    let mut kept = scratch.open().ledger(NOW, seeds()).unwrap();
    kept.expire(NOW + 100 * DURABLE_AGE, DURABLE_AGE).unwrap();
    drop(kept);
    let store = scratch.start();
    let Found::Rows(found) = ask(&store, Question::Rows { app: APP, after: 0, rows: 9, bytes: 9 }) else {
        panic!()
    };
    assert_eq!((found.floor, found.rows.len(), found.rows[0].0), (4, 1, 5), "the newest stays");
}

#[test]
fn a_changed_link_is_counted_for_its_own_subject() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let generation = |subject: &str| match ask(&store, Question::Generation(APP, subject.to_owned())) {
        Found::Generation(generation) => generation,
        other => panic!("{other:?}"),
    };
    assert_eq!(generation("user:ann"), 0);
    for expected in 1..=3 {
        assert_eq!(note(&store, Note::Rotate { app: APP, subject: "user:ann".to_owned() }), expected);
    }
    assert_eq!((generation("user:ann"), generation("user:bob")), (3, 0));
}

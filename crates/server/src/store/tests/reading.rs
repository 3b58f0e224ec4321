//! Pages: every event of the wanted channels after a place, or why not.

use deskbell_core::log::ResetReason;
use proptest::prelude::*;

use super::*;
use crate::store::page::{find, page};
use crate::store::tables::{Scope, Tables};
use crate::store::verify::verify;

const START: u64 = ledger::end(0);
const FAR: u64 = u64::MAX >> 1;

#[test]
fn entries_are_what_went_in_with_the_readers_own_position() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let mut odd = keyed("a", "id-1", "key ✓");
    odd.except = Some(deskbell_core::ids::PublicId(u64::MAX));
    odd.event.data = Data { form: deskbell_core::event::Form::Text, bytes: vec![0, 255, b' '].into() };
    let receipt = submit_and_wait(&store, publish(vec![odd.clone(), draft("b", "id-2")])).unwrap();
    let got = read(&store, reading(&[("a", START, false), ("b", START, false)], FAR));
    assert!(got.complete && got.resets.is_empty());
    assert_eq!(got.at_ledger, ledger::end(1));
    let [first, second] = &got.entries[..] else { panic!("{got:?}") };
    assert_eq!(
        (&first.event, first.kind, &first.key, first.except),
        (&odd.event, odd.kind, &odd.key, odd.except)
    );
    assert_eq!((first.seq, first.ledger, second.ledger), (0, ledger::event(1, 0), ledger::event(1, 1)));
    let check = receipt.at.ledger_check;
    assert_eq!(first.after, Position { seq: 5, ..Position::start(EPOCH, ledger::event(1, 0), check) });
    assert_eq!(second.after, Position { seq: 5, ..Position::start(EPOCH, ledger::end(1), check) });
}

#[test]
fn a_reader_sees_no_uncommitted_row() {
    let scratch = Scratch::new();
    let store = scratch.start();
    put(&store, "a", "1");
    let mut tables = Tables::new(scratch.connect());
    let reader = scratch.connect_reader();
    let question = reading(&[("a", START, false)], FAR);
    let apply = |tables: &mut Tables| {
        tables.apply(&publish(vec![draft("a", "2")])).unwrap();
        let before = page(&reader, &question).unwrap();
        assert_eq!((ids(&before), before.at_ledger), (vec!["1".to_owned()], ledger::end(1)));
        Ok(())
    };
    tables.transact(&Scope::ALL, apply).unwrap();
    let after = page(&reader, &question).unwrap();
    assert_eq!((ids(&after), after.at_ledger), (vec!["1".to_owned(), "2".to_owned()], ledger::end(2)));
}

#[test]
fn a_page_is_cut_by_events_and_by_bytes_but_never_empty() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let row = (0..4).map(|n| draft("a", &n.to_string())).collect();
    submit_and_wait(&store, publish(row)).unwrap();
    for (bounds, cut) in [(Bounds { events: 2, bytes: 1 << 20 }, 2), (Bounds { events: 9, bytes: 1 }, 1)] {
        let part = read(&store, LedgerRead { bounds, ..reading(&[("a", START, false)], FAR) });
        assert_eq!((part.entries.len(), part.complete), (cut, false));
        assert_eq!(part.at_ledger, ledger::event(1, cut - 1), "the cut is within the row");
        let rest = read(&store, reading(&[("a", part.at_ledger, false)], FAR));
        assert_eq!((rest.entries.len(), rest.complete, rest.at_ledger), (4 - cut, true, ledger::end(1)));
    }
    let exact =
        LedgerRead { bounds: Bounds { events: 4, bytes: 1 << 20 }, ..reading(&[("a", START, false)], FAR) };
    assert!(read(&store, exact).complete);
}

#[test]
fn nothing_beyond_until_is_read() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for n in 1..=3 {
        put(&store, "a", &n.to_string());
    }
    let got = read(&store, reading(&[("a", START, false)], ledger::end(2)));
    assert_eq!((ids(&got).len(), got.at_ledger, got.complete), (2, ledger::end(2), true));
}

#[test]
fn a_reader_of_another_past_is_told() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let receipt = put(&store, "a", "1");
    put(&store, "a", "2");
    let from = |at: Position, after| LedgerRead {
        at,
        ..reading(&[("a", after, false), ("new", after, false)], FAR)
    };
    let reasons =
        |read_: LedgerRead| -> Vec<_> { read(&store, read_).resets.iter().map(|reset| reset.1).collect() };
    let own = receipt.at;
    assert_eq!(reasons(from(own, own.ledger)), []);
    let foreign = Position { ledger_check: own.ledger_check ^ 1, ..own };
    assert_eq!(reasons(from(foreign, own.ledger)), [ResetReason::Diverged; 2]);
    assert_eq!(reasons(from(Position { ledger_check: 0, ..own }, own.ledger)), [], "0 is not known");
    assert_eq!(reasons(from(own, ledger::end(2))), [], "the head itself is not ahead");
    let ahead = ledger::end(2) + 1;
    assert_eq!(reasons(from(Position { ledger: ahead, ..own }, ahead)), [ResetReason::Ahead; 2]);
    let within = Position { ledger: ledger::event(1, 0), ..own };
    assert_eq!(reasons(from(within, within.ledger)), [], "any coordinate of a row has the row's check");
}

#[test]
fn one_channel_that_cannot_go_on_holds_up_no_other() {
    let scratch = Scratch::new();
    let store = scratch.start();
    put(&store, "a", "1");
    put(&store, "b", "2");
    let got = read(&store, reading(&[("a", ledger::end(9), false), ("b", START, false)], FAR));
    assert_eq!(got.resets, [(channel("a"), ResetReason::Ahead)]);
    assert_eq!((ids(&got), got.complete), (vec!["2".to_owned()], true));
}

#[test]
fn what_is_looked_up_for_a_page_is_bounded_whatever_is_wanted() {
    let scratch = Scratch::new();
    let store = scratch.start();
    for n in 0..40 {
        put(&store, &format!("c{}", n % 10), &n.to_string());
    }
    let names: Vec<_> = (0..10).map(|n| format!("c{n}")).collect();
    let wants: Vec<_> = names.iter().map(|name| (name.as_str(), START, false)).collect();
    let read = LedgerRead { bounds: Bounds { events: 4, bytes: 1 << 20 }, ..reading(&wants, FAR) };
    let mut page = page(&scratch.connect_reader(), &read).unwrap();
    assert_eq!(ids(&page), ["0", "1", "2", "3"]);
    page.at_ledger = FAR;
    let connection = scratch.connect_reader();
    let found = find(&connection, &read, ledger::end(40), &mut page).unwrap();
    assert_eq!(found.len(), 5, "the page and one more, which says that there is more");
}

/// What a test row holds: for each event its channel and, perhaps, its key.
type Made = Vec<(u8, Option<u8>)>;

fn made() -> impl Strategy<Value = Vec<Made>> {
    let event = (0..4_u8, proptest::option::of(0..3_u8));
    proptest::collection::vec(proptest::collection::vec(event, 1..5), 1..24)
}

fn drafts(row: usize, events: &Made) -> Vec<Draft> {
    let draft = |(place, (on, key)): (usize, &(u8, Option<u8>))| {
        let (on, id) = (format!("c{on}"), format!("{row}.{place}"));
        match key {
            Some(key) => keyed(&on, &id, &format!("k{key}")),
            None => draft(&on, &id),
        }
    };
    events.iter().enumerate().map(draft).collect()
}

/// The same answer, found by looking at every event.
fn naive(rows: &[Made], wants: &[(u8, u64, bool)], until: u64) -> Vec<String> {
    let mut all = Vec::new();
    for (row, events) in (1_u64..).zip(rows) {
        for (place, (on, key)) in events.iter().enumerate() {
            all.push((ledger::event(row, place), *on, *key, format!("{row}.{place}")));
        }
    }
    let owed = |(at, on, key, _): &&(u64, u8, Option<u8>, String)| {
        let newer =
            |other: &(u64, u8, Option<u8>, String)| other.0 > *at && other.1 == *on && other.2 == *key;
        let want = wants.iter().find(|want| want.0 == *on);
        let wanted = want.is_some_and(|(_, after, latest)| at > after && !(*latest && all.iter().any(newer)));
        wanted && *at <= until
    };
    all.iter().filter(owed).map(|(.., id)| id.clone()).collect()
}

proptest! {
    // Each case writes a file of its own to the disk, or makes a database of its own, which takes longer.
    #![proptest_config(ProptestConfig { cases: if is_over_postgres() { 12 } else { 96 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_many_channels_equal_a_look_at_every_event(
        rows in made(),
        // Coordinates of every kind: within rows, behind the last event of one, ends.
        afters in proptest::collection::vec((0..4_u8, 0..9_u64, 0..6_u64, any::<bool>()), 1..9),
        until in prop_oneof![Just(1_000), 1..20_u64],
        (events, bytes) in (1..8_usize, prop_oneof![1 => Just(1_usize), 2 => Just(900), 5 => Just(1 << 20)]),
        // Rows that are in the index at first, and that come into it between two pages.
        (first, more) in (0..30_u32, 0..3_u32),
    ) {
        let scratch = Scratch::new();
        drop(scratch.open());
        let mut tables = Tables::new(scratch.connect());
        let reader = scratch.connect_reader();
        for (row, made) in (1..).zip(&rows) {
            tables.transact(&Scope::ALL, |tables| tables.apply(&publish(drafts(row, made)))).unwrap();
        }
        tables.transact(&Scope::ALL, |tables| tables.index(APP, first)).unwrap();

        let head = ledger::end(rows.len() as u64);
        let mut wants: Vec<(u8, u64, bool)> = Vec::new();
        for (on, row, place, latest) in afters {
            let after = if place == 5 { ledger::end(row) } else { ledger::event(row, place as usize) };
            if wants.iter().all(|want| want.0 != on) {
                wants.push((on, after.min(head), latest));
            }
        }
        let until = ledger::end(until);
        let expected = naive(&rows, &wants, until);
        let mut got = Vec::new();
        let mut at = 0;
        loop {
            let names: Vec<_> = wants.iter().map(|want| (format!("c{}", want.0), want.1.max(at), want.2)).collect();
            let names: Vec<_> = names.iter().map(|(name, after, latest)| (name.as_str(), *after, *latest)).collect();
            let question = LedgerRead { bounds: Bounds { events, bytes }, ..reading(&names, until) };
            let page = page(&reader, &question).unwrap();
            tables.transact(&Scope::ALL, |tables| tables.index(APP, more)).unwrap();
            prop_assert!(page.resets.is_empty());
            prop_assert!(page.entries.len() <= events);
            got.extend(ids(&page));
            if page.complete {
                prop_assert_eq!(page.at_ledger, until.min(head));
                break;
            }
            prop_assert!(page.at_ledger > at, "an unfinished page goes on");
            at = page.at_ledger;
        }
        prop_assert_eq!(got, expected);
        prop_assert_eq!(verify(&reader).unwrap().problems, Vec::<String>::new());
    }
}

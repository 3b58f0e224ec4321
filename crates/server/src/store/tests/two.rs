//! Two processes on one database, driven batch by batch.

use deskbell_core::limits::{HOLD_TTL, HOUR, MINUTE, SECOND};
use deskbell_core::log::Row;
use deskbell_core::reservation::{Act, Policy};

use super::commands::{TEN, backend, hold, put, put_with, room};
use super::postgres::Database;
use super::*;
use crate::store::{Done, Ledger, Petition};

/// A database, and the ledgers of the processes that work on it.
struct Pair {
    database: Database<'static>,
    scratches: [Scratch; 2],
}

impl Pair {
    fn new() -> Self {
        Self { database: postgres::shared().database(), scratches: [Scratch::new(), Scratch::new()] }
    }

    fn ledger(&self, nth: usize) -> Ledger {
        self.ledger_at(nth, NOW)
    }

    fn ledger_at(&self, nth: usize, now: Millis) -> Ledger {
        let shared = Some(Shared(self.database.url()));
        let opened = Opened::open(&Options { shared, ..options(&self.scratches[nth].data()) }).unwrap();
        self.is_now(now);
        opened.ledger(now, seeds()).unwrap()
    }

    fn is_now(&self, now: Millis) {
        self.database.run(&format!(
            "CREATE OR REPLACE FUNCTION deskbell.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
             AS 'SELECT {now}::bigint'"
        ));
    }

    fn batch(&self, ledger: &mut Ledger, now: Millis, petition: Option<Petition>) -> Done {
        self.is_now(now);
        ledger.batch(now, petition.as_slice(), &[])
    }

    fn follow(&self, ledger: &mut Ledger, now: Millis) -> Done {
        self.is_now(now);
        ledger.follow(now).unwrap()
    }
}

/// What is told to whoever watches the room, as text.
fn deltas(rows: &[(AppId, Row)]) -> Vec<String> {
    let events = rows.iter().flat_map(|(_, row)| &row.drafts).map(|draft| &draft.event);
    let deltas = events.filter(|event| event.channel.as_str() == "slots:room");
    deltas.map(|event| String::from_utf8_lossy(&event.data.bytes).into_owned()).collect()
}

#[test]
fn what_a_dead_process_was_still_to_tell_is_told_by_another() {
    let pair = Pair::new();
    let (mut dies, mut lives) = (pair.ledger(0), pair.ledger(1));
    let made = pair.batch(&mut dies, NOW, Some(put(room(), 2)));
    let first = pair.batch(&mut dies, NOW, Some(hold(TEN, "ann")));
    assert_eq!(deltas(&first.rows).len(), 1, "the first change tells its delta itself");
    let second = pair.batch(&mut dies, NOW + 1, Some(hold(TEN, "bob")));
    assert!(second.rulings[0].is_ok());
    assert_eq!(deltas(&second.rows).len(), 0, "what follows at once is told a little later");
    drop(dies);
    let heard = pair.follow(&mut lives, NOW + 2);
    assert_eq!(deltas(&heard.rows).len(), deltas(&made.rows).len() + 1);
    let at = lives.next().unwrap();
    assert!(at <= NOW + 2 * SECOND, "it does not wait for long: {at}");
    let told = deltas(&pair.batch(&mut lives, at, None).rows);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(&format!("\"start\":{TEN}")) && told[0].contains("\"free\":0"), "{told:?}");
    assert_eq!(lives.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_a_living_process_tells_late_is_told_once() {
    let pair = Pair::new();
    let (mut one, mut other) = (pair.ledger(0), pair.ledger(1));
    pair.batch(&mut one, NOW, Some(put(room(), 2)));
    pair.batch(&mut one, NOW, Some(hold(TEN, "ann")));
    pair.batch(&mut one, NOW + 1, Some(hold(TEN, "bob")));
    pair.follow(&mut other, NOW + 2);
    let at = one.next().unwrap();
    assert_eq!(deltas(&pair.batch(&mut one, at, None).rows).len(), 1);
    assert_eq!(deltas(&pair.follow(&mut other, at + 1).rows).len(), 1, "the other hears of it");
    let later = at + 5 * SECOND;
    assert_eq!(deltas(&pair.batch(&mut other, later, None).rows).len(), 0, "and has nothing left to tell");
}

#[test]
fn each_follows_what_the_other_granted_and_what_ends_by_itself_ends_once() {
    let pair = Pair::new();
    let (mut one, mut other) = (pair.ledger(0), pair.ledger(1));
    pair.batch(&mut one, NOW, Some(put(room(), 1)));
    let held = pair.batch(&mut one, NOW, Some(hold(TEN, "ann")));
    assert!(held.rulings[0].is_ok());
    let refused = pair.batch(&mut other, NOW + 1, Some(hold(TEN, "bob")));
    assert!(refused.rulings[0].is_err(), "it knows of what it never read before");
    let end = NOW + HOUR;
    let (first, second) = (pair.batch(&mut one, end, None), pair.batch(&mut other, end, None));
    let ended = |done: &Done| {
        let events = done.rows.iter().flat_map(|(_, row)| &row.drafts).map(|draft| &draft.event);
        events
            .filter(|event| event.name.as_str() == "hold.expired")
            .map(|event| event.id.clone())
            .collect::<Vec<_>>()
    };
    assert!(!ended(&first).is_empty());
    assert_eq!(ended(&first), ended(&second), "the other hears of the same end");
    assert_eq!(one.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn the_database_by_itself_lets_no_two_have_what_only_one_can() {
    let pair = Pair::new();
    let mut ledger = pair.ledger(0);
    pair.batch(&mut ledger, NOW, Some(put(room(), 1)));
    pair.batch(&mut ledger, NOW, Some(hold(TEN, "ann")));
    assert_eq!(pair.database.run("SELECT DISTINCT alone FROM deskbell.claims"), ["t"]);
    let copy = |from: Millis, until: Millis, name: &str| {
        format!(
            "INSERT INTO deskbell.claims SELECT app, resource, day, {from}, '{name}', nth, {until}, units, by, until,
             forced, alone FROM deskbell.claims WHERE reservation NOT IN ('r_next', 'r_over')"
        )
    };
    let mut talk = pair.database.talk();
    let end = TEN + HOUR / 2;
    talk.say(&copy(end, end + HOUR, "r_next")).expect("what begins where the other ends is another time");
    let over = talk.say(&copy(end - MINUTE, end, "r_over")).expect_err("a minute of it is somebody's");
    assert!(over.as_db_error().unwrap().message().contains("claims_alone"), "{over:?}");
    // Ends and grants of one commit may come in any order.
    talk.say("BEGIN").unwrap();
    talk.say(&copy(end - MINUTE, end, "r_over")).expect("it is looked at in the end");
    talk.say("DELETE FROM deskbell.claims WHERE reservation <> 'r_over'").unwrap();
    talk.say("COMMIT").expect("the one before has gone");
}

#[test]
fn what_several_may_have_is_not_guarded() {
    let pair = Pair::new();
    let mut ledger = pair.ledger(0);
    pair.batch(&mut ledger, NOW, Some(put(room(), 2)));
    for (nth, who) in ["ann", "bob"].into_iter().enumerate() {
        let held = pair.batch(&mut ledger, NOW + nth as u64, Some(hold(TEN, who)));
        assert!(held.rulings[0].is_ok());
    }
    let spans = vec![(room(), deskbell_core::reservation::Span { start: TEN, end: TEN + HOUR })];
    let source = deskbell_core::ids::SourceName::parse("room/elsewhere").unwrap();
    let block = backend(Act::Block { source, as_of: NOW, spans });
    assert!(pair.batch(&mut ledger, NOW + 9, Some(block)).rulings[0].is_ok());
    pair.batch(&mut ledger, NOW + 9, Some(put_with(room(), 1, Policy::default())));
    assert_eq!(pair.database.run("SELECT DISTINCT alone FROM deskbell.claims"), ["f"]);
}

#[test]
fn what_was_shared_stays_whole_when_there_is_only_one_unit_left() {
    let pair = Pair::new();
    let mut ledger = pair.ledger(0);
    pair.batch(&mut ledger, NOW, Some(put(room(), 2)));
    for (nth, who) in ["ann", "bob"].into_iter().enumerate() {
        let held = pair.batch(&mut ledger, NOW + nth as u64, Some(hold(TEN, who)));
        assert!(held.rulings[0].is_ok());
    }
    pair.batch(&mut ledger, NOW + 2, Some(put(room(), 1)));
    // Both are written anew: both get time after the start.
    let soon = NOW + HOLD_TTL - SECOND;
    let mut restarted = pair.ledger_at(1, soon);
    let done = pair.batch(&mut restarted, soon, None);
    let extended = |row: &Row| row.drafts.iter().any(|draft| draft.event.name.as_str() == "hold.extended");
    assert_eq!(done.rows.iter().filter(|(_, row)| extended(row)).count(), 2, "{done:?}");
    assert_eq!(pair.database.run("SELECT DISTINCT alone FROM deskbell.claims"), ["f"]);
}

#[test]
fn what_is_shared_and_loses_a_unit_in_one_batch_is_one_commit() {
    let pair = Pair::new();
    let mut ledger = pair.ledger(0);
    pair.batch(&mut ledger, NOW, Some(put(room(), 2)));
    let both = [hold(TEN, "ann"), hold(TEN, "bob"), put(room(), 1)];
    pair.is_now(NOW + 1);
    let done = ledger.batch(NOW + 1, &both, &[]);
    assert!(done.rulings.iter().all(Result::is_ok), "{done:?}");
    // What cannot be written together is tried again one by one.
    assert_eq!(pair.database.run("SELECT count(DISTINCT xmin::text) FROM deskbell.claims"), ["1"]);
}

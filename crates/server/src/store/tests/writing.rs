//! One commit for many, nobody answered before it, nothing twice.

use deskbell_core::limits::IDEMPOTENCY;
use deskbell_core::log::Row;
use deskbell_core::refusal::Code;

use super::*;

/// Batches after which the writer stands still while the feed does.
const GATES: u64 = 3;

/// A store that stops in its feed until the test lets it go on.
struct Gated {
    // Goes first, so that a test that fails lets the writer go on to its end.
    go: mpsc::SyncSender<()>,
    entered: Receiver<Vec<u64>>,
    store: Store,
}

impl Gated {
    fn start(scratch: &Scratch) -> Self {
        let (enter, entered) = mpsc::channel();
        let (go, wait) = mpsc::sync_channel::<()>(100);
        let opened = scratch.open();
        let mut inner = feed(log(&opened));
        let store = opened
            .start(world(Box::new(move |app, rows: Vec<Row>| {
                enter.send(rows.iter().map(|row| row.row).collect()).unwrap_or(());
                wait.recv().unwrap_or(());
                inner(app, rows)
            })))
            .unwrap();
        Self { go, entered, store }
    }

    /// Submits these as one batch, behind [`GATES`] rows.
    fn batch(&self, scratch: &Scratch, publishes: Vec<Publish>) -> Vec<Waiting<Receipt>> {
        // One is in the feed, one waits for it, and with one in its hands the writer stands still.
        let gates: Vec<_> = (1..=GATES)
            .map(|row| {
                let gate = submit(&self.store, publish(vec![draft("gate", &row.to_string())]));
                while committed(scratch) < row {
                    std::thread::yield_now();
                }
                gate
            })
            .collect();
        let waiting = publishes.into_iter().map(|publish| submit(&self.store, publish)).collect();
        for (row, gate) in (1..).zip(gates) {
            assert_eq!(self.entered.recv().unwrap(), [row]);
            self.go.send(()).unwrap();
            gate.recv().unwrap().unwrap();
        }
        waiting
    }
}

fn committed(scratch: &Scratch) -> u64 {
    scratch.connect_reader().number("SELECT count(*) FROM changes", &[]).unwrap().cast_unsigned()
}

#[test]
fn the_log_and_the_publisher_hear_of_committed_rows_only() {
    let scratch = Scratch::new();
    let gated = Gated::start(&scratch);
    let waiting = submit(&gated.store, publish(vec![draft("a", "1")]));
    assert_eq!(gated.entered.recv().unwrap(), [1]);
    assert_eq!(committed(&scratch), 1, "the feed runs after the commit");
    assert!(waiting.try_recv().is_err(), "the answer comes after the feed");
    gated.go.send(()).unwrap();
    let receipt = waiting.recv().unwrap().unwrap();
    assert_eq!(
        receipt.at,
        Position {
            seq: 1,
            check: receipt.at.check,
            ..Position::start(EPOCH, ledger::end(1), receipt.at.ledger_check)
        }
    );
    assert_eq!(receipt.at.ledger_check, gated.store.head(APP).unwrap().1);
}

#[test]
fn what_gathers_is_one_commit_in_the_order_of_submission() {
    let scratch = Scratch::new();
    let gated = Gated::start(&scratch);
    let many = (0..100).map(|n| publish(vec![draft("a", &n.to_string()), draft("b", &n.to_string())]));
    let waiting = gated.batch(&scratch, many.collect());
    let all_rows: Vec<_> = (GATES + 1..=GATES + 100).collect();
    assert_eq!(gated.entered.recv().unwrap(), all_rows, "one feed, so one commit");
    gated.go.send(()).unwrap();
    for (n, waiting) in (0..).zip(waiting) {
        let receipt = waiting.recv().unwrap().unwrap();
        let at = (ledger::end(GATES + n + 1), GATES + 2 * (n + 1));
        assert_eq!((receipt.at.ledger, receipt.at.seq), at);
        assert_eq!(receipt.ids.len(), 2);
    }
    assert_eq!(all(&gated.store, "b"), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_sound(&gated.store);
}

#[test]
fn two_of_one_key_in_one_batch_are_one() {
    let scratch = Scratch::new();
    let gated = Gated::start(&scratch);
    let waiting = gated.batch(
        &scratch,
        vec![
            once(1, 1, vec![draft("a", "x")]),
            once(1, 1, vec![draft("a", "other")]),
            once(1, 2, vec![draft("a", "x")]),
        ],
    );
    gated.go.send(()).unwrap();
    let answers: Vec<_> = waiting.into_iter().map(|waiting| waiting.recv().unwrap()).collect();
    let first = answers[0].clone().unwrap();
    assert!(!first.repeated && first.at.epoch == EPOCH);
    assert_eq!(answers[1], Ok(Receipt { repeated: true, ..first }));
    assert_eq!(answers[2].clone().unwrap_err().code, Code::KeyReused);
    assert_eq!(all(&gated.store, "a"), ["x"]);
    assert_sound(&gated.store);
}

#[test]
fn a_repeat_finds_its_first_answer_also_after_a_restart() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let publish = || once(9, 9, vec![draft("a", "x"), draft("b", "y")]);
    let first = submit_and_wait(&store, publish()).unwrap();
    put(&store, "a", "later");
    let check = |store: &Store| {
        let again = submit_and_wait(store, publish()).unwrap();
        assert_eq!((&again.ids, again.repeated), (&first.ids, true));
        assert_eq!(again.at, Position::start(Epoch(0), first.at.ledger, first.at.ledger_check));
        let other = submit_and_wait(store, once(9, 8, vec![draft("a", "z")]));
        assert_eq!(other.unwrap_err().code, Code::KeyReused);
    };
    check(&store);
    store.close().unwrap();
    let store = scratch.start();
    check(&store);
    assert_eq!(all(&store, "a"), ["x", "later"]);
    assert_eq!(put(&store, "a", "next").at.ledger, ledger::end(3));
}

#[test]
fn a_key_is_another_one_in_another_app_and_after_its_time() {
    let scratch = Scratch::new();
    let store = scratch.start();
    let first = || once(1, 1, vec![draft("a", "x")]);
    submit_and_wait(&store, first()).unwrap();
    let in_time = Publish { now: NOW + IDEMPOTENCY - 1, ..first() };
    assert!(submit_and_wait(&store, in_time).unwrap().repeated);
    let too_late = Publish { now: NOW + IDEMPOTENCY, ..first() };
    assert!(!submit_and_wait(&store, too_late).unwrap().repeated);
    store.close().unwrap();

    let opened = scratch.open();
    let other = Arc::new(Mutex::new(Log::new(EPOCH, 0, 0, Classes::default())));
    let store = opened.start(world(feed(other))).unwrap();
    let elsewhere = Publish { app: AppId(2), ..first() };
    let receipt = submit_and_wait(&store, elsewhere).unwrap();
    assert!(!receipt.repeated);
    assert_eq!(receipt.at.ledger, ledger::end(1), "every app counts its own rows");
    assert_sound(&store);
}

#[test]
fn one_that_cannot_be_written_takes_no_other_with_it() {
    let scratch = Scratch::new();
    let gated = Gated::start(&scratch);
    // A key whose row is missing: the file is damaged there and nowhere else.
    let damage = "INSERT INTO keys VALUES (1001, ?1, 5, 4711, ?2)";
    scratch.connect().execute(damage, &[(&5_u128.to_be_bytes()).into(), NOW.into()]).unwrap();
    let waiting = gated.batch(
        &scratch,
        vec![
            publish(vec![draft("a", "1")]),
            once(5, 5, vec![draft("a", "2")]),
            publish(vec![draft("a", "3")]),
        ],
    );
    gated.go.send(()).unwrap();
    gated.go.send(()).unwrap();
    let answers: Vec<_> = waiting.into_iter().map(|waiting| waiting.recv().unwrap()).collect();
    assert_eq!(answers[0].as_ref().unwrap().at.ledger, ledger::end(GATES + 1));
    assert_eq!(answers[1].as_ref().unwrap_err().code, Code::Unavailable);
    assert_eq!(answers[2].as_ref().unwrap().at.ledger, ledger::end(GATES + 2), "no position is skipped");
    assert_eq!(all(&gated.store, "a"), ["1", "3"]);
}

#[test]
fn a_full_lane_refuses_at_once_and_a_drain_answers_all_that_waits() {
    let scratch = Scratch::new();
    let gated = Gated::start(&scratch);
    let mut waiting = vec![submit(&gated.store, publish(vec![draft("a", "first")]))];
    gated.entered.recv().unwrap();
    // The teller stands still. Two batches go past the lane: one waits for it, one is held by the writer.
    let refused = loop {
        let answer = submit(&gated.store, publish(vec![draft("a", &waiting.len().to_string())]));
        match answer.try_recv() {
            Ok(refused) => break refused.unwrap_err(),
            Err(_) => waiting.push(answer),
        }
    };
    assert!((1..=1 + 3 * 512).contains(&(waiting.len() - crate::store::WRITES)), "{} wait", waiting.len());
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.message.contains("try again"), "{refused}");
    drop(gated.go);
    gated.store.drain();
    let count = waiting.len();
    for waiting in waiting {
        waiting.try_recv().expect("a drain returns when everybody is answered").unwrap();
    }
    let after = submit_and_wait(&gated.store, publish(vec![draft("a", "x")])).unwrap_err();
    assert_eq!(after.code, Code::Draining);
    assert_eq!(all(&gated.store, "a").len(), count, "pages are still read");
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let scratch = Scratch::new();
    let store = scratch.open().start(world(Box::new(|_, _| panic!("planted by the test")))).unwrap();
    let waiting: Vec<_> =
        (0..10).map(|n| submit(&store, publish(vec![draft("a", &n.to_string())]))).collect();
    for waiting in waiting {
        let code = waiting.recv().unwrap().unwrap_err().code;
        assert!(matches!(code, Code::Unavailable | Code::Draining), "{code:?}");
    }
    // The thread is on its way out; who comes after it must not wait for it.
    while store.is_writing() {
        std::thread::yield_now();
    }
    submit_and_wait(&store, publish(vec![draft("a", "late")])).unwrap_err();
    store.close().unwrap();
    assert!(!scratch.open().was_clean(), "the log does not have what the file has");
}

#[test]
fn a_row_has_as_many_events_as_coordinates_can_tell_apart() {
    let scratch = Scratch::new();
    let store = scratch.start();
    assert!(store.is_writing());
    let many = |count: usize| publish((0..count).map(|n| draft("a", &n.to_string())).collect());
    assert_eq!(submit_and_wait(&store, many(0)).unwrap_err().code, Code::LimitReached);
    assert_eq!(submit_and_wait(&store, many(4_096)).unwrap_err().code, Code::LimitReached);
    assert_eq!(submit_and_wait(&store, many(4_095)).unwrap().at.ledger, ledger::end(1));
    put(&store, "a", "next");
    assert_eq!(all(&store, "a").len(), 4_096);
    assert_sound(&store);
}

//! A process is killed in the middle of its work, again and again: whatever it acknowledged is
//! there afterwards, once and in order.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use super::*;
use crate::store::Failure;

const ROUNDS: u64 = 20;
const PUBLISHERS: u64 = 8;

fn nth(publisher: u64, number: u64) -> Publish {
    let (on, id) = (format!("c{publisher}"), format!("{publisher}-{number}"));
    once(u128::from(publisher << 32 | number), number, vec![draft(&on, &id), draft("all", &id)])
}

/// Publishes from several threads, each on from where the file says it stopped, and says what was
/// acknowledged, until it is killed.
pub(super) fn child(data: PathBuf) {
    let store = start(Opened::open(&options(&data)).unwrap());
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let store = &store;
            scope.spawn(move || {
                let done = all(store, &format!("c{publisher}")).len() as u64;
                for number in done.. {
                    let receipt = submit_and_wait(store, nth(publisher, number)).unwrap();
                    assert!(!receipt.repeated);
                    child::say(&format!("{publisher} {number} {}", ledger::row(receipt.at.ledger)));
                }
            });
        }
    });
}

#[test]
fn what_a_killed_process_acknowledged_is_there_once_and_in_order() {
    let scratch = Scratch::new();
    // Rows of all acknowledged publishes of all rounds.
    let mut acknowledged = HashMap::new();
    for round in 0..ROUNDS {
        let mut child = child::spawn("publish until killed", &scratch.data());
        // Where the kill falls into the child's work is chance; after how many answers is not, so
        // that every round does something and no two do the same.
        let answers = 1 + round * round * 7 % 211;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        for _ in 0..answers {
            said.push(lines.by_ref().map(Result::unwrap).find(|line| child::said(line).is_some()).unwrap());
        }
        let refused = Opened::open(&options(&scratch.data())).unwrap_err();
        assert!(
            matches!(refused, Failure::Locked { holder: Some(pid), .. } if pid == child.id()),
            "{refused}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        said.extend(lines.map_while(Result::ok));
        for line in said.iter().filter_map(|line| child::said(line)) {
            let [publisher, number, row] =
                line.split(' ').map(|n| n.parse().unwrap()).collect::<Vec<u64>>()[..]
            else {
                continue;
            };
            acknowledged.insert((publisher, number), row);
        }
        check(&scratch, &acknowledged);
    }
}

fn check(scratch: &Scratch, acknowledged: &HashMap<(u64, u64), u64>) {
    let opened = scratch.open();
    assert!(!opened.was_clean());
    let store = start(opened);
    // Dense positions, and every index table says what the rows say.
    assert_sound(&store);
    let events = all(&store, "all");
    assert_eq!(events.len(), events.iter().collect::<HashSet<_>>().len(), "nothing is there twice");
    for publisher in 0..PUBLISHERS {
        let own = all(&store, &format!("c{publisher}"));
        let expected: Vec<_> = (0..own.len()).map(|number| format!("{publisher}-{number}")).collect();
        assert_eq!(own, expected, "a publisher's events are in its order");
    }
    // Each row has one event here, so the n-th event is the n-th row.
    for ((publisher, number), row) in acknowledged {
        assert_eq!(events[*row as usize - 1], format!("{publisher}-{number}"));
    }
    // The last of each publisher, asked again.
    for publisher in 0..PUBLISHERS {
        let of = acknowledged.iter().filter(|((by, _), _)| *by == publisher);
        let Some(((_, number), row)) = of.max() else { continue };
        let again = submit_and_wait(&store, nth(publisher, *number)).unwrap();
        assert_eq!((again.repeated, again.at.ledger), (true, ledger::end(*row)));
    }
}

//! The write-ahead log of a data file.

use super::*;
use crate::store::sqlite::checkpoint::Checkpointer;

#[test]
fn the_side_file_does_not_grow_with_what_is_written() {
    const DATA: usize = 64 * 1024;
    // So many that a side file which a busy machine lets grow for a while stays well below half of them.
    const PUBLISHES: usize = 3_000;
    let scratch = Scratch::new();
    let opened = scratch.open();
    let feed = feed(log(&opened));
    let store = opened.start_with(world(feed), Checkpointer::new(64, 256)).unwrap();
    let mut waiting = std::collections::VecDeque::new();
    for n in 0..PUBLISHES {
        let mut draft = draft("a", &n.to_string());
        draft.event.data = Data::json(format!("\"{}\"", "x".repeat(DATA)));
        waiting.push_back(submit(&store, publish(vec![draft])));
        if waiting.len() > 8 {
            waiting.pop_front().unwrap().recv().unwrap().unwrap();
        }
    }
    for waiting in waiting {
        waiting.recv().unwrap().unwrap();
    }
    let length = std::fs::metadata(scratch.data().join("deskbell.db-wal")).unwrap().len();
    assert!(length < (DATA * PUBLISHES / 2) as u64, "{length} bytes");
    assert_sound(&store);
}

#[test]
fn what_is_written_reaches_the_data_file_without_the_writer() {
    let scratch = Scratch::new();
    let opened = scratch.open();
    let feed = feed(log(&opened));
    let store = opened.start_with(world(feed), Checkpointer::new(64, u32::MAX)).unwrap();
    let length = || std::fs::metadata(scratch.data().join("deskbell.db")).unwrap().len();
    let mut n = 0;
    while length() < 1 << 20 {
        assert!(n < 5_000, "a checkpoint is due for every few of these");
        let mut draft = draft("a", &n.to_string());
        draft.event.data = Data::json(format!("\"{}\"", "x".repeat(64 * 1024)));
        submit_and_wait(&store, publish(vec![draft])).unwrap();
        n += 1;
    }
    assert_sound(&store);
}

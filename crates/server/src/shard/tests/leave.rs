//! An app that is taken away.

use std::sync::atomic::Ordering;

use super::*;

#[test]
fn whoever_was_let_in_before_the_door_knew_goes_with_the_others() {
    let mut stage = Stage::new("leave", "");
    let there = stage.reader(&["public-a"]);
    let is_here = |stage: &mut Stage| {
        stage.settle(&mut []);
        stage.shard.clients.iter().count()
    };
    assert_eq!(is_here(&mut stage), 1);
    stage.hub.apps[0].gone.store(true, Ordering::Relaxed);
    stage.hub.mailboxes[0].answer(Letter::Leave { app: 0 });
    assert_eq!(is_here(&mut stage), 0, "all who were there have gone");
    // The door had found the app before, and its letter comes behind the one that ends everybody.
    let late = stage.coming_reader(&["public-a"], None);
    assert_eq!(is_here(&mut stage), 0, "so does whoever comes now");
    drop((there, late));
}

//! What wakes a shard, and what it may sleep through.

use super::*;

impl Stage {
    /// Does what comes wake the shard? It looks at it then, or stays asleep.
    fn wakes(&mut self, come: impl FnOnce(&mut Self)) -> bool {
        self.turn();
        come(self);
        let woken = self.shard.bell.is_rung();
        if woken {
            self.turn();
        }
        woken
    }
}

#[test]
fn a_shard_is_woken_for_what_its_clients_hear_and_for_nothing_else() {
    let mut stage = Stage::new("wakes", "[[channels]]\npattern = \"public-a\"\ndurable = true\n");
    assert!(!stage.wakes(|stage| stage.publish_durable("public-a", 1)), "nobody is there");

    let mut reader = stage.reader(&["public-a"]);
    assert!(!stage.wakes(|stage| stage.publish("public-b", 2, 0)), "nobody listens to that channel");
    assert!(stage.wakes(|stage| stage.publish_durable("public-a", 3)));
    stage.settle(&mut [&mut reader]);
    assert_eq!(reader.numbers("public-a"), [3]);

    let second = stage.reader(&["public-a"]);
    drop(reader);
    stage.settle(&mut []);
    assert!(stage.wakes(|stage| stage.publish_durable("public-a", 5)), "one of two is still there");
    drop(second);
    stage.settle(&mut []);
    assert!(!stage.wakes(|stage| stage.publish_durable("public-a", 6)), "both are gone");
}

#[test]
fn nobody_falls_off_the_ring_in_a_sleep() {
    let mut stage = Stage::new("sleeps", "");
    let mut reader = stage.reader(&["public-a"]);
    let padding = 60_000;
    // What nobody hears fills the ring several times.
    let many = (3 * limits::RING_BYTES / padding) as u64;
    let woken = (0..many).filter(|n| stage.wakes(|stage| stage.publish("public-b", *n, padding))).count();
    assert!(woken > 0 && woken < many as usize / 10, "woken {woken} times for {many}");
    assert!(stage.wakes(|stage| stage.publish("public-a", 7, 0)));
    stage.settle(&mut [&mut reader]);
    assert_eq!(reader.numbers("public-a"), [7]);
    assert_eq!(stage.hub.metrics.shard_fell_off.get(), 0);
}

#[test]
fn a_cursor_moves_on_while_its_client_hears_nothing() {
    let mut stage = Stage::new("moves", "");
    let mut reader = stage.reader(&["public-a"]);
    stage.settle(&mut [&mut reader]);
    let before = stage.shard.views[0].cohorts[0].at.seq;
    for n in 0..10 {
        assert!(!stage.wakes(|stage| stage.publish("public-b", n, 0)));
    }
    stage.turn();
    assert!(
        stage.shard.views[0].cohorts[0].at.seq > before,
        "what a heartbeat tells is where the log is by then"
    );
}

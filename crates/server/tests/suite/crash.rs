//! `kill -9` at any moment: what was acknowledged is there, and nobody is left in the dark.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use deskbell_server::clock::random_below;

use super::harness::*;

const CONFIG: &str = r#"
drain = "500ms"
[[channels]]
pattern = "durable*"
durable = true
[[channels]]
pattern = "latest*"
class = "latest"
"#;

fn start() -> Start {
    Start::with(CONFIG).flag("--dev").flag("--set").flag("limit.connect_rate_per_address=0")
}

/// Ends publishers; gives the last number of each channel.
pub fn finish(publishers: Vec<Publisher>) -> HashMap<String, u64> {
    publishers.into_iter().map(Publisher::finish).collect()
}

#[test]
fn acknowledged_durable_events_survive_kill_9_once_and_in_order() {
    let mut server = Server::start(start());
    let mut swarm = Swarm::new(server.address);
    let channels = ["durable1", "durable2", "durable3", "durable4"];
    for index in 0..20 {
        swarm.join(&[channels[index % 4], channels[(index + 1) % 4]]);
    }
    swarm.until("everybody is there", Swarm::is_complete);
    let beginning = swarm.members()[0].cursor.clone();
    let publishers: Vec<_> =
        channels.iter().map(|c| Publisher::start(server.address, c, Duration::ZERO, 20)).collect();
    let kills = count(10, 100);
    for _ in 0..kills {
        swarm.run_for(Duration::from_millis(20 + random_below(250)));
        server = server.crash_and_restart();
        swarm.until("everybody is back", Swarm::is_complete);
    }
    let moved = publishers.iter().all(|p| p.acknowledged() > 20);
    let last = drained(publishers, &mut swarm);
    assert!(moved, "too few events for a test: {last:?}");
    swarm.until("everybody has everything", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    swarm.assert_no_resets();
    assert!(swarm.members().iter().all(|m| !m.tally.closes.is_empty()), "nobody noticed the crashes");
    // Whoever was away all the time reads the whole story from the data file.
    let mut late = Swarm::new(server.address);
    let index = late.join(&channels);
    late.member(index).cursor = beginning;
    late.until("the late one has everything", |late| late.all_have(&last));
    late.assert_exact();
    late.assert_no_resets();
    assert!(
        late.members().iter().all(|m| last.keys().all(|c| m.tally.last[c] == last[c])),
        "more than was sent"
    );
    let events: u64 = last.values().sum();
    println!("measured: {kills} kills; 21 readers have all {events} acknowledged events once and in order");
}

/// Ends publishers while the swarm goes on reading.
fn drained(publishers: Vec<Publisher>, swarm: &mut Swarm) -> HashMap<String, u64> {
    let ending = std::thread::spawn(move || finish(publishers));
    swarm.until("the publishers have ended", |_| ending.is_finished());
    ending.join().unwrap()
}

#[test]
fn after_kill_9_memory_channels_reset_once_and_durable_ones_go_on() {
    let server = Server::start(start());
    let mut swarm = Swarm::new(server.address);
    for _ in 0..100 {
        swarm.join(&["memory1", "memory2", "durable1", "latest1"]);
    }
    swarm.until("everybody is there", Swarm::is_complete);
    let mut backend = Backend::new(server.address);
    let all = ["memory1", "memory2", "durable1", "latest1"];
    for n in 1..=20 {
        all.iter().for_each(|channel| backend.insist(channel, n, 0));
    }
    let last = |n: u64| all.iter().map(|c| ((*c).to_owned(), n)).collect::<HashMap<_, _>>();
    swarm.until("everybody has the first part", |swarm| swarm.all_have(&last(20)));
    swarm.forget_incidents();
    let server = server.crash_and_restart();
    swarm.until("everybody was reset", |swarm| {
        swarm.is_complete() && swarm.members().iter().all(|m| m.tally.resets.len() >= 3)
    });
    for n in 21..=40 {
        all.iter().for_each(|channel| backend.insist(channel, n, 0));
    }
    swarm.until("everybody has the second part", |swarm| swarm.all_have(&last(40)));
    swarm.assert_exact();
    for member in swarm.members() {
        let mut reset: Vec<_> =
            member.tally.resets.iter().map(|r| (r.channel.as_str(), r.reason.as_str())).collect();
        reset.sort_unstable();
        assert_eq!(reset, [("latest1", "epoch"), ("memory1", "epoch"), ("memory2", "epoch")]);
        assert_eq!(member.tally.resumed, Some(false), "sessions do not survive a crash");
    }
    spread_out(&swarm);
    // The reset was told, so coming back again is as if nothing had been.
    swarm.forget_incidents();
    let _server = server.stop_and_restart();
    swarm.until("everybody is back", Swarm::is_complete);
    all.iter().for_each(|channel| backend.insist(channel, 41, 0));
    swarm.until("everybody has the third part", |swarm| swarm.all_have(&last(41)));
    swarm.assert_exact();
    swarm.assert_no_resets();
}

/// A crash must not make every screen load its page in the same second.
fn spread_out(swarm: &Swarm) {
    let times: Vec<u64> =
        swarm.members().iter().flat_map(|m| &m.tally.resets).map(|reset| reset.reload_in_ms).collect();
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*most <= 10_000 && most - least > 5_000, "reloads between {least} and {most} ms");
    let seconds: HashSet<u64> = times.iter().map(|ms| ms / 1_000).collect();
    assert!(seconds.len() >= 8, "reloads in {} different seconds only", seconds.len());
}

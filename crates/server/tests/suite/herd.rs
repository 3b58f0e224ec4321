//! Everybody comes back at once.

use std::collections::HashMap;
use std::time::Duration;

use deskbell_server::clock::monotonic_us;

use super::drain::restart;
use super::harness::*;

/// No address has a bound here: in a test everybody has the same one.
const CONFIG: &str = r#"
drain = "2s"
[limit]
connections_per_address = 0
connect_rate_per_address = 0
rate_per_address = 0
parked_sessions_per_address = 1000000
"#;

/// Channels over which the sessions are spread.
const CHANNELS: usize = 200;

#[test]
fn a_herd_that_comes_back_after_a_clean_restart_loses_nothing() {
    let sessions = count(500, 18_000);
    let server = Server::start(Start::with(CONFIG).flag("--dev"));
    let names: Vec<String> = (0..CHANNELS).map(|n| format!("room{n}")).collect();
    let mut swarm = Swarm::new(server.address);
    for index in 0..sessions {
        swarm.join(&[&names[index % CHANNELS], &names[(index * 7 + 1) % CHANNELS], "all"]);
    }
    let patience = Duration::from_mins(1);
    swarm.until_within("everybody is there", patience, Swarm::is_complete);
    let mut backend = Backend::new(server.address);
    let mut all: HashMap<String, u64> = names.iter().map(|name| (name.clone(), 2)).collect();
    all.insert("all".to_owned(), 2);
    all.keys().for_each(|channel| backend.insist(channel, 1, 0));
    let first: HashMap<String, u64> = all.keys().map(|channel| (channel.clone(), 1)).collect();
    swarm.until_within("everybody has the first event", patience, |swarm| swarm.all_have(&first));
    swarm.forget_incidents();
    swarm.comes_back = false;
    let server = restart(server, &mut swarm);
    swarm.until_within("everybody has gone", patience, |swarm| swarm.live() == 0);
    // While nobody is there, everything moves on by one.
    let mut backend = Backend::new(server.address);
    all.keys().for_each(|channel| backend.insist(channel, 2, 0));
    let began = monotonic_us();
    swarm.call_back();
    swarm.until_within("everybody is back and has everything", patience, |swarm| {
        swarm.is_complete() && swarm.all_have(&all)
    });
    let took = (monotonic_us() - began) / 1_000;
    println!("measured: {sessions} sessions were back, each with what it had missed, after {took} ms");
    swarm.assert_exact();
    swarm.assert_no_resets();
    let resumed = swarm.members().iter().filter(|m| m.tally.resumed == Some(true)).count();
    assert_eq!(resumed, sessions, "every session goes on");
    assert!(took < 10_000, "{sessions} sessions took {took} ms to come back");
    drop(server);
}

//! A clean restart in the middle of everything: nobody loses, nobody doubles, nobody is reset.

use std::collections::HashMap;
use std::time::Duration;

use super::crash::finish;
use super::harness::*;

const CONFIG: &str = r#"
drain = "3s"
[limit]
connect_rate_per_address = 0
[history]
count = 10000
bytes = "16MiB"
[[channels]]
pattern = "durable*"
durable = true
[[channels]]
pattern = "latest*"
class = "latest"
"#;

const CHANNELS: [&str; 6] = ["memory1", "memory2", "memory3", "durable1", "durable2", "latest1"];
const SUBSCRIBERS: usize = 300;
const DRAIN_US: u64 = 3_000_000;

#[test]
fn a_restart_under_load_loses_nothing_and_resets_nobody() {
    let mut server = Server::start(Start::with(CONFIG).flag("--dev"));
    let mut swarm = Swarm::new(server.address);
    for index in 0..SUBSCRIBERS {
        swarm.join(&[CHANNELS[index % 3], CHANNELS[3 + index % 2], "latest1"]);
    }
    swarm.until("everybody is there", Swarm::is_complete);
    let pause = Duration::from_millis(20);
    let publishers: Vec<_> =
        CHANNELS.iter().map(|channel| Publisher::start(server.address, channel, pause, 20)).collect();
    for _ in 0..count(1, 5) {
        swarm.run_for(Duration::from_millis(700));
        swarm.forget_incidents();
        server = restart(server, &mut swarm);
        swarm.until("everybody is back", Swarm::is_complete);
        swarm.assert_no_resets();
        orderly(&swarm);
    }
    swarm.run_for(Duration::from_millis(300));
    let ending = std::thread::spawn(move || finish(publishers));
    swarm.until("the publishers have ended", |_| ending.is_finished());
    let last: HashMap<String, u64> = ending.join().unwrap();
    assert!(last.values().all(|n| *n > 20), "too few events for a test: {last:?}");
    swarm.until("everybody has everything", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    swarm.assert_no_resets();
    drop(server);
}

/// SIGTERM, and a new start when the process has ended; the clients do what clients do meanwhile.
pub fn restart(mut server: Server, swarm: &mut Swarm) -> Server {
    server.signal("TERM");
    swarm.until("the server has ended", |_| server.has_ended());
    server.restarted()
}

/// Every close was announced, and they did not come all at once.
fn orderly(swarm: &Swarm) {
    for member in swarm.members() {
        assert_eq!(member.tally.closings, 1, "one `closing` before the end");
        assert_eq!(member.tally.resumed, Some(true), "the session goes on");
        let codes: Vec<_> = member.tally.closes.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [Some(1012)]);
    }
    let times: Vec<u64> = swarm.members().iter().flat_map(|m| &m.tally.closes).map(|(_, at)| *at).collect();
    let first = *times.iter().min().unwrap();
    let took = times.iter().max().unwrap() - first;
    assert!(took > DRAIN_US / 2, "all were closed within {took} µs");
    let mut tenths: HashMap<u64, usize> = HashMap::new();
    times.iter().for_each(|at| *tenths.entry((at - first) * 10 / DRAIN_US).or_default() += 1);
    assert!(tenths.values().all(|n| *n < times.len() / 3), "closes came in bursts: {tenths:?}");
}

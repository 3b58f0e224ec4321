//! A clean restart in the middle of everything: nobody loses, nobody doubles, nobody is reset.

use std::collections::HashMap;
use std::time::Duration;

use deskbell_core::limits;
use deskbell_server::clock::monotonic_us;

use super::crash::finish;
use super::harness::*;
use crate::json;

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
const SHARDS: u64 = 2;
/// Over so long each shard closes its half of the clients.
const SPREAD_US: u64 = SUBSCRIBERS as u64 / SHARDS * limits::DRAIN_PER_CONNECTION * 1_000;

#[test]
fn a_restart_under_load_loses_nothing_and_resets_nobody() {
    let shards = format!("shards={SHARDS}");
    let mut server = Server::start(Start::with(CONFIG).flag("--dev").flag("--set").flag(&shards));
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
    assert!(took > SPREAD_US / 2, "all were closed within {took} µs");
    let mut tenths: HashMap<u64, usize> = HashMap::new();
    times.iter().for_each(|at| *tenths.entry((at - first) * 10 / SPREAD_US).or_default() += 1);
    assert!(tenths.values().all(|n| *n < times.len() / 3), "closes came in bursts: {tenths:?}");
}

#[test]
fn a_few_clients_are_closed_at_once_whatever_the_drain() {
    let mut server = Server::start(Start::default().flag("--dev").flag("--set").flag("drain=1m"));
    let mut swarm = Swarm::new(server.address);
    swarm.comes_back = false;
    (0..5).for_each(|_| _ = swarm.join(&["memory1"]));
    swarm.until("everybody is there", Swarm::is_complete);
    server.signal("INT");
    let began = monotonic_us();
    swarm.until("the server has ended", |_| server.has_ended());
    let took = (monotonic_us() - began) / 1_000;
    assert!(took < 5_000, "the drain of five clients took {took} ms");
}

#[test]
fn a_client_that_does_not_read_does_not_hold_the_drain_up() {
    let server = Server::start(Start::with(CONFIG).flag("--dev").flag("--set").flag("drain=500ms"));
    let mut swarm = Swarm::new(server.address);
    let stuck = swarm.join_with(&["heavy"], Some(4_096));
    let other = swarm.join(&["memory1", "heavy"]);
    swarm.until("both are there", Swarm::is_complete);
    swarm.member(stuck).paused = true;
    let mut backend = Backend::new(server.address);
    (1..=150).for_each(|n| {
        backend.insist("heavy", n, 64 * 1024);
        swarm.turn(Duration::ZERO);
    });
    let began = monotonic_us();
    let server = restart(server, &mut swarm);
    let took = (monotonic_us() - began) / 1_000;
    assert!(took < 4_500, "the drain took {took} ms");
    swarm.go_on(stuck);
    swarm.until("both have everything", |swarm| swarm.all_have(&HashMap::from([("heavy".to_owned(), 150)])));
    swarm.until("both are back", Swarm::is_complete);
    swarm.assert_exact();
    swarm.assert_no_resets();
    assert_eq!(swarm.members()[other].tally.resumed, Some(true));
    assert_eq!(swarm.members()[stuck].tally.resumed, Some(true));
    drop(server);
}

#[test]
fn whoever_comes_in_while_the_drain_begins_is_closed_like_the_others() {
    for _ in 0..count(3, 30) {
        let mut server = Server::start(Start::with(CONFIG).flag("--dev").flag("--set").flag("drain=500ms"));
        let mut swarm = Swarm::new(server.address);
        swarm.comes_back = false;
        (0..400).for_each(|_| _ = swarm.join(&["memory1"]));
        swarm.until("some are there", |swarm| swarm.live() > 20);
        server.signal("TERM");
        let began = monotonic_us();
        swarm.until("the server has ended", |_| server.has_ended());
        let took = (monotonic_us() - began) / 1_000;
        assert!(took < 4_500, "the drain took {took} ms:\n{}", server.log.lock().unwrap().join("\n"));
    }
}

#[test]
fn a_publish_is_known_again_after_a_clean_restart() {
    let server = Server::start(Start::with(CONFIG).flag("--dev").flag("--set").flag("drain=500ms"));
    let mut swarm = Swarm::new(server.address);
    swarm.join(&["memory1", "durable1"]);
    swarm.until("it is there", Swarm::is_complete);
    let bodies = [numbered("memory1", 1, 0), numbered("durable1", 1, 0)];
    let first: Vec<_> = bodies.iter().map(|body| server.publish(body)).collect();
    swarm.until("it has both", |swarm| swarm.members()[0].tally.events == 2);
    let server = restart(server, &mut swarm);
    swarm.until("it is back", Swarm::is_complete);
    // Whoever did not get the answer repeats the publish; it must not happen twice.
    let again: Vec<_> = bodies.iter().map(|body| server.publish(body)).collect();
    assert_eq!(first[0]["id"], again[0]["id"]);
    assert_eq!(first[0]["cursor"], again[0]["cursor"], "the first answer again");
    assert_eq!(first[1]["id"], again[1]["id"]);
    let last = HashMap::from([("memory1".to_owned(), 2), ("durable1".to_owned(), 2)]);
    ["memory1", "durable1"].iter().for_each(|channel| drop(server.publish(&numbered(channel, 2, 0))));
    swarm.until("it has the next ones", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    assert_eq!(swarm.members()[0].tally.events, 4);
}

#[test]
fn sessions_are_bounded_by_their_own_address_also_after_a_restart() {
    let start = Start::with(CONFIG).flag("--dev").flag("--set").flag("drain=500ms");
    let start = start.flag("--set").flag("limit.parked_sessions_per_address=8");
    let server = Server::start(start.flag("--set").flag("trusted_proxies=127.0.0.1"));
    let open = |server: &Server, n: usize| {
        let from = format!("10.0.0.{}", n + 1);
        Ws::open_with(server, "/v1/ws", &[("X-Forwarded-For", &from)]).expect("an upgrade")
    };
    let mut all: Vec<Ws> = (0..30).map(|n| open(&server, n)).collect();
    all.iter_mut().for_each(|ws| drop(ws.subscribe("memory1")));
    let server = server.stop_and_restart();
    for (n, ws) in all.iter().enumerate() {
        let mut back = open(&server, n);
        back.send(&json!({"type": "hello", "resume": ws.welcome["resume"], "cursor": ws.cursor}));
        assert_eq!(back.expect("welcome")["resumed"], true, "session {n} of 30, each from its own address");
    }
}

#[test]
fn connections_that_ask_for_nothing_do_not_hold_the_stop_up() {
    let mut server = Server::start(Start::with(CONFIG).flag("--dev"));
    let silent = Conn::to(server.address);
    let mut half = Conn::to(server.address);
    half.send("GET /hea");
    let mut kept = Conn::to(server.address);
    // Answered after the others were accepted.
    assert_eq!(kept.get("/healthz", &[]).status, 200);
    server.stop();
    assert_nobody_was_cut(&server);
    for mut idle in [silent, kept] {
        assert_eq!(idle.until_end(), b"", "closed without a word");
    }
}

/// Every connection ended by itself, before the stop ran out of patience.
pub fn assert_nobody_was_cut(server: &Server) {
    let cut: Vec<_> = server.logged().into_iter().filter(|line| line.contains("did not end")).collect();
    assert!(cut.is_empty(), "{cut:?}");
}

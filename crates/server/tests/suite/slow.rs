//! Slow and hostile clients: they cost only themselves.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use deskbell_server::clock::monotonic_us;

use super::harness::*;
use crate::json;

const CONFIG: &str = r#"
heartbeat = "1s"
drain = "500ms"
[limit]
connections_per_address = 0
connect_rate_per_address = 0
rate_per_address = 0
rate_per_identity = 0
body = "2MiB"
[history]
count = 100000
bytes = "128MiB"
[[channels]]
pattern = "room"
presence = true
[[channels]]
pattern = "short*"
history_count = 16
[[channels]]
pattern = "latest*"
class = "latest"
"#;

const MIB: usize = 1 << 20;

/// What a server may grow by while 150 MiB pass a reader who does not read. Its backlog is 256 KiB; the rest
/// is for the allocator, which grows by some 16 MiB also when everybody reads.
const SLACK: usize = 32 * MIB;

fn server(limits: &[&str]) -> Server {
    let start =
        limits.iter().fold(Start::with(CONFIG).flag("--dev"), |start, limit| start.flag("--set").flag(limit));
    Server::start(start)
}

/// Measures what others see while something goes on: 99 of 100 events came within this time.
fn p99(
    swarm: &mut Swarm,
    server: &Server,
    channel: &str,
    turns: u64,
    mut meanwhile: impl FnMut(&mut Swarm),
) -> u64 {
    let listens = |member: &Member| !member.paused && member.channels.iter().any(|name| name == channel);
    let others: Vec<usize> =
        (0..swarm.members().len()).filter(|index| listens(&swarm.members()[*index])).collect();
    others.iter().for_each(|index| swarm.member(*index).tally.latencies.clear());
    let before = swarm.members()[others[0]].tally.last.get(channel).copied().unwrap_or(0);
    let mut backend = Backend::new(server.address);
    for n in before + 1..=before + turns {
        meanwhile(swarm);
        backend.insist(channel, n, 100);
        swarm.until("the others have it", |swarm| {
            others.iter().all(|index| swarm.members()[*index].tally.last.get(channel) == Some(&n))
        });
    }
    percentile(
        others.iter().flat_map(|index| swarm.members()[*index].tally.latencies.clone()).collect(),
        0.99,
    )
}

/// Others see events beside something nearly as soon as they did alone; gives how soon. A machine that is busy
/// with other things spoils a round now and then. A server that lets itself be held up spoils every one.
fn undisturbed(
    swarm: &mut Swarm,
    server: &Server,
    (alone, slack): (u64, u64),
    mut meanwhile: impl FnMut(&mut Swarm),
) -> u64 {
    let mut beside = Vec::new();
    while beside.len() < 5 {
        let p99 = p99(swarm, server, "talk", 40, &mut meanwhile);
        if p99 < alone * 5 + slack {
            return p99;
        }
        beside.push(p99);
    }
    panic!("p99 {beside:?} µs in five rounds beside it, {alone} µs alone");
}

/// Publishes so many events of 64 KiB on a channel, after the number that it has.
fn flood(server: &Server, swarm: &mut Swarm, channel: &str, from: u64, events: u64) {
    let mut backend = Backend::new(server.address);
    for n in from..from + events {
        backend.insist(channel, n, 64 * 1024);
        swarm.turn(Duration::ZERO);
    }
}

#[test]
fn a_reader_of_one_byte_a_second_disturbs_nobody_and_costs_little() {
    let server = server(&["limit.stalled=60s"]);
    let mut swarm = Swarm::new(server.address);
    let others = count(200, 1_000);
    (0..others).for_each(|_| _ = swarm.join(&["talk"]));
    swarm.until("everybody is there", Swarm::is_complete);
    let alone = p99(&mut swarm, &server, "talk", 40, |_| {});
    let slow = swarm.join_with(&["talk", "heavy"], Some(4_096));
    let exact = swarm.join(&["heavy"]);
    swarm.until("the slow one is there", Swarm::is_complete);
    swarm.member(slow).paused = true;
    swarm.member(slow).tally.first.insert("talk".to_owned(), 41);
    flood(&server, &mut swarm, "heavy", 1, 1_024);
    let mut next = monotonic_us();
    let beside = undisturbed(&mut swarm, &server, (alone, 20_000), |swarm| {
        if monotonic_us() >= next {
            swarm.sip(slow, 1);
            next = monotonic_us() + 1_000_000;
        }
    });
    println!("measured: p99 {alone} µs alone, {beside} µs beside a reader of one byte a second");
    swarm.go_on(slow);
    let said = swarm.members()[0].tally.last["talk"];
    let last = HashMap::from([("talk".to_owned(), said), ("heavy".to_owned(), 1_024)]);
    swarm.until("the slow one has caught up", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    swarm.assert_no_resets();
    assert_eq!(swarm.members()[exact].tally.closes.len(), 0);
}

#[test]
fn a_reader_that_falls_behind_what_is_kept_is_told_and_takes_no_memory() {
    let server = server(&["limit.stalled=60s"]);
    let mut swarm = Swarm::new(server.address);
    let slow = swarm.join_with(&["short1", "latest1"], Some(4_096));
    let quick = swarm.join(&["short1", "latest1"]);
    swarm.until("both are there", Swarm::is_complete);
    // The log takes what it may have, so that afterwards only the slow reader can grow.
    flood(&server, &mut swarm, "short1", 1, 2_000);
    swarm.until("both have it", |swarm| swarm.all_have(&HashMap::from([("short1".to_owned(), 2_000)])));
    // So little of it is kept that whoever is slow for a moment may have been reset already.
    swarm.forget_incidents();
    let before = server.resident();
    swarm.member(slow).paused = true;
    // More than the log's own ring keeps, so that whatever else keeps it shows.
    flood(&server, &mut swarm, "short1", 2_001, 1_200);
    flood(&server, &mut swarm, "latest1", 1, 1_200);
    let grown = server.resident().saturating_sub(before);
    println!("measured: 150 MiB passed a reader that does not read; the server grew by {} KiB", grown >> 10);
    assert!(grown < SLACK, "the server grew by {} KiB", grown >> 10);
    swarm.go_on(slow);
    let last = HashMap::from([("latest1".to_owned(), 1_200)]);
    swarm.until("the slow one has the newest value and its reset", |swarm| {
        swarm.all_have(&last) && !swarm.members()[slow].tally.resets.is_empty()
    });
    flood(&server, &mut swarm, "short1", 3_201, 1);
    let last = HashMap::from([("short1".to_owned(), 3_201), ("latest1".to_owned(), 1_200)]);
    swarm.until("both go on", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    let tally = &swarm.members()[slow].tally;
    let resets: Vec<_> = tally.resets.iter().map(|r| (r.channel.as_str(), r.reason.as_str())).collect();
    assert_eq!(resets, [("short1", "expired")]);
    assert!(swarm.members()[quick].tally.resets.is_empty());
}

#[test]
fn a_reader_that_never_reads_is_closed_and_can_resume() {
    let server = server(&["limit.stalled=2s"]);
    let mut swarm = Swarm::new(server.address);
    let slow = swarm.join_with(&["heavy"], Some(4_096));
    swarm.until("it is there", Swarm::is_complete);
    swarm.member(slow).paused = true;
    flood(&server, &mut swarm, "heavy", 1, 200);
    let began = monotonic_us();
    while server.stats()["slow_closed"] != 1 {
        assert!(monotonic_us() - began < 15_000_000, "it is still not closed: {}", server.stats());
        swarm.run_for(Duration::from_millis(50));
    }
    swarm.go_on(slow);
    let last = HashMap::from([("heavy".to_owned(), 200)]);
    swarm.until("it came back and has everything", |swarm| swarm.all_have(&last));
    swarm.assert_exact();
    swarm.assert_no_resets();
    assert_eq!(swarm.members()[slow].tally.resumed, Some(true));
}

#[test]
fn a_short_pause_is_bridged_and_a_longer_one_caught_up() {
    let server = server(&[]);
    let mut swarm = Swarm::new(server.address);
    let slow = swarm.join_with(&["heavy", "latest1"], Some(4_096));
    swarm.until("it is there", Swarm::is_complete);
    // The first event may still be read with the page of the new subscription; what follows is live.
    let mut sent = 1;
    let mut backend = Backend::new(server.address);
    backend.insist("heavy", sent, 1_000);
    backend.insist("latest1", sent, 0);
    let first = HashMap::from([("heavy".to_owned(), sent), ("latest1".to_owned(), sent)]);
    swarm.until("it is live", |swarm| swarm.all_have(&first));
    // The first two stay below the backlog's bound, the last is far beyond it.
    for (events, bytes, caught_up) in [(20, 1_000, false), (100, 1_000, false), (400, 32_768, true)] {
        swarm.member(slow).paused = true;
        let before = server.stats()["caught_up"].as_u64().unwrap();
        for n in sent + 1..=sent + events {
            backend.insist("heavy", n, bytes);
            backend.insist("latest1", n, 0);
        }
        sent += events;
        swarm.go_on(slow);
        let last = HashMap::from([("heavy".to_owned(), sent), ("latest1".to_owned(), sent)]);
        swarm.until("it has everything", |swarm| swarm.all_have(&last));
        let pages = server.stats()["caught_up"].as_u64().unwrap() - before;
        assert_eq!(pages > 0, caught_up, "{pages} events came by pages");
    }
    swarm.assert_exact();
    swarm.assert_no_resets();
    let tally = &swarm.members()[slow].tally;
    assert!(tally.closes.is_empty());
    assert!(tally.events < 2 * sent as usize, "of `latest` only the newest is owed after a long pause");
}

#[test]
fn large_answers_to_small_questions_wait_with_the_questions() {
    let server = server(&["limit.stalled=60s", "limit.burst=2000"]);
    let shown = "x".repeat(4_000);
    let mut members: Vec<Ws> = (0..40).map(|_| server.ws()).collect();
    for ws in &mut members {
        ws.subscribe("room");
        let entered = ws.ask(json!({"type": "enter", "channel": "room", "data": shown}));
        assert_eq!(entered["type"], "ok", "{entered}");
    }
    let before = server.resident();
    // 160 MiB of answers are asked for, and not read.
    let mut greedy = server.ws();
    for n in 0..1_000 {
        greedy.send(&json!({"type": "presence", "ref": n, "channel": "room"}));
    }
    members[0].subscribe("other");
    server.send("other", 1);
    while members[0].next()["type"] != "event" {}
    let grown = server.resident().saturating_sub(before);
    println!("measured: 160 MiB of answers were asked for; the server grew by {} KiB", grown >> 10);
    assert!(grown < SLACK, "the server grew by {} KiB", grown >> 10);
    // Whoever reads them gets all of them.
    for n in 0..1_000 {
        let answer = greedy.expect("presence");
        assert_eq!((&answer["ref"], answer["members"].as_array().unwrap().len()), (&json!(n), 40));
    }
}

#[test]
fn a_client_that_floods_is_refused_and_the_others_do_not_feel_it() {
    let server = server(&["limit.rate=50", "limit.burst=100", "limit.subscriptions=20"]);
    let mut swarm = Swarm::new(server.address);
    (0..100).for_each(|_| _ = swarm.join(&["talk"]));
    swarm.until("everybody is there", Swarm::is_complete);
    let alone = p99(&mut swarm, &server, "talk", 40, |_| {});
    let mut hostile = Hostile::new(&server);
    let beside = undisturbed(&mut swarm, &server, (alone, 50_000), |_| hostile.flood());
    println!("measured: p99 {alone} µs alone, {beside} µs beside a flood");
    hostile.expect_refusals();
    swarm.assert_exact();
    assert!(
        swarm.members().iter().all(|m| m.tally.closes.is_empty()),
        "others were closed: {}",
        swarm.summary()
    );
}

/// One address that does what it can: floods commands, subscribes to everything, leaves sockets half open.
struct Hostile {
    ws: Ws,
    greedy: Ws,
    half_open: Vec<TcpStream>,
    text: Vec<u8>,
    sent: usize,
}

impl Hostile {
    fn new(server: &Server) -> Self {
        let (ws, greedy) = (server.ws(), server.ws());
        ws.stream().set_nonblocking(true).unwrap();
        let mut half_open = Vec::new();
        for index in 0..300 {
            let mut stream = TcpStream::connect(server.address).unwrap();
            // Some say nothing at all, some half a head, some a head without the body it promises.
            let said: &[u8] = match index % 3 {
                0 => b"",
                1 => b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgr",
                _ => b"POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
            };
            stream.write_all(said).unwrap();
            half_open.push(stream);
        }
        let mut text = Vec::new();
        for n in 0..500 {
            let command =
                json!({"type": "publish", "ref": n, "channel": "noise", "name": "x", "data": n}).to_string();
            let masked = deskbell_wire::websocket::encode::masked_frame_into;
            masked(&mut text, deskbell_wire::websocket::Opcode::Text, command.as_bytes(), [9, 9, 9, 9]);
        }
        Self { ws, greedy, half_open, text, sent: 0 }
    }

    /// Writes what goes out and reads what comes, without ever waiting.
    fn flood(&mut self) {
        let mut written = 0;
        let end = monotonic_us() + 50_000;
        while written < self.text.len() && monotonic_us() < end {
            // Goes on exactly where it stopped, so that the server sees whole frames only.
            match self.ws.stream().write(&self.text[self.sent..]) {
                Ok(n) => {
                    written += n;
                    self.sent = (self.sent + n) % self.text.len();
                }
                Err(_) => _ = self.ws.stream().read(&mut [0; 65_536]),
            }
        }
    }

    fn expect_refusals(mut self) {
        for n in 0..20 {
            self.greedy.subscribe(&format!("greedy{n}"));
        }
        let answer = self.greedy.ask(json!({"type": "subscribe", "channel": "greedy20"}));
        assert_eq!(answer["code"], "limit_reached", "{answer}");
        let mut answers = Vec::new();
        self.ws.stream().set_nonblocking(false).unwrap();
        self.ws.stream().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut chunk = vec![0; 65_536];
        while let Ok(n @ 1..) = self.ws.stream().read(&mut chunk) {
            answers.extend_from_slice(&chunk[..n]);
            if String::from_utf8_lossy(&answers).contains("rate_limited") {
                break;
            }
        }
        assert!(String::from_utf8_lossy(&answers).contains("rate_limited"), "a flood is refused");
        // Half-open ones are closed by the server, each with an answer or without.
        for mut stream in self.half_open {
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).expect("the server ends what does not go on");
        }
    }
}

//! One database and several servers on it, each of which may be killed, and the database with them: what was
//! acknowledged stays, nothing is granted twice, and every change is told once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::*;
use crate::ledger_crash::{
    Busy, Deed, everything_acknowledged_is_told, no_ghosts, position, read_on, replay, told_once,
};
use deskbell_server::clock::random_below;

const CHANNELS: [&str; 2] = ["staff:1001", "slots:room"];

/// Backends at work on some servers, until they are told to stop.
struct Work {
    stop: Arc<AtomicBool>,
    busy: Vec<JoinHandle<Vec<Deed>>>,
}

impl Work {
    fn begin(servers: &[&Server]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let at = |name: usize| servers[name % servers.len()].address;
        let busy = (0..4).map(|name| Busy::start(at(name), name, stop.clone())).collect();
        Self { stop, busy }
    }

    fn end(self) -> Vec<Deed> {
        self.stop.store(true, Ordering::Relaxed);
        self.busy.into_iter().flat_map(|busy| busy.join().unwrap()).collect()
    }
}

/// Reads until everything that was acknowledged is told, and holds it against what should be.
fn settle(server: &Server, ws: &mut Ws, deeds: &[Deed], events: &mut Vec<Value>) {
    let last = deeds.iter().map(|deed| deed.position).max().unwrap();
    while !events.iter().any(|event| position(event) >= Some(last)) {
        read_on(ws, events, 1);
    }
    // What came behind the last deed was asked for by nobody who still waits.
    assert!(deeds.len() > 20, "too few changes for a test: {}", deeds.len());
    told_once(events);
    let live = replay(events);
    everything_acknowledged_is_told(deeds, events);
    no_ghosts(server, &live);
    assert_eq!(server.problems(), [""; 0]);
}

#[test]
fn two_servers_share_a_database_and_one_of_them_is_killed_again_and_again() {
    let database = shared().database();
    let (staying, mut killed) = (on(&database), on(&database));
    make_room(&staying);
    let mut ws = Ws::backend_back(&killed, &head(&staying), &CHANNELS);
    let work = Work::begin(&[&staying, &killed]);
    let mut events = Vec::new();
    for turn in 0..count(2, 20) {
        read_on(&mut ws, &mut events, 20 + random_below(60) as usize);
        killed = killed.crash_and_restart();
        read_on(&mut ws, &mut events, usize::MAX >> 1);
        // Whoever lost its server goes on at the other one with the same cursor.
        let cursor = ws.cursor.clone();
        let next = if turn % 2 == 0 { &staying } else { &killed };
        ws = Ws::backend_back(next, &cursor, &CHANNELS);
        read_on(&mut ws, &mut events, 20);
        let cursor = ws.cursor.clone();
        ws = Ws::backend_back(&killed, &cursor, &CHANNELS);
    }
    let deeds = work.end();
    settle(&staying, &mut ws, &deeds, &mut events);
}

#[test]
fn the_database_is_killed_under_a_server_again_and_again() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let server = on(&database);
    make_room(&server);
    let mut ws = Ws::backend_back(&server, &head(&server), &CHANNELS);
    let work = Work::begin(&[&server]);
    let mut events = Vec::new();
    for _ in 0..count(2, 20) {
        read_on(&mut ws, &mut events, 20 + random_below(60) as usize);
        postgres.kill();
        let asked = server.api("GET", "/readyz", None);
        assert_eq!(publish(&server, "memory", 1).status, 200, "memory goes on: {}", asked.text());
        postgres.start_again();
        read_on(&mut ws, &mut events, 20);
    }
    let deeds = work.end();
    settle(&server, &mut ws, &deeds, &mut events);
}

fn publish(server: &Server, channel: &str, n: u64) -> Answer {
    let event = json!({"channel": channel, "name": "n", "data": n});
    server.api("POST", "/v1/publish", Some(&event))
}

#[test]
fn without_its_database_a_server_refuses_holds_and_says_so() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let server = on(&database);
    make_room(&server);
    postgres.kill();
    let claim = slot(0);
    let refused = server.api("POST", "/v1/holds", Some(&json!({"claims": [claim]})));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("the ledger's database does not answer"), "{}", refused.text());
    let ready = get(&server, "/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(publish(&server, "memory", 1).status, 200);
    postgres.start_again();
    let granted = loop {
        let answer = server.api("POST", "/v1/holds", Some(&json!({"claims": [claim]})));
        if answer.status != 503 {
            break answer;
        }
    };
    assert_eq!(granted.status, 200, "{}", granted.text());
    assert_eq!(get(&server, "/readyz").status, 200);
}

#[test]
fn a_server_that_is_frozen_in_the_middle_keeps_nobody_from_holding() {
    let database = shared().database();
    let (staying, frozen) = (on(&database), on(&database));
    make_room(&staying);
    // The app's row as a writer holds it that never comes back.
    let mut writer = database.talk();
    writer.say("SET idle_in_transaction_session_timeout = '5s'").unwrap();
    writer.say("BEGIN").unwrap();
    writer.say("SELECT 1 FROM deskbell.apps FOR UPDATE").unwrap();
    let claim = slot(0);
    let granted = loop {
        let answer = frozen.api("POST", "/v1/holds", Some(&json!({"claims": [claim]})));
        if answer.status != 503 {
            break answer;
        }
    };
    assert_eq!(granted.status, 200, "{}", granted.text());
    assert!(writer.say("COMMIT").is_err(), "the server has given the frozen one up");
}

#[test]
fn of_two_servers_at_once_one_grants() {
    let database = shared().database();
    let servers = [on(&database), on(&database)];
    make_room(&servers[0]);
    for slot in 0..count(10, 100) {
        let body = json!({"claims": [self::slot(slot as u64)]});
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = |n: usize| {
                scope.spawn({
                    let (server, body) = (&servers[n % 2], &body);
                    move || server.api("POST", "/v1/holds", Some(body)).status
                })
            };
            let asking: Vec<_> = (0..8).map(ask).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    }
}

//! The disk takes nothing for a while, or the server stops: so much is taken from Redis and no more, and nothing of
//! it is lost.

use std::sync::mpsc;

use deskbell_core::limits::{REDIS_WINDOW, REDIS_WINDOW_BYTES};

use super::flood::{flood, message, read_all};
use super::{Redis, Server, Start, heard, shown};
use crate::harness::{DEADLINE, Reader, Transport, eventually};
use crate::json;

/// Requests whose events are more than the store's lane holds.
const REQUESTS: usize = 10;

/// A server that follows this Redis, with channels in its data file.
fn server(redis: &Redis) -> Server {
    let config =
        format!("{}drain = \"0s\"\n[[channels]]\npattern = \"durable*\"\ndurable = true\n", redis.config());
    let mut server = Server::start(Start::with(&config).on_file().flag("--dev"));
    heard(&mut server);
    server
}

/// Where a reader begins who is to have everything.
fn beginning(server: &Server) -> Option<String> {
    Reader::open(server, Transport::Ws, &["durable"], None).cursor
}

/// Lets nobody else write into the data file until it is dropped.
fn occupied(server: &Server) -> rusqlite::Connection {
    let file = rusqlite::Connection::open(server.data.join("deskbell.db")).unwrap();
    file.busy_timeout(DEADLINE).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    file
}

/// Messages that were taken from Redis so far.
fn taken(server: &Server) -> usize {
    shown(server)["received"].as_u64().unwrap() as usize
}

/// More is published than may be under way. So much is taken, the rest when the disk is free again.
fn only_so_many_are_taken(most: usize, events: usize, padding: usize) {
    let redis = Redis::start();
    let server = server(&redis);
    let cursor = beginning(&server);
    let disk = occupied(&server);
    flood(&redis, "durable", events as i64, padding);
    // The first that has no room any more waits as well, in the hand of whoever took it.
    eventually("all have been taken that may be", || taken(&server) > most);
    for _ in 0..20 {
        assert_eq!(taken(&server), most + 1, "the others wait in Redis");
    }
    drop(disk);
    eventually("the others are taken", || taken(&server) == events);
    read_all(&server, cursor.as_deref(), events as i64);
    assert_eq!(shown(&server)["refused"], json!({}));
}

#[test]
fn while_the_disk_is_busy_no_more_is_taken_than_one_commit_has() {
    only_so_many_are_taken(REDIS_WINDOW, 2 * REDIS_WINDOW, 10);
}

#[test]
fn nor_is_more_taken_than_memory_is_meant_for_it() {
    const PADDING: usize = 1_000_000;
    let most = REDIS_WINDOW_BYTES / PADDING;
    only_so_many_are_taken(most, most + 4, PADDING);
}

#[test]
fn a_message_for_which_the_store_has_no_room_waits_until_it_has() {
    let redis = Redis::start();
    let server = server(&redis);
    let cursor = beginning(&server);
    let disk = occupied(&server);
    // A thousand events in one request: ten, each for a hundred channels.
    let channels: Vec<String> = (0..100).map(|n| format!("durable-{n}")).collect();
    let batch = json!({"batch": vec![json!({"channels": channels, "name": "e", "data": "1"}); 10]});
    let (answers, answered) = mpsc::channel();
    std::thread::scope(|threads| {
        for _ in 0..REQUESTS {
            let (server, batch, answers) = (&server, &batch, answers.clone());
            threads.spawn(move || {
                let answer = server.api("POST", "/apps/1001/batch_events", Some(batch));
                answers.send(answer.status).unwrap();
            });
        }
        assert_eq!(answered.recv_timeout(DEADLINE), Ok(503), "the store has no room for all of them");
        redis.publish("laravel_database_durable", &message(0, 0));
        eventually("it is taken", || taken(&server) == 1);
        assert_eq!(shown(&server)["refused"], json!({}));
        drop(disk);
    });
    read_all(&server, cursor.as_deref(), 1);
    assert_eq!(shown(&server)["refused"], json!({}));
}

#[test]
fn a_stop_takes_what_redis_counts_as_delivered() {
    const EVENTS: i64 = 2_000;
    let redis = Redis::start();
    let mut server = server(&redis);
    let cursor = beginning(&server);
    // All of it is on its way when the stop begins, and no moment is left to take it before.
    server.signal("STOP");
    flood(&redis, "durable", EVENTS, 10);
    server.signal("TERM");
    server.signal("CONT");
    eventually("the server has ended", || server.has_ended());
    let server = server.restarted();
    read_all(&server, cursor.as_deref(), EVENTS);
}

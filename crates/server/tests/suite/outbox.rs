//! Events out of an application's own transactions: each of them once, however late its transaction commits and
//! whoever is killed meanwhile.

use std::collections::BTreeMap;

use deskbell_server::clock::random_below;

use super::harness::postgres::{Database, Postgres, Talk, shared};
use super::harness::*;
use crate::json;

const CONFIG: &str = "[[channels]]\npattern = \"ob\"\ndurable = true\n";

fn prepared(postgres: &Postgres) -> (Database<'_>, Server) {
    let database = postgres.database();
    database.run(deskbell_server::outbox::SQL);
    let mut start = Start::with(CONFIG).flag("--dev");
    start.env.push(("DESKBELL_OUTBOX".to_owned(), database.url()));
    (database, Server::start(start))
}

fn say(id: &str) -> String {
    format!("SELECT deskbell.publish('ob', 'said', '{{\"id\": \"{id}\"}}', '{id}')")
}

/// Everything that the channel has had since a cursor, up to a last event.
fn told(server: &Server, cursor: &str, last: &str) -> BTreeMap<String, usize> {
    let mut ws = Ws::back(server, None, cursor, &["ob"]);
    let mut told = BTreeMap::new();
    loop {
        let frame = ws.next();
        assert_ne!(frame["type"], "reset", "{frame}");
        if frame["type"] == "event" {
            let id = frame["id"].as_str().unwrap().to_owned();
            if id == last {
                return told;
            }
            *told.entry(id).or_default() += 1;
        }
    }
}

/// Waits until nothing is left: events are told a moment before their rows are deleted.
fn drained(database: &Database<'_>) {
    while database.run("SELECT count(*) FROM deskbell.outbox") != ["0"] {}
}

fn head(server: &Server) -> String {
    get(server, "/v1/poll?channels=ob").json()["cursor"].as_str().unwrap().to_owned()
}

#[test]
fn every_event_of_an_outbox_comes_once_however_late_its_transaction_commits() {
    let postgres = Postgres::start();
    let (database, mut server) = prepared(&postgres);
    let start = head(&server);
    let mut expected = Vec::new();
    let mut long = None;
    for round in 0..count(4, 40) {
        let mut apps: Vec<Talk> = (0..8).map(|_| database.talk()).collect();
        for app in &mut apps {
            app.say("BEGIN").unwrap();
        }
        // The rows' numbers and the order of the commits have nothing to do with each other.
        for turn in 0..3 {
            for (n, app) in apps.iter_mut().enumerate() {
                app.say(&say(&format!("{round}-{n}-{turn}"))).unwrap();
            }
        }
        let killed = random_below(8) as usize;
        while let Some(mut app) =
            (!apps.is_empty()).then(|| apps.swap_remove(random_below(apps.len() as u64) as usize))
        {
            let left = apps.len();
            if left == killed && round % 2 == 0 {
                server = server.crash_and_restart();
            } else if left == killed {
                postgres.kill();
                postgres.start_again();
            }
            let ids = app.say("SELECT id FROM deskbell.outbox ORDER BY number");
            let own: Vec<String> = ids.unwrap_or_default().into_iter().collect();
            if left == 3 && long.is_none() {
                // One stays open while hundreds of later rows come and go.
                long = Some((app, own));
            } else if left == 5 {
                let _ = app.say("ROLLBACK");
            } else if app.say("COMMIT").is_ok() {
                expected.extend(own.into_iter().filter(|id| id.starts_with(&format!("{round}-"))));
            }
        }
    }
    if let Some((mut app, own)) = long
        && app.say("COMMIT").is_ok()
    {
        expected.extend(own);
    }
    // What was committed by others was seen by a transaction, too.
    expected.sort_unstable();
    expected.dedup();
    database.run(&say("the-last"));
    let told = told(&server, &start, "the-last");
    assert!(expected.len() > 20, "too few events for a test: {}", expected.len());
    for id in &expected {
        assert_eq!(told.get(id), Some(&1), "{id}");
    }
    assert_eq!(told.len(), expected.len(), "nothing was told that was not committed: {told:?}");
    drained(&database);
}

#[test]
fn what_can_be_no_event_is_kept_with_its_reason_and_holds_nobody_up() {
    let (database, server) = prepared(shared());
    let start = head(&server);
    let mut app = database.talk();
    assert!(app.say("SELECT deskbell.publish('no such name', 'n', '1')").is_err(), "refused at once");
    assert!(app.say("SELECT deskbell.publish('ob', '', '1')").is_err());
    let long = "x".repeat(500);
    database.run(&format!("SELECT deskbell.publish('ob', '{long}', '1')"));
    database.run(&say("behind-it"));
    database.run(&say("the-last"));
    assert_eq!(told(&server, &start, "the-last").into_keys().collect::<Vec<_>>(), ["behind-it"]);
    drained(&database);
    assert_eq!(database.run("SELECT count(*) FROM deskbell.outbox_refused"), ["1"]);
}

#[test]
fn a_link_out_of_the_applications_transaction_reaches_the_booking() {
    let (database, server) = prepared(shared());
    let room = json!({"capacity": 1, "time_zone": "UTC"});
    assert!(server.api("PUT", "/v1/resources/room", Some(&room)).status < 300);
    let claim = json!({"resource": "room", "start": 1_893_456_000_000_u64, "end": 1_893_457_800_000_u64});
    let booked = server.api("POST", "/v1/bookings", Some(&json!({"claims": [claim]}))).json();
    let id = booked["reservation"]["id"].as_str().unwrap();
    let mut ws = Ws::back(&server, None, &head(&server), &["staff:1001"]);
    let mut app = database.talk();
    app.say("BEGIN").unwrap();
    app.say(&format!("SELECT deskbell.link('{id}', 'order-4711')")).unwrap();
    app.say("COMMIT").unwrap();
    while ws.next()["type"] != "event" {}
    let shown = server.api("GET", &format!("/v1/bookings/{id}"), None).json();
    assert_eq!(shown["reservation"]["external_ref"], "order-4711", "{shown}");
}

//! Webhooks of Pusher's kinds over crashes and stops: what was to be told is told, and who was here is gone only if
//! it does not come back.

use std::time::{Duration, Instant};

use super::hooks::events;
use super::*;

/// A server on the data file, so that the test can see what is noted.
fn server(receiver: &Receiver, more: &str) -> Server {
    let config = format!("drain = \"200ms\"\n[[pusher_webhooks]]\nurl = \"{}\"\n{more}\n", receiver.url());
    Server::start(Start::with(&config).on_file())
}

/// How many rows a table of the data file has.
fn rows(server: &Server, table: &str) -> usize {
    let file = rusqlite::Connection::open(server.data.join("deskbell.db")).unwrap();
    let count = file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    count.unwrap() as usize
}

/// The next things that are told, by name and channel.
fn told(receiver: &Receiver, count: usize) -> Vec<(String, String)> {
    let mut told = Vec::new();
    while told.len() < count {
        let received = receiver.next();
        if received.said == Say::Status(200, "") {
            let word = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
            told.extend(events(&received).iter().map(|event| (word(event, "name"), word(event, "channel"))));
        }
    }
    assert_eq!(told.len(), count, "{told:?}");
    told
}

fn of(name: &str, channel: &str) -> (String, String) {
    (name.to_owned(), channel.to_owned())
}

#[test]
fn a_kill_takes_nothing_with_it_that_was_to_be_told() {
    let receiver = Receiver::start();
    receiver.say(Say::Status(500, ""));
    let server = server(&receiver, "batch = 5");
    let mut ann = Pusher::open(&server);
    let mut expected = Vec::new();
    for n in 0..12 {
        ann.subscribe(&format!("news-{n}"));
        expected.push(of("channel_occupied", &format!("news-{n}")));
    }
    ann.enter("presence-room", r#"{"user_id":1}"#);
    let typing = json!({"text": "not \"lost\" – ä"});
    ann.say("client-typing", "presence-room", &typing);
    let last = [
        ("member_added", "presence-room"),
        ("channel_occupied", "presence-room"),
        ("client_event", "presence-room"),
    ];
    expected.extend(last.map(|(name, channel)| of(name, channel)));
    eventually("all of it is noted", || rows(&server, "news") == expected.len());
    // It is sent again and again, and not taken.
    assert_eq!(receiver.next().said, Say::Status(500, ""));
    let server = server.crash_and_restart();
    drop(receiver.pending());
    receiver.say(Say::Status(200, ""));
    let mut heard = Vec::new();
    while heard.len() < expected.len() {
        let received = receiver.next_taken();
        assert!(events(&received).len() <= 5);
        heard.extend(events(&received));
    }
    let names: Vec<_> = heard.iter().map(|event| (event["name"].clone(), event["channel"].clone())).collect();
    let expected: Vec<_> =
        expected.into_iter().map(|(name, channel)| (json!(name), json!(channel))).collect();
    assert_eq!(names, expected);
    assert_eq!(heard.last().unwrap()["data"], typing.to_string());
    eventually("what was taken is noted as taken", || rows(&server, "news") == 0);
    let server = server.crash_and_restart();
    let mut later = Pusher::open(&server);
    later.subscribe("later");
    assert_eq!(told(&receiver, 1), [of("channel_occupied", "later")], "what was taken is not told again");
}

/// Time to come back, in these tests.
const RETURNS: Duration = Duration::from_secs(4);

/// Some are here when the server ends, and only a part of them comes back.
fn only_those_who_stay_away_are_gone(end: impl Fn(Server) -> Server) {
    let receiver = Receiver::start();
    let server = server(&receiver, &format!("returns = \"{}s\"", RETURNS.as_secs()));
    let mut back = Pusher::open(&server);
    back.subscribe("back");
    back.enter("presence-room", r#"{"user_id":"back"}"#);
    let mut away = Pusher::open(&server);
    away.subscribe("away");
    away.enter("presence-room", r#"{"user_id":"away"}"#);
    told(&receiver, 5);
    eventually("all who are here are noted", || rows(&server, "news_here") == 5);
    eventually("that it was told is noted", || rows(&server, "news") == 0);
    let begun = Instant::now();
    let server = end(server);
    let mut back = Pusher::open(&server);
    back.subscribe("back");
    back.enter("presence-room", r#"{"user_id":"back"}"#);
    let mut gone = told(&receiver, 2);
    assert!(begun.elapsed() >= RETURNS, "it was told too early");
    gone.sort_unstable();
    assert_eq!(gone, [of("channel_vacated", "away"), of("member_removed", "presence-room")]);
    eventually("they are not noted as here any more", || rows(&server, "news_here") == 3);
    // Who came back is known as before: its end is told, and what it does is.
    drop(back);
    let mut last = told(&receiver, 3);
    last.sort_unstable();
    let names = [
        ("channel_vacated", "back"),
        ("channel_vacated", "presence-room"),
        ("member_removed", "presence-room"),
    ];
    assert_eq!(last, names.map(|(name, channel)| of(name, channel)));
    assert!(receiver.pending().is_empty());
}

#[test]
fn of_those_who_were_here_at_a_kill_only_who_stays_away_is_gone() {
    only_those_who_stay_away_are_gone(Server::crash_and_restart);
}

#[test]
fn of_those_whom_a_stop_sends_away_only_who_stays_away_is_gone() {
    only_those_who_stay_away_are_gone(Server::stop_and_restart);
}

#[test]
fn what_is_not_taken_for_long_enough_is_given_up_and_the_next_is_told() {
    let receiver = Receiver::start();
    receiver.answer(|received| {
        let is_bad = String::from_utf8_lossy(&received.body).contains("bad");
        Say::Status(if is_bad { 500 } else { 200 }, "")
    });
    let mut server = server(&receiver, "patience = \"1500ms\"");
    let mut client = Pusher::open(&server);
    client.subscribe("bad");
    client.subscribe("good");
    // At once and after a second; two seconds later would be too late.
    for _ in 0..2 {
        assert_eq!(events(&receiver.next())[0]["channel"], "bad");
    }
    assert_eq!(events(&receiver.next())[0]["channel"], "good");
    let line = server.line_with("given up");
    assert!(line.contains("1500 ms") && line.contains("it answered 500"), "{line}");
    eventually("what was given up is noted no more", || rows(&server, "news") == 0);
    let server = server.crash_and_restart();
    let mut later = Pusher::open(&server);
    later.subscribe("later");
    assert_eq!(told(&receiver, 1), [of("channel_occupied", "later")]);
}

#[test]
fn in_a_shared_database_each_server_tells_its_own() {
    let database = postgres::shared().database();
    let receivers = [Receiver::start(), Receiver::start()];
    let servers = receivers.each_ref().map(|receiver| {
        receiver.say(Say::Status(500, ""));
        let config = format!("[[pusher_webhooks]]\nurl = \"{}\"\n", receiver.url());
        let mut start = Start::with(&config);
        start.env.push(("DESKBELL_LEDGER".to_owned(), database.url()));
        Server::start(start)
    });
    let mut clients = servers.each_ref().map(Pusher::open);
    for (client, channel) in clients.iter_mut().zip(["one", "two"]) {
        client.subscribe(channel);
    }
    let waits = || database.run("SELECT channel FROM deskbell.news_here ORDER BY channel");
    eventually("both are noted", || waits() == ["one", "two"]);
    let [first, _second] = servers;
    let _first = first.crash_and_restart();
    receivers.iter().for_each(|receiver| receiver.say(Say::Status(200, "")));
    for (receiver, channel) in receivers.iter().zip(["one", "two"]) {
        assert_eq!(events(&receiver.next_taken()), [json!({"name": "channel_occupied", "channel": channel})]);
    }
}

//! A data file that moves into a database: everything that was so is so afterwards.

use std::path::Path;
use std::process::{Command, Output};

use super::*;
use crate::pusher::apps::{OPERATOR, operate};

const CONFIG: &str = "[[channels]]\npattern = \"news\"\ndurable = true\n\
    [[channels]]\npattern = \"price\"\nclass = \"latest\"\ndurable = true\n";

/// Runs a command of the binary on a data directory, with the ledger at a URL.
fn run(command: &[&str], data: &Path, url: Option<&str>) -> Output {
    let mut run = Command::new(env!("CARGO_BIN_EXE_deskbell"));
    run.args(command).arg("--data").arg(data).env_remove("DESKBELL_LEDGER");
    if let Some(url) = url {
        run.env("DESKBELL_LEDGER", url);
    }
    run.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the doctor says about the ledger.
fn diagnosis(data: &Path, url: Option<&str>) -> String {
    let said = said(&run(&["doctor"], data, url));
    let about = said.lines().find(|line| line.contains("the ledger is sound"));
    about.unwrap_or_else(|| panic!("the ledger is not sound: {said}")).trim().to_owned()
}

/// A request that must succeed.
#[track_caller]
fn does(server: &Server, method: &str, path: &str, body: Value) -> Value {
    let answer = server.api(method, path, Some(&body));
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    answer.json()
}

/// Something in every table.
fn live(server: &Server, receiver: &Receiver) {
    make_room(server);
    does(server, "PUT", "/v1/resources/class", json!({"capacity": 12, "policy": {"waitlist": "offer"}}));
    does(
        server,
        "POST",
        "/v1/bookings",
        json!({"claims": [slot(0)], "holder": "ann", "email": "ann@private.test"}),
    );
    for nth in 1..4 {
        does(server, "POST", "/v1/holds", json!({"claims": [slot(nth)], "holder": "bob", "ttl_ms": 900_000}));
    }
    // Two share a time, of which there is only one since.
    does(server, "PUT", "/v1/resources/boat", json!({"capacity": 2}));
    for who in ["ann", "bob"] {
        let claim = json!({"resource": "boat", "start": FIRST, "end": FIRST + HALF_HOUR});
        does(server, "POST", "/v1/bookings", json!({"claims": [claim], "holder": who}));
    }
    does(server, "PUT", "/v1/resources/boat", json!({"capacity": 1}));
    does(
        server,
        "POST",
        "/v1/notifications",
        json!({"user": "ann", "type": "booking", "title": "a time is free"}),
    );
    does(server, "POST", "/v1/conversations", json!({"id": "c", "members": ["ann", "bob"]}));
    does(server, "POST", "/v1/conversations/c/messages", json!({"data": {"text": "hello"}}));
    for n in 0..5 {
        does(server, "POST", "/v1/publish", json!({"channel": "news", "name": "n", "data": n}));
        does(
            server,
            "POST",
            "/v1/publish",
            json!({"channel": "price", "name": "n", "data": n, "key": "one"}),
        );
    }
    let added = operate(server, "PUT", "/v1/apps/7", Some(&json!({"key": "seven"})));
    assert_eq!(added.status, 200, "{added:?}");
    let rotated = server.api("POST", "/v1/calendars/rotate?user=ann", None);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    eventually("everything is a dead letter", || {
        let shown = server.api("GET", "/v1/webhooks", None).json()["webhooks"][0].clone();
        shown["dead"].as_u64() > Some(0) && shown["open"] == 0 && shown["position"] == shown["head"]
    });
    drop(receiver.pending());
}

/// Everything that clients see, as text.
fn sights(server: &Server) -> Vec<String> {
    let bearer = format!("Bearer {}", user("ann"));
    let own = |path: &str| request(server, "GET", path, &[("Authorization", &bearer)], None).json();
    let at = format!("from={FIRST}&to={}", FIRST + 12 * HALF_HOUR);
    let free = server.api("GET", &format!("/v1/resources/room/availability?{at}"), None).json();
    let reservations = |path: &str| {
        let listed = server.api("GET", path, None).json();
        let all = listed["reservations"].as_array().unwrap().clone();
        let kept = ["id", "state", "fence", "expires_at", "holder", "email", "version"];
        all.iter()
            .map(|one| kept.map(|member| one[member].to_string()).join(" "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    vec![
        free["segments"].to_string(),
        reservations("/v1/bookings"),
        reservations("/v1/holds"),
        own("/v1/notifications")["notifications"].to_string(),
        own("/v1/conversations/c/messages")["messages"].to_string(),
        server.api("GET", "/v1/webhooks/shop/letters", None).json()["letters"].to_string(),
    ]
}

/// The file's server, with webhooks that nobody takes.
fn on_file(receiver: &Receiver) -> (Server, String) {
    receiver.answer(|_| Say::Status(500, ""));
    let config = format!(
        "operator.secret = \"{OPERATOR}\"\n{UNBOUND}{CONFIG}[[webhooks]]\nname = \"shop\"\nurl = \"{}\"\nsecret = \"a secret for a receiver\"\n\
         first_wait = \"10ms\"\nlongest_wait = \"10ms\"\npatience = \"1ms\"\n",
        receiver.url()
    );
    (Server::start(Start::with(&config).flag("--dev").on_file()), config)
}

/// A hold under one key.
fn keyed(server: &Server) -> Value {
    let bearer = format!("Bearer {SECRET}");
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "kept")];
    let body = json!({"claims": [slot(6)], "ttl_ms": 900_000}).to_string();
    request(server, "POST", "/v1/holds", &headers, Some(&body)).json()["reservation"].clone()
}

/// Every table of the file has as many rows in the database, and the command said how many.
fn same_rows(file: &rusqlite::Connection, database: &Database<'_>, said: &str) {
    let there = |name: &str| database.run(&format!("SELECT count(*) FROM deskbell.{name}")).concat();
    let lines = said.lines().filter_map(|line| line.trim().split_once(' '));
    let counted: Vec<_> = lines.filter(|(rows, _)| rows.parse::<u64>().is_ok()).collect();
    let mut tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    for name in tables.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap) {
        if name == "carried" {
            // What a clean stop left to the next start of this process.
            continue;
        }
        let count = format!("SELECT count(*) FROM {name}");
        let rows = file.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap().to_string();
        assert_eq!(there(&name), rows, "{name}");
        assert!(counted.contains(&(rows.as_str(), name.as_str())), "{name} in {said}");
        assert!(
            rows != "0"
                || ["waits", "waiting", "strikes", "later", "news", "news_here"].contains(&name.as_str()),
            "{name} tests nothing"
        );
    }
}

#[test]
fn a_moved_ledger_says_what_the_file_said_and_its_cursors_and_keys_go_on() {
    let receiver = Receiver::start();
    let (mut server, config) = on_file(&receiver);
    live(&server, &receiver);
    let held = keyed(&server);
    let cursor = get(&server, "/v1/poll?channels=news").json()["cursor"].as_str().unwrap().to_owned();
    let publish = |server: &Server, data: &str| {
        does(server, "POST", "/v1/publish", json!({"channel": "news", "name": "n", "data": data}))
    };
    publish(&server, "behind the cursor");
    let before = sights(&server);
    let file = rusqlite::Connection::open(server.data.join("deskbell.db")).unwrap();
    let indexed = || file.query_row("SELECT count(*) FROM latest", [], |row| row.get::<_, i64>(0)).unwrap();
    eventually("there is an index", || indexed() > 0);
    server.stop();
    let sound = diagnosis(&server.data, None);

    let database = shared().database();
    let moved = run(&["migrate"], &server.data, Some(&database.url()));
    assert!(moved.status.success(), "{}", said(&moved));
    assert_eq!(diagnosis(&server.data, Some(&database.url())), sound);
    same_rows(&file, &database, &said(&moved));

    let mut start = Start::with(&config).flag("--dev");
    start.env.push(("DESKBELL_LEDGER".to_owned(), database.url()));
    let moved = Server::start(start);
    assert_eq!(sights(&moved), before);
    assert_eq!(operate(&moved, "GET", "/v1/apps/7", None).json()["app"]["key"], "seven");
    let again = keyed(&moved);
    for member in ["id", "fence", "version", "expires_at"] {
        assert_eq!(again[member], held[member], "the same key has the same answer: {again}");
    }
    let confirm = format!("/v1/holds/{}/confirm", held["id"].as_str().unwrap());
    let confirmed = moved.api("POST", &confirm, Some(&json!({"fence": held["fence"]})));
    assert_eq!(confirmed.status, 200, "the fence counts: {confirmed:?}");
    let mut ws = Ws::back(&moved, None, &cursor, &["news"]);
    assert_eq!(ws.expect("subscribed")["recovered"], true, "the cursor goes on");
    assert_eq!(ws.expect("event")["data"], "behind the cursor");
    publish(&moved, "new");
    assert_eq!(ws.expect("event")["data"], "new");
    assert_eq!(moved.problems(), [""; 0]);
}

#[test]
fn nothing_is_moved_where_something_is_or_where_somebody_works() {
    let server = Server::start(Start::default().on_file());
    make_room(&server);
    let database = shared().database();
    let busy = run(&["migrate"], &server.data, Some(&database.url()));
    assert_eq!(busy.status.code(), Some(1), "{}", said(&busy));
    assert!(said(&busy).contains("another deskbell works on"), "{}", said(&busy));
    let nowhere = run(&["migrate"], &server.data, None);
    assert_eq!(nowhere.status.code(), Some(2), "{}", said(&nowhere));
    let other = on(&database);
    make_room(&other);
    let mut server = server;
    server.stop();
    let full = run(&["migrate"], &server.data, Some(&database.url()));
    assert_eq!(full.status.code(), Some(1), "{}", said(&full));
    assert!(said(&full).contains("the database has a ledger already"), "{}", said(&full));
    assert_eq!(other.problems(), [""; 0]);
}

#[test]
fn the_doctor_finds_what_does_not_fit_together_in_a_database() {
    let database = shared().database();
    let server = on(&database);
    make_room(&server);
    assert_eq!(hold(&server, 0, 900_000).status, 200);
    let sound = said(&run(&["doctor"], &server.data, Some(&database.url())));
    assert!(sound.contains("the ledger is sound: 2 changes, 1 reservations"), "{sound}");
    database.run("DELETE FROM deskbell.claims");
    let ill = run(&["doctor"], &server.data, Some(&database.url()));
    assert_eq!(ill.status.code(), Some(1), "{}", said(&ill));
    assert!(!said(&ill).contains("the ledger is sound"), "{}", said(&ill));
    let away = run(&["doctor"], &server.data, Some("postgres://postgres@127.0.0.1:1/none"));
    assert_eq!(away.status.code(), Some(1), "{}", said(&away));
    assert!(said(&away).contains("the ledger's database does not answer"), "{}", said(&away));
}

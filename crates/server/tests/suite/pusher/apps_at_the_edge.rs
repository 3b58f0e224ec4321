//! Apps at run time where it gets tight: arrivals while one is taken away, the most that there may be, a row that
//! nobody can read, and other dialects than the one that most apps are for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use super::apps::{OPERATOR, operate};
use super::*;

/// Clients that knock in one round.
const KNOCKS: usize = 60;

fn with(more: &str) -> Start {
    Start::with(&format!(
        "operator.secret = \"{OPERATOR}\"\n{more}\n[limit]\nrate_per_address = 0\nconnections_per_address = 0\n\
         connect_rate_per_address = 0\n"
    ))
}

/// A connection that has sent all of its request but the last byte.
fn almost(server: &Server, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "GET /app/{key} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn whoever_arrives_while_the_app_is_taken_away_is_turned_away_with_the_others() {
    let server = Server::start(with(""));
    for round in 0..count(8, 100) {
        let (path, key) = (format!("/v1/apps/{}", 100 + round), format!("short-{round}"));
        assert_eq!(operate(&server, "PUT", &path, Some(&json!({ "key": key }))).status, 200);
        let mut streams: Vec<TcpStream> = (0..KNOCKS).map(|_| almost(&server, &key)).collect();
        let ends: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let gone = scope.spawn(|| operate(&server, "DELETE", &path, None).status);
            for stream in &mut streams {
                stream.write_all(b"\n").unwrap();
            }
            assert_eq!(gone.join().unwrap(), 200);
            streams
                .iter_mut()
                .map(|stream| {
                    let mut said = Vec::new();
                    stream.read_to_end(&mut said).expect("it is turned away");
                    said
                })
                .collect()
        });
        for said in ends {
            // A close frame with the code of an app that there is not.
            let close = [0x0F, 0xA1];
            assert!(said.windows(2).any(|two| two == close), "{}", String::from_utf8_lossy(&said));
        }
    }
    eventually("nobody is left", || server.stats()["connections"] == 0);
}

#[test]
fn a_page_of_the_appointease_dialect_is_served_on_an_added_app() {
    let server = Server::start(with("[appointease]\ntime_zone = \"Europe/Oslo\"\n"));
    let secret = "the-secret-of-the-second-site";
    let made = operate(&server, "PUT", "/v1/apps/8", Some(&json!({"key": "second", "secret": secret})));
    assert_eq!(made.status, 200, "{}", made.text());
    let page = |path: &str| {
        let mut ws = Ws::upgraded(Conn::open(&server), &server.address.to_string(), path, &[]).unwrap();
        ws.expect("connection");
        ws
    };
    let slot = |kind: &str| json!({"type": kind, "date": "2025-11-03", "time": "10:00", "employeeId": 1});
    let [mut first, mut second, mut other] =
        [page("/appointease?app=second"), page("/appointease?app=second"), page("/appointease")];
    let lock = |page: &mut Ws| {
        page.send(&slot("lock_slot"));
        loop {
            let answer = page.next();
            if answer["type"] == "slot_locked" || answer["reason"].is_string() {
                return answer["type"] == "slot_locked";
            }
        }
    };
    second.send(&slot("watch_slot"));
    assert!(lock(&mut first));
    while second.next()["type"] != "slot_taken" {}
    assert!(!lock(&mut second), "it is locked in this app");
    assert!(lock(&mut other), "and in no other");
    assert_eq!(operate(&server, "DELETE", "/v1/apps/8", None).status, 200);
    for page in [&mut first, &mut second] {
        assert_eq!(page.until_closed().code, Some(4404));
    }
    other.send(&json!({"type": "ping"}));
    while other.next()["type"] != "pong" {}
}

/// Puts apps into the data file of a server that does not run.
fn store(server: &Server, apps: impl Iterator<Item = (u64, String, String)>) {
    let mut file = rusqlite::Connection::open(server.data.join("deskbell.db")).unwrap();
    let all = file.transaction().unwrap();
    for (id, key, body) in apps {
        let add = "INSERT INTO tenants (app, key, body) VALUES (?1, ?2, ?3)";
        all.execute(add, rusqlite::params![id.cast_signed(), key, body]).unwrap();
    }
    all.commit().unwrap();
}

#[test]
fn there_are_as_many_apps_as_there_may_be_and_not_one_more() {
    let mut server = Server::start(with("").on_file());
    server.stop();
    // With the app of the configuration these are two less than the most.
    let body = |n: u64| json!({"secret": format!("the-secret-of-app-number-{n}")}).to_string();
    store(&server, (2_000..3_021).map(|n| (n, format!("key-{n}"), body(n))));
    let server = server.restarted();
    let add = |server: &Server| operate(server, "POST", "/v1/apps", Some(&json!({})));
    let made = [(); 2].map(|()| add(&server));
    assert_eq!(made.each_ref().map(|made| made.status), [200, 200], "{}", made[1].text());
    let full = add(&server);
    assert_eq!((full.status, full.json()["code"].as_str()), (429, Some("limit_reached")), "{}", full.text());
    assert_eq!(operate(&server, "GET", "/v1/apps", None).json()["apps"].as_array().unwrap().len(), 1_024);
    // One that is taken away keeps its place until the next start.
    let last = made[1].json()["app"]["id"].as_u64().unwrap();
    assert_eq!(operate(&server, "DELETE", &format!("/v1/apps/{last}"), None).status, 200);
    assert!(add(&server).text().contains("restart the server"));
    let mut server = server.crash_and_restart();
    assert_eq!(add(&server).status, 200);
    server.stop();
    store(&server, std::iter::once((9_999, "one-too-many".to_owned(), body(9_999))));
    let (status, said) = Server::refusal(&Start::default(), &server.data, "127.0.0.1:0");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("more than 1024 apps"), "{said}");
}

#[test]
fn a_stored_app_that_nobody_can_read_is_found_by_the_doctor_and_named_by_the_start() {
    let mut server = Server::start(with("").on_file());
    operate(&server, "PUT", "/v1/apps/5", Some(&json!({"key": "five"})));
    server.stop();
    assert_eq!(server.problems(), [""; 0]);
    store(&server, std::iter::once((6, "six".to_owned(), "{\"name\":\"no secret\"}".to_owned())));
    let problem = "the stored app 6 has no key or no secret that can be read";
    assert_eq!(server.problems(), [problem]);
    let doctor = Command::new(env!("CARGO_BIN_EXE_deskbell"))
        .args(["doctor", "--data"])
        .arg(&server.data)
        .env("DESKBELL_APP_SECRET", SECRET)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success() && said.contains(problem), "{said}");
    let (status, said) = Server::refusal(&Start::default(), &server.data, "127.0.0.1:0");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("the stored app 6 cannot be read") && said.contains("doctor"), "{said}");
}

#[test]
fn whoever_guesses_the_operators_secret_is_nobody_and_the_guess_is_counted() {
    let server = Server::start(Start::with(&format!("operator.secret = \"{OPERATOR}\"\n")));
    for shown in ["", "wrong", SECRET, &OPERATOR[1..], &OPERATOR.to_uppercase()] {
        let bearer = format!("Bearer {shown}");
        for (method, path) in
            [("GET", "/v1/apps"), ("POST", "/v1/apps"), ("PUT", "/v1/apps/9"), ("DELETE", "/v1/apps/9")]
        {
            let answer = request(&server, method, path, &[("Authorization", &bearer)], Some("{}"));
            assert_eq!(answer.status, 401, "{method} with {shown:?}: {}", answer.text());
        }
    }
    assert_eq!(request(&server, "GET", "/v1/apps", &[], None).status, 401);
    assert_eq!(server.refusals("unauthorized"), 21);
    assert_eq!(operate(&server, "GET", "/v1/apps", None).json()["apps"].as_array().unwrap().len(), 1);
}

#[test]
fn whoever_goes_on_guessing_has_to_wait() {
    let server = Server::start(Start::with(&format!(
        "operator.secret = \"{OPERATOR}\"\nlimit.rate_per_address = 5\n"
    )));
    let guess = || request(&server, "GET", "/v1/apps", &[("Authorization", "Bearer wrong")], None).status;
    eventually("the next guess has to wait", || guess() == 429);
    // Whoever has the secret is not counted among them.
    assert_eq!(operate(&server, "GET", "/v1/apps", None).status, 200);
}

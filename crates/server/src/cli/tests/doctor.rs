//! What the doctor says about sound and broken places.

use std::net::TcpListener;

use super::super::connect::Url;
use super::super::doctor::{Finding, Grade, ledger, place, secrets, upgrade};
use super::{Answering, Scratch, answer, certificates, deskbell};
use crate::config::{Listen, Settings, TlsSettings};

fn listen(addr: std::net::SocketAddr) -> Listen {
    Listen { addr, tls: false, app: None, root: deskbell_wire::plain::Plain::AppointEase }
}

#[track_caller]
fn found(finding: &Finding, grade: Grade, part: &str) {
    assert_eq!(finding.grade, grade, "{finding:?}");
    assert!(format!("{}: {}", finding.seen, finding.advice).contains(part), "{part} in {finding:?}");
    assert!(grade == Grade::Ok || !finding.advice.is_empty(), "no advice in {finding:?}");
}

#[test]
fn a_port_is_free_or_served_or_taken() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    found(&place::port(&listen(free)), Grade::Ok, "is free");
    let server = Answering::with(vec![answer("200 OK", "ok")]);
    found(&place::port(&listen(server.addr)), Grade::Ok, "is served");
    server.requests();
    let other = Answering::with(vec![answer("404 Not Found", "")]);
    found(&place::port(&listen(other.addr)), Grade::Fail, "is in use by something");
    other.requests();
    let elsewhere = "192.0.2.1:8080".parse().unwrap();
    found(&place::port(&listen(elsewhere)), Grade::Fail, "address of this machine");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let with_tls = Listen { tls: true, ..listen(holder.local_addr().unwrap()) };
    found(&place::port(&with_tls), Grade::Warn, "--url https://NAME");
}

#[test]
fn a_data_directory_is_there_or_can_be_made_or_not() {
    let scratch = Scratch::new();
    found(&place::data_directory(scratch.path()), Grade::Ok, "can be written");
    found(&place::data_directory(&scratch.path().join("a/b")), Grade::Ok, "is not there yet and can be made");
    assert!(!scratch.path().join("a").exists(), "the doctor makes nothing");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "and leaves nothing");
    let file = scratch.write("file", "x");
    found(&place::data_directory(file.as_ref()), Grade::Fail, "cannot be written");
}

#[test]
fn a_data_file_is_absent_or_sound_or_damaged() {
    let scratch = Scratch::new();
    let path = scratch.path().join("deskbell.db");
    found(&place::data_file(&path), Grade::Ok, "is not there yet");
    assert!(!path.exists(), "the doctor makes nothing");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    found(&place::data_file(&path), Grade::Ok, "is sound");
    drop(connection);
    std::fs::write(&path, "no database at all, and long enough to be looked at".repeat(100)).unwrap();
    found(&place::data_file(&path), Grade::Fail, "from the last backup");
}

#[test]
fn the_files_and_the_clock_are_judged() {
    assert!(place::open_file_limit().is_some_and(|limit| limit > 0));
    let cases = [
        (None, 10, Grade::Warn, "not known"),
        (Some(256), 10, Grade::Fail, "at most 156 connections"),
        (Some(4_096), 100_000, Grade::Warn, "fewer than limit.connections = 100000"),
        (Some(4_096), 0, Grade::Ok, "4096 files"),
        (Some(u64::MAX), 100_000, Grade::Ok, "any number"),
    ];
    for (limit, connections, grade, part) in cases {
        found(&place::open_files(limit, connections), grade, part);
    }
    found(&place::clock(0), Grade::Fail, "wrong by years");
    found(&place::clock(5_000_000_000_000), Grade::Fail, "wrong by years");
    found(&place::clock(1_800_000_000_000), Grade::Ok, "is set");
}

#[test]
fn secrets_are_measured_wherever_they_are() {
    let scratch = Scratch::new();
    let data = scratch.path().display().to_string();
    let settings =
        |pairs: &[(&str, &str)]| Settings::of_pairs(&[pairs, &[("data", data.as_str())]].concat()).unwrap();
    found(&secrets::lengths(&settings(&[])), Grade::Ok, "will be made");
    let long = "0123456789abcdef0123456789abcdef";
    found(&secrets::lengths(&settings(&[("app.secret", long)])), Grade::Ok, "is long");
    let short = settings(&[("app.secret", long), ("auth.jwt_secret", "twenty characters...")]);
    found(&secrets::lengths(&short), Grade::Warn, "shorter than 32 characters: auth.jwt_secret:");
    scratch.write("credentials.toml", "id = 1\nkey = \"k\"\nsecret = \"short\"");
    found(&secrets::lengths(&settings(&[])), Grade::Warn, "the secret of app default");
    scratch.write("credentials.toml", "damaged");
    found(&secrets::lengths(&settings(&[])), Grade::Fail, "damaged");
}

#[test]
fn a_certificate_and_its_key_belong_together_or_not() {
    let files = |cert: &str, key: &str| TlsSettings::Files {
        cert: certificates::path(cert),
        key: certificates::path(key),
    };
    found(&secrets::certificate(&TlsSettings::Off), Grade::Ok, "no TLS here");
    found(
        &secrets::certificate(&files("localhost.pem", "localhost.key")),
        Grade::Ok,
        "belong together, 1 in the chain",
    );
    found(&secrets::certificate(&files("localhost.pem", "other.key")), Grade::Fail, "is not the key of");
    found(
        &secrets::certificate(&files("localhost.key", "localhost.key")),
        Grade::Fail,
        "holds no certificate",
    );
    found(&secrets::certificate(&files("localhost.pem", "other.pem")), Grade::Fail, "holds no private key");
    found(&secrets::certificate(&files("missing.pem", "localhost.key")), Grade::Fail, "holds no certificate");
}

/// What the doctor says about a server that answers the upgrade like this; `ACCEPT` is put in by the server.
fn upgraded(raw: &'static str) -> Finding {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/below", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || {
        let mut request = String::new();
        for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", raw] {
            let (mut stream, _) = listener.accept().unwrap();
            request.clear();
            while !request.ends_with("\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(char::from(byte[0]));
            }
            let key =
                request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
            let bytes: Vec<u8> =
                answer.replace("ACCEPT", &upgrade::accept(key)).chars().map(|c| c as u8).collect();
            stream.write_all(&bytes).unwrap();
        }
        request
    });
    let findings = upgrade::through(&url, 1_800_000_000_000);
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /below/v1/ws HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"),
        "{request}"
    );
    assert!(!request.contains("Connection: close"), "{request}");
    assert_eq!(findings[0].grade, Grade::Ok, "{findings:?}");
    findings[1].clone()
}

#[test]
fn the_upgrade_through_an_address_is_judged_step_by_step() {
    let yes = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";
    let cases: [(&'static str, Grade, &str); 9] = [
        ("{YES}\u{81}\u{12}{\"type\":\"welcome\"}", Grade::Ok, "brings the welcome"),
        ("{YES}\u{81}\u{7e}\0\u{12}{\"type\":\"welcome\"}", Grade::Ok, "brings the welcome"),
        ("{YES}\u{81}\u{02}{}", Grade::Warn, "no welcome"),
        ("{YES}", Grade::Fail, "no frame comes"),
        ("{YES}\u{81}\u{7f}\0\0\0\0\0\0\0\0", Grade::Fail, "far too long"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: eA==\r\n\r\n",
            Grade::Fail,
            "wrong Sec-WebSocket-Accept",
        ),
        ("HTTP/1.1 426 Upgrade Required\r\n\r\n", Grade::Fail, "proxy_set_header"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", Grade::Fail, "does not reach Deskbell"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Grade::Fail, "check that it runs"),
    ];
    for (raw, grade, part) in cases {
        let raw: &'static str = Box::leak(raw.replace("{YES}", yes).into_boxed_str());
        found(&upgraded(raw), grade, part);
    }
}

#[test]
fn the_accept_value_is_the_one_of_the_standard() {
    assert_eq!(upgrade::accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn the_whole_examination_ends_with_an_exit_code() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data").display().to_string();
    let empty = scratch.write("empty.toml", "");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let well = deskbell(&[
        "doctor",
        "--config",
        &empty,
        "--listen",
        &free,
        "--data",
        &data,
        "--set",
        "limit.connections=0",
    ]);
    assert_eq!((well.err.as_str(), well.code), ("", 0), "{}", well.out);
    assert!(well.out.starts_with("ok    the configuration is sound\n"), "{}", well.out);
    let file = scratch.write("file", "x");
    let ill = deskbell(&["doctor", "--config", &empty, "--listen", &free, "--data", &file]);
    assert_eq!(ill.code, 1);
    assert!(
        ill.out.contains("\nFAIL  ") && ill.out.contains("\n      make the server's user"),
        "{}",
        ill.out
    );
    assert!(ill.err.ends_with("failed\n"), "{}", ill.err);
    assert_eq!(deskbell(&["doctor", "--url", "nowhere"]).code, 2);
}

#[test]
fn a_ledger_is_absent_or_old_or_sound_or_broken() {
    use crate::store::{Opened, Options, Seed};
    let scratch = Scratch::new();
    assert_eq!(ledger::invariants(scratch.path(), None), [], "no file, no finding");
    let seed = Seed { secret: [1; 32], app_key: [2; 10], app_secret: [3; 20] };
    drop(
        Opened::open(&Options {
            data: scratch.path().to_owned(),
            seed,
            durable_age: 1,
            disk: None,
            shared: None,
        })
        .unwrap(),
    );
    found(&ledger::invariants(scratch.path(), None)[0], Grade::Ok, "the ledger is sound: 0 changes");
    let file = scratch.path().join("deskbell.db");
    let damage = |sql| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    damage(
        "INSERT INTO apps (app) VALUES (1); INSERT INTO claims VALUES (1, 'room', 1, 1, 'r_1', 0, 2, 1, 0, NULL, 0)",
    );
    found(&ledger::invariants(scratch.path(), None)[0], Grade::Fail, "`claims` has 1 rows where 0 belong");
    damage("PRAGMA user_version = 1");
    found(&ledger::invariants(scratch.path(), None)[0], Grade::Warn, "is of the older version 1");
}

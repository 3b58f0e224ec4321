//! Each command: what it asks, what it prints, how it ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::remote::own_url;
use super::{Answering, Scratch, answer, deskbell};
use crate::config::Settings;

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn send_publishes_with_the_secret_and_prints_id_and_cursor() {
    let server = Answering::with(vec![answer("200 OK", r#"{"id":"e1","cursor":"c1"}"#)]);
    let url = server.url();
    let ran = deskbell(&[
        "send",
        "room.7",
        "moved",
        r#"{"n":1.10}"#,
        "--id",
        "x}",
        "--url",
        &url,
        "--secret",
        "s3",
    ]);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), ("e1 c1\n", "", 0));
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /v1/publish HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nAuthorization: Bearer s3\r\n"), "{request}");
    assert!(request.ends_with(r#""data":{"n":1.10}}"#), "the bytes go out as typed: {request}");
    assert_eq!(
        body(&request),
        json!({"channel": "room.7", "name": "moved", "data": {"n": 1.10}, "id": "x}"})
    );
}

#[test]
fn send_takes_text_only_when_told_to() {
    let server = Answering::with(vec![answer("200 OK", "{}")]);
    let url = server.url();
    let wrong = deskbell(&["send", "a", "b", "hello", "--url", &url, "--secret", "s"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("use --text to send plain text"), "{}", wrong.err);
    let ran = deskbell(&["send", "a", "b", "hello", "--text", "--url", &url, "--secret", "s"]);
    assert_eq!(ran.code, 0);
    assert_eq!(body(&server.requests()[0])["data"], json!("hello"));
}

#[test]
fn the_secret_comes_from_the_configuration_or_the_file_of_the_first_start() {
    let scratch = Scratch::new();
    let data = scratch.path().display().to_string();
    let empty = scratch.write("empty.toml", "");
    let server = Answering::with(vec![answer("200 OK", "{}"), answer("200 OK", "{}")]);
    let url = server.url();
    let status = |config: &str| deskbell(&["status", "--url", &url, "--config", config, "--data", &data]);
    let none = status(&empty);
    assert_eq!(none.code, 2);
    assert!(none.err.starts_with("no secret: ") && none.err.contains("DESKBELL_APP_SECRET"), "{}", none.err);
    scratch.write("credentials.toml", "id = 1001\nkey = \"k\"\nsecret = \"of-the-first-start\"\n");
    assert_eq!(status(&empty).code, 0);
    assert_eq!(status(&scratch.write("own.toml", "app.secret = \"of-the-configuration\"")).code, 0);
    scratch.write("credentials.toml", "secret = \"hunter2\"\n");
    let damaged = status(&empty);
    assert!(damaged.code == 1 && damaged.err.contains("holds no id, key and secret"), "{}", damaged.err);
    assert!(!damaged.err.contains("hunter2"));
    let requests = server.requests();
    assert!(requests[0].contains("Bearer of-the-first-start\r\n"), "{}", requests[0]);
    assert!(requests[1].contains("Bearer of-the-configuration\r\n"), "{}", requests[1]);
}

#[test]
fn without_a_url_the_configured_address_is_asked() {
    let server = Answering::with(vec![answer("200 OK", "{}")]);
    let listen = format!("0.0.0.0:{}", server.addr.port());
    assert_eq!(deskbell(&["status", "--listen", &listen, "--secret", "s"]).code, 0);
    server.requests();
    for (listen, url) in [
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:81", "http://[::1]:81"),
        ("10.0.0.7:81", "http://10.0.0.7:81"),
    ] {
        let settings = Settings::of_pairs(&[("listen", listen)]).unwrap();
        assert_eq!(own_url(&settings).unwrap().to_string(), url);
    }
    let tls = deskbell(&["status", "--set", "tls.acme.domains=a.example", "--secret", "s"]);
    assert!(tls.code == 2 && tls.err.contains("--url https://NAME"), "{}", tls.err);
}

#[test]
fn status_prints_one_number_a_line() {
    let stats = r#"{"connections":{"now":3,"by_dialect":{"native":2}},"name":"a b"}"#;
    let server = Answering::with(vec![answer("200 OK", stats), answer("200 OK", stats)]);
    let url = server.url();
    let ran = deskbell(&["status", "--url", &url, "--secret", "s"]);
    let expected = "connections.by_dialect.native  2\nconnections.now                3\nname                           \"a b\"\n";
    assert_eq!((ran.out.as_str(), ran.code), (expected, 0));
    assert_eq!(deskbell(&["status", "--json", "--url", &url, "--secret", "s"]).out, format!("{stats}\n"));
    assert!(server.requests()[0].starts_with("GET /v1/stats HTTP/1.1\r\n"));
}

#[test]
fn holds_are_printed_one_a_line_over_all_pages_and_released_by_id() {
    let hold = |id: &str| {
        format!(
            r#"{{"id":"{id}","state":"held","holder":"user:7","fence":4,"ttl_ms":61000,"email":"a@b.test",
                "claims":[{{"resource":"dr-7","start":1795683600000,"end":1795687200000,"units":1}}]}}"#
        )
    };
    let first = format!(r#"{{"reservations":[{}],"next":"r_1","now":1,"position":9}}"#, hold("r_1"));
    let second = format!(r#"{{"reservations":[{}],"now":1,"position":9}}"#, hold("r_2"));
    let released = r#"{"reservation":{"id":"r_1","state":"released"}}"#;
    let pages = [first.as_str(), &second, released, r#"{"reservations":[]}"#];
    let server = Answering::with(pages.iter().map(|page| answer("200 OK", page)).collect());
    let url = server.url();
    let ran = deskbell(&["holds", "--user", "7", "--url", &url, "--secret", "s"]);
    let rest = "holder=user:7 ends_in=61s fence=4 dr-7[2026-11-26T09:00:00Z/2026-11-26T10:00:00Z)x1";
    assert_eq!(ran.out, format!("r_1 {rest}\nr_2 {rest}\n"), "no address of anybody");
    assert_eq!(
        deskbell(&["holds", "release", "r_1", "--url", &url, "--secret", "s"]).out,
        "r_1 is released\n"
    );
    assert_eq!(deskbell(&["holds", "--url", &url, "--secret", "s"]).out, "nothing is held\n");
    assert_eq!(deskbell(&["holds", "release", "../x", "--url", &url, "--secret", "s"]).code, 2);
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /v1/holds?limit=500&user=7 HTTP/1.1\r\n"));
    assert!(requests[1].starts_with("GET /v1/holds?limit=500&user=7&after=r_1 HTTP/1.1\r\n"));
    assert!(requests[2].starts_with("POST /v1/holds/r_1/release HTTP/1.1\r\n"));
}

#[test]
fn sessions_prints_one_a_line() {
    let list = r#"{"sessions":[{"session":"s1","user":"u 1"},{"session":"s2","user":null}]}"#;
    let server = Answering::with(vec![answer("200 OK", list), answer("200 OK", "[]")]);
    let url = server.url();
    let ran = deskbell(&["sessions", "--url", &url, "--secret", "s"]);
    assert_eq!(ran.out, "session=s1 user=\"u 1\"\nsession=s2 user=null\n");
    assert_eq!(deskbell(&["sessions", "--url", &url, "--secret", "s"]).out, "no sessions\n");
    assert!(server.requests()[0].starts_with("GET /v1/sessions HTTP/1.1\r\n"));
}

#[test]
fn health_is_an_exit_code() {
    let server = Answering::with(vec![
        answer("200 OK", "ok"),
        answer("200 OK", "ok"),
        answer("200 OK", "ok"),
        answer("503 Draining", "draining"),
    ]);
    let url = server.url();
    let well = deskbell(&["health", "--url", &url]);
    assert_eq!((well.out.as_str(), well.code), (format!("{url} is well and ready\n").as_str(), 0));
    let draining = deskbell(&["health", "--url", &url]);
    assert_eq!(draining.code, 1);
    assert_eq!(draining.err, format!("{url} lives but takes no work now: /readyz answers 503 draining\n"));
    let asked: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(asked[..2], ["GET /healthz HTTP/1.1", "GET /readyz HTTP/1.1"]);
    assert_eq!(deskbell(&["health", "--url", &url]).code, 1, "nobody is there any more");
}

fn stream(messages: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{messages}")
}

fn event(channel: &str, id: &str, data: &str, cursor: &str) -> String {
    let frame = format!(
        r#"{{"type":"event","channel":"{channel}","name":"n","id":"{id}","data":{data},"cursor":"{cursor}"}}"#
    );
    format!("id: {cursor}\ndata: {frame}\n\n")
}

#[test]
fn tail_prints_events_and_goes_on_after_a_rotation_where_it_was() {
    let welcome = ": hello\n\ndata: {\"type\":\"welcome\",\"session\":\"s\"}\n\n";
    let first = format!("{welcome}{}", event("a", "1", r#"{"x":1}"#, "c1"));
    let reset =
        "id: c2\ndata: {\"type\":\"reset\",\"channel\":\"a\",\"reason\":\"epoch\",\"cursor\":\"c2\"}\n\n";
    let second = format!("{reset}{}{}", event("b;c", "2", "null", "c3"), event("a", "3", "4", "c4"));
    let server = Answering::with(vec![stream(&first), stream(&second)]);
    let url = server.url();
    let ran = deskbell(&["tail", "a", "b;c", "--count", "2", "--url", &url, "--secret", "s"]);
    let expected = "a n 1 {\"x\":1}\n# reset a: epoch; events may be missing here\nb;c n 2 null\n";
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), (expected, "", 0));
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /v1/stream?channels=a,b%3Bc HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(!requests[0].contains("Last-Event-ID"));
    assert!(requests[1].contains("\r\nLast-Event-ID: c1\r\n"), "{}", requests[1]);
}

#[test]
fn tail_follows_everything_and_prints_json_when_told_to() {
    let server = Answering::with(vec![stream(&event("a", "1", "true", "c1"))]);
    let url = server.url();
    let ran = deskbell(&["tail", "--all", "--json", "--count", "1", "--url", &url, "--secret", "s"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["data"], json!(true));
    assert!(server.requests()[0].starts_with("GET /v1/stream?channels=* HTTP/1.1\r\n"));
    assert_eq!(deskbell(&["tail", "--url", &url, "--secret", "s"]).code, 2, "no channel and not --all");
}

#[test]
fn tail_tries_again_when_a_server_it_knew_is_in_trouble_and_stops_when_it_is_refused() {
    let server = Answering::with(vec![
        stream(&event("a", "1", "1", "c1")),
        answer("503 Draining", "{}"),
        answer("403 No", r#"{"code":"denied","detail":"Not for you."}"#),
    ]);
    let url = server.url();
    let ran = deskbell(&["tail", "a", "--url", &url, "--secret", "s"]);
    let expected = format!("{url} refused: 503; trying again\n{url} refused: 403: denied: Not for you.\n");
    assert_eq!((ran.out.as_str(), ran.err, ran.code), ("a n 1 1\n", expected, 1));
    server.requests();
    let gone = deskbell(&["tail", "a", "--url", &url, "--secret", "s"]);
    assert!(gone.code == 1 && gone.err.starts_with("cannot reach "), "{}", gone.err);
}

#[test]
fn a_token_is_signed_and_carries_the_claims_of_the_configuration() {
    let scratch = Scratch::new();
    let file = scratch.write(
        "t.toml",
        "auth.user_claim = \"id\"\nauth.issuer = \"me\"\nauth.jwt_secret = \"of-the-file-of-the-file\"",
    );
    let words =
        ["token", "--user", "u7", "--role", "staff", "--role", "admin", "--ttl", "10m", "--config", &file];
    let ran = deskbell(&words);
    assert_eq!((ran.err.as_str(), ran.code), ("", 0));
    let parts: Vec<&str> = ran.out.trim().split('.').collect();
    let decoded =
        |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(decoded(parts[0]), json!({"alg": "HS256", "typ": "JWT"}));
    let claims = decoded(parts[1]);
    assert_eq!(
        (&claims["id"], &claims["iss"], &claims["roles"]),
        (&json!("u7"), &json!("me"), &json!(["staff", "admin"]))
    );
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"of-the-file-of-the-file");
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    assert!(ring::hmac::verify(&key, signed.as_bytes(), &signature).is_ok(), "another implementation agrees");
    assert_eq!(deskbell(&["token", "--user", "u", "--secret", "s", "--ttl", "10"]).code, 2);
    assert_eq!(deskbell(&["token", "--user", "", "--secret", "s"]).code, 2);
}

#[test]
fn check_says_what_stands_and_what_does_not() {
    let scratch = Scratch::new();
    let good = scratch.write("good.toml", "listen = \"127.0.0.1:9\"\napp.secret = \"short\"");
    let ran = deskbell(&["check", "--config", &good, "--data", "d"]);
    let expected = "warning: app.secret is shorter than 16 characters and can be guessed; make it longer\n\
                    the configuration is sound: 1 app, listens on 127.0.0.1:9, data in d\n";
    assert_eq!((ran.out.as_str(), ran.code), (expected, 0));
    let bad = scratch.write("bad.toml", "\nlimit.frame = \"64 KB\"");
    let ran = deskbell(&["check", "--config", &bad]);
    let expected =
        format!("{bad}:2: limit.frame: \"64 KB\" is no size; write 64KiB, 1MiB or a number of bytes\n");
    assert_eq!((ran.err, ran.code), (expected, 2));
}

#[test]
fn flags_set_options_before_and_after_serve() {
    let scratch = Scratch::new();
    let empty = scratch.write("empty.toml", "");
    let words = [
        "--config",
        &empty,
        "--listen",
        "127.0.0.1:1",
        "--listen",
        "127.0.0.1:2",
        "--dev",
        "--shards",
        "3",
        "--log-level",
        "debug",
        "--set",
        "limit.rate=7",
        "--set",
        "shards=9",
    ];
    let shown = deskbell(&[&["config"], words.as_slice()].concat());
    for line in [
        "listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]    # flag --listen",
        "dev = true    # flag --dev",
        "shards = 3    # flag --shards",
        "log.level = \"debug\"    # flag --log-level",
        "limit.rate = 7    # flag --set",
    ] {
        assert!(shown.out.contains(&format!("{line}\n")), "{line} in {}", shown.out);
    }
    let file = scratch.write("dev.toml", "dev = true");
    let shown = deskbell(&["config", "--config", &file]).out;
    assert!(
        shown.contains(&format!("dev = true    # {file}:1\n")),
        "a flag that is not there sets nothing: {shown}"
    );
    for serve in [[].as_slice(), ["serve"].as_slice()] {
        let ran = deskbell(&[serve, ["--config", &empty, "--listen", "nowhere"].as_slice()].concat());
        assert!(
            ran.code == 2 && ran.err.starts_with("flag --listen: listen.addr: \"nowhere\""),
            "{}",
            ran.err
        );
    }
    assert_eq!(deskbell(&["serve", "--set", "limit.rate"]).code, 2);
    assert_eq!(deskbell(&["--dev", "status"]).code, 2, "flags stand behind the command they are for");
}

#[test]
fn the_pages_the_help_and_the_completions_are_printed() {
    assert!(deskbell(&["config", "--markdown"]).out.starts_with("# Configuration\n"));
    assert!(deskbell(&["config", "--example"]).out.starts_with("# Deskbell: "));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = deskbell(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("doctor") && ran.out.contains("log-level"), "{shell}");
    }
    let help = deskbell(&["--help"]);
    assert_eq!(help.code, 0);
    let commands = [
        "serve",
        "check",
        "config",
        "token",
        "send",
        "tail",
        "status",
        "sessions",
        "holds",
        "health",
        "doctor",
        "completions",
    ];
    for command in commands {
        assert!(help.out.contains(&format!("  {command} ")), "{command} in {}", help.out);
        assert_eq!(deskbell(&[command, "--help"]).code, 0, "{command}");
    }
    assert_eq!(deskbell(&["nonsense"]).code, 2);
}

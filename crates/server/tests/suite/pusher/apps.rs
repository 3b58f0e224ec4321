//! Apps that are added, changed and taken away while the server runs.

use std::path::Path;

use super::*;

pub const OPERATOR: &str = "the-secret-of-whoever-runs-this-server";
const ROUTE: &str = "/v1/apps";

/// How a server with an operator is started.
fn with_operator() -> Start {
    Start::with(&format!("operator.secret = \"{OPERATOR}\"\n"))
}

/// A request of the operator.
pub fn operate(server: &Server, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {OPERATOR}");
    let body = body.map(ToString::to_string);
    request(server, method, path, &[("Authorization", &bearer)], body.as_deref())
}

/// An event for a channel of an app, by the bearer of its secret.
fn trigger_as(server: &Server, id: u64, secret: &str, data: &str) -> Answer {
    let body = json!({"name": "told", "channels": ["room"], "data": data}).to_string();
    let bearer = format!("Bearer {secret}");
    let path = format!("/apps/{id}/events");
    request(server, "POST", &path, &[("Authorization", &bearer)], Some(&body))
}

/// A client of an app that listens to a channel.
pub fn listener(server: &Server, key: &str) -> Ws {
    let mut ws = Pusher::knock(server, &format!("/app/{key}"));
    assert_eq!(ws.next()["event"], "pusher:connection_established");
    ws.send(&json!({"event": "pusher:subscribe", "data": {"channel": "room"}}));
    assert_eq!(ws.next()["event"], "pusher_internal:subscription_succeeded");
    ws
}

fn close_code_of(server: &Server, key: &str) -> Option<u16> {
    Pusher::knock(server, &format!("/app/{key}")).until_closed().code
}

fn text_of<'a>(answer: &'a Value, path: &str) -> &'a str {
    answer.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no {path} in {answer}"))
}

#[test]
fn an_app_that_is_added_serves_at_once_and_after_every_start() {
    let server = Server::start(with_operator());
    let made = operate(&server, "POST", ROUTE, Some(&json!({"name": "Clinic"})));
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let id = made["app"]["id"].as_u64().unwrap();
    let (key, secret) = (text_of(&made, "/app/key").to_owned(), text_of(&made, "/secret").to_owned());
    assert_eq!((id, key.len(), secret.len()), (1002, 20, 40), "{made}");
    let mut client = listener(&server, &key);
    assert_eq!(trigger_as(&server, id, &secret, "one").text(), "{}");
    assert_eq!(client.next()["data"], "one");
    // Its own secret opens its own app only, and not the operator's routes.
    assert_eq!(trigger_as(&server, 1001, &secret, "two").status, 401);
    let bearer = format!("Bearer {secret}");
    assert_eq!(request(&server, "GET", ROUTE, &[("Authorization", &bearer)], None).status, 401);
    assert_eq!(trigger_as(&server, id, &secret, "three").status, 200);
    assert_eq!(client.next()["data"], "three");
    let read = operate(&server, "GET", &format!("{ROUTE}/{id}"), None);
    assert_eq!((read.status, &read.json()["app"]), (200, &made["app"]));
    assert!(!read.text().contains(&secret), "a secret is shown once");
    let listed = operate(&server, "GET", ROUTE, None).json();
    assert_eq!(listed["apps"][0]["stored"], false, "{listed}");
    assert_eq!(listed["apps"][1], made["app"], "{listed}");
    for restart in [Server::stop_and_restart, Server::crash_and_restart] {
        let server = restart(Server::start(with_operator()));
        let made = operate(&server, "PUT", "/v1/apps/77", Some(&json!({"key": "seventy-seven"}))).json();
        let secret = text_of(&made, "/secret").to_owned();
        let server = restart(server);
        let mut client = listener(&server, "seventy-seven");
        assert_eq!(trigger_as(&server, 77, &secret, "again").status, 200);
        assert_eq!(client.next()["data"], "again");
        assert_eq!(server.problems(), [""; 0]);
    }
}

#[test]
fn a_change_counts_at_once() {
    let server = Server::start(with_operator());
    let made = operate(&server, "PUT", "/v1/apps/7", Some(&json!({"key": "seven"}))).json();
    let old = text_of(&made, "/secret").to_owned();
    let other = "another secret?-no-this-one";
    let bad = operate(&server, "PUT", "/v1/apps/7", Some(&json!({"secret": other})));
    assert_eq!((bad.status, text_of(&bad.json(), "/code")), (400, "bad_field"), "it has spaces");
    let other = other.replace(' ', "-");
    let changed = operate(&server, "PUT", "/v1/apps/7", Some(&json!({"secret": other})));
    assert_eq!((changed.status, changed.json()["secret"].as_str()), (200, Some(&*other)));
    assert_eq!(trigger_as(&server, 7, &old, "old").status, 401);
    assert_eq!(trigger_as(&server, 7, &other, "new").status, 200);
    // What is left out of a change is as for all apps; the secret alone stays.
    let full = json!({"pusher": {"connections": 1}});
    assert!(operate(&server, "PUT", "/v1/apps/7", Some(&full)).json().get("secret").is_none());
    let _only = listener(&server, "seven");
    assert_eq!(close_code_of(&server, "seven"), Some(4004));
    let off = json!({"pusher": {"enabled": false}});
    assert_eq!(operate(&server, "PUT", "/v1/apps/7", Some(&off)).status, 200);
    assert_eq!(close_code_of(&server, "seven"), Some(4003));
    assert_eq!(trigger_as(&server, 7, &other, "off").status, 403);
    assert_eq!(operate(&server, "PUT", "/v1/apps/7", None).status, 200);
    let mut client = listener(&server, "seven");
    assert_eq!(trigger_as(&server, 7, &other, "on").status, 200);
    assert_eq!(client.next()["data"], "on");
}

#[test]
fn an_app_that_is_taken_away_ends_its_connections_for_good_and_no_others() {
    let server = Server::start(with_operator());
    let body = json!({"key": "short", "secret": "a-secret-that-is-known-here"});
    operate(&server, "PUT", "/v1/apps/9", Some(&body));
    let mut client = listener(&server, "short");
    let mut native = Ws::open(&server, "/v1/ws?app=short");
    let mut other = listener(&server, "test-key");
    let gone = operate(&server, "DELETE", "/v1/apps/9", None);
    assert_eq!((gone.status, gone.json()["app"]["key"].as_str()), (200, Some("short")));
    // pusher-js does not come back after 4001, and our own clients not after 4404.
    assert_eq!(client.until_closed().code, Some(4001));
    assert_eq!(native.until_closed().code, Some(4404));
    assert_eq!(close_code_of(&server, "short"), Some(4001));
    assert_eq!(trigger_as(&server, 9, "a-secret-that-is-known-here", "late").status, 401);
    assert_eq!(operate(&server, "DELETE", "/v1/apps/9", None).status, 404);
    assert_eq!(trigger(&server, "room", "told", &json!("still")).status, 200);
    assert_eq!(other.next()["event"], "told");
    let server = server.stop_and_restart();
    assert_eq!(close_code_of(&server, "short"), Some(4001));
    // The number may come back under another key, twice on one server.
    for key in ["long", "longer"] {
        let again = json!({"key": key, "secret": "a-secret-that-is-known-here"});
        assert_eq!(operate(&server, "PUT", "/v1/apps/9", Some(&again)).status, 200);
        let mut client = listener(&server, key);
        assert_eq!(trigger_as(&server, 9, "a-secret-that-is-known-here", key).status, 200);
        assert_eq!(client.next()["data"], key);
        assert_eq!(operate(&server, "DELETE", "/v1/apps/9", None).status, 200);
        assert_eq!(client.until_closed().code, Some(4001));
    }
}

#[test]
fn what_cannot_be_an_app_is_refused_with_a_sentence() {
    let server = Server::start(with_operator());
    let made = operate(&server, "PUT", "/v1/apps/5", Some(&json!({"key": "five"})));
    assert_eq!(made.status, 200, "{}", made.text());
    for (method, path, body, status, code) in [
        ("POST", "/v1/apps", json!({"id": 5}), 409, "conflict"),
        ("POST", "/v1/apps", json!({"id": 1001}), 409, "conflict"),
        ("POST", "/v1/apps", json!({"key": "five"}), 409, "conflict"),
        ("POST", "/v1/apps", json!({"key": "test-key"}), 409, "conflict"),
        ("PUT", "/v1/apps/5", json!({"key": "six"}), 409, "conflict"),
        ("PUT", "/v1/apps/1001", json!({}), 409, "conflict"),
        ("DELETE", "/v1/apps/1001", json!({}), 409, "conflict"),
        ("POST", "/v1/apps", json!({"id": 0}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"id": 4_294_967_296_u64}), 400, "bad_field"),
        ("PUT", "/v1/apps/5", json!({"id": 6}), 400, "bad_field"),
        ("PUT", "/v1/apps/five", json!({}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"key": ""}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"key": "a/b"}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"key": "k".repeat(129)}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"secret": "fifteen-letters"}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"name": "two\nlines"}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"members": 0}}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"data": 1023}}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"channels": 1001}}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"batch": 0}}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"auth_url": "ftp://x"}}), 400, "bad_field"),
        ("POST", "/v1/apps", json!({"pusher": {"colour": 1}}), 400, "bad_field"),
        ("GET", "/v1/apps/6", json!({}), 404, "not_found"),
        ("DELETE", "/v1/apps/6", json!({}), 404, "not_found"),
    ] {
        let answer = operate(&server, method, path, Some(&body));
        let told = (answer.status, answer.json()["code"].as_str().map(str::to_owned));
        assert_eq!(told, (status, Some(code.to_owned())), "{method} {path} {body}: {}", answer.text());
    }
    let listed = operate(&server, "GET", ROUTE, None).json();
    assert_eq!(listed["apps"].as_array().unwrap().len(), 2, "nothing was added: {listed}");
    // Without an operator nobody may, the first app's backend included.
    let server = Server::start(Start::default());
    assert_eq!(server.api("GET", ROUTE, None).status, 403);
    assert_eq!(server.api("POST", ROUTE, Some(&json!({}))).status, 403);
}

#[test]
fn an_app_in_two_places_stops_the_start_with_a_way_out() {
    let mut server = Server::start(with_operator());
    operate(&server, "PUT", "/v1/apps/5", Some(&json!({"key": "five"})));
    server.stop();
    let url = server.shared();
    let secret = "a secret that is long enough to be one";
    for (id, key, what) in [(5, "other", "number"), (6, "five", "key")] {
        let config = format!("[[apps]]\nid = {id}\nkey = \"{key}\"\nsecret = \"{secret}\"\n");
        let file = server.data.join("two.toml");
        std::fs::write(&file, config).unwrap();
        let mut start = Start::default().flag("--config").flag(file.to_str().unwrap());
        start.env.extend(url.iter().map(|url| ("DESKBELL_LEDGER".to_owned(), url.0.clone())));
        let data: &Path = &server.data;
        let (status, said) = Server::refusal(&start, data, "127.0.0.1:0");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("the app 5 is stored") && said.contains(what), "{said}");
        assert!(said.contains("DELETE /v1/apps/5"), "{said}");
    }
}

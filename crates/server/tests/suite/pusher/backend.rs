//! The HTTP API as the libraries of backends speak it.

use std::process::{Command, Stdio};

use deskbell_wire::signature::{Request, sign};

use super::*;

/// Another app than the one that every server has.
pub(super) const SECOND: &str =
    "[[apps]]\nid = 1002\nkey = \"second\"\nsecret = \"a secret that is long enough to be one\"\n";

/// How a request is signed.
pub(super) struct By<'a> {
    pub(super) key: &'a str,
    pub(super) secret: &'a str,
    /// Seconds from now.
    pub(super) at: i64,
}

/// As the first app's own backend.
pub(super) const OWN: By<'static> = By { key: "test-key", secret: SECRET, at: 0 };

/// Asks as a library does: it signs the path that it knows, which begins with `/apps/` or `/users/`.
pub(super) fn ask(server: &Server, by: &By<'_>, method: &str, path: &str, query: &str, body: &str) -> Answer {
    let known = path.find("/apps/").or(path.find("/users/")).map_or(path, |at| &path[at..]);
    let now = (in_seconds(by.at) * 1_000) as u64;
    let wish = Request { method, path: known, query, body: body.as_bytes() };
    let signed = sign(&wish, by.key, by.secret.as_bytes(), now);
    request(server, method, &format!("{path}?{signed}"), &[], (!body.is_empty()).then_some(body))
}

/// The body of a trigger.
pub(super) fn event(more: &Value) -> String {
    let mut event = json!({"name": "e", "channels": ["a"], "data": "{}"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string()
}

#[test]
fn a_request_is_taken_or_refused_with_the_status_that_says_why() {
    let server = Server::start(Start::with(SECOND));
    let names = |count: usize| json!({"channels": (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>()});
    let batch =
        |count: usize| json!({"batch": vec![json!({"channel": "a", "name": "e", "data": "1"}); count]});
    let second = By { key: "second", secret: "a secret that is long enough to be one", at: 0 };
    let (events, batches) = ("/apps/1001/events", "/apps/1001/batch_events");
    for (status, by, path, body) in [
        (200, OWN, events, event(&json!({}))),
        (200, OWN, "/some/prefix/apps/1001/events", event(&json!({}))),
        (200, OWN, events, event(&names(100))),
        (400, OWN, events, event(&names(101))),
        (400, OWN, events, event(&json!({"name": "pusher:x"}))),
        (400, OWN, events, event(&json!({"name": "pusher_internal:x"}))),
        (400, OWN, events, event(&json!({"channels": ["a b"]}))),
        (400, OWN, events, event(&json!({"channels": ["#other"]}))),
        (400, OWN, events, event(&json!({"channels": ["private-encrypted-a", "b"]}))),
        (400, OWN, events, event(&json!({"socket_id": "nonsense"}))),
        (400, OWN, events, event(&json!({"info": "does-not-exist"}))),
        (400, OWN, events, "[]".to_owned()),
        (200, OWN, events, event(&json!({"data": "x".repeat(10_240)}))),
        (413, OWN, events, event(&json!({"data": "x".repeat(10_241)}))),
        (401, By { secret: "wrong", ..OWN }, events, event(&json!({}))),
        (401, By { key: "unknown", ..OWN }, events, event(&json!({}))),
        (401, second, events, event(&json!({}))),
        (404, OWN, "/apps/4242/events", event(&json!({}))),
        (401, By { at: -700, ..OWN }, events, event(&json!({}))),
        (401, By { at: 700, ..OWN }, events, event(&json!({}))),
        (200, By { at: -500, ..OWN }, events, event(&json!({}))),
        (200, OWN, batches, batch(10).to_string()),
        (400, OWN, batches, batch(11).to_string()),
        (200, OWN, "/users/7/terminate_connections", "{}".to_owned()),
    ] {
        let answer = ask(&server, &by, "POST", path, "", &body);
        assert_eq!(answer.status, status, "{path} {}: {answer:?}", &body[..body.len().min(80)]);
        if status == 200 {
            assert_eq!(answer.json(), json!({}));
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    // A clock that is wrong is told the right time.
    let late = ask(&server, &By { at: -700, ..OWN }, "POST", events, "", &event(&json!({})));
    let told = late.json()["detail"].as_str().unwrap().to_owned();
    assert!(told.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() == 10), "{told}");
    // Nor may the path, the query or the body be others than those that were signed.
    let now = (in_seconds(0) * 1_000) as u64;
    let body = event(&json!({}));
    let wish = Request { method: "POST", path: events, query: "", body: body.as_bytes() };
    let signed = sign(&wish, "test-key", SECRET.as_bytes(), now);
    for (path, body) in [
        (format!("/apps/1001/batch_events?{signed}"), event(&json!({}))),
        (format!("{events}?{signed}&more=1"), event(&json!({}))),
        (format!("{events}?{signed}"), event(&json!({"name": "other"}))),
    ] {
        assert_eq!(request(&server, "POST", &path, &[], Some(&body)).status, 401, "{path}");
    }
}

#[test]
fn questions_are_answered_in_the_form_that_every_library_reads() {
    let server = Server::start(Start::default());
    let get = |path: &str, query: &str| ask(&server, &OWN, "GET", path, query, "");
    assert_eq!(get("/apps/1001/channels", "").json(), json!({"channels": {}}), "an object, also when empty");
    // One library signs the hash of no body along with every question.
    let answer = get("/apps/1001/channels", "body_md5=d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(get("/apps/1001/channels/nobody", "").json(), json!({"occupied": false}));
    let (mut one, mut two) = (Pusher::open(&server), Pusher::open(&server));
    for client in [&mut one, &mut two] {
        client.subscribe("news");
        client.enter("presence-room", r#"{"user_id":1}"#);
    }
    one.subscribe("cache-a");
    assert_eq!(get("/apps/1001/channels", "filter_by_prefix=new").json(), json!({"channels": {"news": {}}}));
    let counted = get("/apps/1001/channels", "filter_by_prefix=presence-&info=user_count").json();
    assert_eq!(counted, json!({"channels": {"presence-room": {"user_count": 1}}}));
    let one_of = get("/apps/1001/channels/news", "info=subscription_count").json();
    assert_eq!(one_of, json!({"occupied": true, "subscription_count": 2}));
    assert_eq!(get("/apps/1001/channels/presence-room/users", "").json(), json!({"users": [{"id": "1"}]}));
    assert_eq!(get("/apps/1001/channels/presence-none/users", "").json(), json!({"users": []}));
    assert_eq!(
        get("/apps/1001/channels/cache-a", "info=cache").json(),
        json!({"occupied": true, "cache": null})
    );
    trigger(&server, "cache-a", "e", &json!({"n": 1}));
    let cached = get("/apps/1001/channels/cache-a", "info=cache").json();
    assert_eq!(cached["cache"]["data"], "{\"n\":1}");
    assert!(cached["cache"]["ttl"].as_u64().is_some_and(|ttl| ttl <= 1_800), "{cached}");
    for (path, query) in [
        ("/apps/1001/channels", "info=user_count"),
        ("/apps/1001/channels/news", "info=user_count"),
        ("/apps/1001/channels/news", "info=does-not-exist"),
        ("/apps/1001/channels/news/users", ""),
    ] {
        assert_eq!(get(path, query).status, 400, "{path} {query}");
    }
    let no = get("/apps/1001/channels/news", "info=does-not-exist").text();
    assert!(no.contains("info should be a comma separated list of attributes"), "{no}");
    let info =
        json!({"channels": ["news", "presence-room", "nobody"], "info": "user_count,subscription_count"});
    let told = ask(&server, &OWN, "POST", "/apps/1001/events", "", &event(&info)).json();
    let expected = json!({"channels": {
        "news": {"subscription_count": 2}, "nobody": {"subscription_count": 0},
        "presence-room": {"user_count": 1, "subscription_count": 2},
    }});
    assert_eq!(told, expected);
    let batch = json!({"batch": [
        {"channel": "news", "name": "e", "data": "1", "info": "subscription_count"},
        {"channel": "news", "name": "e", "data": "2"},
    ]});
    let told = ask(&server, &OWN, "POST", "/apps/1001/batch_events", "", &batch.to_string()).json();
    assert_eq!(told, json!({"batch": [{"subscription_count": 2}, {}]}));
}

#[test]
fn the_socket_that_sent_something_is_left_out_on_whichever_shard_it_is() {
    let server = Server::start(Start::default().flag("--set").flag("shards=4"));
    let mut clients: Vec<Pusher> = (0..8).map(|_| Pusher::open(&server)).collect();
    for client in &mut clients {
        client.subscribe("news");
    }
    for (n, client) in clients.iter().enumerate() {
        let body = event(&json!({"channels": ["news"], "data": n.to_string(), "socket_id": client.socket}));
        assert_eq!(ask(&server, &OWN, "POST", "/apps/1001/events", "", &body).status, 200);
    }
    for (own, client) in clients.iter_mut().enumerate() {
        for n in (0..8).filter(|n| *n != own) {
            assert_eq!(client.expect("e")["data"], n, "of {own}");
        }
        client.expect_nothing();
    }
}

#[test]
fn whoever_tails_sees_each_trigger_as_laravels_log_driver_would_write_it() {
    let server = Server::start(Start::default());
    let tail = Command::new(env!("CARGO_BIN_EXE_deskbell"))
        .args([
            "tail",
            "--all",
            "--count",
            "2",
            "--url",
            &format!("http://{}", server.address),
            "--secret",
            SECRET,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it listens", || server.stats()["connections"] == 1);
    trigger(&server, "private-orders.7", r"App\Events\OrderShipped", &json!({"order": 7}));
    trigger(&server, "news", "greeting", &json!("Good morning"));
    let said = String::from_utf8(tail.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.splitn(4, ' ').collect()).collect();
    // The third word is the event's id.
    let shown: Vec<[&str; 3]> = lines.iter().map(|words| [words[0], words[1], words[3]]).collect();
    let expected = [
        ["private-orders.7", r"App\Events\OrderShipped", r#"{"order":7}"#],
        ["news", "greeting", "\"Good morning\""],
    ];
    assert_eq!(shown, expected);
}

#[test]
fn whoever_guesses_an_apps_secret_has_to_wait_and_its_backend_does_not() {
    const EVENTS: &str = "/apps/1001/events";
    let guesses: [fn(&Server) -> Answer; 3] = [
        |server| ask(server, &By { secret: "wrong", ..OWN }, "POST", EVENTS, "", &event(&json!({}))),
        |server| ask(server, &By { key: "unknown", ..OWN }, "POST", EVENTS, "", &event(&json!({}))),
        |server| request(server, "POST", EVENTS, &[("Authorization", "Bearer wrong")], Some("{}")),
    ];
    for guess in guesses {
        let server = Server::start(Start::with("limit.rate_per_address = 5\n"));
        assert_eq!(guess(&server).status, 401);
        eventually("the next guess has to wait", || guess(&server).status == 429);
        let own = ask(&server, &OWN, "POST", EVENTS, "", &event(&json!({})));
        assert_eq!(own.status, 200, "{own:?}");
    }
}

//! Which web pages may connect and call.

use super::harness::*;

/// Tries an upgrade as a page of this origin; `host` is what the browser believes to connect to.
fn page(server: &Server, path: &str, host: &str, origin: Option<&str>) -> Result<Ws, String> {
    let headers: Vec<(&str, &str)> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
    Ws::over(Conn::open(server), host, path, &headers)
}

fn is_let_in(server: &Server, host: &str, origin: Option<&str>) -> bool {
    match page(server, "/v1/ws", host, origin) {
        Ok(_) => true,
        Err(answer) => {
            assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("bad_origin"), "{answer}");
            false
        }
    }
}

#[test]
fn without_configuration_pages_of_the_same_host_may_connect() {
    let server = Server::start(Start::default());
    for (origin, expected) in [
        (None, true),
        (Some("http://bell.example:8080"), true),
        (Some("HTTP://BELL.example:8080"), true),
        // A proxy may have taken TLS off.
        (Some("https://bell.example:8080"), true),
        (Some("http://bell.example"), false),
        (Some("http://bell.example:8081"), false),
        (Some("http://evil.example"), false),
        (Some("http://bell.example:8080.evil.example"), false),
        (Some("http://evil.example/bell.example:8080"), false),
        (Some("ftp://bell.example:8080"), false),
        (Some("null"), false),
        (Some(""), false),
    ] {
        assert_eq!(is_let_in(&server, "bell.example:8080", origin), expected, "{origin:?}");
    }
    assert_eq!(server.refusals("bad_origin"), 8);
}

#[test]
fn listed_pages_may_connect_and_others_may_not() {
    let table = [
        ("websocket.origins = [\"https://a.example\"]", "https://a.example", true),
        ("websocket.origins = [\"https://a.example\"]", "https://b.example", false),
        ("websocket.origins = [\"https://a.example\"]", "http://a.example", false),
        ("websocket.origins = [\"*\"]", "https://b.example", true),
        ("websocket.origins = [\"*\"]", "null", true),
        // Who may call the API may also connect, unless connections have a list of their own.
        ("cors.origins = [\"https://a.example\"]", "https://a.example", true),
        (
            "cors.origins = [\"https://a.example\"]\nwebsocket.origins = [\"https://b.example\"]",
            "https://a.example",
            false,
        ),
    ];
    for (config, origin, expected) in table {
        let server = Server::start(Start::with(config));
        assert_eq!(is_let_in(&server, "bell.example", Some(origin)), expected, "{config} {origin}");
        assert!(is_let_in(&server, "bell.example", Some("http://bell.example")), "{config}: the same host");
        assert!(is_let_in(&server, "bell.example", None), "{config}: no browser");
    }
}

#[test]
fn an_apps_own_pages_may_connect_to_it_alone_and_beside_the_others() {
    let config = "cors.origins = [\"https://shared.example\"]\n\
        apps = [{ id = 2, key = \"second\", secret = \"the secret of the second app, long enough\", \
        origins = [\"https://second.example\"] }]";
    let server = Server::start(Start::with(config));
    let connects = |path: &str, origin: &str| page(&server, path, "bell.example", Some(origin)).is_ok();
    assert!(connects("/v1/ws?app=second", "https://second.example"));
    assert!(connects("/v1/ws?app=second", "https://shared.example"));
    assert!(connects("/v1/ws", "https://shared.example"));
    assert!(!connects("/v1/ws", "https://second.example"));
    assert!(!connects("/v1/ws?app=second", "https://third.example"));
}

#[test]
fn an_http_page_may_not_reach_what_is_known_to_be_encrypted() {
    let server = Server::start(Start::with("trusted_proxies = [\"127.0.0.1\"]"));
    let connects = |origin: &str, proto: &str, forwarded: &str| {
        let headers = [("Origin", origin), ("X-Forwarded-Proto", proto), ("X-Forwarded-Host", forwarded)];
        Ws::over(Conn::open(&server), "inside:8080", "/v1/ws", &headers).is_ok()
    };
    assert!(connects("https://bell.example", "https", "bell.example"));
    assert!(!connects("http://bell.example", "https", "bell.example"));
    assert!(connects("http://bell.example", "http", "bell.example"));
    assert!(!connects("https://evil.example", "https", "bell.example"));
    // The name that a stranger tells counts for nothing.
    let server = Server::start(Start::default());
    let headers = [("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")];
    assert!(Ws::over(Conn::open(&server), "bell.example", "/v1/ws", &headers).is_err());
}

#[test]
fn a_used_connection_is_held_to_the_same_origins() {
    let server = Server::start(Start::default());
    let mut conn = Conn::open(&server);
    assert_eq!(conn.get("/readyz", &[]).status, 200);
    let answer =
        Ws::over(conn, "bell.example", "/v1/ws", &[("Origin", "http://evil.example")]).err().unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("bad_origin"), "{answer}");
}

#[test]
fn the_api_tells_browsers_which_pages_may_call_it() {
    let server = Server::start(Start::with("cors.origins = [\"https://a.example\"]"));
    let call = |method: &str, origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        request(&server, method, "/v1/publish", &headers, None)
    };
    let preflight = call("OPTIONS", "https://a.example");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://a.example"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Authorization"));
    let foreign = call("OPTIONS", "https://b.example");
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (403, None));
    // Also a refusal must be readable by the page that it is for.
    let refused = call("POST", "https://a.example");
    assert_eq!(
        (refused.status, refused.header("access-control-allow-origin")),
        (401, Some("https://a.example"))
    );
    assert_eq!(call("POST", "https://b.example").header("access-control-allow-origin"), None);
    assert!(refused.header("vary").is_some_and(|vary| vary.contains("Origin")));
}

//! Who reads: polls, streams, sessions, presence of both to operators.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use deskbell_wire::plain::Plain;

use super::*;
use crate::door::{Door, Place};

/// Reads a stream until the text has what is looked for.
async fn until(body: &mut Body, text: &mut String, word: &str) {
    while !text.contains(word) {
        let frame = body.frame().await.unwrap_or_else(|| panic!("the stream ended: {text}")).unwrap();
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
}

async fn head(server: &Server, channels: &str) -> String {
    let answer = server.visit(&format!("/v1/poll?channels={channels}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text_of("cursor").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_poll_gets_what_came_and_waits_for_what_comes() {
    let server = Server::start();
    let cursor = head(&server, "public-a").await;
    server.publish("public-a", 1).await;
    server.publish("public-b", 2).await;
    let answer = server.visit(&format!("/v1/poll?channels=public-a&cursor={cursor}")).await;
    assert_eq!(data(&answer.json["events"]), [1]);
    assert_eq!(answer.header("cache-control"), "no-store");
    let target = format!("/v1/poll?channels=public-a,public-b&cursor={}", answer.text_of("cursor"));
    let (waited, _) = tokio::join!(server.visit(&target), server.publish("public-b", 3));
    assert_eq!(data(&waited.json["events"]), [3], "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_poll_that_nothing_came_for_ends_with_its_wait() {
    let server = Server::start();
    let cursor = head(&server, "public-a").await;
    let answer = server.visit(&format!("/v1/poll?channels=public-a&cursor={cursor}&wait=0")).await;
    assert_eq!((answer.status.as_u16(), data(&answer.json["events"])), (200, vec![]));
    let foreign = server.visit("/v1/poll?channels=public-a&cursor=nonsense&wait=0").await;
    assert_eq!((foreign.status.as_u16(), &foreign.json["reset"][0]["reason"]), (200, &"foreign".into()));
    server.visit("/v1/poll?channels=public-a&wait=soon").await.refused(400, "bad_field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_has_its_head_its_frames_and_its_way_back() {
    let server = Server::start();
    let open = async |last: &str| {
        let request = Request::get("/v1/stream?channels=public-a&cursor=nonsense");
        let request = if last.is_empty() { request } else { request.header("last-event-id", last) };
        server.open(request.body(Body::empty()).unwrap()).await
    };
    let cursor = head(&server, "public-a").await;
    let response = open(&cursor).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let (mut body, mut text) = (response.into_body(), String::new());
    until(&mut body, &mut text, "\"type\":\"subscribed\"").await;
    assert!(!text.contains("\"reset\""), "the header wins over the query: {text}");
    let published = server.publish("public-a", 7).await;
    until(&mut body, &mut text, "\"data\":7").await;
    assert!(text.contains(&format!("id: {}\n", published.text_of("cursor"))), "{text}");
    drop(body);

    server.publish("public-a", 8).await;
    let (mut body, mut text) = (open(published.text_of("cursor")).await.into_body(), String::new());
    until(&mut body, &mut text, "\"data\":8").await;
    assert!(!text.contains("\"data\":7"), "{text}");
    let (mut body, mut text) = (open("").await.into_body(), String::new());
    until(&mut body, &mut text, "\"reason\":\"foreign\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_backend_follows_everything_and_nobody_else() {
    let server = Server::start();
    let request = own(Request::get("/v1/stream?channels=*")).body(Body::empty()).unwrap();
    let (mut body, mut text) = (server.open(request).await.into_body(), String::new());
    until(&mut body, &mut text, "\"welcome\"").await;
    server.publish("whatever", 5).await;
    until(&mut body, &mut text, "\"data\":5").await;
    server.visit("/v1/stream?channels=*").await.refused(403, "denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn access_is_decided_before_a_stream_begins() {
    let server = Server::start();
    let token = server.token("ann").await;
    let refused = server.visit("/v1/stream?channels=public-a,user-ann").await;
    refused.refused(403, "denied");
    assert_eq!(refused.json["channel"], "user-ann");
    let refused = server.visit(&format!("/v1/poll?channels=user-bob&token={token}")).await;
    refused.refused(403, "denied");
    assert_eq!(server.visit(&format!("/v1/poll?channels=user-ann&token={token}")).await.status, 200);
    let bearer =
        Request::get("/v1/poll?channels=user-ann").header("authorization", format!("Bearer {token}"));
    assert_eq!(server.send(bearer.body(Body::empty()).unwrap()).await.status, 200);
    server.visit(&format!("/v1/poll?channels=public-a&token={token}x")).await.refused(401, "unauthorized");
    server.visit("/v1/poll?channels=public-a&app=third").await.refused(404, "not_found");
    server.visit("/v1/poll").await.refused(400, "bad_field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_sites_cookie_proves_a_user_and_a_stale_one_does_not_close_public_channels() {
    let server = Server::with(&[("auth.cookie", "site_token")]);
    let token = server.token("ann").await;
    let ask = async |cookie: &str, channel: &str| {
        let request = Request::get(format!("/v1/poll?channels={channel}")).header("cookie", cookie);
        server.send(request.body(Body::empty()).unwrap()).await
    };
    let good = format!("a=b; site_token={token}");
    assert_eq!(ask(&good, "user-ann").await.status, 200);
    assert_eq!(ask("site_token=stale", "public-a").await.status, 200);
    // The reason is the token, not the missing one.
    let refused = ask("site_token=stale", "user-ann").await;
    refused.refused(401, "unauthorized");
    assert_eq!(refused.json["channel"], "user-ann");
    // The cookie is for reading: no page of another site can publish with it.
    let request = Request::post("/v1/publish").header("cookie", good);
    let body = Body::from(r#"{"channel":"user-ann","name":"n","data":1}"#);
    server.send(request.body(body).unwrap()).await.refused(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_listener_with_an_app_of_its_own_means_it_for_readers_over_http_too() {
    let server = Server::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let door = Door::new(
        server.hub.clone(),
        server.router.clone(),
        None,
        Place { app: Some(1002), root: Plain::AppointEase },
    );
    tokio::spawn(door.serve(listener, stopped));
    let ask = async |line: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = ask("GET /v1/poll?channels=public-a").await;
    let json: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let opens = |app: usize, cursor: &str| server.hub.apps[app].cursors.open(cursor).is_some();
    let cursor = json["cursor"].as_str().unwrap();
    assert!(opens(1, cursor) && !opens(0, cursor), "the listener's app was meant");
    let answer = ask("GET /v1/poll?channels=public-a&app=first").await;
    let json: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(opens(0, json["cursor"].as_str().unwrap()), "a key says it otherwise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_visitor_is_the_same_with_the_cookie() {
    let server = Server::start();
    let first = server.visit("/v1/poll?channels=public-a").await;
    let cookie = first.header("set-cookie").to_owned();
    for word in ["deskbell_visitor=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let bare = cookie.split(';').next().unwrap();
    let again = Request::get("/v1/poll?channels=public-a").header("cookie", bare);
    assert_eq!(server.send(again.body(Body::empty()).unwrap()).await.header("set-cookie"), "");
    // The password that a site's proxy asks for is not for us.
    let basic = Request::get("/v1/poll?channels=public-a").header("authorization", "Basic YTpi");
    assert_eq!(server.send(basic.body(Body::empty()).unwrap()).await.status, 200);
    let forged = Request::get("/v1/poll?channels=public-a").header("cookie", "deskbell_visitor=AAAA");
    assert_ne!(server.send(forged.body(Body::empty()).unwrap()).await.header("set-cookie"), "");
    let mut secure = Request::get("/v1/poll?channels=public-a").body(Body::empty()).unwrap();
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    secure.extensions_mut().insert(Peer { address, secure: true, loopback: false, proxied: true });
    assert!(server.send(secure).await.header("set-cookie").contains("; Secure"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sessions_are_seen_and_ended() {
    let server = Server::start();
    let token = server.token("ann").await;
    let open = async || {
        let target = format!("/v1/stream?channels=user-ann,public-a&token={token}");
        let response = server.open(Request::get(target).body(Body::empty()).unwrap()).await;
        let (mut body, mut text) = (response.into_body(), String::new());
        until(&mut body, &mut text, "subscribed").await;
        body
    };
    let (mut first, mut second) = (open().await, open().await);
    assert_eq!(server.get("/v1/channels/public-a").await.json["subscribers"], 2);
    assert_eq!(server.get("/v1/channels?prefix=user-").await.json["channels"][0]["subscribers"], 2);
    let list = server.get("/v1/sessions?user=ann").await;
    let sessions = list.json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{list:?}");
    assert_eq!(sessions[0]["transport"], "sse");
    assert_eq!(server.get("/v1/sessions?user=bob").await.json["sessions"], serde_json::json!([]));
    assert_eq!(server.get("/v1/sessions?limit=1").await.json["sessions"].as_array().unwrap().len(), 1);

    let id = sessions[0]["session"].as_str().unwrap();
    let end = |id: &str| own(Request::delete(format!("/v1/sessions/{id}"))).body(Body::empty()).unwrap();
    assert_eq!(server.send(end(id)).await.json["disconnected"], 1);
    server.send(end(id)).await.refused(404, "not_found");
    server.send(end("7")).await.refused(400, "bad_field");
    let rest = server.post("/v1/users/ann/disconnect", "").await;
    assert_eq!(rest.json["disconnected"], 1);
    assert_eq!(server.post("/v1/users/ann/disconnect", "").await.json["disconnected"], 0);
    // Both streams end.
    while first.frame().await.is_some() {}
    while second.frame().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stopping_server_takes_no_readers_and_says_so() {
    let server = Server::start();
    assert_eq!(server.visit("/readyz").await.status, 200);
    server.hub.draining.store(true, Ordering::Relaxed);
    for target in ["/readyz", "/v1/poll?channels=public-a"] {
        let answer = server.visit(target).await;
        answer.refused(503, "draining");
        assert_eq!(answer.header("retry-after"), "2", "{target}");
    }
    // After any other status a browser's EventSource never comes again.
    let answer = server.visit("/v1/stream?channels=public-a").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert!(answer.text.starts_with("retry: "), "{}", answer.text);
    assert_eq!(server.visit("/healthz").await.status, 200);
    // What a backend still sends is taken: the log is carried over to the next start.
    server.publish("public-a", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_address_that_asks_too_fast_is_told_when_to_come_back() {
    let server = Server::with(&[("limit.rate_per_address", "1"), ("limit.burst", "1")]);
    let mut answer = server.visit("/v1/poll?channels=public-a").await;
    for _ in 0..100 {
        if answer.status != 200 {
            break;
        }
        answer = server.visit("/v1/poll?channels=public-a").await;
    }
    answer.refused(429, "rate_limited");
    assert_ne!(answer.header("retry-after"), "");
    // Guessing secrets counts as well, but whoever has the secret is never held up.
    let wrong = Request::get("/v1/stats").header("authorization", "Bearer wrong");
    server.send(wrong.body(Body::empty()).unwrap()).await.refused(429, "rate_limited");
    assert_eq!(server.get("/v1/stats").await.status, 200);
    assert_eq!(server.visit("/healthz").await.status, 200);
}

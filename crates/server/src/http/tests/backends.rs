//! What backends do: publish, look, disconnect, sign.

use deskbell_core::cursor::{Cursor, Late};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_event_is_published_and_read_back_byte_for_byte() {
    let server = Server::start();
    let body = r#"{"channel":"public-a","name":"n","id":"a-\"1","data":{"b" : 1.50,"a":[ ]}}"#;
    let answer = server.post("/v1/publish", body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text_of("id"), "a-\"1");
    let page = server.get("/v1/channels/public-a/events").await;
    assert!(page.text.contains(r#""data":{"b" : 1.50,"a":[ ]}"#), "{}", page.text);
    assert_eq!(page.json["cursor"], answer.json["cursor"], "both stand behind this event");
    assert_eq!(page.json["more"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_event_with_an_id_is_taken_once() {
    let server = Server::start();
    for channel in ["public-a", "durable-a"] {
        let body = |data: u32| format!(r#"{{"channel":"{channel}","name":"n","id":"x","data":{data}}}"#);
        let first = server.post("/v1/publish", &body(1)).await;
        let again = server.post("/v1/publish", &body(1)).await;
        assert_eq!((first.status, again.status), (StatusCode::OK, StatusCode::OK));
        assert_eq!(first.json["id"], again.json["id"]);
        server.post("/v1/publish", &body(2)).await.refused(409, "key_reused");
        let page = server.get(&format!("/v1/channels/{channel}/events")).await;
        assert_eq!(data(&page.json["events"]), [1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_idempotency_header_is_an_id() {
    let server = Server::start();
    for _ in 0..2 {
        let request = own(Request::post("/v1/publish")).header("Idempotency-Key", "\"order-7\"");
        let body = Body::from(r#"{"channel":"public-a","name":"n","data":1}"#);
        assert_eq!(server.send(request.body(body).unwrap()).await.text_of("id"), "order-7");
    }
    let page = server.get("/v1/channels/public-a/events").await;
    assert_eq!(data(&page.json["events"]), [1]);
    let request = own(Request::post("/v1/publish")).header("Idempotency-Key", "k");
    let list = Body::from(r#"{"events":[{"channel":"a","name":"n","data":1}]}"#);
    server.send(request.body(list).unwrap()).await.refused(400, "bad_field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_list_is_published_in_order_over_memory_and_disk() {
    let server = Server::start();
    let event = |channel: &str, n: u32| format!(r#"{{"channel":"{channel}","name":"n","data":{n}}}"#);
    let events: Vec<String> =
        (0..40).map(|n| event(if n % 2 == 0 { "public-a" } else { "durable-a" }, n)).collect();
    let answer = server.post("/v1/publish", &format!(r#"{{"events":[{}]}}"#, events.join(","))).await;
    assert_eq!(answer.json["events"].as_array().unwrap().len(), 40, "{answer:?}");
    for (channel, rest) in [("public-a", 0), ("durable-a", 1)] {
        let page = server.get(&format!("/v1/channels/{channel}/events")).await;
        let expected: Vec<i64> = (0..40).filter(|n| n % 2 == rest).collect();
        assert_eq!(data(&page.json["events"]), expected);
        // The list's cursor is behind all of its events.
        let cursor = answer.text_of("cursor");
        let after = server.get(&format!("/v1/channels/{channel}/events?cursor={cursor}")).await;
        assert_eq!((data(&after.json["events"]), &after.json["reset"]), (vec![], &serde_json::json!([])));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fault_in_a_list_refuses_all_of_it_and_a_conflict_only_itself() {
    let server = Server::start();
    let fault =
        r#"{"events":[{"channel":"public-a","name":"n","data":1},{"channel":"b c","name":"n","data":2}]}"#;
    let answer = server.post("/v1/publish", fault).await;
    answer.refused(400, "bad_channel");
    assert_eq!(answer.json["index"], 1);
    assert_eq!(server.get("/v1/channels/public-a").await.json["events"], 0, "nothing went out");

    let event = |data: u32| format!(r#"{{"channel":"public-a","name":"n","data":{data},"id":"same"}}"#);
    let list = format!(r#"{{"events":[{},{}]}}"#, event(1), event(2));
    let answer = server.post("/v1/publish", &list).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["events"][0]["id"], "same");
    assert_eq!(answer.json["events"][1]["error"]["code"], "key_reused");
    let all = format!(r#"{{"events":[{}]}}"#, event(3));
    server.post("/v1/publish", &all).await.refused(409, "key_reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn users_publish_where_the_rules_let_them() {
    let server = Server::start();
    let token = server.token("ann").await;
    let send = async |channel: &str, token: &str| {
        let body = format!(r#"{{"channel":"{channel}","name":"n","data":1}}"#);
        let request = Request::post("/v1/publish").header("authorization", format!("Bearer {token}"));
        server.send(request.body(Body::from(body)).unwrap()).await
    };
    assert_eq!(send("user-ann", &token).await.status, 200);
    let refused = send("user-bob", &token).await;
    refused.refused(403, "denied");
    assert_eq!(refused.json["channel"], "user-bob");
    send("public-a", &token).await.refused(403, "denied");
    send("user-ann", &format!("{token}x")).await.refused(401, "unauthorized");
    // A token opens no other route, and another app's token opens nothing.
    let request = Request::get("/v1/channels").header("authorization", format!("Bearer {token}"));
    server.send(request.body(Body::empty()).unwrap()).await.refused(403, "denied");
    let request = Request::post("/v1/publish?app=second").header("authorization", format!("Bearer {token}"));
    server.send(request.body(Body::empty()).unwrap()).await.refused(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signed_request_is_a_backends() {
    let server = Server::start();
    let body = br#"{"channel":"public-a","name":"n","data":1}"#;
    let signed = deskbell_wire::signature::Request { method: "POST", path: "/v1/publish", query: "", body };
    let query = deskbell_wire::signature::sign(&signed, KEY, SECRET.as_bytes(), crate::clock::now_ms());
    let target = format!("/v1/publish?{query}");
    let send = async |body: &'static [u8]| {
        server.send(Request::post(target.as_str()).body(Body::from(body)).unwrap()).await
    };
    assert_eq!(send(body).await.status, 200);
    send(br#"{"channel":"public-a","name":"n","data":2}"#).await.refused(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_proof_nothing_opens_and_apps_are_apart() {
    let server = Server::start();
    for route in super::super::ROUTES.iter().filter(|route| route.path.starts_with("/v1/")) {
        // These answer to everybody, as far as the access rules do.
        if matches!(
            route.path,
            "/v1/stream" | "/v1/poll" | "/v1/resources/{id}/availability" | "/v1/calendars/{file}"
        ) {
            continue;
        }
        let target = super::filled(route.path);
        let request = Request::builder().method(route.method).uri(&target);
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        answer.refused(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{target}");
    }
    server.publish("public-a", 1).await;
    let (key, secret) = SECOND;
    let second = |target: &str| {
        let request = Request::get(target).header("authorization", format!("Bearer {secret}"));
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(server.send(second("/v1/channels/public-a")).await.json["events"], 0);
    assert_eq!(
        server.send(second(&format!("/v1/channels?app={key}"))).await.json["channels"],
        serde_json::json!([])
    );
    server.send(second(&format!("/v1/channels?app={KEY}"))).await.refused(401, "unauthorized");
    server.send(second("/v1/channels?app=third")).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn channels_are_listed_by_name_and_page() {
    let server = Server::start();
    for channel in ["b-2", "a", "b-1", "b-3", "c"] {
        server.publish(channel, 1).await;
    }
    let names = |answer: &Answer| -> Vec<String> {
        let list = answer.json["channels"].as_array().unwrap();
        list.iter().map(|facts| facts["channel"].as_str().unwrap().to_owned()).collect()
    };
    let first = server.get("/v1/channels?prefix=b-&limit=2").await;
    assert_eq!(names(&first), ["b-1", "b-2"]);
    assert_eq!(first.json["next"], "b-2");
    let rest = server.get("/v1/channels?prefix=b-&limit=2&after=b-2").await;
    assert_eq!(names(&rest), ["b-3"]);
    assert_eq!(rest.json["next"], Value::Null);
    server.get("/v1/channels?prefx=b").await.refused(400, "bad_field");
    let one = server.get("/v1/channels/durable-x").await;
    assert_eq!((&one.json["durable"], &one.json["class"]), (&Value::Bool(true), &"stream".into()));
    server.get("/v1/channels/a%20b").await.refused(400, "bad_channel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn history_comes_in_pages_and_says_what_it_has_lost() {
    let server = Server::start();
    for channel in ["public-a", "durable-a", "deep-a"] {
        for n in 0..5 {
            server.publish(channel, n).await;
        }
        let mut target = format!("/v1/channels/{channel}/events?limit=2");
        let mut seen = Vec::new();
        loop {
            let page = server.get(&target).await;
            seen.push(data(&page.json["events"]));
            if page.json["more"] != true {
                break;
            }
            target = format!("/v1/channels/{channel}/events?limit=2&cursor={}", page.text_of("cursor"));
        }
        assert_eq!(seen, [vec![0, 1], vec![2, 3], vec![4]], "{channel}");
    }
    let first = server.publish("short-a", 0).await;
    for n in 1..6 {
        server.publish("short-a", n).await;
    }
    let all = server.get("/v1/channels/short-a/events").await;
    assert_eq!(data(&all.json["events"]), [3, 4, 5], "the oldest that are kept");
    let lost = server.get(&format!("/v1/channels/short-a/events?cursor={}", first.text_of("cursor"))).await;
    assert_eq!((data(&lost.json["events"]), &lost.json["reset"][0]["reason"]), (vec![], &"expired".into()));
    let on = server.get(&format!("/v1/channels/short-a/events?cursor={}", lost.text_of("cursor"))).await;
    assert_eq!((data(&on.json["events"]), &on.json["reset"]), (vec![], &serde_json::json!([])));
    let foreign = server.get("/v1/channels/short-a/events?cursor=nonsense").await;
    assert_eq!((foreign.status.as_u16(), &foreign.json["reset"][0]["reason"]), (200, &"foreign".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn latest_values_are_owed_after_a_reset() {
    let server = Server::start();
    for channel in ["latest-a", "kept-a"] {
        for (key, n) in [("x", 1), ("y", 2), ("x", 3)] {
            let body = format!(r#"{{"channel":"{channel}","name":"n","key":"{key}","data":{n}}}"#);
            assert_eq!(server.post("/v1/publish", &body).await.status, 200);
        }
        let reset = server.get(&format!("/v1/channels/{channel}/events?cursor=nonsense")).await;
        assert_eq!(
            (data(&reset.json["events"]), &reset.json["more"]),
            (vec![], &Value::Bool(true)),
            "{channel}"
        );
        let cursor = reset.text_of("cursor");
        let page = server.get(&format!("/v1/channels/{channel}/events?cursor={cursor}")).await;
        assert_eq!(
            (data(&page.json["events"]), &page.json["more"]),
            (vec![2, 3], &Value::Bool(false)),
            "{channel}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_oldest_is_what_is_left_when_the_disk_has_forgotten_too() {
    let server = Server::start();
    for n in 0..5 {
        server.publish("deep-a", n).await;
    }
    server.hub.store.expire(crate::clock::now_ms() + 40 * limits::DAY);
    // The store forgets bit by bit, behind what it writes.
    let patience = crate::clock::now_ms() + 20 * limits::SECOND;
    loop {
        let page = server.get("/v1/channels/deep-a/events").await;
        assert_eq!(page.json["reset"], serde_json::json!([]), "nobody can have missed the oldest");
        let left = data(&page.json["events"]);
        if left == [3, 4] {
            break;
        }
        assert!(crate::clock::now_ms() < patience, "the store has not forgotten: {left:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cursor_that_is_behind_on_one_channel_is_behind_there_only() {
    let server = Server::start();
    let app = &server.hub.apps[0];
    let start = app.log.with(|log| log.head());
    for channel in ["public-a", "public-b", "latest-a"] {
        server.publish(channel, 1).await;
    }
    let at = app.log.with(|log| log.head());
    let a = ChannelName::parse("public-a").unwrap();
    let read = async |late: Late, channel: &str| {
        let cursor = app.seal(Cursor::behind(at, late));
        let page = server.get(&format!("/v1/channels/{channel}/events?cursor={cursor}")).await;
        data(&page.json["events"])
    };
    assert_eq!(read(Late::new(&a, start), "public-a").await, [1]);
    assert_eq!(read(Late::new(&a, start), "public-b").await, [0_i64; 0]);
    assert_eq!(read(Late::new(&a, start), "latest-a").await, [0_i64; 0]);
    assert_eq!(read(Late::of_latest(start), "latest-a").await, [1]);
    assert_eq!(read(Late::of_latest(start), "public-a").await, [0_i64; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_too_large_or_no_json_is_refused() {
    let server = Server::with(&[("limit.body", "1KiB")]);
    let body = format!(r#"{{"channel":"a","name":"n","data":"{}"}}"#, "x".repeat(1_024));
    server.post("/v1/publish", &body).await.refused(413, "too_large");
    server.post("/v1/publish", "{").await.refused(400, "bad_message");
    server.post("/v1/publish", "").await.refused(400, "bad_message");
    server.post("/v1/publish?x=1", "{}").await.refused(400, "bad_field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stats_and_metrics_need_the_secret_unless_they_are_public() {
    let server = Server::start();
    server.publish("public-a", 1).await;
    let stats = server.get("/v1/stats").await;
    assert_eq!((&stats.json["published"], &stats.json["app"]["channels"]), (&1.into(), &1.into()));
    server.visit("/metrics").await.refused(401, "unauthorized");
    let metrics = server.get("/metrics").await;
    assert!(metrics.text.contains("deskbell_published_total 1"), "{}", metrics.text);
    assert!(metrics.text.contains("deskbell_refusals_total{code=\"unauthorized\"} 1"), "{}", metrics.text);
    let public = Server::with(&[("metrics.public", "true")]);
    assert_eq!(public.visit("/metrics").await.status, 200);
    let off = Server::with(&[("metrics.enabled", "false")]);
    off.get("/metrics").await.refused(404, "not_found");
}

//! A wrong request for every route gets the documented code, and a wrong frame its own.

use super::*;

/// Every route of inboxes and conversations: method, path.
fn routes(server: &Server) -> Vec<(String, String)> {
    let api = get(server, "/openapi.json").json();
    let mut found = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        let tagged =
            methods.as_object().unwrap().iter().filter(|(_, one)| {
                one["tags"] == json!(["inbox"]) || one["tags"] == json!(["conversations"])
            });
        found.extend(tagged.map(|(method, _)| (method.to_uppercase(), path.clone())));
    }
    assert_eq!(found.len(), 18, "a route has come or gone; say here what is wrong with it");
    found
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[test]
fn every_route_refuses_whoever_is_unknown_what_is_malformed_and_what_it_does_not_know() {
    let server = Server::start(Start::default());
    let mut visitor = server.ws();
    let cookie = visitor.cookie().unwrap();
    for (method, template) in routes(&server) {
        let path = template.replace("{id}", "c").replace("{user}", "ann").replace("{number}", "1");
        refused(&request(&server, &method, &path, &[], Some("{}")), 401, "unauthorized");
        for query in ["sinse=1", &format!("user={}", "x".repeat(257))] {
            refused(&server.api_text(&method, &format!("{path}?{query}"), Some("{}")), 400, "bad_field");
        }
        if template.contains("{id}") {
            let bad = path.replace("conversations/c", "conversations/no%20id");
            refused(&server.api_text(&method, &bad, Some("{}")), 400, "bad_field");
        }
        // A visitor is somebody, but nobody who has an inbox or could be in a conversation.
        let own = request(&server, &method, &path, &[("Cookie", &cookie), ("Origin", "null")], Some("{}"));
        assert!(matches!(own.status, 400 | 403 | 404), "{method} {path}: {own:?}");
        if method == "GET" {
            continue;
        }
        for (body, code) in [
            ("{", "bad_message"),
            ("[]", if template.ends_with("/typing") { "bad_field" } else { "bad_message" }),
            (r#"{"nobody_knows":1}"#, "bad_field"),
        ] {
            let answer = server.api_text(&method, &path, Some(body));
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!(code)),
                "{method} {path} {body}: {answer:?}"
            );
        }
    }
    visitor.expect_nothing();
}

#[test]
fn every_field_is_bounded_and_named() {
    let server = Server::start(Start::default());
    let fine = json!({"user": "ann", "type": "t", "title": "x"});
    let with = |field: &str, value: Value| {
        let mut body = fine.clone();
        body[field] = value;
        body
    };
    let long = |n: usize| json!("x".repeat(n));
    let many: Vec<String> = (0..=1_000).map(|n| n.to_string()).collect();
    let mut users = with("users", json!(many));
    users.as_object_mut().unwrap().remove("user");
    let mut heavy = with("body", long(4_096));
    heavy["users"] = json!(many[..1_000]);
    heavy.as_object_mut().unwrap().remove("user");
    for (body, status, code, named) in [
        (with("type", json!("a b")), 400, "bad_field", "`type`"),
        (with("type", json!(null)), 400, "bad_field", "`type`"),
        (with("title", json!("")), 400, "bad_field", "`title`"),
        (with("title", long(301)), 400, "bad_field", "`title`"),
        (with("title", json!(7)), 400, "bad_field", "`title`"),
        (with("body", long(4_097)), 413, "too_large", "`body`"),
        (with("data", long(4_095)), 413, "too_large", "`data`"),
        (with("ways", json!([])), 400, "bad_field", "`ways`"),
        (with("ways", json!(["mail"])), 400, "bad_field", "`ways`"),
        (with("id", json!("has space")), 400, "bad_field", "`id`"),
        (with("user", json!("")), 400, "bad_field", "`user`"),
        (with("users", json!(["bob"])), 400, "bad_field", "`users`"),
        (users, 429, "limit_reached", "`users`"),
        (heavy, 413, "too_large", "1 MiB"),
        (json!({"type": "t", "title": "x", "users": []}), 400, "bad_field", "`users`"),
        (json!({"type": "t", "title": "x"}), 400, "bad_field", "`user`"),
    ] {
        let answer = server.api("POST", "/v1/notifications", Some(&body));
        refused(&answer, status, code);
        assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{named}: {answer:?}");
    }
}

#[test]
fn every_other_route_names_what_is_wrong_with_it() {
    let server = Server::start(Start::default());
    let many: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
    let numbers: Vec<u64> = (0..101).collect();
    for (method, path, body, status, code) in [
        ("POST", "/v1/notifications/read?user=ann", json!({"numbers": numbers}), 429, "limit_reached"),
        ("POST", "/v1/notifications/read?user=ann", json!({"numbers": [-1]}), 400, "bad_field"),
        ("POST", "/v1/notifications/read?user=ann", json!({}), 400, "bad_field"),
        ("POST", "/v1/notifications/read", json!({"numbers": [1]}), 400, "bad_field"),
        ("DELETE", "/v1/notifications/x?user=ann", json!({}), 400, "bad_field"),
        (
            "PUT",
            "/v1/inbox/preferences?user=ann",
            json!({"quiet": {"from": "1", "to": "2", "time_zone": "UTC"}}),
            400,
            "bad_field",
        ),
        ("PUT", "/v1/inbox/preferences?user=ann", json!({"types": {"a b": {}}}), 400, "bad_field"),
        ("PUT", "/v1/inbox/preferences?user=ann", json!({"otherwise": {"mail": true}}), 400, "bad_field"),
        ("POST", "/v1/conversations", json!({}), 400, "bad_field"),
        ("POST", "/v1/conversations", json!({"members": many}), 429, "limit_reached"),
        ("POST", "/v1/conversations", json!({"members": ["a"], "id": "a b"}), 400, "bad_field"),
        ("POST", "/v1/conversations", json!({"members": ["a"], "title": ""}), 400, "bad_field"),
        ("PUT", "/v1/conversations/none/members/a", json!({}), 404, "not_found"),
        ("PUT", "/v1/conversations/none/members/a", json!({"from": "today"}), 400, "bad_field"),
        ("DELETE", "/v1/conversations/none/members/a", json!({}), 404, "not_found"),
        ("POST", "/v1/conversations/none/messages", json!({"data": 1}), 404, "not_found"),
        ("POST", "/v1/conversations/none/messages", json!({}), 400, "bad_field"),
        ("POST", "/v1/conversations/none/messages", json!({"data": "x".repeat(8_192)}), 413, "too_large"),
        ("POST", "/v1/conversations/none/read?user=a", json!({}), 404, "not_found"),
        ("POST", "/v1/conversations/none/typing?user=a", json!({}), 404, "not_found"),
        ("POST", "/v1/conversations/none/typing", json!({}), 400, "bad_field"),
    ] {
        let answer = server.api(method, path, Some(&body));
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{method} {path} {body}: {answer:?}"
        );
    }
    for (path, status) in [
        ("/v1/notifications?user=ann&before=x", 400),
        ("/v1/notifications?user=ann&unread=maybe", 400),
        ("/v1/notifications?user=ann&type=a%20b", 400),
        ("/v1/notifications", 400),
        ("/v1/conversations/none", 404),
        ("/v1/conversations/none/messages", 404),
    ] {
        assert_eq!(server.api("GET", path, None).status, status, "{path}");
    }
}

#[test]
fn a_user_asks_only_for_itself_and_a_visitor_for_nobody() {
    let world = World::start("");
    world.notify("ann", "hers");
    world.talk("c", &["ann"]);
    let mut eve = world.tab("eve");
    for frame in [
        json!({"type": "inbox", "user": "ann"}),
        json!({"type": "read", "numbers": [1], "user": "ann"}),
        json!({"type": "read_all", "user": "ann"}),
        json!({"type": "delete", "numbers": [1], "user": "ann"}),
        json!({"type": "clear", "user": "ann"}),
        json!({"type": "preferences", "user": "ann"}),
        json!({"type": "prefer", "user": "ann"}),
        json!({"type": "conversations", "user": "ann"}),
        json!({"type": "history", "conversation": "c", "user": "ann"}),
        json!({"type": "send", "conversation": "c", "data": 1, "user": "ann"}),
        json!({"type": "typing", "conversation": "c", "user": "ann"}),
        json!({"type": "read", "conversation": "c", "user": "ann"}),
    ] {
        let answer = eve.ask(frame.clone());
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!("denied")),
            "{frame}: {answer}"
        );
    }
    for frame in [
        json!({"type": "read", "conversation": "c"}),
        json!({"type": "history", "conversation": "c"}),
        json!({"type": "send", "conversation": "c", "data": 1}),
        json!({"type": "leave_conversation", "conversation": "c"}),
    ] {
        assert_eq!(eve.ask(frame.clone())["code"], "not_found", "{frame}");
    }
    for frame in [
        json!({"type": "send", "conversation": "c"}),
        json!({"type": "send", "data": 1}),
        json!({"type": "read"}),
        json!({"type": "read", "numbers": [1], "conversation": "c"}),
        json!({"type": "read", "number": 1}),
        json!({"type": "inbox", "of": "a b"}),
        json!({"type": "inbox", "limit": "x"}),
        json!({"type": "typing", "conversation": "c", "typing": "yes"}),
        json!({"type": "history"}),
    ] {
        assert_eq!(eve.ask(frame.clone())["code"], "bad_field", "{frame}");
    }
    let mut visitor = world.server.ws();
    for frame in [json!({"type": "inbox"}), json!({"type": "read_all"}), json!({"type": "conversations"})] {
        assert_eq!(visitor.ask(frame.clone())["code"], "denied", "{frame}");
    }
    assert_eq!(
        world
            .of("eve", "POST", "/v1/notifications", Some(json!({"user": "eve", "type": "t", "title": "x"})))
            .status,
        403
    );
    assert_eq!(world.own("ann", "GET", "/v1/inbox", json!({}))["unread"], 1);
    world.finish();
}

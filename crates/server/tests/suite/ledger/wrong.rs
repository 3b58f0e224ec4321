//! A wrong request for every route gets the documented code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Every route of the ledger: method, path.
pub(super) fn routes(server: &Server) -> Vec<(String, String)> {
    let api = get(server, "/openapi.json").json();
    let mut found = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        let tagged = methods.as_object().unwrap().iter().filter(|(_, one)| one["tags"] == json!(["ledger"]));
        found.extend(tagged.map(|(method, _)| (method.to_uppercase(), path.clone())));
    }
    assert_eq!(found.len(), 28, "a route has come or gone; say here what is wrong with it");
    found
}

#[test]
fn every_route_refuses_whoever_is_unknown_what_is_malformed_and_what_it_does_not_know() {
    let server = Server::start(Start::default());
    let mut codes = BTreeSet::new();
    for (method, template) in routes(&server) {
        let path = template.replace("{id}", "r_1").replace("{source}", "s");
        let open = template.ends_with("/availability");
        if !open {
            refused(&request(&server, &method, &path, &[], Some("{}")), 401, "unauthorized");
            let stranger = [("Cookie", "deskbell_visitor=forged")];
            refused(&request(&server, &method, &path, &stranger, Some("{}")), 401, "unauthorized");
        }
        refused(&server.api_text(&method, &format!("{path}?sinse=1"), None), 400, "bad_field");
        if template.contains("{id}") {
            let bad = template.replace("{id}", "no%20id");
            refused(&server.api_text(&method, &bad, None), 400, "bad_field");
        }
        if method == "GET" {
            continue;
        }
        for (body, code) in [
            ("{", "bad_message"),
            ("[]", "bad_message"),
            ("7", "bad_message"),
            (r#"{"nobody_knows":1}"#, "bad_field"),
            (r#"{"a":1,"a":2}"#, "bad_field"),
        ] {
            let answer = server.api_text(&method, &path, Some(body));
            assert_eq!(answer.status, 400, "{method} {path} {body}: {answer:?}");
            assert_eq!(answer.json()["code"], code, "{method} {path} {body}: {answer:?}");
            codes.insert(code);
        }
    }
    assert_eq!(codes.len(), 2);
}

#[test]
fn an_id_that_is_not_there_is_not_found() {
    let server = Server::start(Start::default());
    let wish = json!({"claims": claim("nowhere", 600, 660)});
    let fenced = json!({"fence": 1});
    for (method, path, body) in [
        ("GET", "/v1/resources/nowhere", None),
        ("GET", &*format!("/v1/resources/nowhere/availability?from={}&to={}", day(), day() + 1), None),
        ("GET", "/v1/blocks/nowhere", None),
        ("GET", "/v1/holds/r_1", None),
        ("GET", "/v1/bookings/r_1", None),
        ("GET", "/v1/waitlist/w_1", None),
        ("POST", "/v1/holds", Some(&wish)),
        ("POST", "/v1/bookings", Some(&wish)),
        ("POST", "/v1/holds/r_1/extend", Some(&fenced)),
        ("POST", "/v1/holds/r_1/release", Some(&fenced)),
        ("POST", "/v1/holds/r_1/confirm", Some(&fenced)),
        ("POST", "/v1/bookings/r_1/reschedule", Some(&json!({"claims": claim("nowhere", 1, 2)}))),
        ("POST", "/v1/bookings/r_1/approve", None),
        ("POST", "/v1/bookings/r_1/decline", None),
        ("POST", "/v1/bookings/r_1/start", None),
        ("POST", "/v1/bookings/r_1/complete", None),
        ("POST", "/v1/bookings/r_1/cancel", None),
        ("POST", "/v1/bookings/r_1/no_show", None),
        ("POST", "/v1/bookings/r_1/link", Some(&json!({"external_ref": "7"}))),
        ("POST", "/v1/waitlist/w_1/leave", None),
        ("POST", "/v1/waitlist/w_1/accept", None),
        (
            "PUT",
            "/v1/blocks/s",
            Some(&json!({"as_of": 1, "blocks": [{"resource": "nowhere", "start": 1, "end": 2}]})),
        ),
    ] {
        let answer = server.api(method, path, body);
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{method} {path}");
    }
}

#[test]
fn a_hold_that_makes_no_sense_says_what_is_wrong_with_it() {
    let world = World::start("");
    world.resource("dr-7", json!({"capacity": 2}));
    let (now, midnight) = (in_seconds(0) as u64 * 1_000, day());
    let at = |start: Value, end: Value| json!({"claims": [{"resource": "dr-7", "start": start, "end": end}]});
    let ten = json!(midnight + 10 * HOUR);
    for (body, status, code, word) in [
        (json!({}), 400, "bad_field", "`claims`"),
        (json!({"claims": []}), 400, "bad_field", "claims"),
        (json!({"claims": {}}), 400, "bad_field", "list"),
        (json!({"claims": [{"resource": "dr-7", "start": ten}]}), 400, "bad_field", "`end`"),
        (json!({"claims": [{"resource": "dr 7", "start": ten, "end": ten}]}), 400, "bad_field", "resource"),
        (at(ten.clone(), ten.clone()), 400, "bad_field", "`end`"),
        (at(json!(midnight + 11 * HOUR), ten.clone()), 400, "bad_field", "`end`"),
        (at(json!(now - 2 * HOUR), json!(now - HOUR)), 400, "bad_field", "past"),
        (at(json!("2027-01-04T10:00:00"), ten.clone()), 400, "bad_field", "offset"),
        (at(json!("tomorrow"), ten.clone()), 400, "bad_field", "RFC 3339"),
        (at(json!(-5), ten.clone()), 400, "bad_field", "whole number"),
        (at(json!(midnight), json!(midnight + 401 * 24 * HOUR)), 400, "bad_field", "400 days"),
        (at(json!("9998-01-01T00:00:00Z"), json!("9998-01-02T00:00:00Z")), 400, "bad_field", "ahead"),
        (
            json!({"claims": [{"resource": "dr-7", "start": ten, "end": midnight + 11 * HOUR, "units": 3}]}),
            400,
            "bad_field",
            "`units`",
        ),
        (
            json!({"claims": [{"resource": "dr-7", "start": ten, "end": midnight + 11 * HOUR, "units": 0}]}),
            400,
            "bad_field",
            "`units`",
        ),
        (json!({"claims": claim("dr-7", 600, 660), "ttl_ms": 999}), 400, "bad_field", "1,000"),
        (json!({"claims": claim("dr-7", 600, 660), "email": "nobody"}), 400, "bad_field", "`email`"),
        (json!({"claims": claim("dr-7", 600, 660), "meta": "x".repeat(5_000)}), 413, "too_large", "`meta`"),
        (json!({"claims": claim("dr-7", 600, 660), "any_of": []}), 400, "bad_field", "exclude"),
        (json!({"claims": vec![claim("dr-7", 600, 660)[0].clone(); 65]}), 429, "limit_reached", "64"),
        (json!({"any_of": vec![claim("dr-7", 600, 660); 17]}), 429, "limit_reached", "16"),
    ] {
        let answer = world.step("holds", &body);
        let said = refused(&answer, status, code);
        assert!(said["detail"].as_str().unwrap().contains(word), "{body}: {said}");
    }
}

#[test]
fn a_resource_and_a_window_that_make_no_sense_are_refused() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    for (wish, word) in [
        (json!({"capacity": 1_000_001}), "capacity"),
        (json!({"capacity": -1}), "capacity"),
        (json!({"after_ms": 86_400_001}), "buffer"),
        (json!({"time_zone": "nowhere in particular"}), "time_zone"),
        (json!({"policy": {"hold_ttl_ms": 10}}), "hold_ttl_ms"),
        (json!({"policy": {"holdttl": 10}}), "holdttl"),
        (json!({"policy": {"waitlist": "perhaps"}}), "perhaps"),
    ] {
        let said = refused(&world.server.api("PUT", "/v1/resources/dr-7", Some(&wish)), 400, "bad_field");
        assert!(said["detail"].as_str().unwrap().contains(word), "{wish}: {said}");
    }
    let from = day();
    for (query, word) in [
        (String::new(), "`from`"),
        (format!("from={from}"), "`to`"),
        (format!("from={from}&to={from}"), "`to`"),
        (format!("from={from}&to={}", from + 32 * 24 * HOUR), "31 days"),
        (format!("from={from}&to={}&duration=0", from + HOUR), "`duration`"),
        (format!("from={from}&to={}&duration=x", from + HOUR), "`duration`"),
        (format!("from={from}&to={}&step=60000", from + HOUR), "`duration`"),
        (format!("from={from}&to={}&duration=60000&step=1", from + HOUR), "`step`"),
        (format!("from={from}&to={}&units=0", from + HOUR), "`units`"),
        (format!("from={from}&to={}&units=2", from + HOUR), "`units`"),
        (format!("from=2027-01-04T10:00:00&to={}", from + HOUR), "offset"),
    ] {
        let said = refused(
            &get(&world.server, &format!("/v1/resources/dr-7/availability?{query}")),
            400,
            "bad_field",
        );
        assert!(said["detail"].as_str().unwrap().contains(word), "{query}: {said}");
    }
}

#[test]
fn a_foreign_hold_a_stale_fence_and_a_used_key_are_told_apart() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    let hold = world.held("anna", claim("dr-7", 600, 660));
    let (id, fence) = (hold["id"].as_str().unwrap(), hold["fence"].as_u64().unwrap());
    let (anna, bert) = (format!("Bearer {}", user("anna")), format!("Bearer {}", user("bert")));
    let as_user = |who: &str, method: &str, path: &str, body: &Value| {
        request(&world.server, method, path, &[("Authorization", who)], Some(&body.to_string()))
    };
    // Anna reads her own, and gets a fence that tells no number.
    let own = as_user(&anna, "GET", &format!("/v1/holds/{id}"), &json!({})).json();
    let sealed = own["reservation"]["fence"].as_str().expect("a text").to_owned();
    assert_eq!(own["reservation"]["email"], "anna@private.test");
    assert!(own["reservation"].get("holder").is_none(), "{own}");
    // Bert cannot even find it; with an id that he guessed he may not touch it.
    refused(&as_user(&bert, "GET", &format!("/v1/holds/{id}"), &json!({})), 404, "not_found");
    let path = |verb: &str| format!("/v1/holds/{id}/{verb}");
    for verb in ["extend", "release"] {
        refused(&as_user(&bert, "POST", &path(verb), &json!({"fence": sealed})), 403, "not_holder");
    }
    refused(&as_user(&anna, "POST", &path("extend"), &json!({"fence": fence})), 400, "bad_field");
    refused(&as_user(&anna, "POST", &path("extend"), &json!({"fence": "x"})), 409, "stale_fence");
    refused(&as_user(&anna, "POST", &path("release"), &json!({})), 400, "bad_field");
    refused(&as_user(&anna, "POST", &path("confirm"), &json!({"fence": sealed})), 403, "denied");
    refused(&world.step(&format!("holds/{id}/extend"), &json!({"fence": fence + 1})), 409, "stale_fence");
    refused(
        &world.step(&format!("holds/{id}/extend"), &json!({"fence": fence, "ttl_ms": 5})),
        400,
        "bad_field",
    );
    refused(
        &as_user(&bert, "POST", "/v1/holds", &json!({"claims": claim("dr-7", 0, 9), "holder": "anna"})),
        403,
        "denied",
    );
    refused(
        &as_user(&bert, "POST", "/v1/holds", &json!({"claims": claim("dr-7", 0, 9), "ttl_ms": null})),
        403,
        "denied",
    );
    refused(&as_user(&bert, "POST", "/v1/bookings", &json!({"claims": claim("dr-7", 0, 9)})), 403, "denied");
    refused(&as_user(&bert, "PUT", "/v1/resources/mine", &json!({})), 403, "denied");
    refused(&as_user(&bert, "PUT", "/v1/blocks/mine", &json!({"as_of": 1, "blocks": []})), 403, "denied");
    refused(&as_user(&bert, "GET", "/v1/resources", &json!({})), 403, "denied");
    refused(&as_user(&bert, "GET", "/v1/holds?user=anna", &json!({})), 403, "denied");
    // The sealed fence works from its holder, and from a backend that was given it.
    assert_eq!(
        as_user(&anna, "POST", &path("extend"), &json!({"fence": sealed, "ttl_ms": 900_000})).status,
        200
    );
    let booked = world.step(&format!("holds/{id}/confirm"), &json!({"fence": sealed})).json();
    assert_eq!(booked["reservation"]["state"], "booked", "{booked}");
    refused(&world.step(&format!("holds/{id}/release"), &json!({"fence": fence})), 409, "bad_state");
    refused(&world.step(&format!("bookings/{id}/complete"), &json!({})), 409, "bad_state");
    refused(&world.step(&format!("bookings/{id}/cancel"), &json!({"version": 1})), 409, "stale_version");
    world.finish();
}

#[test]
fn a_retry_gets_its_first_answer_and_a_used_key_opens_nothing_else() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    let bearer = format!("Bearer {SECRET}");
    let with_key = |key: &str, path: &str, body: &Value| {
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
        request(&world.server, "POST", path, &headers, Some(&body.to_string()))
    };
    let asked = wish("anna", claim("dr-7", 600, 660));
    let first = with_key("k-1", "/v1/holds", &asked).json();
    let again = with_key("k-1", "/v1/holds", &asked).json();
    for member in ["id", "fence", "expires_at", "version"] {
        assert_eq!(first["reservation"][member], again["reservation"][member], "{again}");
    }
    let other = wish("anna", claim("dr-7", 700, 760));
    refused(&with_key("k-1", "/v1/holds", &other), 409, "key_reused");
    // The same key on another kind of route is another key.
    let (id, fence) = (&first["reservation"]["id"], &first["reservation"]["fence"]);
    let confirm = format!("/v1/holds/{}/confirm", id.as_str().unwrap());
    assert_eq!(with_key("k-1", &confirm, &json!({"fence": fence})).status, 200);
    refused(&with_key("k-1", &confirm, &json!({"fence": fence, "external_ref": "7"})), 409, "key_reused");
    // What was refused keeps no key: the time becomes free, and the retry holds it.
    let late = wish("bert", claim("dr-7", 630, 690));
    refused(&with_key("k-2", "/v1/holds", &late), 409, "conflict");
    assert_eq!(world.step(&format!("bookings/{}/cancel", id.as_str().unwrap()), &json!({})).status, 200);
    assert_eq!(with_key("k-2", "/v1/holds", &late).status, 200);
    refused(&with_key("no key at all ", "/v1/holds", &late), 400, "bad_field");
    world.finish();
}

#[test]
fn another_sites_page_cannot_act_with_a_visitors_cookie() {
    let server = Server::start(Start::default());
    assert_eq!(server.api("PUT", "/v1/resources/dr-7", Some(&json!({}))).status, 200);
    let cookie = server.ws().cookie().expect("a new visitor's cookie");
    let host = format!("http://{}", server.address);
    let hold = |origin: &str| {
        let headers = [("Cookie", cookie.as_str()), ("Origin", origin)];
        let body = json!({"claims": claim("dr-7", 600, 660)}).to_string();
        request(&server, "POST", "/v1/holds", &headers, Some(&body))
    };
    refused(&hold("https://evil.test"), 403, "bad_origin");
    let held = hold(&host);
    assert_eq!(held.status, 200, "{held:?}");
    // A reload finds the visitor's own hold again.
    let listed = request(&server, "GET", "/v1/holds", &[("Cookie", &cookie)], None).json();
    assert_eq!(listed["reservations"][0]["id"], held.json()["reservation"]["id"]);
}

//! Who somebody is, and what that opens: every way to say it, every form of a rule, and its end.

use super::harness::*;
use serde_json::{Value, json};

const RULES: &str = r#"
[auth]
leeway = "0s"
cookie = "site-token"
[[access]]
pattern = "everyone-*"
allow = ["subscribe"]
to = "everyone"
[[access]]
pattern = "user-*"
allow = ["subscribe"]
to = "user"
[[access]]
pattern = "staff-*"
allow = ["subscribe", "publish"]
to = "role:staff"
[[access]]
pattern = "private-{user}"
allow = ["subscribe"]
to = "user"
"#;

fn server() -> Server {
    Server::start(Start::with(RULES))
}

/// What the server says to a subscription: `subscribed`, or the code of its refusal.
fn asked(ws: &mut Ws, channel: &str) -> String {
    let answer = ws.ask(json!({"type": "subscribe", "channel": channel}));
    answer["code"].as_str().or(answer["type"].as_str()).unwrap().to_owned()
}

fn with_token(server: &Server, token: &str) -> Ws {
    Ws::open(server, &format!("/v1/ws?token={token}"))
}

#[test]
fn an_anonymous_visitor_gets_a_signed_cookie_with_the_101_and_keeps_it() {
    let server = server();
    let ws = server.ws();
    let cookie = ws.cookie().expect("a cookie");
    assert!(cookie.starts_with("deskbell_visitor="), "{cookie}");
    let line = ws.greeting.lines().find(|line| line.contains("deskbell_visitor")).unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(line.contains(part), "{line}");
    }
    let again = Ws::open_with(&server, "/v1/ws", &[("Cookie", &cookie)]).unwrap();
    assert_eq!(again.cookie(), None, "its cookie is known");
    let mut forged = cookie.into_bytes();
    *forged.last_mut().unwrap() ^= 1;
    let forged = String::from_utf8(forged).unwrap();
    let stranger = Ws::open_with(&server, "/v1/ws", &[("Cookie", &forged)]).unwrap();
    assert!(stranger.cookie().is_some(), "a forged cookie names nobody");
}

#[test]
fn a_stale_cookie_makes_a_visitor_and_a_stale_token_that_was_sent_on_purpose_is_refused() {
    let server = server();
    let stale = token(&json!({"sub": "7", "exp": in_seconds(-60)}));
    let cookie = format!("site-token={stale}");
    let mut ws = Ws::open_with(&server, "/v1/ws", &[("Cookie", &cookie)]).unwrap();
    assert!(ws.cookie().is_some(), "a visitor's own");
    assert_eq!(asked(&mut ws, "everyone-1"), "subscribed");
    assert_eq!(asked(&mut ws, "private-7"), "denied");
    assert_eq!(ws.ask(json!({"type": "authenticate", "token": user("7")}))["type"], "ok");
    assert_eq!(asked(&mut ws, "private-7"), "subscribed", "with a new token it is the user after all");
    let said = Ws::open_with(&server, &format!("/v1/ws?token={stale}"), &[("Cookie", &cookie)]);
    assert!(said.is_err_and(|answer| answer.contains("401")), "a token in the query was meant");
}

#[test]
fn a_token_is_taken_from_query_header_cookie_hello_and_authenticate() {
    let server = server();
    let token = user("7");
    let bearer = format!("Bearer {token}");
    let cookie = format!("other=1; site-token={token}");
    let mut known = vec![
        with_token(&server, &token),
        Ws::open_with(&server, "/v1/ws", &[("Authorization", &bearer)]).unwrap(),
        Ws::open_with(&server, "/v1/ws", &[("Cookie", &cookie)]).unwrap(),
    ];
    let mut hello = server.ws();
    assert_eq!(asked(&mut hello, "private-7"), "denied");
    hello.send(&json!({"type": "hello", "token": token}));
    hello.expect("welcome");
    known.push(hello);
    let mut authenticate = server.ws();
    assert_eq!(authenticate.ask(json!({"type": "authenticate", "token": token}))["type"], "ok");
    known.push(authenticate);
    for (way, ws) in known.iter_mut().enumerate() {
        assert_eq!(asked(ws, "private-7"), "subscribed", "way {way}");
        assert_eq!(asked(ws, "private-8"), "denied", "way {way}");
    }
}

#[test]
fn each_form_of_a_rule_opens_exactly_what_it_says() {
    let server = server();
    let staff = token(&json!({"sub": "9", "roles": ["staff", "other"]}));
    let table: [(Option<String>, [(&str, &str); 4]); 3] = [
        (
            None,
            [
                ("everyone-1", "subscribed"),
                ("user-1", "denied"),
                ("staff-1", "denied"),
                ("private-7", "denied"),
            ],
        ),
        (
            Some(user("7")),
            [
                ("everyone-1", "subscribed"),
                ("user-1", "subscribed"),
                ("staff-1", "denied"),
                ("private-7", "subscribed"),
            ],
        ),
        (
            Some(staff),
            [
                ("everyone-1", "subscribed"),
                ("user-1", "subscribed"),
                ("staff-1", "subscribed"),
                ("private-7", "denied"),
            ],
        ),
    ];
    for (token, expected) in table {
        let mut ws = token.as_ref().map_or_else(|| server.ws(), |token| with_token(&server, token));
        for (channel, answer) in expected {
            assert_eq!(asked(&mut ws, channel), answer, "{token:?} {channel}");
        }
        let publish = ws.ask(json!({"type": "publish", "channel": "staff-1", "name": "e", "data": 1}));
        assert_eq!(publish["type"] == "ok", token.is_some() && expected[2].1 == "subscribed", "{publish}");
        let elsewhere = ws.ask(json!({"type": "publish", "channel": "everyone-1", "name": "e", "data": 1}));
        assert_eq!(elsewhere["code"], "denied", "to read is not to write");
        assert_eq!(asked(&mut ws, "unnamed"), "denied", "closed by default");
    }
}

#[test]
fn a_grant_in_the_token_opens_and_its_from_hides_the_past() {
    let server = server();
    let old = server.send("talk", 1)["cursor"].clone();
    let from = server.send("talk", 2)["cursor"].clone();
    server.send("talk", 3);
    let granted = |grant: Value| token(&json!({"sub": "7", "deskbell": {"channels": {"talk": grant}}}));
    let mut whole = with_token(&server, &granted(json!(["subscribe"])));
    whole.send(&json!({"type": "subscribe", "channel": "talk", "since": old}));
    assert_eq!(whole.expect("subscribed")["recovered"], true);
    assert_eq!((whole.event(), whole.event()), (json!(2), json!(3)));
    let late = granted(json!({"allow": ["subscribe"], "from": from}));
    let mut newcomer = with_token(&server, &late);
    newcomer.send(&json!({"type": "subscribe", "channel": "talk", "since": old}));
    newcomer.expect("subscribed");
    assert_eq!(newcomer.event(), 3, "what was said before stays hidden");
    newcomer.expect_nothing();
    // The same over a hello with an older cursor.
    let mut hello = server.ws();
    hello.send(&json!({"type": "hello", "token": late, "cursor": old, "channels": ["talk"]}));
    hello.expect("welcome");
    hello.expect("subscribed");
    assert_eq!(hello.event(), 3);
    hello.expect_nothing();
    assert_eq!(asked(&mut newcomer, "other"), "denied");
    assert_eq!(
        newcomer.ask(json!({"type": "publish", "channel": "talk", "name": "e", "data": 1}))["code"],
        "denied"
    );
}

#[test]
fn a_grants_from_hides_older_values_and_events_of_a_durable_channel() {
    let config = format!(
        "{RULES}\n[[channels]]\npattern = \"now\"\nclass = \"latest\"\n[[channels]]\npattern = \"kept\"\ndurable = true\n"
    );
    let server = Server::start(Start::with(&config));
    let value = |channel: &str, key: &str, n: i64| {
        server.publish(&json!({"channel": channel, "name": key, "data": n}))["cursor"].clone()
    };
    let old = value("now", "a", 1);
    value("kept", "e", 1);
    // The two channels count in different coordinates; one place hides the past of both.
    let from = value("kept", "e", 2);
    value("now", "b", 2);
    value("kept", "e", 3);
    let grant = json!({"allow": ["subscribe"], "from": from});
    let token = token(&json!({"sub": "7", "deskbell": {"channels": {"now": grant, "kept": grant}}}));
    for cursor in [Value::Null, old.clone()] {
        let mut ws = with_token(&server, &token);
        ws.send(&json!({"type": "subscribe", "channel": "now"}));
        ws.expect("subscribed");
        assert_eq!(ws.event(), 2, "the value from before the grant is its past");
        let mut hello = json!({"type": "hello", "channels": ["now", "kept"]});
        if !cursor.is_null() {
            hello["cursor"] = cursor;
        }
        let mut ws = with_token(&server, &token);
        ws.send(&hello);
        for kind in ["welcome", "subscribed", "subscribed"] {
            ws.expect(kind);
        }
        assert_eq!(ws.event(), 2);
        if hello["cursor"].is_string() {
            assert_eq!(ws.event(), 3);
        }
        ws.expect_nothing();
    }
}

#[test]
fn a_wrong_token_is_refused_wherever_it_comes_from() {
    let server = server();
    let wrong = token_signed(&json!({"sub": "7"}), "another-secret-another-secret-another");
    let over = token(&json!({"sub": "7", "exp": in_seconds(-60)}));
    for (bad, code) in
        [(&wrong, "unauthorized"), (&over, "token_expired"), (&"rubbish".to_owned(), "unauthorized")]
    {
        let path = format!("/v1/ws?token={bad}");
        let refused = Ws::open_with(&server, &path, &[]).err().expect("no upgrade with a wrong token");
        assert!(refused.starts_with("HTTP/1.1 401") && refused.contains(code), "{refused}");
        let mut ws = server.ws();
        for kind in ["authenticate", "hello"] {
            let answer = ws.ask(json!({"type": kind, "token": bad}));
            assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{kind}");
        }
        assert_eq!(asked(&mut ws, "user-1"), "denied", "a refused token changes nothing");
        assert_eq!(asked(&mut ws, "everyone-1"), "subscribed");
    }
}

#[test]
fn the_secret_as_bearer_may_everything_and_another_secret_nothing() {
    let server = server();
    let bearer = format!("Bearer {SECRET}");
    let mut ws = Ws::open_with(&server, "/v1/ws", &[("Authorization", &bearer)]).unwrap();
    for channel in ["unnamed", "staff-1", "private-7"] {
        assert_eq!(asked(&mut ws, channel), "subscribed");
    }
    assert_eq!(
        ws.ask(json!({"type": "publish", "channel": "unnamed", "name": "e", "data": 1}))["type"],
        "ok"
    );
    let other = format!("Bearer {SECRET}x");
    assert!(Ws::open_with(&server, "/v1/ws", &[("Authorization", &other)]).is_err());
    let body = r#"{"channel":"unnamed","name":"e","data":1}"#;
    assert_eq!(request(&server, "POST", "/v1/publish", &[("Authorization", &other)], Some(body)).status, 401);
    assert_eq!(request(&server, "POST", "/v1/publish", &[], Some(body)).status, 401);
}

#[test]
fn a_token_that_expires_while_subscribed_ends_the_connection_unless_it_is_renewed() {
    let server = server();
    let short = token(&json!({"sub": "7", "exp": in_seconds(2)}));
    let mut expires = with_token(&server, &short);
    let mut renewed = with_token(&server, &short);
    for ws in [&mut expires, &mut renewed] {
        assert_eq!(asked(ws, "private-7"), "subscribed");
    }
    assert_eq!(renewed.ask(json!({"type": "authenticate", "token": user("7")}))["type"], "ok");
    let stranger = renewed.ask(json!({"type": "authenticate", "token": user("8")}));
    assert_eq!(stranger["code"], "denied", "a connection keeps its user");
    let error = expires.expect("error");
    assert_eq!(error["code"], "token_expired", "{error}");
    assert_eq!(expires.until_closed().code, Some(4401));
    server.send("private-7", 1);
    assert_eq!(renewed.event(), 1, "the other one has been renewed and lives on");
}

#[test]
fn a_right_that_a_changed_rule_takes_away_ends_the_subscription() {
    let mut server = server();
    let mut ws = with_token(&server, &user("7"));
    for channel in ["everyone-1", "user-1"] {
        assert_eq!(asked(&mut ws, channel), "subscribed");
    }
    let fewer = RULES.replace("\"user-*\"", "\"nobody-*\"");
    assert_ne!(fewer, RULES);
    server.reload(&fewer);
    let reset = ws.expect("reset");
    assert_eq!((&reset["channel"], &reset["reason"]), (&json!("user-1"), &json!("denied")));
    server.send("user-1", 1);
    server.send("everyone-1", 2);
    assert_eq!(ws.event(), 2, "what is still allowed goes on");
    ws.expect_nothing();
    assert_eq!(asked(&mut ws, "user-1"), "denied");
    // A session that comes back is told as well.
    let mut back = Ws::back(&server, None, &ws.cursor, &["user-1"]);
    assert_eq!(back.expect("reset")["reason"], "denied");
}

#[test]
fn a_parked_session_loses_the_right_as_well() {
    let mut server = server();
    let mut ws = with_token(&server, &user("7"));
    assert_eq!(asked(&mut ws, "user-1"), "subscribed");
    let key = ws.resume_key();
    let cursor = ws.cut();
    server.send("user-1", 1);
    server.reload(&RULES.replace("\"user-*\"", "\"nobody-*\""));
    let mut back = Ws::back(&server, Some(&key), &cursor, &["user-1"]);
    assert_eq!(back.expect("reset")["reason"], "denied");
    back.expect_nothing();
}

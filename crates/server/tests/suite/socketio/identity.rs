//! Who a client is, and which rooms it gets by it.

use serde_json::{Value, json};

use super::{Client, Got};
use crate::harness::{Server, Start, in_seconds, token_signed};

/// What the site signs its tokens with.
const SITE: &str = "the secret of the marketplace, which is long enough";

fn server() -> Server {
    Server::start(Start::with(&format!("[socketio]\njwt_secret = \"{SITE}\"\n")))
}

/// A token as the marketplace makes it: the id in a claim of its own, one role.
fn token(id: &str, role: &str) -> String {
    token_signed(&json!({"id": id, "role": role, "email": "a@b.c"}), SITE)
}

fn authenticate(client: &mut Client, arg: &Value) -> (String, Value) {
    client.emit("authenticate", arg);
    client.event()
}

#[test]
fn a_site_s_own_token_makes_a_client_known_and_brings_it_into_its_rooms() {
    let server = server();
    let mut client = Client::connect(&server);
    let arg = json!({"token": token("u1", "CLIENT"), "userId": "u1", "role": "CLIENT"});
    let known = json!({"success": true, "userId": "u1", "role": "CLIENT"});
    assert_eq!(authenticate(&mut client, &arg), ("authenticated".to_owned(), known));
    for room in ["user_u1", "role_CLIENT", "role_client"] {
        server.send(room, room);
        assert_eq!(client.event().1, json!(room));
    }
    server.send("user_u2", 0);
    server.send("role_provider", 0);
    client.expect_nothing();
}

#[test]
fn a_token_alone_as_a_text_is_enough() {
    let server = server();
    let mut client = Client::connect(&server);
    assert_eq!(authenticate(&mut client, &json!(token("u1", "CLIENT"))).0, "authenticated");
}

/// An application may have both, and sign with either.
#[test]
fn a_token_of_either_of_the_site_s_secrets_makes_a_client_known() {
    let [jwt, next] =
        ["JWT_SECRET", "NEXTAUTH_SECRET"].map(|name| (name, format!("{name} which is long enough to sign")));
    for which in [vec![&jwt, &next], vec![&jwt], vec![&next]] {
        let env = which.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone())).collect();
        let server = Server::start(Start { env, ..Start::default() });
        for (name, secret) in [&jwt, &next] {
            let token = token_signed(&json!({"id": "u1", "role": "CLIENT"}), secret);
            let expected = which.iter().any(|(known, _)| known == name);
            let mut client = Client::connect(&server);
            let told = authenticate(&mut client, &json!({ "token": token })).0;
            assert_eq!(told == "authenticated", expected, "{name} of {which:?}");
        }
    }
}

#[test]
fn a_wrong_token_is_told_under_both_names_and_brings_nothing() {
    let server = server();
    let mut client = Client::connect(&server);
    let other =
        token_signed(&json!({"id": "u1", "role": "CLIENT"}), "some other secret, which is as long as it");
    let late = token_signed(&json!({"id": "u1", "exp": in_seconds(-3_600)}), SITE);
    for (arg, code) in [
        (json!({"token": other, "userId": "u1"}), "unauthorized"),
        (json!({"token": "test_token", "userId": "u1", "role": "CLIENT"}), "unauthorized"),
        (json!({"userId": "u1", "role": "CLIENT"}), "unauthorized"),
        (json!({"token": late}), "token_expired"),
        (json!({"token": token("u2", "CLIENT"), "userId": "u1"}), "denied"),
        (json!({"token": token("u1", "CLIENT"), "userId": "u1", "role": "ADMIN"}), "denied"),
        (json!(7), "bad_field"),
    ] {
        for name in ["auth_error", "authentication_error"] {
            let (told, data) =
                if name == "auth_error" { authenticate(&mut client, &arg) } else { client.event() };
            assert_eq!(told, name, "{arg}");
            assert_eq!(
                (&data["error"], &data["code"]),
                (&json!("Authentication failed"), &json!(code)),
                "{arg}"
            );
        }
    }
    server.send("user_u1", 0);
    client.expect_nothing();
}

#[test]
fn a_foreign_room_is_refused_and_never_as_a_failed_proof() {
    let server = server();
    let mut client = Client::connect(&server);
    client.emit("authenticate", &json!(token("u1", "CLIENT")));
    client.event();
    for room in ["user_u2", "role_admin", "booking_7", "lobby"] {
        let answer = client.ask("join_room", &json!(room));
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("denied")), "{room}");
        let (name, data) = client.event();
        assert_eq!(
            (name.as_str(), &data["room"], &data["code"]),
            ("room_error", &json!(room), &json!("denied"))
        );
        server.send(room, 0);
    }
    let answer = client.ask("join_room", &json!("#everybody"));
    assert_eq!(answer["code"], "bad_channel");
    client.event();
    client.expect_nothing();
}

#[test]
fn a_rule_opens_a_room() {
    let rule = "[[access]]\npattern = \"booking_*\"\nallow = [\"subscribe\"]\nto = \"role:CLIENT\"\n";
    let server = Server::start(Start::with(&format!("{rule}[socketio]\njwt_secret = \"{SITE}\"\n")));
    let mut client = Client::connect(&server);
    assert_eq!(client.ask("join_room", &json!("booking_7"))["code"], "denied");
    client.event();
    client.emit("authenticate", &json!(token("u1", "CLIENT")));
    client.event();
    client.join("booking_7");
    server.send("booking_7", 1);
    assert_eq!(client.event().1, json!(1));
}

#[test]
fn a_connection_s_own_proof_counts_where_a_page_sends_none() {
    let server = server();
    let good = token("u1", "CLIENT");
    let cookie = format!("auth-token={good}");
    let bearer = format!("Bearer {good}");
    for headers in [[("Cookie", cookie.as_str())], [("Authorization", bearer.as_str())]] {
        let mut client = Client::connect_with(&server, &json!({}), &headers);
        // It is in its rooms at once.
        server.send("user_u1", 1);
        assert_eq!(client.event().1, json!(1));
        let arg = json!({"token": "test_token", "userId": "u1", "role": "CLIENT"});
        assert_eq!(authenticate(&mut client, &arg).0, "authenticated");
        let arg = json!({"token": "test_token", "userId": "u2", "role": "CLIENT"});
        assert_eq!(authenticate(&mut client, &arg).0, "auth_error");
        client.event();
    }
    let mut client = Client::connect_with(&server, &json!({ "token": good }), &[]);
    server.send("user_u1", 2);
    assert_eq!(client.event().1, json!(2));
}

#[test]
fn a_token_that_does_not_hold_keeps_a_client_out_and_says_why() {
    let server = server();
    let mut client = Client::open(&server, "", &[]);
    let late = token_signed(&json!({"id": "u1", "exp": in_seconds(-3_600)}), SITE);
    client.send(&format!("40{}", json!({ "token": late })));
    let text = client.text();
    let no: Value = serde_json::from_str(text.strip_prefix("44").unwrap()).unwrap();
    assert_eq!(no["data"], json!({"code": "token_expired"}));
    assert!(no["message"].as_str().unwrap().contains("expired"), "{no}");
    client.enter("/", &json!({ "token": token("u1", "CLIENT") }));
}

#[test]
fn a_connection_stays_one_user_s() {
    let server = server();
    let mut client = Client::connect_with(&server, &json!({ "token": token("u1", "CLIENT") }), &[]);
    assert_eq!(authenticate(&mut client, &json!(token("u2", "CLIENT"))).1["code"], "denied");
    client.event();
    client.send(&format!("40/api/socket,{}", json!({ "token": token("u2", "CLIENT") })));
    assert!(client.text().starts_with("44/api/socket,"), "another user came in");
}

#[test]
fn the_end_of_a_token_closes_the_transport_so_that_its_client_comes_back() {
    let config = format!("[auth]\nleeway = \"0s\"\n[socketio]\njwt_secret = \"{SITE}\"\n");
    let server = Server::start(Start::with(&config));
    let short = token_signed(&json!({"id": "u1", "exp": in_seconds(2)}), SITE);
    let mut client = Client::connect_with(&server, &json!({ "token": short }), &[]);
    loop {
        match client.next() {
            Got::Closed(code, _) => {
                assert_eq!(code, Some(4401));
                break;
            }
            // A 41 would tell the library never to come back.
            Got::Text(text) => assert!(!text.starts_with("41"), "{text}"),
            Got::Bytes(_) => {}
        }
    }
}

#[test]
fn in_development_a_client_is_who_it_says() {
    let server = Server::dev();
    let mut client = Client::connect(&server);
    let arg = json!({"token": "test_token", "userId": "u1", "role": "PROVIDER"});
    assert_eq!(authenticate(&mut client, &arg).0, "authenticated");
    server.send("user_u1", 1);
    assert_eq!(client.event().1, json!(1));
}

#[test]
fn both_namespaces_of_the_marketplace_have_one_identity() {
    let server = server();
    let mut client = Client::connect(&server);
    client.enter("/api/socket", &json!({}));
    assert_eq!(
        client.ask_in("/api/socket", "authenticate", &json!(token("u1", "CLIENT"))),
        json!({"success": true})
    );
    assert_eq!(client.event_in("/api/socket").0, "authenticated");
    server.send("user_u1", 1);
    assert_eq!(client.event().1, json!(1));
    assert_eq!(client.event_in("/api/socket").1, json!(1));
}

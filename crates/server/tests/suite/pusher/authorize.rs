//! The authorisation endpoint: by the rules, and by asking the app.

use super::*;

const RULES: &str = r#"
[[access]]
pattern = "private-notes.{user}"
allow = ["subscribe"]
to = "user"

[[access]]
pattern = "presence-clinic.1"
allow = ["subscribe", "presence"]
to = "role:staff"

[[access]]
pattern = "user:{user}"
allow = ["subscribe"]
to = "user"
"#;

/// Asks as pusher-js does, with further headers.
fn ask(server: &Server, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
    let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
    let headers: Vec<(&str, &str)> = form_type.iter().chain(headers).copied().collect();
    request(server, "POST", path, &headers, Some(form))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What somebody with a token is answered.
fn asked(server: &Server, token: &str, socket: &str, channel: &str) -> Answer {
    let form = format!("socket_id={socket}&channel_name={channel}");
    ask(server, "/broadcasting/auth", &form, &[("Authorization", &bearer(token))])
}

#[test]
fn the_rules_say_who_is_given_a_signature() {
    let server = Server::start(Start::with(RULES));
    let mut client = Pusher::open(&server);
    let answer = asked(&server, &user("5"), &client.socket, "private-notes.5");
    assert_eq!(answer.status, 200, "{answer:?}");
    let auth = answer.json()["auth"].as_str().unwrap().to_owned();
    assert_eq!(auth, pusher_signature(&format!("{}:private-notes.5", client.socket)));
    assert_eq!(answer.json(), json!({ "auth": auth }), "and nothing else");
    client.wish("private-notes.5", &auth, None);
    client.succeeded("private-notes.5");
    // The name with both prefixes is another channel, and its rule is the same.
    let answer = asked(&server, &user("5"), &client.socket, "private-private-notes.5");
    client.wish("private-private-notes.5", answer.json()["auth"].as_str().unwrap(), None);
    client.succeeded("private-private-notes.5");
    // What is projected is open to whoever may read what it shows.
    assert_eq!(asked(&server, &user("5"), "1.2", "private-private-notifications.5").status, 200);
    for (token, channel, status) in [
        (user("6"), "private-notes.5", 403),
        (user("6"), "private-private-notes.5", 403),
        (user("6"), "private-private-private-notes.6", 403),
        (user("6"), "private-notifications.5", 403),
        (user("doctor.5"), "private-appointments.doctor.5", 403),
        (user("5"), "private-encrypted-notes.5", 403),
        (user("5"), "private-unknown", 403),
        (user("5"), "notes.5", 400),
        (user("5"), "%23server-to-user-6", 400),
        (user("5"), "private-a%20b", 400),
        (token_signed(&json!({"sub": "5"}), "another secret, which is long enough"), "private-notes.5", 401),
    ] {
        let answer = asked(&server, &token, "1.2", channel);
        assert_eq!(answer.status, status, "{channel}: {answer:?}");
    }
    let nobody = ask(&server, "/broadcasting/auth", "socket_id=1.2&channel_name=private-notes.5", &[]);
    assert_eq!(nobody.status, 403, "{nobody:?}");
    assert_eq!(asked(&server, &user("5"), "1-2", "private-notes.5").status, 400, "no socket");
    assert_eq!(ask(&server, "/broadcasting/auth", "", &[]).status, 400);
}

#[test]
fn whoever_enters_is_shown_as_its_token_says() {
    let server = Server::start(Start::with(RULES));
    let token = token(&json!({"sub": "5", "name": "Ann", "roles": ["staff"]}));
    let mut client = Pusher::open(&server);
    // Behind any prefix, and where pusher-js asks if it is told nothing.
    for path in ["/api/v1/broadcasting/auth", "/pusher/auth", "/broadcasting/auth"] {
        let form = format!("socket_id={}&channel_name=presence-clinic.1", client.socket);
        let answer = ask(&server, path, &form, &[("Authorization", &bearer(&token))]);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let data = answer.json()["channel_data"].as_str().unwrap().to_owned();
        client.wish("presence-clinic.1", answer.json()["auth"].as_str().unwrap(), Some(&data));
        let there = client.succeeded("presence-clinic.1");
        assert_eq!(there["presence"]["hash"], json!({"5": {"id": "5", "name": "Ann"}}));
    }
    assert_eq!(asked(&server, &user("6"), "1.2", "presence-clinic.1").status, 403, "no role");
    let form = format!("socket_id={}", client.socket);
    let answer = ask(&server, "/broadcasting/user-auth", &form, &[("Authorization", &bearer(&token))]);
    let told = answer.json();
    client.send("pusher:signin", &told);
    let frame = client.expect("pusher:signin_success");
    let shown: Value = serde_json::from_str(frame["data"]["user_data"].as_str().unwrap()).unwrap();
    assert_eq!(shown, json!({"id": "5", "user_info": {"id": "5", "name": "Ann"}}));
    assert_eq!(ask(&server, "/pusher/user-auth", &form, &[]).status, 403, "a visitor is nobody");
}

#[test]
fn another_sites_page_gets_no_signature_by_a_cookie() {
    let server = Server::start(Start::with(&format!("auth.cookie = \"token\"\n{RULES}")));
    let form = "socket_id=1.2&channel_name=private-notes.5";
    let cookie = format!("token={}", user("5"));
    let with = |origin: &str| {
        ask(&server, "/broadcasting/auth", form, &[("Cookie", &cookie), ("Origin", origin)]).status
    };
    assert_eq!(with(&format!("http://{}", server.address)), 200);
    assert_eq!(with("https://evil.test"), 403);
}

/// A site whose endpoint is asked, and what it knows of its users by their cookies.
fn site() -> Receiver {
    let site = Receiver::start();
    site.answer(|asked| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let known = asked.headers.get("cookie").is_some_and(|cookie| cookie == "session=ann");
        if !known || asked.headers.get("x-csrf-token").is_none_or(|token| token != "t") {
            return Say::Status(403, "");
        }
        // Laravel's `redis` broadcaster does not sign; the one for Pusher does.
        Say::Body(
            200,
            match body {
                body if body.contains("private-signed") => r#"{"auth":"test-key:beef"}"#.to_owned(),
                body if body.contains("private-strange") => "<html>".to_owned(),
                body if body.contains("private-broken") => return Say::Status(500, ""),
                body if body.contains("presence-") => {
                    r#"{"channel_data":{"user_id":5,"user_info":{"name":"Ann"}}}"#.to_owned()
                }
                body if body.contains("channel_name") => "true".to_owned(),
                _ => r#"{"id":"5","user_info":{"name":"Ann"}}"#.to_owned(),
            },
        )
    });
    site
}

#[test]
fn the_app_is_asked_with_the_clients_own_cookies_and_headers() {
    let site = site();
    let url = format!("http://{}/broadcasting/auth", site.address);
    let server = Server::start(Start::with(&format!("pusher.auth_url = \"{url}\"\n")));
    let mut client = Pusher::open(&server);
    let headers = [("Cookie", "session=ann"), ("X-CSRF-TOKEN", "t")];
    let of = |socket: &str, channel: &str| format!("socket_id={socket}&channel_name={channel}");
    let answer = ask(&server, "/broadcasting/auth", &of(&client.socket, "private-room"), &headers);
    assert_eq!(answer.status, 200, "{answer:?}");
    client.wish("private-room", answer.json()["auth"].as_str().unwrap(), None);
    client.succeeded("private-room");
    let asked = site.next();
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(asked.body, of(&client.socket, "private-room").as_bytes());
    let answer = ask(&server, "/broadcasting/auth", &of(&client.socket, "presence-room"), &headers).json();
    client.wish("presence-room", answer["auth"].as_str().unwrap(), answer["channel_data"].as_str());
    assert_eq!(client.succeeded("presence-room")["presence"]["hash"], json!({"5": {"name": "Ann"}}));
    let signed = ask(&server, "/broadcasting/auth", &of("1.2", "private-signed"), &headers);
    assert_eq!(signed.json(), json!({"auth": "test-key:beef"}), "it is passed on as it is");
    let answer = ask(&server, "/broadcasting/user-auth", &format!("socket_id={}", client.socket), &headers);
    client.send("pusher:signin", &answer.json());
    client.expect("pusher:signin_success");
    let status = |channel: &str, headers: &[(&str, &str)]| {
        ask(&server, "/broadcasting/auth", &of("1.2", channel), headers).status
    };
    assert_eq!(status("private-room", &[("Cookie", "session=bob"), ("X-CSRF-TOKEN", "t")]), 403);
    assert_eq!(status("private-room", &[("Cookie", "session=ann")]), 403);
    // What is neither yes nor no is no "no": the page may try again.
    assert_eq!(status("private-strange", &headers), 503);
    assert_eq!(status("private-broken", &headers), 503);
    // The rules do not decide beside the app: a token opens nothing here.
    let own = bearer(&user("5"));
    assert_eq!(status("private-notifications.5", &[("Authorization", &own)]), 403);
}

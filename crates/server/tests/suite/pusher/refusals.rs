//! Every refusal that docs/pusher.md has a row for, and what becomes of the connection.

use std::path::Path;

use super::backend::{By, OWN, SECOND, ask, event};
use super::*;

/// The rows of the page: what is refused, the codes and statuses, and whether the connection stays.
fn rows() -> Vec<(String, Vec<u64>, bool)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pusher.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split("\n## Refusals\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let words = cells[1].split(|c: char| !c.is_ascii_digit());
        let codes = words.filter_map(|word| word.parse().ok()).filter(|code| *code >= 400).collect();
        (cells[0].to_owned(), codes, cells[2].starts_with("stays"))
    };
    rows.map(row).collect()
}

/// The statuses and codes that somebody hears who does this.
fn hears(server: &Server, client: &mut Pusher, what: &str) -> Vec<u64> {
    backend_hears(server, what).unwrap_or_else(|| client_hears(server, client, what))
}

/// The same of what a backend does.
fn backend_hears(server: &Server, what: &str) -> Option<Vec<u64>> {
    let status = |by: &By<'_>, path: &str, body: &str| {
        let answer = ask(server, by, "POST", path, "", body);
        assert!(answer.json()["detail"].as_str().is_some_and(|said| said.len() > 10), "{answer:?}");
        vec![u64::from(answer.status)]
    };
    let (events, plain) = ("/apps/1001/events", event(&json!({})));
    let second = By { key: "second", secret: "a secret that is long enough to be one", at: 0 };
    let names: Vec<String> = (0..101).map(|n| format!("c{n}")).collect();
    let batch = json!({"batch": vec![json!({"channel": "a", "name": "e", "data": "1"}); 11]});
    Some(match what {
        "a request with a bad signature" => status(&By { secret: "wrong", ..OWN }, events, &plain),
        "a request with the key of another app" => status(&second, events, &plain),
        "a request whose `auth_timestamp` is more than ten minutes off" => {
            status(&By { at: -700, ..OWN }, events, &plain)
        }
        "10,241 bytes of data" => status(&OWN, events, &event(&json!({"data": "x".repeat(10_241)}))),
        "101 channels of one event" => status(&OWN, events, &event(&json!({ "channels": names }))),
        "11 events of one batch" => status(&OWN, "/apps/1001/batch_events", &batch.to_string()),
        "a reserved event name (`pusher:…`, `pusher_internal:…`)" => {
            let other = status(&OWN, events, &event(&json!({"name": "pusher_internal:x"})));
            let one = status(&OWN, events, &event(&json!({"name": "pusher:x"})));
            assert_eq!(one, other);
            one
        }
        _ => return None,
    })
}

fn refused(client: &mut Pusher, channel: &str) -> Vec<u64> {
    let (status, code) = client.refused(channel);
    vec![status, code]
}

/// The same of what a client does.
fn client_hears(server: &Server, client: &mut Pusher, what: &str) -> Vec<u64> {
    match what {
        "an unknown key" => {
            let mut ws = Pusher::knock(server, "/app/unknown");
            let said: Value = ws.next();
            let closed = ws.until_closed().code.unwrap();
            assert!(
                said["event"] == "pusher:error" && said.to_string().contains(&closed.to_string()),
                "{said}"
            );
            vec![u64::from(closed)]
        }
        "the 101st member of a presence channel" => comes_as_101st(server, client),
        "a subscription with `channel_data` that was not signed" => {
            let auth = pusher_signature(&format!(r#"{}:presence-a:{{"user_id":"7"}}"#, client.socket));
            client.wish("presence-a", &auth, Some(r#"{"user_id":"8"}"#));
            refused(client, "presence-a")
        }
        "another user's `#server-to-user-…`" => {
            client.sign_in(r#"{"id":"7"}"#);
            client.expect("pusher:signin_success");
            client.wish("#server-to-user-8", "", None);
            refused(client, "#server-to-user-8")
        }
        "the 11th client event in a second" => {
            client.subscribe("private-talk");
            (0..11).for_each(|_| client.say("client-hi", "private-talk", &json!({})));
            vec![client.expect("pusher:error")["data"]["code"].as_u64().unwrap()]
        }
        "the 101st user of a watchlist" => {
            let list: Vec<String> = (0..101).map(|n| format!("w{n}")).collect();
            client.sign_in(&json!({"id": "7", "watchlist": list}).to_string());
            let code = std::iter::from_fn(|| Some(client.next()["data"]["code"].as_u64())).flatten().next();
            vec![code.unwrap()]
        }
        "a user with a bad signature" => {
            client.send("pusher:signin", &json!({"auth": "test-key:00", "user_data": r#"{"id":"7"}"#}));
            let code = client.expect("pusher:error")["data"]["code"].as_u64().unwrap();
            assert_eq!(client.until_closed().code.map(u64::from), Some(code));
            vec![code]
        }
        other => panic!("nobody tries {other}"),
    }
}

fn comes_as_101st(server: &Server, client: &mut Pusher) -> Vec<u64> {
    let enter = |n: u64| {
        let mut member = Pusher::open(server);
        member.enter("presence-full", &json!({ "user_id": n }).to_string());
        member
    };
    let _there: Vec<Pusher> = (0..100).map(enter).collect();
    let data = r#"{"user_id":100}"#;
    let auth = pusher_signature(&format!("{}:presence-full:{data}", client.socket));
    client.wish("presence-full", &auth, Some(data));
    refused(client, "presence-full")
}

#[test]
fn each_refusal_is_answered_as_the_page_says() {
    let rows = rows();
    assert_eq!(rows.len(), 14);
    for (what, codes, stays) in rows {
        let server = Server::start(Start::with(SECOND));
        let mut client = Pusher::open(&server);
        client.subscribe("kept");
        assert_eq!(hears(&server, &mut client, &what), codes, "{what}");
        if stays {
            trigger(&server, "kept", "told", &json!("still"));
            while client.next()["event"] != "told" {}
        }
    }
}

//! Every bound of the dialect, from both sides: the last that is taken, and the first that is not. Which of them an
//! app may have for itself, and that no other app has them then.

use super::apps::{OPERATOR, operate};
use super::backend::{By, OWN, ask, event};
use super::*;

/// Members of a presence channel of which the operator wants more than a hundred.
fn many() -> usize {
    count(120, 1_000)
}

#[test]
fn a_backend_may_send_up_to_its_bounds_and_not_beyond() {
    let server = Server::start(Start::default());
    let channels = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>();
    let of = |data: &str| json!({"channel": "a", "name": "e", "data": data});
    let full = "x".repeat(10_240);
    // Bytes count, and not letters or what JSON makes of them.
    let (wide, quoted) = ("ä".repeat(5_120), "\"".repeat(10_240));
    let batch = |events: &[Value]| json!({ "batch": events }).to_string();
    for (status, path, body) in [
        (200, "events", event(&json!({ "data": full }))),
        (200, "events", event(&json!({ "data": wide }))),
        (200, "events", event(&json!({ "data": quoted }))),
        (413, "events", event(&json!({ "data": format!("{full}x") }))),
        (413, "events", event(&json!({ "data": format!("{wide}x") }))),
        (200, "events", event(&json!({ "channels": channels(100) }))),
        (400, "events", event(&json!({ "channels": channels(101) }))),
        (400, "events", event(&json!({ "channels": [] }))),
        (200, "events", event(&json!({ "channels": ["c".repeat(200)] }))),
        (400, "events", event(&json!({ "channels": ["c".repeat(201)] }))),
        (200, "events", event(&json!({ "name": "n".repeat(200) }))),
        (400, "events", event(&json!({ "name": "n".repeat(201) }))),
        // Each event of a batch has the bound for itself.
        (200, "batch_events", batch(&vec![of(&full); 10])),
        (400, "batch_events", batch(&vec![of("1"); 11])),
        (413, "batch_events", batch(&[of("1"), of(&format!("{full}x"))])),
    ] {
        let answer = ask(&server, &OWN, "POST", &format!("/apps/1001/{path}"), "", &body);
        assert_eq!(answer.status, status, "{path} {}: {answer:?}", &body[..body.len().min(80)]);
    }
}

#[test]
fn a_client_may_show_up_to_its_bounds_and_not_beyond() {
    let server = Server::start(Start::default());
    let mut client = Pusher::open(&server);
    let shown = |id: usize, info: usize| {
        json!({"user_id": "1".repeat(id), "user_info": "x".repeat(info - 2)}).to_string()
    };
    client.enter("presence-a", &shown(128, 1_024));
    for (data, refused) in [(shown(129, 2), (400, 4301)), (shown(128, 1_025), (413, 4301))] {
        let auth = client.signed(&format!("presence-b:{data}"));
        client.wish("presence-b", &auth, Some(&data));
        assert_eq!(client.refused("presence-b"), refused);
    }
    let mut other = Pusher::open(&server);
    for client in [&mut client, &mut other] {
        client.subscribe("private-talk");
    }
    // The whole of what a client says counts, as it is written.
    let said = |bytes: usize| json!({"text": "x".repeat(bytes - 11)});
    assert_eq!(said(10_240).to_string().len(), 10_240);
    other.say("client-full", "private-talk", &said(10_240));
    assert_eq!(client.expect("client-full")["data"], said(10_240));
    other.say("client-more", "private-talk", &said(10_241));
    assert_eq!(other.expect("pusher:error")["data"]["code"], 4301);
    client.expect_nothing();
}

#[test]
fn a_connection_has_a_hundred_channels_and_those_whom_it_watches_are_none_of_them() {
    let server = Server::start(Start::default());
    let mut client = Pusher::open(&server);
    let watched: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
    client.sign_in(&json!({"id": "1", "watchlist": watched}).to_string());
    client.expect("pusher:signin_success");
    // No error stands between: a hundred are not too many.
    let told = client.expect("pusher_internal:watchlist_events");
    assert_eq!(told["data"]["events"][0]["user_ids"].as_array().unwrap().len(), 100);
    for n in 0..100 {
        client.subscribe(&format!("c{n}"));
    }
    client.wish("c100", "", None);
    assert_eq!(client.refused("c100"), (429, 4301));
    client.subscribe("c99");
    client.send("pusher:unsubscribe", &json!({"channel": "c0"}));
    client.subscribe("c100");
}

/// What a client says at once: more than any of these apps lets it.
const SAID: usize = 40;

/// One app's own bounds.
struct Bounds {
    id: u64,
    key: &'static str,
    members: usize,
    data: usize,
    channels: usize,
    batch: usize,
    rate: usize,
    counts: bool,
    bare: bool,
}

impl Bounds {
    /// What an app has that has nothing of its own.
    fn of_all(id: u64, key: &'static str) -> Self {
        Self {
            id,
            key,
            members: 100,
            data: 10_240,
            channels: 100,
            batch: 10,
            rate: 10,
            counts: false,
            bare: false,
        }
    }

    /// The success of a subscription, with what is told behind it.
    fn counted(&self, client: &mut Pusher) {
        if self.counts {
            client.expect("pusher_internal:subscription_count");
        }
    }

    #[track_caller]
    fn hold(&self, server: &Server) {
        let by = By { key: self.key, secret: SECRET, at: 0 };
        let of_batch =
            |count| json!({"batch": vec![json!({"channel": "a", "name": "e", "data": "1"}); count]});
        for (path, body, status) in [
            ("events", event(&json!({"data": "x".repeat(self.data)})), 200),
            ("events", event(&json!({"data": "x".repeat(self.data + 1)})), 413),
            ("events", event(&json!({"channels": vec!["a"; self.channels]})), 200),
            ("events", event(&json!({"channels": vec!["a"; self.channels + 1]})), 400),
            ("batch_events", of_batch(self.batch).to_string(), 200),
            ("batch_events", of_batch(self.batch + 1).to_string(), 400),
        ] {
            let answer = ask(server, &by, "POST", &format!("/apps/{}/{path}", self.id), "", &body);
            assert_eq!(answer.status, status, "{} {}: {answer:?}", self.key, &body[..body.len().min(80)]);
        }
        let mut client = Pusher::open_with(server, self.key);
        client.subscribe("private-talk");
        self.counted(&mut client);
        let taken = SAID - refused_of(&mut client, SAID);
        // On a busy machine some time passes meanwhile.
        assert!((self.rate..self.rate + 6).contains(&taken), "{taken} at once for {}", self.key);
        let auth = client.signed("private-bare").split_once(':').unwrap().1.to_owned();
        client.wish("private-bare", &auth, None);
        if self.bare {
            client.succeeded("private-bare");
            self.counted(&mut client);
        } else {
            assert_eq!(client.refused("private-bare"), (401, 4009), "{}", self.key);
        }
        let member = |n: usize| json!({ "user_id": n }).to_string();
        let _there: Vec<Pusher> = (0..self.members)
            .map(|n| {
                let mut client = Pusher::open_with(server, self.key);
                client.enter("presence-full", &member(n));
                client
            })
            .collect();
        let auth = client.signed(&format!("presence-full:{}", member(self.members)));
        client.wish("presence-full", &auth, Some(&member(self.members)));
        assert_eq!(client.refused("presence-full"), (429, 4301), "{} are all of {}", self.members, self.key);
    }
}

/// A client says something so many times at once; gives how often that was refused.
fn refused_of(client: &mut Pusher, times: usize) -> usize {
    (0..times).for_each(|_| client.say("client-hi", "private-talk", &json!({})));
    client.send("pusher:ping", &json!({}));
    let frames = std::iter::from_fn(|| Some(client.next()).filter(|frame| frame["event"] != "pusher:pong"));
    frames.inspect(|frame| assert_eq!(frame["data"]["code"], 4301, "{frame}")).count()
}

#[test]
fn an_app_has_bounds_of_its_own_and_no_other_app_has_them() {
    let server = Server::start(Start::with(&format!(
        "operator.secret = \"{OPERATOR}\"\n[limit]\nrate_per_address = 0\nconnections_per_address = 0\n\
         connect_rate_per_address = 0\n[[apps]]\nid = 1002\nkey = \"second\"\nsecret = \"{SECRET}\"\n\
         pusher_members = {}\npusher_data = \"2KiB\"\npusher_channels = 120\npusher_batch = 12\npusher_client_event_rate = 20\n",
        many()
    )));
    let own = json!({
        "members": 1, "data": 1_024, "channels": 1, "batch": 1, "client_event_rate": 1, "subscription_count": true,
        "bare_signatures": true,
    });
    let third = json!({"key": "third", "secret": SECRET, "pusher": own});
    assert_eq!(operate(&server, "PUT", "/v1/apps/1003", Some(&third)).status, 200);
    Bounds::of_all(1001, "test-key").hold(&server);
    let (second, third) = (Bounds::of_all(1002, "second"), Bounds::of_all(1003, "third"));
    Bounds { members: many(), data: 2_048, channels: 120, batch: 12, rate: 20, ..second }.hold(&server);
    let bare = Bounds { members: 1, data: 1_024, channels: 1, batch: 1, rate: 1, ..third };
    Bounds { counts: true, bare: true, ..bare }.hold(&server);
    // What is left out of a change is as for all apps, for those who are connected as well.
    let mut before = Pusher::open_with(&server, "third");
    assert_eq!(operate(&server, "PUT", "/v1/apps/1003", Some(&json!({}))).status, 200);
    let auth = before.signed("private-bare").split_once(':').unwrap().1.to_owned();
    before.wish("private-bare", &auth, None);
    assert_eq!(before.refused("private-bare"), (401, 4009));
    eventually("those of the test have gone", || server.stats()["connections"] == 1);
    Bounds::of_all(1003, "third").hold(&server);
}

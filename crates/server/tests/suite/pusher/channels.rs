//! Channels of every kind: who may have them, who is seen there, what was last said, what clients say.

use super::*;

#[test]
fn the_very_bytes_that_a_backend_signs_are_verified() {
    let server = Server::start(Start::default());
    let mut client = Pusher::open(&server);
    client.subscribe("private-plain");
    // Data of its own is legal on a private channel, and part of the signature.
    client.enter("private-shown", r#"{"anything":1}"#);
    for (channel, data, id) in [
        ("presence-php", r#"{"user_id":"7","user_info":{"url":"https:\/\/a.b\/c"}}"#, "7"),
        ("presence-python", r#"{"user_id": 10, "user_info": {"name": "Ann"}}"#, "10"),
        ("presence-go", r#"{"user_info":{"a":1,"b":2},"user_id":"9"}"#, "9"),
        ("presence-escaped", r#"{"user_id":"8","user_info":{"name":"Gr\u00fc\u00dfe"}}"#, "8"),
        ("presence-laravel", r#"{"user_id":"6","user_info":true}"#, "6"),
        ("presence-bare", r#"{"user_id":"5"}"#, "5"),
    ] {
        let there = client.enter(channel, data)["presence"].clone();
        assert_eq!((&there["ids"], &there["count"]), (&json!([id]), &json!(1)), "{channel}");
        assert!(
            there["hash"].as_object().unwrap().contains_key(id),
            "oneself is in it, also with nothing to show"
        );
    }
}

#[test]
fn a_forged_wish_is_refused_twice_and_the_connection_stays() {
    let server = Server::start(Start::with(
        "[[access]]\npattern = \"staff-*\"\nallow = [\"subscribe\"]\nto = \"role:staff\"\n",
    ));
    let mut client = Pusher::open(&server);
    let socket = client.socket.clone();
    let sign = |text: &str| pusher_signature(&format!("{socket}:{text}"));
    let shown = r#"{"user_id":"7"}"#;
    let member = sign(&format!("presence-a:{shown}"));
    for (channel, auth, data, refused) in [
        ("private-a", String::new(), None, (401, 4009)),
        ("private-a", sign("private-a").replace("test-key:", ""), None, (401, 4009)),
        ("private-a", sign("private-a").replace("test-key", "another"), None, (401, 4009)),
        ("private-a", sign("private-b"), None, (401, 4009)),
        ("private-a", pusher_signature("1.1:private-a"), None, (401, 4009)),
        ("private-a", sign("private-a"), Some(r#"{"x":1}"#), (401, 4009)),
        ("presence-a", member.clone(), Some(r#"{"user_id":"8"}"#), (401, 4009)),
        ("presence-a", member.clone(), Some(r#"{"user_id": "7"}"#), (401, 4009)),
        ("presence-a", member.clone(), None, (401, 4009)),
        ("presence-a", sign("presence-a"), None, (400, 4301)),
        ("#server-to-user-7", String::new(), None, (403, 4009)),
        ("#watch-7", String::new(), None, (400, 4301)),
        ("slots:7", String::new(), None, (400, 4301)),
        ("staff-room", String::new(), None, (403, 4009)),
        ("a b", String::new(), None, (400, 4301)),
    ] {
        client.wish(channel, &auth, data);
        assert_eq!(client.refused(channel), refused, "{channel} {data:?}");
    }
    client.wish("presence-a", &member, Some(shown));
    client.succeeded("presence-a");
}

#[test]
fn a_person_with_two_tabs_is_one_member_and_the_hundred_and_first_is_refused() {
    let server = Server::start(Start::default());
    let mut first = Pusher::open(&server);
    first.enter("presence-full", r#"{"user_id":"0"}"#);
    let mut others: Vec<Pusher> = (1..100)
        .map(|n| {
            let mut client = Pusher::open(&server);
            client.enter("presence-full", &format!(r#"{{"user_id":{n}}}"#));
            assert_eq!(first.expect("pusher_internal:member_added")["data"]["user_id"], n.to_string());
            client
        })
        .collect();
    let mut late = Pusher::open(&server);
    let data = r#"{"user_id":"100"}"#;
    let auth = pusher_signature(&format!("{}:presence-full:{data}", late.socket));
    late.wish("presence-full", &auth, Some(data));
    assert_eq!(late.refused("presence-full"), (429, 4301));
    // Who is there already may come again, and what it showed first stays.
    let there = late.enter("presence-full", r#"{"user_id":"1","user_info":{"name":"other"}}"#);
    assert_eq!((&there["presence"]["count"], &there["presence"]["hash"]["1"]), (&json!(100), &Value::Null));
    drop(others.remove(0));
    first.expect_nothing();
    drop(late);
    assert_eq!(first.expect("pusher_internal:member_removed")["data"], json!({"user_id": "1"}));
    // To leave and to be cut off are the same to the others.
    others[0].send("pusher:unsubscribe", &json!({"channel": "presence-full"}));
    assert_eq!(first.expect("pusher_internal:member_removed")["data"], json!({"user_id": "2"}));
}

#[test]
fn a_user_signs_in_is_reached_by_name_and_is_nobody_else() {
    let server = Server::start(Start::default());
    let mut ann = Pusher::open(&server);
    let data = r#"{"id":"1","user_info":{"name":"Ann"}}"#;
    ann.sign_in(data);
    // The data of the answer is the text of an object whose `user_data` is a text once more.
    assert_eq!(ann.expect("pusher:signin_success")["data"]["user_data"], data);
    ann.wish("#server-to-user-1", "", None);
    ann.succeeded("#server-to-user-1");
    ann.wish("#server-to-user-2", "", None);
    assert_eq!(ann.refused("#server-to-user-2"), (403, 4009));
    assert_eq!(trigger(&server, "#server-to-user-1", "hello", &json!(1)).json(), json!({}));
    assert_eq!(ann.expect("hello")["channel"], "#server-to-user-1");
    // Who is known needs no data of its own to be seen.
    assert_eq!(ann.subscribe("presence-room")["presence"]["hash"], json!({"1": {"name": "Ann"}}));
    ann.sign_in(data);
    ann.expect("pusher:signin_success");
    ann.sign_in(r#"{"id":"2"}"#);
    assert_eq!(ann.expect("pusher:error")["data"]["code"], 4009);
    ann.expect_nothing();
    let mut eve = Pusher::open(&server);
    eve.send("pusher:signin", &json!({"auth": "test-key:00", "user_data": data}));
    assert_eq!(eve.expect("pusher:error")["data"]["code"], 4009);
    assert_eq!(eve.until_closed().code, Some(4009));
    let path = "/apps/1001/users/1/terminate_connections";
    assert_eq!(server.api("POST", path, Some(&json!({}))).json(), json!({}));
    assert_eq!(ann.until_closed().code, Some(4009), "it does not come back by itself");
}

#[test]
fn whoever_is_watched_is_told_of_and_101_are_one_too_many() {
    let server = Server::start(Start::default());
    let mut bob = Pusher::open(&server);
    bob.sign_in(r#"{"id":"b"}"#);
    bob.expect("pusher:signin_success");
    let mut ann = Pusher::open(&server);
    ann.sign_in(r#"{"id":"a","watchlist":["b","c"]}"#);
    ann.expect("pusher:signin_success");
    let told = ann.expect("pusher_internal:watchlist_events");
    let expected = json!([{"name": "online", "user_ids": ["b"]}, {"name": "offline", "user_ids": ["c"]}]);
    assert_eq!((&told["data"]["events"], &told["channel"]), (&expected, &Value::Null));
    let mut cleo = Pusher::open(&server);
    cleo.sign_in(r#"{"id":"c"}"#);
    let told = ann.expect("pusher_internal:watchlist_events");
    assert_eq!(told["data"]["events"], json!([{"name": "online", "user_ids": ["c"]}]));
    drop(bob);
    let told = ann.expect("pusher_internal:watchlist_events");
    assert_eq!(told["data"]["events"], json!([{"name": "offline", "user_ids": ["b"]}]));
    let mut dan = Pusher::open(&server);
    let ids: Vec<String> = (0..101).map(|n| format!("w{n}")).collect();
    dan.sign_in(&json!({"id": "d", "watchlist": ids}).to_string());
    dan.expect("pusher:signin_success");
    assert_eq!(dan.expect("pusher:error")["data"]["code"], 4302);
    let told = dan.expect("pusher_internal:watchlist_events");
    assert_eq!(told["data"]["events"], json!([{"name": "offline", "user_ids": ids[..100]}]));
}

#[test]
fn the_number_of_subscriptions_is_told_where_it_is_switched_on_and_never_with_presence() {
    let server = Server::start(Start::with("pusher.subscription_count = true\n"));
    let mut one = Pusher::open(&server);
    one.subscribe("news");
    assert_eq!(one.expect("pusher_internal:subscription_count")["data"], json!({"subscription_count": 1}));
    let mut two = Pusher::open(&server);
    two.subscribe("news");
    let frame = one.expect("pusher_internal:subscription_count");
    assert_eq!((&frame["channel"], &frame["data"]["subscription_count"]), (&json!("news"), &json!(2)));
    one.enter("presence-a", r#"{"user_id":"1"}"#);
    one.expect_nothing();
}

#[test]
fn a_cached_event_comes_behind_the_success_or_that_there_is_none() {
    let server = Server::start(Start::default());
    for channel in ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"] {
        let enter = |client: &mut Pusher, id: &str| match channel.strip_prefix("presence-") {
            Some(_) => client.enter(channel, &format!(r#"{{"user_id":"{id}"}}"#)),
            None => client.subscribe(channel),
        };
        let mut one = Pusher::open(&server);
        enter(&mut one, "1");
        assert_eq!(one.expect("pusher:cache_miss")["channel"], channel);
        for n in 0..2 {
            trigger(&server, channel, &format!("e{n}"), &json!(n));
            one.expect(&format!("e{n}"));
        }
        let mut two = Pusher::open(&server);
        if channel == "private-cache-a" {
            // What clients say is not kept.
            one.say("client-typing", channel, &json!({}));
            // It was said before the other comes, and not while it does.
            one.expect_nothing();
        }
        enter(&mut two, "2");
        assert_eq!(two.expect("e1")["data"], 1, "the newest one, whatever its name");
        two.expect_nothing();
    }
    // Only whole names: this one is no cache.
    let mut client = Pusher::open(&server);
    client.subscribe("my-cache-a");
    client.expect_nothing();
}

#[test]
fn clients_speak_to_each_other_where_they_may_and_not_too_often() {
    let server = Server::start(Start::default());
    let (mut ann, mut bob) = (Pusher::open(&server), Pusher::open(&server));
    for client in [&mut ann, &mut bob] {
        client.subscribe("private-talk");
        client.subscribe("news");
        client.subscribe("private-encrypted-talk");
    }
    for data in [json!({"a": [1]}), json!("a text"), json!("{\"text\":\"of an object\"}")] {
        ann.say("client-typing", "private-talk", &data);
        let said = bob.expect("client-typing");
        let same = serde_json::from_str(data.as_str().unwrap_or("")).unwrap_or(data);
        assert_eq!((&said["data"], &said["user_id"]), (&same, &Value::Null));
    }
    // No echo, and only where it may be.
    ann.expect_nothing();
    for (channel, code) in [("news", 4009), ("private-encrypted-talk", 4009), ("private-other", 4009)] {
        ann.say("client-typing", channel, &json!({}));
        let no = ann.expect("pusher:error");
        assert_eq!((&no["data"]["code"], &no["channel"]), (&json!(code), &json!(channel)));
    }
    bob.enter("presence-room", r#"{"user_id":"2"}"#);
    ann.enter("presence-room", r#"{"user_id":"1"}"#);
    bob.expect("pusher_internal:member_added");
    ann.say("client-wave", "presence-room", &json!({}));
    assert_eq!(bob.expect("client-wave")["user_id"], "1");
    ann.say("client-typing", "private-talk", &json!("x".repeat(10_241)));
    assert_eq!(ann.expect("pusher:error")["data"]["code"], 4301, "it is too large");
    let mut cleo = Pusher::open(&server);
    cleo.subscribe("private-talk");
    for _ in 0..11 {
        cleo.say("client-typing", "private-talk", &json!({}));
    }
    assert_eq!(cleo.expect("pusher:error")["data"]["code"], 4301, "the eleventh in a second");
    cleo.expect_nothing();
    let closed = Server::start(Start::with("pusher.client_events = false\n"));
    let mut dan = Pusher::open(&closed);
    dan.subscribe("private-talk");
    dan.say("client-typing", "private-talk", &json!({}));
    assert_eq!(dan.expect("pusher:error")["data"]["code"], 4301);
}

//! Conversations: what is said, read and typed, over frames and HTTP, and by whom.

use super::*;

#[test]
fn members_talk_over_sockets_streams_polls_and_http() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    let mut ann = world.tab("ann");
    ann.subscribe("conversation:c");
    let token = user("bob");
    let mut sse =
        Sse::open(&world.server, &format!("/v1/stream?channels=conversation:c&token={token}"), None);
    assert_eq!(sse.status, 200);
    sse.expect("welcome");
    let polled = get(&world.server, &format!("/v1/poll?channels=conversation:c&token={token}")).json();
    let sent = ann.ask(json!({"type": "send", "conversation": "c", "id": "m-1", "data": {"text": "hello"}}));
    assert_eq!((&sent["type"], &sent["number"]), (&json!("ok"), &json!(1)), "{sent}");
    let said = hears(&mut ann, "message.sent");
    let expected =
        json!({"conversation_id": "c", "number": 1, "from": "ann", "id": "m-1", "data": {"text": "hello"}});
    assert_eq!(said, expected);
    assert_eq!(streamed(&mut sse)["data"], expected);
    let cursor = polled["cursor"].as_str().unwrap();
    let path = format!("/v1/poll?channels=conversation:c&token={token}&cursor={cursor}");
    assert_eq!(get(&world.server, &path).json()["events"][0]["data"], expected);
    // A retry says nothing twice.
    let again = ann.ask(json!({"type": "send", "conversation": "c", "id": "m-1", "data": {"text": "hello"}}));
    assert_eq!(again["number"], 1);
    ann.expect_nothing();
    world.say("bob", "c", "hi");
    assert_eq!(hears(&mut ann, "message.sent")["from"], "bob");
    world.site("POST", "/v1/conversations/c/messages", json!({"data": {"text": "closing time"}}));
    assert_eq!(hears(&mut ann, "message.sent").get("from"), None);
    let history = ann.ask(json!({"type": "history", "conversation": "c", "limit": 2}));
    assert_eq!((texts(&history), &history["next"]), (vec!["closing time".into(), "hi".into()], &json!(2)));
    let rest = world.own("bob", "GET", "/v1/conversations/c/messages?before=2", json!({}));
    assert_eq!((texts(&rest), rest.get("next")), (vec!["hello".to_owned()], None));
    world.finish();
}

#[test]
fn unread_counts_follow_what_is_said_and_read_on_every_tab() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    world.talk("d", &["bob"]);
    let (mut one, mut two) = (world.following("bob"), world.following("bob"));
    for (n, text) in ["a", "b", "c"].into_iter().enumerate() {
        world.say("ann", "c", text);
        assert_eq!(hears(&mut one, "message.sent")["unread"], n + 1);
        hears(&mut two, "message.sent");
    }
    let list = one.ask(json!({"type": "conversations"}));
    let shown = |list: &Value, at: usize| {
        (list["conversations"][at]["id"].clone(), list["conversations"][at]["unread"].clone())
    };
    assert_eq!((shown(&list, 0), shown(&list, 1)), ((json!("c"), json!(3)), (json!("d"), json!(0))));
    assert_eq!(one.ask(json!({"type": "read", "conversation": "c", "number": 2}))["unread"], 1);
    let read = hears(&mut two, "message.read");
    assert_eq!(read, json!({"conversation_id": "c", "data": {"user": "bob", "number": 2}, "unread": 1}));
    assert_eq!(world.own("bob", "POST", "/v1/conversations/c/read", json!({}))["unread"], 0);
    assert_eq!(hears(&mut two, "message.read")["data"]["number"], 3);
    let page = world.own("bob", "GET", "/v1/conversations?limit=1", json!({}));
    assert_eq!((shown(&page, 0), &page["next"]), ((json!("c"), json!(0)), &json!(1)));
    let page = world.own("bob", "GET", "/v1/conversations?limit=1&skip=1", json!({}));
    assert_eq!((shown(&page, 0).0, page.get("next")), (json!("d"), None));
    // Whoever spoke sees how far the other has read.
    let seen = world.own("ann", "GET", "/v1/conversations/c", json!({}));
    assert_eq!(seen["conversation"]["members"]["bob"]["read"], 3, "{seen}");
    assert_eq!(seen["conversation"]["unread"], 0);
    world.finish();
}

#[test]
fn typing_is_heard_by_members_at_the_moment_and_never_later() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    let (mut ann, mut bob) = (world.tab("ann"), world.tab("bob"));
    bob.subscribe("typing:c");
    assert_eq!(ann.ask(json!({"type": "typing", "conversation": "c"}))["type"], "ok");
    assert_eq!(
        hears(&mut bob, "typing.changed"),
        json!({"conversation_id": "c", "user": "ann", "typing": true})
    );
    world.own("ann", "POST", "/v1/conversations/c/typing", json!({"typing": false}));
    assert_eq!(hears(&mut bob, "typing.changed")["typing"], false);
    let cursor = bob.cut();
    let mut back = world.tab("bob");
    back.ask(json!({"type": "subscribe", "channel": "typing:c", "since": cursor}));
    back.expect_nothing();
    let mut eve = world.tab("eve");
    assert_eq!(eve.ask(json!({"type": "typing", "conversation": "c"}))["code"], "not_found");
    assert_eq!(eve.ask(json!({"type": "subscribe", "channel": "typing:c"}))["code"], "denied");
    back.expect_nothing();
    // Nobody writes past the ledger into a conversation.
    let forged = json!({"type": "publish", "channel": "conversation:c", "name": "message.sent", "data": {}});
    assert_eq!(back.ask(forged)["code"], "denied");
    world.finish();
}

//! Who comes into a conversation sees nothing of what was said before, and who leaves nothing of what is said after.

use super::*;

#[test]
fn a_new_member_sees_nothing_of_before_on_any_way() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    let mut ann = world.tab("ann");
    ann.subscribe("conversation:c");
    let beginning = ann.cursor.clone();
    for text in ["secret 1", "secret 2"] {
        world.say("ann", "c", text);
    }
    let mut eve = world.following("eve");
    assert_eq!(eve.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["code"], "denied");
    world.site("PUT", "/v1/conversations/c/members/eve", json!({}));
    assert_eq!(hears(&mut eve, "conversation.joined")["conversation_id"], "c");
    // Whatever cursor it got hold of: reading starts with the row that took it in.
    let answer = eve.ask(json!({"type": "subscribe", "channel": "conversation:c", "since": beginning}));
    assert_eq!(answer["type"], "subscribed", "{answer}");
    assert_eq!(hears(&mut eve, "member.added")["user"], "eve");
    eve.expect_nothing();
    let token = user("eve");
    let mut sse = Sse::open(
        &world.server,
        &format!("/v1/stream?channels=conversation:c&token={token}"),
        Some(&beginning),
    );
    assert_eq!(streamed(&mut sse)["name"], "member.added");
    let path = format!("/v1/poll?channels=conversation:c&token={token}&cursor={beginning}");
    let polled = get(&world.server, &path).json();
    assert_eq!(polled["events"].as_array().unwrap().len(), 1, "{polled}");
    let mut resumed = world.tab("eve");
    resumed.send(&json!({"type": "hello", "cursor": beginning, "channels": ["conversation:c"]}));
    resumed.expect("welcome");
    resumed.expect("subscribed");
    assert_eq!(hears(&mut resumed, "member.added")["user"], "eve");
    world.say("ann", "c", "hello eve");
    for ws in [&mut eve, &mut resumed] {
        while ws.expect("event")["data"]["data"]["text"] != "hello eve" {}
    }
    assert_eq!(streamed(&mut sse)["data"]["data"]["text"], "hello eve");
    assert_eq!(texts(&world.own("eve", "GET", "/v1/conversations/c/messages", json!({}))), ["hello eve"]);
    assert_eq!(world.own("eve", "GET", "/v1/conversations/c", json!({}))["conversation"]["unread"], 1);
    world.finish();
}

#[test]
fn a_member_who_may_read_all_does() {
    let world = World::start("");
    world.talk("c", &["ann"]);
    let mut ann = world.tab("ann");
    let beginning = ann.subscribe("conversation:c")["cursor"].as_str().unwrap().to_owned();
    world.say("ann", "c", "before");
    world.site("PUT", "/v1/conversations/c/members/bob", json!({"from": "start"}));
    let mut bob = world.tab("bob");
    bob.ask(json!({"type": "subscribe", "channel": "conversation:c", "since": beginning}));
    assert_eq!(hears(&mut bob, "message.sent")["data"]["text"], "before");
    assert_eq!(texts(&world.own("bob", "GET", "/v1/conversations/c/messages", json!({}))), ["before"]);
    assert_eq!(world.own("bob", "GET", "/v1/conversations/c", json!({}))["conversation"]["unread"], 1);
    world.finish();
}

#[test]
fn a_grant_of_the_token_opens_what_the_membership_hides() {
    let world = World::start("");
    world.talk("c", &["ann"]);
    let mut ann = world.tab("ann");
    let beginning = ann.subscribe("conversation:c")["cursor"].as_str().unwrap().to_owned();
    world.say("ann", "c", "before");
    world.site("PUT", "/v1/conversations/c/members/bob", json!({}));
    let granted = token(&json!({"sub": "bob", "deskbell": {"channels": {"conversation:c": ["subscribe"]}}}));
    let mut bob = Ws::open(&world.server, &format!("/v1/ws?token={granted}"));
    let answer = bob.ask(json!({"type": "subscribe", "channel": "conversation:c", "since": beginning}));
    assert_eq!(answer["type"], "subscribed", "{answer}");
    assert_eq!(hears(&mut bob, "message.sent")["data"]["text"], "before");
    world.finish();
}

/// What a member who stays hears from the removal on.
fn said_after_removal(ann: &mut Ws) -> Vec<Value> {
    let mut order = Vec::new();
    while order.last().is_none_or(|(_, text)| *text != json!("she is gone")) {
        let event = ann.expect("event");
        order.push((event["name"].clone(), event["data"]["data"]["text"].clone()));
    }
    let removal = order.iter().position(|(name, _)| name == "member.removed").unwrap();
    order.drain(removal..).map(|(_, text)| text).collect()
}

/// What somebody hears until both of its subscriptions are over, and nothing comes behind.
fn until_both_are_reset(ws: &mut Ws) -> Vec<Value> {
    let mut frames: Vec<Value> = Vec::new();
    while frames.iter().filter(|frame| frame["type"] == "reset").count() < 2 {
        frames.push(ws.next());
    }
    assert!(frames.iter().all(|frame| frame["type"] != "reset" || frame["reason"] == "denied"), "{frames:?}");
    ws.expect_nothing();
    frames
}

/// What is said around a removal, in as few commits as the server makes of it.
#[test]
fn a_removed_member_is_reset_and_hears_nothing_that_follows() {
    let world = World::start("");
    world.talk("c", &["ann", "eve"]);
    let mut sockets: Vec<Ws> = (0..4).map(|_| world.tab("eve")).collect();
    for ws in &mut sockets {
        ws.subscribe("conversation:c");
        ws.subscribe("typing:c");
    }
    let token = user("eve");
    let mut sse =
        Sse::open(&world.server, &format!("/v1/stream?channels=conversation:c&token={token}"), None);
    sse.expect("welcome");
    let mut ann = world.tab("ann");
    ann.subscribe("conversation:c");
    // Many at once: the removal lies somewhere between them, and what is answered behind it follows it.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for n in 0..10 {
                    world.say("ann", "c", &format!("{thread}.{n}"));
                }
            });
        }
        scope.spawn(|| world.site("DELETE", "/v1/conversations/c/members/eve", json!({})));
    });
    world.say("ann", "c", "she is gone");
    let after = said_after_removal(&mut ann);
    let mut frames: Vec<Value> = sockets.iter_mut().flat_map(until_both_are_reset).collect();
    frames
        .extend(std::iter::from_fn(|| Some(streamed(&mut sse))).take_while(|frame| frame["type"] != "reset"));
    for frame in &frames {
        let text = &frame["data"]["data"]["text"];
        assert!(text.is_null() || !after.contains(text), "{frame} was said after {after:?}");
    }
    let mut late = sockets.remove(0);
    assert_eq!(late.ask(json!({"type": "subscribe", "channel": "conversation:c"}))["code"], "denied");
    assert_eq!(late.ask(json!({"type": "history", "conversation": "c"}))["code"], "not_found");
    assert_eq!(late.ask(json!({"type": "send", "conversation": "c", "data": 1}))["code"], "not_found");
    let path = format!("/v1/poll?channels=conversation:c&token={token}");
    assert_eq!(get(&world.server, &path).status, 403);
    world.finish();
}

#[test]
fn whoever_leaves_and_comes_back_has_missed_what_was_said_between() {
    let world = World::start("");
    world.talk("c", &["ann", "eve"]);
    let mut eve = world.following("eve");
    eve.subscribe("conversation:c");
    world.say("ann", "c", "one");
    assert_eq!(hears(&mut eve, "message.sent")["data"]["text"], "one");
    // On `user:eve` she is told of it as well.
    hears(&mut eve, "message.sent");
    let cursor = eve.cursor.clone();
    let left = eve.ask(json!({"type": "leave_conversation", "conversation": "c"}));
    assert_eq!((&left["type"], &left["conversation"]["members"]), (&json!("ok"), &json!({})), "{left}");
    assert_eq!(eve.expect("reset")["reason"], "denied");
    assert_eq!(hears(&mut eve, "conversation.left")["conversation_id"], "c");
    world.say("ann", "c", "two");
    world.site("PUT", "/v1/conversations/c/members/eve", json!({}));
    hears(&mut eve, "conversation.joined");
    world.say("ann", "c", "three");
    hears(&mut eve, "message.sent");
    eve.ask(json!({"type": "subscribe", "channel": "conversation:c", "since": cursor}));
    assert_eq!(hears(&mut eve, "member.added")["user"], "eve");
    assert_eq!(hears(&mut eve, "message.sent")["data"]["text"], "three");
    assert_eq!(texts(&eve.ask(json!({"type": "history", "conversation": "c"}))), ["three"]);
    world.finish();
}

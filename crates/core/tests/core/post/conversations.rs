//! Who is in a conversation, what each may see and do, and what is told.

use deskbell_core::access::{Action, Audience, Rule};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::pattern::Pattern;
use deskbell_core::post::Beginning;
use serde_json::json;

use super::*;

fn id(name: &str) -> ConversationId {
    ConversationId::parse(name).unwrap()
}

fn create(name: &str, members: &[&str]) -> Act {
    let members = members.iter().map(|name| user(name)).collect();
    Act::Create { id: Some(id(name)), title: Some("Talk".into()), data: None, members }
}

fn say(name: &str, of: Option<&str>) -> Act {
    let data = serde_json::from_str(r#"{"text": "hello"}"#).unwrap();
    Act::Send { id: id(name), of: of.map(user), message: None, data }
}

fn mark(name: &str, number: Option<u64>) -> Act {
    Act::Mark { id: id(name), of: None, number }
}

fn add(name: &str, whom: &str, from: Beginning) -> Act {
    Act::Add { id: id(name), user: user(whom), from }
}

fn remove(name: &str, whom: Option<&str>) -> Act {
    Act::Remove { id: id(name), user: whom.map(user) }
}

fn unread(post: &Post, name: &str, who: &str) -> u64 {
    let conversation = post.slice.conversation(&id(name)).unwrap().unwrap();
    conversation.unread(&conversation.members[&user(who)])
}

fn talk() -> Post {
    let mut post = Post::default();
    post.ask(&site(), create("c", &["ann", "bob"])).unwrap();
    post
}

#[test]
fn what_is_said_is_told_to_the_conversation_and_to_each_member_with_what_is_unread() {
    let mut post = talk();
    assert_eq!(post.heard("conversation:c").len(), 2, "two members were added");
    assert_eq!(post.heard("user:ann")[0].0, "conversation.joined");
    assert_eq!(post.ask(&of("ann"), say("c", None)).unwrap().number, Some(1));
    let names: Vec<_> =
        post.told.iter().map(|event| (event.channel.to_string(), event.name.to_string())).collect();
    let sent = |channel: &str| (channel.to_owned(), "message.sent".to_owned());
    assert_eq!(names, [sent("conversation:c"), sent("user:ann"), sent("user:bob")]);
    let (_, data) = &post.heard("conversation:c")[0];
    assert_eq!(
        (&data["number"], &data["from"], &data["data"]["text"]),
        (&json!(1), &json!("ann"), &json!("hello"))
    );
    assert_eq!(
        (&post.heard("user:ann")[0].1["unread"], &post.heard("user:bob")[0].1["unread"]),
        (&json!(0), &json!(1))
    );
    // Whoever is told over two channels is told of one thing.
    let occurrence = |at: usize| deskbell_core::projection::occurrence(&post.told[at].id).to_owned();
    assert_eq!((occurrence(0), occurrence(0)), (occurrence(1), occurrence(2)));
    assert_eq!(post.ask(&site(), say("c", None)).unwrap().number, Some(2));
    assert_eq!(post.heard("conversation:c")[0].1.get("from"), None, "the site itself speaks");
    assert_eq!((unread(&post, "c", "ann"), unread(&post, "c", "bob")), (1, 2));
}

#[test]
fn a_read_mark_only_rises_and_is_told_once() {
    let mut post = talk();
    for _ in 0..3 {
        post.ask(&of("ann"), say("c", None)).unwrap();
    }
    let bob = of("bob");
    assert_eq!(post.ask(&bob, mark("c", Some(2))).unwrap().unread, Some(1));
    let told = post.heard("conversation:c");
    let data = json!({"conversation_id": "c", "data": {"user": "bob", "number": 2}});
    assert_eq!(told, [("message.read".to_owned(), data)]);
    assert_eq!(post.heard("user:bob")[0].1["unread"], 1);
    assert_eq!(post.ask(&bob, mark("c", Some(1))).unwrap().unread, Some(1));
    assert!(post.told.is_empty());
    assert_eq!(post.ask(&bob, mark("c", Some(99))).unwrap().unread, Some(0));
    assert_eq!(post.heard("conversation:c")[0].1["data"]["number"], 3, "no further than what was said");
    assert_eq!(post.ask(&bob, mark("c", None)).unwrap().unread, Some(0));
    assert!(post.told.is_empty());
}

#[test]
fn a_new_member_begins_where_it_came_in_unless_it_may_read_all() {
    let mut post = talk();
    post.ask(&of("ann"), say("c", None)).unwrap();
    let before = post.position;
    post.ask(&site(), add("c", "new", Beginning::Now)).unwrap();
    post.ask(&site(), add("c", "old", Beginning::Start)).unwrap();
    let from = |post: &Post, who: &str| post.memberships.of_channel("conversation:c", who);
    assert_eq!(from(&post, "new"), Some(before), "its first row is the one that tells of it");
    assert_eq!(from(&post, "old"), Some(0));
    assert_eq!((unread(&post, "c", "new"), unread(&post, "c", "old")), (0, 1));
    post.ask(&of("bob"), say("c", None)).unwrap();
    assert_eq!((unread(&post, "c", "new"), unread(&post, "c", "old")), (1, 2));
    // Adding again changes nothing; coming back is a new beginning.
    post.ask(&site(), add("c", "new", Beginning::Start)).unwrap();
    assert!(post.told.is_empty());
    post.ask(&of("new"), remove("c", None)).unwrap();
    assert_eq!(from(&post, "new"), None);
    let names: Vec<_> = post.told.iter().map(|event| event.name.to_string()).collect();
    assert_eq!(names, ["member.removed", "conversation.left"]);
    let before = post.position;
    post.ask(&site(), add("c", "new", Beginning::Now)).unwrap();
    assert_eq!((from(&post, "new"), unread(&post, "c", "new")), (Some(before), 0));
}

#[test]
fn strangers_learn_nothing_and_members_may_not_everything() {
    let mut post = talk();
    let stranger = of("eve");
    for act in [say("c", None), mark("c", None), remove("c", None), say("nothing", None)] {
        assert_eq!(post.ask(&stranger, act.clone()).map(|_| ()), Err(Code::NotFound), "{act:?}");
    }
    for act in [create("d", &["eve"]), add("c", "eve", Beginning::Now), remove("c", Some("ann"))] {
        assert_eq!(post.ask(&stranger, act.clone()).map(|_| ()), Err(Code::Denied), "{act:?}");
        assert_eq!(
            post.ask(&of("ann"), act.clone()).map(|_| ()),
            if act.word() == "remove_member" { Ok(()) } else { Err(Code::Denied) },
            "{act:?}"
        );
    }
    let mut post = talk();
    assert_eq!(
        post.ask(&of("ann"), say("c", Some("bob"))).map(|_| ()),
        Err(Code::Denied),
        "in another's name"
    );
    assert_eq!(
        post.ask(&site(), say("c", Some("eve"))).map(|_| ()),
        Err(Code::Denied),
        "of somebody outside"
    );
    assert!(post.ask(&site(), say("c", Some("bob"))).is_ok());
    assert_eq!(
        post.ask(&site(), create("c", &["eve"])).map(|_| ()),
        Err(Code::BadState),
        "there is one already"
    );
    post.ask(&site(), remove("c", Some("bob"))).unwrap();
    assert_eq!(post.ask(&of("bob"), say("c", None)).map(|_| ()), Err(Code::NotFound));
    assert!(post.heard("user:bob").is_empty());
}

#[test]
fn a_rule_lets_somebody_manage() {
    let rule = Rule {
        pattern: Pattern::parse("conversation:*").unwrap(),
        allow: vec![Action::Manage],
        to: Audience::Role("staff".into()),
    };
    let identity = Identity { roles: vec!["staff".into()], ..Identity::user(user("clerk")) };
    let clerk = Actor { identity: Arc::new(identity), rules: Rules::new(vec![rule]), connected: false };
    let mut post = Post::default();
    post.ask(&clerk, create("c", &["ann"])).unwrap();
    post.ask(&clerk, add("c", "bob", Beginning::Now)).unwrap();
    assert_eq!(post.ask(&clerk, say("c", None)).map(|_| ()), Err(Code::Denied), "managing is not speaking");
    let channel = ChannelName::parse("conversation:c").unwrap();
    let may = clerk.rules.decide_with(&post.memberships, &clerk.identity, Action::Subscribe, &channel, 0);
    assert!(may.is_err(), "nor is it listening");
}

#[test]
fn conversations_members_and_messages_are_bounded() {
    let mut post = Post::default();
    let names: Vec<String> = (0..=limits::MEMBERS).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(post.ask(&site(), create("c", &names)).map(|_| ()), Err(Code::LimitReached));
    post.ask(&site(), create("c", &names[1..])).unwrap();
    assert_eq!(post.ask(&site(), add("c", "u0", Beginning::Now)).map(|_| ()), Err(Code::LimitReached));
    post.slice.put_joined(&user("busy"), limits::CONVERSATIONS);
    assert_eq!(post.ask(&site(), create("d", &["busy"])).map(|_| ()), Err(Code::Quota));
    post.slice.put_joined(&user("ann"), 0);
    post.slice.put_memberships(limits::MEMBERSHIPS);
    assert_eq!(post.ask(&site(), create("d", &["ann"])).map(|_| ()), Err(Code::LimitReached));
    // The oldest message falls off a full conversation, and is not unread any more.
    let mut post = talk();
    post.save();
    let kept = post.conversations.get_mut(&id("c")).unwrap();
    kept.newest = limits::MESSAGES;
    post.fail();
    post.ask(&of("ann"), say("c", None)).unwrap();
    assert_eq!(unread(&post, "c", "bob"), limits::MESSAGES);
    post.save();
    assert_eq!(post.conversations[&id("c")].gone_up_to, 1);
}

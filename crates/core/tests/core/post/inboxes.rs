//! What is told of an inbox and to whom, who may do what, and what happens at the bounds.

use deskbell_core::limits;
use serde_json::json;

use super::*;

fn numbers(numbers: &[u64]) -> Act {
    Act::Read { of: None, numbers: numbers.to_vec() }
}

#[test]
fn a_notification_is_told_to_its_user_with_the_count_and_to_nobody_else() {
    let mut post = Post { now: 5, ..Post::default() };
    let reply = post.ask(&site(), notify(&["ann", "bob"], "booking", IN_APP)).unwrap();
    assert_eq!(reply.notified, Some(2));
    let told = post.heard("user:ann");
    let expected = json!({
        "number": 1, "user": "ann", "id": "n-1", "type": "booking", "title": "Title", "body": "Body",
        "data": {"a": 1}, "unread": 1
    });
    assert_eq!(told, [("notification.created".to_owned(), expected)]);
    assert_eq!(post.told.len(), 2, "one event for each user: {:?}", post.told);
    assert_eq!(post.heard("user:bob")[0].1["user"], "bob");
    // Ids of one change are of different occurrences, so that a screen of both users shows both.
    assert_ne!(post.told[0].id, post.told[1].id);
}

#[test]
fn reading_and_deleting_tell_what_changed_and_nothing_twice() {
    let mut post = Post::default();
    for _ in 0..4 {
        post.ask(&site(), notify(&["ann"], "t", IN_APP)).unwrap();
    }
    let ann = of("ann");
    assert_eq!(post.ask(&ann, numbers(&[3, 1, 3, 9])).unwrap().unread, Some(2));
    assert_eq!(
        post.heard("user:ann"),
        [("notification.read".to_owned(), json!({"numbers": [1, 3], "unread": 2}))]
    );
    assert_eq!(post.ask(&ann, numbers(&[1])).unwrap().unread, Some(2));
    assert!(post.told.is_empty(), "it was read already");
    post.ask(&ann, Act::Delete { of: None, numbers: vec![2, 3] }).unwrap();
    assert_eq!(
        post.heard("user:ann"),
        [("notification.deleted".to_owned(), json!({"numbers": [2, 3], "unread": 1}))]
    );
    post.ask(&ann, Act::ReadAll { of: None, up_to: Some(3) }).unwrap();
    assert!(post.told.is_empty(), "nothing up to there was unread");
    post.ask(&ann, Act::ReadAll { of: None, up_to: None }).unwrap();
    assert_eq!(post.heard("user:ann"), [("inbox.read_all".to_owned(), json!({"up_to": 4, "unread": 0}))]);
    post.ask(&ann, Act::Clear { of: None }).unwrap();
    assert_eq!(post.heard("user:ann"), [("inbox.cleared".to_owned(), json!({"up_to": 4, "unread": 0}))]);
    post.ask(&ann, Act::Clear { of: None }).unwrap();
    assert!(post.told.is_empty());
}

#[test]
fn only_a_backend_notifies_and_acts_for_others() {
    let mut post = Post::default();
    assert_eq!(post.ask(&of("ann"), notify(&["ann"], "t", IN_APP)).map(|_| ()), Err(Code::Denied));
    let visitor = Actor { identity: Arc::new(Identity::visitor(1)), ..of("ann") };
    let bob = Some(user("bob"));
    for act in [
        Act::Read { of: bob.clone(), numbers: vec![1] },
        Act::ReadAll { of: bob.clone(), up_to: None },
        Act::Delete { of: bob.clone(), numbers: vec![1] },
        Act::Clear { of: bob.clone() },
        Act::Prefer { of: bob.clone(), preferences: Box::default() },
    ] {
        assert_eq!(post.ask(&of("ann"), act.clone()).map(|_| ()), Err(Code::Denied), "{act:?}");
        assert_eq!(post.ask(&visitor, act.clone()).map(|_| ()), Err(Code::Denied), "{act:?}");
        assert!(post.ask(&of("bob"), act.clone()).is_ok(), "{act:?}");
        assert!(post.ask(&site(), act).is_ok());
    }
    assert_eq!(post.ask(&site(), numbers(&[1])).map(|_| ()), Err(Code::BadField), "for whom?");
}

#[test]
fn from_a_full_inbox_the_oldest_falls_off() {
    let mut post = Post::default();
    let ann = user("ann");
    let full = Inbox { newest: limits::INBOX, unread: 2, read_up_to: 1, oldest: Some(1), ..Inbox::default() };
    post.inboxes.insert(ann.clone(), full);
    let rows = [(1, (1, false)), (2, (1, false)), (3, (1, true)), (5, (1, false))];
    post.rows.insert(ann.clone(), rows.into());
    // Read by the mark, unread, read by itself, deleted before, unread.
    for (fallen, unread) in [(1, 3), (2, 3), (3, 4), (4, 5), (5, 5)] {
        post.ask(&site(), notify(&["ann"], "t", IN_APP)).unwrap();
        let inbox = post.slice.inbox(&ann).unwrap();
        assert_eq!((inbox.gone_up_to, inbox.unread), (fallen, unread));
    }
    post.save();
    assert_eq!(*post.rows[&ann].keys().next().unwrap(), limits::INBOX + 1);
}

#[test]
fn a_thousand_users_are_two_questions() {
    let mut post = Post::default();
    let names: Vec<String> = (0..limits::NOTIFIED).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    post.ask(&site(), notify(&names, "t", BOTH)).unwrap();
    assert_eq!((post.told.len(), post.asks), (2 * limits::NOTIFIED, 1));
    assert!(post.told.len() <= deskbell_core::position::ledger::EVENTS_PER_ROW);
}

#[test]
fn reading_up_to_far_behind_is_refused_and_counts_at_the_bound() {
    let mut post = Post::default();
    let ann = user("ann");
    let newest = limits::READ_BEHIND + 10;
    post.inboxes.insert(ann.clone(), Inbox { newest, unread: newest, oldest: Some(1), ..Inbox::default() });
    post.rows.insert(ann, (1..=newest).map(|number| (number, (1, false))).collect());
    let up_to = |up_to| Act::ReadAll { of: None, up_to: Some(up_to) };
    assert_eq!(post.ask(&of("ann"), up_to(9)).map(|_| ()), Err(Code::LimitReached));
    assert_eq!(post.ask(&of("ann"), up_to(10)).unwrap().unread, Some(limits::READ_BEHIND));
    assert_eq!(post.ask(&of("ann"), up_to(u64::MAX)).unwrap().unread, Some(0));
}

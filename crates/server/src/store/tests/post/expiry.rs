//! What is too old or was cleared leaves the file, and the counts stay right.

use deskbell_core::limits::{DURABLE_AGE, MESSAGE_AGE, NOTIFICATION_AGE};

use super::*;

#[test]
fn what_is_too_old_falls_off_with_its_part_of_the_count() {
    let mut stand = Stand::new();
    for _ in 0..300 {
        stand.ask(notify(&["ann"])).unwrap();
    }
    stand.ask(Act::Read { of: Some(user("ann")), numbers: vec![1, 2, 301] }).unwrap();
    stand.now += DAY;
    let late = stand.now;
    for _ in 0..3 {
        stand.ask(notify(&["ann", "bob"])).unwrap();
    }
    stand.ask(Act::Read { of: Some(user("ann")), numbers: vec![302] }).unwrap();
    stand.ledger().expire(NOW + NOTIFICATION_AGE - 1, DURABLE_AGE).unwrap();
    assert_eq!(stand.page("ann", None, 1, false).0, 300);
    stand.ledger().expire(NOW + NOTIFICATION_AGE, DURABLE_AGE).unwrap();
    assert_eq!(stand.page("ann", None, 9, false).1, [303, 302, 301]);
    assert_eq!(stand.page("ann", None, 9, false).0, 2);
    assert_eq!(stand.count("SELECT count(*) FROM notifications"), 6);
    stand.sound();
    // What is known by heart was forgotten: the next decision counts on from the file.
    stand.ask(notify(&["ann"])).unwrap();
    assert_eq!(stand.page("ann", None, 9, false).0, 3);
    stand.ledger().expire(late + NOTIFICATION_AGE, DURABLE_AGE).unwrap();
    assert_eq!(
        (stand.page("ann", None, 9, false).0, stand.count("SELECT count(*) FROM notifications")),
        (0, 0)
    );
    assert_eq!(stand.count("SELECT count(*) FROM inboxes WHERE oldest IS NOT NULL"), 0);
    stand.sound();
    stand.ask(notify(&["ann"])).unwrap();
    assert_eq!(stand.page("ann", None, 9, false).1, [305], "numbers are never used again");
    stand.sound();
}

#[test]
fn what_was_cleared_is_gone_at_once_and_leaves_the_file_later() {
    let mut stand = Stand::new();
    for _ in 0..400 {
        stand.ask(notify(&["ann"])).unwrap();
    }
    stand.ask(Act::Clear { of: Some(user("ann")) }).unwrap();
    stand.ask(notify(&["ann"])).unwrap();
    assert_eq!((stand.page("ann", None, 9, false).1, stand.page("ann", None, 9, false).0), (vec![401], 1));
    assert_eq!(stand.count("SELECT count(*) FROM notifications"), 401);
    stand.sound();
    let now = stand.now;
    stand.ledger().expire(now, DURABLE_AGE).unwrap();
    assert_eq!(stand.count("SELECT count(*) FROM notifications"), 1);
    assert_eq!((stand.page("ann", None, 9, false).1, stand.page("ann", None, 9, false).0), (vec![401], 1));
    stand.sound();
}

#[test]
fn old_messages_go_and_what_was_unread_of_them_with_them() {
    let mut stand = Stand::new();
    stand.ask(create("c", &["ann", "bob"])).unwrap();
    for _ in 0..200 {
        stand.ask(say("c", "ann")).unwrap();
    }
    stand.now += DAY;
    stand.ask(say("c", "ann")).unwrap();
    stand.ledger().expire(NOW + MESSAGE_AGE, DURABLE_AGE).unwrap();
    stand.sound();
    let look = PostLook::Conversations { user: user("bob"), skip: 0, limit: 9 };
    let PostSeen::Conversations(found, None) = stand.see(look) else { panic!() };
    assert_eq!((found[0].newest, found[0].unread(&found[0].members[&user("bob")])), (201, 1));
    assert_eq!(stand.count("SELECT count(*) FROM messages"), 1);
    stand.ask(say("c", "ann")).unwrap();
    stand.sound();
}

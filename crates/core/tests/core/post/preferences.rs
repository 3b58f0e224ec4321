//! Which way a notification goes, and when nothing rings.

use deskbell_core::calendar::TimeZone;
use deskbell_core::limits::{HOUR, MINUTE};
use deskbell_core::post::{Preferences, Quiet};
use serde_json::json;

use super::*;

fn prefer(post: &mut Post, preferences: Value) {
    let preferences = serde_json::from_value(preferences).unwrap();
    post.ask(&of("ann"), Act::Prefer { of: None, preferences }).unwrap();
}

/// How a notification of a type reaches Ann: its event on her channel, and whether the webhook hears of it.
fn reached(post: &mut Post, topic: &str, ways: Ways) -> (Option<String>, bool) {
    post.ask(&site(), notify(&["ann"], topic, ways)).unwrap();
    let own = post.heard("user:ann").first().map(|(name, _)| name.clone());
    (own, !post.heard("webhook:1").is_empty())
}

#[test]
fn a_way_is_taken_where_the_publisher_wants_it_and_the_user_allows_it() {
    let mut post = Post::default();
    let created = || Some("notification.created".to_owned());
    assert_eq!(reached(&mut post, "t", IN_APP), (created(), false));
    assert_eq!(reached(&mut post, "t", BOTH), (created(), true));
    prefer(
        &mut post,
        json!({"otherwise": {"webhook": false}, "types": {"news": {"in_app": false}, "none": {"in_app": false, "webhook": false}}}),
    );
    assert_eq!(reached(&mut post, "t", BOTH), (created(), false));
    assert_eq!(reached(&mut post, "news", BOTH), (None, true));
    assert_eq!(post.heard("webhook:1")[0].1.get("number"), None, "it is in no inbox");
    assert_eq!(reached(&mut post, "news", IN_APP), (None, false));
    let before = post.position;
    let reply = post.ask(&site(), notify(&["ann"], "none", BOTH)).unwrap();
    assert_eq!((reply.notified, post.position), (Some(0), before), "nothing happened");
    assert_eq!(post.slice.inbox(&user("ann")).unwrap().newest, 3);
}

#[test]
fn in_quiet_hours_it_is_kept_without_ringing_and_the_webhook_waits_for_their_end() {
    let mut post = Post::default();
    prefer(&mut post, json!({"quiet": {"from": "22:00", "to": "07:00", "time_zone": "Europe/Oslo"}}));
    let midnight = 1_767_222_000_000; // 2026-01-01 00:00 in Oslo
    for (at, quiet) in [
        (midnight - 2 * HOUR - 1, false),
        (midnight - 2 * HOUR, true),
        (midnight, true),
        (midnight + 7 * HOUR - 1, true),
        (midnight + 7 * HOUR, false),
    ] {
        post.now = at;
        let (own, webhook) = reached(&mut post, "t", BOTH);
        let name = if quiet { "notification.kept" } else { "notification.created" };
        assert_eq!((own.as_deref(), webhook), (Some(name), true), "{at}");
        let not_before = post.heard("webhook:1")[0].1.get("not_before").cloned();
        assert_eq!(not_before, quiet.then(|| json!(midnight + 7 * HOUR)), "{at}");
    }
    assert_eq!(post.slice.inbox(&user("ann")).unwrap().unread, 5, "all of them are kept and counted");
}

#[test]
fn what_waits_is_kept_and_counted_and_rings_at_no_hour() {
    let mut post = Post::default();
    let Act::Notify { users, content, ways, .. } = notify(&["ann"], "t", BOTH) else { unreachable!() };
    post.ask(&site(), Act::Notify { users, content, ways, tone: Tone::Silent }).unwrap();
    assert_eq!(post.heard("user:ann")[0].0, "notification.kept");
    assert_eq!(post.heard("webhook:1")[0].1.get("not_before"), None, "a letter goes out at once");
    assert_eq!(post.slice.inbox(&user("ann")).unwrap().unread, 1);
}

#[test]
fn quiet_hours_follow_the_wall_clock_where_it_changes() {
    let zone = TimeZone::parse("Europe/Oslo").unwrap();
    let night = Quiet::new("01:00", "04:00", zone).unwrap();
    // 29 March 2026: 02:00 becomes 03:00, so three hours on the wall are two.
    let one = 1_774_738_800_000 + HOUR;
    assert_eq!(night.until(one), Some(one + 2 * HOUR));
    // 25 October 2026: 03:00 becomes 02:00, so they are four.
    let one = 1_792_879_200_000 + HOUR;
    assert_eq!(night.until(one), Some(one + 4 * HOUR));
    assert_eq!(night.until(one + 4 * HOUR), None);
    assert_eq!(night.until(one + 4 * HOUR - MINUTE), Some(one + 4 * HOUR));
}

#[test]
fn preferences_have_one_form() {
    let written = json!({
        "otherwise": {"in_app": true, "webhook": false},
        "types": {"news": {"in_app": false, "webhook": true}},
        "quiet": {"from": "22:00", "to": "07:00", "time_zone": "Europe/Oslo"}
    });
    let read: Preferences = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
    for bad in [
        json!({"quiet": {"from": "22:00", "to": "22:00", "time_zone": "UTC"}}),
        json!({"quiet": {"from": "00:00", "to": "24:00", "time_zone": "UTC"}}),
        json!({"quiet": {"from": "22:00", "to": "07:00", "time_zone": "Oslo"}}),
        json!({"quiet": {"from": "22:00", "to": "07:00"}}),
        json!({"quiet": {"from": "10pm", "to": "07:00", "time_zone": "UTC"}}),
        json!({"types": {"a b": {}}}),
        json!({"types": {"a": {"mail": true}}}),
        json!({"sounds": true}),
    ] {
        assert!(serde_json::from_value::<Preferences>(bad.clone()).is_err(), "{bad}");
    }
}

//! Who is here: what the others see of coming, going, losing the line and coming back.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::*;
use serde_json::{Value, json};

fn config(grace: &str) -> String {
    format!(
        "[presence]\ngrace = \"{grace}\"\n[limit]\nconnect_rate_per_address = 0\n[[channels]]\npattern = \"room*\"\npresence = true\n\
         [[access]]\npattern = \"room*\"\nallow = [\"subscribe\", \"presence\"]\nto = \"user\"\n\
         [[access]]\npattern = \"room*\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n\
         [[channels]]\npattern = \"side\"\npresence = true\n\
         [[access]]\npattern = \"side\"\nallow = [\"subscribe\"]\nto = \"everyone\"\n"
    )
}

fn server(grace: &str) -> Server {
    Server::start(Start::with(&config(grace)).flag("--set").flag("drain=1s"))
}

/// A user who is subscribed to the room and has its list.
fn in_room(server: &Server, id: &str) -> Ws {
    let mut ws = Ws::open(server, &format!("/v1/ws?token={}", user(id)));
    ws.subscribe("room");
    ws.expect("presence");
    ws
}

fn enter(ws: &mut Ws, data: Value) {
    let answer = ws.ask(json!({"type": "enter", "channel": "room", "data": data}));
    assert_eq!(answer["type"], "ok", "{answer}");
}

fn leave(ws: &mut Ws) {
    assert_eq!(ws.ask(json!({"type": "leave", "channel": "room"}))["type"], "ok");
}

/// Who a `joined`, `updated`, `left` or `presence` frame speaks of.
fn members(frame: &Value) -> BTreeMap<String, Value> {
    let list = frame["members"].as_array().unwrap_or_else(|| panic!("no members in {frame}"));
    list.iter().map(|member| (member["id"].as_str().unwrap().to_owned(), member["data"].clone())).collect()
}

fn expect_member(watcher: &mut Ws, kind: &str, id: &str) -> Value {
    let frame = watcher.expect(kind);
    let list = members(&frame);
    assert_eq!(list.len(), 1, "{frame}");
    list.get(id).unwrap_or_else(|| panic!("{id} is not in {frame}")).clone()
}

fn here(watcher: &mut Ws) -> BTreeMap<String, Value> {
    members(&watcher.ask(json!({"type": "presence", "channel": "room"})))
}

#[test]
fn entering_changing_leaving_and_who_is_here() {
    let server = server("1s");
    let mut watcher = in_room(&server, "watcher");
    let mut ann = in_room(&server, "ann");
    enter(&mut ann, json!({"seat": 1}));
    assert_eq!(expect_member(&mut watcher, "joined", "ann"), json!({"seat": 1}));
    enter(&mut ann, json!({"seat": 2}));
    assert_eq!(expect_member(&mut watcher, "updated", "ann"), json!({"seat": 2}));
    enter(&mut ann, json!({"seat": 2}));
    watcher.expect_nothing();
    assert_eq!(here(&mut watcher), [("ann".to_owned(), json!({"seat": 2}))].into());
    leave(&mut ann);
    expect_member(&mut watcher, "left", "ann");
    assert!(here(&mut watcher).is_empty());
    let mut visitor = server.ws();
    visitor.subscribe("room");
    for kind in ["enter", "presence"] {
        let answer = visitor.ask(json!({"type": kind, "channel": "room"}));
        assert_eq!(answer["code"], "denied", "{kind}: who may read may not see or show");
    }
    enter(&mut ann, json!(null));
    expect_member(&mut watcher, "joined", "ann");
    visitor.expect_nothing();
    let no = watcher.ask(json!({"type": "enter", "channel": "roomy"}));
    assert_eq!(no["code"], "not_subscribed", "{no}");
}

#[test]
fn whoever_loses_the_right_to_see_who_is_here_goes_on_reading_and_is_no_longer_seen() {
    let server = server("1s");
    let grant = json!({"channels": {"side": ["subscribe", "presence"]}});
    let granted = |id: &str| token(&json!({"sub": id, "deskbell": grant}));
    let enter = |ws: &mut Ws| ws.ask(json!({"type": "enter", "channel": "side"}))["type"] == "ok";
    let mut tabs = ["ann", "bob", "cem"].map(|id| {
        let mut ws = Ws::open(&server, &format!("/v1/ws?token={}", granted(id)));
        ws.subscribe("side");
        ws.expect("presence");
        ws
    });
    let [ann, bob, cem] = &mut tabs;
    assert!(enter(bob));
    expect_member(ann, "joined", "bob");
    expect_member(cem, "joined", "bob");
    bob.expect("joined");
    assert_eq!(bob.ask(json!({"type": "authenticate", "token": user("bob")}))["type"], "ok");
    expect_member(cem, "left", "bob");
    assert!(enter(ann));
    expect_member(cem, "joined", "ann");
    server.send("side", 1);
    let next = bob.next();
    assert_eq!((&next["type"], &next["data"]), (&json!("event"), &json!(1)), "not that somebody joined");
    assert_eq!(cem.event(), 1);
    let counted = server.api("GET", "/apps/1001/channels/side?info=subscription_count", None).json();
    assert_eq!(counted["subscription_count"], 3, "he still counts: {counted}");
}

#[test]
fn the_first_tab_joins_and_the_last_one_leaves() {
    let server = server("0s");
    let mut watcher = in_room(&server, "watcher");
    let mut tabs = [in_room(&server, "ann"), in_room(&server, "ann"), in_room(&server, "ann")];
    for tab in &mut tabs {
        enter(tab, json!(1));
    }
    expect_member(&mut watcher, "joined", "ann");
    watcher.expect_nothing();
    let [one, mut two, three] = tabs;
    leave(&mut two);
    one.cut();
    // The cut is noticed after what was cut; the third tab's goodbye comes behind both.
    assert_eq!(here(&mut watcher).len(), 1);
    three.cut();
    expect_member(&mut watcher, "left", "ann");
    watcher.expect_nothing();
}

#[test]
fn a_reconnect_within_the_grace_is_invisible() {
    let server = server("20s");
    let mut watcher = in_room(&server, "watcher");
    let mut ann = in_room(&server, "ann");
    enter(&mut ann, json!(1));
    expect_member(&mut watcher, "joined", "ann");
    for _ in 0..5 {
        let key = ann.resume_key();
        let cursor = ann.cut();
        ann = Ws::back(&server, Some(&key), &cursor, &["room"]);
        assert_eq!(ann.welcome["resumed"], true);
        ann.expect("subscribed");
        watcher.expect_nothing();
    }
    assert_eq!(here(&mut watcher).len(), 1);
    leave(&mut ann);
    expect_member(&mut watcher, "left", "ann");
}

#[test]
fn whoever_does_not_come_back_is_gone_after_the_grace() {
    let server = server("1s");
    let mut watcher = in_room(&server, "watcher");
    let mut ann = in_room(&server, "ann");
    enter(&mut ann, json!(1));
    expect_member(&mut watcher, "joined", "ann");
    let key = ann.resume_key();
    let cursor = ann.cut();
    assert_eq!(here(&mut watcher).len(), 1, "the grace has begun");
    expect_member(&mut watcher, "left", "ann");
    // The session itself can still be resumed, but it is present nowhere.
    let mut back = Ws::back(&server, Some(&key), &cursor, &["room"]);
    assert_eq!(back.welcome["resumed"], true);
    back.expect("subscribed");
    watcher.expect_nothing();
}

#[test]
fn the_late_death_of_an_older_connection_removes_nobody() {
    let server = server("0s");
    let mut watcher = in_room(&server, "watcher");
    let mut old = in_room(&server, "ann");
    enter(&mut old, json!(1));
    expect_member(&mut watcher, "joined", "ann");
    let key = old.resume_key();
    let mut back = Ws::back(&server, Some(&key), &old.cursor.clone(), &["room"]);
    assert_eq!(back.welcome["resumed"], true);
    back.expect("subscribed");
    assert_eq!(old.until_closed().code, Some(4409));
    old.cut();
    // The shard hears of that end before it hears of this new connection.
    let mut late = in_room(&server, "late");
    watcher.expect_nothing();
    assert_eq!(here(&mut late).len(), 1);
    leave(&mut back);
    expect_member(&mut watcher, "left", "ann");
}

#[test]
fn a_session_that_changes_its_user_or_drops_the_channel_leaves_no_ghost() {
    let server = server("20s");
    let mut watcher = in_room(&server, "watcher");
    let mut ann = in_room(&server, "ann");
    enter(&mut ann, json!(1));
    expect_member(&mut watcher, "joined", "ann");
    let key = ann.resume_key();
    let cursor = ann.cut();
    // Another user of the same browser takes the session over.
    let mut bob = server.ws();
    bob.send(&json!({"type": "hello", "token": user("bob"), "resume": key, "cursor": cursor}));
    bob.welcome = bob.expect("welcome");
    assert_eq!(bob.welcome["resumed"], true);
    bob.expect("subscribed");
    expect_member(&mut watcher, "left", "ann");
    expect_member(&mut watcher, "joined", "bob");
    // It comes back without the channel.
    let key = bob.resume_key();
    let cursor = bob.cut();
    let back = Ws::back(&server, Some(&key), &cursor, &["roomy"]);
    assert_eq!(back.welcome["resumed"], true);
    expect_member(&mut watcher, "left", "bob");
    assert!(here(&mut watcher).is_empty());
}

#[test]
fn a_clean_restart_within_the_grace_is_invisible() {
    let server = server("20s");
    let mut watcher = in_room(&server, "watcher");
    let (mut ann, mut bob) = (in_room(&server, "ann"), in_room(&server, "bob"));
    for ws in [&mut ann, &mut bob] {
        enter(ws, json!(1));
    }
    expect_member(&mut watcher, "joined", "ann");
    expect_member(&mut watcher, "joined", "bob");
    let server = server.stop_and_restart();
    let back = |ws: &mut Ws| {
        while ws.try_next().is_some() {}
        let mut back = Ws::back(&server, Some(&ws.resume_key()), &ws.cursor, &["room"]);
        assert_eq!(back.welcome["resumed"], true);
        back.expect("subscribed");
        back
    };
    let mut watcher = back(&mut watcher);
    assert_eq!(members(&watcher.expect("presence")).len(), 2, "everybody is still here");
    let mut ann = back(&mut ann);
    watcher.expect_nothing();
    leave(&mut ann);
    expect_member(&mut watcher, "left", "ann");
    assert_eq!(here(&mut watcher).len(), 1);
}

#[test]
fn who_comes_back_with_an_older_cursor_gets_the_changes_or_the_list() {
    let server = server("0s");
    let mut ann = in_room(&server, "ann");
    let mut watcher = in_room(&server, "watcher");
    enter(&mut ann, json!(1));
    expect_member(&mut watcher, "joined", "ann");
    let key = watcher.resume_key();
    let cursor = watcher.cut();
    enter(&mut ann, json!(2));
    // Its session knows that it has the list.
    let mut back = Ws::back(&server, Some(&key), &cursor, &["room"]);
    back.expect("subscribed");
    assert_eq!(expect_member(&mut back, "updated", "ann"), 2);
    back.expect_nothing();
    // A cursor alone does not, so it gets the list.
    let mut other = Ws::open(&server, &format!("/v1/ws?token={}", user("other")));
    other.send(&json!({"type": "hello", "cursor": cursor, "channels": ["room"]}));
    other.expect("welcome");
    other.expect("subscribed");
    assert_eq!(members(&other.expect("presence"))["ann"], 2);
    other.expect_nothing();
}

#[test]
fn everybody_sees_the_same_in_the_end_whatever_happens() {
    for seed in 1..=3_u64 {
        let server = server("0s");
        let mut watcher = in_room(&server, "watcher");
        let mut crowd = Crowd { state: seed, ..Crowd::default() };
        for step in 0..120 {
            crowd.act(&server, step);
            crowd.tabs.iter_mut().for_each(|(_, ws)| while_quiet(ws));
        }
        let expected: BTreeSet<String> = crowd.present.iter().map(|(user, _)| format!("u{user}")).collect();
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        // The last cuts may still be under way to the shard; then their frames are as well.
        while known.keys().cloned().collect::<BTreeSet<_>>() != expected || here(&mut watcher) != known {
            while let Some(frame) = watcher.pending() {
                learn(&frame, &mut known);
            }
        }
    }
}

/// Takes a change into what a watcher knows.
fn learn(frame: &Value, known: &mut BTreeMap<String, Value>) {
    let all = members(frame);
    match frame["type"].as_str() {
        Some("joined" | "updated") => known.extend(all),
        Some("left") => {
            all.keys().for_each(|id| drop(known.remove(id).unwrap_or_else(|| panic!("{id} left twice"))));
        }
        _ => panic!("{frame}"),
    }
}

/// Tabs of three users, who come, enter, leave, are cut and come back as the dice fall.
#[derive(Default)]
struct Crowd {
    tabs: Vec<(usize, Ws)>,
    /// User and tab of everybody who has entered and not left.
    present: BTreeSet<(usize, usize)>,
    born: usize,
    state: u64,
}

impl Crowd {
    fn dice(&mut self, bound: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) % bound as u64) as usize
    }

    fn act(&mut self, server: &Server, step: i64) {
        let act = self.dice(6);
        if act < 2 && self.tabs.len() < 8 {
            self.tabs.push((self.born, in_room(server, &format!("u{}", self.born % 3))));
            self.born += 1;
            return;
        }
        if self.tabs.is_empty() {
            return;
        }
        let at = self.dice(self.tabs.len());
        let (tab, ws) = &mut self.tabs[at];
        match act {
            2 | 3 => {
                enter(ws, json!(step));
                self.present.insert((*tab % 3, *tab));
            }
            4 => {
                leave(ws);
                self.present.remove(&(*tab % 3, *tab));
            }
            _ => self.cut(server, at),
        }
    }

    /// Cuts a tab off, and lets every second one come back.
    fn cut(&mut self, server: &Server, at: usize) {
        let (tab, ws) = self.tabs.swap_remove(at);
        if self.dice(2) == 0 {
            ws.cut();
            self.present.remove(&(tab % 3, tab));
            return;
        }
        let key = ws.resume_key();
        let back = Ws::back(server, Some(&key), &ws.cursor.clone(), &["room"]);
        assert_eq!(back.welcome["resumed"], true);
        self.tabs.push((tab, back));
    }
}

/// Reads what has come until now, so that nobody is slow.
fn while_quiet(ws: &mut Ws) {
    while ws.pending().is_some() {}
}

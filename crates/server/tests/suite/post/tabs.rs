//! One user on several tabs, each over another transport: all of them know the same, and soon.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

/// Tabs of a user, one over each transport, that wait for what comes.
struct Tabs<'scope> {
    heard: Vec<(Transport, mpsc::Receiver<(Instant, Value)>)>,
    stop: Vec<std::thread::ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Tabs<'scope> {
    /// Each listens on a thread of its own, so that all of them wait while something happens.
    fn open<'env>(
        scope: &'scope std::thread::Scope<'scope, 'env>,
        world: &'env World,
        who: &str,
        channels: &'env [&str],
    ) -> Self {
        let (mut heard, mut stop) = (Vec::new(), Vec::new());
        for transport in Transport::ALL {
            let mut reader = Reader::open_as(&world.server, transport, who, channels, None);
            let (tell, told) = mpsc::channel();
            heard.push((transport, told));
            stop.push(scope.spawn(move || {
                loop {
                    let frame = reader.expect("event");
                    let ends = frame["name"] == "inbox.cleared";
                    tell.send((Instant::now(), frame)).unwrap();
                    if ends {
                        return;
                    }
                }
            }));
        }
        Self { heard, stop }
    }

    /// What each of them hears next; it must have this name and come within a second.
    #[track_caller]
    fn hear(&self, since: Instant, name: &str) -> Value {
        let mut same = None;
        for (transport, told) in &self.heard {
            let (at, frame) = told.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{transport:?}: {name}"));
            assert_eq!(frame["name"], name, "{transport:?}: {frame}");
            let took = at.duration_since(since);
            assert!(took < Duration::from_secs(1), "{transport:?} knew of {name} after {took:?}");
            let known = same.get_or_insert_with(|| frame["data"].clone());
            assert_eq!(*known, frame["data"], "{transport:?}");
        }
        same.unwrap()
    }

    fn end(self) {
        self.stop.into_iter().for_each(|tab| tab.join().unwrap());
    }
}

#[test]
fn what_is_read_and_preferred_on_one_tab_every_other_knows_within_a_second_on_every_transport() {
    let world = World::start("");
    std::thread::scope(|scope| {
        let tabs = Tabs::open(scope, &world, "ann", &["user:ann"]);
        let mut acting = world.tab("ann");
        for n in 1..=5 {
            let begun = Instant::now();
            world.notify("ann", &format!("{n}"));
            assert_eq!(tabs.hear(begun, "notification.created")["unread"], n);
        }
        // By a frame, and over HTTP.
        let begun = Instant::now();
        assert_eq!(acting.ask(json!({"type": "read", "numbers": [2, 4]}))["unread"], 3);
        assert_eq!(tabs.hear(begun, "notification.read"), json!({"numbers": [2, 4], "unread": 3}));
        let begun = Instant::now();
        world.own("ann", "POST", "/v1/notifications/read", json!({"numbers": [1]}));
        assert_eq!(tabs.hear(begun, "notification.read"), json!({"numbers": [1], "unread": 2}));
        let begun = Instant::now();
        world.own("ann", "DELETE", "/v1/notifications/3", json!({}));
        assert_eq!(tabs.hear(begun, "notification.deleted"), json!({"numbers": [3], "unread": 1}));
        let begun = Instant::now();
        let wish = json!({"type": "prefer", "types": {"news": {"in_app": false}}});
        let preferences = acting.ask(wish)["preferences"].clone();
        assert_eq!(tabs.hear(begun, "inbox.preferences"), json!({ "preferences": preferences }));
        let begun = Instant::now();
        assert_eq!(acting.ask(json!({"type": "read_all"}))["unread"], 0);
        assert_eq!(tabs.hear(begun, "inbox.read_all"), json!({"up_to": 5, "unread": 0}));
        let begun = Instant::now();
        assert_eq!(acting.ask(json!({"type": "clear"}))["unread"], 0);
        assert_eq!(tabs.hear(begun, "inbox.cleared"), json!({"up_to": 5, "unread": 0}));
        tabs.end();
    });
    world.finish();
}

#[test]
fn who_comes_into_a_conversation_what_is_said_and_read_and_who_leaves_is_known_on_every_transport() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    let mut ann = world.tab("ann");
    for transport in Transport::ALL {
        let mut bob = Reader::open_as(&world.server, transport, "bob", &["conversation:c"], None);
        let mut next = |name: &str| {
            let frame = bob.expect("event");
            assert_eq!(frame["name"], name, "{transport:?}: {frame}");
            frame["data"].clone()
        };
        let said = ann.ask(json!({"type": "send", "conversation": "c", "data": {"text": "hello"}}));
        let heard = next("message.sent");
        assert_eq!((&heard["from"], &heard["number"]), (&json!("ann"), &said["number"]));
        world.site("PUT", "/v1/conversations/c/members/cleo", json!({}));
        assert_eq!(next("member.added")["user"], "cleo");
        world.own("cleo", "DELETE", "/v1/conversations/c/members/cleo", json!({}));
        assert_eq!(next("member.removed")["user"], "cleo");
        world.say("bob", "c", "hi");
        assert_eq!(next("message.sent")["from"], "bob");
        ann.ask(json!({"type": "read", "conversation": "c"}));
        assert_eq!(next("message.read")["data"]["user"], "ann");
    }
    world.finish();
}

#[test]
fn whoever_types_is_seen_with_name_on_every_transport() {
    let world = World::start("");
    world.talk("c", &["ann", "bob"]);
    for transport in Transport::ALL {
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let mut bob = Reader::open_as(&world.server, transport, "bob", &["typing:c"], None);
            scope.spawn(move || tell.send(bob.expect("event")).unwrap());
            // Nobody is owed it: whoever is between two polls does not hear it, and the next one comes in a moment.
            let heard = loop {
                world.own("ann", "POST", "/v1/conversations/c/typing", json!({"typing": true}));
                if let Ok(frame) = told.try_recv() {
                    break frame;
                }
            };
            let data = json!({"conversation_id": "c", "user": "ann", "typing": true});
            assert_eq!((&heard["name"], &heard["data"]), (&json!("typing.changed"), &data), "{transport:?}");
        });
    }
    world.finish();
}

//! Cohorts that have fallen off the ring and so have not seen who left a conversation meanwhile.

use deskbell_core::ids::{ConversationId, UserId};
use deskbell_core::post::{Act, Beginning, Command};
use deskbell_core::reservation::Actor;
use serde_json::value::RawValue;

use super::*;
use crate::store::Errand;

const CROWDED: &str = r"
[limit]
connections_per_address = 0
connect_rate_per_address = 0
";

/// Tabs of each user: with three users they are in several cohorts.
const TABS: usize = 2 * limits::COHORT;

impl Stage {
    /// Something that a backend does about conversations; it is on the disk and in the log, and the shard sleeps.
    fn act(&self, act: Act) {
        let (done, answer) = std::sync::mpsc::channel();
        let command = Command { actor: Actor::backend(), act };
        let errand = Errand { app: self.hub.apps[0].id, command, once: None };
        self.hub.store.run(errand, Box::new(move |ran| done.send(ran.map(drop)).unwrap()));
        answer.recv().unwrap().unwrap();
    }

    fn say(&self, text: &str) {
        let data = RawValue::from_string(format!("[\"{text}\"]")).unwrap();
        self.act(Act::Send { id: talk(), of: None, message: None, data });
    }
}

fn talk() -> ConversationId {
    ConversationId::parse("c").unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// What a reader was told of the conversation: texts of messages, and the names of all other events.
fn heard(reader: &Reader) -> Vec<String> {
    let own =
        reader.frames.iter().filter(|frame| frame["type"] == "event" && frame["channel"] == "conversation:c");
    let word = |frame: &Value| {
        let text = frame["data"]["data"][0].as_str().or_else(|| frame["name"].as_str());
        text.unwrap().to_owned()
    };
    own.map(word).collect()
}

#[test]
fn whoever_only_sees_others_type_is_woken_when_it_leaves() {
    let mut stage = Stage::with("typing", CROWDED, &[]);
    let members = ["ann", "eve"].map(user).to_vec();
    stage.act(Act::Create { id: Some(talk()), title: None, data: None, members });
    let mut eve = stage.coming_reader_as(Identity::user(user("eve")), &["typing:c"], None);
    stage.settle(&mut [&mut eve]);
    stage.say("something");
    stage.act(Act::Remove { id: talk(), user: Some(user("eve")) });
    assert!(stage.shard.bell.is_rung());
    stage.settle(&mut [&mut eve]);
    assert_eq!(eve.resets(), [("typing:c", "denied")]);
}

#[test]
fn cohorts_that_fell_off_the_ring_look_at_their_memberships_anew() {
    let mut stage = Stage::with("members", CROWDED, &[]);
    stage.act(Act::Create {
        id: Some(talk()),
        title: None,
        data: None,
        members: ["ann", "eve", "zoe"].map(user).to_vec(),
    });
    let channels = ["conversation:c", "typing:c"];
    let mut readers: Vec<(&str, Reader)> = (0..TABS)
        .flat_map(|_| ["ann", "eve", "zoe"])
        .map(|name| (name, stage.coming_reader_as(Identity::user(user(name)), &channels, None)))
        .collect();
    stage.turn();
    stage.say("before");
    let told = |readers: &[(&str, Reader)], text: &str, names: &[&str]| {
        let own = readers.iter().filter(|(name, _)| names.contains(name));
        own.map(|(_, reader)| heard(reader)).all(|heard| heard.iter().any(|word| word == text))
    };
    let until = |stage: &mut Stage, readers: &mut [(&str, Reader)], text: &str, names: &[&str]| {
        let deadline = clock::now_ms() + 20 * limits::SECOND;
        while !told(readers, text, names) {
            assert!(clock::now_ms() < deadline, "{names:?} were not told: {text}");
            let mut all: Vec<&mut Reader> = readers.iter_mut().map(|(_, reader)| reader).collect();
            stage.settle(&mut all);
        }
    };
    until(&mut stage, &mut readers, "before", &["ann", "eve", "zoe"]);

    // The shard sleeps. One leaves, another leaves and comes back, and the ring goes on without the shard.
    for name in ["eve", "zoe"] {
        stage.act(Act::Remove { id: talk(), user: Some(user(name)) });
    }
    stage.say("between");
    stage.act(Act::Add { id: talk(), user: user("zoe"), from: Beginning::Now });
    let many = (limits::RING_BYTES / LARGE) as u64 + 20;
    (0..many).for_each(|n| stage.publish("large", n, LARGE));
    let fell = stage.hub.metrics.shard_fell_off.get();
    stage.turn();
    assert!(stage.hub.metrics.shard_fell_off.get() >= fell + 6, "every cohort fell off");
    stage.say("after");
    until(&mut stage, &mut readers, "after", &["ann", "zoe"]);
    for (name, reader) in &readers {
        let told = heard(reader);
        let resets = reader.resets();
        match *name {
            "ann" => {
                let all = ["before", "member.removed", "member.removed", "between", "member.added", "after"];
                assert_eq!((told, resets), (all.map(str::to_owned).to_vec(), vec![]));
            }
            "eve" => {
                assert_eq!(told, ["before"], "nothing that was said after she had left");
                let denied = channels.map(|channel| (channel, "denied"));
                assert_eq!(resets, denied);
            }
            _ => assert_eq!(told, ["before", "member.added", "after"], "nothing of between: {resets:?}"),
        }
    }
}

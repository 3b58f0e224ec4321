//! Inboxes and conversations: the rule on a store that is a few maps.

mod conversations;
mod inboxes;
mod naive;
mod preferences;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deskbell_core::access::{Identity, Rules};
use deskbell_core::event::Event;
use deskbell_core::ids::{AppId, ConversationId, EventId, Topic, UserId};
use deskbell_core::limits::Millis;
use deskbell_core::post::{
    Act, Command, Content, Conversation, Decision, Inbox, Key, Membership, Memberships, Reply, Slice,
    Standing, Tone, Ways, announce, decide, fall_off,
};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Actor, Moment};
use serde_json::Value;

/// What a store holds, and the slice that decisions are made on.
#[derive(Default)]
pub struct Post {
    pub slice: Slice,
    pub inboxes: HashMap<UserId, Inbox>,
    /// Of each user: number, time, read by itself.
    pub rows: HashMap<UserId, BTreeMap<u64, (Millis, bool)>>,
    pub conversations: HashMap<ConversationId, Conversation>,
    pub messages: BTreeMap<(ConversationId, u64), Option<UserId>>,
    pub memberships: Memberships,
    pub now: Millis,
    pub position: u64,
    /// Events of the last command.
    pub told: Vec<Event>,
    /// Questions of the last command.
    pub asks: usize,
}

impl Post {
    pub fn ask(&mut self, actor: &Actor, act: Act) -> Result<Reply, Code> {
        let command = Command { actor: actor.clone(), act };
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&(self.position + 1).to_be_bytes());
        let moment = Moment { now: self.now, position: self.position + 1, seed };
        (self.told, self.asks) = (Vec::new(), 0);
        loop {
            match decide(&self.slice, moment, &command) {
                Decision::NeedMore(keys) => {
                    self.asks += 1;
                    assert!(self.asks < 8 && !keys.is_empty(), "{keys:?}");
                    keys.iter().for_each(|key| self.load(key));
                }
                Decision::Refused(refusal) => return Err(refusal.code),
                Decision::Same(reply) => return Ok(*reply),
                Decision::Change(change) => {
                    self.position += 1;
                    let drafts = announce(AppId(1), self.now, seed, &change);
                    self.told = drafts.into_iter().map(|draft| draft.event).collect();
                    self.slice.apply(&change);
                    change.memberships.iter().cloned().for_each(|one: Membership| self.memberships.take(one));
                    return Ok(change.reply);
                }
            }
        }
    }

    fn load(&mut self, key: &Key) {
        let slice = &mut self.slice;
        match key {
            Key::Inbox(user) => slice.put_inbox(user, self.inboxes.get(user).cloned().unwrap_or_default()),
            Key::Mark(user, number) => {
                let row = self.rows.get(user).and_then(|rows| rows.get(number));
                slice.put_mark(user, *number, row.map(|(_, read)| *read));
            }
            Key::MarksBehind(user, number) => {
                let rows = self.rows.get(user).into_iter().flat_map(|rows| rows.range(number + 1..));
                slice.put_marks_behind(
                    user,
                    *number,
                    rows.map(|(number, (_, read))| (*number, *read)).collect(),
                );
            }
            Key::Conversation(id) => slice.put_conversation(id, self.conversations.get(id).cloned()),
            Key::Conversations(user) => {
                let of = |one: &&Conversation| one.members.contains_key(user);
                slice.put_joined(user, self.conversations.values().filter(of).count());
            }
            Key::Memberships => {
                slice.put_memberships(self.conversations.values().map(|one| one.members.len()).sum());
            }
        }
    }

    /// The end of a batch: the store takes the difference in.
    pub fn save(&mut self) {
        let unsaved = self.slice.unsaved();
        for (user, inbox) in &unsaved.inboxes {
            self.inboxes.insert(user.clone(), (**inbox).clone());
        }
        for (user, new) in &unsaved.notifications {
            let rows = self.rows.entry(user.clone()).or_default();
            assert!(rows.insert(new.number, (new.at, false)).is_none(), "a number came twice");
        }
        for (user, number) in &unsaved.read {
            if let Some(row) = self.rows.entry(user.clone()).or_default().get_mut(number) {
                row.1 = true;
            }
        }
        for (user, number) in &unsaved.gone {
            self.rows.entry(user.clone()).or_default().remove(number);
        }
        for (old, new) in unsaved.conversations.values() {
            let known = self.conversations.insert(new.id.clone(), (**new).clone());
            assert_eq!(known.is_some(), old.is_some(), "the slice knows what the store has");
        }
        for (id, message) in &unsaved.messages {
            self.messages.insert((id.clone(), message.number), message.from.clone());
        }
        for gone in &unsaved.gone_messages {
            self.messages.remove(gone);
        }
        self.slice.saved();
    }

    /// The batch is not on the disk.
    pub fn fail(&mut self) {
        self.slice = Slice::default();
    }

    /// One slice of expiry, of at most so many rows.
    pub fn expire(&mut self, user: &UserId, most: usize, cutoff: Millis) {
        let Some(inbox) = self.inboxes.get_mut(user) else { return };
        if inbox.oldest.is_none_or(|oldest| oldest > cutoff) {
            return;
        }
        let rows = self.rows.entry(user.clone()).or_default();
        let oldest: Vec<Standing> = rows
            .iter()
            .take(most)
            .map(|(number, (at, marked))| Standing { number: *number, at: *at, marked: *marked })
            .collect();
        let more = rows.len() > most;
        for number in fall_off(inbox, &oldest, more, cutoff) {
            rows.remove(&number);
        }
        self.slice = Slice::default();
    }

    /// Names and data of what the last command told on a channel.
    pub fn heard(&self, channel: &str) -> Vec<(String, Value)> {
        let events = self.told.iter().filter(|event| event.channel.as_str() == channel);
        let parts =
            |event: &Event| (event.name.to_string(), serde_json::from_slice(&event.data.bytes).unwrap());
        events.map(parts).collect()
    }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn of(name: &str) -> Actor {
    Actor { identity: Arc::new(Identity::user(user(name))), rules: Rules::default(), connected: false }
}

pub fn site() -> Actor {
    Actor::backend()
}

pub const IN_APP: Ways = Ways { in_app: true, webhook: false };
pub const BOTH: Ways = Ways { in_app: true, webhook: true };

pub fn notify(names: &[&str], topic: &str, ways: Ways) -> Act {
    let content = Content {
        id: EventId::parse("n-1").unwrap(),
        topic: Topic::parse(topic).unwrap(),
        title: "Title".into(),
        body: Some("Body".into()),
        data: Some(serde_json::from_str(r#"{"a": 1}"#).unwrap()),
    };
    let users = names.iter().map(|name| user(name)).collect();
    Act::Notify { users, content: Arc::new(content), ways, tone: Tone::Rings }
}

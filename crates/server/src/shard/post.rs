//! What clients ask of inboxes and conversations, and the end of a membership while its channel is listened to.

use std::sync::Arc;

use deskbell_core::access::Action;
use deskbell_core::event::SharedEntry;
use deskbell_core::ids::ChannelName;
use deskbell_core::log::ResetReason;
use deskbell_core::post::{Look, Plea, departure};
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::{Notice, Typing};
use deskbell_wire::native::Reference;
use serde::Deserialize;

use super::Shard;
use super::cohort::cohort_of;
use super::waiting::Answer;
use crate::post::{self, Found};
use crate::store::Ran;

/// Who has left, as the event says that tells of it.
#[derive(Deserialize)]
struct Left {
    user: String,
}

impl Shard {
    /// Asks something for a client.
    pub(super) fn ask_post(&mut self, slot: u32, plea: Plea, reference: Reference) {
        let Some((app, identity, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        let app = &hub.apps[app];
        post::ask(&hub, app, post::actor(app, identity), plea, move |result| {
            answer(Answer::Ran { reference, result: result.map(Box::new) });
        });
    }

    /// It was done, or not.
    pub(super) fn say_ran(&mut self, slot: u32, result: Result<Box<Ran>, Refusal>, reference: &Reference) {
        match result {
            Ok(ran) => self.say_seen(slot, &ran.reply, ran.at, reference),
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    /// Looks for a client.
    pub(super) fn look_post(&mut self, slot: u32, look: Look, reference: Reference) {
        let Some((app, identity, answer)) = self.owe(slot) else { return };
        let hub = self.hub.clone();
        let app = &hub.apps[app];
        post::look(&hub, app, post::actor(app, identity), look, move |found| {
            answer(Answer::Looked { reference, found: found.map(Box::new) });
        });
    }

    /// It was seen.
    pub(super) fn say_looked(
        &mut self,
        slot: u32,
        found: Result<Box<Found>, Refusal>,
        reference: &Reference,
    ) {
        match found.and_then(|found| found.show()) {
            Ok((shown, at)) => self.say_seen(slot, &shown, at, reference),
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    /// The client writes, or has stopped.
    pub(super) fn typing(&mut self, slot: u32, typing: &Typing) -> Result<bool, Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(false) };
        let hub = self.hub.clone();
        let app = &hub.apps[usize::from(client.app)];
        post::typing(&hub, app, &client.session.identity, typing, self.now)?;
        Ok(true)
    }

    /// Whoever has left a conversation stops listening before anything that follows is handed out. That holds also
    /// for whoever has come back meanwhile, because what was said between is not for it.
    pub(super) fn end_memberships(&mut self, app: usize, cohort: usize, entries: &[SharedEntry]) {
        for entry in entries {
            let event = &entry.event;
            let Some(conversation) = departure(event) else { continue };
            let Ok(Left { user }) = serde_json::from_slice(&event.data.bytes) else { continue };
            for slot in self.listeners_of(app, cohort, &event.channel, &user) {
                self.lose(slot, &event.channel);
            }
            let Ok(typing) = ChannelName::parse(&format!("typing:{conversation}")) else { continue };
            for slot in self.listeners_of(app, cohort, &typing, &user) {
                self.lose(slot, &typing);
            }
        }
    }

    /// Clients of a user who listen to a channel only because it was a member.
    fn listeners_of(&self, app: usize, cohort: usize, channel: &ChannelName, user: &str) -> Vec<u32> {
        let channels = &self.views[app].channels;
        let Some(number) = channels.find(channel.as_str()) else { return Vec::new() };
        let rules = self.hub.apps[app].rules.load();
        let lists = channels.get(number).lists.iter().flat_map(|(_, list)| list).copied();
        let is_meant = |slot: &u32| {
            cohort_of(*slot) == cohort
                && self.clients.get(*slot).is_some_and(|client| {
                    let identity = &client.session.identity;
                    identity.user_id() == Some(user)
                        && rules.decide(identity, Action::Subscribe, channel, self.now).is_err()
                })
        };
        lists.filter(is_meant).collect()
    }

    /// A cohort goes on from history and has not seen who left meanwhile: its clients' rights are looked at anew.
    pub(super) fn recheck_conversations(&mut self, app: usize, cohort: usize) {
        let here: Vec<u32> = self
            .clients
            .iter()
            .filter(|(slot, client)| usize::from(client.app) == app && cohort_of(*slot) == cohort)
            .map(|(slot, _)| slot)
            .collect();
        for slot in here {
            for (channel, _) in self.sub_list(slot) {
                let is_talk = channel.as_str().starts_with("conversation:");
                if !is_talk && !channel.as_str().starts_with("typing:") {
                    continue;
                }
                match self.admitted(slot, &channel) {
                    // It may have left and come back; what was said between is not for it.
                    Ok(Some(from)) if is_talk => self.note_start(slot, &channel, |start| {
                        start.after =
                            Some(start.after.filter(|after| after.ledger > from.ledger).unwrap_or(from));
                    }),
                    Ok(_) => {}
                    Err(_) => self.lose(slot, &channel),
                }
            }
        }
    }

    /// A right is lost: the client is told and taken off.
    pub(super) fn lose(&mut self, slot: u32, channel: &ChannelName) {
        // Leaving a presence that the client is not in is no error.
        let _ = self.leave(slot, channel);
        self.drop_sub(slot, channel);
        self.drop_lenses(slot, |lens| lens.source == *channel);
        let cursor: Arc<str> = self.cursor(slot);
        self.say_reset(slot, channel, ResetReason::Denied, &cursor);
        self.flush(slot);
    }
}

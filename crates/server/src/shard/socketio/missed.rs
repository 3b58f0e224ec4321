//! What was told to a user while nobody of it was connected: it waits in the inbox, and is said when the user comes.

use std::sync::Arc;

use deskbell_core::event::SharedEntry;
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{Bounds, Want};
use deskbell_core::position::Position;
use deskbell_core::post::{Act, Look, Plea};
use deskbell_core::refusal::Refusal;
use deskbell_core::room;
use deskbell_wire::socketio::marketplace::waiting;

use super::super::waiting::Answer;
use super::super::{Shard, flag};
use crate::post::{self, Found, Shown};

/// What waits, as it was found.
#[derive(Debug)]
pub struct Missed {
    namespace: Arc<str>,
    /// What has been told in the user's room since then, the client has from the log.
    since: Position,
    found: Result<Found, Refusal>,
}

impl Shard {
    /// Looks for it, once for each connection, as soon as it is known whose it is. `since` is where a client stood
    /// that comes back as who it was.
    pub(super) fn look_for_missed(&mut self, slot: u32, namespace: &Arc<str>, since: Option<Position>) {
        let terms = self.socketio_terms(slot);
        let Some(client) = self.clients.get(slot) else { return };
        let is_known = client.session.identity.user_id().is_some();
        let since = since.unwrap_or_else(|| self.cohort(usize::from(client.app), slot).at);
        let is_plain = terms.plain.iter().any(|plain| **plain == **namespace);
        let Some(talker) = self.talker(slot).filter(|talker| is_known && is_plain && !talker.has_looked)
        else {
            return;
        };
        talker.has_looked = true;
        let Some((app, identity, answer)) = self.owe(slot) else { return };
        let (hub, namespace) = (self.hub.clone(), namespace.clone());
        let app = &hub.apps[app];
        // As many as one request reads.
        let limit = limits::NOTIFICATIONS_NAMED;
        let look = Look::Notifications { of: None, before: None, limit, unread: true, topic: None };
        post::look(&hub, app, post::actor(app, identity), look, move |found| {
            answer(Answer::Missed(Box::new(Missed { namespace, since, found })));
        });
    }

    /// Says what was found, in its order, and notes that it was said. What its rooms were told comes first, so whoever
    /// still reads that is told the rest behind it.
    pub(in super::super) fn say_missed(&mut self, slot: u32, missed: Box<Missed>) {
        if self.flagged(slot, flag::CATCHING) {
            if let Some(talker) = self.talker(slot) {
                talker.missed = Some(missed);
            }
            return;
        }
        let Missed { namespace, since, found } = *missed;
        // Where it could not be looked at it waits for the next time.
        let Ok((Shown::Notifications { page, .. }, _)) = found.and_then(Found::show) else { return };
        let told = self.told_since(slot, &since);
        let mut numbers = Vec::new();
        for one in page.notifications.iter().rev() {
            let Some((kind, data)) = one.content.data.as_deref().and_then(waiting::told) else { continue };
            numbers.push(one.number);
            let is_told = told.iter().any(|entry| {
                entry.event.name.as_str() == kind.event() && entry.event.data.bytes == data.get().as_bytes()
            });
            if !is_told {
                self.tell(slot, &namespace, kind.event(), data.get().to_owned());
            }
        }
        if !numbers.is_empty() {
            self.note_as_read(slot, numbers);
        }
    }

    /// Whoever has read everything is told what waited behind it.
    pub(in super::super) fn say_what_waited(&mut self, slot: u32) {
        if let Some(missed) = self.talker(slot).and_then(|talker| talker.missed.take()) {
            self.say_missed(slot, missed);
            self.flush(slot);
        }
    }

    /// What the user's room was told since a place.
    fn told_since(&self, slot: u32, since: &Position) -> Vec<SharedEntry> {
        let (Some(client), Some(app)) = (self.clients.get(slot), self.app_of_talker(slot)) else {
            return Vec::new();
        };
        let own = room::of(&client.session.identity).into_iter().next();
        let Some(channel) = own.and_then(|own| ChannelName::parse(&own).ok()) else { return Vec::new() };
        let bounds = Bounds { events: limits::HISTORY_EVENTS, bytes: limits::HISTORY_BYTES };
        app.log.with(|log| log.read(since, &[Want::plain(channel)], None, bounds).entries)
    }

    fn note_as_read(&self, slot: u32, numbers: Vec<u64>) {
        let Some(client) = self.clients.get(slot) else { return };
        let (hub, identity) = (self.hub.clone(), client.session.identity.clone());
        let app = &hub.apps[usize::from(client.app)];
        let plea = Plea { act: Act::Read { of: None, numbers }, key: None, body: 0 };
        post::ask(&hub, app, post::actor(app, identity), plea, |ran| {
            if let Err(refusal) = ran {
                tracing::warn!(%refusal, "what was said to a user who came back will be said again");
            }
        });
    }
}

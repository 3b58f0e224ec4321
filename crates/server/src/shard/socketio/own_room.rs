//! What a connection is called publicly is a room of that connection. Hardly any is ever told something there, so a
//! client comes into its own room with the first event that is for it, and until then costs nothing.

use std::sync::Arc;

use deskbell_core::cursor::Cursor;
use deskbell_core::event::{Kind, SharedEntry};
use deskbell_core::ids::ChannelName;
use deskbell_core::room;

use super::super::cohort::cohort_of;
use super::super::{Shard, flag};
use super::rooms::{Right, Room};

impl Shard {
    /// Lets those of a cohort whom entries name into their own rooms. The cohort has not come to these entries yet.
    pub(in super::super) fn let_in_whom_they_name(
        &mut self,
        app: usize,
        cohort: usize,
        entries: &[SharedEntry],
    ) {
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Message) {
            let channel = &entry.event.channel;
            // Behind the last semicolon stands the room, and before it the namespace.
            let name = channel.as_str().rsplit(';').next().unwrap_or_default();
            let slot = room::of_connection(name).and_then(|id| self.public.get(&id)).copied();
            let is_meant = |slot: &u32| cohort_of(*slot) == cohort && self.is_talker_of(*slot, app);
            if let Some(slot) = slot.filter(is_meant) {
                self.enter_own_room(slot, channel, name, None);
            }
        }
    }

    /// Whoever comes back may have been told something there while nobody was.
    pub(super) fn enter_own_room_again(&mut self, slot: u32, namespace: &Arc<str>, cursor: Cursor) {
        let Some(id) = self.clients.get(slot).map(|client| client.session.public_id().to_string()) else {
            return;
        };
        let Ok(channel) = self.socketio_terms(slot).channel(namespace, &id) else { return };
        let was_told = self.app_of_talker(slot).map(|app| app.log.with(|log| log.kept(channel.as_str())));
        if was_told.is_some_and(|kept| kept > 0) {
            self.enter_own_room(slot, &channel, &id, Some(cursor));
        }
    }

    fn enter_own_room(&mut self, slot: u32, channel: &ChannelName, name: &str, cursor: Option<Cursor>) {
        for namespace in self.shown_in(slot, channel, name) {
            let room = Room { right: Right::Given, ..Room::named(&namespace, name) };
            // There is nothing to do where the app has too many manners: other clients have no room then either.
            let _ = self.take_room(slot, &room, cursor);
        }
    }

    /// Is a client of this app connected there that speaks this dialect?
    pub(super) fn is_talker_of(&self, slot: u32, app: usize) -> bool {
        let client = self.clients.get(slot).filter(|_| !self.flagged(slot, flag::GONE));
        client.is_some_and(|client| usize::from(client.app) == app && client.variant.has_words())
    }

    /// The namespaces of a client in which a room of this name is this channel.
    pub(super) fn shown_in(&self, slot: u32, channel: &ChannelName, name: &str) -> Vec<Arc<str>> {
        let terms = self.socketio_terms(slot);
        let talker = self.clients.get(slot).and_then(|client| client.socketio.as_deref());
        let inside = talker.iter().flat_map(|talker| &talker.inside).map(|inside| inside.namespace.clone());
        inside.filter(|namespace| terms.channel(namespace, name).as_ref() == Ok(channel)).collect()
    }
}

//! Pages of the Portico dialect that come over Socket.IO: one event in both directions, and in it the messages that
//! older pages send over a WebSocket. What they ask is judged, done and answered where those of the others are.

use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::portico::EVENT;
use deskbell_wire::socketio::encode;
use deskbell_wire::socketio::packet::ROOT;

use super::super::{Shard, flag};

impl Shard {
    /// Is this such a page, in its namespace or still on the way to it?
    pub(super) fn is_portico_page(&self, slot: u32) -> bool {
        let talker = self.clients.get(slot).and_then(|client| client.socketio.as_deref());
        talker.is_some_and(|talker| talker.hail.is_some())
    }

    /// Such a page has come into its namespace.
    pub(super) fn enter_as_page(&mut self, slot: u32) {
        let Some(hail) = self.talker(slot).and_then(|talker| talker.hail.clone()) else { return };
        self.open_portico(slot, &hail);
        self.flush(slot);
        self.watch_portico(slot);
        self.look_at_life(slot);
    }

    /// It leaves its namespace, and may come in again.
    pub(super) fn leave_as_page(&mut self, slot: u32) {
        // What a request is being answered with may never be read.
        if !self.flagged(slot, flag::PACKETS) {
            self.portico_parts(slot);
        }
        self.close_portico(slot);
        for (channel, _) in self.sub_list(slot) {
            self.drop_sub(slot, &channel);
        }
        if let Some(talker) = self.talker(slot) {
            talker.inside.clear();
        }
        self.look_at_life(slot);
    }

    /// It says something: `one` is the single value that it says, where it is one.
    pub(super) fn take_page_event(&mut self, slot: u32, id: Option<u64>, name: &str, one: Option<&str>) {
        let Some(text) = one.filter(|_| name == EVENT) else {
            let sentence = "pages say everything in one object under the event `message`";
            let refusal = self.charge(slot).err();
            let refusal = refusal.unwrap_or_else(|| Refusal::new(Code::UnknownType, sentence));
            return self.outcome(slot, ROOT, id, Err(&refusal));
        };
        self.take_portico(slot, text);
        // That it was heard; what becomes of it is a message.
        if let Some(id) = id {
            self.utter(slot, |out| encode::ack(ROOT, id, "", 0, out));
        }
    }
}

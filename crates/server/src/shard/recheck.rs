//! Rights that change while somebody is subscribed.

use deskbell_core::access::Action;
use deskbell_core::ids::ChannelName;
use deskbell_core::log::Members;
use deskbell_wire::pusher::Guard;

use super::Shard;

impl Shard {
    fn may_go_on_watching(&self, slot: u32, channel: &ChannelName) -> bool {
        self.clients.get(slot).is_some_and(|client| client.variant.is_pusher())
            || self.may_watch(slot, channel)
    }

    /// Rules, keys or an identity have changed: whoever lost a right is told and taken off.
    pub(super) fn recheck(&mut self, slot: u32) {
        if self.clients.get(slot).is_some_and(|client| client.variant.is_portico()) {
            self.recheck_portico(slot);
            return;
        }
        if self.clients.get(slot).is_some_and(|client| client.socketio.is_some()) {
            self.recheck_rooms(slot);
            return;
        }
        for (channel, _) in self.sub_list(slot) {
            if self.may_go_on(slot, &channel) {
                if self.watches(slot, &channel) && !self.may_go_on_watching(slot, &channel) {
                    self.stop_watching(slot, &channel);
                }
                continue;
            }
            self.lose(slot, &channel);
        }
        self.flush(slot);
    }

    fn may_go_on(&self, slot: u32, channel: &ChannelName) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        if client.variant.is_pusher() {
            // A signature holds as long as its socket; rules decide of what is open to all.
            return Guard::of(channel.as_str()) != Guard::Public || self.is_open(slot, channel).is_ok();
        }
        self.may(slot, Action::Subscribe, channel).is_ok()
    }

    /// The right to see who is here was lost, the right to read was not.
    fn stop_watching(&mut self, slot: u32, channel: &ChannelName) {
        // Leaving a presence that the client is not in is no error.
        let _ = self.leave(slot, channel);
        self.change_sub(slot, channel, |sub| {
            sub.watch = false;
            if let Some(start) = &mut sub.start {
                start.members = Members::Ignored;
            }
        });
    }

    /// The same for everybody here.
    pub(super) fn recheck_all(&mut self) {
        let slots: Vec<u32> = self.clients.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.recheck(slot);
        }
    }
}

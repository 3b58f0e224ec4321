//! What is gone is told: which channels a client must load anew.

use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{Page, ResetReason};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;

use super::super::client::{LateRead, Whose};
use super::super::frames::Variant;
use super::super::timers::What;
use super::{Shard, Turn};

impl Shard {
    /// Tells the resets of a page. Only the last one carries the new place: a reader that is cut
    /// between two of them must hear all of them again.
    pub(super) fn write_resets(&mut self, slot: u32, turn: &Turn, page: &Page) {
        let before = self.cursor(slot);
        self.stand_at(slot, turn, page.at);
        for (place, reset) in page.resets.iter().enumerate() {
            self.note_starts(
                slot,
                &reset.channel,
                |_| true,
                |start| {
                    (start.after, start.asked) = (Some(reset.after), false);
                },
            );
            // Of several channels that are late together the others go on where they were.
            if let Turn::Late(LateRead { whose: Whose::Channel(_), .. }) = turn
                && !self.has_lenses(slot)
            {
                self.stand_at(slot, turn, reset.after);
            }
            let last = place + 1 == page.resets.len();
            let cursor = if last { self.cursor(slot) } else { before.clone() };
            self.say_reset(slot, &reset.channel, reset.reason, &cursor);
        }
    }

    /// Tells a client to load a channel's state anew, at its own moment within the next seconds.
    pub(in crate::shard) fn say_reset(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        reason: ResetReason,
        cursor: &str,
    ) {
        self.hub.metrics.reset(reason);
        if self.clients.get(slot).is_some_and(|client| client.variant.has_words()) {
            // Its client has no ear for it: it comes back by itself, as somebody new.
            self.begin_anew(slot);
            return;
        }
        let stock = |variant: Variant| variant.is_pusher() && !variant.carries_cursor();
        self.begin_portico_anew(slot);
        let stock = |variant: Variant| stock(variant) || variant.is_portico();
        if self.clients.get(slot).is_some_and(|client| stock(client.variant)) {
            // Nor has this one: it comes back, and its page loads anew.
            self.set_alarm(slot, crate::clock::random_below(limits::RELOAD_SPREAD), What::Drain);
            return;
        }
        let reload_in_ms = Some(crate::clock::random_below(limits::RELOAD_SPREAD));
        let shown = if self.has_lenses(slot) { self.names_of(slot, channel) } else { Vec::new() };
        for channel in if shown.is_empty() { std::slice::from_ref(channel) } else { &shown[..] } {
            let reset = Notice::Reset { channel: Some(channel), reason, reload_in_ms, cursor };
            self.say(slot, &reset, &Reference::none());
        }
    }
}

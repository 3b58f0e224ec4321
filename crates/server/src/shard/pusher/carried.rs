//! Clients that carry a cursor. Whoever subscribes with `since` gets its place with every frame from then on,
//! and what it has missed when it comes back with it: the same reads that every other dialect makes.

use deskbell_core::ids::{ChannelName, PublicId};
use deskbell_core::log::{Members, ResetReason};
use deskbell_core::position::Position;

use super::super::Shard;
use super::super::channels::Listeners;
use super::super::client::Whose;
use super::super::frames::Variant;
use super::super::lens::PLAIN;
use super::super::session::Sub;
use super::super::subscribe::Begin;

/// How a subscription was set going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// With what happens from now on.
    Anew,
    /// Behind what its client has, and nothing between is gone.
    Onward,
    /// Its client has a cursor that nobody here made.
    Unreadable,
}

impl Shard {
    /// From here on the client is told where it stands. What was to pass by the socket that it had before
    /// passes by this one.
    pub(super) fn carry(&mut self, slot: u32, former: Option<PublicId>) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if let Some(former) = former {
            client.session.public.remember(former);
            // A name that another client has is that client's.
            self.public.entry(former).or_insert(slot);
        }
        if client.variant.carries_cursor() {
            return;
        }
        // What it has subscribed to before goes over to the lists of the new form.
        let (app, old) = (usize::from(client.app), client.variant);
        let new = old.with_cursor();
        client.variant = new;
        for at in 0..client.session.subs.len() {
            self.list_anew(app, slot, at, (old, new));
        }
    }

    /// Moves a subscription from its channel's list of one form to that of another. The channel has as many
    /// subscriptions as before, so nobody is told anything.
    fn list_anew(&mut self, app: usize, slot: u32, at: usize, (old, new): (Variant, Variant)) {
        let Some(sub) = self.clients.get_mut(slot).and_then(|client| client.session.subs.get_mut(at)) else {
            return;
        };
        let (Some(place), number, watch, lens) = (sub.place, sub.channel, sub.watch, sub.lens) else {
            return;
        };
        let view = &mut self.views[app];
        let [old, new] =
            [old, new].map(|variant| Listeners::of(slot, variant, watch).through(lens, &view.lenses));
        let moved = view.channels.unlist(number, old, place);
        sub.place = Some(view.channels.list(number, new, slot));
        let Some(other) = moved.and_then(|moved| self.clients.get_mut(moved)) else { return };
        if let Some(theirs) =
            other.session.subs.iter_mut().find(|theirs| theirs.channel == number && theirs.lens == lens)
        {
            theirs.place = Some(place);
        }
    }

    /// Sets a new subscription going from where its client stands, or from here.
    pub(super) fn start_since(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        since: Option<&str>,
        listed: Option<Position>,
    ) -> Started {
        let begin = self.begin(slot, channel, since.filter(|since| !since.is_empty()));
        if begin == Begin::Now {
            self.start_here(slot, channel, listed);
            return Started::Anew;
        }
        let recovered = self.start_sub(slot, channel, begin, None, Whose::Channel(channel.clone()));
        self.start_sources(slot, channel, begin);
        if let Some(head) = listed {
            self.note_start(slot, channel, |start| start.members = Members::Listed(head));
        }
        match begin {
            Begin::Unreadable => Started::Unreadable,
            _ if recovered => Started::Onward,
            _ => Started::Anew,
        }
    }

    /// The log channels that a channel shows are late with it, also where its own events are all there.
    fn start_sources(&mut self, slot: u32, channel: &ChannelName, begin: Begin) {
        let (Begin::After(at), Some(client)) = (begin, self.clients.get(slot)) else { return };
        let app = usize::from(client.app);
        let here = self.cohort(app, slot).at;
        let shows = |sub: &Sub| sub.lens != PLAIN && self.known_as(app, sub) == channel;
        if client.session.subs.iter().any(shows) && !at.covers(&here) {
            self.fall_behind_on(slot, Whose::Channel(channel.clone()), at);
        }
    }

    /// Whoever brings a cursor of somewhere else must load the channel anew.
    pub(super) fn tell_unreadable(&mut self, slot: u32, channel: &ChannelName, started: Started) {
        if started == Started::Unreadable {
            let cursor = self.cursor(slot);
            self.say_reset(slot, channel, ResetReason::Foreign, &cursor);
        }
    }

    /// Adds a frame to the replies of the client that is being served, with its place where it carries one.
    pub(super) fn write_standing(&mut self, slot: u32, json: &[u8]) {
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        let cursor = variant.carries_cursor().then(|| self.cursor(slot));
        variant.standing(json, cursor.as_deref(), &mut self.out);
    }
}

//! A subscription's two ends, in its session and in the list of its channel, and the count of who is there.

use deskbell_core::access::Action;
use deskbell_core::ids::ChannelName;
use deskbell_core::news::News;

use super::Shard;
use super::channels::Listeners;
use super::client::Whose;
use super::frames::Variant;
use super::lens::PLAIN;
use super::session::{Start, Sub};
use crate::app::App;
use crate::pusher::Turn;

impl Shard {
    /// Adds the subscription to the session and, while it is connected, to the channel's list.
    pub(super) fn add_sub(&mut self, slot: u32, channel: &ChannelName) {
        let watch = self.may_watch(slot, channel);
        self.list(slot, channel, watch);
    }

    /// The same for a client of whom it is known whether it may see who is here.
    pub(super) fn list(&mut self, slot: u32, channel: &ChannelName, watch: bool) {
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return };
        self.list_as(slot, channel, variant, watch);
    }

    /// The same for a client that hears this channel in words of its own.
    pub(super) fn list_as(&mut self, slot: u32, channel: &ChannelName, variant: Variant, watch: bool) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let app = usize::from(client.app);
        let channels = &mut self.views[usize::from(client.app)].channels;
        let number = channels.take(channel);
        let kind = Listeners::of(slot, variant, watch);
        let place = Some(channels.list(number, kind, slot));
        let words = variant.words();
        client.session.subs.push(Sub { channel: number, lens: PLAIN, watch, words, place, start: None });
        self.count_in(app, channel);
    }

    /// The words in which a client hears a channel, where it has its own.
    pub(super) fn words_of(&self, slot: u32, channel: &ChannelName) -> Option<u16> {
        self.clients.get(slot).filter(|client| client.variant.has_words())?;
        self.sub(slot, channel).map(|sub| sub.words)
    }

    /// A client hears a channel in other words from now on.
    pub(super) fn change_words(&mut self, slot: u32, channel: &ChannelName, words: u16) {
        if self.words_of(slot, channel) != Some(words) {
            self.change_sub(slot, channel, |sub| sub.words = words);
        }
    }

    /// Changes a subscription, and lists it anew as what it is then.
    pub(super) fn change_sub(&mut self, slot: u32, channel: &ChannelName, change: impl FnOnce(&mut Sub)) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let (app, variant) = (usize::from(client.app), client.variant);
        let Some(number) = self.views[app].channels.find(channel.as_str()) else { return };
        let is_it = |sub: &Sub| sub.channel == number && sub.lens == PLAIN;
        let Some(at) = client.session.subs.iter().position(is_it) else { return };
        let mut sub = client.session.subs.swap_remove(at);
        self.unlist(slot, &sub);
        change(&mut sub);
        if sub.place.is_some() {
            let kind = Listeners::of(slot, variant.with_words(sub.words), sub.watch);
            sub.place = Some(self.views[app].channels.list(number, kind, slot));
            self.count_in(app, channel);
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.session.subs.push(sub);
        }
    }

    /// A channel has one subscription more.
    fn count_in(&self, app: usize, channel: &ChannelName) {
        if let Some(app) = self.counted(app, channel) {
            let turn = app.occupancy.add(channel, self.now, |count| self.tell_count(app, channel, count));
            if turn == Turn::Occupied {
                self.hub.hooks.tell(app, self.now, || News::Occupied(channel.clone()));
            }
        }
    }

    /// A channel has one subscription less.
    fn count_out(&self, app: usize, channel: &ChannelName) {
        if let Some(app) = self.counted(app, channel) {
            let turn = app.occupancy.remove(channel, self.now, |count| self.tell_count(app, channel, count));
            if turn == Turn::Vacated {
                self.hub.hooks.tell(app, self.now, || News::Vacated(channel.clone()));
            }
        }
    }

    /// Channels that begin with `#` are the server's own ways to its users.
    fn counted(&self, app: usize, channel: &ChannelName) -> Option<&App> {
        (!channel.as_str().starts_with('#')).then(|| &self.hub.apps[app])
    }

    fn tell_count(&self, app: &App, channel: &ChannelName, count: usize) {
        // In a presence channel everybody sees everybody.
        if app.pusher.load().subscription_count && !channel.as_str().starts_with("presence-") {
            self.hub.tell_count(app, channel, count, self.now);
        }
    }

    /// Has the channel presence, and may the client see it?
    pub(super) fn may_watch(&self, slot: u32, channel: &ChannelName) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let app = &self.hub.apps[usize::from(client.app)];
        app.log.with(|log| log.class(channel.as_str()).presence)
            && self.may(slot, Action::Presence, channel).is_ok()
    }

    /// Drops a subscription from the session and from the channel's list.
    pub(super) fn drop_sub(&mut self, slot: u32, channel: &ChannelName) {
        self.drop_lenses(slot, |lens| lens.shown == *channel);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let app = usize::from(client.app);
        let Some(number) = self.views[app].channels.find(channel.as_str()) else { return };
        let is_it = |sub: &Sub| sub.channel == number && sub.lens == PLAIN;
        let Some(at) = client.session.subs.iter().position(is_it) else { return };
        let sub = client.session.subs.swap_remove(at);
        if let Some(catching) = &mut client.catching {
            catching.late.take_if(|late| late.whose == Whose::Channel(channel.clone()));
        }
        self.unlist(slot, &sub);
        self.views[app].channels.give_back(number);
    }

    /// Takes a subscription off its channel's list, and tells whoever moved into its place.
    pub(super) fn unlist(&mut self, slot: u32, sub: &Sub) {
        let (Some(client), Some(place)) = (self.clients.get(slot), sub.place) else { return };
        let app = usize::from(client.app);
        let kind = Listeners::of(slot, client.variant.with_words(sub.words), sub.watch);
        let kind = kind.through(sub.lens, &self.views[app].lenses);
        if sub.lens == PLAIN {
            let channel = self.views[app].channels.get(sub.channel).name.clone();
            self.count_out(app, &channel);
        }
        let Some(moved) = self.views[app].channels.unlist(sub.channel, kind, place) else { return };
        let Some(other) = self.clients.get_mut(moved) else { return };
        let is_theirs = |theirs: &&mut Sub| theirs.channel == sub.channel && theirs.lens == sub.lens;
        if let Some(theirs) = other.session.subs.iter_mut().find(is_theirs) {
            theirs.place = Some(place);
        }
    }

    pub(super) fn is_subscribed(&self, slot: u32, channel: &ChannelName) -> bool {
        self.sub(slot, channel).is_some()
    }

    pub(super) fn watches(&self, slot: u32, channel: &ChannelName) -> bool {
        self.sub(slot, channel).is_some_and(|sub| sub.watch)
    }

    fn sub(&self, slot: u32, channel: &ChannelName) -> Option<&Sub> {
        let client = self.clients.get(slot)?;
        let number = self.views[usize::from(client.app)].channels.find(channel.as_str())?;
        client.session.subs.iter().find(|sub| sub.channel == number && sub.lens == PLAIN)
    }

    /// Listens a client to this log channel, as it is or through a lens?
    pub(super) fn hears(&self, slot: u32, channel: &ChannelName) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let number = self.views[usize::from(client.app)].channels.find(channel.as_str());
        client.session.subs.iter().any(|sub| Some(sub.channel) == number)
    }

    /// The names and starts of a client's subscriptions.
    pub(super) fn sub_list(&self, slot: u32) -> Vec<(ChannelName, Start)> {
        let Some(client) = self.clients.get(slot) else { return Vec::new() };
        let channels = &self.views[usize::from(client.app)].channels;
        let named = |sub: &Sub| {
            (channels.get(sub.channel).name.clone(), sub.start.as_deref().cloned().unwrap_or_default())
        };
        client.session.subs.iter().filter(|sub| sub.lens == PLAIN).map(named).collect()
    }
}

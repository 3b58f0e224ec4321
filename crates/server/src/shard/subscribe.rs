//! Subscriptions: taken, dropped, looked at again.

use std::cmp::Ordering;

use deskbell_core::access::{Action, From};
use deskbell_core::class::Shape;
use deskbell_core::ids::ChannelName;
use deskbell_core::log::{Members, ResetReason, Want};
use deskbell_core::news::News;
use deskbell_core::position::{Epoch, Position, ledger};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;
use deskbell_wire::pusher::Guard;

use super::channels::Listeners;
use super::client::Whose;
use super::cohort::cohort_of;
use super::frames::Variant;
use super::lens::PLAIN;
use super::session::{Start, Sub};
use super::{Shard, flag};
use crate::app::App;
use crate::pusher::Turn;

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Begin {
    /// With what happens from now on; `latest` channels with the values that are there.
    Now,
    /// Where the client says it stands.
    After(Position),
    /// The client gave a cursor that nobody here made.
    Unreadable,
}

impl Shard {
    /// A `subscribe` command.
    pub(super) fn subscribe(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        since: Option<&str>,
        reference: &Reference,
    ) {
        match self.try_subscribe(slot, channel, since, reference) {
            Ok(()) => {}
            Err(refusal) => self.say(slot, &Notice::Error(&refusal), reference),
        }
    }

    fn try_subscribe(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        since: Option<&str>,
        reference: &Reference,
    ) -> Result<(), Refusal> {
        self.come_to_now(slot);
        let begin = self.begin(slot, channel, since);
        if self.is_subscribed(slot, channel) {
            if begin == Begin::Now {
                let cursor = self.cursor(slot);
                self.say(slot, &Notice::Subscribed { channel, recovered: true, cursor: &cursor }, reference);
                return Ok(());
            }
            self.drop_sub(slot, channel);
        }
        let from = self.admit(slot, channel)?;
        self.add_sub(slot, channel);
        let recovered = self.start_sub(slot, channel, begin, from, Whose::Channel(channel.clone()));
        let cursor = self.cursor(slot);
        self.say(slot, &Notice::Subscribed { channel, recovered, cursor: &cursor }, reference);
        if begin == Begin::Unreadable {
            self.say_reset(slot, channel, ResetReason::Foreign, &cursor);
        }
        Ok(())
    }

    /// Whatever was acknowledged before a client begins "now" lies before its beginning, so its cohort
    /// takes in what the log has by now.
    pub(super) fn come_to_now(&mut self, slot: u32) {
        let Some(app) = self.clients.get(slot).map(|client| usize::from(client.app)) else { return };
        // Its replies so far stand before what this hands out.
        self.flush(slot);
        self.deliver_to(app, cohort_of(slot));
    }

    pub(super) fn begin(&self, slot: u32, channel: &ChannelName, since: Option<&str>) -> Begin {
        let Some(text) = since else { return Begin::Now };
        let Some(client) = self.clients.get(slot) else { return Begin::Now };
        let app = &self.hub.apps[usize::from(client.app)];
        let latest = app.log.with(|log| log.class(channel.as_str()).shape) == Shape::Latest;
        app.cursors
            .open(text)
            .map_or(Begin::Unreadable, |cursor| Begin::After(cursor.place_of(channel, latest)))
    }

    /// May the client subscribe, and from where on may it read?
    pub(super) fn admit(&self, slot: u32, channel: &ChannelName) -> Result<Option<Position>, Refusal> {
        self.may(slot, Action::Subscribe, channel)?;
        let Some(client) = self.clients.get(slot) else { return Ok(None) };
        if client.session.subs.len() >= self.tuning.subscriptions {
            return Err(Refusal::new(
                Code::LimitReached,
                format!("a session has at most {} subscriptions; drop one first", self.tuning.subscriptions),
            ));
        }
        self.admitted(slot, channel)
    }

    /// From where on a client may read that may read.
    pub(super) fn admitted(&self, slot: u32, channel: &ChannelName) -> Result<Option<Position>, Refusal> {
        let Some(client) = self.clients.get(slot) else { return Ok(None) };
        let app = &self.hub.apps[usize::from(client.app)];
        let allowed = app.allows(&client.session.identity, Action::Subscribe, channel, self.now)?;
        let from = match allowed.from {
            None => return Ok(None),
            // What the ledger feeds is compared by ledger position alone.
            Some(From::Row(row)) => return Ok(Some(Position::start(Epoch(0), ledger::end(row), 0))),
            Some(From::Cursor(from)) => from,
        };
        match app.cursors.open(&from) {
            Some(cursor) => Ok(Some(cursor.at)),
            None => Err(Refusal::new(
                Code::Denied,
                "the grant's `from` is no cursor of this app; take it from a publish's answer",
            )),
        }
    }

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
        let Some(client) = self.clients.get_mut(slot) else { return };
        let app = usize::from(client.app);
        let Some(number) = self.views[app].channels.find(channel.as_str()) else { return };
        let Some(at) = client.session.subs.iter().position(|sub| sub.channel == number) else { return };
        let mut sub = client.session.subs.swap_remove(at);
        if sub.words != words {
            self.unlist(slot, &sub);
            sub.words = words;
            if sub.place.is_some() {
                let kind = Listeners::of(slot, Variant::SocketIo(words), sub.watch);
                sub.place = Some(self.views[app].channels.list(number, kind, slot));
                self.count_in(app, channel);
            }
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
    fn may_watch(&self, slot: u32, channel: &ChannelName) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let app = &self.hub.apps[usize::from(client.app)];
        app.log.with(|log| log.class(channel.as_str()).presence)
            && self.may(slot, Action::Presence, channel).is_ok()
    }

    fn may_go_on_watching(&self, slot: u32, channel: &ChannelName) -> bool {
        self.clients.get(slot).is_some_and(|client| client.variant.is_pusher())
            || self.may_watch(slot, channel)
    }

    /// Sets a new subscription going from its beginning, but not before where its grant starts. Says
    /// whether everything since is there. `whose` is what is late if the beginning is.
    pub(super) fn start_sub(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        begin: Begin,
        from: Option<Position>,
        whose: Whose,
    ) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let app = usize::from(client.app);
        let here = self.cohort(app, slot).at;
        let stands = client.catching.as_ref().map_or(here, |catching| catching.at);
        let class = self.hub.apps[app].log.with(|log| log.class(channel.as_str()));
        let values = class.shape == Shape::Latest;
        // What memory had before this life of the log is gone, and hidden with it.
        let from = from.filter(|from| class.durable || from.epoch == here.epoch);
        let begin = match (begin, from) {
            (Begin::After(at), Some(from)) if is_later(&from, &at, class.durable, here.epoch) => {
                Begin::After(from)
            }
            // Values from before the grant are its past as well.
            (Begin::Now | Begin::Unreadable, Some(from))
                if values || is_later(&from, &here, class.durable, here.epoch) =>
            {
                Begin::After(from)
            }
            (begin, _) => begin,
        };
        match begin {
            Begin::After(at) => match compare(&at, &stands, class.durable, here.epoch) {
                Ordering::Equal => {}
                Ordering::Less => self.fall_behind_on(slot, whose, at),
                Ordering::Greater => {
                    // It waits there until everybody has come as far.
                    self.note_start(slot, channel, |start| (start.after, start.asked) = (Some(at), true));
                    self.fall_behind_if_live(slot, stands);
                }
            },
            Begin::Now | Begin::Unreadable if values => {
                let first = self.hub.apps[app].log.with(|log| log.start_of(channel.as_str()));
                self.note_start(slot, channel, |start| start.after = Some(first));
                self.fall_behind_on(slot, whose, Position::start(here.epoch, 0, 0));
            }
            Begin::Now | Begin::Unreadable if stands != here => {
                self.note_start(slot, channel, |start| (start.after, start.asked) = (Some(here), true));
            }
            Begin::Now | Begin::Unreadable => {}
        }
        if self.watches(slot, channel) {
            let members = self.list_of(slot, begin, here.epoch);
            self.note_start(slot, channel, |start| start.members = members);
            self.fall_behind_if_live(slot, stands);
        }
        match begin {
            Begin::After(at) => self.dry_read(app, &at, &[Want::plain(channel.clone())]).is_empty(),
            Begin::Now | Begin::Unreadable => false,
        }
    }

    /// How far the client's member list goes.
    fn list_of(&self, slot: u32, begin: Begin, epoch: Epoch) -> Members {
        match begin {
            // A poll's answer holds a list and the cursor behind it together. Elsewhere a cut may have
            // come between the two, so a cursor alone proves no list.
            Begin::After(at) if self.flagged(slot, flag::POLL) && at.epoch == epoch => Members::Listed(at),
            _ => Members::Unknown,
        }
    }

    fn fall_behind_if_live(&mut self, slot: u32, at: Position) {
        if !self.flagged(slot, flag::CATCHING) {
            self.fall_behind(slot, at);
        }
    }

    /// An `unsubscribe` command.
    pub(super) fn unsubscribe(&mut self, slot: u32, channel: &ChannelName) -> Result<bool, Refusal> {
        if !self.is_subscribed(slot, channel) {
            return Err(Refusal::new(Code::NotSubscribed, "there is no such subscription to drop"));
        }
        self.leave(slot, channel)?;
        self.drop_sub(slot, channel);
        Ok(true)
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

    fn watches(&self, slot: u32, channel: &ChannelName) -> bool {
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
        let Some(client) = self.clients.get_mut(slot) else { return };
        let app = usize::from(client.app);
        let Some(number) = self.views[app].channels.find(channel.as_str()) else { return };
        let is_it = |sub: &Sub| sub.channel == number && sub.lens == PLAIN;
        let Some(at) = client.session.subs.iter().position(is_it) else { return };
        let mut sub = client.session.subs.swap_remove(at);
        let variant = client.variant;
        self.unlist(slot, &sub);
        sub.watch = false;
        if sub.place.is_some() {
            let kind = Listeners::of(slot, variant, false);
            sub.place = Some(self.views[app].channels.list(number, kind, slot));
            self.count_in(app, channel);
        }
        if let Some(start) = &mut sub.start {
            start.members = Members::Ignored;
        }
        if let Some(client) = self.clients.get_mut(slot) {
            client.session.subs.push(sub);
        }
    }

    pub(super) fn recheck_all(&mut self) {
        let slots: Vec<u32> = self.clients.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.recheck(slot);
        }
    }
}

fn is_later(one: &Position, other: &Position, durable: bool, epoch: Epoch) -> bool {
    compare(one, other, durable, epoch) == Ordering::Greater
}

/// Compares two places in the coordinate that counts for a channel. A memory place of another life
/// of the log than the present one lies before all of this life.
pub(super) fn compare(one: &Position, other: &Position, durable: bool, epoch: Epoch) -> Ordering {
    if durable {
        return one.ledger.cmp(&other.ledger);
    }
    let place = |at: &Position| (at.epoch == epoch).then_some(at.seq);
    match (place(one), place(other)) {
        // Two places of former lives have no order; the read tells both that they are over.
        (None, None) if one.epoch != other.epoch => Ordering::Less,
        (one, other) => one.cmp(&other),
    }
}

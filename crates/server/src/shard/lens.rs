//! Log channels as a dialect's clients see them: under another channel's name, and in that dialect's words.
//!
//! A subscription of the dialect is one of the channel of that name, and one through a lens for each log channel
//! behind it. Nothing of this enters the log: a lens is applied when a frame is encoded.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::{Entry, Kind};
use deskbell_core::ids::ChannelName;
use deskbell_core::position::Position;
use deskbell_core::projection::Table;
use deskbell_wire::portico::{Stamp, message as portico};
use deskbell_wire::pusher::encode;

use super::Shard;
use super::channels::Listeners;
use super::cohort::cohort_of;
use super::session::{Start, Sub};

/// No lens: the channel is seen as it is.
pub(super) const PLAIN: u32 = 0;

/// One lens.
#[derive(Debug, Clone)]
pub(super) struct Lens {
    /// The channel that its clients know.
    pub shown: ChannelName,
    /// The log channel behind it.
    pub source: ChannelName,
    /// What is shown of its events.
    pub sight: Sight,
}

/// What a lens shows.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// Events as they are: the two names mean the same.
    Same,
    /// What these rows make of them. The table is the one of the subscription: a reload counts for the next.
    Rows(Arc<Table>, Vec<u16>),
    /// What every page of the AppointEase dialect is told of them, all the same.
    Pages,
    /// What a page of the AppointEase dialect makes of them, each its own.
    Page,
}

/// The lenses of one app on one shard.
#[derive(Debug, Default)]
pub(super) struct Lenses {
    numbers: HashMap<(ChannelName, ChannelName, bool), u32>,
    lenses: Vec<(Lens, u32)>,
    free: Vec<u32>,
}

impl Sight {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Same, Self::Same) | (Self::Pages, Self::Pages) | (Self::Page, Self::Page) => true,
            (Self::Rows(table, rows), Self::Rows(others, theirs)) => {
                Arc::ptr_eq(table, others) && rows == theirs
            }
            _ => false,
        }
    }
}

impl Lens {
    /// The frames of an entry, as its clients see it.
    fn frames(&self, entry: &Entry) -> Vec<Vec<u8>> {
        if entry.kind != Kind::Message {
            return Vec::new();
        }
        let (event, channel) = (&entry.event, self.shown.as_str());
        match &self.sight {
            Sight::Pages | Sight::Page => Vec::new(),
            Sight::Same => vec![encode::shown(event.name.as_str(), channel, &event.data.bytes)],
            Sight::Rows(table, rows) => {
                let told = table.project(rows, event).into_iter();
                told.map(|one| encode::shown(one.name.as_str(), channel, &one.data)).collect()
            }
        }
    }
}

impl Lens {
    /// The same for pages of the Portico dialect.
    fn messages(&self, entry: &Entry, stamp: Stamp<'_>) -> Vec<Vec<u8>> {
        let Sight::Rows(table, rows) = &self.sight else { return Vec::new() };
        if entry.kind != Kind::Message {
            return Vec::new();
        }
        let told = table.project(rows, &entry.event).into_iter();
        let room = self.shown.as_str();
        let shown =
            told.filter_map(|one| portico::projected(one.name.as_str(), room, &one.data, entry, stamp));
        shown.map(String::into_bytes).collect()
    }
}

impl Lenses {
    /// The lens with a number.
    pub fn get(&self, number: u32) -> &Lens {
        &self.lenses[number as usize - 1].0
    }

    /// Does it show each client something else?
    pub fn tells_apart(&self, number: u32) -> bool {
        number != PLAIN && !matches!(self.get(number).sight, Sight::Pages)
    }

    /// Takes a lens into use for one more subscription.
    fn take(&mut self, lens: Lens) -> u32 {
        let key = (lens.shown.clone(), lens.source.clone(), matches!(lens.sight, Sight::Same));
        if let Some(number) = self.numbers.get(&key).copied() {
            let (known, users) = &mut self.lenses[number as usize - 1];
            if known.sight.is(&lens.sight) {
                *users += 1;
                return number;
            }
        }
        let number = match self.free.pop() {
            Some(number) => {
                self.lenses[number as usize - 1] = (lens, 1);
                number
            }
            None => {
                self.lenses.push((lens, 1));
                self.lenses.len() as u32
            }
        };
        self.numbers.insert(key, number);
        number
    }

    /// Gives one subscription's use back.
    pub fn give_back(&mut self, number: u32) {
        if number == PLAIN {
            return;
        }
        let (lens, users) = &mut self.lenses[number as usize - 1];
        *users -= 1;
        if *users == 0 {
            let key = (lens.shown.clone(), lens.source.clone(), matches!(lens.sight, Sight::Same));
            // A later table may have taken its place.
            if self.numbers.get(&key) == Some(&number) {
                self.numbers.remove(&key);
            }
            self.free.push(number);
        }
    }
}

impl Shard {
    /// Adds a subscription of a log channel that is seen through a lens. It begins where its cohort stands.
    pub(super) fn look_through(&mut self, slot: u32, lens: Lens) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let view = &mut self.views[usize::from(client.app)];
        let here = view.cohorts[cohort_of(slot)].at;
        let behind = client.catching.as_ref().is_some_and(|catching| catching.at != here);
        let start = behind.then(|| Box::new(Start { after: Some(here), asked: true, ..Start::default() }));
        let channel = view.channels.take(&lens.source);
        let lens = view.lenses.take(lens);
        let kind = Listeners::of(slot, client.variant, false).through(lens, &view.lenses);
        let place = Some(view.channels.list(channel, kind, slot));
        client.session.subs.push(Sub { channel, lens, watch: false, words: 0, place, start });
    }

    /// What is seen through a channel's lenses begins where the channel itself does.
    pub(super) fn begin_as_shown(&mut self, slot: u32, channel: &ChannelName) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let view = &self.views[usize::from(client.app)];
        let number = view.channels.find(channel.as_str());
        let subs = &mut client.session.subs;
        let itself = subs.iter().find(|sub| sub.lens == PLAIN && Some(sub.channel) == number);
        let Some(start) = itself.map(|sub| sub.start.clone()) else { return };
        for sub in subs.iter_mut() {
            if sub.lens != PLAIN && view.lenses.get(sub.lens).shown == *channel {
                sub.start = start.clone();
            }
        }
    }

    /// Drops every subscription through a lens that fits.
    pub(super) fn drop_lenses(&mut self, slot: u32, fits: impl Fn(&Lens) -> bool) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let app = usize::from(client.app);
        let lenses = &self.views[app].lenses;
        let subs = &mut client.session.subs;
        let dropped: Vec<Sub> =
            subs.extract_if(.., |sub| sub.lens != PLAIN && fits(lenses.get(sub.lens))).collect();
        for sub in dropped {
            self.unlist(slot, &sub);
            self.views[app].channels.give_back(sub.channel);
            self.views[app].lenses.give_back(sub.lens);
        }
    }

    /// The frames of an entry for a client that may look at it through lenses; where only one channel of
    /// the client's is read, those of that channel. Whoever carries a cursor gets it behind the last of them.
    pub(super) fn seen(
        &self,
        slot: u32,
        entry: &Entry,
        only: Option<&ChannelName>,
        cursor: impl FnOnce() -> String,
    ) -> Bytes {
        let Some(client) = self.clients.get(slot) else { return Bytes::new() };
        if let Some(page) = &client.page {
            return self.page_sees(slot, page, entry);
        }
        let app = usize::from(client.app);
        let view = &self.views[app];
        let Some(number) = view.channels.find(entry.event.channel.as_str()) else { return Bytes::new() };
        let terms = client.variant.is_portico().then(|| self.hub.apps[app].portico.load());
        let mut frames: Vec<Vec<u8>> = Vec::new();
        for sub in client.session.subs.iter().filter(|sub| sub.channel == number) {
            if lies_before(sub, entry) || only.is_some_and(|only| *self.known_as(app, sub) != *only) {
                continue;
            }
            if let Some(terms) = &terms {
                let stamp = terms.stamp(entry.event.at);
                match sub.lens {
                    PLAIN => frames.extend(portico::event(entry, stamp).map(String::into_bytes)),
                    lens => frames.extend(view.lenses.get(lens).messages(entry, stamp)),
                }
            } else if sub.lens == PLAIN {
                let at = frames.len();
                encode::event(entry, &mut |frame| frames.insert(at, frame.to_vec()));
            } else {
                frames.extend(view.lenses.get(sub.lens).frames(entry));
            }
        }
        let cursor = (client.variant.carries_cursor() && entry.kind == Kind::Message).then(cursor);
        client.variant.together(&frames, cursor.as_deref())
    }

    /// The name by which a client knows what it subscribed to.
    pub(super) fn known_as(&self, app: usize, sub: &Sub) -> &ChannelName {
        let view = &self.views[app];
        if sub.lens == PLAIN {
            &view.channels.get(sub.channel).name
        } else {
            &view.lenses.get(sub.lens).shown
        }
    }

    /// The names by which a client knows a log channel.
    pub(super) fn names_of(&self, slot: u32, channel: &ChannelName) -> Vec<ChannelName> {
        let Some(client) = self.clients.get(slot) else { return Vec::new() };
        let app = usize::from(client.app);
        let Some(number) = self.views[app].channels.find(channel.as_str()) else {
            return vec![channel.clone()];
        };
        let subs = client.session.subs.iter().filter(|sub| sub.channel == number);
        let mut names: Vec<ChannelName> = Vec::new();
        for name in subs.map(|sub| self.known_as(app, sub)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Does a client look at anything through a lens?
    pub(super) fn has_lenses(&self, slot: u32) -> bool {
        self.clients.get(slot).is_some_and(|client| client.session.subs.iter().any(|sub| sub.lens != PLAIN))
    }
}

/// Was the entry made before the subscription began?
pub(super) fn lies_before(sub: &Sub, entry: &Entry) -> bool {
    let after = sub.start.as_ref().and_then(|start| start.after);
    after.is_some_and(|after| match entry.ledger {
        0 => entry.epoch == after.epoch && entry.seq <= after.seq,
        row => row <= after.ledger,
    })
}

/// The earlier of two beginnings; none is the beginning of the connection.
pub(super) fn earlier(one: Option<Position>, other: Option<Position>) -> Option<Position> {
    let (one, other) = (one?, other?);
    Some(if (one.ledger, one.seq) <= (other.ledger, other.seq) { one } else { other })
}

//! Whoever is behind reads pages of the log until it has reached its cohort.
//!
//! Resume, a late subscription, a slow reader, a shard that fell off the ring and a poll all come
//! here. A client turns live on the shard's own thread, so nothing can fall between.

mod ledger;
mod resets;
mod turn;

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::class::Shape;
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{Bounds, Members, Page, Reset, ResetReason, Want};
use deskbell_core::position::Position;
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;

use super::client::{Catching, Client, LateRead, Whose};
use super::lens::{PLAIN, earlier};
use super::mailbox::{Handle, Letter};
use super::session::{Start, Sub};
use super::subscribe::compare;
use super::{PAGES_PER_TURN, Shard, flag};
use crate::socketio::Shown;
use turn::Turn;

/// One page: one lock of the log, one write.
const PAGE: Bounds = Bounds { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };

impl Shard {
    /// From here on the client reads pages, starting at a position.
    pub(super) fn fall_behind(&mut self, slot: u32, at: Position) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if client.everything {
            // A follower of everything has no list of channels to read back; it is told and leaves.
            self.close(slot, super::depart::code::SLOW, "slow: follow fewer channels or read faster");
            return;
        }
        self.flags[slot as usize] |= flag::CATCHING;
        match &mut client.catching {
            Some(catching) => catching.at = at,
            None => {
                client.catching = Some(Box::new(Catching {
                    at,
                    late: None,
                    asked: false,
                    followed: false,
                    shown: Shown::default(),
                }));
            }
        }
        self.catch.push_back(slot);
    }

    /// Something is to be read from an older place than the connection's.
    pub(super) fn fall_behind_on(&mut self, slot: u32, whose: Whose, at: Position) {
        let Some(client) = self.clients.get(slot) else { return };
        let here = self.cohort(usize::from(client.app), slot).at;
        if client.catching.is_none() {
            self.fall_behind(slot, here);
        }
        if let Some(catching) = self.catching(slot) {
            catching.late = Some(LateRead { whose, at });
        }
    }

    /// Serves pages to whoever is behind, a bounded number in a turn.
    pub(super) fn serve_pages(&mut self) {
        for _ in 0..self.catch.len().min(PAGES_PER_TURN) {
            let Some(slot) = self.catch.pop_front() else { break };
            self.serve(slot);
        }
    }

    fn serve(&mut self, slot: u32) {
        if self.flagged(slot, flag::GONE | flag::BLOCKED) || !self.flagged(slot, flag::CATCHING) {
            return;
        }
        let Some(client) = self.clients.get(slot) else { return };
        let Some(catching) = client.catching.as_ref().filter(|catching| !catching.asked) else { return };
        let app = usize::from(client.app);
        let (turn, at, until) = match &catching.late {
            Some(late) => (Turn::Late(late.clone()), late.at, catching.at),
            None => (Turn::All, catching.at, self.cohort(app, slot).at),
        };
        let wants = self.wants(slot, &turn);
        if self.follow_first(slot, app, &at, &wants) {
            return;
        }
        let hub = self.hub.clone();
        let (page, rosters, head) = hub.apps[app].log.with(|log| {
            let page = log.read(&at, &wants, Some(&until), PAGE);
            // The whole list stands behind the events before it, so the last page brings it.
            let owed = page.rosters.iter().filter(|_| page.complete);
            let list = |c: &ChannelName| (c.clone(), log.presence(c.as_str()).cloned().unwrap_or_default());
            let rosters: Vec<_> = owed.map(list).collect();
            (page, rosters, log.head())
        });
        if !page.older.is_empty() {
            self.ask_ledger(slot, &page, until);
            return;
        }
        for channel in &page.rosters {
            self.note_start(slot, channel, |start| start.members = Members::Unknown);
        }
        if !self.write_page(slot, &turn, &page) {
            return;
        }
        self.write_resets(slot, &turn, &page);
        for (channel, members) in &rosters {
            let cursor = self.cursor(slot);
            self.note_start(slot, channel, |start| start.members = Members::Listed(head));
            self.say(slot, &Notice::Members { channel, members, cursor: &cursor }, &Reference::none());
        }
        self.flush(slot);
        if page.complete && page.resets.is_empty() {
            self.turn_over(slot, &turn);
        } else {
            self.serve_again(slot);
        }
    }

    fn serve_again(&mut self, slot: u32) {
        // Whoever is blocked comes back by itself when its sink has room.
        if !self.flagged(slot, flag::BLOCKED | flag::GONE) {
            self.catch.push_back(slot);
        }
    }

    /// What a client wants to read, with each subscription's own start.
    fn wants(&self, slot: u32, turn: &Turn) -> Vec<Want> {
        let mut wants: Vec<Want> = Vec::new();
        let has_lenses = self.has_lenses(slot);
        let Some(client) = self.clients.get(slot) else { return wants };
        let app = usize::from(client.app);
        for sub in &client.session.subs {
            let channel = self.views[app].channels.get(sub.channel).name.clone();
            let start = sub.start.as_deref().cloned().unwrap_or_default();
            if has_lenses
                && self.is_read(app, turn, sub)
                && let Some(known) = wants.iter_mut().find(|want| want.channel == channel)
            {
                // It is read once, from the earlier beginning; what the other must not see is left out later.
                known.after = earlier(known.after, start.after);
                continue;
            }
            match turn {
                Turn::All => wants.push(Want { channel, after: start.after, members: start.members }),
                // What is late starts at its own older place; presence stays with the connection.
                Turn::Late(late) if self.is_of(app, late, sub) => {
                    let after = start.after.filter(|_| has_lenses || late.whose == Whose::Latest);
                    wants.push(Want { after, ..Want::plain(channel) });
                }
                Turn::Late(_) => {}
            }
        }
        wants
    }

    fn is_read(&self, app: usize, turn: &Turn, sub: &Sub) -> bool {
        match turn {
            Turn::All => true,
            Turn::Late(late) => self.is_of(app, late, sub),
        }
    }

    /// What is seen through lenses is late together with the channel that shows it.
    fn is_of(&self, app: usize, late: &LateRead, sub: &Sub) -> bool {
        match &late.whose {
            Whose::Channel(channel) => channel == self.known_as(app, sub),
            Whose::Latest => {
                let name = &self.views[app].channels.get(sub.channel).name;
                self.hub.apps[app].log.with(|log| log.class(name.as_str()).shape) == Shape::Latest
            }
        }
    }

    /// What is read by this turn has come so far.
    fn stand_at(&mut self, slot: u32, turn: &Turn, at: Position) {
        let Some(catching) = self.catching(slot) else { return };
        match (turn, &mut catching.late) {
            (Turn::Late(_), Some(late)) => late.at = at,
            (Turn::Late(_), None) => {}
            (Turn::All, _) => catching.at = at,
        }
    }

    /// Everything wanted by this turn was served.
    fn turn_over(&mut self, slot: u32, turn: &Turn) {
        if let Turn::Late(_) = turn {
            if let Some(catching) = self.catching(slot) {
                catching.late = None;
            }
            self.catch.push_back(slot);
            // Its frames have waited for this.
            self.ready.push_back(slot);
            return;
        }
        let Some(client) = self.clients.get(slot) else { return };
        let app = usize::from(client.app);
        if self.is_ahead(app, slot, client) {
            self.cohort_mut(app, slot).ahead.push(slot);
            return;
        }
        if client.catching.as_ref().is_some_and(|catching| catching.shown.had.is_owed()) {
            // It was told a part of something that is not for it any more.
            self.begin_anew(slot);
            return;
        }
        self.go_live(slot);
    }

    /// Stands the client, or one of its subscriptions, where its cohort has not come yet?
    fn is_ahead(&self, app: usize, slot: u32, client: &Client) -> bool {
        let here = self.cohort(app, slot).at;
        let Some(catching) = client.catching.as_ref() else { return false };
        let later = |sub: &Sub| {
            let Some(start) = sub.start.as_deref() else { return false };
            let name = self.views[app].channels.get(sub.channel).name.as_str();
            let durable = || self.hub.apps[app].log.with(|log| log.class(name).durable);
            start
                .after
                .is_some_and(|start| compare(&start, &here, durable(), here.epoch) == Ordering::Greater)
                || matches!(start.members, Members::Listed(list) if list.epoch == here.epoch && list.seq > here.seq)
        };
        let stood = catching.at.ledger.max(catching.shown.had.ledger());
        !here.covers(&Position { ledger: stood, ..catching.at }) || client.session.subs.iter().any(later)
    }

    fn go_live(&mut self, slot: u32) {
        self.flags[slot as usize] &= !flag::CATCHING;
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.catching = None;
        for sub in &mut client.session.subs {
            // Live entries are all later than these starts, and deltas go on from the list.
            sub.start = sub.start.take().filter(|start| start.members != Members::Ignored);
            if let Some(start) = &mut sub.start {
                start.after = None;
            }
        }
        if self.flagged(slot, flag::POLL) {
            self.poll_is_live(slot);
        }
        self.say_what_waited(slot);
        self.tell_page_what_is(slot);
    }

    /// Writes a page's entries, each with the cursor that is right for this reader. Says whether it may go on.
    fn write_page(&mut self, slot: u32, turn: &Turn, page: &Page) -> bool {
        let Some(catching) = self.catching(slot) else { return false };
        let (connection, mut shown) = (catching.at, std::mem::take(&mut catching.shown));
        // What is late was not had, though it lies before what was.
        let had = turn.late().map(|_| std::mem::take(&mut shown.had));
        let Some(client) = self.clients.get(slot) else { return false };
        let (variant, hub) = (client.variant, self.hub.clone());
        let app = &hub.apps[usize::from(client.app)];
        let mut at = turn.late().map_or(connection, |late| late.at);
        let has_lenses = self.has_lenses(slot);
        let mut out = Vec::with_capacity(4_096);
        let mut frames = 0;
        for (place, entry) in page.entries.iter().enumerate() {
            let before = at;
            at.advance(&entry.after);
            if entry.except.is_some_and(|id| client.session.public.contains(id)) {
                continue;
            }
            let last = page.complete && place + 1 == page.entries.len();
            let stands = match turn {
                Turn::Late(_) if last => connection.into(),
                _ => turn.cursor(connection, at),
            };
            let manner = self.words_of(slot, &entry.event.channel).and_then(|words| app.words.manner(words));
            let frame = match turn {
                _ if let Some(manner) = manner => {
                    let before = turn.cursor(connection, before);
                    let within = |part| app.seal(before.within(part));
                    let Ok(frames) = manner.rest(entry, &mut shown, &app.seal(stands), within) else {
                        self.begin_anew(slot);
                        return false;
                    };
                    frames
                }
                _ if variant.is_portico() && !has_lenses => variant.shown(entry, &app.portico.load()),
                _ if has_lenses => self.seen(slot, entry, turn.only(), || app.seal(stands)),
                Turn::All if at == entry.after => variant.event(entry, &app.cursors),
                _ => variant.event_with(entry, &app.seal(stands)),
            };
            out.extend_from_slice(&frame);
            frames += 1;
        }
        hub.metrics.deliveries.inc_by(frames);
        hub.metrics.caught_up.inc_by(frames);
        self.flush(slot);
        if self.flagged(slot, flag::POLL) && !out.is_empty() {
            self.polls.push(slot);
        }
        shown.had = had.unwrap_or(shown.had);
        if let Some(catching) = self.catching(slot) {
            catching.shown = shown;
        }
        self.send(slot, Bytes::from(out));
        true
    }

    /// Another server of the same ledger may have told a client of rows that this one's log takes in a moment
    /// later. It is looked for them once.
    fn follow_first(&mut self, slot: u32, app: usize, at: &Position, wants: &[Want]) -> bool {
        if !self.hub.store.is_shared() {
            return false;
        }
        let head = self.hub.apps[app].log.with(|log| log.head()).ledger;
        let starts = wants.iter().filter_map(|want| want.after.as_ref()).chain([at]);
        let stood = self.catching(slot).map_or(0, |catching| catching.shown.had.ledger());
        if starts.map(|start| start.ledger).chain([stood]).max() <= Some(head) {
            return false;
        }
        let (handle, mailbox) = (self.handle(slot), self.mailbox.clone());
        let Some(catching) = self.catching(slot).filter(|catching| !catching.followed) else { return false };
        (catching.asked, catching.followed) = (true, true);
        self.hub.store.follow(Box::new(move |_| mailbox.answer(Letter::Followed { client: handle })));
        true
    }

    /// The log has what the ledger has.
    pub(super) fn followed(&mut self, handle: Handle) {
        if self.is_here(handle)
            && let Some(catching) = self.catching(handle.slot)
        {
            catching.asked = false;
            self.ready.push_back(handle.slot);
            self.serve_again(handle.slot);
        }
    }

    /// The cursor of a frame that is no event: where the connection stands now.
    pub(super) fn cursor(&self, slot: u32) -> Arc<str> {
        let Some(client) = self.clients.get(slot) else { return Arc::from("") };
        let app = usize::from(client.app);
        match &client.catching {
            None => self.cohort(app, slot).cursor(&self.hub.apps[app].cursors),
            Some(catching) => self.hub.apps[app].seal(catching.cursor()).into(),
        }
    }

    fn catching(&mut self, slot: u32) -> Option<&mut Catching> {
        self.clients.get_mut(slot)?.catching.as_deref_mut()
    }

    /// Changes where a subscription starts.
    pub(super) fn note_start(&mut self, slot: u32, channel: &ChannelName, change: impl Fn(&mut Start)) {
        self.note_starts(slot, channel, |sub| sub.lens == PLAIN, change);
    }

    fn note_starts(
        &mut self,
        slot: u32,
        channel: &ChannelName,
        whose: impl Fn(&Sub) -> bool,
        change: impl Fn(&mut Start),
    ) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(number) = self.views[usize::from(client.app)].channels.find(channel.as_str()) else {
            return;
        };
        for sub in client.session.subs.iter_mut().filter(|sub| sub.channel == number && whose(sub)) {
            change(sub.start.get_or_insert_default());
        }
    }

    /// Would these channels be complete after a position?
    pub(super) fn dry_read(&self, app: usize, at: &Position, wants: &[Want]) -> Vec<Reset> {
        let nothing = Bounds { events: 0, bytes: 0 };
        let mut resets = self.hub.apps[app].log.with(|log| log.read(at, wants, None, nothing).resets);
        if self.hub.store.is_shared() {
            // The log may be the one that is behind.
            resets.retain(|reset| reset.reason != ResetReason::Ahead);
        }
        resets
    }
}

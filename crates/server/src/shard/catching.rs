//! Whoever is behind reads pages of the log until it has reached its shard.
//!
//! Resume, a late subscription, a slow reader, a shard that fell off the ring and a poll all come
//! here. A client turns live on the shard's own thread, so nothing can fall between.

use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::class::Shape;
use deskbell_core::cursor::{Cursor, Late};
use deskbell_core::ids::ChannelName;
use deskbell_core::limits;
use deskbell_core::log::{Bounds, Page, Reset, ResetReason, Want};
use deskbell_core::position::Position;
use deskbell_core::refusal::Refusal;
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::Reference;

use super::client::{Catching, LateChannel};
use super::mailbox::{Handle, Letter};
use super::session::Start;
use super::{PAGES_PER_TURN, Shard, flag};
use crate::store::{LedgerPage, LedgerRead, LedgerWant};

/// One page: one lock of the log, one write.
const PAGE: Bounds = Bounds { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };

/// What a page is read for.
#[derive(Debug, Clone, PartialEq)]
enum Turn {
    /// All subscriptions, from the connection's position.
    All,
    /// One channel that is behind the connection.
    Late(ChannelName, Position),
}

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
            None => client.catching = Some(Box::new(Catching { at, late: Vec::new(), asked: false })),
        }
        self.catch.push_back(slot);
    }

    /// One channel is to be read from an older place than the connection's.
    pub(super) fn fall_behind_on(&mut self, slot: u32, channel: ChannelName, at: Position) {
        let Some(client) = self.clients.get(slot) else { return };
        let here = self.views[usize::from(client.app)].at;
        if client.catching.is_none() {
            self.fall_behind(slot, here);
        }
        let Some(catching) = self.clients.get_mut(slot).and_then(|c| c.catching.as_mut()) else { return };
        catching.late.retain(|late| late.channel != channel);
        catching.late.push(LateChannel { channel, at });
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
        let (turn, at, until) = match catching.late.first() {
            Some(late) => (Turn::Late(late.channel.clone(), late.at), late.at, catching.at),
            None => (Turn::All, catching.at, self.views[app].at),
        };
        let wants = self.wants(slot, &turn);
        let hub = self.hub.clone();
        let (page, rosters, head) = hub.apps[app].log.with(|log| {
            let page = log.read(&at, &wants, Some(&until), PAGE);
            let rosters: Vec<_> = page
                .rosters
                .iter()
                .map(|c| (c.clone(), log.presence(c.as_str()).cloned().unwrap_or_default()))
                .collect();
            (page, rosters, log.head())
        });
        if !page.older.is_empty() {
            self.ask_ledger(slot, &page, until);
            return;
        }
        for (channel, members) in &rosters {
            let cursor = self.cursor(slot);
            self.note_start(slot, channel, |start| start.presence_after = Some(head.seq));
            self.say(slot, &Notice::Members { channel, members, cursor: &cursor }, &Reference::none());
        }
        self.take_page(slot, turn, page);
    }

    /// What a client wants to read, with each subscription's own start.
    pub(super) fn wants(&self, slot: u32, turn_for: &impl WantsOf) -> Vec<Want> {
        let Some(client) = self.clients.get(slot) else { return Vec::new() };
        let channels = &self.views[usize::from(client.app)].channels;
        let want = |sub: &super::session::Sub| {
            let start = sub.start.as_deref();
            Want {
                channel: channels.get(sub.channel).name.clone(),
                after: start.and_then(|start| start.after),
                presence_after: start.and_then(|start| start.presence_after),
            }
        };
        client.session.subs.iter().map(want).filter_map(|want| turn_for.of(want)).collect()
    }

    /// Resets, or entries, and the place after them.
    fn take_page(&mut self, slot: u32, turn: Turn, page: Page) {
        self.write_page(slot, &turn, &page);
        self.write_resets(slot, &turn, &page);
        self.flush(slot);
        if page.complete && page.resets.is_empty() {
            self.turn_over(slot, &turn);
        } else if !self.flagged(slot, flag::BLOCKED | flag::GONE) {
            self.catch.push_back(slot);
        }
    }

    /// Tells the resets of a page. Only the last one carries the new place: a reader that is cut
    /// between two of them must hear all of them again.
    fn write_resets(&mut self, slot: u32, turn: &Turn, page: &Page) {
        let before = self.cursor(slot);
        if let Some(catching) = self.catching(slot) {
            match turn {
                Turn::All => catching.at = page.at,
                Turn::Late(..) => catching.late.iter_mut().take(1).for_each(|late| late.at = page.at),
            }
        }
        for (place, reset) in page.resets.iter().enumerate() {
            self.note_start(slot, &reset.channel, |start| start.after = Some(reset.after));
            if let (Turn::Late(..), Some(catching)) = (turn, self.catching(slot)) {
                catching.late.iter_mut().take(1).for_each(|late| late.at = reset.after);
            }
            let last = place + 1 == page.resets.len();
            let cursor = if last { self.cursor(slot) } else { before.clone() };
            self.say_reset(slot, &reset.channel, reset.reason, &cursor);
        }
    }

    /// Tells a client to load a channel's state anew, at its own moment within the next seconds.
    pub(super) fn say_reset(&mut self, slot: u32, channel: &ChannelName, reason: ResetReason, cursor: &str) {
        self.hub.metrics.reset(reason);
        let reload_in_ms = Some(crate::clock::random_below(limits::RELOAD_SPREAD));
        self.say(
            slot,
            &Notice::Reset { channel: Some(channel), reason, reload_in_ms, cursor },
            &Reference::none(),
        );
    }

    /// Everything wanted by this turn was served.
    fn turn_over(&mut self, slot: u32, turn: &Turn) {
        let Some(client) = self.clients.get(slot) else { return };
        let app = usize::from(client.app);
        if let Turn::Late(..) = turn {
            if let Some(catching) = self.catching(slot).filter(|c| !c.late.is_empty()) {
                catching.late.remove(0);
            }
            self.catch.push_back(slot);
            return;
        }
        let here = self.views[app].at;
        let Some(catching) = client.catching.as_ref() else { return };
        let starts = client.session.subs.iter().filter_map(|sub| sub.start.as_ref()?.after);
        let ahead = !here.covers(&catching.at) || starts.into_iter().any(|start| !here.covers(&start));
        if ahead {
            self.views[app].ahead.push(slot);
            return;
        }
        self.go_live(slot);
    }

    fn go_live(&mut self, slot: u32) {
        self.flags[slot as usize] &= !flag::CATCHING;
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.catching = None;
        for sub in &mut client.session.subs {
            // Live entries are all later than these starts, and deltas go on from the list.
            sub.start = sub.start.take().filter(|start| start.presence_after.is_some());
            if let Some(start) = &mut sub.start {
                start.after = None;
            }
        }
    }

    /// Writes a page's entries, each with the cursor that is right for this reader.
    fn write_page(&mut self, slot: u32, turn: &Turn, page: &Page) {
        let Some(client) = self.clients.get(slot) else { return };
        let (variant, hub) = (client.variant, self.hub.clone());
        let app = &hub.apps[usize::from(client.app)];
        let Some(connection) = client.catching.as_ref().map(|catching| catching.at) else { return };
        let mut at = match turn {
            Turn::All => connection,
            Turn::Late(_, at) => *at,
        };
        let mut out = Vec::with_capacity(4_096);
        let mut frames = 0;
        for (place, entry) in page.entries.iter().enumerate() {
            at.advance(&entry.after);
            if entry.except.is_some_and(|id| client.session.public.contains(id)) {
                continue;
            }
            let last = page.complete && place + 1 == page.entries.len();
            let frame = match turn {
                Turn::All if at == entry.after => variant.event(entry, &app.cursors),
                Turn::All => variant.event_with(entry, &app.seal(at)),
                Turn::Late(..) if last => variant.event_with(entry, &app.seal(connection)),
                Turn::Late(channel, _) => {
                    let late = Some(Late::new(channel, at));
                    variant.event_with(entry, &app.seal(Cursor { at: connection, late }))
                }
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
        self.send(slot, Bytes::from(out));
    }

    /// The ledger has what memory no longer has: its page comes back as a letter.
    fn ask_ledger(&mut self, slot: u32, page: &Page, until: Position) {
        let handle = self.handle(slot);
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(catching) = client.catching.as_mut() else { return };
        catching.asked = true;
        let at = catching.late.first().map_or(catching.at, |late| late.at);
        let app = &self.hub.apps[usize::from(client.app)];
        let wants = page.older.iter().map(|(channel, after)| {
            let class = app.log.with(|log| log.class(channel.as_str()));
            LedgerWant { channel: channel.clone(), after: *after, latest: class.shape == Shape::Latest }
        });
        let read = LedgerRead { app: app.id, at, wants: wants.collect(), until: until.ledger, bounds: PAGE };
        let mailbox = self.mailbox.clone();
        self.hub
            .store
            .read(read, Box::new(move |page| mailbox.answer(Letter::Page { client: handle, page })));
    }

    /// The ledger's page is here.
    pub(super) fn ledger_page(&mut self, handle: Handle, page: Result<LedgerPage, Refusal>) {
        if !self.is_here(handle) {
            return;
        }
        let slot = handle.slot;
        let Some(catching) = self.catching(slot) else { return };
        catching.asked = false;
        let (turn, mut at) = match catching.late.first() {
            Some(late) => (Turn::Late(late.channel.clone(), late.at), late.at),
            None => (Turn::All, catching.at),
        };
        let page = match page {
            Ok(page) => page,
            Err(refusal) => {
                tracing::error!(%refusal, "the data file could not be read");
                let why = "unavailable: the data file could not be read; come back later";
                self.close(slot, super::depart::code::TRY_AGAIN, why);
                return;
            }
        };
        for entry in &page.entries {
            at.advance(&entry.after);
        }
        if page.at_ledger > at.ledger {
            (at.ledger, at.ledger_check) = (page.at_ledger, 0);
        }
        let after = self.clients.get(slot).map_or(at, |client| self.views[usize::from(client.app)].at);
        let resets = page.resets.into_iter().map(|(channel, reason)| Reset { channel, reason, after });
        // The rest, memory's part among it, is read by the next page, so this one is never complete.
        let page = Page {
            entries: page.entries,
            resets: resets.collect(),
            rosters: Vec::new(),
            older: Vec::new(),
            at,
            complete: false,
        };
        self.take_page(slot, turn, page);
    }

    /// The cursor of a frame that is no event: where the connection stands now.
    pub(super) fn cursor(&self, slot: u32) -> Arc<str> {
        let Some(client) = self.clients.get(slot) else { return Arc::from("") };
        let app = usize::from(client.app);
        let Some(catching) = &client.catching else { return self.live_cursor(app) };
        let late = catching.late.first().map(|late| Late::new(&late.channel, late.at));
        self.hub.apps[app].seal(Cursor { at: catching.at, late }).into()
    }

    /// The cursor of everybody who is live.
    fn live_cursor(&self, app: usize) -> Arc<str> {
        let view = &self.views[app];
        let mut sealed = view.sealed.borrow_mut();
        if sealed.0 != view.at {
            *sealed = (view.at, self.hub.apps[app].seal(view.at).into());
        }
        sealed.1.clone()
    }

    fn catching(&mut self, slot: u32) -> Option<&mut Catching> {
        self.clients.get_mut(slot)?.catching.as_deref_mut()
    }

    /// Changes where a subscription starts.
    pub(super) fn note_start(&mut self, slot: u32, channel: &ChannelName, change: impl FnOnce(&mut Start)) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Some(number) = self.views[usize::from(client.app)].channels.find(channel.as_str()) else {
            return;
        };
        if let Some(sub) = client.session.subs.iter_mut().find(|sub| sub.channel == number) {
            change(sub.start.get_or_insert_default());
        }
    }

    /// Would these channels be complete after a position?
    pub(super) fn dry_read(&self, app: usize, at: &Position, wants: &[Want]) -> Vec<Reset> {
        let nothing = Bounds { events: 0, bytes: 0 };
        self.hub.apps[app].log.with(|log| log.read(at, wants, None, nothing).resets)
    }
}

/// Which of a client's subscriptions a read is for.
pub(super) trait WantsOf {
    /// The want as this read takes it, if it is one of its.
    fn of(&self, want: Want) -> Option<Want>;
}

impl WantsOf for Turn {
    fn of(&self, want: Want) -> Option<Want> {
        match self {
            Self::All => Some(want),
            // A late channel starts at its own older place; presence stays with the connection.
            Self::Late(channel, _) => (want.channel == *channel).then(|| Want::plain(want.channel)),
        }
    }
}

//! New entries of a log go out, cohort by cohort: each channel's frames joined, one write for each
//! client.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use deskbell_core::event::SharedEntry;
use deskbell_core::limits;
use deskbell_core::log::{Log, Pull};
use deskbell_core::position::Position;

use super::chunk::{Chunk, Dirty, pull};
use super::cohort::cohort_of;
use super::frames::{Variant, place as place_of, token};
use super::{Shard, flag};
use crate::socketio::Heard;

impl Shard {
    /// Takes what is new in an app's log and hands it out.
    pub(super) fn deliver(&mut self, app: usize) {
        for cohort in 0..self.views[app].cohorts.len() {
            self.deliver_to(app, cohort);
        }
    }

    /// Hands one cohort what the log has by now.
    pub(super) fn deliver_to(&mut self, app: usize, cohort: usize) {
        if self.hub.apps[app].log.end() != self.views[app].cohorts[cohort].next {
            self.take_in(app, cohort, |_| ());
        }
    }

    /// Brings a cohort to the log's end, and looks at the log in that very moment: what was seen then and
    /// what the cohort is handed from there on fit together without a gap.
    pub(super) fn level<R>(&mut self, app: usize, cohort: usize, look: impl Fn(&Log) -> R) -> R {
        loop {
            // Each round takes in thousands of entries, so only a log that grows faster than that goes on.
            if let Some(seen) = self.take_in(app, cohort, &look) {
                return seen;
            }
        }
    }

    /// Hands out a bounded number of entries. Where that brings the cohort to the end, what was seen there.
    fn take_in<R>(&mut self, app: usize, cohort: usize, look: impl Fn(&Log) -> R) -> Option<R> {
        let hub = self.hub.clone();
        let next = self.views[app].cohorts[cohort].next;
        let mut entries = std::mem::take(&mut self.entries);
        let (pull, end, seen) = hub.apps[app].log.with(|log| {
            let (pull, end) = (pull(log, next, limits::PULL, &mut entries), log.ring_end());
            let is_level = match pull {
                Pull::FellOff => true,
                Pull::Next(place) => place == end.0,
            };
            (pull, end, is_level.then(|| look(log)))
        });
        match pull {
            Pull::FellOff => self.fall_off(app, cohort, end),
            Pull::Next(place) => {
                self.views[app].cohorts[cohort].next = place;
                self.end_memberships(app, cohort, &entries);
                self.let_in_whom_they_name(app, cohort, &entries);
                self.hand_out_all(app, cohort, &entries);
                // What moved the head without an entry (a ledger row that says nothing) counts too.
                if place == end.0 {
                    self.views[app].cohorts[cohort].at.advance(&end.1);
                }
            }
        }
        entries.clear();
        self.entries = entries;
        let waiting = std::mem::take(&mut self.views[app].cohorts[cohort].ahead);
        self.catch.extend(waiting);
        seen
    }

    /// The ring has gone on without this cohort: everybody in it reads from history.
    fn fall_off(&mut self, app: usize, cohort: usize, (next, head): (u64, Position)) {
        let before = self.views[app].cohorts[cohort].at;
        let live: Vec<u32> = self
            .clients
            .iter()
            .filter(|(slot, client)| {
                usize::from(client.app) == app
                    && cohort_of(*slot) == cohort
                    && !self.flagged(*slot, flag::CATCHING | flag::GONE)
            })
            .map(|(slot, _)| slot)
            .collect();
        self.hub.metrics.shard_fell_off.inc();
        for slot in live {
            self.fall_behind(slot, before);
        }
        self.recheck_conversations(app, cohort);
        let cohort = &mut self.views[app].cohorts[cohort];
        (cohort.next, cohort.at) = (next, head);
    }

    fn hand_out_all(&mut self, app: usize, cohort: usize, entries: &[SharedEntry]) {
        let mut rest = entries;
        while !rest.is_empty() {
            let chunk = self.gather(app, cohort, rest);
            let (now, later) = rest.split_at(chunk.bits.len());
            let before = self.views[app].cohorts[cohort].at;
            if let [only] = chunk.dirty[..]
                && chunk.excluded.is_empty()
                && !only.lensed
            {
                self.hand_out_one(app, only, now, &chunk, &before);
            } else if !chunk.dirty.is_empty() {
                self.hand_out_joined(app, now, &chunk, &before);
            }
            self.hand_out_everything(app, now, &chunk, &before);
            self.measure(now, &chunk);
            if let Some(last) = now.last() {
                self.views[app].cohorts[cohort].at.advance(&last.after);
            }
            rest = later;
        }
    }

    /// One channel: a plain loop over its listeners.
    fn hand_out_one(
        &mut self,
        app: usize,
        dirty: Dirty,
        entries: &[SharedEntry],
        chunk: &Chunk,
        before: &Position,
    ) {
        // The lists are put back below; nothing changes them meanwhile, because whoever fails in
        // the loop is only marked and leaves at the end of the turn.
        let lists = std::mem::take(&mut self.views[app].channels.get_mut(dirty.number).lists);
        let mut delivered = 0;
        for (kind, list) in lists.iter().filter(|(kind, _)| chunk.is_for(dirty, *kind)) {
            let joined = self.join(app, kind.variant, entries, |place| chunk.bits[place] != 0);
            for slot in list {
                self.hand(*slot, &joined, before);
            }
            delivered += list.len() * chunk.bits.iter().filter(|bits| **bits != 0).count();
        }
        self.views[app].channels.get_mut(dirty.number).lists = lists;
        self.hub.metrics.deliveries.inc_by(delivered as u64);
    }

    /// Several channels: a first pass notes who listens to which, a second writes to each once.
    fn hand_out_joined(&mut self, app: usize, entries: &[SharedEntry], chunk: &Chunk, before: &Position) {
        let mut touched: Vec<(u32, Variant)> = Vec::new();
        let mut told: Vec<(u32, u8, u16)> = Vec::new();
        for (bit, dirty) in chunk.dirty.iter().enumerate() {
            let lists = &self.views[app].channels.get(dirty.number).lists;
            for (kind, list) in lists.iter().filter(|(kind, _)| chunk.is_for(*dirty, *kind)) {
                if let Variant::SocketIo(words) = kind.variant {
                    told.extend(list.iter().map(|slot| (*slot, bit as u8, words)));
                    continue;
                }
                for slot in list {
                    let mask = &mut self.masks[*slot as usize];
                    if *mask == 0 {
                        touched.push((*slot, kind.variant));
                    }
                    *mask |= 1 << bit;
                }
            }
        }
        let mut delivered = 0;
        let mut joins: HashMap<(Variant, u64), (Bytes, usize)> = HashMap::new();
        for (slot, variant) in touched {
            let mask = std::mem::take(&mut self.masks[slot as usize]);
            let wanted = |place: usize| chunk.bits[place] & mask != 0;
            if mask & chunk.lensed != 0 {
                let joined = self.join_seen(app, slot, entries, chunk, mask);
                self.hand(slot, &joined, before);
                continue;
            }
            if chunk.excluded.iter().any(|(excluded, _)| *excluded == slot) {
                let kept = |place: usize| wanted(place) && !chunk.excluded.contains(&(slot, place));
                let joined = self.join(app, variant, entries, kept);
                if !joined.is_empty() {
                    self.hand(slot, &joined, before);
                }
                continue;
            }
            let (joined, frames) = joins.entry((variant, mask)).or_insert_with(|| {
                let frames = (0..entries.len()).filter(|place| wanted(*place)).count();
                (self.join(app, variant, entries, wanted), frames)
            });
            delivered += *frames;
            self.hand(slot, joined, before);
        }
        self.hub.metrics.deliveries.inc_by(delivered as u64);
        if !told.is_empty() {
            self.hand_out_told(app, entries, chunk, before, told);
        }
    }

    /// Whoever follows every channel.
    fn hand_out_everything(&mut self, app: usize, entries: &[SharedEntry], chunk: &Chunk, before: &Position) {
        for place in 0..self.views[app].cohorts[chunk.cohort].everything.len() {
            let slot = self.views[app].cohorts[chunk.cohort].everything[place];
            let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { continue };
            let joined = self.join(app, variant, entries, |_| true);
            self.hand(slot, &joined, before);
        }
    }

    /// The same for clients of the Socket.IO dialect: a client hears each channel in its own words, and of one
    /// change that several channels tell, what is the same once.
    fn hand_out_told(
        &mut self,
        app: usize,
        entries: &[SharedEntry],
        chunk: &Chunk,
        before: &Position,
        mut told: Vec<(u32, u8, u16)>,
    ) {
        told.sort_unstable();
        let mut delivered = 0;
        let mut joins: HashMap<Vec<(u8, u16)>, (Bytes, usize)> = HashMap::new();
        for group in told.chunk_by(|one, other| one.0 == other.0) {
            let slot = group[0].0;
            let words: Vec<(u8, u16)> = group.iter().map(|(_, bit, words)| (*bit, *words)).collect();
            let excluded = chunk.excluded.iter().any(|(excluded, _)| *excluded == slot);
            if excluded {
                let kept = |place: usize| !chunk.excluded.contains(&(slot, place));
                let (joined, frames) = self.retell(app, entries, chunk, &words, kept);
                delivered += frames;
                self.hand(slot, &joined, before);
                continue;
            }
            if !joins.contains_key(&words) {
                let joined = self.retell(app, entries, chunk, &words, |_| true);
                joins.insert(words.clone(), joined);
            }
            let Some((joined, frames)) = joins.get(&words) else { continue };
            delivered += *frames;
            let joined = joined.clone();
            self.hand(slot, &joined, before);
        }
        self.hub.metrics.deliveries.inc_by(delivered as u64);
    }

    /// The frames of entries in the words of each one's channel, in log order, and of how many entries they are.
    fn retell(
        &self,
        app: usize,
        entries: &[SharedEntry],
        chunk: &Chunk,
        words: &[(u8, u16)],
        kept: impl Fn(usize) -> bool,
    ) -> (Bytes, usize) {
        let app = &self.hub.apps[app];
        let manners: Vec<_> =
            words.iter().filter_map(|(bit, words)| Some((*bit, *words, app.words.manner(*words)?))).collect();
        let retells = manners.iter().filter(|(_, _, manner)| manner.retells()).count() > 1;
        let (mut joined, mut frames, mut heard) = (BytesMut::new(), 0, Heard::default());
        for (place, entry) in entries.iter().enumerate().filter(|(place, _)| kept(*place)) {
            let of_entry = |own: u8| chunk.bits[place] & 1 << own != 0;
            let Some((_, words, manner)) = manners.iter().find(|(own, _, _)| of_entry(*own)) else {
                continue;
            };
            let frame = if retells && manner.retells() {
                Variant::retold(entry, manner, &app.cursors, &mut heard)
            } else {
                Variant::SocketIo(*words).told(entry, manner, &app.cursors)
            };
            joined.extend_from_slice(&frame);
            frames += usize::from(!frame.is_empty());
        }
        (joined.freeze(), frames)
    }

    /// The frames of the wanted entries, in log order.
    fn join(
        &self,
        app: usize,
        variant: Variant,
        entries: &[SharedEntry],
        wanted: impl Fn(usize) -> bool,
    ) -> Bytes {
        let app = &self.hub.apps[app];
        let key = &app.cursors;
        let manner = match variant {
            Variant::SocketIo(words) => app.words.manner(words),
            _ => None,
        };
        let terms = variant.is_portico().then(|| app.portico.load());
        let encoded = |entry: &SharedEntry| match (&manner, &terms) {
            (Some(manner), _) => variant.told(entry, manner, key),
            (_, Some(terms)) => variant.shown(entry, terms),
            (None, None) => variant.event(entry, key),
        };
        let mut frames =
            entries.iter().enumerate().filter(|(place, _)| wanted(*place)).map(|(_, entry)| entry);
        let Some(first) = frames.next().map(encoded) else { return Bytes::new() };
        let Some(second) = frames.next() else { return first };
        let mut joined = BytesMut::from(&first[..]);
        joined.extend_from_slice(&encoded(second));
        for entry in frames {
            joined.extend_from_slice(&encoded(entry));
        }
        joined.freeze()
    }

    /// The frames of a client that looks through lenses.
    fn join_seen(&self, app: usize, slot: u32, entries: &[SharedEntry], chunk: &Chunk, mask: u64) -> Bytes {
        let Some(variant) = self.clients.get(slot).map(|client| client.variant) else { return Bytes::new() };
        let key = &self.hub.apps[app].cursors;
        let mut joined = BytesMut::new();
        for (place, entry) in entries.iter().enumerate() {
            let wanted = chunk.bits[place] & mask != 0 && !chunk.excluded.contains(&(slot, place));
            if wanted && entry.kind.is_presence() {
                joined.extend_from_slice(&variant.event(entry, key));
            } else if wanted {
                joined.extend_from_slice(
                    &self.seen(slot, entry, None, || place_of(&token(entry, key)).to_owned()),
                );
            }
        }
        joined.freeze()
    }

    /// How long it took to come here, for each event that somebody in the cohort has heard.
    fn measure(&self, entries: &[SharedEntry], chunk: &Chunk) {
        let now = crate::clock::now_ms();
        for (entry, _) in entries.iter().zip(&chunk.bits).filter(|(_, bits)| **bits != 0) {
            let seconds = now.saturating_sub(entry.event.at) as f64 / 1_000.0;
            self.hub.metrics.publish_to_delivered.observe(seconds);
        }
    }
}

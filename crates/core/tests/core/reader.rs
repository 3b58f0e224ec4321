//! A reader of the world, and the oracle that watches what it is given.

use std::collections::{BTreeMap, BTreeSet};

use deskbell_core::class::Shape;
use deskbell_core::event::{Entry, Kind};
use deskbell_core::log::{Bounds, Log, Members, Page, Pull, ResetReason, Want};
use deskbell_core::position::{Position, ledger};
use deskbell_core::presence::Presence;

use crate::followed::Followed;
use crate::world::{CHANNELS, Mark, World, class_of, name};

pub struct Reader {
    mark: Mark,
    followed: Vec<Followed>,
    /// The place in the ring, once it has caught up.
    live: Option<u64>,
    /// It catches up with a connection that stands here, and ends there.
    until: Option<Position>,
}

impl Reader {
    /// Comes back with a position. Each wanted channel may have a start of its own.
    pub fn new(world: &World, mark: Mark, wants: Vec<(usize, Option<Mark>, bool)>) -> Self {
        let mut reader = Self { mark, followed: Vec::new(), live: None, until: None };
        for (channel, after, presence) in wants {
            let members = if presence { Members::Unknown } else { Members::Ignored };
            let mut followed = Followed {
                channel,
                after,
                members,
                list: BTreeSet::new(),
                next: None,
                seen: 0,
                values: BTreeMap::new(),
                loaded: BTreeMap::new(),
                own_affair: after.is_some(),
                epoch_resets: 0,
            };
            followed.next = reader.owed(world, &followed);
            // What stands before the position is known, as it was when the newest of it came.
            let holds = if class_of(channel).durable { mark.ledger_holds } else { mark.memory_holds };
            let behind = holds.then(|| world.first_after(channel, &mark.at));
            if let Some(known) = followed.next.or(behind) {
                followed.seen = behind.unwrap_or(0).min(known);
                let known = world.truth[channel].iter().take(known);
                followed.loaded = known.map(|fact| (fact.key, fact.id.clone())).collect();
            }
            reader.followed.push(followed);
        }
        reader
    }

    /// A single channel that is read from an older place up to a connection's.
    pub fn late(world: &World, mark: Mark, channel: usize, until: Position) -> Self {
        Self { until: Some(until), ..Self::new(world, mark, vec![(channel, None, false)]) }
    }

    /// The place of the next event that a channel owes to a reader who stands here.
    fn owed(&self, world: &World, followed: &Followed) -> Option<usize> {
        let (at, log) = (self.mark.at, world.log.head());
        let (own, holds) = if class_of(followed.channel).durable {
            let own = followed.after.filter(|own| own.at.ledger > at.ledger);
            (own, own.unwrap_or(self.mark).ledger_holds)
        } else {
            let own = followed.after.filter(|own| own.at.epoch == log.epoch);
            let own = own.filter(|own| at.epoch != log.epoch || own.at.seq > at.seq);
            let by = own.unwrap_or(self.mark);
            (own, by.memory_holds && by.at.epoch == log.epoch)
        };
        let place = |mark: Mark| world.first_after(followed.channel, &mark.at);
        holds.then(|| place(own.unwrap_or(self.mark)))
    }

    /// The world has started anew: connections are gone, and with them, unless the sessions were
    /// carried over, what only the session knew.
    pub fn restarted(&mut self, world: &World, carried: bool) {
        self.live = None;
        if !carried {
            self.cut(world);
        }
    }

    /// The log was rolled back to this head, and the ledger to this end.
    pub fn rolled_back(&mut self, world: &World) {
        let (head, end) = (world.log.head(), ledger::end(world.ledger.len() as u64));
        for f in &mut self.followed {
            f.seen = f.seen.min(world.truth[f.channel].len());
            f.rolled_back(world, &self.mark.at);
        }
        for mark in self.followed.iter_mut().filter_map(|f| f.after.as_mut()).chain([&mut self.mark]) {
            mark.memory_holds &= (mark.at.epoch.0, mark.at.seq) <= (head.epoch.0, head.seq);
            mark.ledger_holds &= mark.at.ledger <= end;
        }
    }

    /// The connection breaks, and all that comes back is the cursor.
    pub fn cut(&mut self, world: &World) {
        self.live = None;
        let at = self.mark.at;
        let mut followed = std::mem::take(&mut self.followed);
        for f in &mut followed {
            let before = f.next;
            f.after = None;
            if matches!(f.members, Members::Listed(_)) {
                f.members = Members::Listed(at);
            }
            f.next = self.owed(world, f);
            f.epoch_resets = 0;
            if let (Shape::Stream, Some(before), Some(now)) = (class_of(f.channel).shape, before, f.next) {
                assert!(now <= before, "a cut at {at:?} loses {:?}", &world.truth[f.channel][before..now]);
            }
        }
        self.followed = followed;
    }

    fn wants(&self) -> Vec<Want> {
        let want = |f: &Followed| Want {
            channel: name(f.channel),
            after: f.after.map(|mark| mark.at),
            members: f.members,
        };
        self.followed.iter().map(want).collect()
    }

    /// One turn: a page, or what came into the ring. Says whether there may be more.
    pub fn step(&mut self, world: &mut World, bounds: Bounds) -> bool {
        if let Some(place) = self.live {
            return self.pull(world, place, bounds.events);
        }
        let read = |log: &Log| log.read(&self.mark.at, &self.wants(), self.until.as_ref(), bounds);
        let mut page = read(&world.log);
        if page.resets.iter().any(|reset| reset.reason == ResetReason::Ahead) {
            world.take_in(usize::MAX);
            page = read(&world.log);
        }
        let complete = page.complete;
        self.take(world, page, bounds);
        if complete && self.until.is_none() {
            self.live = Some(world.log.ring_end().0);
        }
        !complete
    }

    fn pull(&mut self, world: &mut World, place: u64, most: usize) -> bool {
        let mut entries = Vec::new();
        match world.log.pull(place, most, &mut entries) {
            Pull::FellOff => self.live = None,
            Pull::Next(next) => self.live = Some(next),
        }
        for entry in &entries {
            let channel = entry.event.channel.as_str();
            let wanted = self.followed.iter().position(|f| CHANNELS[f.channel] == channel);
            if let Some(place) = wanted {
                let asked = entry.kind == Kind::Message || self.followed[place].members != Members::Ignored;
                if asked && !entry.is_ephemeral() {
                    self.give(world, place, entry);
                }
            }
            self.mark.at.advance(&entry.after);
            self.a_cut_here_is_sound(world);
        }
        !entries.is_empty() || self.live.is_none()
    }

    fn take(&mut self, world: &mut World, page: Page, bounds: Bounds) {
        let bare = page.resets.is_empty() && page.older.is_empty();
        assert!(bare || page.entries.is_empty() && !page.complete, "{page:?}");
        for reset in &page.resets {
            let place = self.place_of(reset.channel.as_str());
            self.reset(world, place, reset.reason, reset.after);
            self.mark.ledger_holds |= class_of(self.followed[place].channel).durable;
        }
        if !page.resets.is_empty() || !page.older.is_empty() {
            self.settle(world, page.at);
        }
        for entry in &page.entries {
            let place = self.place_of(entry.event.channel.as_str());
            assert!(entry.seq > 0, "an ephemeral event is not kept");
            self.give(world, place, entry);
            self.mark.at.advance(&entry.after);
            if self.until.is_none() {
                self.a_cut_here_is_sound(world);
            }
        }
        if bare {
            self.settle(world, page.at);
        } else if !page.older.is_empty() {
            self.read_ledger(world, &page, bounds.events);
        }
        self.take_lists(world, &page);
    }

    fn take_lists(&mut self, world: &World, page: &Page) {
        for channel in &page.rosters {
            let place = self.place_of(channel.as_str());
            let f = &mut self.followed[place];
            assert_ne!(f.members, Members::Ignored);
            f.members = Members::Unknown;
            if page.complete && self.until.is_none() {
                assert_eq!(page.at, world.log.head());
                let list = world.log.presence(channel.as_str());
                f.list = list.into_iter().flat_map(Presence::members).map(|(id, _)| id.to_string()).collect();
                f.members = Members::Listed(page.at);
            }
        }
    }

    /// Stands where the page says, which is a place in this life of the log.
    fn settle(&mut self, world: &World, at: Position) {
        assert_eq!(at.epoch, world.log.head().epoch);
        self.mark.at = at;
        self.mark.memory_holds = true;
        let row = ledger::row(at.ledger);
        self.mark.ledger_holds |= row == 0 || world.check(row) == at.ledger_check;
        self.a_cut_here_is_sound(world);
    }

    fn place_of(&self, channel: &str) -> usize {
        let found = self.followed.iter().position(|f| CHANNELS[f.channel] == channel);
        found.unwrap_or_else(|| panic!("nobody asked for {channel}"))
    }

    /// The reader could be cut here: what a return with this position is owed must neither leave
    /// out what has not come nor begin before what has.
    fn a_cut_here_is_sound(&self, world: &World) {
        let at = self.mark.at;
        for f in self.followed.iter().filter(|f| class_of(f.channel).shape == Shape::Stream) {
            let holds = if class_of(f.channel).durable {
                self.mark.ledger_holds
            } else {
                self.mark.memory_holds && at.epoch == world.log.head().epoch
            };
            let (Some(next), true) = (f.next, holds) else { continue };
            let back = world.first_after(f.channel, &at);
            assert!(back <= next, "{}: a cut at {at:?} loses {back} - {next}", CHANNELS[f.channel]);
            assert!(back >= f.seen, "{}: a cut at {at:?} doubles {back} < {}", CHANNELS[f.channel], f.seen);
        }
    }

    fn give(&mut self, world: &World, place: usize, entry: &Entry) {
        let f = &mut self.followed[place];
        if entry.kind != Kind::Message {
            return f.change(entry);
        }
        let (facts, id) = (&world.truth[f.channel], entry.event.id.as_str());
        let found = facts.iter().position(|fact| fact.id == id);
        let found = found.unwrap_or_else(|| panic!("{id} was rolled back or never was"));
        assert_eq!(entry.event.data.bytes.len(), facts[found].size);
        assert_eq!(entry.event.at, facts[found].at);
        assert!(f.next.is_some(), "{id} came on {} before the reset that is owed", CHANNELS[f.channel]);
        if class_of(f.channel).shape == Shape::Latest {
            f.values.insert(facts[found].key, id.to_owned());
        } else {
            assert_eq!(f.next, Some(found), "{} owes another event than {id}", CHANNELS[f.channel]);
            (f.next, f.seen) = (Some(found + 1), found + 1);
        }
    }

    fn reset(&mut self, world: &World, place: usize, reason: ResetReason, after: Position) {
        let class = class_of(self.followed[place].channel);
        let head = world.log.head();
        let at = self.mark.at;
        let f = &mut self.followed[place];
        let channel = f.channel;
        if f.next.is_none() {
            let epoch = !class.durable && (reason == ResetReason::Epoch);
            f.epoch_resets += u32::from(epoch);
            assert_eq!(epoch, !class.durable && at.epoch != head.epoch, "{reason:?}");
            assert!(f.epoch_resets <= 1, "one end of an epoch is told twice");
            // The reader has seen another life, or one that was not to be; this one it has not.
            f.seen = 0;
        } else {
            assert_eq!(reason, ResetReason::Expired, "{} at {at:?}", CHANNELS[channel]);
            assert!(!class.durable, "a durable channel never expires from memory");
            let here = [Some(at), f.after.map(|own| own.at)].into_iter().flatten();
            let here = here.filter(|place| place.epoch == head.epoch);
            let from = here.map(|place| place.seq).max().unwrap();
            assert!(world.may_be_expired(channel, from), "{} is reset for nothing", CHANNELS[channel]);
        }
        match class.shape {
            Shape::Latest => (f.values, f.loaded) = (BTreeMap::new(), world.newest(channel)),
            _ if class.durable => assert!(after.ledger >= head.ledger),
            _ => assert_eq!((after.epoch, after.seq), (head.epoch, head.seq)),
        }
        f.own_affair = true;
        f.after = Some(Mark { at: after, memory_holds: true, ledger_holds: true });
        f.next = Some(world.first_after(channel, &after));
    }

    /// Plays the ledger for a reader whose past memory does not hold.
    fn read_ledger(&mut self, world: &mut World, page: &Page, most: usize) {
        let durable: BTreeSet<&str> = page.older.iter().map(|older| older.channel.as_str()).collect();
        let resets: BTreeSet<&str> = page.resets.iter().map(|reset| reset.channel.as_str()).collect();
        for f in self.followed.iter().filter(|f| class_of(f.channel).durable) {
            let listed = durable.contains(CHANNELS[f.channel]);
            assert!(listed != resets.contains(CHANNELS[f.channel]), "{page:?}");
        }
        let other = page.older.iter().any(|older| {
            let f = &self.followed[self.place_of(older.channel.as_str())];
            assert!(class_of(f.channel).durable);
            let own = f.after.map_or(0, |own| own.at.ledger);
            assert_eq!(older.after, own.max(self.mark.at.ledger), "the wrong part of the ledger");
            let known = world.check(ledger::row(older.after));
            older.check != 0 && known != 0 && older.check != known
        });
        if other {
            let reason = ResetReason::Diverged;
            let page = world.log.read_without_ledger(&self.mark.at, &self.wants(), reason);
            assert!(!page.resets.is_empty());
            self.mark.ledger_holds = true;
            return self.take(world, page, Bounds { events: 1, bytes: 1 });
        }
        self.serve(world, page, most);
    }

    fn serve(&mut self, world: &mut World, page: &Page, most: usize) {
        let end = self.until.unwrap_or(world.log.head()).ledger;
        let channels: Vec<_> = page.older.iter().map(|older| older.channel.clone()).collect();
        let from = page.older.iter().map(|older| older.after).min().unwrap();
        let all = world.serve(from, end, &channels);
        for entry in all.iter().take(most) {
            let own = page.older.iter().find(|older| older.channel == entry.event.channel);
            if entry.ledger > own.unwrap().after {
                self.give(world, self.place_of(entry.event.channel.as_str()), entry);
            }
            self.mark.at.advance(&entry.after);
            self.a_cut_here_is_sound(world);
        }
        if all.len() <= most {
            let (ledger, ledger_check) = (end, world.check(ledger::row(end)));
            self.mark
                .at
                .advance(&Position { ledger_check, ..Position::start(self.mark.at.epoch, ledger, 0) });
            self.a_cut_here_is_sound(world);
        }
    }

    /// Everything has come: nothing is owed any more, and what the reader shows is what is.
    pub fn has_everything(&self, world: &World) {
        for f in &self.followed {
            let all = match self.until {
                Some(until) if class_of(f.channel).shape != Shape::Latest => {
                    world.first_after(f.channel, &until).max(f.seen)
                }
                _ => world.truth[f.channel].len(),
            };
            if class_of(f.channel).shape == Shape::Stream {
                assert!(f.next.is_some_and(|next| next >= all), "{} still owes events", CHANNELS[f.channel]);
            }
            if class_of(f.channel).shape == Shape::Latest && self.until.is_none() {
                let mut shown = f.loaded.clone();
                shown.extend(f.values.clone());
                assert_eq!(shown, world.newest(f.channel), "{}", CHANNELS[f.channel]);
            }
            if f.members != Members::Ignored {
                assert_eq!(f.list, world.members(f.channel), "who is in {}", CHANNELS[f.channel]);
            }
        }
    }
}

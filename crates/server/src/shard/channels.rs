//! Who listens to what on one shard: a table of channels with dense lists of clients.

use std::collections::HashMap;
use std::sync::Arc;

use deskbell_core::ids::ChannelName;

use super::cohort::cohort_of;
use super::frames::Variant;
use super::lens::{Lenses, PLAIN};
use crate::bell::Bell;

/// The channels of one app on one shard.
#[derive(Debug)]
pub struct Channels {
    /// Rings for the channels that are in use here.
    bell: Arc<Bell>,
    numbers: HashMap<ChannelName, u32>,
    channels: Vec<Channel>,
    free: Vec<u32>,
}

/// One channel with its listeners.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Subscriptions that name it, of connected clients and of parked ones.
    users: u32,
    /// The slots of connected clients, by what they get.
    pub lists: Vec<(Listeners, Vec<u32>)>,
}

/// Clients of one list get the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listeners {
    /// The form in which their frames leave.
    pub variant: Variant,
    /// They may see who is here.
    pub watch: bool,
    /// The lens through which they see the channel; 0 is none.
    pub lens: u32,
    /// Each of them sees something else through it.
    apart: bool,
    cohort: u8,
}

impl Listeners {
    /// The list that a client belongs on.
    pub fn of(slot: u32, variant: Variant, watch: bool) -> Self {
        Self { variant, watch, lens: PLAIN, apart: false, cohort: cohort_of(slot) as u8 }
    }

    /// The same through a lens.
    pub(super) fn through(self, lens: u32, lenses: &Lenses) -> Self {
        Self { lens, apart: lenses.tells_apart(lens), ..self }
    }

    /// Does each of them see the channel in a way of its own?
    pub fn is_lensed(self) -> bool {
        self.apart
    }

    /// Which cohort they are.
    pub fn cohort(self) -> usize {
        usize::from(self.cohort)
    }
}

impl Channel {
    /// Does anybody of a cohort listen to it as it is, and does anybody through a lens?
    pub fn is_heard_by(&self, cohort: usize) -> [bool; 2] {
        let here = |(kind, list): &&(Listeners, Vec<u32>)| kind.cohort() == cohort && !list.is_empty();
        let mut heard = [false; 2];
        for (kind, _) in self.lists.iter().filter(here) {
            heard[usize::from(kind.is_lensed())] = true;
        }
        heard
    }
}

impl Channels {
    /// None yet, on the shard with a bell.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { bell, numbers: HashMap::new(), channels: Vec::new(), free: Vec::new() }
    }

    /// The number of a channel that has listeners here.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The channel with a number.
    pub fn get(&self, number: u32) -> &Channel {
        &self.channels[number as usize]
    }

    /// The channel with a number, to change.
    pub fn get_mut(&mut self, number: u32) -> &mut Channel {
        &mut self.channels[number as usize]
    }

    /// Takes a channel into use for one more subscription.
    pub fn take(&mut self, name: &ChannelName) -> u32 {
        if let Some(number) = self.find(name.as_str()) {
            self.channels[number as usize].users += 1;
            return number;
        }
        let channel = Channel { name: name.clone(), users: 1, lists: Vec::new() };
        let number = match self.free.pop() {
            Some(number) => {
                self.channels[number as usize] = channel;
                number
            }
            None => {
                self.channels.push(channel);
                self.channels.len() as u32 - 1
            }
        };
        self.numbers.insert(name.clone(), number);
        self.bell.listen(name.as_str());
        number
    }

    /// Gives one subscription's use back.
    pub fn give_back(&mut self, number: u32) {
        let channel = &mut self.channels[number as usize];
        channel.users -= 1;
        if channel.users == 0 {
            channel.lists = Vec::new();
            self.numbers.remove(channel.name.as_str());
            self.bell.forget(channel.name.as_str());
            self.free.push(number);
        }
    }

    /// Puts a client on its list and returns its place.
    pub fn list(&mut self, number: u32, kind: Listeners, slot: u32) -> u32 {
        let lists = &mut self.channels[number as usize].lists;
        let at = lists.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| {
            if lists.is_empty() {
                // A person's own channel has one list, and there is one for every person.
                lists.reserve_exact(1);
            }
            lists.push((kind, Vec::new()));
            lists.len() - 1
        });
        let list = &mut lists[at].1;
        list.push(slot);
        list.len() as u32 - 1
    }

    /// Takes a client off; returns the slot that has moved into its place, if one has.
    pub fn unlist(&mut self, number: u32, kind: Listeners, place: u32) -> Option<u32> {
        let lists = &mut self.channels[number as usize].lists;
        let list = &mut lists.iter_mut().find(|(k, _)| *k == kind)?.1;
        list.swap_remove(place as usize);
        if list.capacity() > 64 && list.len() * 4 < list.capacity() {
            list.shrink_to(list.len() * 2);
        }
        list.get(place as usize).copied()
    }

    /// The channels that have connected listeners, with their number.
    pub fn occupied(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.numbers.iter().filter_map(|(name, number)| {
            let listeners = self.get(*number).lists.iter().map(|(_, list)| list.len()).sum();
            (listeners > 0).then_some((name, listeners))
        })
    }
}

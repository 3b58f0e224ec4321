//! An entry becomes packets, in the words of a manner.
//!
//! What one namespace is told of an entry may be several packets. The last says that its reader has all of the
//! entry; each before it says how many there were, so that who is cut off behind it is given the others.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use deskbell_core::event::{Data, Entry, Kind};
use deskbell_core::parts::{Changed, Part, parts};
use deskbell_wire::socketio::{Prepared, echo, encode};

use super::heard::{Heard, Shown};
use super::words::{Manner, Shows};

/// One packet of an entry.
#[derive(Debug)]
pub struct Packet<'a> {
    namespace: &'a Arc<str>,
    says: Says,
    /// What its namespace has with it, where that is not yet all.
    part: Option<Part>,
}

/// What a packet says.
#[derive(Debug)]
enum Says {
    /// Something under a name.
    Event(String, Data),
    /// The same, as Laravel Echo's connector hears it.
    Echo(String, Data),
    /// Who came to a channel, or went. Nobody has a place in the log by it.
    Member(Prepared),
}

impl Packet<'_> {
    /// What it says, for comparison.
    pub(super) fn thing(&self) -> (&str, &[u8]) {
        match &self.says {
            Says::Event(name, data) | Says::Echo(name, data) => (name.as_str(), &data.bytes[..]),
            Says::Member(said) => ("", said.packet()),
        }
    }

    fn prepared(&self, channel: &str, offset: Option<&str>) -> Option<Prepared> {
        match &self.says {
            Says::Event(name, data) => Prepared::event(self.namespace, name, data, offset),
            Says::Echo(name, data) => echo::event(channel, name, data, offset),
            Says::Member(said) => Some(said.clone()),
        }
    }
}

/// Where the packets of a namespace stand among those of an entry.
pub(super) fn of_one_namespace(packets: &[Packet<'_>], namespace: &str) -> Range<usize> {
    let is_its = |packet: &Packet<'_>| **packet.namespace == *namespace;
    let start = packets.iter().position(is_its).unwrap_or(packets.len());
    start..start + packets[start..].iter().take_while(|packet| is_its(packet)).count()
}

impl Manner {
    /// Does it show one thing that another channel may show as well?
    pub fn retells(&self) -> bool {
        self.views.iter().any(|view| matches!(view.shows, Shows::Rows(_)))
    }

    /// What an entry is told as; often one packet, sometimes none. Those of one namespace stand together.
    pub fn packets<'a>(&'a self, entry: &Entry, heard: &mut Heard) -> Vec<Packet<'a>> {
        let mut packets: Vec<Packet<'a>> = Vec::new();
        let event = &entry.event;
        let is_said = matches!(entry.kind, Kind::Message | Kind::Whisper);
        for view in &self.views {
            let namespace = &view.namespace;
            let mut say = |says| packets.push(Packet { namespace, says, part: None });
            let own = || (event.name.as_str().to_owned(), event.data.clone());
            match &view.shows {
                Shows::Echo if entry.kind.is_presence() => {
                    echo::changes(entry).into_iter().map(Says::Member).for_each(say);
                }
                // Who is in a room is nothing that this dialect tells.
                _ if !is_said => {}
                Shows::Itself | Shows::Echo if !encode::is_sayable(event.name.as_str()) => {}
                Shows::Itself => {
                    let (name, data) = own();
                    say(Says::Event(name, data));
                }
                Shows::Echo => {
                    let (name, data) = own();
                    say(Says::Echo(name, data));
                }
                Shows::Rows(telling) => {
                    for shown in telling.table.project(&telling.rows, event) {
                        let name = shown.name.as_str();
                        if encode::is_sayable(name) && heard.of(namespace).is_first(entry, &shown.name) {
                            say(Says::Event(name.to_owned(), Data::json(shown.data)));
                        }
                    }
                }
            }
        }
        // Of what is not kept nobody is owed a part.
        if self.offsets && is_said && !entry.is_ephemeral() {
            number(entry, &mut packets);
        }
        packets
    }

    /// Packets of an entry as frames for a WebSocket. `whole` is the place behind the entry, `within` one in it.
    pub fn frames(
        &self,
        entry: &Entry,
        packets: &[Packet<'_>],
        whole: &str,
        within: impl Fn(Part) -> String,
    ) -> Bytes {
        let channel = entry.event.channel.as_str();
        let frame = |packet: &Packet<'_>| {
            let part = packet.part.filter(|_| self.offsets).map(&within);
            let offset = self.offsets.then(|| part.as_deref().unwrap_or(whole));
            packet.prepared(channel, offset).map(|said| said.frame().clone())
        };
        let mut frames: Vec<Bytes> = packets.iter().filter_map(frame).collect();
        match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }
    }

    /// The frames of an entry for a client that has had some of it before; none where that was told otherwise.
    pub fn rest(
        &self,
        entry: &Entry,
        shown: &mut Shown,
        whole: &str,
        within: impl Fn(Part) -> String,
    ) -> Result<Bytes, Changed> {
        let mut packets = self.packets(entry, &mut shown.heard);
        shown.had.leave_out(entry, &mut packets)?;
        Ok(self.frames(entry, &packets, whole, within))
    }
}

/// Says of each packet that is not its namespace's last how many there were with it.
fn number(entry: &Entry, packets: &mut [Packet<'_>]) {
    for group in packets.chunk_by_mut(|one, other| one.namespace == other.namespace) {
        let Some((_, others)) = group.split_last().filter(|(_, others)| !others.is_empty()) else { continue };
        let things: Vec<(&str, &[u8])> = others.iter().map(Packet::thing).collect();
        let parts = parts(entry, &things);
        for (packet, part) in group.iter_mut().zip(parts) {
            packet.part = Some(part);
        }
    }
}

//! Who is in a channel, as the log tells it: joins, leaves, and joins gathered after a crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Log;
use crate::event::{Data, Draft, Event, Kind};
use crate::ids::{ChannelName, EventId, EventName};
use crate::limits::{self, Millis};
use crate::presence::{Change, Holder, Presence};
use crate::refusal::Refusal;

/// The id and time of the entry that a presence change may make.
#[derive(Debug, Clone)]
pub struct PresenceNote {
    /// The entry's id.
    pub id: EventId,
    /// The time.
    pub now: Millis,
}

/// Joins that are written together because everybody comes back at once.
#[derive(Debug, Default)]
pub(super) struct Gather {
    pub(super) until: Millis,
    pub(super) channels: BTreeSet<ChannelName>,
}

impl Log {
    /// From now until then joins are gathered for each channel and written by
    /// [`Log::flush_joins`]. Called after a crash, for one presence grace.
    pub fn gather_joins(&mut self, until: Millis) {
        self.gather.until = until;
    }

    /// Writes the gathered joins: one entry for each channel, or several where its members are more
    /// than [`limits::JOIN_BYTES`]. Returns whether it must be called again, after
    /// [`limits::JOIN_GATHER`].
    pub fn flush_joins(&mut self, now: Millis, mut id: impl FnMut() -> EventId) -> bool {
        for channel in std::mem::take(&mut self.gather.channels) {
            let Some(record) = self.records.get_mut(channel.as_str()) else { continue };
            for data in lists(&record.presence.announce()) {
                let note = PresenceNote { id: id(), now };
                self.write_change(&channel, Kind::Joined, data, note);
            }
        }
        now < self.gather.until
    }

    /// A session enters a channel's presence, or shows other data there.
    pub fn enter(
        &mut self,
        channel: &ChannelName,
        member: &str,
        holder: Holder,
        data: Bytes,
        note: PresenceNote,
    ) -> Result<Change, Refusal> {
        let gathered = note.now < self.gather.until;
        let class = self.class(channel.as_str());
        let presence = &mut self.record(channel, class).presence;
        let change = if gathered {
            presence.enter_gathered(member, holder, data.clone())?
        } else {
            presence.enter(member, holder, data.clone())?
        };
        if change == Change::Gathered {
            self.gather.channels.insert(channel.clone());
        }
        self.note(channel, member, change, Some(&data), note);
        Ok(change)
    }

    /// A session leaves a channel's presence; an older generation changes nothing.
    pub fn leave(
        &mut self,
        channel: &ChannelName,
        member: &str,
        holder: Holder,
        note: PresenceNote,
    ) -> Change {
        let Some(record) = self.records.get_mut(channel.as_str()) else { return Change::None };
        let change = record.presence.leave(member, holder);
        self.note(channel, member, change, None, note);
        change
    }

    /// Writes what the others see of a change.
    fn note(
        &mut self,
        channel: &ChannelName,
        member: &str,
        change: Change,
        data: Option<&[u8]>,
        note: PresenceNote,
    ) {
        let kind = match change {
            Change::None | Change::Gathered => return,
            Change::Joined => Kind::Joined,
            Change::Updated => Kind::Updated,
            Change::Left => Kind::Left,
        };
        self.write_change(channel, kind, list(&[shown(member, data)]), note);
    }

    fn write_change(&mut self, channel: &ChannelName, kind: Kind, members: String, note: PresenceNote) {
        let name = match kind {
            Kind::Message | Kind::Whisper | Kind::Count | Kind::Joined => "joined",
            Kind::Updated => "updated",
            Kind::Left => "left",
        };
        let event = Event {
            id: note.id,
            channel: channel.clone(),
            name: EventName::parse(name).expect("the built-in names are well formed"),
            data: Data::json(members),
            at: note.now,
        };
        self.place(Draft { event, kind, key: None, except: None, by: None }, None, note.now);
    }

    /// Who is in a channel now, as far as the others have been told by the log's head. A list that
    /// is sent right after [`Log::read`] asked for it, under the same lock, holds every change up
    /// to [`Log::head`].
    pub fn presence(&self, channel: &str) -> Option<&Presence> {
        self.records.get(channel).map(|record| &record.presence)
    }
}

/// One member as the others see it.
fn shown(id: &str, data: Option<&[u8]>) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
    }
    let data = data.and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    serde_json::to_string(&Shown { id, data }).expect("an id and checked JSON always serialize")
}

/// A JSON array.
fn list(members: &[String]) -> String {
    format!("[{}]", members.join(","))
}

/// All members in as few arrays as the bound on one entry allows.
fn lists(members: &[(Arc<str>, Bytes)]) -> Vec<String> {
    let (mut full, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (id, data) in members {
        let member = shown(id, Some(data));
        if bytes + member.len() > limits::JOIN_BYTES && !open.is_empty() {
            full.push(list(&std::mem::take(&mut open)));
            bytes = 0;
        }
        bytes += member.len() + 1;
        open.push(member);
    }
    if !open.is_empty() {
        full.push(list(&open));
    }
    full
}

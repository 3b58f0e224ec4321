//! What a clean stop writes down, so that the next start goes on as if nothing had been.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::Log;
use crate::class::Classes;
use crate::event::{Data, Entry, Event, Form, Frames, Kind};
use crate::ids::{ChannelName, EventId, EventName, Key, PublicId};
use crate::limits::Millis;
use crate::position::{Epoch, Position, ledger};
use crate::presence::Holder;

/// The log of an app at a clean stop. Ring and memory histories are in `channels`; what is durable
/// stands in the ledger already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The epoch that goes on.
    pub epoch: u64,
    /// The last `seq`.
    pub seq: u64,
    /// Its check value.
    pub check: u32,
    /// The ledger row that was taken in last.
    pub row: u64,
    /// The floor of channels without a record.
    pub forgotten: u64,
    /// Every memory channel with a record.
    pub channels: Vec<CarriedChannel>,
    /// The publishes whose ids are remembered, oldest first.
    #[serde(default)]
    pub answers: Vec<CarriedAnswer>,
}

/// One remembered publish of a [`Carry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedAnswer {
    /// The halves of the hash of who sent what to where under which id.
    pub key: [u64; 2],
    /// The hash of what was sent.
    pub body: u64,
    /// When.
    pub at: Millis,
    /// The event's id.
    pub id: String,
    /// The place behind it.
    pub seq: u64,
    /// The check value of that place.
    pub check: u32,
    /// The ledger position that was taken in by then.
    pub ledger: u64,
    /// The check value of that position.
    pub ledger_check: u32,
}

/// One channel of a [`Carry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedChannel {
    /// Its name.
    pub name: String,
    /// Its floor.
    pub floor: u64,
    /// Its last `seq`.
    pub last_seq: u64,
    /// What it still has.
    pub entries: Vec<CarriedEntry>,
    /// Who was present.
    pub members: Vec<CarriedMember>,
}

/// One event of a [`CarriedChannel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedEntry {
    /// Its place.
    pub seq: u64,
    /// The row taken in when it was placed.
    pub row: u64,
    /// The event's id.
    pub id: String,
    /// Its name.
    pub event: String,
    /// The form of the data.
    pub form: String,
    /// The data.
    pub data: String,
    /// When.
    pub at: Millis,
    /// The key on a `latest` channel.
    pub key: Option<String>,
    /// The excluded session.
    pub except: Option<u64>,
}

/// One member of a [`CarriedChannel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedMember {
    /// Its id.
    pub id: String,
    /// What it shows.
    pub data: String,
    /// The sessions that hold it, with their generations.
    pub holders: Vec<(u64, u32)>,
}

impl Log {
    /// Writes down what memory holds, and takes nothing more: an event that came later would be
    /// acknowledged and yet be missing in the next run.
    pub fn close(&mut self) -> Carry {
        self.closed = true;
        self.carry()
    }

    fn carry(&self) -> Carry {
        let channels = self.records.iter().map(|(name, record)| {
            let entries = if record.class.durable {
                Vec::new()
            } else {
                record.history.after(0, false).map(carried).collect()
            };
            CarriedChannel {
                name: name.to_string(),
                floor: record.history.floor,
                last_seq: record.last_seq,
                entries,
                members: record
                    .presence
                    .members()
                    .map(|(id, member)| CarriedMember {
                        id: id.to_string(),
                        data: String::from_utf8_lossy(&member.data).into_owned(),
                        holders: member.holders.iter().map(|h| (h.session, h.generation)).collect(),
                    })
                    .collect(),
            }
        });
        Carry {
            epoch: self.head.epoch.0,
            seq: self.head.seq,
            check: self.head.check,
            row: ledger::row(self.head.ledger),
            forgotten: self.forgotten,
            channels: channels.collect(),
            answers: self.remembered.carry(),
        }
    }

    /// Goes on from a clean stop, in the same epoch. `ledger_row` and `ledger_check` are the
    /// ledger's head now.
    pub fn resume(carry: Carry, ledger_row: u64, ledger_check: u32, classes: Classes, now: Millis) -> Self {
        let epoch = Epoch(carry.epoch);
        let mut log = Self::new(epoch, ledger_row, ledger_check, classes);
        log.head.seq = carry.seq;
        log.head.check = carry.check;
        log.forgotten = carry.forgotten;
        for channel in carry.channels {
            // A name that this build does not accept any more takes its history with it: its floor
            // rises to the last event, so that its readers are told instead of left waiting.
            let Ok(name) = ChannelName::parse(&channel.name) else {
                log.forgotten = log.forgotten.max(channel.last_seq);
                continue;
            };
            log.resume_channel(&name, channel, epoch, now);
        }
        log.remembered.resume(carry.answers, epoch);
        log
    }

    fn resume_channel(&mut self, name: &ChannelName, channel: CarriedChannel, epoch: Epoch, now: Millis) {
        let class = self.class(name.as_str());
        let record = self.record(name, class);
        record.history.floor = channel.floor;
        for carried in channel.entries {
            let seq = carried.seq;
            match placed(name, carried, epoch) {
                Some(entry) => record.push(Arc::new(entry), now),
                None => record.history.floor = record.history.floor.max(seq),
            }
        }
        for member in channel.members {
            for (session, generation) in member.holders {
                // The list was within its bound when it was written, so no member is refused.
                let _ = record.presence.enter(
                    &member.id,
                    Holder { session, generation },
                    member.data.clone().into(),
                );
            }
        }
        record.last_seq = channel.last_seq;
        record.changes_floor = channel.last_seq;
    }
}

fn carried(entry: &Arc<Entry>) -> CarriedEntry {
    CarriedEntry {
        seq: entry.seq,
        row: ledger::row(entry.after.ledger),
        id: entry.event.id.to_string(),
        event: entry.event.name.to_string(),
        form: entry.event.data.form.letter().to_owned(),
        data: String::from_utf8_lossy(&entry.event.data.bytes).into_owned(),
        at: entry.event.at,
        key: entry.key.as_ref().map(ToString::to_string),
        except: entry.except.map(|id| id.0),
    }
}

fn placed(channel: &ChannelName, carried: CarriedEntry, epoch: Epoch) -> Option<Entry> {
    let id = EventId::parse(&carried.id).ok()?;
    let mut after = Position::start(epoch, ledger::end(carried.row), 0);
    after.seq = carried.seq;
    after.check = crate::position::check_of(&id);
    Some(Entry {
        event: Event {
            id,
            channel: channel.clone(),
            name: EventName::parse(&carried.event).ok()?,
            data: Data { form: Form::from_letter(&carried.form)?, bytes: carried.data.into() },
            at: carried.at,
        },
        kind: Kind::Message,
        key: match carried.key {
            Some(key) => Some(Key::parse(&key).ok()?),
            None => None,
        },
        except: carried.except.map(PublicId),
        epoch,
        seq: carried.seq,
        ledger: 0,
        after,
        frames: Frames::default(),
    })
}

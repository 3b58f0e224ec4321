//! What a clean stop writes down, so that the next start goes on as if nothing had been.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::checks::Checks;
use super::record::{Floors, Record};
use super::{Appended, Log, Once};
use crate::class::{Class, Classes, Shape};
use crate::event::{Data, Entry, Event, Form, Frames, Kind};
use crate::ids::{ChannelName, EventId, EventName, Key, PublicId};
use crate::limits::Millis;
use crate::position::{Epoch, Position, check_of};
use crate::presence::Holder;

/// The log of an app at a clean stop. What is durable stands in the ledger already; presence
/// changes are not kept, because a returning reader can be given the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// Where the log stood. Its epoch goes on.
    pub head: Position,
    /// The check values of the newest events, the last one that of `head`. Without them a reader
    /// from a life that was rolled back would pass after the next stop.
    pub checks: Vec<u32>,
    /// The floors of channels without a record.
    pub floors: Floors,
    /// Which channels were kept how, see [`Classes::kinds`].
    pub kinds: u64,
    /// Every channel with a record.
    pub channels: Vec<CarriedChannel>,
    /// Answers for retries: the epoch goes on, and the promise about them with it.
    pub answers: Vec<CarriedAnswer>,
}

/// One channel of a [`Carry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedChannel {
    /// Its name.
    pub name: String,
    /// The class under which it was kept: its shape, and whether it is durable.
    pub kept_as: String,
    /// Its floor.
    pub floor: u64,
    /// The place of its last message.
    pub last: u64,
    /// When that came.
    pub last_at: Millis,
    /// What it still has; nothing for a durable channel.
    pub entries: Vec<CarriedEntry>,
    /// Who was present.
    pub members: Vec<CarriedMember>,
}

/// One event of a [`CarriedChannel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedEntry {
    /// Its place.
    pub seq: u64,
    /// Its own ledger position, where the ledger made it.
    pub ledger: u64,
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
    /// The others have not been told of it yet.
    pub coming: bool,
}

/// One remembered publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedAnswer {
    /// The key's upper and lower half.
    pub key: (u64, u64),
    /// The hash of the body.
    pub body: u64,
    /// The event's id.
    pub id: String,
    /// Where a reader stands who has it.
    pub after: Position,
    /// When it was taken.
    pub at: Millis,
}

impl Log {
    /// Takes no publish any more, so that what is written down next is all that was acknowledged.
    /// A retry still finds its answer.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Writes down what memory holds.
    pub fn carry(&self) -> Carry {
        Carry {
            head: self.head,
            checks: self.seqs.all(),
            floors: self.floors,
            kinds: self.classes.kinds(),
            channels: self.records.iter().map(|(name, record)| channel(name, record)).collect(),
            answers: self.remembered.answers().map(answer).collect(),
        }
    }

    /// Goes on from a clean stop, in the same epoch. `ledger_row` and `ledger_check` are the
    /// ledger's head now.
    pub fn resume(carry: Carry, ledger_row: u64, ledger_check: u32, classes: Classes, now: Millis) -> Self {
        let mut log = Self::new(carry.head.epoch, ledger_row, ledger_check, classes);
        (log.head.seq, log.head.check) = (carry.head.seq, carry.head.check);
        log.seqs = Checks::ending(carry.head.seq, carry.checks);
        log.floors = Floors { ledger: log.floors.ledger, ..carry.floors };
        let mut known = carry.kinds == log.classes.kinds();
        for channel in carry.channels {
            match ChannelName::parse(&channel.name) {
                Ok(name) => log.resume_channel(&name, channel, now),
                Err(_) => known = false,
            }
        }
        if !known {
            // Of some channel without a record nobody knows any more what it once held: the floors
            // rise to the head, so that its readers are told instead of left waiting.
            let all = carry.head.seq;
            log.floors = Floors { stream: all, latest: all, changes: all, ..log.floors };
        }
        for carried in carry.answers {
            let Ok(id) = EventId::parse(&carried.id) else { continue };
            let key = u128::from(carried.key.0) << 64 | u128::from(carried.key.1);
            let appended = Appended { id, at: carried.after, repeated: false };
            log.remembered.add(Once { key, body: carried.body }, appended, carried.at);
        }
        log.remembered.expire(now);
        log
    }

    fn resume_channel(&mut self, name: &ChannelName, channel: CarriedChannel, now: Millis) {
        let (class, head, epoch) = (self.class(name.as_str()), self.head.seq, self.head.epoch);
        let coming = channel.members.iter().any(|member| member.coming);
        // The channel has its own floor; those of others are no concern of its readers.
        let floors = Floors { ledger: self.floors.ledger, ..Floors::default() };
        let record = self.record_above(name, class, floors);
        if !record.class.durable && kept_as(&record.class) == channel.kept_as {
            record.history.raise_floor(channel.floor);
            for carried in channel.entries {
                let seq = carried.seq;
                match placed(name, carried, epoch) {
                    Some(entry) => record.push(Arc::new(entry), now),
                    None => record.history.raise_floor(seq),
                }
            }
            (record.last, record.last_at) = (channel.last, channel.last_at);
        } else if !record.class.durable {
            // It was kept under other rules, so what it still has may be less than these promise.
            record.history.raise_floor(head);
            (record.last, record.last_at) = (head, now);
        }
        record.changes_floor = head;
        for member in channel.members {
            let data: bytes::Bytes = member.data.into();
            for (session, generation) in member.holders {
                let holder = Holder { session, generation };
                // The list was within its bound when it was written, so no member is refused.
                let _ = if member.coming {
                    record.presence.enter_gathered(&member.id, holder, data.clone())
                } else {
                    record.presence.enter(&member.id, holder, data.clone())
                };
            }
        }
        if coming {
            self.gather.channels.insert(name.clone());
        }
    }
}

fn kept_as(class: &Class) -> String {
    let shape = match class.shape {
        Shape::Stream => "stream",
        Shape::Latest => "latest",
        Shape::Ephemeral => "ephemeral",
    };
    format!("{shape}{}", if class.durable { " durable" } else { "" })
}

fn channel(name: &ChannelName, record: &Record) -> CarriedChannel {
    let entries = record.history.after(0).filter(|_| !record.class.durable);
    let seen = record.presence.members().map(|member| (member, false));
    let members = seen.chain(record.presence.coming().map(|member| (member, true)));
    CarriedChannel {
        name: name.to_string(),
        kept_as: kept_as(&record.class),
        floor: record.history.floor(),
        last: record.last,
        last_at: record.last_at,
        entries: entries.map(|entry| carried(entry)).collect(),
        members: members
            .map(|((id, member), coming)| CarriedMember {
                id: id.to_string(),
                data: text(&member.data),
                holders: member.holders.iter().map(|h| (h.session, h.generation)).collect(),
                coming,
            })
            .collect(),
    }
}

fn carried(entry: &Entry) -> CarriedEntry {
    CarriedEntry {
        seq: entry.seq,
        ledger: entry.ledger,
        id: entry.event.id.to_string(),
        event: entry.event.name.to_string(),
        form: entry.event.data.form.letter().to_owned(),
        data: text(&entry.event.data.bytes),
        at: entry.event.at,
        key: entry.key.as_ref().map(ToString::to_string),
        except: entry.except.map(|id| id.0),
    }
}

/// Data is text in each of its forms: the decoders that took it in have checked that.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn answer((once, appended, at): (Once, &Appended, Millis)) -> CarriedAnswer {
    CarriedAnswer {
        key: ((once.key >> 64) as u64, once.key as u64),
        body: once.body,
        id: appended.id.to_string(),
        after: appended.at,
        at,
    }
}

fn placed(channel: &ChannelName, carried: CarriedEntry, epoch: Epoch) -> Option<Entry> {
    let id = EventId::parse(&carried.id).ok()?;
    // What came before it in the ledger is told by the ledger, which may have been rolled back since
    // and must not be vouched for by an older memory. So its place moves only one coordinate.
    let after = Position { seq: carried.seq, check: check_of(&id), ..Position::start(epoch, 0, 0) };
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
        by: None,
        epoch,
        seq: carried.seq,
        ledger: carried.ledger,
        after,
        frames: Frames::default(),
    })
}

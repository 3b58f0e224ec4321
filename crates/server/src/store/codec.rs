//! The events of one row as stored bytes.
//!
//! A version byte, a count, then the events one after the other; numbers are variable-length,
//! texts carry their length. The data stands there exactly as it came, so that it leaves exactly
//! as it came, and a reader shares the row's bytes instead of copying them.

use bytes::Bytes;
use deskbell_core::event::{Data, Draft, Event, Form, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::position::{check_of, ledger};
use deskbell_core::refusal::Refusal;

use super::failure::Failure;

const VERSION: u8 = 1;
const HAS_KEY: u8 = 1 << 4;
const HAS_EXCEPT: u8 = 1 << 5;

/// The stored bytes of a row.
pub(super) fn encode(drafts: &[Draft]) -> Vec<u8> {
    let data: usize = drafts.iter().map(|draft| draft.event.data.bytes.len() + 96).sum();
    let mut out = Vec::with_capacity(data + 8);
    out.push(VERSION);
    number(&mut out, drafts.len() as u64);
    for draft in drafts {
        let event = &draft.event;
        let mut tag = kind_number(draft.kind) | form_number(event.data.form) << 2;
        tag |= if draft.key.is_some() { HAS_KEY } else { 0 };
        tag |= if draft.except.is_some() { HAS_EXCEPT } else { 0 };
        out.push(tag);
        number(&mut out, event.at);
        text(&mut out, event.id.as_str().as_bytes());
        text(&mut out, event.channel.as_str().as_bytes());
        text(&mut out, event.name.as_str().as_bytes());
        text(&mut out, &event.data.bytes);
        if let Some(key) = &draft.key {
            text(&mut out, key.as_str().as_bytes());
        }
        if let Some(except) = draft.except {
            number(&mut out, except.0);
        }
    }
    out
}

const fn kind_number(kind: Kind) -> u8 {
    match kind {
        // What is for a moment never comes into the ledger.
        Kind::Message | Kind::Whisper | Kind::Count => 0,
        Kind::Joined => 1,
        Kind::Updated => 2,
        Kind::Left => 3,
    }
}

const fn form_number(form: Form) -> u8 {
    match form {
        Form::Json => 0,
        Form::Text => 1,
        Form::Args => 2,
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// One event of a row that was looked at but not copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    tag: u8,
    at: u64,
    id: &'a str,
    /// The channel's name.
    pub(super) channel: &'a str,
    name: &'a str,
    data: &'a [u8],
    key: Option<&'a str>,
    except: Option<u64>,
}

/// Looks at the events of a row.
pub(super) fn look(row: &[u8]) -> Result<Vec<Seen<'_>>, Failure> {
    let mut rest = row;
    let found = (|| {
        let (version, tail) = rest.split_first()?;
        rest = tail;
        let count = take_number(&mut rest)?;
        if *version != VERSION || count > ledger::EVENTS_PER_ROW as u64 {
            return None;
        }
        let seen: Option<Vec<_>> = (0..count).map(|_| take_event(&mut rest)).collect();
        rest.is_empty().then_some(seen)?
    })();
    found.ok_or_else(|| Failure::Damaged("a row of `changes` has no readable events".to_owned()))
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

fn take_event<'a>(rest: &mut &'a [u8]) -> Option<Seen<'a>> {
    let (&tag, tail) = rest.split_first()?;
    *rest = tail;
    if tag >= 1 << 6 {
        return None;
    }
    Some(Seen {
        tag,
        at: take_number(rest)?,
        id: take_text(rest)?,
        channel: take_text(rest)?,
        name: take_text(rest)?,
        data: take_bytes(rest)?,
        key: if tag & HAS_KEY == 0 { None } else { Some(take_text(rest)?) },
        except: if tag & HAS_EXCEPT == 0 { None } else { Some(take_number(rest)?) },
    })
}

impl Seen<'_> {
    /// The key under which the event counts on a `latest` channel.
    pub(super) fn key_or_name(&self) -> &str {
        self.key.unwrap_or(self.name)
    }

    /// The event's id.
    pub(super) fn id(&self) -> Result<EventId, Failure> {
        EventId::parse(self.id).map_err(unknown)
    }

    /// The event as it went in. `row` are the bytes that were looked at; the data shares them.
    pub(super) fn draft(&self, row: &Bytes) -> Result<Draft, Failure> {
        let form = match self.tag >> 2 & 3 {
            0 => Form::Json,
            1 => Form::Text,
            2 => Form::Args,
            _ => return Err(Failure::Damaged("an event has data in no known form".to_owned())),
        };
        let kind = match self.tag & 3 {
            0 => Kind::Message,
            1 => Kind::Joined,
            2 => Kind::Updated,
            _ => Kind::Left,
        };
        Ok(Draft {
            event: Event {
                id: self.id()?,
                channel: ChannelName::parse(self.channel).map_err(unknown)?,
                name: EventName::parse(self.name).map_err(unknown)?,
                data: Data { form, bytes: row.slice_ref(self.data) },
                at: self.at,
            },
            kind,
            key: self.key.map(Key::parse).transpose().map_err(unknown)?,
            except: self.except.map(PublicId),
            by: None,
        })
    }
}

fn unknown(refusal: Refusal) -> Failure {
    Failure::Damaged(format!("an event that this program would refuse ({refusal})"))
}

/// The check value of a row: that of its last event, or 0 for a row without events.
pub(super) fn row_check(events: &[Seen<'_>]) -> Result<u32, Failure> {
    events.last().map_or(Ok(0), |last| Ok(check_of(&last.id()?)))
}

/// The same, before the row was written.
pub(super) fn drafts_check(drafts: &[Draft]) -> u32 {
    drafts.last().map_or(0, |last| check_of(&last.event.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_draft() -> impl Strategy<Value = Draft> {
        let texts = ("[!-~]{1,128}", "[A-Za-z0-9_=@,.;:#-]{1,200}", "[^\\p{C}]{1,60}");
        let form = prop_oneof![Just(Form::Json), Just(Form::Text), Just(Form::Args)];
        let kind =
            prop_oneof![Just(Kind::Message), Just(Kind::Joined), Just(Kind::Updated), Just(Kind::Left)];
        let rest =
            (any::<Vec<u8>>(), any::<u64>(), proptest::option::of("[^\\p{C}]{1,60}"), any::<Option<u64>>());
        (texts, form, kind, rest).prop_map(|((id, channel, name), form, kind, (bytes, at, key, except))| {
            Draft {
                event: Event {
                    id: EventId::parse(&id).unwrap(),
                    channel: ChannelName::parse(&channel).unwrap(),
                    name: EventName::parse(&name).unwrap(),
                    data: Data { form, bytes: bytes.into() },
                    at,
                },
                kind,
                key: key.map(|key| Key::parse(&key).unwrap()),
                except: except.map(PublicId),
                by: None,
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_goes_in_comes_out(drafts in proptest::collection::vec(any_draft(), 0..5)) {
            let row = Bytes::from(encode(&drafts));
            let seen = look(&row).unwrap();
            prop_assert_eq!(seen.len(), drafts.len());
            prop_assert_eq!(row_check(&seen).unwrap(), drafts_check(&drafts));
            for (seen, draft) in seen.iter().zip(&drafts) {
                let got = seen.draft(&row).unwrap();
                prop_assert_eq!(&got.event, &draft.event);
                prop_assert_eq!((got.kind, &got.key, got.except), (draft.kind, &draft.key, draft.except));
            }
            // No part of a row is a row, and no row has something behind it.
            for cut in 0..row.len() {
                prop_assert!(look(&row[..cut]).is_err());
            }
            prop_assert!(look(&[&row[..], &[0]].concat()).is_err());
        }

        #[test]
        fn foreign_bytes_are_refused_or_read_but_never_a_panic(mut bytes in any::<Vec<u8>>(), count in 0..4_u8) {
            bytes.splice(0..0, [VERSION, count]);
            let row = Bytes::from(bytes);
            if let Ok(seen) = look(&row) {
                for event in seen {
                    drop(event.draft(&row));
                }
            }
        }
    }

    #[test]
    fn numbers_and_lengths_have_bounds() {
        let mut row = vec![VERSION];
        number(&mut row, 4_096);
        assert!(look(&row).is_err(), "more events than a row has");
        assert_eq!(take_number(&mut &[0xff; 10][..]), None, "a number has 64 bits");
        let mut most = Vec::new();
        number(&mut most, u64::MAX);
        assert_eq!(take_number(&mut &most[..]), Some(u64::MAX));
        assert_eq!(take_bytes(&mut &most[..]), None, "a length beyond the row");
    }
}

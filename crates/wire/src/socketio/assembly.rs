//! A packet and the attachments that follow it, put together.
//!
//! Between them nothing else may come. Their number, their bytes and their time have bounds, so that a header
//! that promises attachments cannot keep memory or a connection.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fault::Fault;
use super::packet::{Packet, Said, read};
use deskbell_core::limits::{self, Millis};

/// A packet with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    message: String,
    attachments: Vec<Bytes>,
}

impl Whole {
    /// The packet. Where an attachment belongs, it has a placeholder.
    pub fn packet(&self) -> Packet<'_> {
        read(&self.message).expect("the message was read once already")
    }

    /// The attachments, in their order.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

/// What of a packet has come. A connection on which nothing is pending needs one word for it.
#[derive(Debug, Default)]
pub struct Assembly {
    pending: Option<Box<Pending>>,
}

#[derive(Debug)]
struct Pending {
    whole: Whole,
    wanted: usize,
    bytes: usize,
    since: Millis,
}

impl Assembly {
    /// Nothing is pending.
    pub const fn new() -> Self {
        Self { pending: None }
    }

    /// A message of text: a packet, or `None` where its attachments are still to come.
    pub fn text<'a>(&mut self, message: &'a str, now: Millis) -> Result<Option<Packet<'a>>, Fault> {
        if self.pending.is_some() {
            return Err(Fault::MissingAttachment);
        }
        let packet = read(message)?;
        if packet.attachments == 0 {
            return Ok(Some(packet));
        }
        if let Said::Event { args, .. } | Said::Ack { args, .. } = &packet.said {
            placeholders(args.text(), packet.attachments)?;
        }
        let whole =
            Whole { message: message.to_owned(), attachments: Vec::with_capacity(packet.attachments) };
        let pending = Pending { whole, wanted: packet.attachments, bytes: message.len(), since: now };
        self.pending = Some(Box::new(pending));
        Ok(None)
    }

    /// A message of bytes: the last attachment makes the packet whole. `most` bounds all its bytes together.
    pub fn binary(&mut self, bytes: Bytes, most: usize, now: Millis) -> Result<Option<Whole>, Fault> {
        let Some(pending) = &mut self.pending else { return Err(Fault::StrayAttachment) };
        pending.bytes += bytes.len();
        if pending.bytes > most {
            return Err(Fault::AttachmentsTooBig);
        }
        if now >= pending.since + limits::ATTACHMENTS_TIME {
            return Err(Fault::AttachmentsLate);
        }
        pending.whole.attachments.push(bytes);
        if pending.whole.attachments.len() < pending.wanted {
            return Ok(None);
        }
        Ok(self.pending.take().map(|pending| pending.whole))
    }

    /// When the attachments must have come, if some are pending. At that moment it is too late.
    pub fn deadline(&self) -> Option<Millis> {
        self.pending.as_ref().map(|pending| pending.since + limits::ATTACHMENTS_TIME)
    }
}

/// Every placeholder must name one of so many attachments.
fn placeholders(args: &str, attachments: usize) -> Result<(), Fault> {
    let list = format!("[{args}]");
    let mut reader = serde_json::Deserializer::from_str(&list);
    Walk { attachments }.deserialize(&mut reader).map(drop).map_err(|_| Fault::Placeholder)
}

/// Walks through a value. It was found to be no deeper than every reader goes.
#[derive(Clone, Copy)]
struct Walk {
    attachments: usize,
}

/// What a value is to the object around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    True,
    Number(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Found, E> {
        Ok(if truth { Found::True } else { Found::Other })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Found, E> {
        Ok(Found::Number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        let (mut marked, mut num) = (false, None);
        while let Some(key) = items.next_key::<Cow<'de, str>>()? {
            let found = items.next_value_seed(self)?;
            match &*key {
                "_placeholder" => marked = found == Found::True,
                "num" => num = Some(found),
                _ => {}
            }
        }
        if !marked {
            return Ok(Found::Other);
        }
        match num {
            Some(Found::Number(num)) if num < self.attachments as u64 => Ok(Found::Other),
            _ => Err(serde::de::Error::custom("it names no attachment")),
        }
    }
}

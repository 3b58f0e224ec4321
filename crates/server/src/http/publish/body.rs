//! The body of a publish: one event, or a list of them.
//!
//! It is read in one pass, borrowed from the request's bytes. Data is kept byte for byte, in memory
//! of its own: the request's buffer is as large as the connection made it, and an event that pinned
//! it would weigh more than the bounds of the history know.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use deskbell_wire::native::json;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::problem::{Problem, bad_field, shown};

const FIELDS: &str = "channel, name, data, id, key, except";

/// What somebody wants to publish.
#[derive(Debug)]
pub enum Wanted {
    /// One event.
    One(Publish),
    /// Several, in this order.
    Many(Vec<Publish>),
}

/// Reads the body.
pub fn parse(body: &[u8]) -> Result<Wanted, Problem> {
    let mut read = Read::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let result = (&mut read).deserialize(&mut reader).and_then(|()| reader.end());
    if let Err(error) = result {
        return Err(unreadable(&error, read.at));
    }
    let Some(events) = &read.events else { return Ok(Wanted::One(read.one.publish()?)) };
    if read.one.any {
        return Err(
            bad_field("events", "stands beside the fields of one event; send one or the other").into()
        );
    }
    let publish =
        |(at, item): (usize, &Item<'_>)| item.publish().map_err(|no| in_list(at, no.code, &no.message));
    Ok(Wanted::Many(events.iter().enumerate().map(publish).collect::<Result<_, _>>()?))
}

/// A fault of one event in a list, which it names.
pub fn in_list(at: usize, code: Code, sentence: &str) -> Problem {
    Problem::new(code, format!("events[{at}]: {sentence}; no event was published")).about("index", at)
}

fn unreadable(error: &serde_json::Error, at: Option<usize>) -> Problem {
    // The reader's own words repeat the value, which may be long.
    const LONGEST: usize = 200;
    let mut why: String = error.to_string().chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if why.len() >= LONGEST {
        why.push('…');
    }
    let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
    match at {
        Some(_) if why.contains(TOO_MANY) => Problem::new(Code::LimitReached, why),
        Some(at) => in_list(at, code, &why),
        None => Problem::new(code, format!("the body is no event and no list of events: {why}")),
    }
}

const TOO_MANY: &str = "too many events";

/// A string of the body, borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of one event, as they stand in the body.
#[derive(Debug, Default)]
struct Item<'a> {
    any: bool,
    channel: Option<Text<'a>>,
    name: Option<Text<'a>>,
    data: Option<&'a RawValue>,
    id: Option<Text<'a>>,
    key: Option<Text<'a>>,
    except: Option<Text<'a>>,
}

impl<'a> Item<'a> {
    /// Takes the value of a field.
    fn take<A: MapAccess<'a>>(&mut self, field: &str, items: &mut A) -> Result<(), A::Error> {
        self.any = true;
        let text = match field {
            "data" => {
                let twice = self.data.replace(items.next_value()?).is_some();
                return if twice { Err(A::Error::duplicate_field("data")) } else { Ok(()) };
            }
            "channel" => &mut self.channel,
            "name" => &mut self.name,
            "id" => &mut self.id,
            "key" => &mut self.key,
            "except" => &mut self.except,
            other => {
                let sentence = format!("`{}` is no field of an event; it has {FIELDS}", shown(other));
                return Err(A::Error::custom(sentence));
            }
        };
        // `null` counts as absent: clients pass on what they stored or did not store.
        let value: Option<Text<'a>> = items.next_value()?;
        if text.is_some() {
            return Err(A::Error::custom(format_args!("`{field}` stands there twice; send it once")));
        }
        *text = value;
        Ok(())
    }

    fn publish(&self) -> Result<Publish, Refusal> {
        let data = self.data.ok_or_else(|| missing("data"))?.get();
        json::check("data", data)?;
        Ok(Publish {
            channel: ChannelName::parse(need("channel", self.channel.as_ref())?)?,
            name: EventName::parse(need("name", self.name.as_ref())?)?,
            data: Data::json(Bytes::copy_from_slice(data.as_bytes())),
            id: parsed("id", self.id.as_ref(), EventId::parse)?,
            key: parsed("key", self.key.as_ref(), Key::parse)?,
            except: parsed("except", self.except.as_ref(), PublicId::parse)?,
        })
    }
}

fn missing(name: &str) -> Refusal {
    bad_field(name, "is missing; an event has a channel, a name and data")
}

fn need<'t>(name: &str, text: Option<&'t Text<'_>>) -> Result<&'t str, Refusal> {
    text.map(|text| &*text.0).ok_or_else(|| missing(name))
}

fn parsed<T>(
    name: &str,
    text: Option<&Text<'_>>,
    parse: fn(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    // The grammar's sentence speaks of an id or key as such; the field must be named too.
    parse(&text.0).map(Some).map_err(|no| Refusal::new(no.code, format!("`{name}`: {}", no.message)))
}

/// The body as it is read.
#[derive(Debug, Default)]
struct Read<'a> {
    one: Item<'a>,
    events: Option<Vec<Item<'a>>>,
    /// The event of the list that is being read.
    at: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for &mut Read<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Read<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {FIELDS}, or with `events`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(field)) = items.next_key()? {
            if field != "events" {
                self.one.take(&field, &mut items)?;
                continue;
            }
            if self.events.is_some() {
                return Err(A::Error::duplicate_field("events"));
            }
            let mut list = Vec::new();
            items.next_value_seed(List { list: &mut list, at: &mut self.at })?;
            self.events = Some(list);
            self.at = None;
        }
        Ok(())
    }
}

/// The list of events, as it is read.
struct List<'l, 'a> {
    list: &'l mut Vec<Item<'a>>,
    at: &'l mut Option<usize>,
}

impl<'de> DeserializeSeed<'de> for List<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            *self.at = Some(self.list.len());
            let mut item = Item::default();
            if items.next_element_seed(Element(&mut item))?.is_none() {
                return Ok(());
            }
            if self.list.len() == limits::BATCH {
                let sentence = format!("{TOO_MANY}: one request has at most {}; send several", limits::BATCH);
                return Err(A::Error::custom(sentence));
            }
            self.list.push(item);
        }
    }
}

/// One event of the list.
struct Element<'l, 'a>(&'l mut Item<'a>);

impl<'de> DeserializeSeed<'de> for Element<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event, which is an object with {FIELDS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(field)) = items.next_key()? {
            self.0.take(&field, &mut items)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Publish {
        match parse(body.as_bytes()) {
            Ok(Wanted::One(publish)) => publish,
            other => panic!("{body}: {other:?}"),
        }
    }

    fn refused(body: &str) -> (Code, String) {
        let problem = parse(body.as_bytes()).map(|_| ()).unwrap_err();
        (problem.refusal().code, problem.refusal().message.to_string())
    }

    #[test]
    fn data_is_kept_byte_for_byte() {
        for data in ["null", "  1.50", "{\"b\": 1,\n \"a\":[ ]}", "\"\\u00e9é\"", "12345678901234567890123"]
        {
            let publish = one(&format!(r#"{{"channel":"c","name":"n","data":{data}}}"#));
            assert_eq!(publish.data.bytes, data.trim().as_bytes(), "{data}");
        }
    }

    #[test]
    fn every_field_is_understood() {
        let publish =
            one(r#"{"except":"7.9","key":"k","id":"a-1","data":1,"name":"n \u0041","channel":"c"}"#);
        assert_eq!(publish.channel.as_str(), "c");
        assert_eq!(publish.name.as_str(), "n A");
        assert_eq!(publish.id.unwrap().as_str(), "a-1");
        assert_eq!(publish.key.unwrap().as_str(), "k");
        assert_eq!(publish.except.unwrap().to_string(), "7.9");
        let bare = one(r#"{"channel":"c","name":"n","data":1,"id":null,"key":null,"except":null}"#);
        assert!(bare.id.is_none() && bare.key.is_none() && bare.except.is_none());
    }

    #[test]
    fn a_list_keeps_its_order() {
        let body = r#"{"events":[{"channel":"a","name":"n","data":1},{"channel":"b","name":"n","data":2}]}"#;
        let Ok(Wanted::Many(list)) = parse(body.as_bytes()) else { panic!() };
        let channels: Vec<&str> = list.iter().map(|publish| publish.channel.as_str()).collect();
        assert_eq!(channels, ["a", "b"]);
        assert!(matches!(parse(br#"{"events":[]}"#), Ok(Wanted::Many(list)) if list.is_empty()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let event = r#""channel":"c","name":"n","data":1"#;
        for (body, code, word) in [
            (r#"{"channel":"c","name":"n"}"#.to_owned(), Code::BadField, "`data`"),
            (r#"{"name":"n","data":1}"#.to_owned(), Code::BadField, "`channel`"),
            (r#"{"channel":"a b","name":"n","data":1}"#.to_owned(), Code::BadChannel, "channel name"),
            (r#"{"channel":"c","name":"","data":1}"#.to_owned(), Code::BadName, "event name"),
            (r#"{"channel":7,"name":"n","data":1}"#.to_owned(), Code::BadField, "string"),
            (format!(r#"{{{event},"chanel":1}}"#), Code::BadField, "`chanel`"),
            (format!(r#"{{{event},"name":"m"}}"#), Code::BadField, "`name`"),
            (format!(r#"{{{event},"data":2}}"#), Code::BadField, "`data`"),
            (format!(r#"{{{event},"except":"me"}}"#), Code::BadField, "`except`"),
            (format!(r#"{{{event},"events":[]}}"#), Code::BadField, "`events`"),
            (format!(r"{{{event}}} x"), Code::BadMessage, "trailing"),
            (format!(r"{{{event}"), Code::BadMessage, "EOF"),
            (String::new(), Code::BadMessage, "EOF"),
            ("[]".to_owned(), Code::BadField, "`events`"),
            (r#"{"events":{}}"#.to_owned(), Code::BadField, "list"),
            (format!(r#"{{"events":[{{{event}}},7]}}"#), Code::BadField, "events[1]"),
            (format!(r#"{{"events":[{{{event}}},{{{event},"x":1}}]}}"#), Code::BadField, "events[1]"),
            (format!(r#"{{"events":[{{{event}}},{{"name":"n","data":1}}]}}"#), Code::BadField, "events[1]"),
            (format!(r#"{{"events":[{{{event}}}],"at":1}}"#), Code::BadField, "`at`"),
            (r#"{"channel":"c","name":"n","data":1e999}"#.to_owned(), Code::BadField, "`data`"),
        ] {
            let (found, sentence) = refused(&body);
            assert_eq!(found, code, "{body}: {sentence}");
            assert!(sentence.contains(word), "{body}: {sentence}");
        }
    }

    #[test]
    fn a_list_is_bounded() {
        let body = |n| {
            let events = vec![r#"{"channel":"c","name":"n","data":1}"#; n].join(",");
            format!(r#"{{"events":[{events}]}}"#)
        };
        assert!(parse(body(limits::BATCH).as_bytes()).is_ok());
        let (code, sentence) = refused(&body(limits::BATCH + 1));
        assert_eq!(code, Code::LimitReached, "{sentence}");
    }

    #[test]
    fn long_values_are_not_repeated() {
        let body = format!(r#"{{"channel":["{}"],"name":"n","data":1}}"#, "x".repeat(10_000));
        assert!(refused(&body).1.len() < 500);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>, text in r#"[\{\}\[\]",:a-z0-9]{0,60}"#) {
            let _ = parse(&body);
            let _ = parse(text.as_bytes());
        }
    }
}

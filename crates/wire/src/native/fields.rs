//! The fields of one frame: each at most once, none that nobody knows.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use deskbell_core::refusal::{Code, Refusal};

/// Fields of one frame. The largest frame has eight; more than this is no mistake but an attempt.
const FIELDS: usize = 16;

/// A string of the frame, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A frame taken apart. What was read before a fault stays readable, so that `ref` can be echoed.
#[derive(Default)]
pub(super) struct Fields<'a> {
    list: Vec<(Cow<'a, str>, &'a RawValue)>,
    fault: Option<Refusal>,
}

impl<'a> Fields<'a> {
    /// Takes a frame apart.
    pub(super) fn read(&mut self, text: &'a str) -> Result<(), Refusal> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = (&mut *self).deserialize(&mut reader).and_then(|()| reader.end());
        match (self.fault.take(), read) {
            (Some(fault), _) => Err(fault),
            (None, Ok(())) => Ok(()),
            // The reader's own words repeat the value, which may be long.
            (None, Err(why)) if why.is_data() => Err(no_frame("it is another JSON value")),
            (None, Err(why)) => Err(no_frame(&why.to_string())),
        }
    }

    /// Takes a field out; `None` where the frame has none.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let place = self.list.iter().position(|(known, _)| known == name)?;
        Some(self.list.swap_remove(place).1)
    }

    /// Takes a string out. `null` counts as absent: clients pass on what they stored or did not store.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(raw) = self.take(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        match serde_json::from_str::<Text<'a>>(raw.get()) {
            Ok(text) => Ok(Some(text.0)),
            Err(_) => Err(bad_field(name, "must be a string")),
        }
    }

    /// Takes a list of at most `most` strings out.
    pub(super) fn texts(&mut self, name: &str, most: usize) -> Result<Vec<Cow<'a, str>>, Refusal> {
        let Some(raw) = self.take(name).filter(|raw| raw.get() != "null") else { return Ok(Vec::new()) };
        let list = serde_json::from_str::<Vec<Text<'a>>>(raw.get());
        let list = list.map_err(|_| bad_field(name, "must be an array of strings"))?;
        if list.len() > most {
            let message = format!("`{name}` has at most {most} entries; subscribe to the others one by one");
            return Err(Refusal::new(Code::LimitReached, message));
        }
        Ok(list.into_iter().map(|text| text.0).collect())
    }

    /// Refuses a frame that holds more than the named fields.
    pub(super) fn only(&self, kind: &str, known: &[&str]) -> Result<(), Refusal> {
        let unknown = self.list.iter().find(|(name, _)| !known.contains(&name.as_ref()));
        let Some((name, _)) = unknown else { return Ok(()) };
        let known = [&["type", "ref"], known].concat().join(", ");
        let message = format!("`{}` is no field of `{kind}`; it has {known}", shown(name));
        Err(Refusal::new(Code::BadField, message))
    }
}

impl<'de> DeserializeSeed<'de> for &mut Fields<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = items.next_key()? {
            let value = items.next_value()?;
            if self.list.len() == FIELDS {
                self.fault = Some(no_frame(&format!("it has more than {FIELDS} fields")));
                return Err(A::Error::custom("too many fields"));
            }
            if self.list.iter().any(|(known, _)| *known == name) {
                let fault = bad_field(&shown(&name), "stands in the frame twice; send it once");
                self.fault.get_or_insert(fault);
                if name == "ref" {
                    // Nobody can tell which of the two the client waits for.
                    self.list.retain(|(known, _)| known != "ref");
                }
                continue;
            }
            self.list.push((name, value));
        }
        Ok(())
    }
}

fn no_frame(why: &str) -> Refusal {
    let message = format!("a frame is one JSON object with a `type`, and this is none: {why}");
    Refusal::new(Code::BadMessage, message)
}

/// A refusal that names the field.
pub(super) fn bad_field(name: &str, rule: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{name}` {rule}"))
}

/// A client's own words in a refusal: short, and with nothing in them that could break a log line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

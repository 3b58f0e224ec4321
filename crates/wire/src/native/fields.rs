//! The fields of one frame: each at most once, none that nobody knows.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use deskbell_core::position::fnv;
use deskbell_core::refusal::{Code, Refusal};

/// Fields of one frame. The largest frame has eight; more than this is no mistake but an attempt.
const FIELDS: usize = 16;

/// A string of the frame, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A frame taken apart. What was read before a fault stays readable, so that `ref` can be echoed.
pub struct Fields<'a> {
    list: Vec<(Cow<'a, str>, &'a RawValue)>,
    fault: Option<Refusal>,
    of: Of,
}

/// What the fields are of: the sentences name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Frame,
    Body,
    Object(&'static str),
}

impl Of {
    fn form(self) -> String {
        match self {
            Self::Frame => "a frame is one JSON object with a `type`".to_owned(),
            Self::Body => "the body is one JSON object".to_owned(),
            Self::Object(name) => format!("`{name}` is one JSON object"),
        }
    }
}

impl<'a> Fields<'a> {
    /// Those of a frame, still to be read.
    pub fn of_frame() -> Self {
        Self { list: Vec::new(), fault: None, of: Of::Frame }
    }

    /// Those of a request's body, still to be read.
    pub fn of_body() -> Self {
        Self { of: Of::Body, ..Self::of_frame() }
    }

    /// Those of an object inside of a body, with none but these.
    pub fn of_object(raw: &'a RawValue, name: &'static str, known: &[&str]) -> Result<Self, Refusal> {
        let mut fields = Self { of: Of::Object(name), ..Self::of_frame() };
        fields.read(raw.get())?;
        fields.only(name, known)?;
        Ok(fields)
    }

    /// Takes a frame apart.
    pub fn read(&mut self, text: &'a str) -> Result<(), Refusal> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = (&mut *self).deserialize(&mut reader).and_then(|()| reader.end());
        match (self.fault.take(), read) {
            (Some(fault), _) => Err(fault),
            (None, Ok(())) => Ok(()),
            // The reader's own words repeat the value, which may be long.
            (None, Err(why)) if why.is_data() => Err(self.no_object("it is another JSON value")),
            (None, Err(why)) => Err(self.no_object(&why.to_string())),
        }
    }

    /// Takes a field out; `None` where the frame has none.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let place = self.list.iter().position(|(known, _)| known == name)?;
        Some(self.list.swap_remove(place).1)
    }

    /// Takes a field out; `null` counts as absent, because clients pass on what they stored or did not store.
    pub fn present(&mut self, name: &str) -> Option<&'a RawValue> {
        self.take(name).filter(|raw| raw.get() != "null")
    }

    /// Takes a whole number out.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        self.present(name).map(|raw| crate::ledger::whole(name, raw)).transpose()
    }

    /// Takes a truth value out.
    pub fn switch(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        let Some(raw) = self.present(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| bad_field(name, "is `true` or `false`"))
    }

    /// A hash of what is left, in any order: the same request sent again has the same.
    pub fn hash(&self) -> u64 {
        let mut list: Vec<(&str, &str)> =
            self.list.iter().map(|(name, raw)| (name.as_ref(), raw.get())).collect();
        list.sort_unstable();
        let parts = list.iter().flat_map(|(name, raw)| [fnv(name.as_bytes()), fnv(raw.as_bytes())]);
        parts.fold(0, |hash: u64, part| hash.rotate_left(13) ^ part)
    }

    fn no_object(&self, why: &str) -> Refusal {
        Refusal::new(Code::BadMessage, format!("{}, and this is none: {why}", self.of.form()))
    }

    /// Takes a string out. `null` counts as absent: clients pass on what they stored or did not store.
    pub fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(raw) = self.take(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        match serde_json::from_str::<Text<'a>>(raw.get()) {
            Ok(text) => Ok(Some(text.0)),
            Err(_) => Err(bad_field(name, "must be a string")),
        }
    }

    /// Takes a list of at most `most` strings out.
    pub fn texts(&mut self, name: &str, most: usize) -> Result<Vec<Cow<'a, str>>, Refusal> {
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
    pub fn only(&self, kind: &str, known: &[&str]) -> Result<(), Refusal> {
        let unknown = self.list.iter().find(|(name, _)| !known.contains(&name.as_ref()));
        let Some((name, _)) = unknown else { return Ok(()) };
        let every: &[&str] = if self.of == Of::Frame { &["type", "ref"] } else { &[] };
        let known = [every, known].concat().join(", ");
        let known = if known.is_empty() { "none" } else { &known };
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
                self.fault = Some(self.no_object(&format!("it has more than {FIELDS} fields")));
                return Err(A::Error::custom("too many fields"));
            }
            if self.list.iter().any(|(known, _)| *known == name) {
                let fault = bad_field(&shown(&name), "stands there twice; send it once");
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

/// A refusal that names the field.
pub fn bad_field(name: &str, rule: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{name}` {rule}"))
}

/// A client's own words in a refusal: short, and with nothing in them that could break a log line.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

//! Objects as JavaScript reads them: any members in any number, and of two with one name the last counts.
//!
//! Clients that were written against a lenient server send what they like beside what is asked for. What is looked
//! for is kept, everything else is read over, so an object takes no more memory than its text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object that are looked for.
#[derive(Debug)]
pub struct Loose<'a> {
    known: &'static [&'static str],
    values: Vec<Option<&'a RawValue>>,
}

/// Text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Loose<'a> {
    /// Reads a text. `None` where it is no JSON at all; JSON that is no object has no members.
    pub fn read(text: &'a str, known: &'static [&'static str]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Self::of(raw, known)
    }

    /// The members of a value. `None` where a name in it is none.
    pub fn of(raw: &'a RawValue, known: &'static [&'static str]) -> Option<Self> {
        let mut loose = Self { known, values: vec![None; known.len()] };
        members(raw, &mut |name, value| {
            if let Some(place) = known.iter().position(|known| *known == name) {
                loose.values[place] = Some(value);
            }
        })?;
        Some(loose)
    }

    /// A member as it was written; `null` counts as absent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        debug_assert!(self.known.contains(&name), "`{name}` is not looked for");
        let place = self.known.iter().position(|known| *known == name)?;
        self.values[place].filter(|raw| raw.get() != "null")
    }

    /// The first of two names that is there.
    pub fn either(&self, name: &str, alias: &str) -> Option<&'a RawValue> {
        self.raw(name).or_else(|| self.raw(alias))
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(text)
    }

    /// Is it there, and would JavaScript count it as true?
    pub fn is_truthy(&self, name: &str) -> bool {
        self.raw(name).is_some_and(is_truthy)
    }
}

/// A value that is a text.
pub fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Would JavaScript count it as true?
pub fn is_truthy(raw: &RawValue) -> bool {
    match raw.get() {
        "null" | "false" | r#""""# => false,
        number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            number.parse::<f64>().is_ok_and(|number| number != 0.0)
        }
        _ => true,
    }
}

/// Shows every member of a value in its order; one that is no object has none. `None` where a name is none.
pub fn members<'a>(raw: &'a RawValue, each: &mut dyn FnMut(&str, &'a RawValue)) -> Option<()> {
    if !raw.get().starts_with('{') {
        return Some(());
    }
    serde_json::Deserializer::from_str(raw.get()).deserialize_map(Each(each)).ok()
}

struct Each<'f, 'a>(&'f mut dyn FnMut(&str, &'a RawValue));

impl<'de> Visitor<'de> for Each<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = items.next_key()? {
            (self.0)(&name, items.next_value()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["a", "b"];

    #[test]
    fn the_last_of_two_counts_and_what_nobody_looks_for_is_read_over() {
        let loose = Loose::read(r#" {"a":1,"x":[{}],"b":"\u0062","a":2} "#, KNOWN).unwrap();
        assert_eq!(loose.raw("a").unwrap().get(), "2");
        assert_eq!(loose.text("b").as_deref(), Some("b"));
        assert_eq!(loose.text("a"), None, "a number is no text");
    }

    #[test]
    fn what_is_no_object_has_no_members_and_what_is_no_json_is_nothing() {
        for text in ["5", "null", "[1]", r#""{}""#, "{}"] {
            assert!(Loose::read(text, KNOWN).unwrap().raw("a").is_none(), "{text}");
        }
        for text in ["", "{", "{} {}", "invalid json", r#"{"a":}"#] {
            assert!(Loose::read(text, KNOWN).is_none(), "{text}");
        }
    }

    #[test]
    fn truth_is_that_of_javascript() {
        let truthy = |value: &str| is_truthy(&RawValue::from_string(value.to_owned()).unwrap());
        for yes in ["1", "-1", "0.5", "1e9", r#""0""#, "true", "[]", "{}"] {
            assert!(truthy(yes), "{yes}");
        }
        for no in ["0", "-0", "0.0", "0e5", r#""""#, "false", "null"] {
            assert!(!truthy(no), "{no}");
        }
    }
}

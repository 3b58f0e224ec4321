//! May this JSON be passed on to others, byte for byte?
//!
//! Data is never rewritten, so what one client sends every other client must be able to read. JSON that
//! common readers refuse (too deep, half a surrogate pair, a number beyond every range) would otherwise
//! poison the frame, and with a poll the whole answer, again at each attempt.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use deskbell_core::refusal::{Code, Refusal};

/// Levels of nesting in opaque data. Common readers stop at 128 levels (`serde_json`) or 512 (PHP), and the
/// frame and the poll answer around the data take some of them.
pub const DEPTH: usize = 100;

/// Checks one JSON value that stands in the named field.
pub fn check(field: &str, text: &str) -> Result<(), Refusal> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Levels(DEPTH).deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|why| {
        Refusal::new(Code::BadField, format!("`{field}` is JSON that not every client can read: {why}"))
    })
}

/// Reads and forgets a value that has at most this many more levels.
struct Levels(usize);

impl Levels {
    fn inner<E: serde::de::Error>(self) -> Result<usize, E> {
        let too_deep = || E::custom(format_args!("it is nested deeper than {DEPTH} levels, send it flatter"));
        self.0.checked_sub(1).ok_or_else(too_deep)
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner::<A::Error>()?;
        while items.next_element_seed(Levels(inner))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner::<A::Error>()?;
        while items.next_key::<IgnoredAny>()?.is_some() {
            items.next_value_seed(Levels(inner))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn depth_is_bounded_exactly() {
        assert_eq!(check("data", &nested(DEPTH)), Ok(()));
        let refusal = check("data", &nested(DEPTH + 1)).unwrap_err();
        assert!(refusal.message.contains("deeper than 100 levels"), "{refusal}");
        let objects = r#"{"a":"#.repeat(DEPTH + 1) + "1" + &"}".repeat(DEPTH + 1);
        assert!(check("data", &objects).is_err());
        // Depth is counted along a branch, not over the whole value.
        assert_eq!(check("data", &format!("[{0},{0},{0}]", nested(DEPTH - 1))), Ok(()));
    }

    #[test]
    fn what_strict_readers_refuse_is_refused() {
        for bad in [r#""\ud800""#, r#"{"\udc00":1}"#, "1e999", "[1,]", "01", "1 2", "", "\"\u{1}\""] {
            assert_eq!(check("data", bad).map_err(|r| r.code), Err(Code::BadField), "{bad}");
        }
        for good in ["null", "-0", "1e-999", r#""\ud83d\ude00""#, "123456789012345678901234567890", " 1 "] {
            assert_eq!(check("data", good), Ok(()), "{good}");
        }
    }
}

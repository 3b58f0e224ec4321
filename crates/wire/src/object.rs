//! Writes a JSON object member by member, in the order in which clients are used to see them.

use std::fmt::Display;

use serde::Serialize;

/// An object under way.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// Without a member.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// With its `type`.
    pub fn of_type(kind: &str) -> Self {
        Self::new().text("type", kind)
    }

    /// A text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.value(name, value)
    }

    /// Whatever serialises.
    #[must_use]
    pub fn value<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        let json = serde_json::to_string(value).expect("texts, numbers and lists of them always serialise");
        self.raw(name, &json)
    }

    /// JSON as it stands.
    #[must_use]
    pub fn raw(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// JSON as it stands, where there is any.
    #[must_use]
    pub fn maybe(self, name: &str, json: Option<&str>) -> Self {
        match json {
            Some(json) => self.raw(name, json),
            None => self,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(self, name: &str, number: impl Display) -> Self {
        self.raw(name, &number.to_string())
    }

    /// A truth.
    #[must_use]
    pub fn flag(self, name: &str, flag: bool) -> Self {
        self.raw(name, if flag { "true" } else { "false" })
    }

    /// The whole.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text always serialises")
}

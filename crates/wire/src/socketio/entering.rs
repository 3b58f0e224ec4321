//! What a client shows when it wants to come in, and whether it can be told where it stands.
//!
//! Who is told where it stands gets one argument more with each event. Most libraries give all arguments to a
//! function that takes as many as it likes; Python's functions take exactly theirs and fail with one more.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::native::decode::SEALED_TEXT;
use deskbell_core::limits;

/// What of the data is ours; the rest is the application's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Who is there.
    pub token: Option<Cow<'a, str>>,
    /// The secret by which it comes back as who it was.
    pub pid: Option<Cow<'a, str>>,
    /// Where it stood; nothing, if it had not heard of any event yet.
    pub offset: Option<Cow<'a, str>>,
}

impl<'a> Shown<'a> {
    /// Reads the object. What is no string is not for us, and what is too long for its kind is none of it; a
    /// name that stands there twice counts as it does in the client's own language: the last time.
    pub fn read(data: Option<&'a str>) -> Self {
        let Some(data) = data else { return Self::default() };
        let mut shown = Self::default();
        let mut reader = serde_json::Deserializer::from_str(data);
        // The packet's reader has found that it is an object.
        let _ = reader.deserialize_map(&mut shown);
        shown.token = shown.token.filter(|token| token.len() <= limits::TOKEN);
        shown.pid = shown.pid.filter(|pid| pid.len() <= SEALED_TEXT);
        shown.offset = shown.offset.filter(|offset| offset.len() <= SEALED_TEXT);
        shown
    }
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for &mut Shown<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = items.next_key()? {
            let field = match &*key {
                "token" => &mut self.token,
                "pid" => &mut self.pid,
                "offset" => &mut self.offset,
                _ => {
                    items.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value: &RawValue = items.next_value()?;
            *field = serde_json::from_str::<Text<'de>>(value.get()).ok().map(|Text(text)| text);
        }
        Ok(())
    }
}

/// What a request says of the program that sent it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Program<'a> {
    /// The value of `User-Agent`.
    pub agent: Option<&'a str>,
    /// The value of `Origin`.
    pub origin: Option<&'a str>,
    /// What the query or the configuration says of recovery; they are asked first.
    pub wish: Option<bool>,
}

impl Program<'_> {
    /// Whether each event may have one argument more, by which the client comes back without a gap. Who shows
    /// such an argument from an earlier connection has proved that it can.
    ///
    /// ```
    /// use deskbell_wire::socketio::Program;
    /// let python = Program { agent: Some("Python/3.12 aiohttp/3.9.5"), ..Program::default() };
    /// assert!(Program::default().takes_offsets(false) && !python.takes_offsets(false));
    /// ```
    pub fn takes_offsets(&self, comes_back: bool) -> bool {
        self.wish.unwrap_or_else(|| comes_back || !self.is_python())
    }

    /// Python's WebSocket library says nothing of itself but states an origin, which no browser does.
    fn is_python(&self) -> bool {
        match (self.agent, self.origin) {
            (None, origin) => origin.is_some(),
            (Some(agent), _) => {
                let agent = agent.to_ascii_lowercase();
                ["python", "aiohttp", "httpx"].iter().any(|name| agent.contains(name))
            }
        }
    }
}

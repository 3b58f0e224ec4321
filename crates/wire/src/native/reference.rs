//! The client's own mark on a frame, which only comes back to it.

use serde_json::value::RawValue;

use super::json;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// A `ref` as the client wrote it: a JSON string or number, echoed byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reference(Option<Box<str>>);

impl Reference {
    /// The client gave none, or it could not be read.
    pub fn none() -> Self {
        Self(None)
    }

    /// The JSON text to echo.
    pub fn as_json(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Takes the value of the field `ref`; `null` is the same as none.
    ///
    /// The bound counts the bytes as they were written, without a string's quotes.
    pub(super) fn read(raw: &RawValue) -> Result<Self, Refusal> {
        let text = raw.get();
        let length = match text.as_bytes()[0] {
            b'n' => return Ok(Self::none()),
            b'"' => text.len() - 2,
            b'-' | b'0'..=b'9' => text.len(),
            _ => return Err(Refusal::new(Code::BadField, "`ref` is a string or a number")),
        };
        if length > limits::REF {
            let message = format!("`ref` has at most {} bytes; use a short counter or id", limits::REF);
            return Err(Refusal::new(Code::BadField, message));
        }
        json::check("ref", text)?;
        Ok(Self(Some(text.into())))
    }
}

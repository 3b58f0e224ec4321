//! Busy times as a JSON list, for whoever has no calendar but a database.

use deskbell_core::calendar::Span;
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::{Code, Refusal};
use serde::Deserialize;

use crate::ledger::time;

/// What somebody says of being busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// When.
    pub spans: Vec<Span>,
    /// The moment that it describes, where that is said.
    pub as_of: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    busy: Vec<Time>,
    #[serde(default)]
    as_of: Option<At>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    start: At,
    end: At,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum At {
    Number(u64),
    Text(String),
}

impl At {
    fn read(&self, field: &str) -> Result<Millis, Refusal> {
        match self {
            Self::Number(number) => time::of_number(field, Some(*number)),
            Self::Text(text) => time::of_text(field, text),
        }
    }
}

/// Reads `{"busy":[{"start","end"}], "as_of"?}`.
///
/// ```
/// let busy = deskbell_wire::ics::list(br#"{"busy":[{"start":1000,"end":"1970-01-01T00:00:02Z"}]}"#).unwrap();
/// assert_eq!((busy.spans[0].start, busy.spans[0].end, busy.as_of), (1_000, 2_000, None));
/// ```
pub fn list(bytes: &[u8]) -> Result<Busy, Refusal> {
    let body: Body = serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
        let sentence = "the body is {\"busy\":[{\"start\",\"end\"}, …], \"as_of\"?}, or an iCalendar with the \
                        content type text/calendar";
        Refusal::new(code, sentence)
    })?;
    if body.busy.len() > limits::BLOCK_CLAIMS {
        let sentence = format!("`busy` has more than {} times; send several sources", limits::BLOCK_CLAIMS);
        return Err(Refusal::new(Code::LimitReached, sentence));
    }
    let span = |one: &Time| {
        let (start, end) = (one.start.read("start")?, one.end.read("end")?);
        if start < end {
            return Ok(Span { start, end });
        }
        Err(Refusal::new(Code::BadField, "`end` lies before `start`, or at it; busy times last"))
    };
    let spans = body.busy.iter().map(span).collect::<Result<_, Refusal>>()?;
    Ok(Busy { spans, as_of: body.as_of.map(|at| at.read("as_of")).transpose()? })
}

//! The data of a frame, made of an event's.
//!
//! | text in the template | what stands there in the frame |
//! |---|---|
//! | `$a.b.0` | that part of the event's data; the field is left out where there is none |
//! | `$` | all of the event's data |
//! | `$$…` | the text behind the first `$` |
//! | `$event.name`, `$event.id` | the event's name and id |
//! | `$event.at` | when it happened, in milliseconds |
//! | `$event.action` | the last word of its name |
//! | `$iso:PATH` | the time at a path (or `event.at`) as `2026-01-31T09:00:00.000Z` |
//! | `$text:PATH` | the value as a text |
//! | `$id:PATH` | the id of a user, where the value names one as `user:7` |

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::action;
use crate::event::Event;
use crate::limits::{self, Millis};
use crate::refusal::{Code, Refusal};

/// A template that is sound.
#[derive(Debug, Clone)]
pub(super) struct Template(Value);

impl Template {
    pub(super) fn parse(value: Value) -> Result<Self, Refusal> {
        if size(&value, 0) > limits::PROJECTION_FIELDS {
            let sentence = "`data` has 200 values at most, no deeper than 16; show less";
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
        Ok(Self(value))
    }

    /// The frame's data.
    pub(super) fn fill(&self, event: &Event, data: &Value) -> Vec<u8> {
        let filled = fill(&self.0, event, data).unwrap_or(Value::Null);
        filled.to_string().into_bytes()
    }
}

/// Values of a template; one that is too deep counts as too many.
fn size(value: &Value, depth: usize) -> usize {
    if depth > 16 {
        return limits::PROJECTION_FIELDS + 1;
    }
    match value {
        Value::Array(list) => 1 + list.iter().map(|inner| size(inner, depth + 1)).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(|inner| size(inner, depth + 1)).sum::<usize>(),
        _ => 1,
    }
}

fn fill(template: &Value, event: &Event, data: &Value) -> Option<Value> {
    match template {
        Value::String(text) => match text.strip_prefix('$') {
            None => Some(template.clone()),
            Some(literal) if literal.starts_with('$') => Some(Value::from(literal)),
            Some(path) => look(path, event, data),
        },
        Value::Array(list) => {
            Some(Value::Array(list.iter().filter_map(|inner| fill(inner, event, data)).collect()))
        }
        Value::Object(fields) => {
            let filled = fields
                .iter()
                .filter_map(|(name, inner)| fill(inner, event, data).map(|value| (name.clone(), value)));
            Some(Value::Object(filled.collect::<Map<_, _>>()))
        }
        other => Some(other.clone()),
    }
}

fn look(path: &str, event: &Event, data: &Value) -> Option<Value> {
    if let Some(path) = path.strip_prefix("iso:") {
        return look(path, event, data)?.as_u64().and_then(iso).map(Value::from);
    }
    if let Some(path) = path.strip_prefix("id:") {
        let named = look(path, event, data)?;
        return named.as_str().and_then(|named| named.strip_prefix("user:")).map(Value::from);
    }
    if let Some(path) = path.strip_prefix("text:") {
        return look(path, event, data).map(|value| match value {
            Value::String(text) => Value::String(text),
            other => Value::from(other.to_string()),
        });
    }
    match path {
        "event.name" => Some(Value::from(event.name.as_str())),
        "event.id" => Some(Value::from(event.id.as_str())),
        "event.at" => Some(Value::from(event.at)),
        "event.action" => Some(Value::from(action(event.name.as_str()))),
        path => part(data, path).cloned(),
    }
}

/// A part of an event's data; an empty path is all of it.
pub(super) fn part<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() { Some(data) } else { path.split('.').try_fold(data, step) }
}

fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(part),
        _ => None,
    }
}

/// A time as JavaScript's `toISOString` writes it; none from the last days of the year 9999 on.
pub fn iso(at: Millis) -> Option<String> {
    let at = Timestamp::from_millisecond(i64::try_from(at).ok()?).ok()?;
    Some(format!("{at:.3}"))
}

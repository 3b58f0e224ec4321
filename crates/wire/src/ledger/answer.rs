//! Members of an answer: what was decided, or what is in the way.

use deskbell_core::refusal::Code;
use deskbell_core::reservation::Refused;
use serde::Serialize;
use serde_json::{Map, Value};

/// Writes an answer's members as one JSON object.
pub fn write_members(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("our own answers always serialise into memory")
}

/// What a refusal of the ledger says beside its code and its sentence.
pub fn members_of_refusal(refused: &Refused) -> Map<String, Value> {
    let mut members = Map::new();
    if refused.refusal.code != Code::Conflict {
        return members;
    }
    members.insert("conflicts".to_owned(), value(&refused.conflicts));
    members.insert("alternatives".to_owned(), value(&refused.alternatives));
    if let Some(waiting) = refused.waiting {
        members.insert("waiting".to_owned(), waiting.into());
    }
    members
}

fn value(part: &impl Serialize) -> Value {
    serde_json::to_value(part).expect("our own answers always serialise into memory")
}

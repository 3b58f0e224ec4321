//! Native messages: a refusal says something short; what is passed on are the client's own bytes; and a `ref`
//! comes back as it was.

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::{Command, Notice};
use deskbell_wire::native::{Reference, decode, encode};
use serde_json::Value;
use serde_json::value::RawValue;

/// The longest sentence that a refusal may need, quoted input included.
const SENTENCE: usize = 1_000;

/// Any text.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match decode(text) {
        Ok((command, reference)) => {
            passed_on(text, &command);
            echoed(text, &reference);
            assert!(serde_json::from_str::<&RawValue>(text).is_ok(), "this is no JSON, but was understood");
        }
        Err(rejected) => {
            spoken(&rejected.refusal);
            echoed(text, &rejected.reference);
        }
    }
    assert_eq!(decode(text), decode(text), "one frame was understood in two ways");
}

fn passed_on(text: &str, command: &Command) {
    let data = match command {
        Command::Publish(publish) => &publish.data.bytes,
        Command::Enter { data, .. } => data,
        _ => return,
    };
    let data = std::str::from_utf8(data).expect("data is text");
    assert!(data == "null" || text.contains(data), "data was rewritten: {data}");
}

fn spoken(refusal: &Refusal) {
    assert!(Code::ALL.contains(&refusal.code));
    let length = refusal.message.len();
    assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
}

fn echoed(text: &str, reference: &Reference) {
    let mut frame = Vec::new();
    encode(&Notice::Pong, reference, &mut frame);
    let frame: Value = serde_json::from_slice(&frame).expect("our frames are JSON");
    let Some(json) = reference.as_json() else {
        assert!(frame.get("ref").is_none());
        return;
    };
    assert!(text.contains(json) && json.len() <= limits::REF + 2, "this `ref` never came: {json}");
    assert_eq!(frame["ref"], serde_json::from_str::<Value>(json).expect("a `ref` is JSON"));
}

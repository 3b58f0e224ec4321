//! Bodies of `POST /v1/publish`: data stays what it was, what was read can be written and read again, and a refusal
//! says something short.

use deskbell_core::event::Form;
use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_core::vocabulary::Publish;
use deskbell_server::http::publish::body::{Wanted, parse};

/// The longest sentence that a refusal may need, quoted input included.
const SENTENCE: usize = 1_500;

/// Any bytes.
pub fn check(data: &[u8]) {
    match parse(data) {
        Ok(wanted) => {
            let events = events(wanted);
            events.iter().for_each(|event| kept(data, event));
            let written: Vec<_> = events.iter().map(written).collect();
            let again = parse(format!("{{\"events\":[{}]}}", written.join(",")).as_bytes());
            assert!(again.is_ok_and(|again| self::events(again) == events), "written again: {written:?}");
        }
        Err(problem) => {
            let refusal = problem.refusal();
            assert!(Code::ALL.contains(&refusal.code) && refusal.code.http_status() < 500);
            let length = refusal.message.len();
            assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
        }
    }
}

fn events(wanted: Wanted) -> Vec<Publish> {
    match wanted {
        Wanted::One(event) => vec![event],
        Wanted::Many(events) => events,
    }
}

fn kept(body: &[u8], event: &Publish) {
    let data = &event.data.bytes;
    assert_eq!(event.data.form, Form::Json);
    let stands = body.windows(data.len()).any(|window| window == data);
    assert!(stands || &data[..] == b"null", "data was rewritten: {data:?}");
    assert!(event.channel.as_str().len() <= limits::CHANNEL_NAME && !event.channel.as_str().is_empty());
}

fn written(event: &Publish) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a string is JSON");
    let mut json =
        format!("{{\"channel\":{},\"name\":{}", text(event.channel.as_str()), text(event.name.as_str()));
    let except = event.except.map(|id| id.to_string());
    let optional = [
        ("id", event.id.as_ref().map(|id| id.as_str())),
        ("key", event.key.as_ref().map(|key| key.as_str())),
        ("except", except.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            json += &format!(",\"{name}\":{}", text(value));
        }
    }
    json + ",\"data\":" + std::str::from_utf8(&event.data.bytes).expect("JSON is text") + "}"
}

//! Whatever comes in, what goes out can be read by the strictest client.

use bytes::Bytes;
use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event, Form, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName};
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use deskbell_wire::pusher::{consent, decode, encode, trigger, xhr};
use proptest::prelude::*;
use serde_json::Value;

fn frames(kind: Kind, name: &str, data: Data, by: Option<&str>) -> Vec<Value> {
    let event = Event {
        id: EventId::parse("id").unwrap(),
        channel: ChannelName::parse("presence-a").unwrap(),
        name: EventName::parse(name).unwrap(),
        data,
        at: 1,
    };
    let mut log = Log::new(Epoch(1), 0, 0, Classes::default());
    let draft = Draft { kind, by: by.map(Into::into), ..Draft::message(event) };
    log.append(draft, None, 1).unwrap();
    let mut entries = Vec::new();
    log.pull(0, 1, &mut entries);
    let mut out = Vec::new();
    encode::event(&entries[0], &mut |json| out.push(serde_json::from_slice(json).unwrap()));
    out
}

proptest! {
    #[test]
    fn a_triggered_text_arrives_as_it_was(text: String, name in "[^\\p{C}]{1,40}") {
        let body = serde_json::json!({ "name": name, "channel": "presence-a", "data": text });
        let bounds = trigger::Bounds { data: 1 << 20, ..trigger::Bounds::default() };
        let Ok(one) = trigger::one(body.to_string().as_bytes(), bounds) else {
            prop_assert!(name.starts_with("pusher"));
            return Ok(());
        };
        let frames = frames(Kind::Message, &name, one.data, None);
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(&frames[0]["data"], &Value::String(text));
        prop_assert_eq!(&frames[0]["event"], &Value::String(name));
    }

    #[test]
    fn what_a_client_says_keeps_its_form(number: i64, text: String, is_text: bool, by in "[a-z0-9]{1,9}") {
        let said = if is_text { Value::String(text) } else { serde_json::json!({ "n": [number, null] }) };
        let frame = serde_json::json!({ "event": "client-x", "channel": "presence-a", "data": said });
        let Ok(deskbell_wire::pusher::Asked::Whisper { name, data, .. }) = decode(&frame.to_string()) else {
            return Err(TestCaseError::fail("no whisper"));
        };
        let frames = frames(Kind::Whisper, name.as_str(), data, Some(&by));
        prop_assert_eq!(&frames[0]["data"], &said);
        prop_assert_eq!(&frames[0]["user_id"], &Value::String(by));
    }

    #[test]
    fn anything_is_read_or_refused(text: String) {
        let _ = decode(&text);
        let _ = trigger::one(text.as_bytes(), trigger::Bounds::default());
        let _ = deskbell_wire::pusher::User::read(&text);
        let _ = consent::Wanted::read(text.as_bytes());
        let _ = consent::Said::read(text.as_bytes());
        let _ = xhr::frames(text.as_bytes());
    }

    #[test]
    fn a_frame_is_one_line_and_comes_out_as_it_went_in(frame: String) {
        let mut out = Vec::new();
        xhr::message(frame.as_bytes(), &mut out);
        prop_assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
        let list = out.strip_prefix(b"a").and_then(|rest| rest.strip_suffix(b"\n")).unwrap();
        prop_assert_eq!(xhr::frames(list).unwrap(), vec![frame]);
    }

    #[test]
    fn a_length_is_that_of_the_clients_own_texts(text: String) {
        prop_assert_eq!(xhr::units(text.as_bytes()), text.encode_utf16().count());
    }

    #[test]
    fn a_signature_by_the_endpoint_is_one_that_a_shard_takes(channel in "private-[a-z.]{1,20}", data: Option<String>) {
        let app = deskbell_wire::pusher::proof::App { key: "key", secret: b"secret" };
        let answer = consent::for_channel(app, "1.2", &channel, data.as_deref());
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let auth = answer["auth"].as_str().unwrap();
        prop_assert_eq!(answer["channel_data"].as_str(), data.as_deref());
        prop_assert!(app.channel(auth, "1.2", &channel, data.as_deref()).is_ok());
    }

    #[test]
    fn every_frame_has_a_text_as_its_data(members in proptest::collection::vec("[a-z]{1,8}", 1..5)) {
        let list: Vec<Value> = members.iter().map(|id| serde_json::json!({ "id": id, "data": { "n": id } })).collect();
        let data = Data { form: Form::Json, bytes: Bytes::from(serde_json::to_vec(&list).unwrap()) };
        for kind in [Kind::Joined, Kind::Left] {
            let frames = frames(kind, "x", data.clone(), None);
            prop_assert_eq!(frames.len(), members.len());
            for (frame, member) in frames.iter().zip(&members) {
                let inner: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
                prop_assert_eq!(&inner["user_id"], &Value::String(member.clone()));
                prop_assert_eq!(inner.get("user_info").is_some(), kind == Kind::Joined);
            }
        }
    }
}

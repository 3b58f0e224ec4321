//! What holds for every frame: it reads as what was written, and nothing panics.

use bytes::Bytes;
use deskbell_core::event::{Form, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::{Command, Notice};
use deskbell_wire::native::{Reference, decode, poll};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::samples::{encoded, entry};

/// JSON text in all its spellings: white space, escapes and number forms that a rewriter would change.
pub fn json_text() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    let text = r#""([a-zäß€😀/ ]|\\["\\/bfnrt]|\\u00[0-9a-fA-F]{2}|\\ud83d\\ude0[0-9]){0,6}""#;
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        text,
    ];
    let padded = (space, leaf, space).prop_map(|(a, leaf, b)| a + &leaf + &b);
    padded.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((text, space, inner), 0..4).prop_map(|items| {
                let items: Vec<String> =
                    items.into_iter().map(|(key, space, value)| format!("{key}{space}:{value}")).collect();
                format!("{{{}}}", items.join(","))
            }),
        ]
    })
}

fn read(frame: &str) -> Value {
    serde_json::from_str(frame).unwrap()
}

/// An event frame, and nothing beside it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'a> {
    r#type: String,
    channel: String,
    name: String,
    id: String,
    key: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
    cursor: String,
}

prop_compose! {
    fn names()(
        channel in "[A-Za-z0-9_=@,.;:#-]{1,200}",
        name in "\\PC{1,40}",
        id in "[!-~]{1,128}",
        key in prop::option::of("\\PC{1,40}"),
    ) -> (ChannelName, EventName, EventId, Option<Key>) {
        let key = key.map(|key| Key::parse(&key).unwrap());
        let (name, id) = (EventName::parse(&name).unwrap(), EventId::parse(&id).unwrap());
        (ChannelName::parse(&channel).unwrap(), name, id, key)
    }
}

proptest! {
    /// Client to publisher to reader: the data that arrives is byte for byte the data that was sent.
    #[test]
    fn data_survives_byte_for_byte(
        data in json_text(),
        names in names(),
        except in prop::option::of(any::<u64>()),
    ) {
        let (channel, name, id, key) = names;
        let frame = format!(
            r#"{{"data":{data},"type":"publish","channel":{},"name":{},"id":{},"key":{},"except":{}}}"#,
            json!(channel.as_str()), json!(name.as_str()), json!(id.as_str()),
            json!(key.as_ref().map(Key::as_str)), json!(except.map(|id| PublicId(id).to_string())),
        );
        let Ok((Command::Publish(publish), _)) = decode(&frame) else { panic!("{frame}") };
        prop_assert_eq!(&publish.data.bytes[..], data.trim_matches([' ', '\t', '\r', '\n']).as_bytes());
        prop_assert_eq!(publish.data.form, Form::Json);
        prop_assert_eq!((&publish.channel, &publish.name), (&channel, &name));
        prop_assert_eq!((publish.id.as_ref(), &publish.key), (Some(&id), &key));
        prop_assert_eq!(publish.except, except.map(PublicId));

        let mut stored = entry(Kind::Message, Form::Json, "", None);
        stored.event.data = publish.data.clone();
        (stored.event.channel, stored.event.name, stored.event.id) = (channel, name, id);
        stored.key = key;
        let frame = encoded(&Notice::Event { entry: &stored, cursor: "C-_1" }, &Reference::none());
        let frame: Frame<'_> = serde_json::from_str(&frame).unwrap();
        prop_assert_eq!((frame.r#type.as_str(), frame.cursor.as_str()), ("event", "C-_1"));
        prop_assert_eq!(frame.channel.as_str(), stored.event.channel.as_str());
        prop_assert_eq!(frame.name.as_str(), stored.event.name.as_str());
        prop_assert_eq!(frame.id.as_str(), stored.event.id.as_str());
        prop_assert_eq!(frame.key.as_deref(), stored.key.as_ref().map(Key::as_str));
        prop_assert_eq!(frame.data.get().as_bytes(), &publish.data.bytes[..]);
    }

    /// A text of another dialect comes out as the same text, whatever it holds.
    #[test]
    fn text_becomes_one_json_string(text in any::<String>()) {
        let stored = entry(Kind::Message, Form::Text, &text, None);
        let frame = encoded(&Notice::Event { entry: &stored, cursor: "C" }, &Reference::none());
        prop_assert_eq!(&read(&frame)["data"], &json!(text));
    }

    /// References come back as they were, and every text of an error is escaped.
    #[test]
    fn errors_echo_the_reference(
        reference in r#""([a-zäß€/ ]|\\["\\/nrt]|\\u00[0-9a-f]{2}){0,20}"|-?[1-9][0-9]{0,30}(\.[0-9]{1,9})?"#,
        message in any::<String>(),
    ) {
        let rejected = decode(&format!(r#"{{"type":"x","ref": {reference} }}"#)).unwrap_err();
        prop_assert_eq!(rejected.reference.as_json(), Some(reference.as_str()));
        let refusal = Refusal::new(Code::Denied, message.clone());
        let frame = encoded(&Notice::Error(&refusal), &rejected.reference);
        let before = format!(r#"{{"type":"error","ref":{reference},"code":"denied","message":"#);
        prop_assert!(frame.starts_with(&before), "{}", frame);
        prop_assert_eq!(&read(&frame)["message"], &json!(message));
    }

    /// The answer of a poll is one JSON value that holds every frame unchanged.
    #[test]
    fn a_poll_holds_the_frames(
        events in prop::collection::vec(json_text(), 0..4),
        resets in prop::collection::vec(json_text(), 0..3),
    ) {
        let mut out = Vec::new();
        let list = |frames: &[String]| {
            let mut list = Vec::new();
            frames.iter().for_each(|frame| poll::gather(frame.as_bytes(), &mut list));
            list
        };
        poll::answer(&list(&events), &list(&resets), "C", &mut out);
        let answer = std::str::from_utf8(&out).unwrap();
        let values = |frames: &[String]| frames.iter().map(|frame| read(frame)).collect::<Vec<_>>();
        let expected = json!({"events": values(&events), "reset": values(&resets), "cursor": "C"});
        prop_assert_eq!(read(answer), expected);
        let framed = answer.starts_with(r#"{"events":["#) && answer.ends_with(r#"],"cursor":"C"}"#);
        prop_assert!(framed, "{}", answer);
        prop_assert!(events.iter().chain(&resets).all(|frame| answer.contains(frame)));
    }

    #[test]
    fn garbage_never_panics(text in any::<String>()) {
        prop_assert!(decode(&text).is_err());
    }

    /// Frames that are nearly right reach deeper than noise does.
    #[test]
    fn mutilated_frames_never_panic(
        kind in prop::sample::select(vec!["hello", "authenticate", "subscribe", "publish", "enter", "ping"]),
        fields in prop::collection::vec(
            (prop::sample::select(vec![
                "ref", "token", "resume", "cursor", "channels", "channel", "since", "name", "data", "id",
                "key", "except", "type", "x",
            ]), json_text()),
            0..8,
        ),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!(r#","{name}":{value}"#)).collect();
        let mut frame = format!(r#"{{"type":"{kind}"{}}}"#, fields.concat());
        if let Some(cut) = cut {
            let mut cut = cut.index(frame.len());
            while !frame.is_char_boundary(cut) {
                cut -= 1;
            }
            frame.truncate(cut);
            prop_assert!(decode(&frame).is_err());
        }
        match decode(&frame) {
            Ok((Command::Enter { data, .. }, _)) => prop_assert!(data.len() <= limits::PRESENCE_DATA),
            Ok(_) => {}
            Err(rejected) => prop_assert!(!rejected.refusal.message.is_empty()),
        }
    }
}

#[test]
fn a_member_without_data_takes_no_room() {
    let left = entry(Kind::Left, Form::Json, r#"[{"id":"ann"}]"#, Some("ignored"));
    let frame = encoded(&Notice::Event { entry: &left, cursor: "C" }, &Reference::none());
    assert_eq!(frame, r#"{"type":"left","channel":"slots:room-1","members":[{"id":"ann"}],"cursor":"C"}"#);
    assert_eq!(left.event.data.bytes, Bytes::from_static(br#"[{"id":"ann"}]"#));
}

//! What holds for every input: it reads as what was written, and nothing panics.

use std::borrow::Cow;

use bytes::Bytes;
use deskbell_core::event::Form;
use deskbell_wire::engineio::packet::{self, Packet as EnginePacket};
use deskbell_wire::engineio::payload::{self, Payload};
use deskbell_wire::engineio::{Sid, asked};
use deskbell_wire::socketio::encode::{self, Event};
use deskbell_wire::socketio::{Args, Assembly, Prepared, Said, read};
use proptest::prelude::*;
use serde_json::value::RawValue;

/// JSON text in all its spellings: white space, escapes and number forms that a rewriter would change.
fn json_text() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    let text = r#""([a-zäß€😀/,\[\]{} ]|\\["\\/bfnrt]|\\u00[0-9a-fA-F]{2}|\\ud83d\\ude0[0-9]){0,6}""#;
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        text,
    ];
    let padded = (space, leaf, space).prop_map(|(a, leaf, b)| a + &leaf + &b);
    padded.prop_recursive(3, 16, 4, move |inner| {
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

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-z0-9äß/_-]{1,20}"]
}

/// Any name that can be said.
fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("it can be said", |name| encode::is_sayable(name))
}

fn engine_packet() -> impl Strategy<Value = EnginePacket<'static>> {
    // A body holds text of JSON, in which the separator cannot stand.
    let text = "[^\u{1e}]{0,20}".prop_map(|text| &*text.leak());
    prop_oneof![
        text.clone().prop_map(EnginePacket::Open),
        Just(EnginePacket::Close),
        text.clone().prop_map(EnginePacket::Ping),
        text.clone().prop_map(EnginePacket::Pong),
        text.prop_map(EnginePacket::Message),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| EnginePacket::Binary(Cow::Owned(bytes))),
        Just(EnginePacket::Upgrade),
        Just(EnginePacket::Noop),
    ]
}

/// What stands behind the `4`.
fn message(out: &[u8]) -> &str {
    std::str::from_utf8(out).unwrap().strip_prefix('4').unwrap()
}

proptest! {
    #[test]
    fn a_body_holds_its_packets(packets in prop::collection::vec(engine_packet(), 1..16)) {
        let mut body = Payload::new();
        for packet in &packets {
            match packet {
                EnginePacket::Binary(bytes) => body.push_binary(bytes),
                other => {
                    let mut out = Vec::new();
                    packet::write(other, &mut out);
                    body.push(&out);
                }
            }
        }
        let body = body.finish();
        prop_assert_eq!(payload::read(&body), Ok(packets));
    }

    /// From one application to another: the values that arrive are byte for byte those that were sent.
    #[test]
    fn events_survive_byte_for_byte(
        namespace in namespace(),
        id in prop::option::of(0..=(1_u64 << 53) - 1),
        name in name(),
        values in prop::collection::vec(json_text(), 0..4),
        offset in prop::option::of("[0-9a-z-]{1,20}"),
        escaped in any::<bool>(),
    ) {
        let spelled = serde_json::to_string(&name).unwrap();
        let spelled = if escaped { spelled.replace('z', "\\u007a") } else { spelled };
        let written = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let id_text = id.map(|id| id.to_string()).unwrap_or_default();
        let tail: String = values.iter().map(|value| format!(",{value}")).collect();
        let sent = format!("2{written}{id_text}[ {spelled} {tail}]");
        let packet = read(&sent).unwrap();
        prop_assert_eq!((packet.namespace, packet.attachments), (namespace.as_str(), 0));
        let Said::Event { id: read_id, name: read_name, args } = packet.said else { panic!("{sent}") };
        prop_assert_eq!((read_id, &*read_name, args.count()), (id, name.as_str(), values.len()));
        let joined = values.join(",");
        prop_assert_eq!(args.text(), joined.trim_matches([' ', '\t', '\r', '\n']));

        let data = encode::data_of(args);
        prop_assert_eq!(data.form, if values.len() == 1 { Form::Json } else { Form::Args });
        let mut out = Vec::new();
        let event = Event { namespace: &namespace, id, name: &name, offset: offset.as_deref() };
        encode::event(&event, &data, &mut out);
        let again = read(message(&out)).unwrap();
        prop_assert_eq!(again.namespace, namespace.as_str());
        let Said::Event { id: again_id, name: again_name, args: again_args } = again.said else { panic!() };
        prop_assert_eq!((again_id, &*again_name), (id, name.as_str()));
        let expected = match &offset {
            None => args.text().to_owned(),
            Some(offset) if args.count() == 0 => format!("\"{offset}\""),
            Some(offset) => format!("{},\"{offset}\"", args.text()),
        };
        prop_assert_eq!(again_args.text(), expected);
        if id.is_none() {
            let prepared = Prepared::event(&namespace, &name, &data, offset.as_deref()).unwrap();
            prop_assert_eq!(prepared.packet(), &out[..]);
        }
    }

    #[test]
    fn acks_connects_and_ends_read_as_they_were_written(
        namespace in namespace(),
        id in 0..=(1_u64 << 53) - 1,
        values in prop::collection::vec(json_text(), 0..4),
        text in any::<String>(),
        with in prop::option::of(json_text()),
    ) {
        let mut out = Vec::new();
        encode::ack(&namespace, id, &values.join(","), 0, &mut out);
        let ack = read(message(&out)).unwrap();
        let Said::Ack { id: read_id, args } = ack.said else { panic!() };
        prop_assert_eq!((read_id, args.count()), (id, values.len()));
        prop_assert_eq!(ack.namespace, namespace.as_str());

        let pid = with.as_ref().map(|_| text.as_str());
        let mut out = Vec::new();
        encode::connected(&namespace, &text, pid, &mut out);
        let Said::Connect { data: Some(data) } = read(message(&out)).unwrap().said else { panic!() };
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        prop_assert_eq!(data["sid"].as_str(), Some(text.as_str()));
        prop_assert_eq!(data.get("pid").and_then(serde_json::Value::as_str), pid);

        let mut out = Vec::new();
        encode::refused(&namespace, &text, with.as_deref(), &mut out);
        let Said::ConnectError { data } = read(message(&out)).unwrap().said else { panic!() };
        let error: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(data).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(error["message"].get()).unwrap(), text);
        let given = with.as_deref().map(|with| with.trim_matches([' ', '\t', '\r', '\n']));
        prop_assert_eq!(error.get("data").map(|data| data.get()), given);

        let mut out = Vec::new();
        encode::disconnected(&namespace, &mut out);
        let left = read(message(&out)).unwrap();
        prop_assert_eq!((left.namespace, left.said), (namespace.as_str(), Said::Disconnect));
        let mut out = Vec::new();
        encode::connect(&namespace, None, &mut out);
        prop_assert_eq!(read(message(&out)).unwrap().said, Said::Connect { data: None });
    }

    /// What came with attachments goes on with them.
    #[test]
    fn attachments_survive(
        namespace in namespace(),
        id in prop::option::of(0..100_u64),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..=10),
    ) {
        let places: Vec<String> =
            (0..pieces.len()).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
        let written = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let id_text = id.map(|id| id.to_string()).unwrap_or_default();
        let sent = format!(r#"5{}-{written}{id_text}["a",{}]"#, pieces.len(), places.join(","));
        let mut assembly = Assembly::new();
        prop_assert_eq!(assembly.text(&sent, 0), Ok(None));
        let mut whole = None;
        for piece in &pieces {
            prop_assert!(whole.is_none());
            whole = assembly.binary(Bytes::copy_from_slice(piece), 10_000, 0).unwrap();
        }
        let whole = whole.unwrap();
        prop_assert!(whole.attachments().iter().eq(pieces.iter()));
        let packet = whole.packet();
        let Said::Event { args, .. } = packet.said else { panic!() };
        let mut out = Vec::new();
        let event = Event { namespace: &namespace, id, name: "a", offset: None };
        encode::event_with(&event, args, pieces.len(), &mut out);
        prop_assert_eq!(message(&out), sent);
        let mut out = Vec::new();
        encode::ack(&namespace, 3, args.text(), pieces.len(), &mut out);
        prop_assert_eq!(read(message(&out)).unwrap().said, Said::Ack { id: 3, args });
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in any::<String>()) {
        let _ = payload::read(&bytes);
        let _ = packet::read(&text);
        prop_assert!(read(&text).is_err() || text.starts_with(['0', '1', '2', '3', '4', '5', '6']));
        let _ = Assembly::new().text(&text, 0);
        let _ = asked::ask("GET", &text, false);
        let _ = Sid::parse(&text);
    }

    /// Packets that are nearly right reach deeper than noise does.
    #[test]
    fn mutilated_packets_never_panic(
        kind in "[0-7b]",
        parts in prop::collection::vec(
            prop_oneof![
                Just("10-".to_owned()), Just("-".to_owned()), Just("/a,".to_owned()), Just("/a?x=1,".to_owned()),
                Just("0".to_owned()), Just("[\"a\"".to_owned()), Just(",".to_owned()), Just("]".to_owned()),
                Just("{\"_placeholder\":true,\"num\":0}".to_owned()), Just("é".to_owned()), json_text(),
            ],
            0..6,
        ),
    ) {
        let message = format!("{kind}{}", parts.concat());
        let mut assembly = Assembly::new();
        if assembly.text(&message, 0) == Ok(None) {
            let _ = assembly.binary(Bytes::from_static(b"x"), 1_000, 0);
        }
        if let Ok(packet) = read(&message) && let Said::Event { args, .. } | Said::Ack { args, .. } = packet.said {
            in_pieces(args)?;
        }
    }
}

/// Arguments are as many JSON values as are said.
fn in_pieces(args: Args<'_>) -> Result<(), TestCaseError> {
    let list = format!("[{}]", args.text());
    let values: Vec<&RawValue> = serde_json::from_str(&list).unwrap();
    prop_assert_eq!(values.len(), args.count());
    Ok(())
}

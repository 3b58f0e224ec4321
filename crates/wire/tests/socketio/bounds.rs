//! Every bound of the readers and writers, on both of its sides, and the cases that broke other servers.

use bytes::Bytes;
use deskbell_core::event::{Data, Form};
use deskbell_core::limits;
use deskbell_wire::engineio::packet::{self, Packet};
use deskbell_wire::engineio::payload::{self, BadPayload, Payload};
use deskbell_wire::native::json::DEPTH;
use deskbell_wire::socketio::encode::{is_sayable, refused};
use deskbell_wire::socketio::packet::{MOST_ID, RESERVED};
use deskbell_wire::socketio::{Assembly, Fault, Prepared, Said, read};

fn fault(message: &str) -> Result<(), Fault> {
    read(message).map(drop)
}

/// `message(bound)` is read and `message(bound + 1)` refused.
fn holds(bound: usize, expected: Fault, message: impl Fn(usize) -> String) {
    assert_eq!(fault(&message(bound)), Ok(()), "{bound}");
    assert_eq!(fault(&message(bound + 1)), Err(expected), "{bound} + 1");
}

#[test]
fn bounds_of_a_packet() {
    holds(limits::ATTACHMENTS, Fault::TooManyAttachments, |n| format!(r#"5{n}-["a"]"#));
    holds(limits::NAMESPACE, Fault::Namespace, |n| format!(r#"2/{},["a"]"#, "n".repeat(n - 1)));
    holds(MOST_ID as usize, Fault::Id, |n| format!(r#"2{n}["a"]"#));
    // The name and the arguments stand in one array, which is a level itself.
    holds(DEPTH - 1, Fault::Data, |n| format!(r#"2["a",{}{}]"#, "[".repeat(n), "]".repeat(n)));
    for huge in ["9".repeat(400), "0".repeat(70_000)] {
        assert!(fault(&format!(r#"5{huge}-["a"]"#)).is_err() || huge.starts_with('0'));
        assert!(fault(&format!(r#"2{huge}["a"]"#)).is_err() || huge.starts_with('0'));
    }
}

#[test]
fn nesting_as_deep_as_a_message_never_touches_the_stack() {
    for (open, close) in [("[", "]"), (r#"{"":"#, "}")] {
        let deep = limits::FRAME_IN;
        let value = format!("{}1{}", open.repeat(deep), close.repeat(deep));
        for message in
            [format!(r#"2["a",{value}]"#), format!("0{value}"), format!("30[{value}]"), format!("4{value}")]
        {
            assert_eq!(fault(&message), Err(Fault::Data));
        }
    }
}

/// A slice at a guessed place within a character ended another server's process.
#[test]
fn characters_of_several_bytes_break_nothing() {
    for text in ["éabcd", "é", "4é", "b€€€€", "2é", "😀", "4😀😀", "b😀", "\u{1e}é\u{1e}"]
    {
        let _ = packet::read(text);
        let _ = payload::read(text.as_bytes());
        let _ = read(text);
        for prefix in ["5", "51-", "2/", "2/é", "2/é?", "2/é,1", "2\"é", "40"] {
            let _ = read(&format!("{prefix}{text}"));
        }
    }
    assert_eq!(read("2/é,[\"ü\"]").unwrap().namespace, "/é");
}

#[test]
fn a_body_has_so_many_packets() {
    let body = |count: usize| vec!["4x"; count].join("\u{1e}");
    assert_eq!(
        payload::read(body(limits::POLL_PACKETS_IN).as_bytes()).unwrap().len(),
        limits::POLL_PACKETS_IN
    );
    assert_eq!(payload::read(body(limits::POLL_PACKETS_IN + 1).as_bytes()), Err(BadPayload::TooMany));
    assert_eq!(payload::read(b"4\xff"), Err(BadPayload::Utf8));
}

/// Python's client ends the connection at the seventeenth packet.
#[test]
fn an_answer_has_no_more_packets_than_every_client_reads() {
    let mut body = Payload::new();
    let mut count = 0;
    while body.has_room(2) {
        body.push(b"4x");
        count += 1;
    }
    assert_eq!(count, 16);
    assert_eq!(payload::read(&body.finish()).unwrap().len(), 16);
    // A large packet goes alone, and no two of them together.
    let large = vec![b'x'; limits::POLL_BYTES_OUT + 1];
    let mut body = Payload::new();
    assert!(body.has_room(large.len()));
    body.push(&large);
    assert!(!body.has_room(0));
    let mut body = Payload::new();
    body.push(&large[..limits::POLL_BYTES_OUT - 3]);
    assert!(body.has_room(2));
    assert!(!body.has_room(3));
    assert_eq!(Payload::new().finish(), b"6", "an empty body would be no packet");
}

fn event(count: usize) -> String {
    let list: Vec<String> = (0..count).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    format!(r#"5{count}-7["a",{}]"#, list.join(","))
}

#[test]
fn attachments_follow_their_packet() {
    let mut assembly = Assembly::new();
    assert_eq!(assembly.text(&event(2), 0), Ok(None));
    assert_eq!(assembly.binary(Bytes::from_static(b"1"), 1_000, 1), Ok(None));
    let whole = assembly.binary(Bytes::from_static(b"2"), 1_000, 2).unwrap().unwrap();
    assert_eq!(whole.attachments(), [&b"1"[..], b"2"]);
    let packet = whole.packet();
    assert!(
        matches!(packet.said, Said::Event { id: Some(7), ref name, args } if name == "a" && args.count() == 2)
    );
    assert_eq!(assembly.deadline(), None);
    assert!(assembly.text(r#"2["b"]"#, 3).unwrap().is_some(), "the next packet is a new one");
}

#[test]
fn nothing_comes_between_a_packet_and_its_attachments() {
    let mut assembly = Assembly::new();
    assert_eq!(assembly.text(&event(1), 0), Ok(None));
    assert_eq!(assembly.text(r#"2["b"]"#, 0), Err(Fault::MissingAttachment));
    assert_eq!(Assembly::new().binary(Bytes::new(), 10, 0), Err(Fault::StrayAttachment));
}

#[test]
fn attachments_have_a_bound_of_bytes_and_of_time() {
    let header = event(2);
    let rest = 100 - header.len();
    for (second, expected) in [(rest - 10, Ok(true)), (rest - 9, Err(Fault::AttachmentsTooBig))] {
        let mut assembly = Assembly::new();
        assembly.text(&header, 0).unwrap();
        assembly.binary(vec![0; 10].into(), 100, 0).unwrap();
        assert_eq!(assembly.binary(vec![0; second].into(), 100, 0).map(|whole| whole.is_some()), expected);
    }
    for (now, expected) in
        [(limits::ATTACHMENTS_TIME - 1, Ok(true)), (limits::ATTACHMENTS_TIME, Err(Fault::AttachmentsLate))]
    {
        let mut assembly = Assembly::new();
        assembly.text(&event(1), 5).unwrap();
        assert_eq!(assembly.deadline(), Some(5 + limits::ATTACHMENTS_TIME));
        assert_eq!(assembly.binary(Bytes::new(), 1_000, 5 + now).map(|whole| whole.is_some()), expected);
    }
}

/// A placeholder that names what is not there reached into other memory, or threw, elsewhere.
#[test]
fn placeholders_name_their_attachments() {
    let with = |value: &str| Assembly::new().text(&format!(r#"51-["a",{value}]"#), 0).map(drop);
    for good in [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"deep":[[{"num":0,"_placeholder":true}]]}"#,
        r#"{"_placeholder":false,"num":9}"#,
        r#"{"_placeholder":"true","num":-1}"#,
        r#"{"num":7}"#,
        "1",
    ] {
        assert_eq!(with(good), Ok(()), "{good}");
    }
    for bad in [
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.5}"#,
        r#"{"_placeholder":true,"num":"splice"}"#,
        r#"{"_placeholder":true,"num":18446744073709551615}"#,
        r#"{"_placeholder":true}"#,
        r#"{"x":{"_placeholder":true,"num":3}}"#,
        r#"{"_\u0070laceholder":true,"num":3}"#,
        r#"{"_placeholder":false,"_placeholder":true,"num":3}"#,
    ] {
        assert_eq!(with(bad), Err(Fault::Placeholder), "{bad}");
    }
    // In a packet without attachments they are what an application says.
    assert!(Assembly::new().text(r#"2["a",{"_placeholder":true,"num":3}]"#, 0).unwrap().is_some());
}

/// A client that hears one of its own words takes the connection for broken, again each time it comes back.
#[test]
fn an_event_that_clients_keep_for_themselves_is_never_said() {
    for name in RESERVED {
        assert!(!is_sayable(name));
        assert_eq!(Prepared::event("/", name, &Data::json("1"), None), None, "{name}");
        assert_eq!(fault(&format!(r#"2["{name}"]"#)), Err(Fault::ReservedName));
    }
    assert_eq!(fault(r#"2["\u0064isconnect"]"#), Err(Fault::ReservedName), "also with escapes");
    assert!(is_sayable("connected"));
}

#[test]
fn a_prepared_packet_is_a_frame_and_a_piece_of_a_body() {
    for length in [1, 118, 119, 120, 65_000, 65_530, 70_000] {
        let data = Data { form: Form::Text, bytes: "x".repeat(length).into() };
        let prepared = Prepared::event("/a", "n", &data, Some("7-1")).unwrap();
        let expected = format!(r#"42/a,["n","{}","7-1"]"#, "x".repeat(length));
        assert_eq!(prepared.packet(), expected.as_bytes());
        assert_eq!(prepared.frame(), &deskbell_wire::websocket::encode::text_frame(expected.as_bytes()));
    }
}

#[test]
fn sentences_are_short_enough_for_the_reason_of_a_close() {
    for fault in Fault::ALL {
        assert!(fault.to_string().len() <= 123, "{fault}");
    }
    let codes: std::collections::HashSet<_> = Fault::ALL.iter().map(|fault| fault.code()).collect();
    assert_eq!(codes.len(), Fault::ALL.len());
    let mut out = Vec::new();
    refused("/random", "Invalid namespace", None, &mut out);
    assert_eq!(out, br#"44/random,{"message":"Invalid namespace"}"#);
    assert_eq!(packet::read("b!"), Err(packet::BadPacket::Base64));
    assert_eq!(packet::read("bAQIDBA"), packet::read("bAQIDBA=="));
    assert!(matches!(packet::read("bAQIDBA==").unwrap(), Packet::Binary(bytes) if *bytes == [1, 2, 3, 4]));
}

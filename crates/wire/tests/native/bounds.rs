//! Every bound of the decoder, on both of its sides.

use deskbell_core::limits;
use deskbell_core::refusal::Code;
use deskbell_wire::native::decode;
use deskbell_wire::native::decode::SEALED_TEXT;
use deskbell_wire::native::json::DEPTH;

fn code(frame: &str) -> Result<(), Code> {
    decode(frame).map(|_| ()).map_err(|rejected| rejected.refusal.code)
}

/// `frame(bound)` is read and `frame(bound + 1)` refused.
fn holds(bound: usize, refused: Code, frame: impl Fn(usize) -> String) {
    assert_eq!(code(&frame(bound)), Ok(()), "{bound}");
    assert_eq!(code(&frame(bound + 1)), Err(refused), "{bound} + 1");
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

#[test]
fn a_whole_frame() {
    let around = r#"{"type":"publish","channel":"a","name":"n","data":""}"#.len();
    holds(limits::FRAME_IN, Code::TooLarge, |bytes| {
        format!(r#"{{"type":"publish","channel":"a","name":"n","data":"{}"}}"#, x(bytes - around))
    });
}

#[test]
fn texts_of_identity_and_place() {
    holds(limits::TOKEN, Code::TooLarge, |n| format!(r#"{{"type":"hello","token":"{}"}}"#, x(n)));
    holds(limits::TOKEN, Code::TooLarge, |n| format!(r#"{{"type":"authenticate","token":"{}"}}"#, x(n)));
    holds(SEALED_TEXT, Code::BadField, |n| format!(r#"{{"type":"hello","cursor":"{}"}}"#, x(n)));
    holds(SEALED_TEXT, Code::BadField, |n| format!(r#"{{"type":"hello","resume":"{}"}}"#, x(n)));
    holds(SEALED_TEXT, Code::BadField, |n| {
        format!(r#"{{"type":"subscribe","channel":"a","since":"{}"}}"#, x(n))
    });
}

#[test]
fn references() {
    holds(limits::REF, Code::BadField, |n| format!(r#"{{"type":"ping","ref":"{}"}}"#, x(n)));
    holds(limits::REF, Code::BadField, |n| format!(r#"{{"type":"ping","ref":0.{}}}"#, "1".repeat(n - 2)));
}

#[test]
fn channels_of_a_hello() {
    holds(limits::CHANNELS_PER_REQUEST, Code::LimitReached, |n| {
        let names: Vec<String> = (0..n).map(|place| format!(r#""c{place}""#)).collect();
        format!(r#"{{"type":"hello","channels":[{}]}}"#, names.join(","))
    });
}

#[test]
fn names_and_keys_of_a_publish() {
    let publish = |field: &str, n| {
        let named = if field == "name" { "" } else { r#""name":"n","# };
        format!(r#"{{"type":"publish","channel":"a",{named}"data":1,"{field}":"{}"}}"#, x(n))
    };
    holds(limits::EVENT_NAME, Code::BadName, |n| publish("name", n));
    holds(limits::EVENT_ID, Code::BadField, |n| publish("id", n));
    holds(limits::KEY, Code::BadField, |n| publish("key", n));
    holds(limits::CHANNEL_NAME, Code::BadChannel, |n| format!(r#"{{"type":"leave","channel":"{}"}}"#, x(n)));
}

#[test]
fn data() {
    holds(limits::PRESENCE_DATA, Code::TooLarge, |n| {
        format!(r#"{{"type":"enter","channel":"a","data":"{}"}}"#, x(n - 2))
    });
    for frame in [r#""type":"enter","channel":"a""#, r#""type":"publish","channel":"a","name":"n""#] {
        holds(DEPTH, Code::BadField, |n| format!(r#"{{{frame},"data":{}{}}}"#, "[".repeat(n), "]".repeat(n)));
    }
}

/// Nesting as deep as a frame can hold must not touch the stack, wherever it stands.
#[test]
fn a_frame_of_brackets_is_refused() {
    let deep = limits::FRAME_IN / 2 - 100;
    for (open, close) in [("[", "]"), (r#"{"":"#, "}")] {
        let deep = deep / open.len();
        let value = format!("{}1{}", open.repeat(deep), close.repeat(deep));
        for frame in [
            value.clone(),
            format!(r#"{{"type":"publish","channel":"a","name":"n","data":{value}}}"#),
            format!(r#"{{"type":"ping","ref":{value}}}"#),
            format!(r#"{{"type":{value}}}"#),
            format!(r#"{{"type":"ping","x":{value}}}"#),
            format!(r#"{{"type":"hello","channels":{value}}}"#),
        ] {
            assert!(frame.len() <= limits::FRAME_IN);
            assert!(decode(&frame).is_err());
        }
    }
}

//! Server-sent events, read back as a browser reads them.

use deskbell_wire::native::sse;
use proptest::prelude::*;
use serde_json::Value;

use crate::properties::json_text;

/// What a browser makes of a stream.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    /// The data of each event, and the last id when it came.
    events: Vec<(String, String)>,
    last_id: String,
    retry: Option<u64>,
}

/// The algorithm of the HTML standard, "interpreting an event stream", cut to what it does with our fields.
fn heard(stream: &[u8]) -> Heard {
    let stream = std::str::from_utf8(stream).unwrap().replace("\r\n", "\n").replace('\r', "\n");
    let mut heard = Heard::default();
    let (mut data, mut id, mut kind) = (String::new(), String::new(), String::new());
    let Some((lines, incomplete)) = stream.rsplit_once('\n') else { return heard };
    assert_eq!(incomplete, "", "a piece ends with a line break");
    for line in lines.split('\n') {
        if line.is_empty() {
            heard.last_id.clone_from(&id);
            if !data.is_empty() {
                data.pop();
                assert_eq!(kind, "", "our events have no type, so that `onmessage` gets them all");
                heard.events.push((std::mem::take(&mut data), id.clone()));
            }
            kind.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => data.extend([value, "\n"]),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "event" => value.clone_into(&mut kind),
            "retry" => heard.retry = value.parse().ok().or(heard.retry),
            _ => {}
        }
    }
    assert_eq!(data, "", "a piece ends with an empty line");
    heard
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn pieces_look_as_documented() {
    let frame = written(|out| sse::frame(br#"{"type":"event"}"#, Some("C1"), out));
    assert_eq!(frame, b"id: C1\ndata: {\"type\":\"event\"}\n\n");
    assert_eq!(written(|out| sse::frame(b"{}", None, out)), b"data: {}\n\n");
    assert_eq!(written(|out| sse::heartbeat("C2", out)), b"id: C2\n\n");
    assert_eq!(written(|out| sse::retry(3_000, out)), b"retry: 3000\n\n");
    assert_eq!(written(|out| sse::comment("hello", out)), b": hello\n\n");
}

#[test]
fn a_stream_is_heard_piece_by_piece() {
    let stream = written(|out| {
        sse::retry(3_000, out);
        sse::comment("two\nlines, data: x\r\r\ndata: none", out);
        sse::frame(b"{\"a\":1}", Some("C1"), out);
        sse::frame(b"{\"b\":\r\n  2,\n\n\"c\":\r3}", None, out);
        sse::heartbeat("C2", out);
    });
    let events = vec![
        ("{\"a\":1}".to_owned(), "C1".to_owned()),
        ("{\"b\":\n  2,\n\n\"c\":\n3}".to_owned(), "C1".to_owned()),
    ];
    assert_eq!(heard(&stream), Heard { events, last_id: "C2".to_owned(), retry: Some(3_000) });
}

proptest! {
    /// However a publisher lays out its JSON, each frame is one event of the same meaning.
    #[test]
    fn no_frame_breaks(
        frames in prop::collection::vec((json_text(), prop::option::of("[A-Za-z0-9_-]{1,128}")), 1..5),
        remark in any::<String>(),
    ) {
        let stream = written(|out| {
            for (frame, cursor) in &frames {
                sse::comment(&remark, out);
                sse::frame(frame.as_bytes(), cursor.as_deref(), out);
            }
        });
        let heard = heard(&stream);
        prop_assert_eq!(heard.events.len(), frames.len());
        let mut last = String::new();
        for ((frame, cursor), (data, id)) in frames.iter().zip(&heard.events) {
            last = cursor.clone().unwrap_or(last);
            prop_assert_eq!(id, &last);
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            prop_assert_eq!(read(data), read(frame));
            // Only the kind of line break may differ.
            prop_assert_eq!(data, &frame.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }
}

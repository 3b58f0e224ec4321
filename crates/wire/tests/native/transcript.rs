//! Reads `tests/transcripts/native.txt` and holds the dialect to every line of it.

use deskbell_wire::native::{Reference, decode};

use crate::samples::sample;

const TRANSCRIPT: &str = include_str!("../transcripts/native.txt");

/// What the dialect says to the line, in the words of the transcript.
fn said(line: &str) -> String {
    let shown = |reference: &Reference| reference.as_json().unwrap_or_default().to_owned();
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    match mark {
        ">" => match decode(rest) {
            Ok((command, reference)) => format!("= [{}] {command:?}", shown(&reference)),
            Err(rejected) => format!("! [{}] {}", shown(&rejected.reference), rejected.refusal),
        },
        "@" => format!("< {}", sample(rest)),
        _ => panic!("a line begins with > or @, not {line}"),
    }
}

#[test]
fn every_line_of_the_transcript_holds() {
    let mut lines = TRANSCRIPT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    while let (Some(asked), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let said = said(asked);
        if said != expected {
            wrong.push(format!("{asked}\n  expected {expected}\n  but was  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 70, "the transcript was read to its end");
}

#[test]
fn every_frame_with_a_cursor_ends_with_it() {
    for line in TRANSCRIPT.lines().filter_map(|line| line.strip_prefix("< ")) {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        if frame.get("cursor").is_some() {
            assert!(line.ends_with(r#","cursor":"C"}"#), "{line}");
        }
    }
}

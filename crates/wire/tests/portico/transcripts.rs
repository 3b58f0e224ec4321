//! Reads the files in `tests/transcripts/portico` and holds the dialect to every line of them.

use deskbell_core::refusal::Refusal;
use deskbell_wire::portico::decode;
use deskbell_wire::portico::published::{Published, Topic, read};
use deskbell_wire::portico::session::{Trust, hail, is_ours};
use deskbell_wire::portico::spool::File;

use super::samples::{self, stamp};

const CLIENT: &str = include_str!("../transcripts/portico/client.txt");
const SERVER: &str = include_str!("../transcripts/portico/server.txt");
const BACKEND: &str = include_str!("../transcripts/portico/backend.txt");

fn shown<T: std::fmt::Debug>(read: Result<T, Refusal>) -> String {
    match read {
        Ok(read) => format!("= {read:?}"),
        Err(refusal) => format!("! {refusal}"),
    }
}

fn told(read: Result<Published, Refusal>) -> String {
    match read {
        Ok(Published::Tell { channel, message }) => {
            format!("= {channel} {} {}", message.name(), message.text())
        }
        Ok(Published::LookUpApplications(id)) => format!("= {} looks up its applications", id.room()),
        Err(refusal) => format!("! {refusal}"),
    }
}

/// What the dialect says to the line, in the words of the transcript.
fn said(line: &str) -> String {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    match mark {
        ">" => decode(rest).map_or_else(|| "-".to_owned(), shown),
        "@" => format!("< {}", samples::said(rest)),
        "cookies" => cookies(Some(rest)),
        "cookieless" => cookies(None),
        "PUBLISH" => {
            let (topic, payload) = rest.split_once(' ').unwrap();
            told(read(Topic::parse(topic.as_bytes()).unwrap(), payload.as_bytes(), stamp()))
        }
        "file" => {
            let (name, text) = rest.split_once(" < ").unwrap_or((rest, ""));
            match File::parse(name) {
                None => "-".to_owned(),
                Some(file) => file.read(text.as_bytes(), stamp()).map_or_else(|| "empty".to_owned(), told),
            }
        }
        _ => panic!("an unknown mark: {line}"),
    }
}

fn cookies(value: Option<&str>) -> String {
    let shown = |trust| {
        let room = match hail(value, trust) {
            deskbell_wire::portico::session::Hail::Session(session) => {
                format!("{} {}", session.id.room(), session.context())
            }
            other => format!("{other:?}"),
        };
        format!("{} {room}", if is_ours(value, trust) { "ours" } else { "not ours" })
    };
    format!("= {} | {}", shown(Trust::Own), shown(Trust::AlsoPhp))
}

fn hold(transcript: &str, least: usize) {
    let mut lines = transcript.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    while let Some(asked) = lines.next() {
        let expected = lines.next().unwrap_or_default();
        count += 1;
        let said = said(asked);
        if said != expected {
            wrong.push(format!("{asked}\n{said}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}, now:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= least, "the transcript was read to its end: {count}");
}

#[test]
fn what_pages_send_is_read_as_written() {
    hold(CLIENT, 40);
}

#[test]
fn what_pages_are_told_is_as_written() {
    hold(SERVER, 30);
}

#[test]
fn what_the_backend_says_is_read_as_written() {
    hold(BACKEND, 30);
}

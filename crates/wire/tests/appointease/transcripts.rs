//! Reads the files in `tests/transcripts/appointease` and holds the dialect to every line of them.

use deskbell_core::refusal::Refusal;
use deskbell_wire::appointease::{broadcast, decode, hail, poll, rest};

use super::samples::{self, grid};

const CLIENT: &str = include_str!("../transcripts/appointease/client.txt");
const SERVER: &str = include_str!("../transcripts/appointease/server.txt");
const REST: &str = include_str!("../transcripts/appointease/rest.txt");

fn shown<T: std::fmt::Debug>(read: Result<T, Refusal>) -> String {
    match read {
        Ok(read) => format!("= {read:?}"),
        Err(refusal) => format!("! {refusal}"),
    }
}

/// What the dialect says to the line, in the words of the transcript.
fn said(line: &str) -> String {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    match mark {
        ">" => decode(rest).map_or_else(|| "-".to_owned(), shown),
        "@" => format!("< {}", samples::said(rest)),
        "POST" => posted(rest),
        "GET" => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            if path == "poll" {
                format!("= {:?}", poll::question(query))
            } else {
                format!("= {:?}", hail::read(path, query))
            }
        }
        _ => panic!("an unknown mark: {line}"),
    }
}

fn posted(rest: &str) -> String {
    let (route, body) = rest.split_once(' ').unwrap();
    match route {
        "broadcast" => match broadcast::read(body, &grid()) {
            Ok(read) => format!("= {} {} {:?}", read.event, read.data, read.what),
            Err(refusal) => format!("! {refusal}"),
        },
        "subscribe" => shown(rest::subscribe(body)),
        "lock-slot" | "check-slot" => shown(rest::slot(body)),
        "unlock-slot" => shown(rest::unlock(body)),
        "availability" => shown(rest::availability(body)),
        _ => panic!("no such route: {route}"),
    }
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
fn what_comes_over_http_is_read_as_written() {
    hold(REST, 40);
}

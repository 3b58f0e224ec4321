//! Reads the files in `tests/transcripts/pusher` and holds the dialect to every line of them.

use bytes::Bytes;
use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event, Form, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, PublicId};
use deskbell_core::log::{Log, ResetReason};
use deskbell_core::position::Epoch;
use deskbell_core::presence::{Holder, Presence};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::pusher::{Member, User, code, decode, encode, trigger};

const CLIENT: &str = include_str!("../transcripts/pusher/client.txt");
const SERVER: &str = include_str!("../transcripts/pusher/server.txt");
const BACKEND: &str = include_str!("../transcripts/pusher/backend.txt");

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
        ">" => shown(decode(rest)),
        "member" => shown(Member::read(rest)),
        "user" => shown(User::read(rest)),
        "POST" => match rest.split_once(' ') {
            Some(("events", body)) => shown(trigger::one(body.as_bytes(), trigger::Bounds::default())),
            Some(("batch", body)) => shown(trigger::batch(body.as_bytes(), trigger::Bounds::default())),
            _ => panic!("{line}"),
        },
        "info" => shown(trigger::Info::parse(rest)),
        "@" => format!("< {}", sample(rest)),
        _ => panic!("an unknown mark: {line}"),
    }
}

/// The frames of something that the server says, with a space between them.
fn sample(what: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut emit = |json: &[u8]| out.push(String::from_utf8(json.to_vec()).unwrap());
    let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
    let channel = ChannelName::parse("presence-a").unwrap();
    let no = Refusal::new(Code::Unauthorized, "sign it");
    match kind {
        "welcome" => {
            let (session, heartbeat_ms) = (PublicId::parse("1234.5678").unwrap(), 120_000);
            encode::notice(
                &Notice::Welcome { session, resume: "", cursor: "", heartbeat_ms, resumed: false },
                &mut emit,
            );
        }
        "pong" => encode::notice(&Notice::Pong, &mut emit),
        "ping" => emit(&encode::ping()),
        "subscribed" => {
            encode::notice(
                &Notice::Subscribed { channel: &channel, recovered: true, cursor: "c" },
                &mut emit,
            );
        }
        "ok" => encode::notice(&Notice::Ok, &mut emit),
        "reset" => {
            let (channel, reload_in_ms) = (Some(&channel), Some(1_500));
            let reason = ResetReason::Expired;
            encode::notice(&Notice::Reset { channel, reason, reload_in_ms, cursor: "c" }, &mut emit);
        }
        "standing" => emit(&encode::standing(rest.as_bytes(), "Cursor-1")),
        "closing" => encode::notice(&Notice::Closing { reconnect_in_ms: 1 }, &mut emit),
        "refused" => encode::notice(&Notice::Error(&no), &mut emit),
        "subscription_error" => emit(&encode::subscription_error(rest, &no)),
        "error" => emit(&encode::error(code::NO_APP, rest, None)),
        "error_on" => emit(&encode::error(code::UNAUTHORIZED, "no", Some(rest))),
        "cache_miss" => emit(&encode::cache_miss("cache-a")),
        "signed_in" => emit(&encode::signed_in(rest)),
        "watchlist" => emit(&encode::watchlist(&[("online", &["2"]), ("offline", &["3", "4"])])),
        "roster" => emit(&encode::succeeded("presence-a", &roster(rest))),
        "event" => entry(Kind::Message, Form::Json, rest, &mut emit),
        "text" => entry(Kind::Message, Form::Text, rest, &mut emit),
        "whisper" => entry(Kind::Whisper, Form::Json, rest, &mut emit),
        "whisper_text" => entry(Kind::Whisper, Form::Text, rest, &mut emit),
        "count" => entry(Kind::Count, Form::Json, rest, &mut emit),
        "joined" => entry(Kind::Joined, Form::Json, rest, &mut emit),
        "updated" => entry(Kind::Updated, Form::Json, rest, &mut emit),
        "left" => entry(Kind::Left, Form::Json, rest, &mut emit),
        _ => panic!("an unknown sample: {what}"),
    }
    out.join(" ")
}

/// A list with members `id` that show their id, and whoever has just come.
fn roster(ids: &str) -> String {
    let mut members = Presence::default();
    for (session, id) in ids.split_whitespace().enumerate() {
        let holder = Holder { session: session as u64, generation: 1 };
        members.enter(id, holder, Bytes::from(format!("{{\"n\":\"{id}\"}}"))).unwrap();
    }
    encode::roster(&members, ("0", b""))
}

/// `name data`, or `channel name data` where the first begins with `#`.
fn entry(kind: Kind, form: Form, text: &str, emit: encode::Emit<'_>) {
    let (channel, text) = match text.strip_prefix('#') {
        Some(_) => text.split_once(' ').unwrap(),
        None => ("presence-a", text),
    };
    let (name, data) = text.split_once(' ').unwrap();
    let event = Event {
        id: EventId::parse("id").unwrap(),
        channel: ChannelName::parse(channel).unwrap(),
        name: EventName::parse(name).unwrap(),
        data: Data { form, bytes: data.to_owned().into() },
        at: 1,
    };
    let mut log = Log::new(Epoch(1), 0, 0, Classes::default());
    let by = (kind == Kind::Whisper).then(|| "7".into());
    log.append(Draft { kind, by, ..Draft::message(event) }, None, 1).unwrap();
    let mut entries = Vec::new();
    log.pull(0, 1, &mut entries);
    encode::event(&entries[0], emit);
}

fn hold(transcript: &str, least: usize) {
    let mut lines = transcript.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    while let Some(asked) = lines.next() {
        let expected = lines.next().unwrap_or_default();
        count += 1;
        let said = said(asked).trim_end().to_owned();
        if said != expected {
            wrong.push(format!("{asked}\n{said}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}, now:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= least, "the transcript was read to its end: {count}");
}

#[test]
fn what_clients_send_is_read_as_written() {
    hold(CLIENT, 30);
}

#[test]
fn what_the_server_says_is_as_written() {
    hold(SERVER, 22);
}

#[test]
fn what_backends_send_is_read_as_written() {
    hold(BACKEND, 20);
}

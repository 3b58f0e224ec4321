//! Notices under a name, and the pieces that they are made of.

use bytes::Bytes;
use deskbell_core::event::{Data, Entry, Event, Form, Frames, Kind};
use deskbell_core::ids::{ChannelName, EventId, EventName, Key, PublicId};
use deskbell_core::log::ResetReason;
use deskbell_core::position::{Epoch, Position};
use deskbell_core::presence::{Holder, Presence};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Notice;
use deskbell_wire::native::{Reference, decode, encode};

/// An entry of the log with everything that a frame shows of it.
pub fn entry(kind: Kind, form: Form, data: &str, key: Option<&str>) -> Entry {
    let event = Event {
        id: EventId::parse(r#"id"1\"#).unwrap(),
        channel: channel(),
        name: EventName::parse(r#"slot "taken""#).unwrap(),
        data: Data { form, bytes: Bytes::copy_from_slice(data.as_bytes()) },
        at: 1,
    };
    Entry {
        event,
        kind,
        key: key.map(|key| Key::parse(key).unwrap()),
        except: None,
        by: None,
        epoch: Epoch(1),
        seq: 1,
        ledger: 0,
        after: Position::start(Epoch(1), 0, 0),
        frames: Frames::default(),
    }
}

pub fn channel() -> ChannelName {
    ChannelName::parse("slots:room-1").unwrap()
}

/// A reference as a client's frame brings it in.
pub fn reference(json: &str) -> Reference {
    decode(&format!(r#"{{"type":"ping","ref":{json}}}"#)).unwrap().1
}

pub fn encoded(notice: &Notice<'_>, reference: &Reference) -> String {
    let mut out = Vec::new();
    encode(notice, reference, &mut out);
    String::from_utf8(out).unwrap()
}

fn message(form: Form, data: &str, key: Option<&str>) -> String {
    let entry = entry(Kind::Message, form, data, key);
    // An event is shared by all its readers, so a reference must leave no trace in it.
    encoded(&Notice::Event { entry: &entry, cursor: "C" }, &reference("1"))
}

fn change(kind: Kind) -> String {
    let entry = entry(kind, Form::Json, r#"[{"id":"ann","data":{"n":1}}]"#, None);
    encoded(&Notice::Event { entry: &entry, cursor: "C" }, &Reference::none())
}

fn presence(members: &[(&str, &'static [u8])]) -> String {
    let mut present = Presence::default();
    for (session, (id, data)) in (0..).zip(members) {
        present.enter(id, Holder { session, generation: 1 }, Bytes::from_static(data)).unwrap();
    }
    reply(&Notice::Members { channel: &channel(), members: &present, cursor: "C" })
}

fn reply(notice: &Notice<'_>) -> String {
    encoded(notice, &reference(r#""r-1""#))
}

/// The frame of a named notice.
pub fn sample(name: &str) -> String {
    let channel = &channel();
    let id = &EventId::parse(r#"id"1\"#).unwrap();
    let refusal = Refusal::new(Code::Denied, "no \"entry\"; ask\n");
    let none = Reference::none();
    match name {
        "welcome" => {
            let (session, resume) = (PublicId(0x0000_0007_0000_0009), "resume-key");
            let welcome =
                Notice::Welcome { session, resume, cursor: "C", heartbeat_ms: 25_000, resumed: true };
            encoded(&welcome, &none)
        }
        "subscribed" => reply(&Notice::Subscribed { channel, recovered: true, cursor: "C" }),
        "unsubscribed" => reply(&Notice::Unsubscribed { channel }),
        "event" => message(Form::Json, r#"{"x": [1, 2]}"#, None),
        "keyed" => message(Form::Json, r#"{"x": [1, 2]}"#, Some(r#"k/""#)),
        "text" => message(Form::Text, "no \"JSON\"\n\u{1} ä", None),
        "args" => message(Form::Args, r#"["a",{"b":1}]"#, None),
        "joined" => change(Kind::Joined),
        "updated" => change(Kind::Updated),
        "left" => change(Kind::Left),
        "nobody" => presence(&[]),
        "members" => presence(&[("eve", b"null"), (r#"ann "a""#, br#"{"n": 1}"#), ("bob", b"")]),
        "reset" => {
            let (channel, reload_in_ms) = (Some(channel), Some(4_000));
            encoded(&Notice::Reset { channel, reason: ResetReason::Epoch, reload_in_ms, cursor: "C" }, &none)
        }
        "reset all" => {
            let reason = ResetReason::Foreign;
            encoded(&Notice::Reset { channel: None, reason, reload_in_ms: None, cursor: "C" }, &none)
        }
        "ok" => reply(&Notice::Ok),
        "published" => reply(&Notice::Published { id, cursor: "C" }),
        "error" => reply(&Notice::Error(&refusal)),
        "error without ref" => encoded(&Notice::Error(&refusal), &none),
        "pong" => reply(&Notice::Pong),
        "closing" => encoded(&Notice::Closing { reconnect_in_ms: 1_500 }, &none),
        other => panic!("there is no sample {other}"),
    }
}

//! Messages of the Portico dialect, and what its PHP publishes and spools: what is passed on can be read by everybody,
//! keeps what it had, and never says of its sender what the sender made up.

use deskbell_core::calendar::TimeZone;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::portico::applications::Applications;
use deskbell_wire::portico::message::{Added, Message};
use deskbell_wire::portico::published::{Published, Topic, read};
use deskbell_wire::portico::session::{Trust, hail};
use deskbell_wire::portico::spool::File;
use deskbell_wire::portico::{Asked, SessionId, Stamp, decode, http};
use serde_json::Value;

/// The longest sentence that a refusal may need.
const SENTENCE: usize = 1_000;

/// A file's name, a line feed, and then a message or what is published.
pub fn check(data: &[u8]) {
    let zone = TimeZone::parse("Europe/Oslo").expect("it is one");
    let stamp = Stamp { at: 1_747_038_153_000, zone: &zone };
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, body) = data.split_at(cut);
    for topic in Topic::ALL {
        told(read(topic, body, stamp));
    }
    if let Some(file) = std::str::from_utf8(name).ok().and_then(File::parse)
        && let Some(read) = file.read(body, stamp)
    {
        told(read);
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    let asked = decode(text);
    assert_eq!(asked, decode(text), "one message was understood in two ways");
    match asked {
        Some(Ok(Asked::TellOthers(message) | Asked::TellAll(message) | Asked::TellTabs(message))) => {
            passed_on(&message, stamp);
        }
        Some(Err(refusal)) => sound(&refusal),
        Some(Ok(_)) | None => {}
    }
    if let Some(message) = http::publish(text, stamp) {
        passed_on(&message, stamp);
    }
    let _ = (hail(Some(text), Trust::AlsoPhp), hail(Some(text), Trust::Own));
    if let Ok(id) = SessionId::parse(text) {
        assert!(!format!("{id:?}").contains(text) || "SessionId(..)".contains(text), "a session's id shows");
    }
    if let Ok(found) = Applications::read(text) {
        let list: Value = serde_json::from_str(&found.json()).expect("a list is JSON");
        assert!(list.as_array().is_some_and(|list| list.iter().all(Value::is_object)));
    }
}

fn told(read: Result<Published, Refusal>) {
    match read {
        Ok(Published::Tell { message, .. }) => {
            let told: Value = serde_json::from_str(message.text()).expect("what is told is JSON");
            assert!(told.is_object() && !told["timestamp"].is_null());
        }
        Ok(Published::LookUpApplications(id)) => assert!(id.room().starts_with("session_")),
        Err(refusal) => sound(&refusal),
    }
}

fn passed_on(message: &Message, stamp: Stamp<'_>) {
    let out = message.with(&Added::default().from(None).at(stamp));
    let out: Value = serde_json::from_str(&out).expect("what is passed on is JSON");
    assert!(out.get("sessionContext").is_none(), "it says of itself which session it has");
    assert!(!out["timestamp"].is_null());
}

fn sound(refusal: &Refusal) {
    assert!(Code::ALL.contains(&refusal.code) && refusal.code.http_status() < 500);
    let length = refusal.message.len();
    assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
}

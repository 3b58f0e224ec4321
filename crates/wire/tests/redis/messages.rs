//! Messages of Laravel's `redis` broadcaster, and what is none.

use bytes::Bytes;
use deskbell_core::ids::PublicId;
use deskbell_core::refusal::Code;
use deskbell_core::vocabulary::Publish;
use deskbell_wire::redis::resp::Value;
use deskbell_wire::redis::{BadTopic, Kind, Message, Reply, Row, Table, Taken, Topic};

fn row(pattern: &str, app: usize) -> Row {
    Row { topic: Topic::parse(pattern, Kind::Laravel).unwrap(), kind: Kind::Laravel, app }
}

/// A table with the usual prefixes and those of two other sites on the same Redis.
fn table() -> Table {
    Table::new(vec![row("laravel_database_*", 0), row("clinic[1]?*", 1), row("c*", 2)])
}

fn message(pattern: &str, channel: &str, payload: &[u8]) -> Message {
    Message {
        pattern: Bytes::copy_from_slice(pattern.as_bytes()),
        channel: Some(Bytes::copy_from_slice(channel.as_bytes())),
        payload: Some(Bytes::copy_from_slice(payload)),
    }
}

fn taken(channel: &str, payload: &str) -> Publish {
    let name = format!("laravel_database_{channel}");
    match table().take(&message("laravel_database_*", &name, payload.as_bytes())) {
        Taken::Publish(0, publish) => publish,
        other => panic!("{payload}: {other:?}"),
    }
}

fn refused(channel: &str, payload: &str) -> Code {
    let name = format!("laravel_database_{channel}");
    match table().take(&message("laravel_database_*", &name, payload.as_bytes())) {
        Taken::Refused(refusal) => refusal.code,
        other => panic!("{payload}: {other:?}"),
    }
}

#[test]
fn what_laravel_writes_is_understood() {
    // As Laravel 8 writes it, with the sender's id in the data as well.
    let publish = taken(
        "private-appointments.5",
        r#"{"event":"App\\Events\\Moved","data":{"id":5,"at":"09:00","socket":"7.9"},"socket":"7.9"}"#,
    );
    assert_eq!(publish.channel.as_str(), "private-appointments.5");
    assert_eq!(publish.name.as_str(), r"App\Events\Moved");
    assert_eq!(publish.data.bytes, r#"{"id":5,"at":"09:00","socket":"7.9"}"#);
    assert_eq!(publish.except, Some(PublicId::parse("7.9").unwrap()));
    assert!(publish.id.is_none() && publish.key.is_none());
}

#[test]
fn an_event_without_a_sender_excludes_nobody() {
    for socket in [r#","socket":null"#, "", r#","socket":"Xy3-AbC""#, r#","socket":"""#] {
        let publish = taken("lobby", &format!(r#"{{"event":"e","data":{{}}{socket}}}"#));
        assert_eq!(publish.except, None, "{socket}");
    }
    // What later versions may add disturbs nobody.
    taken("lobby", r#" {"socket":null,"new":[1],"data":null,"event":"e"} "#);
}

#[test]
fn what_is_no_event_is_refused_by_its_code() {
    let deep = format!(r#"{{"event":"e","data":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for (channel, payload, code) in [
        ("a", "", Code::BadMessage),
        ("a", "hello", Code::BadMessage),
        ("a", r#"["e",{},null]"#, Code::BadMessage),
        ("a", r#"{"event":"e","data":{}"#, Code::BadMessage),
        ("a", r#"{"event":"e","data":{}}}"#, Code::BadMessage),
        ("a", r#"{"event":"e"}"#, Code::BadField),
        ("a", r#"{"data":{}}"#, Code::BadField),
        ("a", r#"{"event":7,"data":{}}"#, Code::BadField),
        ("a", r#"{"event":"e","event":"f","data":{}}"#, Code::BadField),
        ("a", r#"{"event":"e","data":{},"socket":7}"#, Code::BadField),
        ("a", r#"{"event":"e","data":"\ud800"}"#, Code::BadField),
        ("a", &deep, Code::BadField),
        ("a", r#"{"event":"","data":{}}"#, Code::BadName),
        ("a b", r#"{"event":"e","data":{}}"#, Code::BadChannel),
        ("", r#"{"event":"e","data":{}}"#, Code::BadChannel),
    ] {
        assert_eq!(refused(channel, payload), code, "{channel}: {payload}");
    }
}

#[test]
fn what_was_too_long_to_be_kept_is_refused() {
    let message = Message { payload: None, ..message("laravel_database_*", "laravel_database_a", b"") };
    assert!(matches!(table().take(&message), Taken::Refused(no) if no.code == Code::TooLarge));
    let message = Message { channel: None, ..message };
    assert!(matches!(table().take(&message), Taken::Refused(no) if no.code == Code::BadChannel));
}

#[test]
fn the_first_row_that_fits_decides_and_the_others_say_nothing() {
    let payload = br#"{"event":"e","data":{}}"#;
    let by = |pattern: &str, channel: &str| match table().take(&message(pattern, channel, payload)) {
        Taken::Publish(app, publish) => Some((app, publish.channel.to_string())),
        _ => None,
    };
    assert_eq!(by(r"clinic\[1\]\?*", "clinic[1]?lobby"), Some((1, "lobby".to_owned())));
    assert_eq!(by("c*", "clinic[1]?lobby"), None);
    assert_eq!(by("c*", "clinic1xlobby"), Some((2, "linic1xlobby".to_owned())));
    assert_eq!(by("laravel_database_*", "elsewhere"), None);
}

#[test]
fn topics_are_names_or_beginnings() {
    assert_eq!(Topic::parse("a*b*", Kind::Laravel), Err(BadTopic::InnerStar));
    assert_eq!(Topic::parse("laravel_database_", Kind::Laravel), Err(BadTopic::NoStar));
    let glob = |text| Topic::parse(text, Kind::Laravel).unwrap().glob();
    assert_eq!(glob("laravel-database-*"), b"laravel-database-*");
    assert_eq!(glob(r"a[b]?\^*"), br"a\[b\]\?\\\^*");
    assert_eq!(glob("*"), b"*");
}

#[test]
fn a_subscriber_understands_what_it_is_told() {
    let list = |items: &[&str]| {
        Value::Array(items.iter().map(|item| Value::Bulk(Bytes::copy_from_slice(item.as_bytes()))).collect())
    };
    let simple = |text: &'static str| Value::Simple(Bytes::from_static(text.as_bytes()));
    let sentence = Value::Error(Bytes::from_static(b"NOAUTH Authentication\x1b[31m required."));
    for (value, reply) in [
        (simple("OK"), Reply::Done),
        (simple("PONG"), Reply::Pong),
        (sentence, Reply::Refused("NOAUTH Authentication[31m required.".to_owned())),
        (list(&["pong", ""]), Reply::Pong),
        (list(&["psubscribe", "a*", "1"]), Reply::Subscribed),
        (list(&["punsubscribe", "a*", "0"]), Reply::Unsubscribed),
        (list(&["pmessage", "a*", "ab", "{}"]), Reply::Message(message("a*", "ab", b"{}"))),
        (list(&["message", "ab", "{}"]), Reply::Strange),
        (list(&["pmessage", "a*"]), Reply::Strange),
        (list(&[]), Reply::Strange),
        (Value::Integer(1), Reply::Strange),
    ] {
        assert_eq!(Reply::of(value), reply);
    }
    let cut = Value::Array(vec![
        Value::Bulk(Bytes::from_static(b"pmessage")),
        Value::Bulk(Bytes::from_static(b"a*")),
        Value::Bulk(Bytes::from_static(b"ab")),
        Value::TooLong(9),
    ]);
    assert_eq!(Reply::of(cut), Reply::Message(Message { payload: None, ..message("a*", "ab", b"") }));
}

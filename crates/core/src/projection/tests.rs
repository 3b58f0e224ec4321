//! Rows, names and templates.

use bytes::Bytes;

use super::*;
use crate::event::Data;

fn event(name: &str, data: &str) -> Event {
    Event {
        id: EventId::parse("Ab3.0.1").unwrap(),
        channel: ChannelName::parse("user:7").unwrap(),
        name: EventName::parse(name).unwrap(),
        data: Data::json(Bytes::copy_from_slice(data.as_bytes())),
        at: 1_769_850_000_000,
    }
}

fn text(channel: &str, from: &str, event: &str, name: &str, data: Value) -> Text {
    Text {
        dialect: Dialect::Pusher,
        channel: channel.into(),
        from: from.into(),
        event: event.into(),
        name: name.into(),
        data,
    }
}

fn one(data: Value) -> Table {
    Table::new(vec![text("x.{id}", "user:{id}", "booking.*", "x", data)]).unwrap()
}

fn filled(data: Value, event: &Event) -> Value {
    let shown = one(data).project(&[0], event);
    serde_json::from_slice(&shown[0].data).unwrap()
}

#[test]
fn a_template_takes_parts_of_the_event() {
    let event = event(
        "booking.confirmed",
        r#"{"reservation":{"id":"r_1","holder":"user:7","claims":[{"start":0}],"meta":null}}"#,
    );
    let template = serde_json::json!({
        "who": "$id:reservation.holder", "nobody": "$id:reservation.id", "id": "$reservation.id", "plain": "text", "price": "$$5", "action": "$event.action", "meta": "$reservation.meta",
        "start": "$iso:reservation.claims.0.start", "at": "$iso:event.at", "ms": "$event.at", "gone": "$reservation.nothing.0",
        "deep": ["$reservation.id", "$nothing", 7], "as_text": "$text:reservation.claims.0.start"
    });
    let expected = serde_json::json!({
        "who": "7", "id": "r_1", "plain": "text", "price": "$5", "action": "confirmed", "meta": null,
        "start": "1970-01-01T00:00:00.000Z", "at": "2026-01-31T09:00:00.000Z", "ms": 1_769_850_000_000_u64,
        "deep": ["r_1", 7], "as_text": "0"
    });
    assert_eq!(filled(template, &event), expected);
}

#[test]
fn dates_are_those_of_the_calendar() {
    let at = |at: u64| {
        let event = Event { at, ..event("booking.confirmed", "{}") };
        filled(Value::from("$iso:event.at"), &event)
    };
    assert_eq!(at(951_782_399_999), "2000-02-28T23:59:59.999Z");
    assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00.000Z");
    assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    assert_eq!(at(4_107_542_399_000), "2100-02-28T23:59:59.000Z");
    assert_eq!(at(253_402_200_000_007), "9999-12-30T20:00:00.007Z");
    // Behind what can be written the field is left out.
    assert_eq!([at(253_402_300_800_000), at(u64::MAX)], [Value::Null, Value::Null]);
}

#[test]
fn one_booking_reaches_every_screen_in_its_own_words() {
    let table = Table::with_seeds(Vec::new()).unwrap();
    let event = event("booking.confirmed", r#"{"reservation":{"id":"r_1","state":"booked","claims":[]}}"#);
    let names = |dialect, channel: &str, from: &str| -> Vec<String> {
        let sources = table.resolve(dialect, channel);
        let source = sources.iter().find(|source| source.channel.as_str() == from).unwrap();
        table.project(&source.rows, &event).into_iter().map(|shown| shown.name.to_string()).collect()
    };
    let pusher = names(Dialect::Pusher, "private-appointments.7", "user:7");
    assert_eq!(pusher, ["appointment-updated", "appointment-confirmed"]);
    assert_eq!(names(Dialect::SocketIo, "user_7", "user:7"), ["booking_update"]);
    assert_eq!(names(Dialect::SocketIo, "booking_r_1", "booking:r_1"), ["booking_update"]);
    assert!(
        table.resolve(Dialect::AppointEase, "ann@example.org").is_empty(),
        "these pages are told what there is now"
    );
    assert!(table.resolve(Dialect::Native, "user:7").is_empty(), "our own clients get events as they are");
}

/// What a dialect's channel shows of an event of a log channel: names and data.
fn shown(dialect: Dialect, channel: &str, from: &str, name: &str, data: &str) -> Vec<(String, Value)> {
    let table = Table::with_seeds(Vec::new()).unwrap();
    let sources = table.resolve(dialect, channel);
    let source = sources.iter().find(|source| source.channel.as_str() == from).unwrap();
    let event = Event { channel: ChannelName::parse(from).unwrap(), ..event(name, data) };
    let shown = table.project(&source.rows, &event).into_iter();
    shown.map(|shown| (shown.name.to_string(), serde_json::from_slice(&shown.data).unwrap())).collect()
}

#[test]
fn one_notification_reaches_every_screen_in_its_own_words() {
    let data = r#"{"number":3,"user":"7","id":"n-1","type":"reminder","title":"Soon","body":"At ten",
        "data":{"action_url":"/a/1"},"unread":2}"#;
    let of = |dialect, channel: &str, name: &str| shown(dialect, channel, "user:7", name, data);
    let bell = of(Dialect::SocketIo, "user_7", "notification.created");
    let expected = serde_json::json!({
        "type": "notification", "action": "new_notification", "timestamp": "2026-01-31T09:00:00.000Z",
        "data": {"id": "n-1", "type": "reminder", "title": "Soon", "message": "At ten", "data": {"action_url": "/a/1"}}
    });
    assert_eq!(bell, [("notification".to_owned(), expected)]);
    let bell = of(Dialect::Pusher, "private-notifications.7", "notification.created");
    let expected = serde_json::json!({
        "id": "n-1", "user_id": "7", "type": "reminder", "title": "Soon", "message": "At ten",
        "data": {"action_url": "/a/1"}, "action_url": "/a/1", "is_read": false, "created_at": "2026-01-31T09:00:00.000Z"
    });
    assert_eq!(bell, [("general-notification".to_owned(), expected.clone())]);
    let bell = of(Dialect::Pusher, "private-user.7.notifications", "notification.created");
    assert_eq!(bell, [("notification.created".to_owned(), expected)]);
    let bell = of(Dialect::Pusher, "private-App.Models.User.7", "notification.created");
    assert_eq!(bell[0].0, r"Illuminate\Notifications\Events\BroadcastNotificationCreated");
    for (dialect, channel) in [(Dialect::SocketIo, "user_7"), (Dialect::Pusher, "private-notifications.7")] {
        assert!(of(dialect, channel, "notification.kept").is_empty(), "in quiet hours nothing rings");
    }
}

#[test]
fn a_conversation_is_heard_in_the_words_of_its_screens() {
    let said = r#"{"conversation_id":"5","number":1,"from":"7","id":"m-1","data":{"text":"hello"}}"#;
    let of = |channel: &str, from: &str, name: &str, data| shown(Dialect::Pusher, channel, from, name, data);
    let expected = serde_json::json!({
        "conversation_id": "5", "type": "sent", "data": {"text": "hello"}, "timestamp": "2026-01-31T09:00:00.000Z"
    });
    let heard = of("private-conversation.5", "conversation:5", "message.sent", said);
    assert_eq!(heard, [("message-sent".to_owned(), expected.clone())]);
    assert_eq!(of("private-user.9", "user:9", "message.sent", said), [("message-sent".to_owned(), expected)]);
    let heard = of("private-chat.5", "conversation:5", "message.sent", said);
    assert_eq!((heard[0].0.as_str(), &heard[0].1["sender_id"]), ("pesan-chat-sent", &Value::from("7")));
    let typing = r#"{"conversation_id":"5","user":"7","typing":true}"#;
    let heard = of("private-conversation.5", "typing:5", "typing.changed", typing);
    let expected = serde_json::json!({"user_id": "7", "is_typing": true});
    assert_eq!((heard[0].0.as_str(), &heard[0].1["data"]), ("message-typing", &expected));
    assert!(of("private-conversation.5", "conversation:5", "member.added", "{}").is_empty());
}

#[test]
fn a_name_shows_only_what_its_row_says() {
    let table = Table::with_seeds(Vec::new()).unwrap();
    let doctor = table.resolve(Dialect::Pusher, "private-appointments.doctor.3");
    let channels: Vec<_> = doctor.iter().map(|source| source.channel.as_str()).collect();
    // The name also fits the patients' row, but the doctors' says more of it.
    let backend = ["private-appointments.doctor.3", "private-private-appointments.doctor.3"];
    assert_eq!(channels, [backend[0], backend[1], "provider:3"]);
    let bell = table.resolve(Dialect::Pusher, "private-user.7.notifications");
    let channels: Vec<_> = bell.iter().map(|source| source.channel.as_str()).collect();
    assert_eq!(channels, ["user:7"], "and not that of somebody called `7.notifications`");
    assert!(table.resolve(Dialect::Pusher, "private-appointments.").is_empty());
    assert!(table.resolve(Dialect::Pusher, "public-lobby").is_empty());
    assert!(table.resolve(Dialect::SocketIo, "user_a b").is_empty(), "no log channel can be called that");
    let other = event("hold.granted", "{}");
    let rows: Vec<u16> = doctor.iter().flat_map(|source| source.rows.clone()).collect();
    assert!(table.project(&rows, &other).is_empty());
    assert!(table.project(&[999], &other).is_empty());
}

#[test]
fn rows_of_the_operator_come_behind_the_built_in_ones() {
    let own = text("private-appointments.{id}", "user:{id}", "booking.confirmed", "hooray", Value::Null);
    let table = Table::with_seeds(vec![own]).unwrap();
    let sources = table.resolve(Dialect::Pusher, "private-appointments.7");
    let shown = table.project(&sources[0].rows, &event("booking.confirmed", "{}"));
    let names: Vec<_> = shown.iter().map(|shown| shown.name.as_str()).collect();
    assert_eq!(names, ["appointment-updated", "appointment-confirmed", "hooray"]);
}

#[test]
fn the_name_of_a_frame_may_end_with_what_happened() {
    let table =
        Table::new(vec![text("x.{id}", "user:{id}", "booking.*", "appointment-$action", Value::Null)])
            .unwrap();
    let shown = table.project(&[0], &event("booking.cancelled", "{}"));
    assert_eq!(shown[0].name.as_str(), "appointment-cancelled");
}

#[test]
fn what_a_backend_says_in_one_name_is_heard_under_the_names_that_screens_listen_to() {
    let data = r#"{"id":3,"action":"cancelled","status":"cancelled"}"#;
    for name in ["private-appointments.7", "private-private-appointments.7"] {
        let heard = shown(Dialect::Pusher, "private-appointments.7", name, "appointment-updated", data);
        assert_eq!(heard, [("appointment-cancelled".to_owned(), serde_json::from_str(data).unwrap())]);
    }
    let heard = shown(
        Dialect::Pusher,
        "private-appointments.7",
        "private-appointments.7",
        "appointment-updated",
        "{}",
    );
    assert!(heard.is_empty(), "it says no action");
}

#[test]
fn there_are_so_many_rows_and_not_one_more() {
    let rows = |count| vec![text("a.{id}", "user:{id}", "x", "x", Value::Null); count];
    assert!(Table::new(rows(limits::PROJECTIONS)).is_ok());
    let no = Table::new(rows(limits::PROJECTIONS + 1)).unwrap_err();
    assert_eq!(no.code, Code::LimitReached);
    assert!(no.message.contains(&limits::PROJECTIONS.to_string()), "{no}");
}

#[test]
fn wrong_rows_are_refused_with_their_number() {
    let deep = (0..20).fold(Value::Null, |inner, _| serde_json::json!([inner]));
    let many = Value::from(vec![0; 300]);
    let wrong = [
        text("a.{id}", "user:{other}", "x", "x", Value::Null),
        text("a.{id}.{id}", "user:{id}", "x", "x", Value::Null),
        text("a.{", "user", "x", "x", Value::Null),
        text("a.}", "user", "x", "x", Value::Null),
        text("", "user", "x", "x", Value::Null),
        text("a", "user:{id}", "x", "x", Value::Null),
        text("a", "user", "*x*", "x", Value::Null),
        text("a", "user", "x", "", Value::Null),
        text("a", "user", "x", "x", deep),
        text("a", "user", "x", "x", many),
    ];
    for wrong in wrong {
        let fine = text("b.{id}", "user:{id}", "x*", "x", Value::Null);
        let no = Table::new(vec![fine, wrong.clone()]).unwrap_err();
        assert!(no.message.starts_with("projection 1: "), "{wrong:?}: {no}");
    }
}

#[test]
fn data_that_is_no_json_still_has_a_name_and_a_time() {
    let event = event("booking.confirmed", "not json");
    let shown = filled(serde_json::json!({"id": "$reservation.id", "at": "$event.at"}), &event);
    assert_eq!(shown, serde_json::json!({"at": 1_769_850_000_000_u64}));
}

/// An event in a row of the ledger, or of memory where that is 0.
fn entry(row: u64, id: &str) -> Entry {
    let own = Event { id: EventId::parse(id).unwrap(), ..event("booking.confirmed", "{}") };
    let ledger = if row == 0 { 0 } else { ledger::event(row, 0) };
    let epoch = crate::position::Epoch(1);
    Entry {
        event: own,
        kind: crate::event::Kind::Message,
        key: None,
        except: None,
        by: None,
        epoch,
        seq: 1,
        ledger,
        after: crate::position::Position::start(epoch, ledger, 0),
        frames: crate::event::Frames::default(),
    }
}

#[test]
fn who_is_reached_over_two_channels_is_told_once() {
    let mut told = Told::default();
    let name = |name: &str| EventName::parse(name).unwrap();
    assert!(told.is_first(&entry(7, "Ab3.0.1"), &name("booking_update")));
    assert!(
        !told.is_first(&entry(7, "Ab3.0.2"), &name("booking_update")),
        "the provider's event of the same"
    );
    assert!(told.is_first(&entry(7, "Ab3.0.2"), &name("appointment-updated")), "another frame of it");
    assert!(
        told.is_first(&entry(7, "Ab3.1.3"), &name("booking_update")),
        "another thing that the change tells"
    );
    assert!(told.is_first(&entry(8, "Xy9.0.1"), &name("booking_update")), "the next change");
    assert!(told.is_first(&entry(0, "plain"), &name("x")) && !told.is_first(&entry(0, "plain"), &name("x")));
}

#[test]
fn an_id_that_its_publisher_chose_says_nothing_of_other_events() {
    for row in [0, 7] {
        let mut told = Told::default();
        let name = EventName::parse("payment_update").unwrap();
        for id in ["payment.1", "payment.2", "2026.payment.3", "2026.payment.4"] {
            assert!(told.is_first(&entry(row, id), &name), "{id}");
        }
    }
    let mut told = Told::default();
    let name = EventName::parse("payment_update").unwrap();
    // Like one of the ledger's, but not in a row of it.
    assert!(told.is_first(&entry(0, "Ab3.0.1"), &name) && told.is_first(&entry(0, "Ab3.0.2"), &name));
}

#[test]
fn who_was_told_of_many_changes_is_still_told_once_of_the_next() {
    let mut told = Told::default();
    let name = EventName::parse("booking_update").unwrap();
    for change in 1..=limits::FRAMES_PER_CHANGE as u64 + 1 {
        let one = |part: u8| entry(change, &format!("c{change}.0.{part}"));
        assert!(told.is_first(&one(1), &name), "change {change}");
        assert!(!told.is_first(&one(2), &name), "change {change}");
    }
}

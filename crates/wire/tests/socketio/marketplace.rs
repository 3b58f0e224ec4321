//! The marketplace's own events, and both forms of what its backend posts.

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::socketio::marketplace::asked::{self, Asked};
use deskbell_wire::socketio::marketplace::broadcast::{self, Kind, To};
use deskbell_wire::socketio::{Said, read};

/// 2026-01-31T09:00:00.007Z.
const AT: u64 = 1_769_850_000_007;

fn asks(message: &str) -> Option<Result<String, Code>> {
    let Said::Event { name, args, .. } = read(message).unwrap().said else { panic!("{message}") };
    let asked = asked::read(&name, args)?;
    Some(asked.map(|asked| format!("{asked:?}")).map_err(|refusal| refusal.code))
}

fn authenticates(message: &str, token: Option<&str>, user: Option<&str>, role: Option<&str>) {
    let Said::Event { name, args, .. } = read(message).unwrap().said else { panic!("{message}") };
    let expected = Asked::Authenticate {
        token: token.map(Into::into),
        user: user.map(Into::into),
        role: role.map(Into::into),
    };
    assert_eq!(asked::read(&name, args), Some(Ok(expected)), "{message}");
}

#[test]
fn clients_say_who_they_are_in_every_form() {
    authenticates(
        r#"2["authenticate",{"token":"t","userId":"u1","role":"CLIENT"}]"#,
        Some("t"),
        Some("u1"),
        Some("CLIENT"),
    );
    authenticates(r#"2["authenticate","t"]"#, Some("t"), None, None);
    authenticates(r#"20["authenticate",{"userId":7,"role":null,"more":[1]}]"#, None, Some("7"), None);
    authenticates(r#"2["authenticate",{}]"#, None, None, None);
    let long = format!(r#"2["authenticate","{}"]"#, "x".repeat(limits::TOKEN + 1));
    assert_eq!(asks(&long), Some(Err(Code::TooLarge)));
    for bad in
        ["", ",1", ",[]", ",{},{}", r#",{"token":1}"#, r#",{"token":"a","token":"b"}"#, r#",{"userId":-1}"#]
    {
        assert_eq!(asks(&format!(r#"2["authenticate"{bad}]"#)), Some(Err(Code::BadField)), "{bad}");
    }
}

#[test]
fn rooms_are_named_by_one_text() {
    assert_eq!(asks(r#"2["join_room","user_1"]"#), Some(Ok(r#"Join("user_1")"#.to_owned())));
    assert_eq!(asks(r#"2["leave_room","a\u0062"]"#), Some(Ok(r#"Leave("ab")"#.to_owned())));
    for bad in ["", ",7", ",null", r#","a","b""#, r#",["a"]"#] {
        assert_eq!(asks(&format!(r#"2["join_room"{bad}]"#)), Some(Err(Code::BadField)), "{bad}");
    }
    assert_eq!(asks(r#"2["booking:open","a"]"#), None, "everything else is the application's own");
    assert_eq!(asks(r#"2["Join_room","a"]"#), None);
}

#[test]
fn answers_have_the_fields_that_clients_read() {
    let no = Refusal::new(Code::Denied, "this room is \"another's\"");
    assert_eq!(
        asked::authenticated("u1", Some("CLIENT")),
        r#"{"success":true,"userId":"u1","role":"CLIENT"}"#
    );
    assert_eq!(asked::authenticated("u1", None), r#"{"success":true,"userId":"u1","role":null}"#);
    let error = r#"{"error":"Authentication failed","message":"this room is \"another's\"","code":"denied"}"#;
    assert_eq!(asked::auth_error(&no), error);
    assert_eq!(asked::AUTH_ERRORS, ["auth_error", "authentication_error"]);
    let error = r#"{"room":"user_2","code":"denied","message":"this room is \"another's\""}"#;
    assert_eq!(asked::room_error(Some("user_2"), &no), error);
    assert_eq!(asked::outcome(Ok(())), r#"{"success":true}"#);
    let outcome = r#"{"success":false,"code":"denied","message":"this room is \"another's\""}"#;
    assert_eq!(asked::outcome(Err(&no)), outcome);
}

fn told(body: &str) -> (To, Option<Kind>, String) {
    let broadcast = broadcast::read(body).unwrap();
    let data = broadcast.data(AT);
    let parsed: serde_json::Value = serde_json::from_str(&data).unwrap_or_else(|why| panic!("{why}: {data}"));
    assert_eq!(parsed["timestamp"], "2026-01-31T09:00:00.007Z");
    let end = r#","timestamp":"2026-01-31T09:00:00.007Z"}"#;
    (broadcast.to, broadcast.kind, data.strip_suffix(end).unwrap().to_owned())
}

fn users(ids: &[&str]) -> To {
    To::Users(ids.iter().map(|id| deskbell_core::ids::UserId::parse(id).unwrap()).collect())
}

#[test]
fn the_documented_form() {
    let body = r#"{"event":{"type":"booking","action":"accepted"},"data":{"id":1.0, "s":"\u00e4"},"targetUsers":["user_123","u2"]}"#;
    let expected = r#"{"type":"booking","action":"accepted","data":{"id":1.0, "s":"\u00e4"}"#;
    assert_eq!(told(body), (users(&["user_123", "u2"]), Some(Kind::Booking), expected.to_owned()));
    for (kind, word, event) in [
        (Kind::Booking, "booking", "booking_update"),
        (Kind::Payment, "payment", "payment_update"),
        (Kind::Payout, "payout", "payout_update"),
        (Kind::Notification, "notification", "notification"),
    ] {
        let (_, read, _) = told(&format!(r#"{{"event":{{"type":"{word}","action":"a"}},"data":{{}}}}"#));
        assert_eq!((read, kind.event()), (Some(kind), event));
    }
    let broadcast = broadcast::read(body).unwrap();
    assert_eq!(broadcast.answer(7), r#"{"success":true,"message":"Event broadcasted successfully"}"#);
}

#[test]
fn a_notification_shows_title_and_message() {
    let body =
        r#"{"event":{"type":"notification","action":"info"},"data":{"title":"T","message":"M","more":1}}"#;
    let expected = r#"{"type":"notification","action":"new_notification","data":{"type":"info","title":"T","message":"M"}"#;
    assert_eq!(told(body), (To::Everyone, Some(Kind::Notification), expected.to_owned()));
}

#[test]
fn the_older_form() {
    for (action, kind, what) in [
        ("booking_created", Kind::Booking, "created"),
        ("booking_accepted", Kind::Booking, "accepted"),
        ("booking_rejected", Kind::Booking, "rejected"),
        ("payment_status_changed", Kind::Payment, "status_changed"),
        ("payout_status_changed", Kind::Payout, "status_changed"),
    ] {
        let body =
            format!(r#"{{"action":"{action}","data":{{"id": "b1","targetUsers":["u1"],"n":[1, 2]}}}}"#);
        let expected =
            format!(r#"{{"type":"{}","action":"{what}","data":{{"id":"b1","n":[1, 2]}}"#, kind.as_str());
        assert_eq!(told(&body), (users(&["u1"]), Some(kind), expected), "nobody sees who else is told");
        let answer =
            format!(r#"{{"success":true,"message":"Broadcasted {action} event","connectedUsers":3}}"#);
        assert_eq!(broadcast::read(&body).unwrap().answer(3), answer);
    }
    let body =
        r#"{"action":"notification","data":{"targetUsers":[],"type":"warning","title":"T","message":"M"}}"#;
    let expected = r#"{"type":"notification","action":"new_notification","data":{"type":"warning","title":"T","message":"M"}"#;
    assert_eq!(told(body), (To::Everyone, Some(Kind::Notification), expected.to_owned()));
}

#[test]
fn whom_to_tell() {
    let to = |more: &str| told(&format!(r#"{{"event":{{"type":"test","action":"a"}},"data":{{}}{more}}}"#)).0;
    assert_eq!(to(""), To::Everyone);
    assert_eq!(to(r#","targetUsers":null"#), To::Everyone);
    assert_eq!(to(r#","targetUsers":[]"#), To::Everyone);
    assert_eq!(to(r#","targetRole":"PROVIDER""#), To::Role("PROVIDER".to_owned()));
    assert_eq!(to(r#","broadcastToRole":"client""#), To::Role("client".to_owned()));
}

/// The application's own test scripts post a kind that no client knows.
#[test]
fn an_unknown_kind_is_no_fault() {
    let (_, kind, data) = told(r#"{"event":{"type":"test","action":"x\"y"},"data":{}}"#);
    assert_eq!((kind, data.as_str()), (None, r#"{"type":"test","action":"x\"y","data":{}"#));
    assert_eq!(told(r#"{"action":"elsewhere","data":{"a":1}}"#).1, None);
}

#[test]
fn what_is_no_broadcast() {
    let deep = format!(r#"{{"event":{{"type":"booking"}},"data":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for (body, code) in [
        ("", Code::BadMessage),
        ("{", Code::BadMessage),
        ("[]", Code::BadMessage),
        ("{}", Code::BadField),
        (r#"{"event":7}"#, Code::BadMessage),
        (r#"{"event":{"action":"a"}}"#, Code::BadField),
        (r#"{"event":{"type":"booking","action":"a","x":1}}"#, Code::BadField),
        (r#"{"event":{"type":"notification"},"data":7}"#, Code::BadField),
        (r#"{"event":{"type":"notification"},"data":["T","M"]}"#, Code::BadField),
        (r#"{"action":"booking_created","data":[]}"#, Code::BadField),
        (r#"{"event":{"type":"booking"},"targetUsers":"u1"}"#, Code::BadField),
        (r#"{"event":{"type":"booking"},"targetUsers":[7]}"#, Code::BadField),
        (r#"{"event":{"type":"booking"},"targetUsers":[""]}"#, Code::BadField),
        (deep.as_str(), Code::BadField),
    ] {
        let refusal = broadcast::read(body).unwrap_err();
        assert_eq!(refusal.code, code, "{body}: {refusal}");
        let failed: serde_json::Value = serde_json::from_str(&broadcast::failed(&refusal)).unwrap();
        assert_eq!((&failed["success"], &failed["error"]), (&false.into(), &"Broadcast failed".into()));
    }
    let many = |count: usize| {
        let ids = vec![r#""u""#; count].join(",");
        broadcast::read(&format!(r#"{{"event":{{"type":"booking"}},"targetUsers":[{ids}]}}"#))
            .map_err(|no| no.code)
    };
    assert!(many(limits::NOTIFIED).is_ok());
    assert_eq!(many(limits::NOTIFIED + 1), Err(Code::LimitReached));
}

#[test]
fn the_status_counts_users_and_connections() {
    let expected = r#"{"success":true,"status":"active","connectedUsers":2,"connections":5,"message":"Socket.IO server is running","timestamp":"2026-01-31T09:00:00.007Z"}"#;
    assert_eq!(broadcast::status(2, 5, AT), expected);
}

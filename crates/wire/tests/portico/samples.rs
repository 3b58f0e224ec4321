//! What the server says, by a word for each thing.

use bytes::Bytes;
use deskbell_core::calendar::TimeZone;
use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event, Form};
use deskbell_core::ids::{ChannelName, EventId, EventName, Principal, ReservationId, ResourceId, UserId};
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Claim, Granted, Reservation, State};
use deskbell_wire::portico::applications::{self, Applications, Missing};
use deskbell_wire::portico::asked::Entity;
use deskbell_wire::portico::message::{self, Added, Message};
use deskbell_wire::portico::said::{self as frames, Room, Why};
use deskbell_wire::portico::session::{Change, Kind};
use deskbell_wire::portico::{Asked, Session, SessionId, Stamp, decode, http};
use serde_json::value::RawValue;

/// 2025-05-12T10:22:33+02:00.
pub const AT: u64 = 1_747_038_153_000;

pub fn oslo() -> &'static TimeZone {
    static OSLO: std::sync::OnceLock<TimeZone> = std::sync::OnceLock::new();
    OSLO.get_or_init(|| TimeZone::parse("Europe/Oslo").unwrap())
}

pub fn stamp() -> Stamp<'static> {
    Stamp { at: AT, zone: oslo() }
}

pub fn id() -> SessionId {
    SessionId::parse("abcdefghijklmnop").unwrap()
}

fn entity(kind: &str, id: &str) -> Entity {
    match decode(&format!(r#"{{"type":"subscribe","entityType":"{kind}","entityId":{id}}}"#)) {
        Some(Ok(Asked::Subscribe(entity))) => entity,
        other => panic!("{other:?}"),
    }
}

fn room() -> Room {
    Room { id: id().room(), size: 2 }
}

fn rooms() -> [Room; 2] {
    [room(), Room { id: "entity_building_10".to_owned(), size: 3 }]
}

pub fn said(what: &str) -> String {
    let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
    let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    let no = Refusal::new(Code::Unauthorized, "only a token says who you are");
    match (kind, &words[..]) {
        ("session_id_required", []) => frames::session_id_required(stamp()),
        ("room_joined", []) => frames::session_room_joined(&room(), stamp()),
        ("room_joined", [kind, id]) => frames::entity_room_joined(&entity(kind, id), 3, stamp()),
        ("connection_success", []) => frames::connection_success(&room(), &rooms(), stamp()),
        ("user_info", ["no"]) => frames::user_info(7, Err(&no), stamp()),
        ("user_info", [user]) => frames::user_info(user.parse().unwrap(), Ok(()), stamp()),
        ("subscribed", [kind, id]) => frames::subscribed(&entity(kind, id), stamp()),
        ("unsubscribed", [kind, id]) => frames::unsubscribed(&entity(kind, id), stamp()),
        ("session_updated", [old]) => updated(old),
        ("pong", []) => frames::pong(None, None, 7, stamp()),
        ("pong", [id, heartbeat]) => frames::pong(Some(id), Some(heartbeat), u64::MAX, stamp()),
        ("server_ping", []) => frames::server_ping(7, stamp()),
        ("room_ping", [room]) => frames::room_ping(room, stamp()),
        ("reconnect_required", []) => frames::reconnect_required(stamp()),
        ("not_in_room", []) => frames::no(Why::NotInRoom, stamp()),
        ("no_relays", []) => frames::no(Why::NoRelays, stamp()),
        ("bad_session", []) => frames::no(Why::BadSession, stamp()),
        ("error", []) => frames::error(&no, stamp()),
        ("denied", []) => frames::error(&Refusal::new(Code::Denied, "no"), stamp()),
        ("relay", _) => relayed(rest),
        ("tabs", _) => {
            let added = Added::default().text("type", "room_message").text("roomId", &id().room());
            Message::read(rest).unwrap().with(&added.from(Some(&session())).at(stamp()))
        }
        ("event", [channel, form, name, ..]) => {
            event(channel, form, name, rest.splitn(4, ' ').nth(3).unwrap())
        }
        ("applications", [which]) => shown_applications(which),
        ("health", []) => http::health(3, stamp()),
        ("publish", _) => http::publish(rest, stamp()).map_or_else(http::invalid, |it| it.text().to_owned()),
        ("published", []) => http::published(),
        ("failed", []) => http::failed("the ledger does not answer"),
        _ => panic!("an unknown sample: {what}"),
    }
}

fn session() -> Session {
    Session { id: id(), kind: Kind::Booking }
}

fn updated(old: &str) -> String {
    let old = SessionId::parse(old).ok();
    let change = Change::of(old.as_ref(), &id());
    frames::session_updated(&id(), change, change == Change::Set, &rooms(), stamp())
}

/// A message of somebody with a session, as others get it.
fn relayed(text: &str) -> String {
    match text.strip_prefix("- ") {
        Some(text) => Message::read(text).unwrap().with(&Added::default().from(None).at(stamp())),
        None => Message::read(text).unwrap().with(&Added::default().from(Some(&session())).at(stamp())),
    }
}

fn event(channel: &str, form: &str, name: &str, data: &str) -> String {
    let form = if form == "text" { Form::Text } else { Form::Json };
    let event = Event {
        id: EventId::parse("e1").unwrap(),
        channel: ChannelName::parse(channel).unwrap(),
        name: EventName::parse(name).unwrap(),
        data: Data { form, bytes: Bytes::from(data.to_owned()) },
        at: AT,
    };
    let mut log = Log::new(Epoch(1), 0, 0, Classes::default());
    log.append(Draft::message(event), None, AT).unwrap();
    let mut entries = Vec::new();
    log.pull(0, 1, &mut entries);
    message::event(&entries[0], stamp()).unwrap()
}

fn shown_applications(which: &str) -> String {
    let found = |text: &str| Applications::read(text);
    let answer = |found: Result<&Applications, &Missing>| applications::answer(Some(&id()), found, stamp());
    match which {
        "none" => answer(Ok(&found("[]").unwrap())),
        "some" => answer(Ok(&found(r#"[{"id":1,"any":[1]},{"id":2}]"#).unwrap())),
        "within" => answer(Ok(&found(r#"{"applications":[{"id":1}],"more":1}"#).unwrap())),
        "push" => applications::push(&id(), &found(r#"[{"id":1}]"#).unwrap(), stamp()),
        "sessionless" => applications::answer(None, Err(&Missing::Unreachable), stamp()),
        "unreachable" => answer(Err(&Missing::Unreachable)),
        "wrong" => answer(Err(&Missing::Wrong(found(r#"{"a":1}"#).unwrap_err()))),
        "words" => answer(Err(&Missing::Wrong(found("[1]").unwrap_err()))),
        "held" => {
            let holds = [hold(State::Held, None), hold(State::Released, None)];
            answer(Ok(&Applications::of_holds(&id(), &holds, stamp())))
        }
        "noted" => {
            let meta = r#"{"id":77,"name":"Choir","status":"x","resources":[{"id":5}]}"#;
            answer(Ok(&Applications::of_holds(&id(), &[hold(State::Held, Some(meta))], stamp())))
        }
        _ => panic!("{which}"),
    }
}

fn hold(state: State, meta: Option<&str>) -> Reservation {
    let claim = |resource: &str, hour: u64| Granted {
        claim: Claim {
            resource: ResourceId::parse(resource).unwrap(),
            start: AT + hour * 3_600_000,
            end: AT + (hour + 1) * 3_600_000,
            units: 1,
        },
        before: 0,
        after: 0,
    };
    Reservation {
        id: ReservationId::parse("r_1").unwrap(),
        holder: Principal::User(UserId::parse("x").unwrap()),
        state,
        claims: vec![claim("resource:12", 1), claim("hall", 2)],
        fence: 7,
        version: 7,
        granted_at: AT,
        expires_at: Some(AT + 1),
        life_until: None,
        tied: false,
        warned: false,
        unclaimed: false,
        forced: false,
        remind_at: Vec::new(),
        unlinked_at: None,
        offer: None,
        block: None,
        external_ref: None,
        email: None,
        meta: meta.and_then(|meta| RawValue::from_string(meta.to_owned()).ok()),
    }
}

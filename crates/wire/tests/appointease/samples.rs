//! What the server says, by a word for each thing.

use bytes::Bytes;
use deskbell_core::calendar::TimeZone;
use deskbell_core::class::Classes;
use deskbell_core::event::{Data, Draft, Event, Form};
use deskbell_core::ids::{ChannelName, EventId, EventName, ExternalRef, Principal, ReservationId, UserId};
use deskbell_core::limits;
use deskbell_core::log::Log;
use deskbell_core::position::Epoch;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{By, Claim, Granted, Reservation, State};
use deskbell_core::slotted::{Grid, Locked, Standing, Unavailable};
use deskbell_wire::appointease::asked::latency;
use deskbell_wire::appointease::debug::{Client, Lock, Panel, Selection};
use deskbell_wire::appointease::hail::Who;
use deskbell_wire::appointease::poll::{self, Unit, Update, What};
use deskbell_wire::appointease::{Asked, Slot, broadcast, decode, rest, rows, said as frames};
use serde_json::value::RawValue;

/// 2025-10-27T01:10:16.882Z.
pub const AT: u64 = 1_761_527_416_882;

pub fn grid() -> Grid {
    Grid::new(TimeZone::parse("Europe/Oslo").unwrap(), limits::SLOT_LENGTH).unwrap()
}

/// The slot of a message, with the employee as it is written.
pub fn slot(date: &str, time: &str, employee: &str) -> Slot {
    let message =
        format!(r#"{{"type":"lock_slot","date":"{date}","time":"{time}","employeeId":{employee}}}"#);
    match decode(&message) {
        Some(Ok(Asked::Lock(slot))) => slot,
        other => panic!("{message}: {other:?}"),
    }
}

pub fn said(what: &str) -> String {
    let words: Vec<&str> = what.split(' ').collect();
    let [kind, rest @ ..] = &words[..] else { panic!("{what}") };
    match rest {
        [date, time, employee, more @ ..] if time.contains(':') => {
            of_slot(kind, &slot(date, time, employee), more)
        }
        _ => of_all(kind, rest),
    }
}

fn of_slot(kind: &str, slot: &Slot, more: &[&str]) -> String {
    let number = |place: usize| more.get(place).and_then(|text: &&str| text.parse().ok());
    match kind {
        "yours" => frames::lock(slot, Locked::Yours { expires_in: number(0).unwrap() }, AT),
        "locked" => frames::lock(slot, Locked::Taken { by: By::Held, expires_in: number(0) }, AT),
        "booked" => frames::lock(slot, Locked::Taken { by: By::Booked, expires_in: None }, AT),
        "closed" => frames::lock(slot, Locked::Taken { by: By::Closed, expires_in: None }, AT),
        "overlaps" => frames::lock(slot, Locked::Overlaps { expires_in: number(0) }, AT),
        "slot_unlocked" => frames::slot_unlocked(slot, AT),
        "selection_confirmed" => frames::selection_confirmed(slot, AT),
        "deselection_confirmed" => frames::deselection_confirmed(slot, AT),
        "unwatch_confirmed" => frames::unwatch_confirmed(Some(slot), AT),
        "slot_taken" => frames::slot_taken(slot, AT),
        "availability" => {
            frames::availability(&slot.day, &more.iter().map(ToString::to_string).collect::<Vec<_>>(), AT)
        }
        "active" => frames::active_selections(&slot.day, &[slot.time.to_string()], AT),
        "debug" => panel(slot).info(AT),
        "page" => panel(slot).page(AT).replace('\n', "⏎"),
        "update" => update(slot, more),
        "wall" => {
            slot.wall().map_or_else(|no| no.to_string(), |wall| format!("{} {}", wall.date(), wall.time()))
        }
        "claim" => slot.claim(&grid()).map_or_else(|no| no.to_string(), |claim| format!("{claim:?}")),
        _ => panic!("an unknown sample: {kind}"),
    }
}

fn of_all(kind: &str, words: &[&str]) -> String {
    match (kind, words) {
        ("connection", []) => frames::connection(&Who::anonymous(AT, 1), AT),
        ("connection", [email]) => frames::connection(&Who::email(email), AT),
        ("subscribed", [email]) => frames::subscribed(email),
        ("appointments", []) => frames::update(r#"[{"id":1}]"#, AT),
        ("appointments_data", [email]) => frames::appointments_data(email, r#"[{"id":1}]"#, 1, AT),
        ("session_tracked", [step]) => frames::session_tracked(Some(step), AT),
        ("session_tracked", []) => frames::session_tracked(None, AT),
        ("pong", []) => frames::pong(latency(None, AT), AT),
        ("pong", [sent]) => frames::pong(latency(sent.parse().ok(), AT), AT),
        ("unwatch_confirmed", []) => frames::unwatch_confirmed(None, AT),
        ("event_received", [event]) => frames::event_received(event, None, AT),
        ("event_received", [event, id]) => frames::event_received(event, Some(id), AT),
        ("unknown", [kind]) => frames::unknown(kind, AT),
        ("error", []) => frames::error(&refusal(Code::BadField), AT),
        ("event", [form, name, data]) => event(form, name, data),
        ("no_update", [unit]) => poll::answer(&[], None, AT, of_unit(unit)),
        ("rest_locked", []) => rest::locked(&id(), AT + 600_000, AT, grid().zone()),
        ("unlocked", []) => rest::unlocked(),
        ("checked", []) => rest::checked(None, None, AT),
        ("checked", [by]) => rest::checked(Some(&standing(by)), Some(&person()), AT),
        ("available", by) => available(by),
        ("all", []) => rest::available(&Unavailable::All, &[], |_| None, AT),
        ("subscription", []) => rest::subscription("abc123", &["appointment.created".to_owned()]),
        ("broadcast", []) => broadcast::answer(AT / 1_000),
        ("failed", [code]) => {
            rest::failed(&refusal(Code::ALL.into_iter().find(|own| own.as_str() == *code).unwrap()))
        }
        ("row", [state]) => rows::row(&booking(state)).unwrap_or_else(|| "-".to_owned()),
        ("rows", []) => {
            let (list, count) = rows::list(&[booking("held"), booking("booked"), booking("cancelled")]);
            format!("{count} of {}", list.len())
        }
        _ => panic!("an unknown sample: {kind} {words:?}"),
    }
}

fn refusal(code: Code) -> Refusal {
    Refusal::new(code, "write it \"so\"")
}

fn of_unit(unit: &str) -> Unit {
    if unit == "ms" { Unit::Millis } else { Unit::Seconds }
}

fn id() -> ReservationId {
    ReservationId::parse("r_ab1cd2ef3gh4").unwrap()
}

fn panel(slot: &Slot) -> Panel {
    let anonymous = Who::anonymous(AT, 35);
    let known = Who::email("ann@example.org");
    let client = |who: &Who, watching, step: Option<&str>| Client {
        who: who.clone(),
        watching,
        step: step.map(Into::into),
    };
    Panel {
        connected: 2,
        selected: 1,
        locked: 2,
        clients: vec![client(&anonymous, None, None), client(&known.masked(), Some(slot.clone()), Some("4"))],
        selections: vec![Selection { slot: slot.clone(), who: anonymous, since: AT - 112_000 }],
        locks: vec![
            Lock { slot: slot.clone(), who: Some(known), until: AT + 579_001 },
            Lock { slot: slot.clone(), who: None, until: AT },
        ],
    }
}

fn update(slot: &Slot, more: &[&str]) -> String {
    let [unit, kinds @ ..] = more else { panic!("{more:?}") };
    let what = |kind: &str| match kind {
        "processing" => What::Processing(slot.clone()),
        "available" => What::Available(slot.clone()),
        "taken" => What::Taken(slot.clone()),
        "conflict" => What::Conflict(slot.clone()),
        "created" => {
            What::Appointment("appointment.created".to_owned(), r#"{"appointment_id":"APT-1"}"#.to_owned())
        }
        _ => panic!("{kind}"),
    };
    let updates: Vec<Update> = kinds
        .iter()
        .zip(1_u64..)
        .map(|(kind, nth)| Update { id: format!("u{nth}"), at: AT + nth, what: what(kind) })
        .collect();
    let personal = updates.iter().any(|update| !update.is_public());
    poll::answer(&updates, personal.then_some(r#"[{"id":1}]"#), AT + updates.len() as u64, of_unit(unit))
}

fn event(form: &str, name: &str, data: &str) -> String {
    let form = if form == "text" { Form::Text } else { Form::Json };
    let event = Event {
        id: EventId::parse("id").unwrap(),
        channel: ChannelName::parse("ann@example.org").unwrap(),
        name: EventName::parse(name).unwrap(),
        data: Data { form, bytes: Bytes::from(data.to_owned()) },
        at: AT,
    };
    let mut log = Log::new(Epoch(1), 0, 0, Classes::default());
    log.append(Draft::message(event), None, AT).unwrap();
    let mut entries = Vec::new();
    log.pull(0, 1, &mut entries);
    frames::event(&entries[0]).unwrap()
}

fn standing(by: &str) -> Standing {
    let (by, until) = match by {
        "held" => (By::Held, Some(AT + 580_000)),
        "booked" => (By::Booked, None),
        "closed" => (By::Closed, None),
        _ => panic!("{by}"),
    };
    Standing { time: "10:00".to_owned(), by, until, reservation: id() }
}

fn person() -> rest::Person {
    rest::Person {
        name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        reference: "APT-1".to_owned(),
    }
}

fn available(by: &[&str]) -> String {
    let standing: Vec<Standing> = by.iter().map(|by| standing(by)).collect();
    let unavailable = Unavailable::Times(vec!["10:00".to_owned()]);
    rest::available(&unavailable, &standing, |one| (one.by == By::Booked).then(person), AT)
}

pub fn booking(state: &str) -> Reservation {
    let state = State::ALL.into_iter().find(|own| own.as_str() == state).unwrap();
    let claim: Claim = slot("2025-11-03", "10:00", "1").claim(&grid()).unwrap();
    let meta = r#"{"id":12,"name":"Ann \"A\"","phone":"1","service":"Haircut","total_amount":"9.50"}"#;
    Reservation {
        id: id(),
        holder: Principal::User(UserId::parse("ann@example.org").unwrap()),
        state,
        claims: vec![Granted { claim, before: 0, after: 0 }],
        fence: 7,
        version: 7,
        granted_at: AT,
        expires_at: None,
        life_until: None,
        tied: false,
        warned: false,
        unclaimed: false,
        forced: false,
        remind_at: Vec::new(),
        unlinked_at: None,
        offer: None,
        block: None,
        external_ref: Some(ExternalRef::parse("APT-2025-000123").unwrap()),
        email: Some("ann@example.org".into()),
        meta: RawValue::from_string(meta.to_owned()).ok(),
    }
}

//! Whatever is said: nothing panics, what is read is within its bounds, and what is answered can be read.

use deskbell_core::limits;
use deskbell_core::slotted::Locked;
use deskbell_wire::appointease::poll::{Unit, question, written};
use deskbell_wire::appointease::{Asked, broadcast, decode, hail, rest, said};
use proptest::prelude::*;
use serde_json::Value;

use super::samples::grid;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| serde_json::json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("2025-11-03")),
        Just(Value::from("10:00")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_message() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec![
        "subscribe",
        "booking_session",
        "lock_slot",
        "unlock_slot",
        "selecting_slot",
        "deselect_slot",
        "watch_slot",
        "unwatch_slot",
        "check_availability",
        "ping",
        "get_debug",
        "watch_appointments",
        "unwatch_appointments",
        "appointment_updated",
        "appointment_cancelled",
        "appointment.created",
        "slot_conflict",
        "fly",
    ]);
    let names = prop::sample::select(vec![
        "email",
        "step",
        "date",
        "time",
        "employeeId",
        "employee_id",
        "completed",
        "timestamp",
        "appointmentId",
        "data",
        "client_id",
        "events",
    ]);
    (kinds, prop::collection::vec((names, any_value()), 0..8)).prop_map(|(kind, members)| {
        let mut text = format!(r#"{{"type":"{kind}""#);
        for (name, value) in members {
            text.push_str(&format!(r#","{name}":{value}"#));
        }
        text + "}"
    })
}

fn readable(frame: &str) -> Value {
    serde_json::from_str(frame).unwrap_or_else(|why| panic!("{why}: {frame}"))
}

proptest! {
    #[test]
    fn every_message_is_answered_with_its_own_words(message in any_message()) {
        let sent: Value = readable(&message);
        match decode(&message) {
            None => prop_assert!(false, "{message} is JSON"),
            Some(Err(refusal)) => {
                let frame = readable(&said::error(&refusal, 1));
                prop_assert_eq!(&frame["type"], "error");
                prop_assert!(refusal.message.len() < 400);
            }
            Some(Ok(Asked::Lock(slot) | Asked::Select(slot) | Asked::Watch(slot) | Asked::Unwatch(slot))) => {
                prop_assert!(slot.time.len() <= limits::SLOT_TEXT && slot.day.date.len() <= limits::SLOT_TEXT);
                for frame in [
                    said::lock(&slot, Locked::Yours { expires_in: 600 }, 1),
                    said::lock(&slot, Locked::Overlaps { expires_in: None }, 1),
                    said::slot_taken(&slot, 1),
                    said::selection_confirmed(&slot, 1),
                ] {
                    let frame = readable(&frame);
                    prop_assert_eq!(&frame["date"], &sent["date"]);
                    prop_assert_eq!(&frame["time"], &sent["time"]);
                    let own = if sent["employeeId"].is_null() { &sent["employee_id"] } else { &sent["employeeId"] };
                    prop_assert_eq!(&frame["employeeId"], own, "{}", message);
                }
                if let Ok(claim) = slot.claim(&grid()) {
                    prop_assert_eq!(grid().wall(claim.start), slot.wall().unwrap());
                }
            }
            Some(Ok(Asked::Session { step })) => drop(readable(&said::session_tracked(step.as_deref(), 1))),
            Some(Ok(Asked::Told { event, appointment })) => {
                drop(readable(&said::event_received(event, appointment.as_deref(), 1)));
            }
            Some(Ok(Asked::Unknown(kind))) => drop(readable(&said::unknown(&kind, 1))),
            Some(Ok(_)) => {}
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", message in any_message(), cut in 0..300_usize) {
        let cut: String = message.chars().take(cut).collect();
        for text in [&*text, &message, &cut] {
            let _ = decode(text);
            let _ = (rest::subscribe(text), rest::slot(text), rest::unlock(text), rest::availability(text));
            if let Ok(read) = broadcast::read(text, &grid()) {
                drop(readable(read.data.get()));
            }
            let _ = (question(text), hail::read(text, text), hail::masked(text));
        }
    }

    /// The answer's time comes back as what it was, in either unit.
    #[test]
    fn a_time_comes_back_exactly(at in 100_000_001_u64..9_999_999_999_999) {
        for unit in [Unit::Seconds, Unit::Millis] {
            prop_assume!(unit == Unit::Seconds || at > 100_000_000_000);
            let asked = question(&format!("last_update={}", written(at, unit)));
            prop_assert_eq!((asked.last_update, asked.unit), (Some(at), unit));
        }
    }

    /// A form says what JSON says.
    #[test]
    fn a_form_is_read_as_the_json_that_it_means(name in "[a-zA-Z0-9 &=+%é]{0,20}", day in 1..28_u8) {
        let date = format!("2025-11-{day:02} 10:00:00");
        let json = serde_json::json!({"event":"appointment.created","data":{
            "appointment_id":"APT-1","customer":{"name":name,"email":"a@b.c"},
            "appointment":{"date":date,"employee_id":"1"}}});
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!(
            "event=appointment.created&data[appointment_id]=APT-1&data%5Bcustomer%5D%5Bname%5D={encoded}\
             &data[customer][email]=a@b.c&data[appointment][date]={}&data[appointment][employee_id]=1",
            date.replace(' ', "+")
        );
        let what = |body: &str| format!("{:?}", broadcast::read(body, &grid()).unwrap().what);
        prop_assert_eq!(what(&form), what(&json.to_string()));
    }
}

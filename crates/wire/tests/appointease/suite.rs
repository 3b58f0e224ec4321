//! The sends of the plugin's own test page, 93 of them: each asks for exactly one direct answer.

use deskbell_wire::appointease::{Asked, decode};

/// What "Run all tests" sends, in its order. Times that are none are part of it.
fn sends() -> Vec<String> {
    let of_slot = |kind: &str, time: &str| {
        format!(r#"{{"type":"{kind}","date":"2025-11-03","time":"{time}","employeeId":1}}"#)
    };
    let ping = || r#"{"type":"ping","timestamp":1761527416882}"#.to_owned();
    let told =
        |kind: &str| format!(r#"{{"type":"{kind}","appointmentId":"APT-2025-000123","email":"a@b.c"}}"#);
    let mut all = vec![ping(), ping()];
    for kind in ["lock_slot", "unlock_slot", "selecting_slot", "deselect_slot"] {
        all.push(of_slot(kind, "10:00"));
    }
    all.extend((0..5).map(|nth| of_slot("selecting_slot", &format!("1{nth}:00"))));
    all.push(r#"{"type":"watch_appointments","email":"a@b.c"}"#.to_owned());
    all.extend([told("appointment_updated"), told("appointment_cancelled")]);
    all.push(r#"{"type":"unwatch_appointments","email":"a@b.c"}"#.to_owned());
    all.extend((0..2).map(|_| of_slot("lock_slot", "14:00")));
    all.extend((0..3).map(|_| of_slot("lock_slot", "15:00")));
    all.extend((0..3).map(|_| of_slot("lock_slot", "16:00")));
    all.extend((0..10).map(|nth| of_slot("lock_slot", &format!("9:{nth}00"))));
    all.extend((0..10).map(|nth| format!(r#"{{"type":"ping","sequence":{nth}}}"#)));
    all.extend((0..50).map(|_| ping()));
    all
}

#[test]
fn each_of_the_ninety_three_sends_asks_for_one_answer() {
    let sends = sends();
    assert_eq!(sends.len(), 93);
    let (mut odd, mut asked) = (0, 0);
    for send in &sends {
        match decode(send) {
            // What is understood is answered, but for a wish to watch.
            Some(Ok(Asked::Watch(_) | Asked::Unknown(_))) | None => {
                panic!("{send} gets no answer of its own")
            }
            Some(Ok(Asked::Lock(slot))) if slot.wall().is_err() => odd += 1,
            Some(Ok(_)) => asked += 1,
            // And so is what is refused.
            Some(Err(refusal)) => panic!("{send}: {refusal}"),
        }
    }
    assert_eq!((asked, odd), (83, 10), "times such as 9:300 are refused by what they are, once each");
}

#[test]
fn its_buttons_for_what_is_invalid_harm_nothing() {
    assert_eq!(decode("invalid json"), None);
    for odd in ["{}", r#"{"type":"unknown_type"}"#, r#"{"data":"no type"}"#] {
        assert!(matches!(decode(odd), Some(Ok(Asked::Unknown(_)))), "{odd}");
    }
    let large = format!(r#"{{"type":"ping","data":"{}"}}"#, "x".repeat(10_000));
    assert_eq!(decode(&large), Some(Ok(Asked::Ping { sent: None })));
}

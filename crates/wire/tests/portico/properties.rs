//! Whatever is said: nothing panics, nobody forges what the server adds, and pulses never stand still.

use deskbell_wire::portico::message::{Added, Message};
use deskbell_wire::portico::published::{Published, Topic, read};
use deskbell_wire::portico::pulse::{Beat, Pulse, Rhythm, Rooms};
use deskbell_wire::portico::session::{Kind, Trust, hail};
use deskbell_wire::portico::spool::File;
use deskbell_wire::portico::{Session, SessionId, decode, http};
use proptest::prelude::*;
use serde_json::Value;

use super::samples::{id, stamp};

fn any_message() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "type",
        "userId",
        "entityType",
        "entityId",
        "roomId",
        "sessionId",
        "id",
        "timestamp",
        "sessionContext",
        "message",
        "data",
        "target",
        "userType",
        "identifier",
        "source",
    ]);
    let values = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|number| number.to_string()),
        "[a-z_]{0,14}".prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(vec![
            r#""chat""#,
            r#""notification""#,
            r#""room_message""#,
            r#""session_message""#,
            r#""entity_event""#,
            r#""ping""#,
            r#""update_session""#,
            r#""subscribe""#,
            r#""session_targeted""#,
            r#""session""#,
            r#""entity""#,
            r#""user""#,
            r#"{"type":"x","a":[1,{}]}"#,
            r#""abcdefghijklmnopqr""#,
            r#""\u00e9\n""#,
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((names, values), 0..9).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn session() -> Session {
    Session { id: id(), kind: Kind::Admin }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", message in any_message(), cut in 0..200_usize) {
        let cut: String = message.chars().take(cut).collect();
        for text in [&*text, &message, &cut] {
            let _ = (decode(text), hail(Some(text), Trust::AlsoPhp), SessionId::parse(text));
            let _ = http::publish(text, stamp());
            for topic in Topic::ALL {
                if let Ok(Published::Tell { message, .. }) = read(topic, text.as_bytes(), stamp()) {
                    let told: Value = serde_json::from_str(message.text()).unwrap();
                    prop_assert!(told["timestamp"].is_string() || !told["timestamp"].is_null());
                }
            }
            if let Some(file) = File::parse(text) {
                let _ = file.read(message.as_bytes(), stamp());
            }
        }
    }

    /// What others get is what was sent, but for what a sender cannot say of itself.
    #[test]
    fn a_relay_keeps_every_member_and_forges_nothing(text in any_message()) {
        let sent: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let message = Message::read(&text).unwrap();
        for sender in [None, Some(session())] {
            let out: serde_json::Map<String, Value> =
                serde_json::from_str(&message.with(&Added::default().from(sender.as_ref()).at(stamp()))).unwrap();
            let context = sender.map(|_| serde_json::json!({"hasSession":true,"sessionType":"admin"}));
            prop_assert_eq!(out.get("sessionContext"), context.as_ref());
            prop_assert!(out.get("timestamp").is_some_and(|time| !time.is_null()));
            for (name, value) in &sent {
                let own = name == "sessionContext" || (name == "timestamp" && value.is_null());
                prop_assert!(own || out.get(name) == Some(value), "{} of {}", name, text);
            }
        }
    }

    /// A page is asked once in each interval, and leaves its rooms after its silence and never before.
    #[test]
    fn a_pulse_beats_in_its_rhythm(steps in prop::collection::vec((1..200_u64, any::<bool>()), 1..80)) {
        let rhythm = Rhythm { server_ping: 60, room_ping: 240, silence: 480 };
        let mut pulse = Pulse::new(rhythm, 0);
        let (mut now, mut heard, mut pinged) = (0, 0, 0);
        for (wait, speaks) in steps {
            now += wait;
            if speaks {
                heard = now;
                pulse.heard(now);
            }
            let due = pulse.next(Rooms::Some) <= now;
            let beats = pulse.due(Rooms::Some, now);
            prop_assert_eq!(due, !beats.is_empty(), "it says when to look, at {}", now);
            prop_assert_eq!(beats.contains(&Beat::ServerPing), now - pinged >= 60);
            prop_assert_eq!(beats.contains(&Beat::LeaveRooms), now - heard >= 480);
            if beats.contains(&Beat::ServerPing) {
                pinged = now;
            }
            if beats.contains(&Beat::LeaveRooms) {
                let outside = pulse.due(Rooms::None, now);
                prop_assert_eq!(outside, vec![], "whoever is in no room is asked in none");
                pulse.heard(now);
                heard = now;
            }
        }
    }
}

#[test]
fn files_are_told_in_the_order_in_which_they_were_written() {
    let mut names = [
        "websocket_notification_1747039354.1.json",
        "websocket_session_abcdefghijklmnop_1747039353.9.json",
        "websocket_notification_1747039353.1234.json",
        "websocket_notification_999999999.9.json",
        "websocket_notification_0.50000000 1747039353.json",
    ];
    names.sort_by_key(|name| {
        let file = File::parse(name).unwrap();
        let (seconds, rest) = file.order();
        (seconds, rest.to_owned())
    });
    assert_eq!(
        names,
        [
            "websocket_notification_999999999.9.json",
            "websocket_notification_1747039353.1234.json",
            "websocket_notification_0.50000000 1747039353.json",
            "websocket_session_abcdefghijklmnop_1747039353.9.json",
            "websocket_notification_1747039354.1.json",
        ]
    );
}

//! What a resource says of itself counts everywhere: its hours, its provider, its reminders.

use serde_json::Value;

use super::{HOUR, MINUTE, World, wish};
use crate::harness::*;
use crate::json;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn opening_hours_hold_in_the_zone_of_the_resource_also_over_its_clock_change() {
    let world = World::start("");
    let hours = json!({"weekly": [{"day": "sun", "from": "01:00", "to": "04:00"}]});
    let made = world.resource("dr-7", json!({"time_zone": "Europe/Oslo", "hours": hours}));
    assert_eq!(made["resource"]["hours"]["weekly"][0]["from"], "01:00", "{made}");
    // On 31 March 2030 the clock of Oslo jumps from two to three, so this Sunday has two open hours.
    let path =
        "/v1/resources/dr-7/availability?from=2030-03-30T23:00:00Z&to=2030-03-31T22:00:00Z&duration=3600000";
    let shown = world.server.api("GET", path, None).json();
    let open: Vec<&Value> =
        shown["segments"].as_array().unwrap().iter().filter(|segment| segment["free"] == 1).collect();
    assert_eq!(open.len(), 1, "{shown}");
    let (start, end) = (open[0]["start"].as_u64().unwrap(), open[0]["end"].as_u64().unwrap());
    assert_eq!(end - start, 2 * HOUR);
    assert_eq!(shown["starts"], json!([start, start + HOUR]));
    let claim = |from: u64, to: u64| json!([{"resource": "dr-7", "start": from, "end": to}]);
    let no = world.hold("ann", claim(end - HOUR / 2, end + HOUR / 2));
    assert_eq!((no.status, &no.json()["conflicts"][0]["by"]), (409, &json!("closed")));
    world.held("ann", claim(start, start + HOUR));
    let wrong = json!({"hours": {"weekly": [{"day": "sunday", "from": "01:00", "to": "04:00"}]}});
    let refused = world.server.api("PUT", "/v1/resources/dr-7", Some(&wrong));
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("bad_field")));
    assert!(refused.text().contains("weekly[0].day"), "{}", refused.text());
    world.finish();
}

#[test]
fn the_provider_approves_what_it_serves_and_sees_nothing_else() {
    let world = World::start("");
    world.resource("dr-7", json!({"provider": "doc", "policy": {"approval": true}}));
    world.resource("dr-8", json!({"provider": "other", "policy": {"approval": true}}));
    let start = super::day();
    let asked = |resource: &str| {
        let wish = wish("ann", json!([{"resource": resource, "start": start, "end": start + HOUR}]));
        let answer = world.server.api("POST", "/v1/bookings", Some(&wish));
        assert_eq!((answer.status, &answer.json()["reservation"]["state"]), (200, &json!("pending")));
        answer.json()["reservation"]["id"].as_str().unwrap().to_owned()
    };
    let (mine, foreign) = (asked("dr-7"), asked("dr-8"));
    let doctor = bearer(&token(&json!({"sub": "doc", "roles": [SERVES]})));
    let as_doctor = |method: &str, path: &str| {
        request(
            &world.server,
            method,
            path,
            &[("Authorization", &doctor)],
            (method == "POST").then_some("{}"),
        )
    };
    let seen = as_doctor("GET", &format!("/v1/bookings/{mine}"));
    assert_eq!((seen.status, &seen.json()["reservation"]["holder"]), (200, &json!("user:ann")));
    assert_eq!(as_doctor("GET", &format!("/v1/bookings/{foreign}")).status, 404);
    let approved = as_doctor("POST", &format!("/v1/bookings/{mine}/approve"));
    assert_eq!((approved.status, &approved.json()["reservation"]["state"]), (200, &json!("booked")));
    let no = as_doctor("POST", &format!("/v1/bookings/{foreign}/approve"));
    assert_eq!((no.status, &no.json()["code"]), (403, &json!("not_holder")), "{}", no.text());
    world.finish();
}

#[test]
fn a_reminder_and_a_missing_link_are_told_at_their_time() {
    let world = World::start("");
    let policy = json!({"reminders_ms": [60 * MINUTE], "unlinked_after_ms": 1_000});
    world.resource("dr-7", json!({"policy": policy}));
    let mut staff = Ws::open_with(&world.server, "/v1/ws", &[("Authorization", &bearer(SECRET))]).unwrap();
    staff.subscribe("staff:1001");
    let now = world.server.api("GET", "/v1/holds", None).json()["now"].as_u64().unwrap();
    // The reminder is due a second after the booking.
    let start = now + 60 * MINUTE + 1_500;
    let wish = wish("ann", json!([{"resource": "dr-7", "start": start, "end": start + HOUR}]));
    let booked = world.server.api("POST", "/v1/bookings", Some(&wish));
    assert_eq!(booked.status, 200, "{}", booked.text());
    let mut names: Vec<String> =
        (0..3).map(|_| staff.expect("event")["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["booking.confirmed", "booking.unlinked", "reminder.due"]);
    world.finish();
}

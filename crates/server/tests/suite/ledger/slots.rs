//! What is shown as free: a snapshot, the deltas behind its cursor, and a reader who was away.

use std::collections::BTreeMap;

use super::*;

/// The free units of a window, minute by minute.
type Picture = BTreeMap<u64, u64>;

fn snapshot(server: &Server) -> (Picture, String) {
    let (from, to) = (day(), day() + 24 * HOUR);
    let answer = get(server, &format!("/v1/resources/dr-7/availability?from={from}&to={to}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut picture = Picture::new();
    draw(&answer.json()["segments"], &mut picture);
    assert_eq!(picture.len(), 24 * 60);
    (picture, answer.json()["cursor"].as_str().unwrap().to_owned())
}

/// Draws segments over what is shown.
fn draw(segments: &Value, picture: &mut Picture) {
    for segment in segments.as_array().unwrap() {
        let (start, end) = (segment["start"].as_u64().unwrap(), segment["end"].as_u64().unwrap());
        let minutes =
            (start / MINUTE..end / MINUTE).filter(|minute| *minute / (24 * 60) == day() / (24 * HOUR));
        picture.extend(minutes.map(|minute| (minute, segment["free"].as_u64().unwrap())));
    }
}

/// Draws every delta that comes until nothing more is on its way; a reset draws the snapshot anew.
fn follow(ws: &mut Ws, server: &Server, picture: &mut Picture) -> usize {
    let mut deltas = 0;
    let (fresh, _) = snapshot(server);
    while *picture != fresh || deltas == 0 {
        let frame = ws.next();
        if frame["type"] == "reset" || frame["name"] == "slots.reset" {
            *picture = snapshot(server).0;
        } else if frame["name"] == "slots.delta" {
            draw(&frame["data"]["segments"], picture);
        }
        deltas += usize::from(frame["type"] == "event");
    }
    deltas
}

#[test]
fn a_reader_who_was_away_resumes_by_its_cursor_and_ends_equal_to_a_fresh_snapshot() {
    // The stranger listens to every booking, and there are thousands in the full count.
    let mut world = World::start("[limit]\nsubscriptions = 10000\nrate = 0\nrate_per_identity = 0");
    world.resource("dr-7", json!({"capacity": 3, "after_ms": 600_000}));
    let (mut picture, cursor) = snapshot(&world.server);
    let first = world.held("anna", claim("dr-7", 600, 660));
    // Between the snapshot and the subscription something has happened.
    let mut ws = world.server.ws();
    let answer = ws.ask(json!({"type": "subscribe", "channel": "slots:dr-7", "since": cursor}));
    assert_eq!(answer["recovered"], true, "{answer}");
    follow(&mut ws, &world.server, &mut picture);
    let key = ws.resume_key();
    let away = ws.cut();
    for n in 0..count(60, 1_000) as u64 {
        let hold = world.held(&format!("p{n}"), claim("dr-7", n % 20 * 60, n % 20 * 60 + 45));
        if n % 3 > 0 {
            let path = format!("holds/{}/release", hold["id"].as_str().unwrap());
            assert_eq!(world.step(&path, &json!({})).status, 200);
        } else {
            let path = format!("holds/{}/confirm", hold["id"].as_str().unwrap());
            assert_eq!(world.step(&path, &json!({"fence": hold["fence"]})).status, 200);
        }
        if n == 30 {
            world = world.crash_and_restart();
        }
        if n % 20 == 19 {
            // Nobody may hold more of the class than there is of it: the round ends with all of it free.
            let listed = world.server.api("GET", "/v1/bookings?resource=dr-7&state=booked", None).json();
            for booking in listed["reservations"].as_array().unwrap() {
                let path = format!("bookings/{}/cancel", booking["id"].as_str().unwrap());
                assert_eq!(world.step(&path, &json!({})).status, 200);
            }
        }
    }
    world.step(&format!("holds/{}/release", first["id"].as_str().unwrap()), &json!({}));
    world.held("last", claim("dr-7", 300, 400));
    let mut ws = Ws::back(&world.server, Some(&key), &away, &["slots:dr-7"]);
    assert_eq!(ws.expect("subscribed")["recovered"], true);
    follow(&mut ws, &world.server, &mut picture);
    assert_eq!(picture, snapshot(&world.server).0);
    world.finish();
}

#[test]
fn every_beginning_that_is_shown_is_admitted_and_no_other() {
    let world = World::start("");
    world.resource("dr-7", json!({"capacity": 2, "before_ms": 300_000, "after_ms": 900_000}));
    world.held("anna", claim("dr-7", 600, 660));
    world.held("bert", claim("dr-7", 630, 700));
    world.held("carl", claim("dr-7", 840, 900));
    let (from, to, step) = (day() + 9 * HOUR, day() + 16 * HOUR, 15 * MINUTE);
    let query = format!("from={from}&to={to}&duration={}&step={step}&units=2", 30 * MINUTE);
    let shown = get(&world.server, &format!("/v1/resources/dr-7/availability?{query}")).json();
    let shown: Vec<u64> = shown["starts"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect();
    let mut admitted = Vec::new();
    for (n, start) in (from..=to - 30 * MINUTE).step_by(step as usize).enumerate() {
        let claim = json!([{"resource": "dr-7", "start": start, "end": start + 30 * MINUTE, "units": 2}]);
        let answer = world.hold(&format!("try{n}"), claim);
        if answer.status == 200 {
            admitted.push(start);
            let path = format!("holds/{}/release", answer.json()["reservation"]["id"].as_str().unwrap());
            assert_eq!(world.step(&path, &json!({})).status, 200);
        }
    }
    assert!(admitted.len() > 5 && admitted.len() < 27, "{admitted:?}");
    assert_eq!(shown, admitted);
    world.finish();
}

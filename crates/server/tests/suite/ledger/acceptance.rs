//! The acceptance list of the ledger, each line from outside.

use std::sync::Barrier;
use std::time::Instant;

use super::*;

#[test]
fn of_a_thousand_simultaneous_holds_on_one_slot_one_wins() {
    let world = World::start(
        "[limit]\nrate_per_address = 0\nconnections_per_address = 0\nconnect_rate_per_address = 0\n",
    );
    world.resource("dr-7", json!({}));
    let (clients, each) = (50, 20);
    let begin = Barrier::new(clients);
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                let (server, begin) = (&world.server, &begin);
                scope.spawn(move || {
                    let mut conn = Conn::open(server);
                    let bearer = format!("Bearer {SECRET}");
                    begin.wait();
                    (0..each)
                        .map(|n| {
                            let holder = format!("v{client}-{n}");
                            let body = json!({"claims": claim("dr-7", 600, 660), "holder": holder});
                            conn.post("/v1/holds", &[("Authorization", &bearer)], &body.to_string()).json()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), 1_000);
    let won: Vec<&Value> = answers.iter().filter(|answer| answer.get("reservation").is_some()).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    let until = &won[0]["reservation"]["expires_at"];
    for lost in answers.iter().filter(|answer| answer.get("reservation").is_none()) {
        assert_eq!(lost["code"], "conflict", "{lost}");
        assert_eq!(lost["conflicts"].as_array().unwrap().len(), 1, "{lost}");
        assert_eq!(&lost["conflicts"][0]["free_at_earliest"], until, "{lost}");
    }
    world.finish();
}

#[test]
fn of_holds_that_are_all_under_way_at_once_one_wins() {
    let world = World::start(
        "[limit]\nrate_per_address = 0\nconnections_per_address = 0\nconnect_rate_per_address = 0\n",
    );
    world.resource("dr-7", json!({}));
    let clients = count(200, 1_000);
    let mut conns: Vec<Conn> = (0..clients).map(|_| Conn::open(&world.server)).collect();
    let begun = Instant::now();
    // Nobody waits for anybody: all are sent before the first answer is read.
    for (n, conn) in conns.iter_mut().enumerate() {
        let body = wish(&format!("v{n}"), claim("dr-7", 600, 660)).to_string();
        conn.send(format!(
            "POST /v1/holds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
    let answers: Vec<Answer> = conns.iter_mut().map(Conn::answer).collect();
    println!("measured: {clients} holds on one slot were answered after {} ms", begun.elapsed().as_millis());
    let mut won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    let winner = won.pop().expect("one wins").json()["reservation"].clone();
    assert!(won.is_empty(), "{won:?}");
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        let said = refused(lost, 409, "conflict");
        assert_eq!(said["conflicts"][0]["free_at_earliest"], winner["expires_at"]);
    }
    // What was answered is what there is.
    let listed = world.server.api("GET", "/v1/holds?resource=dr-7", None).json();
    assert_eq!(listed["reservations"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["reservations"][0]["id"], winner["id"]);
    world.finish();
}

#[test]
fn an_hour_at_ten_blocks_half_past_ten_and_not_eleven() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    world.held("anna", claim("dr-7", 600, 660));
    let said = refused(&world.hold("bert", claim("dr-7", 630, 660)), 409, "conflict");
    assert_eq!(said["conflicts"][0]["by"], "held");
    assert_eq!(said["conflicts"][0]["yours"], false);
    assert_eq!(said["alternatives"][0]["start"], day() + 660 * MINUTE, "eleven is offered: {said}");
    assert_eq!(said["waiting"], 0);
    world.held("bert", claim("dr-7", 660, 690));
    world.finish();
}

#[test]
fn room_doctor_and_device_are_held_together_or_not_at_all() {
    let world = World::start("");
    let parts = ["room-2", "dr-7", "device-1"];
    for part in parts {
        world.resource(part, json!({}));
    }
    let all = |from: u64| -> Value {
        let one = |part: &&str| claim(part, from, from + 60)[0].clone();
        parts.iter().map(one).collect::<Vec<_>>().into()
    };
    world.held("anna", claim("device-1", 600, 660));
    let said = refused(&world.hold("bert", all(600)), 409, "conflict");
    assert_eq!(said["conflicts"].as_array().unwrap().len(), 1);
    assert_eq!(said["conflicts"][0]["resource"], "device-1");
    // Nothing was held of the other two.
    world.held("carl", claim("room-2", 600, 660));
    world.held("dora", claim("dr-7", 600, 660));
    let both = world.held("bert", all(700));
    assert_eq!(both["claims"].as_array().unwrap().len(), 3);
    world.finish();
}

#[test]
fn a_class_of_twelve_takes_no_thirteenth_and_a_release_goes_to_whoever_waits_first() {
    let world = World::start("");
    world.resource("yoga", json!({"capacity": 12}));
    let holds: Vec<Value> =
        (0..12).map(|n| world.held(&format!("member-{n}"), claim("yoga", 600, 660))).collect();
    refused(&world.hold("late", claim("yoga", 600, 660)), 409, "conflict");
    let join = |who: &str| {
        let answer = world.step("waitlist", &json!({"claims": claim("yoga", 600, 660), "holder": who}));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["wait"].clone()
    };
    let (first, second) = (join("first"), join("second"));
    assert_eq!((&first["state"], &second["state"]), (&json!("waiting"), &json!("waiting")));
    assert_eq!(refused(&world.hold("later", claim("yoga", 600, 660)), 409, "conflict")["waiting"], 2);
    let mut hears = Ws::open(&world.server, &format!("/v1/ws?token={}", user("first")));
    hears.subscribe("user:first");
    let path = format!("holds/{}/release", holds[3]["id"].as_str().unwrap());
    assert_eq!(world.step(&path, &json!({"fence": holds[3]["fence"]})).status, 200);
    let names: Vec<String> =
        (0..2).map(|_| hears.expect("event")["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"waitlist.offered".to_owned()), "{names:?}");
    let state = |wait: &Value| {
        let path = format!("/v1/waitlist/{}", wait["id"].as_str().unwrap());
        world.server.api("GET", &path, None).json()["wait"].clone()
    };
    assert_eq!(state(&second)["state"], "waiting");
    let offered = state(&first);
    assert_eq!(offered["state"], "offered");
    // The offer is a hold like any other: taken, then confirmed.
    let accepted =
        world.step(&format!("waitlist/{}/accept", first["id"].as_str().unwrap()), &json!({})).json();
    let hold = &accepted["reservation"];
    assert_eq!((&hold["id"], &hold["state"]), (&offered["offer"], &json!("held")), "{accepted}");
    let confirm = format!("holds/{}/confirm", hold["id"].as_str().unwrap());
    let booked = world.step(&confirm, &json!({"fence": hold["fence"]})).json();
    assert_eq!(booked["reservation"]["state"], "booked");
    world.finish();
}

#[test]
fn a_late_confirmation_books_nothing_unless_the_time_is_still_free() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    world.resource("dr-8", json!({}));
    let mut staff =
        Ws::open_with(&world.server, "/v1/ws", &[("Authorization", &format!("Bearer {SECRET}"))]).unwrap();
    staff.subscribe("staff:1001");
    let short = |who: &str, resource: &str| {
        let mut wish = wish(who, claim(resource, 600, 660));
        wish["ttl_ms"] = json!(1_000);
        world.step("holds", &wish).json()["reservation"].clone()
    };
    let (lost, kept) = (short("anna", "dr-7"), short("bert", "dr-8"));
    for _ in 0..2 {
        while staff.expect("event")["name"] != "hold.expired" {}
    }
    let confirm = |hold: &Value, more: Value| {
        let mut body = json!({"fence": hold["fence"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.step(&format!("holds/{}/confirm", hold["id"].as_str().unwrap()), &body)
    };
    refused(&confirm(&lost, json!({})), 410, "hold_expired");
    let free = confirm(&kept, json!({"if_still_free": true})).json();
    assert_eq!(free["reservation"]["state"], "booked");
    assert!(free["reservation"]["fence"].as_u64() > kept["fence"].as_u64(), "a new grant has a new fence");
    world.held("carl", claim("dr-7", 630, 690));
    let said = refused(&confirm(&lost, json!({"if_still_free": true})), 409, "conflict");
    assert_eq!(said["conflicts"][0]["by"], "held");
    world.finish();
}

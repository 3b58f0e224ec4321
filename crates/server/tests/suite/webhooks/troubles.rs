//! What an endpoint does to us: errors, silence, redirects, bodies without end.

use std::net::TcpListener;

use super::*;

#[test]
fn a_failed_attempt_is_repeated_with_the_same_id_and_a_fresh_stamp() {
    let world = World::start("first_wait = \"1100ms\"\n");
    let mut tries = 0;
    world.receiver.answer(move |_| {
        tries += 1;
        if tries < 3 { Say::Status(500, "") } else { Say::Status(200, "") }
    });
    world.book();
    let attempts = [world.receiver.next(), world.receiver.next(), world.receiver.next()];
    for attempt in &attempts {
        assert!(attempt.is_signed_with(KEY), "every attempt is signed for its own time");
        assert_eq!((attempt.id(), &attempt.body), (attempts[0].id(), &attempts[0].body));
    }
    let stamps: Vec<u64> = attempts.iter().map(Received::stamp).collect();
    assert!(stamps[2] > stamps[0], "{stamps:?}");
    eventually("it has arrived", || world.state()["open"] == 0);
    assert!(world.state()["trouble"].is_null(), "what works again has no trouble");
}

#[test]
fn later_events_of_a_booking_wait_for_the_earlier_one_and_others_overtake() {
    let world = World::start(QUICK);
    let first = world.book();
    assert_eq!(world.receiver.next().about(), first);
    let stuck = first.clone();
    world
        .receiver
        .answer(move |got| if got.about() == stuck { Say::Status(500, "") } else { Say::Status(200, "") });
    world.step(&first, "start");
    world.step(&first, "complete");
    let others: Vec<String> = (0..20).map(|_| world.book()).collect();
    let mut arrived = Vec::new();
    while arrived.len() < others.len() {
        let got = world.receiver.next();
        if got.about() == first {
            assert_eq!(got.json()["type"], "booking.started", "the later one waits");
        } else {
            arrived.push(got.about());
        }
    }
    assert!(others.iter().all(|id| arrived.contains(id)), "each overtakes");
    world.receiver.say(Say::Status(200, ""));
    let rest = [world.receiver.next_taken(), world.receiver.next_taken()];
    assert_eq!(
        rest.each_ref().map(|got| got.json()["type"].clone()),
        ["booking.started", "booking.completed"]
    );
}

#[test]
fn silence_redirects_and_bodies_without_end_hold_nobody_up() {
    let world = World::start(&format!("timeout = \"150ms\"\n{QUICK}"));
    // A redirect leads to somebody else, who must hear nothing.
    let other = Receiver::start();
    let location = format!("Location: {}\r\n", other.url());
    let location: &'static str = location.leak();
    for say in [Say::Nothing, Say::Status(302, location), Say::Status(307, location), Say::Status(404, "")] {
        world.receiver.say(say.clone());
        let id = world.book();
        let attempts = [world.receiver.next(), world.receiver.next()];
        assert!(attempts.iter().all(|got| got.about() == id), "{say:?} is tried again");
        eventually("the trouble is shown", || world.state()["trouble"].is_string());
        world.receiver.say(Say::Status(200, ""));
        assert_eq!(world.receiver.next_taken().about(), id);
        eventually("it has arrived", || world.state()["open"] == 0);
        world.receiver.pending();
    }
    assert!(other.pending().is_empty(), "no redirect is followed");
    for say in [Say::SlowBody, Say::HugeBody] {
        world.receiver.say(say.clone());
        let id = world.book();
        assert_eq!(world.receiver.next().about(), id);
        eventually("a status is enough", || world.state()["open"] == 0);
        assert!(world.receiver.pending().is_empty(), "{say:?} was taken at once");
    }
}

#[test]
fn an_endpoint_that_is_gone_for_a_while_gets_everything_when_it_comes_back() {
    // A port on which nobody listens: the socket that holds it is never accepted from.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(Start::with(&config(&format!("http://{address}/hook"), QUICK)));
    server.api("PUT", "/v1/resources/room", Some(&json!({"capacity": 1_000})));
    let mut world = World { server, receiver: Receiver::start() };
    let booked: Vec<String> = (0..10).map(|_| world.book()).collect();
    eventually("nobody is there", || world.state()["trouble"] == "no connection could be made");
    world.receiver = Receiver::start_at(address);
    let mut told: Vec<String> = (0..10).map(|_| world.receiver.next().about()).collect();
    told.sort();
    let mut all = booked.clone();
    all.sort();
    assert_eq!(told, all);
}

#[test]
fn whoever_says_410_is_left_alone_until_an_operator_says_otherwise() {
    let mut world = World::start(QUICK);
    world.receiver.say(Say::Status(410, ""));
    let id = world.book();
    assert_eq!(world.receiver.next().about(), id);
    eventually("it is switched off", || world.state()["off"] == "it answered 410");
    world.book();
    world.server = world.server.crash_and_restart();
    eventually("it stays off over a crash", || world.state()["off"] == "it answered 410");
    assert!(world.receiver.pending().is_empty());
    world.receiver.say(Say::Status(200, ""));
    assert_eq!(world.server.api("POST", "/v1/webhooks/shop/enable", None).status, 200);
    let told = [world.receiver.next().about(), world.receiver.next().about()];
    assert!(told.contains(&id), "nothing was lost: {told:?}");
}

#[test]
fn whoever_asks_to_be_left_alone_is() {
    // The wish of a minute is cut to the longest wait, which the test can wait for.
    let world = World::start("first_wait = \"10ms\"\nlongest_wait = \"600ms\"\nconcurrency = 1\n");
    world.receiver.say(Say::Status(503, "Retry-After: 60\r\n"));
    world.book();
    let first = world.receiver.next();
    let begun = std::time::Instant::now();
    world.book();
    let second = world.receiver.next();
    assert!(begun.elapsed().as_millis() >= 550, "the whole endpoint pauses, other bookings too");
    assert_eq!(second.id(), first.id());
}

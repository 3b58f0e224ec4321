//! What is shown as free: a snapshot, the deltas behind its cursor, and a reader who was away.

use std::collections::{BTreeMap, VecDeque};

use super::*;

/// Rooms enough that each change of one is told by itself: what follows within some milliseconds is told together.
const ROOMS: u64 = 40;

fn room(nth: u64) -> String {
    format!("room-{}", nth % ROOMS)
}

/// Every room, and one in which something happens last.
fn channels() -> Vec<String> {
    (0..ROOMS).map(|nth| format!("slots:{}", room(nth))).chain(["slots:last".to_owned()]).collect()
}

/// The free units of every room over a day, minute by minute.
type Picture = BTreeMap<(String, u64), u64>;

fn snapshot(server: &Server) -> (Picture, String) {
    let (mut picture, mut cursor) = (Picture::new(), None);
    for nth in 0..ROOMS {
        let answer = look(server, &room(nth), &mut picture);
        // The first: whoever follows from there is told of what came between the others once more, and it says the same.
        cursor.get_or_insert_with(|| answer["cursor"].as_str().unwrap().to_owned());
    }
    assert_eq!(picture.len() as u64, ROOMS * 24 * 60);
    (picture, cursor.unwrap())
}

/// Draws what is free in a room anew.
fn look(server: &Server, room: &str, picture: &mut Picture) -> Value {
    let (from, to) = (day(), day() + 24 * HOUR);
    let answer = get(server, &format!("/v1/resources/{room}/availability?from={from}&to={to}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    draw(room, &answer.json()["segments"], picture);
    answer.json()
}

/// Draws segments over what is shown.
fn draw(room: &str, segments: &Value, picture: &mut Picture) {
    for segment in segments.as_array().unwrap() {
        let (start, end) = (segment["start"].as_u64().unwrap(), segment["end"].as_u64().unwrap());
        let minutes =
            (start / MINUTE..end / MINUTE).filter(|minute| *minute / (24 * 60) == day() / (24 * HOUR));
        picture.extend(minutes.map(|minute| ((room.to_owned(), minute), segment["free"].as_u64().unwrap())));
    }
}

/// A screen that shows what is free everywhere.
struct Screen {
    ws: Ws,
    picture: Picture,
    /// Events that it was told, and resets.
    told: usize,
    resets: usize,
}

impl Screen {
    fn new(server: &Server) -> Self {
        let (picture, cursor) = snapshot(server);
        let mut screen = Self { ws: server.ws(), picture, told: 0, resets: 0 };
        screen.back(server, None, &cursor);
        screen
    }

    /// Comes back with its cursor, as after a lost connection.
    fn back(&mut self, server: &Server, key: Option<&str>, cursor: &str) {
        let names = channels();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.ws = Ws::back(server, key, cursor, &names);
    }

    /// Takes one frame, and says whether it tells of the room in which something happens last.
    fn take(&mut self, frame: &Value, server: &Server) -> bool {
        let Some(room) = frame["channel"].as_str().and_then(|name| name.strip_prefix("slots:")) else {
            return false;
        };
        let is_reset = frame["type"] == "reset" || frame["name"] == "slots.reset";
        if is_reset && room != "last" {
            look(server, room, &mut self.picture);
        } else if frame["name"] == "slots.delta" && room != "last" {
            draw(room, &frame["data"]["segments"], &mut self.picture);
        }
        self.resets += usize::from(frame["type"] == "reset");
        self.told += usize::from(frame["type"] == "event");
        room == "last" && frame["type"] == "event"
    }

    /// Takes what has come by now.
    fn catch_up(&mut self, server: &Server) {
        while let Some(frame) = self.ws.pending().filter(|frame| frame["type"] != "pong") {
            self.take(&frame, server);
        }
    }

    /// Takes everything up to what happened last.
    fn until_the_last(&mut self, server: &Server) {
        loop {
            let frame = self.ws.next();
            if self.take(&frame, server) {
                return;
            }
        }
    }
}

/// Somebody who holds and lets go, confirms and cancels, in one room after the other.
struct Busy {
    /// What was held in the last rounds, the newest last.
    held: VecDeque<(u64, Value)>,
    booked: BTreeMap<(u64, u64), String>,
}

impl Busy {
    /// One round: a hold in this round's room, and the end of an older hold in another room.
    fn round(&mut self, world: &World, n: u64) {
        // A place in a room comes round after a while, and is free again by then.
        let (nth, place) = (n % ROOMS, n / ROOMS % 20);
        if let Some(id) = self.booked.remove(&(nth, place)) {
            assert_eq!(world.step(&format!("bookings/{id}/cancel"), &json!({})).status, 200);
        }
        let hold = world.held(&format!("p{n}"), claim(&room(nth), place * 60, place * 60 + 45));
        self.held.push_back((n, hold));
        if self.held.len() as u64 > ROOMS / 2 {
            self.end(world);
        }
    }

    /// Ends the oldest hold, one way or the other.
    fn end(&mut self, world: &World) {
        let Some((n, hold)) = self.held.pop_front() else { return };
        let (id, fence) = (hold["id"].as_str().unwrap(), json!({"fence": hold["fence"]}));
        let verb = if n % 3 > 0 { "release" } else { "confirm" };
        assert_eq!(world.step(&format!("holds/{id}/{verb}"), &fence).status, 200);
        if verb == "confirm" {
            self.booked.insert((n % ROOMS, n / ROOMS % 20), id.to_owned());
        }
    }
}

#[test]
fn a_reader_who_missed_ten_thousand_events_resumes_and_ends_equal_to_a_fresh_snapshot() {
    let missed = count(300, 10_000);
    // The stranger listens to every booking, and there are thousands in the full count.
    let mut world =
        World::start("[limit]\nsubscriptions = 20000\nrate = 0\nrate_per_identity = 0\nrate_per_address = 0");
    for nth in 0..ROOMS {
        world.resource(&room(nth), json!({"capacity": 3, "after_ms": 600_000}));
    }
    world.resource("last", json!({}));
    let mut away = Screen::new(&world.server);
    let mut stays = Screen::new(&world.server);
    // Between its snapshot and the moment at which it goes something happens.
    world.held("anna", claim(&room(0), 1_300, 1_360));
    for screen in [&mut away, &mut stays] {
        eventually("it shows the hold", || {
            screen.catch_up(&world.server);
            screen.picture == snapshot(&world.server).0
        });
    }
    let key = away.ws.resume_key();
    let cursor = std::mem::replace(&mut away.ws, world.server.ws()).cut();
    (away.told, stays.told) = (0, 0);
    let mut busy = Busy { held: VecDeque::new(), booked: BTreeMap::new() };
    let mut rounds = 0;
    while stays.told < missed {
        busy.round(&world, rounds);
        rounds += 1;
        stays.catch_up(&world.server);
        if rounds == 30 {
            // What came right before the crash is told after it, like everything else.
            let cursor = stays.ws.cursor.clone();
            world = world.crash_and_restart();
            stays.back(&world.server, None, &cursor);
        }
    }
    while !busy.held.is_empty() {
        busy.end(&world);
    }
    eventually("whoever stayed shows what there is", || {
        stays.catch_up(&world.server);
        stays.picture == snapshot(&world.server).0
    });
    world.held("last", claim("last", 0, 60));
    stays.until_the_last(&world.server);
    away.back(&world.server, Some(&key), &cursor);
    away.until_the_last(&world.server);
    assert_eq!((away.resets, stays.resets), (0, 0), "a durable channel goes on, also after a crash");
    assert!(away.told >= missed, "{} events for the {missed} that it missed", away.told);
    assert_eq!(away.told, stays.told, "it is told what whoever stayed was told");
    assert!(away.picture == stays.picture && away.picture == snapshot(&world.server).0);
    println!("measured: {} events were missed and replayed", away.told);
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

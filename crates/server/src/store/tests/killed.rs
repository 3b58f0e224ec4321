//! A process is killed while many hold, confirm and let go: whatever it acknowledged is so afterwards,
//! and no time is held twice.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::sync::mpsc;

use deskbell_core::ids::ReservationId;
use deskbell_core::limits::HOUR;
use deskbell_core::reservation::{Reservation, State};

use super::commands::*;
use super::{APP, Scratch, assert_sound, child, log, options, world};
use crate::store::{Feed, Look, Opened, Petition, Ruling, Seen, Store};

const ROUNDS: u64 = 10;
const CLIENTS: u64 = 8;
/// Few slots for many clients, so that they are always in each other's way.
const SLOTS: u64 = 4;

fn rule(store: &Store, petition: Petition) -> Ruling {
    let (sender, receiver) = mpsc::sync_channel(1);
    store.rule(petition, Box::new(move |ruling| sender.send(ruling).unwrap_or(())));
    receiver.recv().unwrap()
}

fn start(data: &std::path::Path) -> Store {
    let opened = Opened::open(&options(data)).unwrap();
    let feed: Feed = super::feed(log(&opened));
    opened.start(world(feed)).unwrap()
}

/// Says `state id version slot` for each answer.
fn says(of: &Reservation) -> String {
    let slot = (of.claims[0].claim.start - TEN) / HOUR;
    format!("{} {} {} {slot}", of.state.as_str(), of.id, of.version)
}

/// Holds one of a few slots, then confirms or releases, until it is killed.
pub(super) fn child(data: PathBuf) {
    let store = start(&data);
    rule(&store, put(room(), 1)).unwrap();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let store = &store;
            scope.spawn(move || {
                for n in client.. {
                    let asked = hold(TEN + n % SLOTS * HOUR, &format!("user-{client}"));
                    let Ok(held) = rule(store, asked) else { continue };
                    let held = held.reply.reservation.unwrap();
                    child::say(&says(&held));
                    let ended = rule(store, release(&held)).unwrap().reply.reservation.unwrap();
                    child::say(&says(&ended));
                }
            });
        }
    });
}

#[test]
fn what_a_killed_process_granted_stays_granted_and_to_one_alone() {
    let scratch = Scratch::new();
    for round in 0..ROUNDS {
        let mut child = child::spawn("hold until killed", &scratch.data());
        let answers = 20 + round * round * 7 % 211;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        for _ in 0..answers {
            said.push(lines.by_ref().map(Result::unwrap).find(|line| child::said(line).is_some()).unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        said.extend(lines.map_while(Result::ok));
        check(&scratch, &said);
    }
}

fn check(scratch: &Scratch, said: &[String]) {
    // The newest version of everything that was acknowledged.
    let mut newest: HashMap<String, (u64, String)> = HashMap::new();
    for line in said.iter().filter_map(|line| child::said(line)) {
        let words: Vec<&str> = line.split(' ').collect();
        let [state, id, version, _] = words[..] else { continue };
        let version: u64 = version.parse().unwrap();
        let known = newest.entry(id.to_owned()).or_insert((0, String::new()));
        if version > known.0 {
            *known = (version, state.to_owned());
        }
    }
    let store = start(&scratch.data());
    assert_sound(&store);
    for (id, (version, state)) in newest {
        let (sender, receiver) = mpsc::sync_channel(1);
        let look = Look::Reservation(ReservationId::parse(&id).unwrap());
        store.look(APP, look, Box::new(move |seen| sender.send(seen).unwrap_or(())));
        let Seen::Reservation(Some(found)) = receiver.recv().unwrap().unwrap().seen else {
            panic!("{id} was acknowledged as {state} and is gone");
        };
        let is_later = found.version > version && state == "held" && found.state == State::Released;
        assert!(is_later || (found.version, found.state.as_str()) == (version, &state), "{id}: {found:?}");
    }
    store.close().unwrap();
}

//! The acts on the ledger that both the HTTP API and the shards perform.
//!
//! | part | what |
//! |---|---|
//! | [`ask`] | a plea becomes a command, its fence opened, its key scoped |
//! | [`free`] | what is free of a resource, with the cursor to go on from |
//!
//! Neither waits: what they are given to call hears the answer on a thread of the store.

mod free;

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::ids::{EventId, ReservationId};
use deskbell_core::log::Once;
use deskbell_core::mac;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Actor, Command, Fence, Onlooker, Plea, Reservation, State};

pub use free::{Found, ShownFree, free};

use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::store::{Look, Petition, Ruled, Ruling, Seen, plainly};

/// Somebody who asks, with the app's rules as they are now.
pub fn actor(app: &App, identity: Arc<Identity>, connected: bool) -> Actor {
    Actor { identity, rules: (**app.rules.load()).clone(), connected }
}

/// Whoever is to be shown an answer now.
pub fn onlooker<'a>(hub: &'a Hub, actor: &'a Actor) -> Onlooker<'a> {
    Onlooker { actor, seals: &hub.seals, now: clock::now_ms() }
}

/// Asks the ledger. `heard` hears what was ruled exactly once, on a thread of the store or here and now.
pub fn ask(hub: &Arc<Hub>, app: &App, actor: Actor, plea: Plea, heard: impl FnOnce(Ruling) + Send + 'static) {
    let once = plea.key.as_ref().map(|key| once(app, &actor, plea.act.word(), key, plea.body));
    match (plea.fenced(), &plea.fence) {
        (Some(id), Some(Fence::Sealed(text))) => match hub.seals.open_fence(id, text) {
            Some(fence) => rule(hub, app, actor, plea.with_fence(fence), once, heard),
            None => heard(Err(plainly(foreign_fence()))),
        },
        (Some(_), Some(Fence::Number(fence))) if actor.is_backend() => {
            let fence = *fence;
            rule(hub, app, actor, plea.with_fence(fence), once, heard);
        }
        (Some(id), Some(Fence::Number(fence))) => {
            let (id, fence) = (id.clone(), *fence);
            number_of_staff(hub, app, actor, (plea, fence), once, id, heard);
        }
        _ => rule(hub, app, actor, plea.act, once, heard),
    }
}

/// A number counts from staff only, and who is staff stands in the reservation.
fn number_of_staff(
    hub: &Arc<Hub>,
    app: &App,
    actor: Actor,
    (plea, fence): (Plea, u64),
    once: Option<Once>,
    id: ReservationId,
    heard: impl FnOnce(Ruling) + Send + 'static,
) {
    let (later, index) = (hub.clone(), app.index);
    let watched = move |seen: Result<crate::store::Sighting, Refusal>| {
        let seen = match seen {
            Ok(sighting) => sighting.seen,
            Err(refusal) => return heard(Err(plainly(refusal))),
        };
        let is_staff = |found: &Reservation| onlooker(&later, &actor).is_staff(found);
        match seen {
            Seen::Reservation(Some(found)) if is_staff(&found) => {
                rule(&later, &later.apps[index], actor, plea.with_fence(fence), once, heard);
            }
            _ => heard(Err(plainly(number_of_a_browser()))),
        }
    };
    hub.store.look(app.id, Look::Reservation(id), Box::new(watched));
}

fn rule(
    hub: &Arc<Hub>,
    app: &App,
    actor: Actor,
    act: Act,
    once: Option<Once>,
    heard: impl FnOnce(Ruling) + Send + 'static,
) {
    let petition = Petition { app: app.id, command: Command::Ask { actor, act }, once };
    let (later, index) = (hub.clone(), app.index);
    let noting = move |ruling: Ruling| {
        if let Ok(ruled) = &ruling {
            note_tie(&later, index, ruled);
        }
        heard(ruling);
    };
    hub.store.rule(petition, Box::new(noting));
}

/// A hold that ends with its holder's last connection is watched from here on.
fn note_tie(hub: &Hub, app: usize, ruled: &Ruled) {
    let held = ruled.reply.reservation.as_deref().filter(|hold| hold.tied && hold.state == State::Held);
    if let Some(hold) = held {
        hub.attendance.tie(app, &hold.holder, clock::now_ms());
    }
}

/// A ruling's answer in time: that of a retry is told as it is now, so that nobody counts down too slowly.
pub fn told_at(ruled: &Ruled) -> u64 {
    if ruled.repeated { clock::now_ms().max(ruled.reply.now) } else { ruled.reply.now }
}

fn foreign_fence() -> Refusal {
    Refusal::new(Code::StaleFence, "this fence is of no grant of this reservation; read the hold again")
}

fn number_of_a_browser() -> Refusal {
    let sentence =
        "`fence` as a number is for backends and staff; send the text that the hold's grant gave you";
    Refusal::new(Code::BadField, sentence)
}

/// The scope of a key: the same app, principal and kind of command, which has this word.
pub fn once(app: &App, actor: &Actor, word: &str, key: &EventId, body: u64) -> Once {
    let principal = actor.identity.principal.to_string();
    let parts: [&[u8]; 6] = [
        &app.id.0.to_be_bytes(),
        word.as_bytes(),
        b"\0",
        principal.as_bytes(),
        b"\0",
        key.as_str().as_bytes(),
    ];
    let tag = mac::tag(b"once of the ledger", &parts);
    let mut key = [0; 16];
    key.copy_from_slice(&tag[..16]);
    Once { key: u128::from_be_bytes(key), body }
}

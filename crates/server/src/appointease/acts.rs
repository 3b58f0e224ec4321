//! Locks, and what is free: questions to the ledger.

use std::sync::Arc;

use deskbell_core::access::Identity;
use deskbell_core::calendar::Date;
use deskbell_core::ids::{Principal, ReservationId, ResourceId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Actor, Claim, Plea, Reservation, State};
use deskbell_core::slotted::{self, Grid, Locked, Then, Unavailable, Unlock, in_the_slot};
use deskbell_core::vocabulary::Availability;
use deskbell_wire::appointease::debug::{self, LISTED};
use deskbell_wire::appointease::{Day, Employee, Slot};

use super::site::{Terms, locked};
use crate::app::App;
use crate::clock;
use crate::hub::Hub;
use crate::ledger;
use crate::store::{Filter, Look, Ruling, Seen, Sighting};

/// Reservations that may be in one slot, on one date of an employee, or a person's.
pub const OF_A_DAY: usize = 500;

/// A lock that was asked for.
#[derive(Debug)]
pub struct Lock {
    /// What became of it.
    pub locked: Locked,
    /// The hold, where it is the asker's.
    pub hold: Option<Arc<Reservation>>,
    /// When.
    pub now: u64,
}

/// The terms of an app, where the dialect is on.
pub fn terms(app: &App) -> Result<Arc<Terms>, Refusal> {
    app.appointease.terms.load_full().ok_or_else(|| {
        Refusal::new(Code::NotFound, "this dialect is off here; set appointease.time_zone to the site's zone")
    })
}

/// Locks a slot. An employee of whom nobody has spoken yet becomes a resource.
pub fn lock(
    hub: &Arc<Hub>,
    app: &App,
    actor: Actor,
    claim: Claim,
    email: Option<Arc<str>>,
    heard: impl FnOnce(Result<Lock, Refusal>) + Send + 'static,
) {
    let act = slotted::lock(claim.clone(), email);
    with_employee(hub, app, actor, act, claim.resource.clone(), move |ruling| {
        heard(understood(&claim, ruling));
    });
}

fn understood(claim: &Claim, ruling: Ruling) -> Result<Lock, Refusal> {
    match ruling {
        Ok(ruled) => {
            let strange = || Refusal::new(Code::Unavailable, "the lock was not answered; send it again");
            let locked = slotted::locked(claim, &ruled.reply).ok_or_else(strange)?;
            Ok(Lock { locked, hold: ruled.reply.reservation.clone(), now: ruled.reply.now })
        }
        Err(refused) => {
            let now = clock::now_ms();
            let locked = slotted::taken(&refused, now).ok_or(refused.refusal)?;
            Ok(Lock { locked, hold: None, now })
        }
    }
}

/// Asks the ledger for something of an employee, who is made a resource first where that is missing.
pub fn with_employee(
    hub: &Arc<Hub>,
    app: &App,
    actor: Actor,
    act: Act,
    employee: ResourceId,
    heard: impl FnOnce(Ruling) + Send + 'static,
) {
    let (later, index) = (hub.clone(), app.index);
    let again = (actor.clone(), act.clone());
    ask(hub, app, actor, act, move |ruling| match ruling {
        Err(refused) if refused.refusal.code == Code::NotFound => {
            let hub = later.clone();
            make(&hub, &hub.apps[index], employee, move |made| match made {
                Err(refusal) => heard(Err(crate::store::plainly(refusal))),
                Ok(()) => ask(&later, &later.apps[index], again.0, again.1, heard),
            });
        }
        ruling => heard(ruling),
    });
}

/// Asks for something whose fence is known.
pub fn ask(hub: &Arc<Hub>, app: &App, actor: Actor, act: Act, heard: impl FnOnce(Ruling) + Send + 'static) {
    ledger::ask(hub, app, actor, Plea { act, fence: None, key: None, body: 0 }, heard);
}

/// A backend, for what the server does by itself.
pub fn backend(app: &App) -> Actor {
    ledger::actor(app, Arc::new(Identity::backend()), false)
}

/// Makes an employee a resource, unless there are too many already.
fn make(
    hub: &Arc<Hub>,
    app: &App,
    employee: ResourceId,
    heard: impl FnOnce(Result<(), Refusal>) + Send + 'static,
) {
    let terms = match terms(app) {
        Ok(terms) => terms,
        Err(refusal) => return heard(Err(refusal)),
    };
    {
        let mut known = locked(&app.appointease.known);
        if known.len() >= limits::SLOT_EMPLOYEES && !known.contains(&employee) {
            let sentence = "there are 1,000 employees already; make this one with PUT /v1/resources/{id}";
            return heard(Err(Refusal::new(Code::LimitReached, sentence)));
        }
        known.insert(employee.clone());
    }
    let wish = Act::PutResource(Box::new(slotted::undescribed(employee, &terms.grid)));
    ask(hub, app, backend(app), wish, move |ruling| {
        heard(ruling.map(drop).map_err(|refused| refused.refusal));
    });
}

/// Unlocks a slot. What is not locked is unlocked already.
pub fn unlock(
    hub: &Arc<Hub>,
    app: &App,
    actor: Actor,
    claim: Claim,
    then: Then,
    heard: impl FnOnce(Result<(), Refusal>) + Send + 'static,
) {
    let (later, index) = (hub.clone(), app.index);
    of_claim(hub, app, &claim.clone(), move |found| {
        let found = match found {
            Ok(found) => found,
            Err(refusal) => return heard(Err(refusal)),
        };
        let found = in_the_slot(found.iter().map(Arc::as_ref), &claim, clock::now_ms());
        match slotted::unlock(found, &actor.identity.principal, then) {
            Unlock::Free => heard(Ok(())),
            Unlock::Foreign => {
                let sentence = "somebody else has this slot; only who has locked it can unlock it";
                heard(Err(Refusal::new(Code::NotHolder, sentence)));
            }
            Unlock::Ask(act) => {
                ask(&later, &later.apps[index], actor, *act, move |ruling| heard(let_go(ruling)));
            }
        }
    });
}

/// Whoever lets go of what is over already has let go.
fn let_go(ruling: Ruling) -> Result<(), Refusal> {
    match ruling {
        Ok(_) => Ok(()),
        Err(refused)
            if matches!(refused.refusal.code, Code::NotFound | Code::HoldExpired | Code::BadState) =>
        {
            Ok(())
        }
        Err(refused) => Err(refused.refusal),
    }
}

/// Unlocks by the lock's own id, which nobody else was told.
pub fn unlock_by_id(
    hub: &Arc<Hub>,
    app: &App,
    id: ReservationId,
    heard: impl FnOnce(Result<(), Refusal>) + Send + 'static,
) {
    let (later, index) = (hub.clone(), app.index);
    let seen = move |seen: Result<Sighting, Refusal>| {
        let found = match seen.map(|sighting| sighting.seen) {
            Err(refusal) => return heard(Err(refusal)),
            Ok(Seen::Reservation(Some(found))) if found.state == State::Held => found,
            Ok(_) => return heard(Ok(())),
        };
        let act = Act::Release { id: found.id.clone(), fence: Some(found.fence) };
        let app = &later.apps[index];
        ask(&later, app, backend(app), act, move |ruling| heard(let_go(ruling)));
    };
    hub.store.look(app.id, Look::Reservation(id), Box::new(seen));
}

/// The live reservations that touch a claim.
pub fn of_claim(
    hub: &Hub,
    app: &App,
    claim: &Claim,
    heard: impl FnOnce(Result<Vec<Arc<Reservation>>, Refusal>) + Send + 'static,
) {
    let filter =
        Filter { resource: Some(claim.resource.clone()), span: Some(claim.span()), ..Filter::default() };
    list(hub, app, filter, OF_A_DAY, heard);
}

/// Reservations that fit.
pub fn list(
    hub: &Hub,
    app: &App,
    filter: Filter,
    limit: usize,
    heard: impl FnOnce(Result<Vec<Arc<Reservation>>, Refusal>) + Send + 'static,
) {
    let seen = move |seen: Result<Sighting, Refusal>| {
        heard(seen.map(|sighting| match sighting.seen {
            Seen::Reservations(found) => found,
            _ => Vec::new(),
        }));
    };
    hub.store.look(app.id, Look::Reservations { filter, after: None, limit }, Box::new(seen));
}

/// Which times of a date of an employee cannot be had. Of one that nobody has spoken of all can.
pub fn unavailable(
    hub: &Arc<Hub>,
    app: &App,
    resource: ResourceId,
    date: Date,
    heard: impl FnOnce(Result<Unavailable, Refusal>) + Send + 'static,
) {
    let terms = match terms(app) {
        Ok(terms) => terms,
        Err(refusal) => return heard(Err(refusal)),
    };
    let window = terms.grid.window(date);
    let asked = Availability { resource, window, duration: None, step: None, units: 1 };
    ledger::free(hub, app, asked, move |found| {
        let shown = found.and_then(ledger::Found::show);
        heard(match shown {
            Ok((shown, _)) => Ok(terms.grid.unavailable(date, shown.segments())),
            Err(refusal) if refusal.code == Code::NotFound => Ok(Unavailable::Times(Vec::new())),
            Err(refusal) => Err(refusal),
        });
    });
}

/// The same as times alone: those pages know no word for a whole date.
pub fn times(unavailable: Unavailable, date: Date, grid: &Grid) -> Vec<String> {
    match unavailable {
        Unavailable::Times(times) => times,
        Unavailable::All => {
            let slot = usize::try_from(grid.slot() / limits::MINUTE).unwrap_or(usize::MAX);
            (0..24 * 60).step_by(slot).map(|minute| date.minute(minute).time()).collect()
        }
    }
}

/// The locks that there are, for the debug panel, and how many.
pub fn locks(
    hub: &Arc<Hub>,
    app: &App,
    heard: impl FnOnce(Result<(Vec<debug::Lock>, usize), Refusal>) + Send + 'static,
) {
    let (later, index) = (hub.clone(), app.index);
    let terms = match terms(app) {
        Ok(terms) => terms,
        Err(refusal) => return heard(Err(refusal)),
    };
    let filter = Filter { states: vec![State::Held], ..Filter::default() };
    list(hub, app, filter, LISTED * 5, move |found| {
        heard(found.map(|found| {
            let shown = |hold: &Reservation| shown(&later, &later.apps[index], &terms.grid, hold);
            let locks: Vec<debug::Lock> = found.iter().filter_map(|hold| shown(hold)).collect();
            let count = locks.len();
            (locks, count)
        }));
    });
}

fn shown(hub: &Hub, app: &App, grid: &Grid, hold: &Reservation) -> Option<debug::Lock> {
    let slot = slot_of(grid, &hold.claims.first()?.claim)?;
    let who = app.appointease.called(&hub.seals.member_id(&hold.holder));
    Some(debug::Lock { slot, who, until: hold.expires_at? })
}

/// A claim of an employee as the slot that it is.
pub fn slot_of(grid: &Grid, claim: &Claim) -> Option<Slot> {
    let employee = Employee::of_id(slotted::employee_of(&claim.resource)?);
    let wall = grid.wall(claim.start);
    let day = Day { date: wall.date().to_string().into(), employee };
    Some(Slot { day, time: wall.time().into() })
}

/// Whose appointments somebody may see: its own, in development anybody's.
pub fn may_see(terms: &Terms, who: &Principal, email: &str) -> Result<(), Refusal> {
    let own = matches!(who, Principal::User(user) if user.as_str().eq_ignore_ascii_case(email));
    if own || terms.trusting || *who == Principal::Backend {
        return Ok(());
    }
    let sentence =
        "appointments are shown to whoever proves the e-mail address; let the site sign it (`sig`)";
    Err(Refusal::new(Code::Denied, sentence))
}

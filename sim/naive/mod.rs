//! The ledger once more, as naive as can be: lists, and a look at everything for every question.
//!
//! It is written from the words of the reference, has no index, no day, no slice and no timer, and says
//! what each command must answer and leave behind. What is proven equal to it is right, as far as the words
//! are. The rules of core are held against it by their tests, and recorded histories by the simulator:
//! both take this folder in by its path. A crate of its own would give it a name and a place in the
//! workspace, and production a chance to use it.

mod bookings;
mod holds;
mod staff;
mod waits;

use std::collections::BTreeSet;
use std::sync::Arc;

use deskbell_core::ids::{Principal, ReservationId, ResourceId, UserId, WaitId};
use deskbell_core::limits::{self, DAY, Millis};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{
    Act, Actor, Claim, Command, Due, Granted, Moment, Reservation, Resource, Span, State, Wait, WaitState,
    Waitlist, Wish,
};

/// Everything that is known, in lists.
#[derive(Debug, Clone, Default)]
pub struct Naive {
    /// Every resource.
    pub resources: Vec<Resource>,
    /// Every reservation that ever was.
    pub reservations: Vec<Reservation>,
    /// Every entry of a waitlist that ever was.
    pub waits: Vec<Wait>,
    /// Every expiry that was somebody's fault.
    pub strikes: Vec<(Principal, ResourceId, Millis)>,
}

/// Something in the way: of which resource, and whose claim. Nobody's, where it is closed.
pub type InTheWay = BTreeSet<(ResourceId, Option<ReservationId>)>;

/// What whoever asked must hear.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Something is another than before.
    pub changed: bool,
    /// The reservation.
    pub reservation: Option<Reservation>,
    /// The entry of a waitlist.
    pub wait: Option<Wait>,
    /// The resource.
    pub resource: Option<Resource>,
    /// What is claimed beyond the capacity.
    pub conflicts: InTheWay,
    /// Holds that gave way.
    pub evicted: Vec<ReservationId>,
    /// Events, and whose.
    pub told: Vec<(String, String)>,
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct No {
    /// Its code.
    pub code: Code,
    /// What is in the way.
    pub conflicts: InTheWay,
    /// Other times.
    pub alternatives: Vec<Millis>,
    /// How many wait.
    pub waiting: Option<usize>,
}

type Turned<T = ()> = Result<T, Box<No>>;

fn no<T>(code: Code) -> Turned<T> {
    Err(Box::new(No { code, conflicts: InTheWay::new(), alternatives: Vec::new(), waiting: None }))
}

/// One command under way.
struct Turn<'a> {
    before: &'a Naive,
    all: &'a mut Naive,
    now: Millis,
    position: u64,
    seed: [u8; 16],
    made: u32,
    freed: Vec<(ResourceId, Span)>,
    answer: Answer,
}

impl Naive {
    /// Does the command, or refuses it and leaves everything as it was.
    pub fn run(&mut self, moment: Moment, command: &Command) -> Result<Answer, Box<No>> {
        let before = self.clone();
        let Moment { now, position, seed } = moment;
        let (freed, answer) = (Vec::new(), Answer::default());
        let mut turn = Turn { before: &before, all: self, now, position, seed, made: 0, freed, answer };
        let done = turn.command(command);
        let Turn { answer, .. } = turn;
        if done.is_err() || !answer.changed {
            *self = before;
        }
        done.map(|()| answer)
    }

    /// The resource of this name.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == *id)
    }

    /// The reservation with this id.
    pub fn reservation(&self, id: &ReservationId) -> Option<&Reservation> {
        self.reservations.iter().find(|reservation| reservation.id == *id)
    }

    /// The units of a resource that are claimed at one instant, as things stand now.
    pub fn used(&self, resource: &ResourceId, at: Millis, now: Millis) -> u64 {
        let live = self.reservations.iter().filter(|reservation| live(reservation, now));
        live.flat_map(|reservation| covering(&reservation.claims, resource, at)).sum()
    }

    /// What keeps these claims from being granted. Some reservations do not count.
    pub fn in_the_way(&self, set: &[Granted], but: &[ReservationId], now: Millis) -> InTheWay {
        let mut found = self.taken(set, but, now);
        // When a resource is open is proven elsewhere, with its own reference. Buffers may lie in closed time.
        let closed = |granted: &&Granted| {
            let resource = self.resource(&granted.claim.resource);
            !resource.is_some_and(|resource| resource.is_open(granted.claim.span()))
        };
        found.extend(set.iter().filter(closed).map(|granted| (granted.claim.resource.clone(), None)));
        found
    }

    /// The same in a resource that is always open.
    pub fn taken(&self, set: &[Granted], but: &[ReservationId], now: Millis) -> InTheWay {
        let others = || self.reservations.iter().filter(|r| live(r, now) && !but.contains(&r.id));
        let mut found = InTheWay::new();
        for wanted in set {
            let resource = &wanted.claim.resource;
            let capacity = self.resource(resource).map_or(0, |resource| u64::from(resource.capacity));
            let starts = others().flat_map(|other| &other.claims).chain(set).map(|claim| padded(claim).start);
            let here = padded(wanted);
            for at in starts.chain([here.start]).filter(|at| here.start <= *at && *at < here.end) {
                let taken: u64 = others().flat_map(|other| covering(&other.claims, resource, at)).sum();
                let alone: u64 = covering(set, resource, at).sum();
                if taken + alone > capacity {
                    let there = others().filter(|other| covering(&other.claims, resource, at).count() > 0);
                    found.extend(there.map(|other| (resource.clone(), Some(other.id.clone()))));
                }
                if alone > capacity {
                    found.insert((resource.clone(), None));
                }
            }
        }
        found
    }
}

/// Does it claim its time?
pub fn live(reservation: &Reservation, now: Millis) -> bool {
    match reservation.state {
        State::Held => reservation.expires_at.is_none_or(|at| now < at),
        State::Pending => !reservation.unclaimed,
        State::Booked | State::Active => true,
        _ => false,
    }
}

/// A claim's time with its buffers.
pub fn padded(granted: &Granted) -> Span {
    let start = granted.claim.start.saturating_sub(granted.before);
    Span { start, end: granted.claim.end + granted.after }
}

/// The units of those claims that cover one instant of a resource.
fn covering<'a>(
    claims: &'a [Granted],
    resource: &'a ResourceId,
    at: Millis,
) -> impl Iterator<Item = u64> + 'a {
    let here = move |granted: &&Granted| {
        let span = padded(granted);
        granted.claim.resource == *resource && span.start <= at && at < span.end
    };
    claims.iter().filter(here).map(|granted| u64::from(granted.claim.units))
}

impl Turn<'_> {
    fn command(&mut self, command: &Command) -> Turned {
        match command {
            Command::Due(Due::Reservation(id)) => self.time_has_come(id)?,
            Command::Due(Due::Departed(principal)) => self.departed(principal),
            Command::Due(Due::Restarted(id)) => self.restarted(id)?,
            Command::Ask { actor, act } => self.ask(actor, act)?,
        }
        if self.answer.changed {
            self.settle();
        }
        Ok(())
    }

    fn ask(&mut self, actor: &Actor, act: &Act) -> Turned {
        match act {
            Act::Hold { wish, ttl, replace } => self.hold(actor, wish, *ttl, replace.as_ref()),
            Act::Extend { id, fence, ttl } => self.extend(actor, id, *fence, *ttl),
            Act::Release { id, fence } => self.release(actor, id, *fence),
            Act::Confirm { .. } => self.confirm(actor, act),
            Act::Book { wish, external_ref } => self.book(actor, wish, external_ref.as_ref()),
            Act::Step { id, step, version } => self.step(actor, id, *step, *version),
            Act::Reschedule { id, claims, version } => self.reschedule(actor, id, claims, *version),
            Act::Link { id, external_ref } => self.link(actor, id, external_ref),
            Act::Override { .. } => self.override_all(actor, act),
            Act::Block { source, as_of, spans } => self.block(actor, source, *as_of, spans),
            Act::PutResource(wish) => self.put_resource(actor, wish),
            Act::Join { wish } => self.join(actor, wish),
            Act::Leave { id } => self.leave(actor, id),
            Act::Accept { id } => self.accept(actor, id),
        }
    }

    fn find(&self, id: &ReservationId) -> Turned<Reservation> {
        self.all.reservation(id).cloned().map_or_else(|| no(Code::NotFound), Ok)
    }

    fn find_wait(&self, id: &WaitId) -> Turned<Wait> {
        self.all.waits.iter().find(|wait| wait.id == *id).cloned().map_or_else(|| no(Code::NotFound), Ok)
    }

    fn find_resource(&self, id: &ResourceId) -> Turned<Resource> {
        self.all.resource(id).cloned().map_or_else(|| no(Code::NotFound), Ok)
    }

    fn resources_of(&self, claims: &[Granted]) -> Vec<Resource> {
        claims.iter().filter_map(|granted| self.all.resource(&granted.claim.resource).cloned()).collect()
    }

    /// Takes a new version in and tells it. What it claimed and claims no more is free.
    fn put(&mut self, mut new: Reservation, what: &str) -> Reservation {
        new.version = self.position;
        self.answer.changed = true;
        self.answer.told.push((what.to_owned(), new.id.to_string()));
        if let Some(old) = self.all.reservations.iter_mut().find(|old| old.id == new.id) {
            let gone = new.state.is_over() || new.unclaimed || new.claims != old.claims;
            if gone && !old.state.is_over() && !old.unclaimed {
                self.freed.extend(old.claims.iter().map(|c| (c.claim.resource.clone(), padded(c))));
            }
            *old = new.clone();
        } else {
            self.all.reservations.push(new.clone());
        }
        new
    }

    fn put_and_reply(&mut self, new: Reservation, what: &str) {
        let new = self.put(new, what);
        self.answer.reservation = Some(new);
    }

    fn move_wait(&mut self, id: &WaitId, state: WaitState) {
        let Some(wait) = self.all.waits.iter_mut().find(|wait| wait.id == *id) else { return };
        if matches!(wait.state, WaitState::Waiting | WaitState::Offered) && wait.state != state {
            wait.state = state;
            self.answer.changed = true;
            self.answer.told.push((format!("waitlist.{}", state.as_str()), id.to_string()));
        }
    }

    fn close_offer(&mut self, hold: &Reservation, state: WaitState) {
        if let Some(id) = &hold.offer {
            self.move_wait(id, state);
        }
    }

    fn conflict<T>(&self, set: &[Granted], conflicts: InTheWay) -> Turned<T> {
        let start = set.iter().map(|granted| granted.claim.start).min().unwrap_or(0);
        let end = set.iter().map(|granted| granted.claim.end).max().unwrap_or(0);
        let (length, last) = (end - start, (start / DAY + 2) * DAY);
        let mut alternatives = Vec::new();
        for nth in (1..=limits::ALTERNATIVE_TRIALS).take_while(|_| length <= DAY) {
            let mut moved = set.to_vec();
            for granted in &mut moved {
                granted.claim.start += nth * length;
                granted.claim.end += nth * length;
            }
            if alternatives.len() == limits::ALTERNATIVES || end + nth * length > last {
                break;
            }
            if self.all.in_the_way(&moved, &[], self.now).is_empty() {
                alternatives.push(start + nth * length);
            }
        }
        let first = &set[0].claim.resource;
        let open = self.find_resource(first)?.policy.waitlist != Waitlist::Off;
        // A refusal changes nothing, so everybody who waited before still waits.
        let waits = self.before.waits.iter().filter(|wait| wait.waits_for(first) && !self.past(wait));
        let waiting = open.then_some(waits.count());
        Err(Box::new(No { code: Code::Conflict, conflicts, alternatives, waiting }))
    }

    /// The wish as it would be granted, where everything about it makes sense and is allowed.
    fn sets(&self, actor: &Actor, wish: &Wish) -> Turned<Vec<Vec<Granted>>> {
        if wish.any_of.is_empty() || wish.any_of.len() > limits::ANY_OF {
            return no(Code::BadField);
        }
        wish.any_of.iter().map(|set| self.set(actor, set)).collect()
    }

    fn set(&self, actor: &Actor, claims: &[Claim]) -> Turned<Vec<Granted>> {
        if claims.is_empty() || claims.len() > limits::CLAIMS {
            return no(Code::BadField);
        }
        let mut set = Vec::new();
        for claim in claims {
            let resource = self.find_resource(&claim.resource)?;
            if !self.may(actor, "hold", &claim.resource) && !self.may(actor, "manage", &claim.resource) {
                return no(Code::Denied);
            }
            let too_many = resource.capacity > 0 && claim.units > resource.capacity;
            let earliest = if resource.policy.past { 0 } else { self.now };
            if !sensible(claim.span(), earliest, self.now) || claim.units == 0 || too_many {
                return no(Code::BadField);
            }
            set.push(Granted { claim: claim.clone(), before: resource.before, after: resource.after });
        }
        if set.iter().map(|granted| padded(granted).days().count()).sum::<usize>() > limits::CLAIM_DAYS {
            return no(Code::LimitReached);
        }
        Ok(set)
    }

    fn may(&self, actor: &Actor, action: &str, resource: &ResourceId) -> bool {
        use deskbell_core::access::Action;
        Action::parse(action).is_some_and(|action| actor.may(action, resource, self.now))
    }

    fn staff(&self, actor: &Actor, reservation: &Reservation) -> bool {
        let claims = &reservation.claims;
        let managed = || claims.iter().all(|granted| self.may(actor, "manage", &granted.claim.resource));
        actor.is_backend() || (!claims.is_empty() && managed())
    }

    fn new_reservation(&mut self, state: State, holder: Principal, claims: Vec<Granted>) -> Reservation {
        self.made += 1;
        Reservation {
            id: ReservationId::derive(self.now, self.seed, self.made),
            holder,
            state,
            claims,
            fence: self.position,
            version: self.position,
            granted_at: self.now,
            expires_at: None,
            life_until: None,
            tied: false,
            warned: true,
            unclaimed: false,
            forced: false,
            remind_at: Vec::new(),
            unlinked_at: None,
            offer: None,
            block: None,
            external_ref: None,
            email: None,
            meta: None,
        }
    }
}

fn sensible(span: Span, earliest: Millis, now: Millis) -> bool {
    let length = span.end.saturating_sub(span.start);
    span.end > span.start
        && span.end > earliest
        && length <= limits::CLAIM_LENGTH
        && span.end <= now + limits::CLAIM_AHEAD
}

fn whose(actor: &Actor, holder: Option<&UserId>) -> Turned<Principal> {
    let own = &actor.identity.principal;
    match holder.map(|user| Principal::User(user.clone())) {
        None => Ok(own.clone()),
        Some(named) if actor.is_backend() || *own == named => Ok(named),
        Some(_) => no(Code::Denied),
    }
}

/// Two reservations want some of the same time of the same resource, buffers aside.
fn same_time(own: &Reservation, set: &[Granted]) -> bool {
    own.claims.iter().any(|mine| {
        let same = |want: &&Granted| want.claim.resource == mine.claim.resource;
        set.iter()
            .filter(same)
            .any(|want| mine.claim.start < want.claim.end && want.claim.start < mine.claim.end)
    })
}

/// Wraps what is compared with what core shares.
pub fn shared<T: Clone>(thing: Option<&Arc<T>>) -> Option<T> {
    thing.map(|thing| (**thing).clone())
}

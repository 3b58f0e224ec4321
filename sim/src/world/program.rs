//! Who asks for what: a handful of people, three resources, and few times, so that most of them collide.

use std::sync::Arc;

use deskbell_core::access::{Action, Audience, Identity, Rule, Rules};
use deskbell_core::calendar::{Hours, TimeZone};
use deskbell_core::event::{Data, Draft, Event};
use deskbell_core::ids::{
    ChannelName, EventId, EventName, ExternalRef, Principal, ReservationId, ResourceId, SourceName, UserId,
    WaitId,
};
use deskbell_core::limits::{DAY, HOUR, MINUTE, Millis, SECOND};
use deskbell_core::log::Once;
use deskbell_core::pattern::Pattern;
use deskbell_core::reservation::{
    Act, Actor, Claim, Command, Due, Policy, ResourceWish, Span, Step, Ttl, WaitState, Waitlist, Wish,
};
use deskbell_server::store::{Petition, Publish};

use super::site::APP;
use crate::disk::dice::{Dice, Purpose};
use crate::naive::Naive;

/// Resources of a world.
pub const RESOURCES: u64 = 3;
const PEOPLE: [&str; 6] = ["ann", "bob", "cem", "dora", "clerk", "chief"];
/// The channel of durable publishes.
pub const NEWS: &str = "news";

/// One request, as it is sent and sent again.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked.
    pub command: Command,
    /// Its idempotency key.
    pub once: Option<Once>,
}

/// A command without the rules of who asks, for who reads of it.
pub fn short(command: &Command) -> String {
    match command {
        Command::Ask { actor, act } => format!("{} asks {act:?}", actor.identity.principal),
        Command::Due(due) => format!("{due:?}"),
    }
}

impl Call {
    /// For who reads of it.
    pub fn short(&self) -> String {
        format!("{} under {:?}", short(&self.command), self.once)
    }

    /// As the store takes it.
    pub fn petition(&self) -> Petition {
        Petition { app: APP, command: self.command.clone(), once: self.once }
    }
}

/// One durable publish.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The ids of its events.
    pub ids: Vec<String>,
    /// Its idempotency key.
    pub once: Option<Once>,
}

impl Notice {
    /// As the store takes it.
    pub fn publish(&self, now: Millis) -> Publish {
        let draft = |id: &String| {
            Some(Draft::message(Event {
                id: EventId::parse(id).ok()?,
                channel: ChannelName::parse(NEWS).ok()?,
                name: EventName::parse("news.told").ok()?,
                data: Data::json(format!("\"{id}\"").into_bytes()),
                at: now,
            }))
        };
        Publish { app: APP, drafts: self.ids.iter().filter_map(draft).collect(), once: self.once, now }
    }
}

/// Makes requests.
pub struct Program {
    dice: Dice,
    made: u64,
    rules: Rules,
    /// Requests that were sent under a key, the newest last.
    sent: Vec<Call>,
    told: Vec<Notice>,
}

/// The name of a resource.
pub fn resource(nth: u64) -> ResourceId {
    ResourceId::parse(&format!("r{}", nth % RESOURCES)).expect("a letter and a digit are a name")
}

fn user(nth: usize) -> UserId {
    UserId::parse(PEOPLE[nth]).expect("letters are a name")
}

/// Midnight between the two days of which times are wanted.
pub fn midnight(now: Millis) -> Millis {
    (now / DAY + 2) * DAY
}

impl Program {
    /// The program of a seed.
    pub fn new(seed: u64) -> Self {
        let rule = |action, to| Rule {
            pattern: Pattern::parse("slots:*").expect("a star is a pattern"),
            allow: vec![action],
            to,
        };
        let role = |name: &str| Audience::Role(name.to_owned());
        let rules = vec![
            rule(Action::Hold, Audience::User),
            rule(Action::Confirm, role("clerk")),
            rule(Action::Manage, role("chief")),
        ];
        let dice = Dice::new(seed, Purpose::Program, 1);
        Self { dice, made: 0, rules: Rules::new(rules), sent: Vec::new(), told: Vec::new() }
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.below(all.len() as u64) as usize]
    }

    fn somebody(&mut self) -> usize {
        self.one_of(&[0, 0, 1, 1, 2, 2, 3, 4, 5])
    }

    fn actor(&self, nth: usize, connected: bool) -> Actor {
        let identity = Identity { roles: vec![PEOPLE[nth].to_owned()], ..Identity::user(user(nth)) };
        Actor { identity: Arc::new(identity), rules: self.rules.clone(), connected }
    }

    /// A request, now and then an old one.
    pub fn call(&mut self, naive: &Naive, now: Millis) -> Call {
        if !self.sent.is_empty() && self.dice.one_in(8) {
            return self.again();
        }
        let command = self.command(naive, now);
        let body = self.made + 1;
        // What a row tells of a resource does not say which of two changes it was; its key does.
        let of_resource = matches!(&command, Command::Ask { act: Act::PutResource(_), .. });
        let key = self.key(body);
        let once = if of_resource { Some(Once { key: u128::from(body) << 96, body }) } else { key };
        let call = Call { command, once };
        if call.once.is_some() {
            self.sent.push(call.clone());
            if self.sent.len() > 24 {
                self.sent.remove(0);
            }
        }
        call
    }

    fn key(&mut self, body: u64) -> Option<Once> {
        self.made += 1;
        let key = u128::from(self.made) << 32 | u128::from(self.dice.below(1 << 32));
        (!self.dice.one_in(10)).then_some(Once { key, body })
    }

    /// A request that was sent before; rarely with another body under the same key.
    fn again(&mut self) -> Call {
        let back = self.dice.below(self.sent.len() as u64) as usize;
        let mut call = self.sent[back].clone();
        if self.dice.one_in(8)
            && let Some(once) = &mut call.once
        {
            once.body += 1_000_000;
        }
        call
    }

    /// A publish, now and then an old one.
    pub fn notice(&mut self) -> Notice {
        if !self.told.is_empty() && self.dice.one_in(4) {
            let back = self.dice.below(self.told.len() as u64) as usize;
            return self.told[back].clone();
        }
        let ids = (0..=self.dice.below(3)).map(|part| format!("n{}-{part}", self.made)).collect();
        let body = self.made;
        let notice = Notice { ids, once: self.key(body) };
        if notice.once.is_some() {
            self.told.push(notice.clone());
            if self.told.len() > 8 {
                self.told.remove(0);
            }
        }
        notice
    }

    /// What makes or changes a resource.
    pub fn resource(&mut self, nth: u64, now_exists: bool) -> Call {
        let policy = Policy {
            hold_ttl_ms: self.one_of(&[5 * SECOND, 90 * SECOND, 10 * MINUTE]),
            max_life_ms: self.one_of(&[20 * MINUTE, 30 * MINUTE]),
            approval: self.dice.one_in(3),
            pending_claims: !self.dice.one_in(3),
            approval_ttl_ms: self.one_of(&[None, Some(20 * MINUTE)]),
            waitlist: self.one_of(&[
                Waitlist::Offer,
                Waitlist::Offer,
                Waitlist::Offer,
                Waitlist::Open,
                Waitlist::Off,
            ]),
            offer_ttl_ms: self.one_of(&[10 * SECOND, 3 * MINUTE, 50 * HOUR]),
            reminders_ms: if self.dice.one_in(3) { vec![DAY, 26 * HOUR] } else { Vec::new() },
            unlinked_after_ms: self.one_of(&[None, Some(MINUTE)]),
            ..Policy::default()
        };
        let capacity = if now_exists { self.dice.below(4) } else { 1 + nth % 3 };
        let wish = ResourceWish {
            id: resource(nth),
            capacity: capacity as u32,
            before: self.one_of(&[0, 0, 10 * MINUTE]),
            after: self.one_of(&[0, 0, 5 * MINUTE]),
            time_zone: TimeZone::parse("Europe/Berlin").expect("a zone that there is"),
            hours: Hours::default(),
            provider: self.one_of(&[None, Some(4)]).map(user),
            policy,
        };
        let command = Command::Ask { actor: Actor::backend(), act: Act::PutResource(Box::new(wish)) };
        self.made += 1;
        Call { command, once: Some(Once { key: u128::from(self.made) << 64, body: self.made }) }
    }

    fn claim(&mut self, now: Millis) -> Claim {
        let nth = self.dice.below(RESOURCES);
        // Half of them around midnight, in two UTC days.
        let start = midnight(now) + self.dice.below(4) * 30 * MINUTE - HOUR;
        let length = self.one_of(&[30, 30, 30, 45, 90]) * MINUTE;
        let units = if self.dice.one_in(8) { 2 } else { 1 };
        Claim { resource: resource(nth), start, end: start + length, units }
    }

    fn wish(&mut self, now: Millis, holder: Option<UserId>) -> Wish {
        let first = self.claim(now);
        let any_of = match self.dice.below(6) {
            0 => {
                let resource = resource(self.dice.below(RESOURCES));
                vec![vec![first.clone(), Claim { resource, ..first }]]
            }
            1 => vec![vec![first.clone()], vec![self.claim(now)]],
            2 => vec![vec![first.clone(), self.claim(now)]],
            _ => vec![vec![first]],
        };
        Wish { any_of, holder, email: self.dice.one_in(3).then(|| "ann@example.org".into()), meta: None }
    }

    /// A reservation, mostly one that is not over.
    fn pick(&mut self, naive: &Naive) -> (ReservationId, u64, u64, Principal) {
        let live = |found: &&_| {
            let found: &deskbell_core::reservation::Reservation = found;
            !found.state.is_over()
        };
        let all = &naive.reservations;
        let some: Vec<_> =
            if self.dice.one_in(6) { all.iter().collect() } else { all.iter().filter(live).collect() };
        let back = self.dice.below(some.len().min(12) as u64) as usize;
        match some.iter().rev().nth(back) {
            Some(found) => (found.id.clone(), found.fence, found.version, found.holder.clone()),
            None => (ReservationId::derive(1, [9; 16], 1), 1, 1, Principal::Backend),
        }
    }

    fn pick_wait(&mut self, naive: &Naive) -> (WaitId, Principal) {
        let open = |wait: &&deskbell_core::reservation::Wait| {
            matches!(wait.state, WaitState::Waiting | WaitState::Offered)
        };
        let some: Vec<_> = if self.dice.one_in(6) {
            naive.waits.iter().collect()
        } else {
            naive.waits.iter().filter(open).collect()
        };
        let back = self.dice.below(some.len() as u64) as usize;
        match some.get(back) {
            Some(wait) => (wait.id.clone(), wait.principal.clone()),
            None => (WaitId::derive([9; 16], 1), Principal::Backend),
        }
    }

    /// Whose it is, mostly; otherwise anybody.
    fn as_whose(&mut self, holder: &Principal) -> Actor {
        let nth = PEOPLE.iter().position(|name| *holder.to_string() == format!("user:{name}"));
        match nth {
            Some(nth) if !self.dice.one_in(5) => self.actor(nth, true),
            _ if self.dice.one_in(2) => Actor::backend(),
            _ => {
                let nth = self.somebody();
                self.actor(nth, true)
            }
        }
    }

    fn command(&mut self, naive: &Naive, now: Millis) -> Command {
        match self.dice.below(100) {
            0..34 => self.hold(naive, now),
            34..60 => self.about_a_hold(naive),
            60..82 => self.about_a_booking(naive, now),
            82..96 => self.about_a_waitlist(naive, now),
            _ => Command::Due(Due::Departed(Principal::User(user(self.dice.below(6) as usize)))),
        }
    }

    fn hold(&mut self, naive: &Naive, now: Millis) -> Command {
        let (nth, backend) = (self.somebody(), self.dice.one_in(4));
        let holder = (backend && !self.dice.one_in(4)).then(|| user(nth));
        let actor = if backend { Actor::backend() } else { self.actor(nth, !self.made.is_multiple_of(3)) };
        let ttl = self.one_of(&[Ttl::Usual, Ttl::Usual, Ttl::For(4 * SECOND), Ttl::For(HOUR), Ttl::Endless]);
        let replace = self.dice.one_in(6).then(|| self.pick(naive).0);
        Command::Ask { actor, act: Act::Hold { wish: self.wish(now, holder), ttl, replace } }
    }

    fn about_a_hold(&mut self, naive: &Naive) -> Command {
        let (id, fence, _, holder) = self.pick(naive);
        let fence = if self.dice.one_in(16) { fence.saturating_sub(1) } else { fence };
        let external_ref = self.reference();
        let (actor, act) = match self.dice.below(8) {
            0 | 1 => (
                self.as_whose(&holder),
                Act::Extend { id, fence, ttl: self.one_of(&[Ttl::Usual, Ttl::For(HOUR)]) },
            ),
            2..5 => {
                let fence = (!self.dice.one_in(8)).then_some(fence);
                (self.as_whose(&holder), Act::Release { id, fence })
            }
            _ => {
                let actor = if self.dice.one_in(6) { self.as_whose(&holder) } else { Actor::backend() };
                let (email, meta) = (None, None);
                let if_still_free = self.dice.one_in(3);
                (actor, Act::Confirm { id, fence, if_still_free, external_ref, email, meta })
            }
        };
        Command::Ask { actor, act }
    }

    fn reference(&mut self) -> Option<ExternalRef> {
        self.dice.one_in(2).then(|| ExternalRef::parse("row-7").ok()).flatten()
    }

    fn about_a_booking(&mut self, naive: &Naive, now: Millis) -> Command {
        let (id, _, version, _) = self.pick(naive);
        let version = self.dice.one_in(4).then_some(version);
        let external_ref = self.reference();
        let staff = if self.dice.one_in(6) { self.actor(5, false) } else { Actor::backend() };
        let act = match self.dice.below(12) {
            0 | 1 => Act::Book { wish: self.wish(now, Some(user(1))), external_ref },
            2..7 => Act::Step { id, step: self.one_of(&Step::ALL), version },
            7 => Act::Reschedule { id, claims: vec![self.claim(now)], version },
            8 => Act::Link { id, external_ref: ExternalRef::parse("row-8").expect("a word") },
            9 => {
                let wish =
                    Wish { any_of: vec![vec![self.claim(now)]], holder: None, email: None, meta: None };
                Act::Override {
                    wish,
                    reason: "the boss said so".into(),
                    force: self.dice.one_in(2),
                    external_ref,
                }
            }
            10 => {
                let of = |claim: Claim| (claim.resource.clone(), Span { start: claim.start, end: claim.end });
                let spans = (0..self.dice.below(3)).map(|_| of(self.claim(now))).collect();
                let source = SourceName::parse(self.one_of(&["one", "two"])).expect("a word");
                Act::Block { source, as_of: now, spans }
            }
            _ => {
                let nth = self.dice.below(RESOURCES);
                return self.resource(nth, true).command;
            }
        };
        Command::Ask { actor: staff, act }
    }

    fn about_a_waitlist(&mut self, naive: &Naive, now: Millis) -> Command {
        if self.dice.below(3) > 0 {
            let nth = self.somebody();
            return Command::Ask {
                actor: self.actor(nth, true),
                act: Act::Join { wish: self.wish(now, None) },
            };
        }
        let (id, principal) = self.pick_wait(naive);
        let actor = self.as_whose(&principal);
        let act = if self.dice.one_in(2) { Act::Leave { id } } else { Act::Accept { id } };
        Command::Ask { actor, act }
    }
}

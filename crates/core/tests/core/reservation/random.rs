//! Random histories: few people, few times, many collisions, and a clock that moves.

use deskbell_core::calendar::Hours;
use deskbell_core::ids::{ExternalRef, ReservationId, SourceName, WaitId};
use deskbell_core::limits::{HOUR, MINUTE, SECOND};
use deskbell_core::reservation::{
    Act, Claim, Due, Policy, ResourceWish, Span, State, Step, Ttl, WaitState, Waitlist, Wish,
};
use proptest::prelude::*;

use super::naive::padded;
use super::play::{Play, claim, principal, resource, resource_wish, user, wish};

/// One thing that happens. What it is about is chosen from what there is then.
#[derive(Debug, Clone, Copy)]
struct Deed {
    kind: u8,
    who: u8,
    a: u8,
    b: u8,
    c: u8,
    yes: bool,
}

const PEOPLE: [&str; 5] = ["a", "b", "clerk", "chief", "stranger"];
const STEPS: [u64; 7] = [1, SECOND, 59 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR];

fn deed() -> impl Strategy<Value = Deed> {
    let who = prop_oneof![4 => Just(0u8), 4 => Just(1), 2 => Just(2), 1 => Just(3), 1 => Just(4)];
    let kind = prop_oneof![
        10 => Just(0u8),
        20 => 1u8..18,
        6 => Just(18),
        5 => Just(19),
        3 => Just(20),
        1 => Just(21),
    ];
    (kind, who, any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>())
        .prop_map(|(kind, who, a, b, c, yes)| Deed { kind, who, a, b, c, yes })
}

/// Three resources that differ in everything.
fn resources() -> [ResourceWish; 3] {
    let asking = Policy { approval: true, approval_ttl_ms: Some(20 * MINUTE), ..Policy::default() };
    let hasty = Policy {
        hold_ttl_ms: 2 * MINUTE,
        max_life_ms: 5 * MINUTE,
        offer_ttl_ms: 3 * MINUTE,
        reminders_ms: vec![HOUR, 10 * MINUTE],
        unlinked_after_ms: Some(MINUTE),
        ..Policy::default()
    };
    [
        resource_wish(0, 1),
        ResourceWish { after: 5 * MINUTE, policy: hasty, ..resource_wish(1, 2) },
        ResourceWish {
            before: 10 * MINUTE,
            policy: asking,
            provider: Some(user("clerk")),
            ..resource_wish(2, 3)
        },
    ]
}

impl Deed {
    fn name(self) -> &'static str {
        PEOPLE[usize::from(self.who) % PEOPLE.len()]
    }

    fn claim(self, resource: u8, slot: u8) -> Claim {
        let lengths = [15, 15, 30, 45];
        let minute = i64::from(slot % 5) * 15 - 30;
        claim(
            resource % 3,
            minute,
            lengths[usize::from(self.c) % 4],
            1 + u32::from((self.c / 4).is_multiple_of(8)),
        )
    }

    fn wish(self, backend: bool) -> Wish {
        let one = self.claim(self.a, self.b);
        let sets = match self.c / 16 % 6 {
            0 => vec![vec![one, self.claim(self.a / 3 + 1, self.b)]],
            1 => vec![vec![one, self.claim(self.a, self.b / 5 + 1)]],
            2 => vec![vec![one], vec![self.claim(self.a / 3, self.b / 5)]],
            _ => vec![vec![one]],
        };
        let holder = (backend && self.a >= 128).then(|| user("a"));
        Wish { holder, ..wish(sets) }
    }

    /// Somebody's reservation: more often a live one, and among those a late one.
    fn pick(self, play: &Play) -> ReservationId {
        let all = &play.naive.reservations;
        let live: Vec<_> = all.iter().filter(|reservation| !reservation.state.is_over()).collect();
        let some = if self.a < 220 { live } else { all.iter().collect() };
        let nth = usize::from(self.b) % some.len().max(1);
        some.iter()
            .rev()
            .nth(nth)
            .map_or_else(|| ReservationId::derive(0, [9; 16], 1), |found| found.id.clone())
    }

    fn pick_wait(self, play: &Play) -> WaitId {
        let all = &play.naive.waits;
        let open = |wait: &&_| {
            let wait: &deskbell_core::reservation::Wait = wait;
            self.a >= 220 || matches!(wait.state, WaitState::Waiting | WaitState::Offered)
        };
        let some: Vec<_> = all.iter().filter(open).collect();
        let nth = usize::from(self.b) % some.len().max(1);
        some.get(nth).map_or_else(|| WaitId::derive([9; 16], 1), |found| found.id.clone())
    }

    fn done(self, play: &mut Play) {
        let name = self.name();
        let boss = if self.yes { "backend" } else { name };
        match self.kind {
            0..=13 => {
                let (who, act) = self.act(play, name, boss);
                play.ask(who, act);
            }
            14 => drop(play.ask(boss, Act::Join { wish: self.wish(self.yes) })),
            15 => drop(play.ask(boss, Act::Leave { id: self.pick_wait(play) })),
            16 => drop(play.ask(boss, Act::Accept { id: self.pick_wait(play) })),
            17 => drop(play.due(self.time(play, name))),
            18 => play.now += STEPS[usize::from(self.a) % STEPS.len()],
            19 => play.wait(STEPS[usize::from(self.a) % STEPS.len()]),
            20 => play.commit(),
            _ => play.crash(),
        }
    }

    fn time(self, play: &Play, name: &str) -> Due {
        match self.c % 4 {
            0 => Due::Departed(principal(name)),
            1 | 2 => Due::Restarted(self.pick(play)),
            _ => Due::Reservation(self.pick(play)),
        }
    }

    fn act<'a>(self, play: &Play, name: &'a str, boss: &'a str) -> (&'a str, Act) {
        let id = self.pick(play);
        let picked = play.naive.reservation(&id);
        let fence = picked.map_or(1, |picked| picked.fence) + u64::from(self.c.is_multiple_of(32));
        let version = (self.c.is_multiple_of(4))
            .then(|| picked.map_or(1, |picked| picked.version) + u64::from(self.c.is_multiple_of(8)));
        let external_ref = (self.c.is_multiple_of(2)).then(|| ExternalRef::parse("row-7").unwrap());
        match self.kind {
            0..=2 => {
                let ttls =
                    [Ttl::Usual, Ttl::For(MINUTE), Ttl::For(HOUR), Ttl::Usual, Ttl::For(1), Ttl::Endless];
                let ttl = ttls[usize::from(self.c) % ttls.len()];
                let replace = (self.kind == 2).then_some(id);
                (boss, Act::Hold { wish: self.wish(boss == "backend"), ttl, replace })
            }
            3 => {
                (name, Act::Extend { id, fence, ttl: [Ttl::Usual, Ttl::For(HOUR)][usize::from(self.c) % 2] })
            }
            4 | 5 => (name, Act::Release { id, fence: (self.c % 8 != 1).then_some(fence) }),
            6 | 7 => {
                let (email, meta) = (Some("a@example.org".into()), None);
                (boss, Act::Confirm { id, fence, if_still_free: self.kind == 7, external_ref, email, meta })
            }
            8 => (boss, Act::Book { wish: self.wish(self.yes), external_ref }),
            9 => (boss, Act::Step { id, step: Step::ALL[usize::from(self.c) % 6], version }),
            10 => (boss, Act::Reschedule { id, claims: vec![self.claim(self.a, self.c)], version }),
            11 => {
                let (wish, reason, force) = (self.wish(false), "why".into(), self.c.is_multiple_of(2));
                let wish = Wish { any_of: wish.any_of[..1].to_vec(), ..wish };
                (if self.yes { "chief" } else { boss }, Act::Override { wish, reason, force, external_ref })
            }
            12 => {
                let span = self.claim(self.a, self.b).span();
                let spans = [
                    (resource(self.a % 3), span),
                    (resource(self.c % 3), Span { end: span.end + MINUTE, ..span }),
                ];
                let source = SourceName::parse(["one", "two"][usize::from(self.yes)]).unwrap();
                (
                    boss,
                    Act::Block {
                        source,
                        as_of: u64::from(self.c),
                        spans: spans[..usize::from(self.b % 3)].to_vec(),
                    },
                )
            }
            _ => self.other(boss, id),
        }
    }

    fn other(self, boss: &str, id: ReservationId) -> (&str, Act) {
        if self.c.is_multiple_of(2) {
            return (boss, Act::Link { id, external_ref: ExternalRef::parse("row-8").unwrap() });
        }
        let mut resource = resources()[usize::from(self.a) % 3].clone();
        resource.capacity = u32::from(self.b % 4);
        resource.after = u64::from(self.c / 16 % 3) * 5 * MINUTE;
        if (self.c / 8).is_multiple_of(4) {
            let hours = r#"{"weekly":[{"day":"fri","from":"20:00","to":"23:50"},{"day":"sat","from":"00:05","to":"20:00"}]}"#;
            resource.hours = Hours::from_json(hours).unwrap();
        }
        resource.policy.pending_claims = (self.c / 2).is_multiple_of(2);
        let waitlists = [Waitlist::Offer, Waitlist::Offer, Waitlist::Off, Waitlist::Open];
        resource.policy.waitlist = waitlists[usize::from(self.b / 4) % 4];
        ("backend", Act::PutResource(Box::new(resource)))
    }
}

fn cases() -> u32 {
    if std::env::var_os("DESKBELL_TEST_FULL").is_some() { 10_000 } else { 400 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever happens in whatever order, the rules do what the naive reference does, the same with a slice that
    /// is kept and with one that is dropped, and every property holds after each step.
    #[test]
    fn the_rules_do_what_the_words_say(deeds in proptest::collection::vec(deed(), 1..70)) {
        let mut play = Play::new(&resources());
        for deed in deeds {
            deed.done(&mut play);
        }
        play.commit();
    }

    /// After everything has run out or was let go of, everything is free again.
    #[test]
    fn no_ghost_stays_behind(deeds in proptest::collection::vec(deed(), 1..40)) {
        let mut play = Play::new(&resources());
        for deed in deeds {
            deed.done(&mut play);
        }
        for _ in 0..200 {
            let mut all = play.naive.reservations.iter();
            let Some(live) = all.rfind(|r| !r.state.is_over() && r.block.is_none()).cloned() else { break };
            match live.state {
                State::Held => drop(play.ask("backend", Act::Release { id: live.id, fence: None })),
                _ => drop(play.ask("backend", Act::Step { id: live.id, step: Step::Cancel, version: None })),
            }
        }
        play.timers();
        let left = play.naive.reservations.iter().filter(|r| !r.state.is_over() && r.block.is_none());
        let left: Vec<_> = left.flat_map(|r| r.claims.iter().map(padded)).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}

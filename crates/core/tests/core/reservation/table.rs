//! Every state of a reservation and everything that can be asked of it, as one table.

use deskbell_core::ids::{ExternalRef, ReservationId};
use deskbell_core::limits::{HOUR, MINUTE};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Act, Due, Policy, ResourceWish, State, Step, Ttl};

use super::play::{Play, claim, resource_wish, wish};

/// What can be asked of a reservation.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Extend,
    Release,
    Confirm,
    ConfirmLate,
    Take(Step),
    Reschedule,
    Link,
    Replace,
    Time,
    Restart,
}

const ASKED: [Asked; 15] = [
    Asked::Extend,
    Asked::Release,
    Asked::Confirm,
    Asked::ConfirmLate,
    Asked::Take(Step::Approve),
    Asked::Take(Step::Decline),
    Asked::Take(Step::Start),
    Asked::Take(Step::Complete),
    Asked::Take(Step::Cancel),
    Asked::Take(Step::NoShow),
    Asked::Reschedule,
    Asked::Link,
    Asked::Replace,
    Asked::Time,
    Asked::Restart,
];

/// A row: the state, and what comes of each of `ASKED`: the new state, `=` for no change, or the refusal.
const TABLE: [(State, [&str; 15]); 10] = [
    (
        State::Held,
        [
            "held",
            "released",
            "booked",
            "booked",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "held",
            "released",
            "=",
            "=",
        ],
    ),
    (
        State::Pending,
        [
            "bad_state",
            "bad_state",
            "=",
            "=",
            "booked",
            "declined",
            "bad_state",
            "bad_state",
            "cancelled",
            "bad_state",
            "bad_state",
            "pending",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Booked,
        [
            "bad_state",
            "bad_state",
            "=",
            "=",
            "=",
            "bad_state",
            "active",
            "bad_state",
            "cancelled",
            "no_show",
            "booked",
            "booked",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Active,
        [
            "bad_state",
            "bad_state",
            "=",
            "=",
            "bad_state",
            "bad_state",
            "=",
            "completed",
            "cancelled",
            "bad_state",
            "bad_state",
            "active",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Completed,
        [
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "=",
            "bad_state",
            "bad_state",
            "bad_state",
            "completed",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Released,
        [
            "bad_state",
            "=",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "released",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Expired,
        [
            "hold_expired",
            "=",
            "hold_expired",
            "booked",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "expired",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Declined,
        [
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "=",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "declined",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::Cancelled,
        [
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "=",
            "bad_state",
            "bad_state",
            "cancelled",
            "hold_expired",
            "=",
            "=",
        ],
    ),
    (
        State::NoShow,
        [
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "bad_state",
            "=",
            "bad_state",
            "no_show",
            "hold_expired",
            "=",
            "=",
        ],
    ),
];

/// A ledger with one reservation in this state: on `r0`, where what is pending waits on `r1`.
fn in_state(state: State) -> (Play, ReservationId) {
    let asking = Policy { approval: true, ..Policy::default() };
    let mut play = Play::new(&[resource_wish(0, 1), ResourceWish { policy: asking, ..resource_wish(1, 1) }]);
    let nth = u8::from(matches!(state, State::Pending | State::Declined));
    let ask = Act::Hold { wish: wish(vec![vec![claim(nth, 0, 30, 1)]]), ttl: Ttl::Usual, replace: None };
    let hold = play.ask("a", ask).reservation();
    let (id, fence) = (hold.id.clone(), hold.fence);
    match state {
        State::Held => {}
        State::Released => drop(play.ask("a", Act::Release { id: id.clone(), fence: Some(fence) })),
        State::Expired => play.wait(HOUR),
        _ => drop(play.ask("backend", confirm(&id, fence, false))),
    }
    let steps: &[Step] = match state {
        State::Active => &[Step::Start],
        State::Completed => &[Step::Start, Step::Complete],
        State::Declined => &[Step::Decline],
        State::Cancelled => &[Step::Cancel],
        State::NoShow => &[Step::NoShow],
        _ => &[],
    };
    for step in steps {
        play.ask("backend", Act::Step { id: id.clone(), step: *step, version: None }).reply();
    }
    assert_eq!(play.reservation(&id).state, state);
    (play, id)
}

fn confirm(id: &ReservationId, fence: u64, if_still_free: bool) -> Act {
    Act::Confirm { id: id.clone(), fence, if_still_free, external_ref: None, email: None, meta: None }
}

/// What comes of it, in the words of the table.
fn outcome(state: State, asked: Asked) -> String {
    let (mut play, id) = in_state(state);
    let fence = play.reservation(&id).fence;
    let heard = match asked {
        Asked::Extend => {
            play.now += MINUTE * u64::from(state == State::Held);
            play.ask("a", Act::Extend { id: id.clone(), fence, ttl: Ttl::Usual })
        }
        Asked::Release => play.ask("a", Act::Release { id: id.clone(), fence: Some(fence) }),
        Asked::Confirm => play.ask("backend", confirm(&id, fence, false)),
        Asked::ConfirmLate => play.ask("backend", confirm(&id, fence, true)),
        Asked::Take(step) => play.ask("backend", Act::Step { id: id.clone(), step, version: None }),
        Asked::Reschedule => {
            let claims = vec![claim(0, 15, 30, 1)];
            play.ask("backend", Act::Reschedule { id: id.clone(), claims, version: None })
        }
        Asked::Link => {
            let external_ref = ExternalRef::parse("row-7").unwrap();
            play.ask("backend", Act::Link { id: id.clone(), external_ref })
        }
        Asked::Replace => {
            let (wish, replace) = (wish(vec![vec![claim(0, 60, 30, 1)]]), Some(id.clone()));
            play.ask("a", Act::Hold { wish, ttl: Ttl::Usual, replace })
        }
        Asked::Time => play.due(Due::Reservation(id.clone())),
        Asked::Restart => play.due(Due::Restarted(id.clone())),
    };
    match (&heard, heard.code()) {
        (_, Some(code)) => code.as_str().to_owned(),
        (super::play::Heard::Same(_), _) => "=".to_owned(),
        _ => play.reservation(&id).state.as_str().to_owned(),
    }
}

#[test]
fn every_state_answers_every_question_as_the_table_says() {
    assert_eq!(TABLE.map(|(state, _)| state).map(State::as_str).len(), State::ALL.len());
    let mut wrong = Vec::new();
    for (state, row) in TABLE {
        for (asked, expected) in ASKED.into_iter().zip(row) {
            let found = outcome(state, asked);
            if found != expected {
                wrong.push(format!("{} × {asked:?}: {found}, and should be {expected}", state.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn blocks_are_no_booking() {
    use deskbell_core::ids::SourceName;
    let mut play = Play::new(&[resource_wish(0, 1)]);
    let source = SourceName::parse("feed").unwrap();
    let block = Act::Block { source, as_of: 1, spans: Vec::new() };
    let set = play.ask("backend", block).reservation();
    for step in Step::ALL {
        let heard = play.ask("backend", Act::Step { id: set.id.clone(), step, version: None });
        assert_eq!(heard.code().map(Code::as_str), Some("bad_state"), "{step:?}");
    }
    let fence = Some(set.fence);
    let heard = play.ask("stranger", Act::Release { id: set.id.clone(), fence });
    assert_eq!(heard.code().map(Code::as_str), Some("not_holder"), "an empty set is nobody's");
}

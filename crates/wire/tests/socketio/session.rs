//! The rules of a session, each with the stall or the leak that it prevents.

use deskbell_wire::engineio::asked::Transport;
use deskbell_wire::engineio::packet::Packet;
use deskbell_wire::engineio::{Due, Ending, Get, Over, Session, Step, Timing};
use proptest::prelude::*;

const TIMING: Timing = Timing { ping_interval: 300, ping_timeout: 200, upgrade_timeout: 1_000 };
const PROBE: Packet<'_> = Packet::Ping("probe");
const PONG: Packet<'_> = Packet::Pong("");

fn polling() -> Session {
    Session::new(Transport::Polling, TIMING, 0)
}

#[test]
fn the_first_ping_comes_after_one_interval() {
    let mut session = Session::new(Transport::WebSocket, TIMING, 1_000);
    assert_eq!(session.due(1_000), Due::Until(1_300));
    assert_eq!(session.due(1_299), Due::Until(1_300));
    assert_eq!(session.due(1_300), Due::Ping);
    assert_eq!(session.due(1_300), Due::Until(1_500));
    assert_eq!(session.heard(&PONG, 1_310), Ok(Step::Nothing));
    // The next comes an interval after the answer, not after the question.
    assert_eq!(session.due(1_609), Due::Until(1_610));
    assert_eq!(session.due(1_610), Due::Ping);
}

#[test]
fn who_does_not_answer_a_ping_is_gone() {
    let mut session = polling();
    assert_eq!(session.due(300), Due::Ping);
    assert_eq!(session.due(499), Due::Until(500));
    assert_eq!(session.due(500), Due::End(Ending::PingTimeout));
    assert!(session.is_over());
    assert_eq!(session.get(true), Err(Over::Ended(Ending::TransportClose)));
    assert_eq!(session.post(), Err(Over::Ended(Ending::TransportClose)));
    assert_eq!(session.heard(&Packet::Message(""), 501), Err(Ending::TransportClose));
}

#[test]
fn a_pong_that_nobody_asked_for_puts_nothing_off() {
    let mut session = polling();
    for now in (0..300).step_by(50) {
        assert_eq!(session.heard(&PONG, now), Ok(Step::Nothing));
    }
    assert_eq!(session.due(300), Due::Ping);
}

#[test]
fn a_client_does_not_ping_the_server() {
    for packet in [Packet::Ping(""), PROBE, Packet::Open("{}"), Packet::Upgrade, Packet::Noop] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let mut session = Session::new(transport, TIMING, 0);
            assert_eq!(session.heard(&packet, 1), Err(Ending::TransportError), "{packet:?}");
            assert!(session.is_over());
        }
    }
}

#[test]
fn a_second_get_ends_the_session() {
    let mut session = polling();
    assert_eq!(session.get(false), Ok(Get::Wait));
    assert_eq!(session.get(true), Err(Over::Ended(Ending::TransportError)));
    assert!(session.is_over());
}

#[test]
fn one_get_after_the_other_is_the_usual_way() {
    let mut session = polling();
    assert_eq!(session.get(true), Ok(Get::Answer));
    assert!(!session.may_send());
    assert_eq!(session.get(false), Ok(Get::Wait));
    assert!(session.may_send());
    session.answered();
    assert!(!session.may_send());
    assert_eq!(session.get(false), Ok(Get::Wait));
}

#[test]
fn a_second_post_ends_the_session() {
    let mut session = polling();
    assert_eq!(session.post(), Ok(()));
    session.posted();
    assert_eq!(session.post(), Ok(()));
    assert_eq!(session.post(), Err(Over::Ended(Ending::TransportError)));
}

#[test]
fn a_cancelled_get_ends_the_session() {
    let mut session = polling();
    assert_eq!(session.aborted(), None);
    assert_eq!(session.get(false), Ok(Get::Wait));
    assert_eq!(session.aborted(), Some(Ending::TransportClose));
    assert!(session.is_over());
}

#[test]
fn every_get_is_answered_while_a_client_changes_to_a_websocket() {
    let mut session = polling();
    assert_eq!(session.get(false), Ok(Get::Wait));
    assert!(session.try_websocket(10));
    // An open WebSocket alone changes nothing.
    assert!(session.may_send());
    assert_eq!(session.tried(&PROBE, 20), Step::Probe);
    session.answered();
    for queued in [false, true, false, true] {
        assert_eq!(session.get(queued), Ok(Get::Noop));
        assert!(!session.may_send(), "what waits is for the WebSocket");
    }
    assert_eq!(session.post(), Ok(()), "what was on its way still comes in");
    assert_eq!(session.heard(&Packet::Message("late"), 25), Ok(Step::Message));
    session.posted();
    assert_eq!(session.tried(&Packet::Upgrade, 30), Step::Upgraded);
    assert_eq!(session.transport(), Transport::WebSocket);
    assert!(session.may_send());
}

#[test]
fn after_the_change_nothing_else_names_the_session() {
    let mut session = polling();
    assert!(session.try_websocket(0));
    session.tried(&PROBE, 0);
    session.tried(&Packet::Upgrade, 0);
    assert_eq!(session.get(true), Err(Over::Refused));
    assert_eq!(session.post(), Err(Over::Refused));
    assert!(!session.try_websocket(1));
    assert!(!session.is_over(), "the WebSocket that it has goes on");
    assert!(!Session::new(Transport::WebSocket, TIMING, 0).try_websocket(0));
}

#[test]
fn a_second_websocket_waits_for_nobody() {
    let mut session = polling();
    assert!(session.try_websocket(0));
    assert!(!session.try_websocket(0));
    session.abandon(5);
    assert!(session.try_websocket(6));
}

/// Begun and never finished, an upgrade once kept its session for ever elsewhere.
#[test]
fn a_trial_ends_in_time_and_the_session_polls_on() {
    let mut session = polling();
    assert!(session.try_websocket(100));
    assert_eq!(session.tried(&PROBE, 110), Step::Probe);
    assert_eq!(session.due(110), Due::Until(1_100));
    assert_eq!(session.due(1_100), Due::Abandon);
    assert_eq!(session.transport(), Transport::Polling);
    assert_eq!(session.get(false), Ok(Get::Wait));
    assert_eq!(session.tried(&Packet::Upgrade, 1_101), Step::Abandon);
    assert!(!session.is_over());
}

#[test]
fn the_heartbeat_stands_still_while_a_websocket_is_tried() {
    let mut session = polling();
    assert!(session.try_websocket(250));
    session.tried(&PROBE, 260);
    assert_eq!(session.due(600), Due::Until(1_250));
    session.tried(&Packet::Upgrade, 650);
    // 250 of 300 had passed, 400 did not count.
    assert_eq!(session.due(699), Due::Until(700));
    assert_eq!(session.due(700), Due::Ping);

    let mut session = polling();
    assert_eq!(session.due(300), Due::Ping);
    assert!(session.try_websocket(400));
    session.abandon(900);
    assert_eq!(session.due(999), Due::Until(1_000));
    assert_eq!(session.due(1_000), Due::End(Ending::PingTimeout));
}

#[test]
fn only_a_probe_and_then_an_upgrade_change_the_transport() {
    for packet in [
        Packet::Upgrade,
        Packet::Ping(""),
        PONG,
        Packet::Message("x"),
        Packet::Close,
        Packet::Noop,
        Packet::Open(""),
    ] {
        let mut session = polling();
        assert!(session.try_websocket(0));
        assert_eq!(session.tried(&packet, 1), Step::Abandon, "{packet:?}");
        assert_eq!((session.transport(), session.is_over()), (Transport::Polling, false));
    }
}

#[test]
fn a_client_that_says_so_is_gone() {
    let mut session = polling();
    assert_eq!(session.heard(&Packet::Close, 0), Err(Ending::TransportClose));
    assert!(session.is_over());
    assert_eq!(session.due(0), Due::End(Ending::TransportClose));
}

#[test]
fn who_may_come_back() {
    for (ending, word, recoverable) in [
        (Ending::TransportClose, "transport close", true),
        (Ending::TransportError, "transport error", true),
        (Ending::PingTimeout, "ping timeout", true),
        (Ending::ParseError, "parse error", false),
    ] {
        assert_eq!((ending.as_str(), ending.is_recoverable()), (word, recoverable));
    }
}

/// What can happen to a session.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Time(u64),
    Get(bool),
    Answered,
    Aborted,
    Post,
    Posted,
    Heard(usize),
    WebSocket,
    Tried(usize),
    Lost,
}

const PACKETS: [Packet<'static>; 8] = [
    PROBE,
    Packet::Upgrade,
    PONG,
    Packet::Message("x"),
    Packet::Ping(""),
    Packet::Close,
    Packet::Noop,
    Packet::Pong("probe"),
];

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..400_u64).prop_map(Happens::Time),
        3 => any::<bool>().prop_map(Happens::Get),
        2 => Just(Happens::Answered),
        1 => Just(Happens::Aborted),
        2 => Just(Happens::Post),
        2 => Just(Happens::Posted),
        2 => (2..4_usize).prop_map(Happens::Heard),
        1 => (0..8_usize).prop_map(Happens::Heard),
        3 => Just(Happens::WebSocket),
        4 => (0..2_usize).prop_map(Happens::Tried),
        1 => (0..8_usize).prop_map(Happens::Tried),
        1 => Just(Happens::Lost),
    ]
}

proptest! {
    /// Whatever happens in whatever order: what is over stays over, what has changed does not change back, a
    /// request gets a noop exactly while a probe is answered, and there is always a next moment to look at it.
    #[test]
    fn a_session_keeps_its_rules(list in prop::collection::vec(happens(), 0..60)) {
        let mut session = polling();
        let (mut now, mut probed, mut trying) = (0, false, false);
        for happens in list {
            let (was_over, was) = (session.is_over(), session.transport());
            match happens {
                Happens::Time(passed) => now += passed,
                Happens::Get(queued) => match session.get(queued) {
                    Ok(get) => prop_assert_eq!(get == Get::Noop, probed),
                    Err(Over::Refused) => prop_assert_eq!(was, Transport::WebSocket),
                    Err(Over::Ended(_)) => prop_assert!(session.is_over()),
                },
                Happens::Answered => session.answered(),
                Happens::Aborted => prop_assert!(session.aborted().is_none() || session.is_over()),
                Happens::Post => drop(session.post()),
                Happens::Posted => session.posted(),
                Happens::Heard(packet) => drop(session.heard(&PACKETS[packet], now)),
                Happens::WebSocket => {
                    let taken = session.try_websocket(now);
                    prop_assert_eq!(taken, !was_over && was == Transport::Polling && !trying);
                    trying |= taken;
                }
                Happens::Tried(packet) => {
                    let step = session.tried(&PACKETS[packet], now);
                    prop_assert_eq!(step == Step::Upgraded, trying && probed && packet == 1 && !was_over);
                    prop_assert_eq!(step == Step::Probe, trying && packet == 0 && !was_over);
                    (trying, probed) = (step == Step::Probe, step == Step::Probe);
                }
                Happens::Lost => {
                    session.abandon(now);
                    (trying, probed) = (false, false);
                }
            }
            match session.due(now) {
                Due::Until(at) => prop_assert!(at > now && at <= now + 1_000 + 300),
                Due::Abandon => (trying, probed) = (false, false),
                Due::End(_) => prop_assert!(session.is_over()),
                Due::Ping => prop_assert!(!trying),
            }
            prop_assert!(!was_over || session.is_over());
            prop_assert!(was == Transport::Polling || session.is_over() || session.transport() == was);
            prop_assert!(!session.may_send() || !probed);
            if session.is_over() {
                (trying, probed) = (false, false);
            }
        }
    }
}

/// However a client tries and fails to change its transport, silence ends its session.
#[test]
fn who_only_opens_websockets_does_not_live_for_ever() {
    let mut session = polling();
    let (mut now, mut stood) = (0, 0);
    loop {
        assert!(now - stood <= 300 + 200, "silent for {} ms", now - stood);
        match session.due(now) {
            Due::End(ending) => {
                assert_eq!(ending, Ending::PingTimeout);
                break;
            }
            Due::Ping => {}
            Due::Abandon | Due::Until(_) => {
                // It tries again every 10 ms, and gives up after 90 of them.
                now += 10;
                if session.try_websocket(now) {
                    now += 90;
                    stood += 90;
                    session.abandon(now);
                }
            }
        }
    }
}

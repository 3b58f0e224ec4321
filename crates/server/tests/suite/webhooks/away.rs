//! An endpoint that fails for five minutes, whichever way: what it gets afterwards, and what it does not.

use std::net::{SocketAddr, TcpListener};

use deskbell_core::limits::{MINUTE, SECOND};
use serde_json::Value;

use super::*;

/// How an endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// It answers 500.
    Error,
    /// It does not answer.
    Silence,
    /// Nobody listens there.
    Gone,
}

impl Failing {
    const ALL: [Self; 3] = [Self::Error, Self::Silence, Self::Gone];

    const fn trouble(self) -> &'static str {
        match self {
            Self::Error => "it answered 500",
            Self::Silence => "it did not answer in time",
            Self::Gone => "no connection could be made",
        }
    }
}

/// An endpoint that fails.
struct Away {
    world: World,
    failing: Failing,
    address: SocketAddr,
    /// When it began to fail, on the server's clock.
    since: Millis,
}

impl Away {
    fn start(failing: Failing, patience: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let more = format!(
            "timeout = \"150ms\"\nfirst_wait = \"50ms\"\nlongest_wait = \"200ms\"\npatience = \"{patience}\"\n"
        );
        let server = Server::start(Start::with(&config(&format!("http://{address}/hook"), &more)).on_file());
        assert_eq!(server.api("PUT", "/v1/resources/room", Some(&json!({"capacity": 9}))).status, 200);
        let receiver = if failing == Failing::Gone { Receiver::start() } else { Receiver::start_at(address) };
        receiver.say(if failing == Failing::Error { Say::Status(500, "") } else { Say::Nothing });
        let since = in_seconds(0) as Millis * SECOND;
        Self { world: World { server, receiver }, failing, address, since }
    }

    /// So many minutes after it began to fail the server goes on, and tries again.
    fn goes_on_after(mut self, minutes: u64) -> Self {
        self.world.server.stop();
        self.world.receiver.pending();
        pass(&self.world.server.data, self.since + minutes * MINUTE);
        self.world.server = self.world.server.restarted();
        self
    }

    /// What it is sent now, so many minutes after it began to fail.
    fn attempts(&self, minutes: u64) -> Vec<Received> {
        let (failing, receiver) = (self.failing, &self.world.receiver);
        eventually("the trouble is seen", || self.world.state()["trouble"] == failing.trouble());
        if failing == Failing::Gone {
            return Vec::new();
        }
        let least = (self.since + minutes * MINUTE) / SECOND;
        // What the process before it sent at last may be looked at only now.
        let first = std::iter::repeat_with(|| receiver.next()).take(50).find(|got| got.stamp() >= least);
        let fresh = first.unwrap_or_else(|| panic!("{failing:?}: no fresh stamp after {minutes} minutes"));
        let attempts = vec![fresh, receiver.next(), receiver.next()];
        for got in &attempts {
            assert!(got.is_signed_with(KEY) && got.stamp() >= least, "{failing:?} after {minutes} minutes");
        }
        attempts
    }

    /// It works again.
    fn comes_back(&mut self) {
        if self.failing == Failing::Gone {
            self.world.receiver = Receiver::start_at(self.address);
        }
        self.world.receiver.say(Say::Status(200, ""));
    }

    /// The kinds of so many events that it takes, of one booking, each signed for a moment behind this many minutes.
    fn takes(&self, about: &str, count: usize, minutes: u64) -> Vec<Value> {
        let mut kinds = Vec::new();
        while kinds.len() < count {
            let taken = self.world.receiver.next_taken();
            assert!(taken.is_signed_with(KEY), "{:?}", self.failing);
            assert!(taken.stamp() >= (self.since + minutes * MINUTE) / SECOND, "{:?}", self.failing);
            if taken.about() == about {
                kinds.push(taken.json()["type"].clone());
            }
        }
        kinds
    }
}

#[test]
fn after_five_minutes_of_failure_everything_arrives_in_order_and_freshly_signed() {
    for failing in Failing::ALL {
        let mut away = Away::start(failing, "1h");
        let id = away.world.book();
        away.world.step(&id, "start");
        away.world.step(&id, "complete");
        let mut ids: Vec<String> = Vec::new();
        for minutes in 1..=5 {
            away = away.goes_on_after(minutes);
            for got in away.attempts(minutes) {
                assert_eq!(got.json()["type"], "booking.confirmed", "{failing:?}: later ones wait");
                ids.push(got.id().to_owned());
            }
        }
        ids.dedup();
        assert!(ids.len() <= 1, "{failing:?}: always the same id, not {ids:?}");
        assert_eq!(away.world.state()["dead"], 0);
        away.comes_back();
        assert_eq!(away.takes(&id, 3, 5), ["booking.confirmed", "booking.started", "booking.completed"]);
        eventually("all of it has arrived", || away.world.state()["open"] == 0);
    }
}

#[test]
fn what_fails_beyond_the_patience_is_a_dead_letter_that_is_seen_and_resent_by_command() {
    for failing in Failing::ALL {
        let mut away = Away::start(failing, "5m");
        let id = away.world.book();
        away.attempts(0);
        away = away.goes_on_after(4);
        away.attempts(4);
        assert_eq!(away.world.state()["dead"], 0, "{failing:?}: not before its time");
        away = away.goes_on_after(6);
        eventually("it is dead", || away.world.state()["dead"] == 1);
        let printed = away.world.command(&["dead", "shop"]);
        assert!(printed.contains(&format!("booking.confirmed booking:{id}")), "{failing:?}: {printed}");
        assert!(printed.contains(&format!("why=\"{}\"", failing.trouble())), "{failing:?}: {printed}");
        // What comes behind it does not wait for it any more.
        away.comes_back();
        away.world.step(&id, "start");
        assert_eq!(away.takes(&id, 1, 6), ["booking.started"]);
        assert!(away.world.command(&["resend", "shop"]).starts_with("1 "));
        assert_eq!(away.takes(&id, 1, 6), ["booking.confirmed"]);
        eventually("nothing is left", || away.world.state()["dead"] == 0);
        assert_eq!(away.world.command(&["dead", "shop"]), "no dead letters\n");
    }
}

//! What those are told who poll: the newest updates, each with a time of its own, and where each poller stands.

use std::collections::VecDeque;

use deskbell_core::limits::{self, Millis};
use deskbell_core::pollers::{Begun, Pollers};
use deskbell_core::stamps::Stamps;
use deskbell_wire::appointease::poll::{Update, What};

/// The newest updates of one app.
#[derive(Debug)]
pub struct Updates {
    stamps: Stamps,
    kept: VecDeque<(Update, Option<String>)>,
    pollers: Pollers,
}

impl Updates {
    /// None yet. Stamps follow the clock, which never goes back, so none of a run before is given again.
    pub fn new(now: Millis) -> Self {
        Self { stamps: Stamps::begin(now), kept: VecDeque::new(), pollers: Pollers::since(now) }
    }

    /// Something happened; where it is about a person's appointment, to that person alone. Gives its stamp.
    pub fn add(&mut self, id: String, what: What, person: Option<String>, now: Millis) -> Millis {
        let at = self.stamps.next(now);
        self.kept.push_back((Update { id, at, what }, person));
        while self.kept.len() > limits::POLL_UPDATES
            || self.kept.front().is_some_and(|(first, _)| first.at + limits::POLL_UPDATES_AGE <= now)
        {
            self.kept.pop_front();
        }
        at
    }

    /// Somebody asks.
    pub fn begin(&mut self, who: &str, asked: Option<Millis>, now: Millis) -> Begun {
        self.pollers.begin(who, asked, self.stamps.last(), now)
    }

    /// What somebody is told who stands behind this stamp, and the stamp to come back with. Nothing, where a newer
    /// question of the same poller has come.
    pub fn since(&self, who: &str, begun: Begun, person: Option<&str>) -> Option<(Vec<Update>, Millis)> {
        self.pollers.is_newest(who, begun.turn).then(|| {
            let mine = |of: &Option<String>| {
                let own = |of: &String| person.is_some_and(|person| person.eq_ignore_ascii_case(of));
                of.as_ref().is_none_or(own)
            };
            let new = self.kept.iter().filter(|(update, of)| update.at > begun.after && mine(of));
            let upto = self.stamps.last().max(begun.after);
            (new.map(|(update, _)| update.clone()).collect(), upto)
        })
    }

    /// The question was answered with everything up to a stamp.
    pub fn answered(&mut self, who: &str, turn: u64, upto: Millis) {
        self.pollers.answered(who, turn, upto);
    }

    /// Whoever asked under one name may come under another one from now on.
    pub fn renamed(&mut self, who: &str, other: &str) {
        self.pollers.renamed(who, other);
    }

    /// The stamp of the newest update.
    pub fn last(&self) -> Millis {
        self.stamps.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskbell_wire::appointease::{Day, Employee, Slot};

    fn slot() -> Slot {
        let day = Day { date: "2025-11-03".into(), employee: Employee::of_id("1") };
        Slot { day, time: "10:00".into() }
    }

    #[test]
    fn a_persons_updates_are_that_persons_alone() {
        let mut updates = Updates::new(100);
        let begun = updates.begin("x", Some(0), 100);
        updates.add("1".to_owned(), What::Processing(slot()), None, 100);
        let own = What::Appointment("appointment.created".to_owned(), "{}".to_owned());
        updates.add("2".to_owned(), own, Some("ann@b.c".to_owned()), 100);
        let told = |person| {
            let (told, upto) = updates.since("x", begun, person).unwrap();
            (told.into_iter().map(|update| update.id).collect::<Vec<_>>(), upto)
        };
        assert_eq!(told(None), (vec!["1".to_owned()], 102));
        assert_eq!(told(Some("bob@b.c")).0, ["1"]);
        assert_eq!(told(Some("Ann@b.c")).0, ["1", "2"]);
    }

    #[test]
    fn only_the_newest_are_kept_and_only_for_a_while() {
        let mut updates = Updates::new(0);
        for nth in 0..limits::POLL_UPDATES + 10 {
            updates.add(nth.to_string(), What::Available(slot()), None, 1_000);
        }
        assert_eq!(updates.kept.len(), limits::POLL_UPDATES);
        updates.add("late".to_owned(), What::Available(slot()), None, 2_000 + limits::POLL_UPDATES_AGE);
        assert_eq!(updates.kept.len(), 1);
    }
}

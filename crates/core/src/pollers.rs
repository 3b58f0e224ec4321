//! Where whoever polls with a time stands.
//!
//! Some clients give back the time that the last answer named; to them nothing is told twice and nothing is left
//! out. Others send their own clock's time, which says nothing of what they have. For those it is remembered for a
//! while how far they were told, and what one answer held the next one holds again, because nobody knows whether it
//! arrived. Positions are stamps (see [`crate::stamps`]).

use std::collections::{BTreeMap, HashMap};

use crate::limits::{self, Millis};

/// Everybody who polled lately.
#[derive(Debug, Default)]
pub struct Pollers {
    known: HashMap<Box<str>, Poller>,
    /// When each was here last, with its turn: who was away longest stands first.
    order: BTreeMap<(Millis, u64), Box<str>>,
    turns: u64,
    /// When the server started, which has forgotten everybody.
    started: Option<Millis>,
}

/// One of them.
#[derive(Debug, Clone)]
struct Poller {
    /// Its newest question.
    asked: Option<Millis>,
    /// From where the newest question is told.
    from: Millis,
    /// From where the next one is, if it says nothing of what arrived.
    next: Millis,
    /// The time that the newest answer named.
    given: Millis,
    /// The newest question was answered.
    told: bool,
    /// It has given such a time back before: its times are ours.
    returns: bool,
    seen: (Millis, u64),
}

/// From where to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Everything behind this stamp is to be told.
    pub after: Millis,
    /// The number of this question. An older one of the same poller is to be answered at once, with nothing.
    pub turn: u64,
}

impl Begun {
    /// The same for whoever is known by its address alone. Several may be behind it and take each other's turns, so one
    /// that sends its own clock is told again what is young.
    ///
    /// ```
    /// use deskbell_core::pollers::Begun;
    /// let begun = Begun { after: 95_000, turn: 1 };
    /// assert_eq!(begun.of_many(Some(100_100), 95_000, 100_000).after, 70_000);
    /// assert_eq!(begun.of_many(Some(95_000), 95_000, 100_000).after, 95_000, "it says what it has");
    /// ```
    #[must_use]
    pub fn of_many(self, asked: Option<Millis>, head: Millis, now: Millis) -> Self {
        let has_own_clock = asked.is_some_and(|asked| asked > head);
        let young = now.saturating_sub(limits::POLL_YOUNG);
        Self { after: if has_own_clock { self.after.min(young) } else { self.after }, ..self }
    }
}

impl Pollers {
    /// After a start, at this stamp. Whoever polled before it and has a clock of its own is told, for as long as it
    /// would have been remembered, everything since then: where it stood nobody knows, and it may not be left out.
    pub fn since(started: Millis) -> Self {
        Self { started: Some(started), ..Self::default() }
    }

    /// Somebody asks, with a time or without one. `head` is the newest stamp that there is.
    ///
    /// ```
    /// use deskbell_core::pollers::Pollers;
    /// let mut pollers = Pollers::default();
    /// let first = pollers.begin("ann", Some(0), 500, 1_000);
    /// assert_eq!(first.after, 0, "whoever is new gets what it asks for");
    /// pollers.answered("ann", first.turn, 500);
    /// assert_eq!(pollers.begin("ann", Some(500), 700, 2_000).after, 500);
    /// ```
    pub fn begin(&mut self, who: &str, asked: Option<Millis>, head: Millis, now: Millis) -> Begun {
        self.forget(now);
        self.turns += 1;
        let seen = (now, self.turns);
        let poller = match self.known.get_mut(who) {
            Some(known) => {
                known.goes_on(asked, head);
                self.order.remove(&known.seen);
                known.seen = seen;
                known
            }
            None => {
                let lately = self.started.filter(|started| now < started.saturating_add(limits::POLLER));
                let from = match (asked, lately) {
                    // No answer has named this time: it is a clock's.
                    (Some(stamp), Some(started)) if stamp > head => started.min(head),
                    // Nothing behind the head has happened yet, whatever the asker's clock says.
                    (Some(stamp), _) => stamp.min(head),
                    (None, _) => head,
                };
                let new = Poller { asked, from, next: from, given: from, told: false, returns: false, seen };
                self.known.entry(who.into()).or_insert(new)
            }
        };
        let after = poller.from;
        self.order.insert(seen, who.into());
        self.bound();
        Begun { after, turn: self.turns }
    }

    /// Whoever asked under one name may come under another one from now on, and goes on there where it stands.
    pub fn renamed(&mut self, who: &str, other: &str) {
        let Some(known) = self.known.get(who) else { return };
        self.turns += 1;
        let poller = Poller { seen: (known.seen.0, self.turns), ..known.clone() };
        self.order.insert(poller.seen, other.into());
        if let Some(before) = self.known.insert(other.into(), poller) {
            self.order.remove(&before.seen);
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.known.len() > limits::POLLERS
            && let Some((_, longest_away)) = self.order.pop_first()
        {
            self.known.remove(&longest_away);
        }
    }

    /// Was no newer question asked since?
    pub fn is_newest(&self, who: &str, turn: u64) -> bool {
        self.known.get(who).is_some_and(|known| known.seen.1 == turn)
    }

    /// The question was answered with everything up to a stamp.
    pub fn answered(&mut self, who: &str, turn: u64, upto: Millis) {
        if let Some(known) = self.known.get_mut(who).filter(|known| known.seen.1 == turn) {
            (known.given, known.told) = (known.given.max(upto), true);
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Is nobody remembered?
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn forget(&mut self, now: Millis) {
        while let Some(first) = self.order.first_entry().filter(|first| first.key().0 + limits::POLLER <= now)
        {
            let who = first.remove();
            self.known.remove(&who);
        }
    }
}

impl Poller {
    /// Decides from where the next answer tells.
    fn goes_on(&mut self, asked: Option<Millis>, head: Millis) {
        let given_back = asked == Some(self.given);
        self.returns |= given_back;
        let (from, next) = match asked {
            _ if given_back => (self.given, self.given),
            // The same question again, or one that was never answered.
            _ if (asked.is_some() && asked == self.asked) || !self.told => (self.from, self.next),
            Some(stamp) if self.returns => (stamp.min(head), stamp.min(head)),
            // It has a clock of its own. What was new in the last answer is told once more.
            _ => (self.next, self.given),
        };
        (self.from, self.next, self.asked, self.told) = (from, next, asked, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SECOND;
    use proptest::prelude::*;

    /// Asks, and is answered with all that there is.
    fn poll(pollers: &mut Pollers, asked: Option<Millis>, head: Millis, now: Millis) -> Millis {
        let begun = pollers.begin("ann", asked, head, now);
        pollers.answered("ann", begun.turn, head.max(begun.after));
        begun.after
    }

    #[test]
    fn a_client_with_a_clock_of_its_own_is_told_everything_twice_and_nothing_three_times() {
        let mut pollers = Pollers::default();
        let from: Vec<Millis> = [(9_000, 10), (9_005, 20), (9_010, 20), (9_015, 30), (9_020, 30)]
            .into_iter()
            .map(|(own, head)| poll(&mut pollers, Some(own), head, own))
            .collect();
        assert_eq!(from, [10, 10, 10, 20, 20]);
        let from = poll(&mut pollers, None, 40, 9_030);
        assert_eq!(from, 30);
    }

    #[test]
    fn whoever_asks_the_same_again_gets_the_same_again() {
        let mut pollers = Pollers::default();
        for head in [10, 20, 30] {
            assert_eq!(poll(&mut pollers, Some(0), head, 1_000), 0);
        }
        assert_eq!(poll(&mut pollers, Some(30), 40, 1_001), 30, "and goes on once it says what it has");
        assert_eq!(poll(&mut pollers, Some(30), 50, 1_002), 30, "its answer was lost");
        assert_eq!(poll(&mut pollers, Some(50), 50, 1_003), 50);
    }

    #[test]
    fn a_question_that_was_not_answered_moves_nothing() {
        let mut pollers = Pollers::default();
        poll(&mut pollers, Some(900), 10, 900);
        poll(&mut pollers, Some(901), 20, 901);
        let older = pollers.begin("ann", Some(902), 20, 902);
        let newer = pollers.begin("ann", Some(903), 20, 903);
        assert_eq!(
            (older.after, newer.after),
            (10, 10),
            "what the answer before held was not told again yet"
        );
        assert!(!pollers.is_newest("ann", older.turn) && pollers.is_newest("ann", newer.turn));
        pollers.answered("ann", older.turn, 20);
        assert_eq!(poll(&mut pollers, Some(904), 20, 904), 10, "only the newest answer counts");
        assert_eq!(poll(&mut pollers, Some(905), 20, 905), 20);
    }

    #[test]
    fn after_two_minutes_only_the_time_itself_counts() {
        let mut pollers = Pollers::default();
        poll(&mut pollers, Some(900), 10, 1_000);
        assert_eq!(poll(&mut pollers, Some(999), 20, 1_000 + limits::POLLER - 1), 10);
        let later = 1_000 + 2 * limits::POLLER;
        assert_eq!(poll(&mut pollers, Some(999), 30, later), 30, "nobody knows what it has");
        assert_eq!(pollers.len(), 1);
    }

    #[test]
    fn whoever_nobody_remembers_after_a_start_is_told_everything_since_then() {
        let mut pollers = Pollers::since(1_000);
        assert_eq!(poll(&mut pollers, Some(1_900), 1_500, 1_900), 1_000, "a clock of its own");
        assert_eq!(poll(&mut pollers, Some(1_950), 1_500, 1_950), 1_000, "and once more");
        assert_eq!(poll(&mut pollers, Some(1_990), 1_500, 1_990), 1_500);
        let begin = |asked, now| Pollers::since(1_000).begin("bob", asked, 1_500, now).after;
        assert_eq!(begin(Some(1_400), 1_900), 1_400, "a time that an answer may have named");
        assert_eq!(begin(Some(900), 1_900), 900, "one of the run before");
        assert_eq!(begin(None, 1_900), 1_500, "whoever begins anew");
        let later = 1_000 + limits::POLLER;
        assert_eq!((begin(Some(later - 1), later - 1), begin(Some(later), later)), (1_000, 1_500));
    }

    #[test]
    fn whoever_comes_under_another_name_goes_on_where_it_stood() {
        let mut pollers = Pollers::default();
        assert_eq!(poll(&mut pollers, None, 10, 1_000), 10);
        pollers.renamed("ann", "visitor 7");
        let begun = pollers.begin("visitor 7", Some(9_000), 20, 9_000);
        assert_eq!(begun.after, 10, "what came between the two is told");
        pollers.renamed("nobody", "visitor 8");
        assert_eq!(pollers.begin("visitor 8", Some(9_000), 20, 9_000).after, 20);
        // A name that was there before is that poller's from now on, and nobody is counted twice.
        pollers.renamed("visitor 8", "visitor 7");
        assert_eq!((pollers.begin("visitor 7", Some(9_001), 30, 9_001).after, pollers.len()), (20, 3));
        assert_eq!(pollers.order.len(), 3);
        for nth in 0..limits::POLLERS {
            pollers.renamed("visitor 7", &nth.to_string());
        }
        assert_eq!((pollers.len(), pollers.order.len()), (limits::POLLERS, limits::POLLERS));
    }

    #[test]
    fn those_who_were_away_longest_are_forgotten_first() {
        let mut pollers = Pollers::default();
        for nth in 0..=limits::POLLERS {
            pollers.begin(&nth.to_string(), Some(7), 9, SECOND + nth as Millis / 1_000);
        }
        assert_eq!((pollers.len(), pollers.order.len()), (limits::POLLERS, limits::POLLERS));
        assert!(!pollers.known.contains_key("0") && pollers.known.contains_key("1"));
    }

    proptest! {
        /// Answers get lost, and everything is told exactly once to whoever gives the times back, at least once to
        /// whoever does not lose more than one answer in a row.
        #[test]
        fn nothing_is_left_out(
            steps in prop::collection::vec((0..4_u64, any::<bool>()), 1..60),
            returns in any::<bool>(),
        ) {
            let mut pollers = Pollers::default();
            let (mut head, mut now, mut last, mut got) = (100, 10_000, 100, Vec::new());
            let mut lost_before = false;
            for (news, lost) in steps {
                let lost = lost && (returns || !lost_before);
                lost_before = lost;
                head += news;
                now += SECOND;
                let asked = if returns { last } else { now };
                let begun = pollers.begin("ann", Some(asked), head, now);
                pollers.answered("ann", begun.turn, head);
                if !lost {
                    got.extend(begun.after + 1..=head);
                    last = head;
                }
            }
            let last = pollers.begin("ann", Some(if returns { last } else { now + 1 }), head, now + 1);
            got.extend(last.after + 1..=head);
            if !returns {
                got.sort_unstable();
                got.dedup();
            }
            // A client with a clock of its own begins where the head was when it came.
            let first = got.first().copied().unwrap_or(head + 1);
            prop_assert_eq!(&got, &(first..=head).collect::<Vec<_>>());
            prop_assert!(!returns || first == 101 || got.is_empty());
        }
    }
}
